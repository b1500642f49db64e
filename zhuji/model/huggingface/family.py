"""What a family of models is: which settings of ours it is, and what it calls its tensors.

A table of names goes from our modules to theirs, `{n}` being the number of a block. Where a family keeps numbers in another form
(fused, transposed, shifted), `loosen` brings its tensors into a form in which a name is all that differs, and `fasten` goes back.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Protocol, TypeVar

from torch import Tensor

from zhuji.backbones.transformer import Transformer
from zhuji.core.errors import UnreadableModel, UnwritableModel
from zhuji.core.log import in_language
from zhuji.modalities.text import Text
from zhuji.model.huggingface.options import Options
from zhuji.nn.layers import Activation

Tensors = dict[str, Tensor]
Purpose = Literal["masked", "next", "classify", "tag", "embed"]


@dataclass(frozen=True)
class Head:
    """What a family puts on its encoder for one purpose. `twins`: their tensors that repeat one of ours, by our name."""

    purpose: Purpose
    names: Mapping[str, str] = field(default_factory=dict[str, str])
    twins: Mapping[str, str] = field(default_factory=dict[str, str])
    activation: Activation = "relu"


def architecture_of(options: Options, heads: Mapping[str, Head]) -> str:
    """The architecture that config.json names; without a name the last one that is known, a bare encoder. Raises UnreadableModel for one that is not known."""
    named = options.get("architectures") or [list(heads)[-1]]
    architecture = named[0] if isinstance(named, list) else named
    if not isinstance(architecture, str) or architecture not in heads:
        names = ", ".join(heads)
        why = in_language(f"the architecture must be one of: {names}", f"architectures 必须是以下之一：{names}")
        raise UnreadableModel(file=options.path, why=why, value=architecture)
    return architecture


class Typed(Protocol):
    """`types` as config.json names them."""

    types: ClassVar[tuple[str, ...]]


T = TypeVar("T", bound=Typed)


def family_of(families: Iterable[T], config: Mapping[str, Any]) -> T | None:
    """The family that a config.json names, where it is one of these."""
    return next((family for family in families if config.get("model_type") in family.types), None)


class Family(ABC):
    """One architecture; `types` as config.json names it."""

    types: ClassVar[tuple[str, ...]]
    prefix: ClassVar[str]
    """Before the encoder's names where there is a head."""
    body: ClassVar[Mapping[str, str]]
    heads: ClassVar[Mapping[str, Head]]
    """By the name of the architecture; the first with a purpose is the one that is written."""
    ignored: ClassVar[Sequence[str]] = ()
    """Patterns of tensors that no answer depends on."""
    biases_may_lack: ClassVar[bool] = False
    """A bias that is not there is zero."""

    @abstractmethod
    def read(self, options: Options) -> Transformer:
        """Our settings. Raises UnreadableModel for what has no counterpart."""

    @abstractmethod
    def described(self, body: Transformer, text: Text) -> dict[str, Any]:
        """Their config.json for our settings, without what belongs to head and tokenizer. Raises UnwritableModel."""

    def positions(self, options: Options) -> int:
        """The most units of a row."""
        return options.count("max_position_embeddings", 512)

    def loosen(self, tensors: Tensors, config: Mapping[str, Any]) -> Tensors:
        return tensors

    def fasten(self, tensors: Tensors, config: Mapping[str, Any]) -> Tensors:
        return tensors

    def names(self, layers: int, head: Head) -> dict[str, str]:
        """Our modules (and lone tensors) -> theirs, without prefix."""
        table: dict[str, str] = {}
        for ours, theirs in self.body.items():
            for number in range(layers) if "{n}" in ours else (0,):
                table[f"encoder.{ours.format(n=number)}"] = theirs.format(n=number)
        return {**table, **{f"head.{ours}": theirs for ours, theirs in head.names.items()}}

    def head_for(self, purpose: Purpose) -> tuple[str, Head]:
        """Name of the architecture, and its head. Raises UnwritableModel."""
        for architecture, head in self.heads.items():
            if head.purpose == purpose:
                return architecture, head
        raise unwritable(f"{self.types[0]} has no head for this task", f"{self.types[0]} 没有用于该任务的输出头")


def translated(name: str, table: Mapping[str, str]) -> str | None:
    """The name of a tensor in the other language."""
    module, _, leaf = name.rpartition(".")
    return table[name] if name in table else f"{table[module]}.{leaf}" if module in table else None


def unwritable(en: str, zh: str) -> UnwritableModel:
    return UnwritableModel(why=in_language(en, zh))


def demand(body: Transformer, **wanted: object) -> None:
    """Raise UnwritableModel unless the backbone's settings are these (a tuple: one of these)."""
    for key, value in wanted.items():
        found, accepted = getattr(body, key), value if isinstance(value, tuple) else (value,)
        if found not in accepted:
            shown = "/".join(map(str, accepted))
            raise unwritable(
                f"backbone.{key} is {found}, and the family needs {shown}", f"backbone.{key} 为 {found}，而该模型族需要 {shown}"
            )


GELU = {"gelu": "gelu", "gelu_new": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh", "gelu_fast": "gelu_tanh", "relu": "relu"}
"""Their names of activations to ours."""
ACTIVATIONS = {"gelu": "gelu", "gelu_tanh": "gelu_new", "relu": "relu"}
"""And back."""
EPS = {"rms": 1e-6, "layer": 1e-5}
"""What the transformer's norms add where nothing else is set."""


def eps_of(body: Transformer) -> float:
    return EPS[body.norm] if body.norm_eps is None else body.norm_eps

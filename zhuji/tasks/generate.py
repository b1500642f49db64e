"""Generation: a model that makes rows of values, such as pictures, like those that it learned from. What classes rows have is learned, too, where
there are any, and rows of one class can be drawn.

Shapes: B rows, H and W the grid, C values of a unit, Z numbers of a vector, D width of a state, L levels of noise.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar, Literal, Self

import torch
from pydantic import Field, PrivateAttr, model_validator
from torch import Tensor, nn

from zhuji.core.contracts import ONLY, Columns, Encoder, Example, Metric, Needs, Prediction, Task
from zhuji.core.errors import BadSetting, ImpossiblePair
from zhuji.core.log import in_language
from zhuji.core.records import Record
from zhuji.core.units import Batch, Features, Ratio, Units, UnitSpec, Wanted
from zhuji.metrics import sliced
from zhuji.metrics.units import ratio_of
from zhuji.nn import latent
from zhuji.nn.chance import fingerprint, settled_noise
from zhuji.nn.diffusion import Course, Guess, Noising, Telling, guided
from zhuji.nn.layers import linear
from zhuji.nn.makers import Classes, Maker, Summary

CRITIC, MAKER = "critic", "maker"
_LEVELS = 4
"""Levels of noise at which a diffusion model is judged."""
_UNDER = "head.maker."
_FARTHEST = 12.0
"""Largest logarithm of a variance, either way."""

Outputs = Mapping[str, Tensor]


class Generate(Task):
    """gan: a maker of pictures and a critic that tells them from real ones, each with its own loss (Goodfellow et al. 2014; the critic's gradient
    is held down by R1, Mescheder et al. 2018; classes by projection, Miyato & Koyama 2018). The critic is the encoder.

    vae: the encoder tells where in a space of few numbers a picture lies, a maker makes it from there (Kingma & Welling 2014).

    diffusion: the encoder takes noise away from pictures (Ho et al. 2020), step by step out of nothing but noise (Song et al. 2021).
    """

    needs: ClassVar[Needs] = "nothing"
    draws: ClassVar[bool] = True

    kind: Literal["gan", "vae", "diffusion"] = "vae"
    conditional: bool = True
    """Learn what class a picture is of, where there are classes."""
    latent: int = Field(default=32, gt=0, le=4096)
    """gan, vae: numbers out of which a picture is made."""
    width: int = Field(default=32, gt=0, le=4096)
    """gan, vae: channels of the maker's finest grid."""
    side: int = Field(default=4, gt=0, le=64)
    """gan, vae: parts a side in which the encoder's plane is summed up."""
    features: int = Field(default=128, gt=0, le=65536)
    """gan, vae: numbers of that summary."""
    beta: float = Field(default=1.0, ge=0)
    """vae: how much it costs to say where a picture lies (Higgins et al. 2017)."""
    penalty: float = Field(default=1.0, ge=0)
    """gan: weight of R1."""
    course: Course = "cosine"
    """diffusion: how noise grows."""
    guess: Guess = "velocity"
    """diffusion: what the network says."""
    noise_steps: int = Field(default=1000, gt=1, le=100_000)
    """diffusion: steps of the course."""
    unlabelled: float = Field(default=0.1, ge=0, lt=1)
    """diffusion: share of training pictures whose class is not told, so that it can be left open (Ho & Salimans 2022)."""
    steps: int = Field(default=50, gt=0, le=100_000)
    """diffusion: passes for a drawn picture."""
    guidance: float = Field(default=1.0, ge=0)
    """diffusion: how strongly it is drawn towards its class; 1: as learned."""
    labels: tuple[str, ...] = ()
    """Learned: class names, sorted."""
    counts: tuple[int, ...] = ()
    """Learned: training rows by class."""

    _player: str = PrivateAttr(ONLY)

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if len(self.labels) != len(self.counts) or len(set(self.labels)) != len(self.labels):
            raise ValueError(in_language("labels must differ, and have a count each", "labels 不得重复，且各有一个 counts"))
        return self

    @property
    def per_unit(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.kind == "diffusion"

    @property
    def tells(self) -> bool:
        return self.kind == "diffusion"

    @property
    def classes(self) -> tuple[str, ...]:
        return self.labels

    @property
    def players(self) -> tuple[str, ...]:
        return (CRITIC, MAKER) if self.kind == "gan" else (ONLY,)

    def owner(self, parameter: str) -> str:
        return self.players[-1 if parameter.startswith(_UNDER) else 0]

    def plays(self, player: str) -> Task:
        copy = self.model_copy()
        copy._player = player
        return copy

    def fit(self, records: Sequence[Record]) -> Self:
        found = (
            Counter(name for record in records if (name := _name_of(record)) is not None)
            if self.conditional
            else Counter[str]()
        )
        labels = tuple(sorted(found))
        return type(self).parse({**self.plain(), "labels": labels, "counts": tuple(found[name] for name in labels)})

    def targets(self, record: Record) -> Mapping[str, Tensor]:
        """`kind`: () int64, the number of the row's class; -1 of none that is known."""
        return {"kind": torch.tensor(self._index.get(_name_of(record) or "", -1))}

    @cached_property
    def _index(self) -> dict[str, int]:
        return {name: number for number, name in enumerate(self.labels)}

    def head(self, spec: UnitSpec, dim: int) -> nn.Module:
        """Raises ImpossiblePair where units are no values on a plane of one size."""
        if spec.grid is None or spec.grid_ndim != 2 or not spec.num_values or spec.num_ids:
            raise ImpossiblePair(
                first=in_language("the modality", "模态"),
                second=self.called(),
                rule=in_language("the other makes pictures of one size", "后者生成大小固定的图片"),
                advice=in_language("choose --set modality.name=image", "请选用 --set modality.name=image"),
            )
        grid = (spec.grid[0], spec.grid[1])
        return {"gan": _Gan, "vae": _Vae, "diffusion": _Diffusion}[self.kind](self, grid, spec.num_values, dim)

    # ------------------------------------------------------------------------------------------------ learning

    def outputs(self, encoder: Encoder, head: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """`loss (B,)`, what it is a sum over, `terms (B,)`, and what the metrics and `decode` read."""
        assert isinstance(head, _Head)
        units = head.whole(batch.units)
        kinds = batch.targets.get("kind", torch.full((len(units),), -1, device=units.mask.device))
        return head.learned(encoder, units, kinds, self._player)

    def answers(self, encoder: Encoder, head: nn.Module, units: Units) -> dict[str, Tensor] | Tensor:
        """vae: `mean (B, Z)`; else `(B, 1)`: gan: the critic's score, diffusion: the error of what it says of the picture in noise."""
        assert isinstance(head, _Head)
        return head.answered(encoder, head.whole(units))

    def loss(self, outputs: Outputs, batch: Batch) -> Ratio:
        return Ratio(outputs["loss"].sum(), outputs["terms"].sum())

    def evidence(self, outputs: Outputs, batch: Batch) -> Columns:
        if self.kind == "gan":
            return {name: sliced.laid_on_lines(outputs[name]) for name in ("real", "made")}
        names = ("bound", "surprise", "divergence") if self.kind == "vae" else ("loss",)
        return {name: outputs[name].detach().double().cpu().numpy() for name in (*names, "terms")}

    def metrics(self) -> Mapping[str, Metric]:
        if self.kind == "gan":
            return {"sliced_distance": sliced.distance}
        if self.kind == "vae":
            return {
                "elbo": ratio_of("bound", "terms", higher_is_better=True),
                "surprise": ratio_of("surprise", "terms", higher_is_better=False),
                "divergence": ratio_of("divergence", "terms", higher_is_better=False),
            }
        return {"denoising": ratio_of("loss", "terms", higher_is_better=False)}

    def notes(self) -> Mapping[str, str]:
        return {
            "gan": {"sliced_distance": f"sliced Wasserstein distance of made to real rows of the same classes, normalised, {sliced.LINES} lines"},
            "vae": {"elbo": "nats per normalised value, one draw of the latent vector for each row"},
            "diffusion": {"denoising": f"squared error of the {self.guess} per value, mean of {_LEVELS} levels of noise"},
        }[self.kind]  # fmt: skip

    def decode(self, outputs: Outputs | Tensor) -> list[Prediction]:
        """vae: where the picture lies, as a list of numbers; gan: the critic's score, above 0 for real; diffusion: the denoising error, which is
        high for pictures unlike those that were learned from."""
        if self.kind == "vae" and not isinstance(outputs, Tensor):
            return [Prediction(row) for row in outputs["mean"].detach().tolist()]
        numbers = outputs if isinstance(outputs, Tensor) else outputs["output"]
        return [Prediction(row[0]) for row in numbers.detach().tolist()]

    def reading(self) -> Mapping[str, Any]:
        """`mean` is the vector, `output` the number as it is."""
        return {"kind": "vector", "output": "mean"} if self.kind == "vae" else {"kind": "number", "scale": 1.0, "mean": 0.0}

    # ------------------------------------------------------------------------------------------------- drawing

    def drawn(self, encoder: Encoder, head: nn.Module, wanted: Wanted) -> Tensor:
        assert isinstance(head, _Head)
        for key in ("steps", "guidance"):
            if self.kind != "diffusion" and getattr(wanted, key) is not None:
                rule = in_language("is known to diffusion alone", "仅适用于 diffusion")
                raise BadSetting(key=key, rule=rule, value=getattr(wanted, key))
        if (wanted.steps or 0) > self.noise_steps:
            rule = in_language(
                f"must be at most {self.noise_steps}, the steps of its course", f"不得多于加噪步数 {self.noise_steps}"
            )
            raise BadSetting(key="steps", rule=rule, value=wanted.steps)
        if wanted.guidance is not None and wanted.labels is None:
            rule = in_language("draws towards a class, and none is known", "指向某个类别，但没有类别")
            raise BadSetting(key="guidance", rule=rule, value=wanted.guidance)
        device = next(head.parameters()).device
        kinds = [-1] * len(wanted.seeds) if wanted.labels is None else [self._index[name] for name in wanted.labels]
        return head.drawn(encoder, wanted, torch.tensor(kinds, device=device))

    @classmethod
    def example(cls) -> Example:
        records = [Record(f"row-{i}", "", label="abc"[i % 3]) for i in range(8)]
        return Example(cls(latent=4, width=8, side=2, features=6).fit(records), records)


def _name_of(record: Record) -> str | None:
    """The class of a row that has one."""
    label = record.label
    if isinstance(label, tuple):
        return label[0] if len(label) == 1 and isinstance(label[0], str) else None
    return None if label is None else str(label)


class _Head(nn.Module, ABC):
    """What the three kinds have in common: the grid of the rows, which is all that they see of a batch that is padded."""

    def __init__(self, task: Generate, grid: tuple[int, int], values: int) -> None:
        super().__init__()
        self.task, self.grid, self.values = task, grid, values

    def whole(self, units: Units) -> Units:
        high, wide = self.grid
        assert units.values is not None
        return Units(units.mask[:, :high, :wide], values=units.values[:, :high, :wide])

    def _terms(self, units: Units) -> Tensor:
        return units.mask.flatten(1).sum(1) * self.values

    @abstractmethod
    def learned(self, encoder: Encoder, units: Units, kinds: Tensor, player: str) -> dict[str, Tensor]:
        """See `Generate.outputs`."""

    @abstractmethod
    def answered(self, encoder: Encoder, units: Units) -> dict[str, Tensor] | Tensor:
        """See `Generate.answers`."""

    @abstractmethod
    def drawn(self, encoder: Encoder, wanted: Wanted, kinds: Tensor) -> Tensor:
        """See `Task.drawn`; `kinds (N,)`: numbers of the classes."""

    def _noise(self, units: Units, numbers: int) -> Tensor:
        """`(B, numbers)`: drawn anew while learning, and of a row always the same while it is judged."""
        if self.training:
            return torch.randn(len(units), numbers, device=units.mask.device)
        return settled_noise(fingerprint(units), numbers)


class _Vae(_Head):
    def __init__(self, task: Generate, grid: tuple[int, int], values: int, dim: int) -> None:
        super().__init__(task, grid, values)
        self.summary = Summary(dim, task.features, task.side)
        self.mean, self.spread = (linear(task.features, task.latent) for _ in range(2))
        self.maker = Maker(task.latent, len(task.labels), grid, values, task.width)
        self.log_deviation = nn.Parameter(torch.zeros(()))

    def learned(self, encoder: Encoder, units: Units, kinds: Tensor, player: str) -> dict[str, Tensor]:
        assert units.values is not None
        state = self.summary(encoder(units))
        mean, spread = self.mean(state).float(), self.spread(state).float().clamp(-_FARTHEST, _FARTHEST)
        vector = mean + (0.5 * spread).exp() * self._noise(units, mean.shape[1])
        surprise = latent.surprise(units.values, self.maker(vector, kinds), self.log_deviation)
        divergence = latent.divergence(mean, spread)
        return {
            "loss": surprise + self.task.beta * divergence, "terms": self._terms(units), "mean": mean,
            "bound": -surprise - divergence, "surprise": surprise, "divergence": divergence,
        }  # fmt: skip

    def answered(self, encoder: Encoder, units: Units) -> dict[str, Tensor]:
        return {"mean": self.mean(self.summary(encoder(units))).float()}

    def drawn(self, encoder: Encoder, wanted: Wanted, kinds: Tensor) -> Tensor:
        return self.maker(wanted.noise(self.task.latent).to(kinds.device), kinds)


class _Gan(_Head):
    def __init__(self, task: Generate, grid: tuple[int, int], values: int, dim: int) -> None:
        super().__init__(task, grid, values)
        self.summary, self.score = Summary(dim, task.features, task.side), linear(task.features, 1)
        self.classes = Classes(len(task.labels), task.features, deviation=task.features**-0.5)
        self.maker = Maker(task.latent, len(task.labels), grid, values, task.width)

    def learned(self, encoder: Encoder, units: Units, kinds: Tensor, player: str) -> dict[str, Tensor]:
        assert units.values is not None
        vectors, terms = self._noise(units, self.task.latent), torch.ones(len(units), device=kinds.device)

        def judged(values: Tensor) -> tuple[Tensor, Tensor]:
            """How real it is as a row of its class, and as one of any."""
            state = self.summary(encoder(replace(units, values=values))).float()
            whole = self.score(state).float()
            return whole[:, 0] + (self.classes(kinds) * state).sum(1), whole

        made = self.maker(vectors, kinds)
        if player == MAKER:
            return {"loss": latent.taken_for_real(judged(made)[0]), "terms": terms}
        if player == CRITIC:
            real, steepness = latent.steepness(lambda values: judged(values)[0], units.values)
            loss = latent.judged_apart(real, judged(made.detach())[0])
            return {"loss": loss + self.task.penalty / 2 * steepness, "terms": terms}
        (real, whole), (fake, _) = judged(units.values), judged(made)
        loss = latent.judged_apart(real, fake) + latent.taken_for_real(fake)
        return {"loss": loss, "terms": terms, "output": whole, "real": units.values, "made": made}

    def answered(self, encoder: Encoder, units: Units) -> Tensor:
        return self.score(self.summary(encoder(units)).float()).float()

    def drawn(self, encoder: Encoder, wanted: Wanted, kinds: Tensor) -> Tensor:
        return self.maker(wanted.noise(self.task.latent).to(kinds.device), kinds)


class _Diffusion(_Head):
    noise: Tensor

    def __init__(self, task: Generate, grid: tuple[int, int], values: int, dim: int) -> None:
        super().__init__(task, grid, values)
        self.noising = Noising(task.course, task.noise_steps, task.guess)
        self.telling = Telling(dim, len(task.labels), task.noise_steps)
        self.exit = linear(dim, values, gain=0.1)
        # What rows are judged in: the same for all of them, so that an answer depends on the row alone.
        self.register_buffer("noise", torch.randn(_LEVELS, *grid, values))

    def _said(self, encoder: Encoder, values: Tensor, times: Tensor, kinds: Tensor) -> Tensor:
        given = self.telling(times, kinds)

        def told(features: Features) -> Features:
            return replace(features, given=given)

        mask = torch.ones(values.shape[:-1], dtype=torch.bool, device=values.device)
        return self.exit(encoder(Units(mask, values=values), told).states).float()

    def _errors(self, encoder: Encoder, values: Tensor, noise: Tensor, times: Tensor, kinds: Tensor) -> Tensor:
        said = self._said(encoder, self.noising.noised(values, noise, times), times, kinds)
        return (said - self.noising.wanted(values, noise, times)).square().flatten(1).sum(1)

    def learned(self, encoder: Encoder, units: Units, kinds: Tensor, player: str) -> dict[str, Tensor]:
        assert units.values is not None
        rows, terms = len(units), self._terms(units)
        if not self.training:
            loss = self._judged(encoder, units.values, kinds)
            return {"loss": loss, "terms": terms, "output": (loss / terms)[:, None]}
        times = torch.randint(1, self.task.noise_steps + 1, (rows,), device=kinds.device)
        kinds = kinds.masked_fill(torch.rand(rows, device=kinds.device) < self.task.unlabelled, -1)
        loss = self._errors(encoder, units.values, torch.randn_like(units.values), times, kinds)
        return {"loss": loss, "terms": terms}

    def _judged(self, encoder: Encoder, values: Tensor, kinds: Tensor) -> Tensor:
        """`(B,)`: mean over the levels."""
        total = torch.zeros(values.shape[0], device=values.device)
        for time, noise in zip(self.noising.levels(_LEVELS).tolist(), self.noise, strict=True):
            times = torch.full_like(kinds, time)
            total = total + self._errors(encoder, values, noise.expand_as(values), times, kinds)
        return total / _LEVELS

    def answered(self, encoder: Encoder, units: Units) -> Tensor:
        assert units.values is not None
        kinds = torch.full_like(units.mask[:, 0, 0], -1, dtype=torch.int64)
        return (self._judged(encoder, units.values, kinds) / self._terms(units))[:, None]

    def drawn(self, encoder: Encoder, wanted: Wanted, kinds: Tensor) -> Tensor:
        strength = self.task.guidance if wanted.guidance is None else wanted.guidance
        both = strength != 1 and wanted.labels is not None

        def say(values: Tensor, times: Tensor) -> Tensor:
            if not both:
                return self._said(encoder, values, times, kinds)
            pair = torch.cat((kinds, torch.full_like(kinds, -1)))
            said = self._said(encoder, values.repeat(2, 1, 1, 1), times.repeat(2), pair)
            with_class, without = said.chunk(2)
            return guided(with_class, without, strength)

        return self.noising.drawn(say, wanted.noise(*self.grid, self.values).to(kinds.device), wanted.steps or self.task.steps)

"""One frozen object describes a whole run. A YAML file is its written form, `--set train.steps=500` its override, `run.yaml`
in the run folder its complete record, a JSON schema its editor help."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from zhuji.core.config import Settings, assignments, overlay
from zhuji.core.log import in_language
from zhuji.data.settings import DataSettings, Fraction

FORMAT = 1
SHELVES = ("modality", "backbone", "task")


class OptimSettings(Settings):
    """Optimiser, its rate and how the rate moves. Names as in torch.optim."""

    name: Literal["sgd", "momentum", "adagrad", "adam", "adamw", "muon"] = "adamw"
    lr: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=0.01, ge=0)
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = Field(default=1e-8, gt=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    nesterov: bool = False
    """Of momentum above 0: the gradient is that of where the step will lead (Sutskever et al. 2013, section 2)."""
    schedule: Literal["constant", "linear", "cosine", "inverse_sqrt"] = "linear"
    warmup: Fraction = 0.05
    """Share of all steps over which the rate rises from 0."""
    floor: Fraction = 0.0
    """Share of `lr` that is left at the end of a falling schedule."""
    clip: float | None = Field(default=1.0, gt=0)
    """Largest global norm of the gradient."""


class TrainSettings(Settings):
    """How long, in what portions, how precisely and how safely a model is trained."""

    epochs: float = Field(default=10, gt=0)
    steps: int | None = Field(default=None, gt=0)
    """Number of optimiser steps; overrides `epochs`."""
    least_steps: int = Field(default=1, gt=0)
    """So many optimiser steps at least, however few rows `epochs` pass over."""
    batch_units: int = Field(default=8192, gt=0)
    """Units of a batch, padding included."""
    batch_rows: int | None = Field(default=None, gt=0)
    """At most so many rows in a batch."""
    accumulate: int = Field(default=1, gt=0)
    """Batches whose gradients are added up before one optimiser step."""
    optim: OptimSettings = OptimSettings()
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    compile: bool = False
    device: str = "auto"
    threads: int | None = Field(default=None, gt=0)
    """Defaults to the CPUs that this process may use."""
    evaluate_every: float = Field(default=1.0, gt=0)
    """Epochs between validations."""
    patience: int | None = Field(default=None, gt=0)
    """Validations without a better score before training stops early."""
    average: float = Field(default=0.0, ge=0, lt=1)
    """Decay of the exponential moving average of the weights that is evaluated and saved; 0 turns it off."""
    checkpoint_seconds: float = Field(default=60.0, ge=0)
    """Time between checkpoints, besides the one at every validation."""
    keep: int = Field(default=2, gt=0)
    """Checkpoints kept, besides the best."""
    max_bad_steps: int = Field(default=20, ge=0)
    """Steps with a non-finite loss or gradient that are skipped before the run stops."""
    rehearse: bool = True


def _off(value: Any) -> Any:
    """YAML reads a bare `off` as false."""
    return "off" if value is False else value


class StartSettings(Settings):
    """What a run begins from instead of random weights: the encoder of a trained model, its tokenizer and its shape."""

    path: str = Field(min_length=1)
    """A bundle, a run folder or a Hugging Face folder; hf:NAME is fetched."""
    mode: Literal["full", "frozen", "lora"] = "full"
    """full: everything learns; frozen: only the head; lora: the head and low-rank adapters, which are merged at the end."""
    rank: int = Field(default=8, gt=0)
    """Of an adapter."""
    alpha: float = Field(default=16.0, gt=0)
    """An adapter's difference counts alpha / rank times."""
    targets: tuple[str, ...] = Field(default=("attention", "feedforward"), min_length=1)
    """Linear layers that get an adapter: words of their dotted names."""
    besides: tuple[Literal["norms", "biases"], ...] = ()
    """With lora: what else of the encoder learns."""
    layer_decay: float = Field(default=1.0, gt=0, le=1)
    """Each stage of the encoder learns at this share of the rate of the stage above it."""
    thaw: float = Field(default=0.0, ge=0)
    """Epochs after which one stage more learns, from the top down; 0: all learn from the start."""
    head: Literal["fresh", "kept"] = "fresh"
    choose: Annotated[Literal["auto", "off"], BeforeValidator(_off)] = "auto"
    """auto: with few labels, the way of learning is chosen by cross-validation on the training split."""
    hash: str = ""
    """Learned: SHA-256 of the weights and parts begun from."""

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.thaw and self.mode != "full":
            raise ValueError(in_language("must have mode=full where thaw is set", "设置 thaw 时 mode 必须为 full"))
        return self


class TeacherSettings(Settings):
    """A trained model that teaches this one (Hinton et al. 2015): it may have another backbone and, where it teaches about rows, another
    tokenizer."""

    path: str = Field(min_length=1)
    """A bundle, a run folder or a Hugging Face folder."""
    weight: float = Field(default=0.7, ge=0, le=1)
    """Of the teacher's lessons; the rest is that of the labels, or of the texts themselves. Vectors are all there is to learn from."""
    temperature: float = Field(default=2.0, gt=0)
    """Above 1 the teacher's doubts count more."""
    unlabelled: str | None = None
    """Of rows: a file of further texts, which only the teacher labels."""
    hash: str = ""
    """Learned: SHA-256 of the teacher's weights and parts."""


class EvaluateSettings(Settings):
    """What stands beside a test score."""

    bootstrap: int = Field(default=1000, ge=0)
    """Resamples behind each 95 % interval."""
    baselines: bool = True
    golden_rows: int = Field(default=16, ge=1)


class Plan(Settings):
    """What every training has. `modality`, `backbone` and `task` are described as {"name": …, **settings}; see `core/lookup.py`."""

    format: Literal[1] = FORMAT
    name: str = "run"
    recipe: str = ""
    """The recipe it began with, for the record."""
    seed: int = 0
    modality: dict[str, Any] = Field(default_factory=dict[str, Any])
    backbone: dict[str, Any] = Field(default_factory=dict[str, Any])
    task: dict[str, Any] = Field(default_factory=dict[str, Any])
    start: StartSettings | None = None
    teacher: TeacherSettings | None = None
    train: TrainSettings = TrainSettings()


class Run(Plan):
    """A training on labelled rows."""

    data: DataSettings
    modality: dict[str, Any] = Field(default_factory=lambda: {"name": "text"})
    backbone: dict[str, Any] = Field(default_factory=lambda: {"name": "bag"})
    task: dict[str, Any] = Field(default_factory=lambda: {"name": "auto"})
    """`auto`: classify, regress, tag or translate, by what the columns hold."""
    evaluate: EvaluateSettings = EvaluateSettings()


def compose(*layers: Mapping[str, Any], sets: Iterable[str] = ()) -> Run:
    """A run from layers of plain data, later ones on top (recipe, YAML file, options), and `--set` pairs on the very top."""
    given: dict[str, Any] = {}
    for layer in (*layers, assignments(sets)):
        given = overlay(given, layer)
    return Run.parse(overlay(_defaults(started=given.get("start") is not None), given))


def _defaults(started: bool) -> dict[str, Any]:
    """The parts of a run that names none. One that starts from a model has that model's modality and backbone."""
    parts: dict[str, Any] = {shelf: Run.model_fields[shelf].get_default(call_default_factory=True) for shelf in SHELVES}
    return {**parts, "modality": {}, "backbone": {}} if started else parts

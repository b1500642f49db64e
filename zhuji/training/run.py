"""One frozen object describes a whole run. A YAML file is its written form, `--set train.steps=500` its override, `run.yaml`
in the run folder its complete record, a JSON schema its editor help."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pydantic import Field

from zhuji.core.config import Settings, assignments, overlay
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


class EvaluateSettings(Settings):
    """What stands beside a test score."""

    bootstrap: int = Field(default=1000, ge=0)
    """Resamples behind each 95 % interval."""
    baselines: bool = True
    golden_rows: int = Field(default=16, ge=1)


class Run(Settings):
    """`modality`, `backbone` and `task` are described as {"name": …, **settings}; see `core/lookup.py`."""

    format: Literal[1] = FORMAT
    name: str = "run"
    recipe: str = ""
    """The recipe it began with, for the record."""
    seed: int = 0
    data: DataSettings
    modality: dict[str, Any] = Field(default_factory=lambda: {"name": "text"})
    backbone: dict[str, Any] = Field(default_factory=lambda: {"name": "bag"})
    task: dict[str, Any] = Field(default_factory=lambda: {"name": "auto"})
    """`auto`: classify or regress, by what the label column holds."""
    train: TrainSettings = TrainSettings()
    evaluate: EvaluateSettings = EvaluateSettings()


def compose(*layers: Mapping[str, Any], sets: Iterable[str] = ()) -> Run:
    """A run from layers of plain data, later ones on top (recipe, YAML file, options), and `--set` pairs on the very top."""
    tree: dict[str, Any] = {shelf: Run.model_fields[shelf].get_default(call_default_factory=True) for shelf in SHELVES}
    for layer in (*layers, assignments(sets)):
        tree = overlay(tree, layer)
    return Run.parse(tree)

"""Foundations from Python: pretraining, and what one does with a model that was pretrained."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zhuji.core.config import overlay

if TYPE_CHECKING:
    from zhuji.training.pretraining import Pretraining

RUNS = Path("runs")
DEFAULT_RECIPE = "bert-mini"
OBJECTIVES = {
    "masked": "masked_units", "next": "next_unit", "replaced": "replaced_unit", "contrast": "contrast", "triplet": "triplet",
    "distill-self": "distill_self",
}  # fmt: skip
"""What a person calls an objective, and the task that it is."""


@dataclass(frozen=True)
class Foundation:
    """What a pretraining came to; `facts` is its `results.json`. `valid`: scores on the held-out documents."""

    run: Path
    facts: Mapping[str, Any]

    @property
    def bundle(self) -> Path:
        return self.run / "bundle"

    @property
    def valid(self) -> Mapping[str, Mapping[str, float | None]]:
        return self.facts["valid"]

    def as_dict(self) -> dict[str, Any]:
        """What `zhuji pretrain --json` prints."""
        return {**self.facts, "next": self.next_commands()}

    def next_commands(self) -> list[str]:
        """What one does with it, as commands that can be pasted."""
        folder = shlex.quote(str(self.run))
        use = f'zhuji generate {folder} "…"' if self.facts["model"]["task"] == "next_unit" else f"zhuji embed {folder} FILE.csv"
        return [f"zhuji train FILE.csv --from {folder}", f"zhuji probe {folder} FILE.csv", use]


def pretrain(
    corpus: str | Path | Sequence[str | Path],
    *,
    objective: str | None = None,
    model: str | None = None,
    start: str | Path | None = None,
    tokenizer: str | Path | None = None,
    text: str | Sequence[str] = (),
    without: Sequence[str | Path] = (),
    epochs: float | None = None,
    name: str | None = None,
    run_dir: str | Path | None = None,
    seed: int | None = None,
    sets: Sequence[str] = (),
    progress: bool = True,
) -> Foundation:
    """Lay a foundation on texts without labels, in `run_dir` or the next `runs/NNN-name`.

    `corpus`: files, folders, or one corpus that `zhuji corpus` built; `objective`: one of `OBJECTIVES`; `model`: a recipe for pretraining
    or a YAML file; `start`: a model to go on from; `tokenizer`: what `zhuji tokenizer` made; `text`: columns of tables; `without`: files, or
    `FILE:SPLIT`, whose texts must not be in the corpus.

    Raises UnknownName, UnknownKey, BadSetting, RunExists, and what reading a corpus and training can meet.
    """
    from zhuji.training import pretrain as work
    from zhuji.training.folder import next_run_dir

    run = planned(
        corpus, objective=objective, model=model, start=start, tokenizer=tokenizer, text=text, without=without, epochs=epochs,
        name=name, seed=seed, sets=sets,
    )  # fmt: skip
    folder = Path(run_dir) if run_dir is not None else next_run_dir(RUNS, run.name)
    done = work.fit(run, folder, progress=progress)
    return Foundation(done.run, done.facts)


def planned(
    corpus: str | Path | Sequence[str | Path],
    *,
    objective: str | None = None,
    model: str | None = None,
    start: str | Path | None = None,
    tokenizer: str | Path | None = None,
    text: str | Sequence[str] = (),
    without: Sequence[str | Path] = (),
    epochs: float | None = None,
    name: str | None = None,
    seed: int | None = None,
    sets: Sequence[str] = (),
) -> Pretraining:
    """The pretraining that `pretrain` would do."""
    from zhuji import recipes
    from zhuji.training.pretraining import compose

    base = recipes.layer(model or DEFAULT_RECIPE)
    if start is not None:
        base = {key: value for key, value in base.items() if key not in ("modality", "backbone")}
    options: dict[str, Any] = {"corpus": {"sources": _sources(corpus, text), "exclude": [_excluded(str(given)) for given in without]}}
    options |= {key: value for key, value in {"name": name, "seed": seed}.items() if value is not None}
    options |= {} if start is None else {"start": {"path": str(start)}}
    options |= {} if epochs is None else {"train": {"epochs": epochs}}
    options |= {} if tokenizer is None else {"tokenizer": str(tokenizer)}
    if objective is not None:
        options["task"] = {"name": _task(objective)}
    run = compose(base, options, sets=sets)
    if run.name == "pretrain":
        first = Path(run.corpus.sources[0].path).name.split(".")[0] or "corpus"
        run = run.model_copy(update={"name": f"{first}-{run.recipe or run.backbone.get('name', 'model')}"})
    return run


def _task(objective: str) -> str:
    """Raises UnknownName."""
    from zhuji.core.errors import UnknownName
    from zhuji.core.log import in_language

    if objective not in OBJECTIVES:
        raise UnknownName(kind=in_language("objective", "目标"), name=objective, choices=", ".join(OBJECTIVES))
    return OBJECTIVES[objective]


def _sources(corpus: str | Path | Sequence[str | Path], text: str | Sequence[str]) -> list[dict[str, Any]]:
    paths = [corpus] if isinstance(corpus, str | Path) else list(corpus)
    columns = (text,) if isinstance(text, str) else tuple(text)
    return [overlay({"path": str(path)}, {"columns": columns} if columns else {}) for path in paths]


def _excluded(given: str) -> dict[str, Any]:
    """`FILE` or `FILE:SPLIT`."""
    path, colon, split = given.rpartition(":")
    if not colon or Path(given).exists():
        return {"path": given}
    return {"path": path, "split": split}

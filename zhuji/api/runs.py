"""Runs on labelled data from Python, and what one does with a finished model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zhuji.api._columns import columns_of
from zhuji.api.foundation import RUNS, Foundation, recipe_layer
from zhuji.core.config import assignments, overlay, read_yaml, write_yaml

if TYPE_CHECKING:
    from zhuji.core.contracts import Prediction
    from zhuji.data.ledger import Ledger
    from zhuji.model.predictor import Predictor
    from zhuji.recipes import Recipe
    from zhuji.tools.check import Checkup
    from zhuji.tools.compare import Comparison
    from zhuji.tools.distil import Pupil
    from zhuji.tools.evaluate import Evaluation
    from zhuji.tools.predict import Answered
    from zhuji.tools.report import Report

Scores = Mapping[str, Mapping[str, float | None]]
"""Metric -> `value`, `low`, `high`; the metric that chose the model stands first."""

DEFAULT_RECIPE = "bag"
DEFAULT_TRANSFER = {"texts": "finetune", "pictures": "finetune-pictures", "sounds": "finetune-pictures"}
"""By what the model begun from reads."""
DEFAULT_EMBEDDER = "embed"
DEFAULT_OF_UNITS = {"masked_units": "bert-mini", "next_unit": "gpt-mini"}


@dataclass(frozen=True)
class Result:
    """What a finished run came to. `baselines`: name -> scores on the same test rows; `ledger`: read = used + cut + dropped;
    `peak_rss_mb`: most resident memory of the process, in MiB; `notes`: how a metric was counted, such as sacrebleu's signature;
    `more_tests`: scores on test sets beside the test split; `by_group`: test scores of each group, and its `rows`."""

    run: Path
    bundle: Path
    report: Path
    test: Scores
    valid: Scores
    baselines: Mapping[str, Scores]
    ledger: Mapping[str, Any]
    leaks: Mapping[str, Any]
    labels: tuple[str, ...]
    parameters: int
    steps: int
    best_step: int
    seconds: float
    peak_rss_mb: float
    notes: Mapping[str, str]
    more_tests: Mapping[str, Scores]
    by_group: Mapping[str, Mapping[str, Any]]

    @classmethod
    def of(cls, folder: Path, report: Path, facts: Mapping[str, Any]) -> Result:
        """From a run's folder and its `results.json`."""
        return cls(
            run=folder, bundle=folder / "bundle", report=report, test=facts["test"], valid=facts["valid"],
            baselines=facts["baselines"], ledger=facts["ledger"], leaks=facts["leaks"], labels=tuple(facts["labels"]),
            parameters=facts["model"]["parameters"], steps=facts["steps"], best_step=facts["best_step"],
            seconds=facts["seconds"], peak_rss_mb=facts["peak_rss_mb"],
            notes=facts.get("notes", {}), more_tests=facts.get("more_tests", {}),
            by_group=facts.get("by_group", {}),
        )  # fmt: skip

    def as_dict(self) -> dict[str, Any]:
        """What `zhuji train --json` prints."""
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {
            **plain,
            "run": str(self.run),
            "bundle": str(self.bundle),
            "report": str(self.report),
            "labels": list(self.labels),
        }

    def load(self) -> Handle:
        """The trained model, ready to answer."""
        return load(self.bundle)


@dataclass(frozen=True)
class Handle:
    """A trained model that was loaded from `path`."""

    path: Path
    predictor: Predictor

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(self.predictor.model.task.plain().get("labels", ()))

    def predict(self, inputs: Iterable[Any]) -> list[Prediction]:
        """One answer per raw input, in order: texts, or of a model for pictures or sounds their paths or bytes. A single one counts as one input."""
        return list(self.predictor.predict([inputs] if isinstance(inputs, str | bytes | Path) else inputs))

    def evaluate(
        self, data: str | Path | None = None, *, seed: int | None = None, sets: Sequence[str] = (), **columns: Any
    ) -> Evaluation:
        """Scores on labelled rows; without `data`, on the run's own test split. See `evaluate`."""
        from zhuji.tools.evaluate import evaluate

        return evaluate(self.path, data, seed=seed, sets=sets, columns=columns_of(columns), predictor=self.predictor)


def train(
    data: str | Path | Mapping[str, Any] | None = None,
    *,
    model: str | None = None,
    config: str | Path | None = None,
    task: str | None = None,
    epochs: float | None = None,
    start: str | Path | None = None,
    name: str | None = None,
    run_dir: str | Path | None = None,
    seed: int | None = None,
    sets: Sequence[str] = (),
    **columns: Any,
) -> Result:
    """Train, test, save and report.

    `data`: a file or folder, or the `data` section of a run as a mapping; `model`: a recipe's name or a YAML file; `config`: a YAML
    file laid over it; `start`: a bundle, run or Hugging Face folder to begin from, whose tokenizer and backbone then count, not the
    recipe's; `columns`: settings of the `data` section by name (`text="review"`, `label="stars"`); `sets`: `key=value` pairs laid on
    top. The run's folder is `run_dir`, which must be empty or new, or else the next `runs/NNN-name`.

    Raises what a run can meet, all of it `zhuji.core.errors.ZhujiError`.
    """
    from zhuji.training.fit import fit

    run, folder = planned(
        data,
        model=model,
        config=config,
        task=task,
        epochs=epochs,
        start=start,
        name=name,
        run_dir=run_dir,
        seed=seed,
        sets=sets,
        **columns,
    )
    return _finished(fit(run, folder).run)


def planned(
    data: str | Path | Mapping[str, Any] | None = None,
    *,
    model: str | None = None,
    config: str | Path | None = None,
    task: str | None = None,
    epochs: float | None = None,
    start: str | Path | None = None,
    name: str | None = None,
    run_dir: str | Path | None = None,
    seed: int | None = None,
    sets: Sequence[str] = (),
    **columns: Any,
) -> tuple[Any, Path]:
    """The `Run` that `train` would do, and its folder, which is made if it is one of `runs/`."""
    from zhuji.core.errors import MissingFile
    from zhuji.training.folder import next_run_dir
    from zhuji.training.run import compose

    own: dict[str, Any] = {}
    if config is not None:
        if not Path(config).is_file():
            raise MissingFile(file=config)
        own = read_yaml(Path(config).read_text(encoding="utf-8"), str(config))
    named = model or own.get("recipe")
    base = recipe_layer(named, DEFAULT_RECIPE if named or start is None else _transfer(start), "train", start)
    source = dict(data) if isinstance(data, Mapping) else {} if data is None else {"path": str(data)}
    options: dict[str, Any] = {"data": {**source, **columns_of(columns)}}
    options |= {key: value for key, value in {"name": name, "seed": seed}.items() if value is not None}
    options |= {} if task is None else {"task": {"name": task}}
    options |= {} if start is None else {"start": {"path": str(start)}}
    options |= {} if epochs is None else {"train": {"epochs": epochs}}
    run = compose(base, own, options, sets=sets)
    if run.name == "run":
        run = run.model_copy(update={"name": f"{_stem(run.data.path)}-{run.recipe or run.backbone['name']}"})
    return run, Path(run_dir) if run_dir is not None else next_run_dir(RUNS, run.name)


def _transfer(start: str | Path) -> str:
    from zhuji.training.transfer import reads

    return DEFAULT_TRANSFER[reads(str(start))]


def distil(
    teacher: str | Path,
    data: str | Path,
    *,
    model: str | None = None,
    unlabelled: str | Path | None = None,
    weight: float | None = None,
    temperature: float | None = None,
    epochs: float | None = None,
    name: str | None = None,
    run_dir: str | Path | None = None,
    seed: int | None = None,
    sets: Sequence[str] = (),
    **columns: Any,
) -> Result | Foundation:
    """Train a small model on `data` and on what a large one says about it and about the texts of `unlabelled`.

    The teacher decides what is learned: of a model for labelled rows its answers; of one for embeddings its vectors of the rows, which need
    no label; of a language model what it says of each unit of the texts in `data`, in units of its tokenizer, and then a `Foundation` comes
    back. `weight`: of the teacher's lessons, the rest is that of the labels or texts; `temperature`: above 1 its doubts count more. The
    rest is as in `train`. Raises what a run can meet, and BadSetting for a teacher that cannot teach this student."""
    from zhuji.tools.distil import Pupil
    from zhuji.tools.distil import distil as work
    from zhuji.training.folder import next_run_dir

    pupil = Pupil.of(teacher, sets)
    base = _of_pupil(pupil, model)
    named = {"name": name or f"{_stem(str(data))}-{base['recipe']}-distilled"}
    base = overlay(base, named if epochs is None else {**named, "train": {"epochs": epochs}})
    folder = Path(run_dir) if run_dir is not None else next_run_dir(RUNS, base["name"])
    done = work(
        teacher, data, folder, recipe=base, unlabelled=unlabelled, weight=weight, temperature=temperature, seed=seed or 0,
        sets=sets, columns=columns_of(columns), pupil=pupil,
    )  # fmt: skip
    return Foundation.of(done.run, done.facts) if pupil.taught == "units" else _finished(done.run)


def _of_pupil(pupil: Pupil, model: str | None) -> dict[str, Any]:
    """The settings of a recipe that serve what is learned. Vectors can be learned by the shape of any recipe; about units only the teacher's
    tokenizer counts, so that of the recipe only the length is kept."""
    from zhuji import recipes

    if pupil.taught == "rows":
        return recipe_layer(model, DEFAULT_RECIPE, "train", None)
    if pupil.taught == "vectors":
        base = recipes.layer(model or DEFAULT_EMBEDDER)
        kept = {key: base[key] for key in ("modality", "backbone", "train", "recipe") if key in base}
        pool = (base.get("task") or {}).get("pool")
        return {**kept, "task": {} if pool is None else {"pool": pool}}
    base = recipes.layer(model or DEFAULT_OF_UNITS.get(pupil.task, ""), "pretrain")
    length = base.get("modality", {}).get("max_units")
    return {**base, "modality": {} if length is None else {"max_units": length}}


def _stem(path: str) -> str:
    return Path(path).name.split(".")[0] or "data"


def _finished(folder: Path) -> Result:
    from zhuji.core.files import read_json
    from zhuji.tools.report import write_report

    return Result.of(folder, write_report(folder).page, read_json(folder / "results.json"))


def resume(run_dir: str | Path, *, seed: int | None = None, sets: Sequence[str] = ()) -> Result | Foundation:
    """Go on with a run that was stopped. `seed` and `sets` may only repeat what the run has.

    Raises NothingToResume, ChangedSinceStart, and what a run can meet."""
    from zhuji.training import fit, folder, pretrain
    from zhuji.training.pretraining import Pretraining, is_pretraining
    from zhuji.training.run import Run

    plain = folder.read_plain(Path(run_dir))
    kind = Pretraining if is_pretraining(plain) else Run
    if seed is not None or sets:
        run = kind.parse(plain)
        asked = kind.parse(overlay(run.plain(), overlay(assignments(sets), {} if seed is None else {"seed": seed})))
        folder.refuse_changes("the settings", folder.flat(run.plain()), folder.flat(asked.plain()), Path(run_dir))
    if kind is Pretraining:
        done = pretrain.resume(Path(run_dir))
        return Foundation.of(done.run, done.facts)
    return _finished(fit.resume(Path(run_dir)).run)


def load(path: str | Path) -> Handle:
    """The model of a run's folder, of a bundle, or of an exported folder in any format, once it has answered its golden rows as when it was
    made. Nothing in the folder is executed. Raises `BundleError`s."""
    from zhuji.formats import open_model

    return Handle(Path(path), open_model(path))


def evaluate(
    model: str | Path, data: str | Path | None = None, *, seed: int | None = None, sets: Sequence[str] = (), **columns: Any
) -> Evaluation:
    """Scores of a run or bundle on labelled rows, through the path of training; without `data`, on the run's own test split."""
    from zhuji.tools.evaluate import evaluate as work

    return work(model, data, seed=seed, sets=sets, columns=columns_of(columns))


def predict(
    model: str | Path,
    sources: Iterable[Any],
    ledger: Ledger | None = None,
    *,
    draw: str | Path | None = None,
    seed: int | None = None,
    sets: Sequence[str] = (),
    **columns: Any,
) -> Iterator[Answered]:
    """Answers row by row: a `Path` among `sources` is a file of rows, a string one text, another iterable many texts. What has no
    answer is dropped in `ledger`. `draw`: a folder, new or empty, for copies of the pictures with their answers drawn on them. Nothing is
    left to chance, so `seed` changes nothing."""
    from zhuji.data.ledger import Ledger
    from zhuji.tools.predict import predict as work
    from zhuji.training import threads

    threads.use(None)
    return work(
        load(model).predictor, sources, Ledger() if ledger is None else ledger, sets=sets, columns=columns_of(columns),
        draw=None if draw is None else Path(draw),
    )  # fmt: skip


def check(
    data: str | Path, *, page: str | Path | None = None, seed: int = 0, sets: Sequence[str] = (), **columns: Any
) -> Checkup:
    """Look at data before training, and write a page about it (`check-NAME.html` in this folder by default)."""
    from zhuji.tools.check import check as work

    return work(str(data), page=page, seed=seed, sets=sets, columns=columns_of(columns))


def report(run: str | Path, *, seed: int = 0, sets: Sequence[str] = ()) -> Report:
    """Write `report.html` and its pictures into a run's folder; of a folder that holds runs, one page that compares them."""
    from zhuji.tools.report import write_report

    return write_report(Path(run), seed=seed, sets=sets)


def compare(a: str | Path, b: str | Path, *, seed: int = 0, sets: Sequence[str] = ()) -> Comparison:
    """Whether two runs really differ, on the rows that both were tested on."""
    from zhuji.tools.compare import compare as work

    return work(a, b, seed=seed, sets=sets)


def doctor(*, seed: int = 0, sets: Sequence[str] = ()) -> dict[str, Any]:
    """What this machine has for training. `seed` draws the matrices of the precision probe."""
    from zhuji.tools.doctor import doctor as work

    return work(seed=seed, sets=sets)


def schema(*, seed: int = 0, sets: Sequence[str] = ()) -> dict[str, Any]:
    """The JSON schema of a run file; `seed` and `sets` become defaults in it."""
    from zhuji.tools.schema import schema as work

    return work(overlay({"seed": seed}, assignments(sets)))


def recipes() -> list[Recipe]:
    """All named runs."""
    from zhuji import recipes as library

    return [library.read(name) for name in library.names()]


def recipe_text(name: str, *, seed: int = 0, sets: Sequence[str] = ()) -> tuple[str, dict[str, Any]]:
    """A recipe as YAML and as settings; with `seed` or `sets` laid on it."""
    from zhuji import recipes as library

    found = library.read(name)
    changes = overlay({"seed": seed} if seed else {}, assignments(sets))
    if not changes:
        return found.text, found.settings
    settings = overlay(found.settings, changes)
    return write_yaml(settings), settings


def next_commands(run: Path) -> list[str]:
    """What one does next with a finished run, as commands."""
    from zhuji.core.files import read_json
    from zhuji.tools.pages.commands import next_commands as work

    return work(run, read_json(run / "results.json"))

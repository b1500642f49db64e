"""Foundations from Python: tokenizers, corpora and pretraining."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zhuji.core.config import overlay

if TYPE_CHECKING:
    from zhuji.modalities.text import Text
    from zhuji.tools.corpus import CorpusReport, TokenizerReport
    from zhuji.training.pretraining import Pretraining

RUNS = Path("runs")
DEFAULT_RECIPE = "bert-mini"
Corpora = str | Path | Sequence[str | Path]


@dataclass(frozen=True)
class Foundation:
    """What a pretraining came to; `facts` is its `results.json`. `valid`: scores on the held-out documents."""

    run: Path
    facts: Mapping[str, Any]
    report: Path

    @classmethod
    def of(cls, folder: Path, facts: Mapping[str, Any]) -> Foundation:
        """From a run's folder and its `results.json`; writes its report."""
        from zhuji.tools.report import write_report

        return cls(folder, facts, write_report(folder).page)

    @property
    def bundle(self) -> Path:
        return self.run / "bundle"

    @property
    def valid(self) -> Mapping[str, Mapping[str, float | None]]:
        return self.facts["valid"]

    def as_dict(self) -> dict[str, Any]:
        """What `zhuji pretrain --json` prints."""
        return {**self.facts, "report": str(self.report)}


def pretrain(
    corpus: Corpora,
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

    `corpus`: files, folders, or one corpus that `zhuji corpus` built; `objective`: one of `recipes.OBJECTIVES`; `model`: a recipe for
    pretraining or a YAML file; `start`: a model to go on from, with its own objective where none is named; `tokenizer`: what
    `zhuji tokenizer` made; `text`: columns of tables; `without`: files, or `FILE:SPLIT`, whose texts must not be in the corpus.

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
    return Foundation.of(done.run, done.facts)


def planned(
    corpus: Corpora,
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
    from zhuji.training.pretraining import compose

    base = recipe_layer(model, DEFAULT_RECIPE, "pretrain", start)
    options: dict[str, Any] = {
        "corpus": {"sources": _sources(corpus, text), "exclude": [_excluded(str(given)) for given in without]}
    }
    options |= {key: value for key, value in {"name": name, "seed": seed}.items() if value is not None}
    options |= {} if epochs is None else {"train": {"epochs": epochs}}
    options |= {} if tokenizer is None else {"tokenizer": str(tokenizer)}
    if start is not None:
        own = objective is None and model is None and _is_foundation(start)
        options["start"] = {"path": str(start), "head": "kept" if own else "fresh"}
        options |= {"task": {"name": "auto"}} if own else {}
    if objective is not None:
        options["task"] = {"name": _task(objective)}
    run = compose(base, options, sets=sets)
    if run.name == "pretrain":
        first = Path(run.corpus.sources[0].path).name.split(".")[0] or "corpus"
        run = run.model_copy(update={"name": f"{first}-{run.recipe or run.backbone.get('name', 'model')}"})
    return run


def _is_foundation(model: str | Path) -> bool:
    """Has the model an objective of pretraining, with which it can go on? Raises what opening it raises."""
    from zhuji.recipes import OBJECTIVES
    from zhuji.training.transfer import open_model

    return open_model(str(model)).model.task.name() in OBJECTIVES.values()


def tokenizer(
    corpus: Corpora,
    to: str | Path,
    *,
    model: str | None = None,
    vocab_size: int | None = None,
    text: str | Sequence[str] = (),
    without: Sequence[str | Path] = (),
    seed: int | None = None,
    sets: Sequence[str] = (),
) -> TokenizerReport:
    """Train the tokenizer of a recipe on texts and save it as the folder `to`. Raises CorpusExists, EmptyData, and what reading raises."""
    from zhuji.tools.corpus import tokenizer as work

    run = planned(corpus, model=model, text=text, without=without, seed=seed, sets=sets)
    return work(run.corpus, Path(to), _text(run, vocab_size), seed=run.seed)


def corpus(
    texts: Corpora,
    to: str | Path,
    *,
    model: str | None = None,
    tokenizer: str | Path | None = None,
    text: str | Sequence[str] = (),
    without: Sequence[str | Path] = (),
    seed: int | None = None,
    sets: Sequence[str] = (),
) -> CorpusReport:
    """Clean texts and write them as a corpus in units of one tokenizer, to be pretrained on again and again or taken elsewhere.

    Raises CorpusExists, TooFewRows, and what reading raises."""
    from zhuji.tools.corpus import corpus as work

    run = planned(texts, model=model, tokenizer=tokenizer, text=text, without=without, seed=seed, sets=sets)
    return work(run.corpus, Path(to), _text(run), seed=run.seed)


def _text(run: Pretraining, vocab_size: int | None = None) -> Text:
    """The text modality of a pretraining, with what its tokenizer learned if it names one."""
    from zhuji.core import lookup
    from zhuji.core.contracts import Modality
    from zhuji.modalities.text import Text
    from zhuji.training.corpora import read_modality

    size = {} if vocab_size is None else {"vocab_size": vocab_size}
    found = lookup.build(Modality, {**run.modality, **size}) if run.tokenizer is None else read_modality(Path(run.tokenizer))
    if not isinstance(found, Text):
        raise _not_text(found.name())
    return found


def _not_text(name: str) -> Exception:
    from zhuji.core.errors import BadSetting
    from zhuji.core.log import in_language

    rule = in_language("must be text: other modalities need no tokenizer", "必须是文本：其他模态不需要分词器")
    return BadSetting(key="modality.name", rule=rule, value=name)


def recipe_layer(model: str | None, default: str, verb: str, start: str | Path | None) -> dict[str, Any]:
    """The settings of a recipe. Where a model is started from, that model's shape and tokenizer count: the recipe then says only what is
    learned, and how. Raises what `recipes.layer` raises."""
    from zhuji import recipes
    from zhuji.core.log import in_language, say

    base = recipes.layer(model or default, verb)
    shape = {"modality", "backbone"} & base.keys()
    if start is None or not shape:
        return base
    if model is not None:
        say(in_language(f"Tokenizer and backbone are those of {start}; of '{model}' only its task and training count.",
                        f"分词器与骨干网络取自 {start}；「{model}」只提供任务与训练设置。"))  # fmt: skip
    return {key: value for key, value in base.items() if key not in shape}


def _task(objective: str) -> str:
    """Raises UnknownName."""
    from zhuji.core.errors import UnknownName
    from zhuji.core.log import in_language
    from zhuji.recipes import OBJECTIVES

    if objective not in OBJECTIVES:
        raise UnknownName(kind=in_language("objective", "目标"), name=objective, choices=", ".join(OBJECTIVES))
    return OBJECTIVES[objective]


def _sources(corpus: Corpora, text: str | Sequence[str]) -> list[dict[str, Any]]:
    paths = [corpus] if isinstance(corpus, str | Path) else list(corpus)
    columns = (text,) if isinstance(text, str) else tuple(text)
    return [overlay({"path": str(path)}, {"columns": columns} if columns else {}) for path in paths]


def _excluded(given: str) -> dict[str, Any]:
    """`FILE` or `FILE:SPLIT`."""
    path, colon, split = given.rpartition(":")
    if not colon or Path(given).exists():
        return {"path": given}
    return {"path": path, "split": split}

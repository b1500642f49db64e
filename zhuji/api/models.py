"""What one does with a pretrained model, from Python: write, foresee, probe, embed, search, convert.

A model is a run, a bundle, a Hugging Face folder, or `hf:NAME`, which alone speaks to the network.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from zhuji.api._columns import columns_of
from zhuji.core.config import assignments, overlay
from zhuji.core.errors import BadSetting
from zhuji.core.log import in_language

if TYPE_CHECKING:
    from zhuji.data.ledger import Ledger
    from zhuji.model.generate import GenerateSettings
    from zhuji.model.predictor import Predictor
    from zhuji.tools.benchmark import Benchmark
    from zhuji.tools.chat import Conversation
    from zhuji.tools.convert import Conversion
    from zhuji.tools.embed import Embedded
    from zhuji.tools.explain import ExplainedRow
    from zhuji.tools.export import Exported
    from zhuji.tools.generate import Written
    from zhuji.tools.nearest import Built, Hit, Retrieval
    from zhuji.tools.perplexity import Foreseen
    from zhuji.tools.probe import Probed


def generate(
    model: str | Path, prompts: str | Iterable[str], *, seed: int = 0, sets: Sequence[str] = (), **options: Any
) -> Written:
    """How a model goes on with each prompt. `options` are those of `GenerateSettings` (`how`, `temperature`, `top_k`, `stop`, …); `sets`
    lays `generate.KEY=VALUE` on them.

    Raises ImpossiblePair for a model that does not write, BadSetting, MissingExtra, and what opening raises."""
    from zhuji.tools.generate import generate as work

    settings = _how(options, seed, sets)
    return work(_opened(model), [prompts] if isinstance(prompts, str) else list(prompts), settings)


def stream(model: str | Path, prompt: str, *, seed: int = 0, sets: Sequence[str] = (), **options: Any) -> Iterator[str]:
    """What follows one prompt, piece by piece as it is written. Takes and raises what `generate` does; a beam search cannot stream."""
    from zhuji.tools.generate import stream as work

    settings = _how(options, seed, sets)
    return work(_opened(model), prompt, settings)


def chat(
    model: str | Path, *, system: str | None = None, seed: int = 0, sets: Sequence[str] = (), **options: Any
) -> Conversation:
    """A conversation with a model that has a chat format: `"".join(conversation.say("Hello!"))`. `system`: what it is told first; `options` and
    `sets` as of `generate`.

    Raises ImpossiblePair for a model that cannot be talked with, BadSetting, MissingExtra, and what opening raises."""
    from zhuji.data.chat import Message
    from zhuji.tools.chat import Conversation

    told = [] if system is None else [Message("system", system)]
    return Conversation(_opened(model), _how(options, seed, sets), told)


def _how(options: Mapping[str, Any], seed: int, sets: Sequence[str]) -> GenerateSettings:
    from zhuji.model.generate import GenerateSettings

    given = {key: value for key, value in options.items() if value is not None}
    if isinstance(given.get("json_schema"), Mapping):
        given["json_schema"] = json.dumps(given["json_schema"])
    if isinstance(given.get("stop"), str):
        given["stop"] = (given["stop"],)
    if "beams" in given:
        given.setdefault("how", "beam")
    return GenerateSettings.parse(overlay({"seed": seed, **given}, assignments(sets).get("generate", {})), "generate")


def _opened(model: str | Path) -> Predictor:
    from zhuji.training import threads
    from zhuji.training.transfer import open_model

    threads.use(None)
    return open_model(str(model))


def explain(
    model: str | Path,
    inputs: Any,
    ledger: Ledger | None = None,
    *,
    about: str | None = None,
    draw: str | Path | None = None,
    seed: int = 0,
    sets: Sequence[str] = (),
    **columns: Any,
) -> Iterator[ExplainedRow]:
    """Which parts of each input speak for its answer, row by row. `inputs`: one text, a `Path` to a picture or a file of rows, or an iterable of both;
    `about`: a class, of tags a word, of objects a number, in place of what was answered. `draw`: a folder, new or empty, for copies of the pictures
    with what speaks for the answer laid over them. Rows that cannot be read are dropped in `ledger`. Nothing is left to chance, so `seed`
    changes nothing.

    Raises CannotExplain for a model that answers neither classes, nor a number, nor tags, nor objects; UnknownName; NotEmpty; what opening and
    reading raise."""
    from zhuji.data.ledger import Ledger
    from zhuji.tools.explain import explain as work

    sources = [inputs] if isinstance(inputs, str | Path) else inputs
    return work(
        _opened(model), sources, Ledger() if ledger is None else ledger, about, sets=sets, columns=columns_of(columns),
        draw=None if draw is None else Path(draw),
    )  # fmt: skip


def perplexity(
    model: str | Path,
    data: str | Path,
    ledger: Ledger | None = None,
    *,
    text: str | Sequence[str] = (),
    window: int | None = None,
    stride: int | None = None,
    seed: int = 0,
    sets: Sequence[str] = (),
) -> Foreseen:
    """How well a model foresees the texts of a file or folder. `text`: columns of a table; `sets` lays `texts.KEY=VALUE` on how the file
    is read. Nothing is left to chance, so `seed` changes nothing.

    Raises ImpossiblePair for a model that does not predict the next unit, BadSetting, and what opening and reading raise."""
    from zhuji.data.corpus.settings import TextsSettings
    from zhuji.data.ledger import Ledger
    from zhuji.tools.perplexity import perplexity_of as work

    columns = (text,) if isinstance(text, str) else tuple(text)
    given = {"path": str(data), **({"columns": columns} if columns else {})}
    settings = TextsSettings.parse(overlay(given, assignments(sets).get("texts", {})), "texts")
    return work(_opened(model), settings, Ledger() if ledger is None else ledger, window=window, stride=stride)


def probe(model: str | Path, data: str | Path, *, seed: int = 0, sets: Sequence[str] = (), **columns: Any) -> Probed:
    """What a model's encoder knows about labelled rows without learning on: a linear probe and nearest neighbours, beside models of
    counted words. Raises what opening and reading raise, and BadSetting for rows of tags or texts."""
    from zhuji.tools.probe import probe as work

    return work(model, data, seed=seed, sets=sets, columns=columns_of(columns))


def embed(model: str | Path, data: str | Path, to: str | Path, *, sets: Sequence[str] = (), **columns: Any) -> Embedded:
    """Write the vector of every row of `data` to `to` (.npy, .jsonl or .parquet). Raises BadSetting, MissingExtra, and what opening and
    reading raise."""
    from zhuji.tools.embed import embed as work

    return work(model, data, to, sets=sets, columns=columns_of(columns))


def index(model: str | Path, data: str | Path, to: str | Path, *, sets: Sequence[str] = (), **columns: Any) -> Built:
    """Write the vectors of a file's rows as an index that `nearest` searches. Raises RunExists, MissingExtra, and what opening and reading
    raise."""
    from zhuji.tools.nearest import index as work

    return work(model, data, to, sets=sets, columns=columns_of(columns))


def nearest(
    folder: str | Path,
    questions: str | Iterable[str],
    k: int = 5,
    *,
    model: str | Path | None = None,
    exact: bool = False,
    sets: Sequence[str] = (),
) -> list[list[Hit]]:
    """The k rows of an index that are nearest to each question, best first. `model`: where the index's own has moved to; `exact`: compare
    all rows even where there is a graph; there is nothing to set. Raises WrongModel, BadSetting, and what opening raises."""
    from zhuji.tools.nearest import nearest as work

    _nothing_to_set(sets)
    asked = [questions] if isinstance(questions, str) else questions
    return work(folder, asked, k, predictor=None if model is None else _opened(model), exact=exact)


def retrieval(
    folder: str | Path,
    data: str | Path,
    k: int = 10,
    *,
    by: Literal["label", "id"] = "label",
    model: str | Path | None = None,
    seed: int = 0,
    sets: Sequence[str] = (),
    **columns: Any,
) -> Retrieval:
    """How well an index answers the rows of `data`: relevant are indexed rows with a row's label, or, `by` id, those that its label names.
    Raises what `nearest` and reading raise."""
    from zhuji.tools.nearest import evaluate as work

    opened = None if model is None else _opened(model)
    return work(folder, data, k, by=by, seed=seed, predictor=opened, sets=sets, columns=columns_of(columns))


def convert(source: str | Path, target: str | Path, *, sets: Sequence[str] = ()) -> Conversion:
    """A Hugging Face folder as a bundle, or a run or bundle as a Hugging Face folder. `sets` may lay `task.chat=NAME`, or a description, on a
    model that writes: how it is talked with. Raises RunExists, UnreadableModel, UnwritableModel, ImpossiblePair, BadSetting, and what opening
    raises."""
    from zhuji.tasks.next_unit import NextUnit
    from zhuji.tools.convert import convert as work

    asked = assignments(sets)
    chat = asked.get("task", {}).get("chat") if set(asked) <= {"task"} else None
    if asked and asked != {"task": {"chat": chat}}:
        rule = in_language("must be task.chat=…: nothing else is set here", "须为 task.chat=…：此处没有其他可设置的内容")
        raise BadSetting(key="--set", rule=rule, value=" ".join(sets))
    return work(source, target, NextUnit.parse({"chat": chat}, "task").chat)


def export(model: str | Path, to: str | Sequence[str], out: str | Path | None = None, *, sets: Sequence[str] = ()) -> Exported:
    """Write a run, bundle or Hugging Face folder as `to`, one format or several, each a folder in `out` (default: RUN/export). `sets` lays
    `export.gap=…` on how far a quantised format's scores may be off. Every format answers the golden rows as the model does, or nothing
    appears under its name.

    Raises AnswersDiffer, CannotExport, UnwritableModel, MissingExtra, RunExists, UnknownName, BadSetting, and what opening raises."""
    from zhuji.tools.export import export as work

    return work(model, [to] if isinstance(to, str) else to, out, sets=sets)


def benchmark(
    model: str | Path,
    data: str | Path | None = None,
    *,
    to: str | Sequence[str] = (),
    seed: int = 0,
    sets: Sequence[str] = (),
    **columns: Any,
) -> Benchmark:
    """What a run or bundle costs on this machine in each format of `to`, by default in all that can hold it. Inputs and labels are those of
    `data`, or of a run's own test split. `sets` lays `benchmark.rounds=…` and the like on how long is measured; `seed` draws the bootstrap.
    Raises UnknownName, and what opening and reading raise; of formats that were named, also why they cannot hold the model."""
    from zhuji.tools.benchmark import benchmark as work

    return work(model, data, to=[to] if isinstance(to, str) else to, seed=seed, sets=sets, columns=columns_of(columns))


def _nothing_to_set(sets: Sequence[str]) -> None:
    """Raises BadSetting."""
    if sets:
        rule = in_language("must be left out: there is nothing to set here", "须省略：此处没有可设置的内容")
        raise BadSetting(key="--set", rule=rule, value=sets[0])

"""Translation on Multi30k and on English-Chinese pairs: a small transformer, an LSTM with attention of equal size, a dictionary.

    python benchmarks/translation.py --pairs en-de.csv en-fr.csv --work FOLDER --models transformer lstm
    python benchmarks/translation.py --pairs en-zh.csv.gz --work FOLDER --models transformer lstm --group origin --hold-out NAME --name translation_zh

Every run is an ordinary `zhuji train PAIRS --model transformer-mt` in a folder of `--work`; one that was begun there goes on, one that is
finished is only read. What a run came to is kept in `results/<name>.json` with its date, machine and command, and the page beside it is
written from all that is kept: the models may be trained on different days.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

from machine import RESULTS, machine, record, table

from zhuji.model.bundle import open_bundle

MODELS = {
    "transformer": (),
    "lstm": (
        "backbone={name: recurrent, cell: lstm, width: 128, hidden: 152, layers: 2, directions: 2, dropout: 0.15}",
        "task={name: translate, decoder: lstm, layers: 2, dropout: 0.15, label_smoothing: 0.1, beams: 5}",
        "train.optim.name=adamw",
        "train.optim.lr=0.006",
    ),
}
"""What each sets on top of the recipe; the second has about as many numbers as the first."""
SHOWN = 3
"""Samples of a test set."""
PUBLISHED = {
    "en-de.csv": "Published, text only, at this size: 41.02 BLEU on test_2016_flickr (Transformer-Tiny of Wu et al. 2021, Good for Misconceived "
    "Reasons; README-baseline.md of github.com/LividWo/Revisit-MMT: beam 5, mean of the last ten checkpoints, fairseq's own BLEU over "
    "tokenised words, 12,103 in the references). Ours is sacrebleu's over the plain texts, cased, one checkpoint: a part of the difference.",
}
"""What others report, by the name of the file, and how their count differs."""
SCORES = ("bleu", "chrf", "empty", "copied")

Facts = dict[str, Any]


def trained(pairs: Path, folder: Path, options: list[str]) -> Facts:
    """`results.json` of a run, which is trained to its end if it is not finished."""
    if not (folder / "results.json").exists():
        words = ["resume", str(folder)]
        if not (folder / "start.json").exists():
            words = ["train", str(pairs), "--model", "transformer-mt", "--run-dir", str(folder), *options]
        subprocess.run([sys.executable, "-m", "zhuji", *words], check=True)
    return json.loads((folder / "results.json").read_text(encoding="utf-8"))


def kept(facts: Facts, pairs: Path, folder: Path, options: list[str], held: str | None) -> Facts:
    """What the page needs of a run."""

    def named(sets: Facts) -> Facts:
        """The held-out group is the test split: once is enough."""
        shown = {f"{held}, held out" if name == "test" and held else name: sets[name] for name in sets if name != held}
        return {name: {key: of[key] for key in ("rows", *SCORES) if key in of} for name, of in shown.items()}

    model = named({"test": facts["test"], **facts["more_tests"], **facts["by_group"]})
    rivals: dict[str, Facts] = {}
    for name, on in {"test": facts["baselines"], **facts["more_baselines"], **facts["group_baselines"]}.items():
        for rival, scores in on.items():
            rivals.setdefault(rival, {})[name] = scores
    words = ["zhuji", "train", pairs.name, "--model", "transformer-mt", *options]
    return {
        "command": shlex.join(words), "machine": machine(), "parameters": facts["model"]["parameters"], "seconds": facts["seconds"],
        "sets": model, "rivals": {name: named(of) for name, of in rivals.items()}, "notes": facts["notes"],
        "leaks": {key: facts["leaks"][key] for key in ("rows", "moved")}, "samples": samples(pairs, folder),
    }  # fmt: skip


def samples(pairs: Path, folder: Path) -> list[dict[str, str]]:
    """The first rows of each test set, of each origin if that is a column: input, the published translation, ours."""
    with open(folder / "splits.jsonl", encoding="utf-8") as file:
        split = {place["row"]: place["split"] for place in map(json.loads, file)}
    with (gzip.open if pairs.suffix == ".gz" else open)(pairs, "rt", encoding="utf-8", newline="") as file:
        rows = [(split.get(number, ""), row) for number, row in enumerate(csv.DictReader(file), 1)]
    chosen: dict[str, list[dict[str, str]]] = {}
    for part, row in rows:
        some = chosen.setdefault(row.get("origin", part), [])
        if part.startswith("test") and len(some) < SHOWN:
            some.append(row)
    found = [(name, row) for name, some in chosen.items() for row in some]
    answers = open_bundle(folder / "bundle").predict([row["source"] for _, row in found])
    return [
        {"set": name, "input": row["source"], "published": row["target"], "ours": str(answer.answer)}
        for (name, row), answer in zip(found, answers, strict=True)
    ]


def scored(name: str, sets: Facts, parameters: str, hours: str) -> list[list[object]]:
    """One line of the table a test set."""

    def interval(score: dict[str, float]) -> str:
        return f"{score['value']:.2f} [{score['low']:.2f}, {score['high']:.2f}]"

    return [
        [name, part, of.get("rows", ""), interval(of["bleu"]), interval(of["chrf"]), f"{of['empty']['value']:.3f}",
         f"{of['copied']['value']:.3f}", parameters, hours]
        for part, of in sets.items()
    ]  # fmt: skip


def section(name: str, runs: dict[str, Facts]) -> str:
    """Everything about one file of pairs."""
    lines = [
        line
        for model, run in runs.items()
        for line in scored(model, run["sets"], f"{run['parameters'] / 1e6:.2f} M", f"{run['seconds'] / 3600:.2f}")
    ]
    rivals: dict[str, Facts] = {}
    for run in runs.values():
        for rival, sets in run["rivals"].items():
            rivals.setdefault(rival, {}).update(sets)
    lines += [line for rival, sets in rivals.items() for line in scored(f"{rival} (baseline)", sets, "-", "-")]
    head = ["model", "test set", "rows", "BLEU", "chrF", "empty", "copied", "parameters", "hours"]
    about = [f"- {model}: {run['machine']}\n  - `{run['command']}`" for model, run in runs.items()]
    shown = [
        f"- {first['set']}: {first['input']}\n  - published: {first['published']}"
        + "".join(
            f"\n  - {model}: {same['ours']}" for model, run in runs.items() for same in run["samples"] if alike(same, first)
        )
        for first in next(iter(runs.values()))["samples"]
    ]
    parts = [f"## {name}", table(head, lines), PUBLISHED.get(name, ""), "\n".join(about), "\n".join(shown)]
    return "\n\n".join(part for part in parts if part)


def alike(sample: dict[str, str], other: dict[str, str]) -> bool:
    return (sample["set"], sample["input"]) == (other["set"], other["input"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=Path, nargs="+", required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=["transformer"])
    parser.add_argument("--group")
    parser.add_argument("--hold-out")
    parser.add_argument("--name", default="translation", help="of the files in results/")
    parser.add_argument("--set", action="append", default=[], dest="sets")
    asked = parser.parse_args()
    place = RESULTS / f"{asked.name}.json"
    runs: dict[str, dict[str, Facts]] = json.loads(place.read_text(encoding="utf-8")) if place.exists() else {}
    common = ["--group", asked.group] if asked.group else []
    for pairs in asked.pairs:
        for model in asked.models:
            held = [f"data.splits.hold_out=[{asked.hold_out}]"] if asked.hold_out else []
            options = common + [word for pair in (*held, *asked.sets, *MODELS[model]) for word in ("--set", pair)]
            folder = asked.work / f"{pairs.name.split('.')[0]}-{model}"
            facts = trained(pairs, folder, options)
            runs.setdefault(pairs.name, {})[model] = kept(facts, pairs, folder, options, asked.hold_out)
            place.write_text(json.dumps(runs, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    notes = {key: text for of in runs.values() for run in of.values() for key, text in run["notes"].items()}
    body = [section(name, {model: of[model] for model in MODELS if model in of}) for name, of in runs.items()]
    body.append("\n".join(f"- {name}: `{signature}`" for name, signature in notes.items()))
    body.append(
        "Hours are from the wall clock, with validation, on machines with other work. Rows moved by the leak gate are not in the test sets."
    )
    given = [
        *common,
        *(["--hold-out", asked.hold_out] if asked.hold_out else []),
        *(word for pair in asked.sets for word in ("--set", pair)),
    ]
    words = ["--pairs", *runs, "--work", "FOLDER", "--models", *MODELS, *given, "--name", asked.name]
    record(asked.name, "Translation", "\n\n".join(body), shlex.join(["python", "benchmarks/translation.py", *words]))


if __name__ == "__main__":
    main()

"""Speech to text that learns from a voice of our own as well: the recogniser `recognise`, taught by sentences that `speak` says, beside the one that heard
recordings alone and beside PocketSphinx.

    python benchmarks/recognition_said.py --data prompts_en --work FOLDER --plain RUN --language RUN --voice RUN --vocoder RUN --text FILES

Voice, vocoder and recogniser know the training recordings alone, and no sentence that is said stands in validation or test. The words of so few transcripts
are few; a voice says any (Laptev et al. 2020, You Do Not Need More Data, section 3). First what was said and the recordings are learned together, then, from
there, the recordings alone. `--plain` and `--language`: runs that `benchmarks/recognition.py` made of the same transcripts. The weight of the language model is
chosen on the validation sentences, and what is finished in --work is not done again.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import recognition as plain
from machine import record, table

import zhuji
from zhuji.core.unreadable import Unsayable
from zhuji.metrics import transcription
from zhuji.metrics.intervals import paired_bootstrap
from zhuji.model.speak import readable

WORDS = (2, 12)
"""Of a sentence that is said, least and most."""
ALWAYS = ("train.threads=1", "train.rehearse=false", "evaluate.baselines=false")


def to_say(asked: argparse.Namespace, rows: plain.Rows) -> list[str]:
    """Sentences of texts, none of which is one of the data set's."""
    known = {row["transcript"] for row in rows}
    fitting = [
        one
        for one in plain.sentences(asked.texts)
        if WORDS[0] <= len(one.split()) <= WORDS[1] and re.fullmatch(r"[a-z ]+", one) and one not in known
    ]
    return random.Random(1).sample(fitting, asked.count)


def sayable(voice: Path, texts: list[str]) -> list[str]:
    """Those of which the voice met all signs: a letter by itself may have a phoneme of its own."""
    predictor, kept = zhuji.load(voice).predictor, list[str]()
    for text in texts:
        try:
            readable(predictor, text)
        except Unsayable as refused:
            print(f"not said: {text!r} ({refused})")
        else:
            kept.append(text)
    return kept


def said(asked: argparse.Namespace, rows: plain.Rows) -> Path:
    """Recordings and what the voice says as one data set; validation and test hold recordings alone."""
    place, spoken = asked.work / "said-and-recorded", asked.work / "said"
    if place.exists():
        return place
    lines = asked.work / "to_say.txt"
    lines.write_text("\n".join(sayable(asked.voice, to_say(asked, rows))) + "\n", encoding="utf-8")
    if not spoken.exists():
        words = ["speak", str(asked.voice), "--file", str(lines), "--out", str(spoken), "--vocoder", str(asked.vocoder)]
        subprocess.run([sys.executable, "-m", "zhuji", *words], check=True)
    plain.folder_of(rows, asked.data, place)
    told = json.loads((spoken / "spoken.json").read_text(encoding="utf-8"))["files"]
    with open(place / "metadata.csv", "a", encoding="utf-8", newline="") as file:
        for one in told:
            (place / "clips" / one["file"]).hardlink_to(spoken / one["file"])
            file.write(f"clips/{one['file']},{one['text']},train\n")
    return place


def trained(asked: argparse.Namespace, rows: plain.Rows) -> tuple[Path, float]:
    """The last run, and CPU seconds of both trainings."""
    common = [word for pair in (*ALWAYS, *asked.sets) for word in ("--set", pair)]
    first, last = asked.work / "first", asked.work / "last"
    whole = said(asked, rows)
    spent = plain.zhuji_run(
        first, ["train", str(whole), "--model", "recognise", "--set", f"train.epochs={asked.epochs}", *common]
    )
    alone = plain.folder_of(rows, asked.data, asked.work / "recorded")
    further = ["start.head=kept", f"train.epochs={asked.further}", "train.optim.lr=0.003"]
    more = [word for pair in further for word in ("--set", pair)]
    spent += plain.zhuji_run(last, ["train", str(alone), "--model", "recognise", "--from", str(first), *more, *common])
    return last, spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("data", "work", "plain", "language", "voice", "vocoder"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--text", dest="texts", type=Path, nargs="+", required=True, metavar="FILE")
    parser.add_argument("--count", type=int, default=1500, help="sentences that are said")
    parser.add_argument("--epochs", type=int, default=24, help="over what was said and the recordings")
    parser.add_argument("--further", type=int, default=24, help="over the recordings alone")
    parser.add_argument("--set", dest="sets", action="append", default=[], metavar="KEY=VALUE")
    asked = parser.parse_args()
    asked.work.mkdir(parents=True, exist_ok=True)
    rows = plain.read(asked.data)
    valid, test = ([row for row in rows if row["split"] == split] for split in ("valid", "test"))
    run, spent = trained(asked, rows)
    answers, factor = plain.by_sphinx(asked.data, test)
    sphinx = f"PocketSphinx {version('pocketsphinx')}, its own model"
    found: dict[str, Any] = {sphinx: {**plain.scored(answers, test), "minutes": "–", "factor": factor}}
    for name, one, minutes in (
        ("recordings alone", asked.plain, "see recognition.md"),
        ("and what a voice says", run, f"{spent / 60:.1f}"),
    ):
        weight = plain.chosen_weight(one, asked.data, valid, asked.language)
        for way, how in (("greedy", []), (f"language model × {weight}", plain.seeking(asked.language, weight))):
            answers, factor = plain.heard(one, asked.data, test, how)
            found[f"{name}, {way}"] = {**plain.scored(answers, test), "minutes": minutes, "factor": factor}
    lines: list[list[object]] = [
        [name, plain.interval(of["wer"]), plain.interval(of["cer"]), of["minutes"], f"{of['factor']:.3f}"]
        for name, of in found.items()
    ]
    best = list(found)[-1]
    gaps: list[list[object]] = [
        [
            f"{best} against {name}",
            *(
                plain.interval(paired_bootstrap(metric, of["columns"], found[best]["columns"]).difference)
                for metric in (transcription.wer, transcription.cer)
            ),
        ]
        for name, of in found.items()
        if name != best
    ]
    body = "\n\n".join([
        table(["recogniser", "WER %", "CER %", "CPU minutes of training", "seconds of work a second of sound"], lines),
        table(["points fewer wrong", "WER", "CER"], gaps),
        f"{len(test)} test sentences; {asked.count} sentences said, {asked.epochs} epochs over both, {asked.further} over the recordings alone. "
        f"{plain.BEAMS} beams with the language model, one of each without; 95 % intervals from resampled sentences. The minutes are those of this recogniser "
        "alone, without those of voice, vocoder and language model.",
    ])  # fmt: skip
    told = "--data prompts_en --work FOLDER --plain RUN --language RUN --voice RUN --vocoder RUN --text FILES"
    command = (
        f"python benchmarks/recognition_said.py {told} --count {asked.count} --epochs {asked.epochs} --further {asked.further}"
    )
    record("recognition_said", "Speech to text, taught by a voice as well", body, command)


if __name__ == "__main__":
    main()

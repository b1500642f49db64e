"""Speech to text of Mandarin: the recipe `recognise` on single syllables written in zhuyin, by initial, final and tone, beside three support vector machines
on cepstra and beside the commonest of each; with one of two voices held out; and rows of one to five syllables.

    python benchmarks/recognition_mandarin.py --data mandarin_syllables --work FOLDER

The data are a folder with `metadata.csv` (file_name, transcript, speaker, split) of single syllables by two voices, the first tone without a mark; no syllable
with its tone stands in two splits, so that none of the test was heard by training, by either voice. Where a voice is held out neither it nor the syllable
was. The machines read what `zhuji.training.summaries` tells of a sound, one for initials, one for finals, one for tones, C and gamma chosen on the
validation rows. A row of several syllables is made of recordings of one voice and one split, shuffled by a named stream, each of them once, with GAP
seconds of silence behind each and blanks between their texts: nobody said them in one breath. The run that learns such rows as well begins with the encoder of
the one that learned single syllables. Intervals are 95 %, from resampled syllables (both voices of one
are drawn together), or from resampled rows where these have several. Answers are greedy. What is finished in --work is not trained again.
"""

from __future__ import annotations

import argparse
import csv
import re
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import cycle, product
from pathlib import Path
from typing import Any

import numpy as np
import recognition as plain
from machine import record, table
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from zhuji.core.contracts import Columns
from zhuji.core.records import Sound
from zhuji.core.seed import stream
from zhuji.data import sounds
from zhuji.metrics import transcription
from zhuji.metrics.intervals import bootstrap, paired_bootstrap
from zhuji.metrics.units import ratio_of
from zhuji.training.summaries import summaries

ALWAYS = ("train.threads=1", "train.rehearse=false", "train.precision=bf16", "data.leaks=allow")
PARTS = ("initial", "final", "tone")
KERNELS: list[dict[str, Any]] = [
    {"C": c, "gamma": gamma} for c, gamma in product((1.0, 10.0, 100.0), (0.001, 0.003, 0.01, 0.03))
]
RATE, GAP = 16_000, 0.1
LENGTHS = (2, 3, 4, 5)
"""Syllables of the rows that are joined, in turn."""
TONES = {"": "1", "ˊ": "2", "ˇ": "3", "ˋ": "4", "˙": "5"}
wrong = {name: ratio_of(name, "rows", higher_is_better=False) for name in PARTS}
Rows = plain.Rows
Way = Callable[[Rows], list[str]]


def parts(syllable: str) -> tuple[str, ...]:
    """Initial, final and tone mark; what an answer has too much of counts as its final."""
    found = re.fullmatch("([ㄅ-ㄙ]?)(.*?)([ˊˇˋ˙]?)", syllable)
    assert found is not None
    return found.groups()


def of(rows: Rows, split: str, speaker: str | None = None) -> Rows:
    return [row for row in rows if row["split"] == split and speaker in (None, row["speaker"])]


def judged(answers: Sequence[str], rows: Rows) -> Columns:
    """Columns by syllable, summed over the voices that say it."""
    said = [row["transcript"] for row in rows]
    columns = {**transcription.judged(answers, said), "rows": np.ones(len(rows), np.int64)}
    for place, name in enumerate(PARTS):
        columns[name] = np.array([parts(a)[place] != parts(b)[place] for a, b in zip(answers, said, strict=True)], np.int64)
    _, number = np.unique(said, return_inverse=True)
    return {name: np.bincount(number, column) for name, column in columns.items()}


def scored(columns: Columns) -> list[object]:
    metrics = (transcription.wer, transcription.cer, *wrong.values())
    return [plain.interval(bootstrap(metric, columns)) for metric in metrics]


def by_machines(train: Rows, valid: Rows, test: Rows, data: Path) -> list[str]:
    """The answers of one machine a part."""
    numbers = [summaries([Sound(str(data / row["file_name"])) for row in some]) for some in (train, valid, test)]
    scale = StandardScaler().fit(numbers[0])
    known, chosen, asked = map(scale.transform, numbers)
    told: list[np.ndarray] = []
    for place in range(len(PARTS)):
        names, right = ([parts(row["transcript"])[place] for row in some] for some in (train, valid))
        fitted = [SVC(**kernel).fit(known, names) for kernel in KERNELS]
        told.append(max(fitted, key=lambda one: float(one.score(chosen, right))).predict(asked))
    return ["".join(syllable) for syllable in zip(*told, strict=True)]


def commonest(train: Rows, test: Rows) -> list[str]:
    """The commonest of each part."""
    each = zip(*(parts(row["transcript"]) for row in train), strict=True)
    return ["".join(Counter(part).most_common(1)[0][0] for part in each)] * len(test)


def joined(rows: Rows, data: Path, place: Path, voices: Sequence[str]) -> Rows:
    """Rows of several syllables as files of `place`."""
    place.mkdir(parents=True, exist_ok=True)
    found: Rows = []
    for split, voice in product(("train", "valid", "test"), voices):
        own = of(rows, split, voice)
        order = [own[number] for number in stream(0, "joined", split, voice).permutation(len(own)).tolist()]
        for length in cycle(LENGTHS):
            if len(order) < LENGTHS[0]:
                break
            some, order = order[:length], order[length:]
            name, silence = f"clips/{split}_{voice}_{len(order)}.wav", np.zeros(round(GAP * RATE), np.float32)
            said = [sounds.samples(Sound(str(data / row["file_name"])), RATE).samples for row in some]
            (place / "clips").mkdir(exist_ok=True)
            (place / name).write_bytes(sounds.as_wav(np.concatenate([part for one in said for part in (one, silence)]), RATE))
            text = " ".join(row["transcript"] for row in some)
            found.append({"file_name": name, "transcript": text, "speaker": voice, "split": split})
    return found


def several(rows: Rows, data: Path, work: Path, voices: Sequence[str]) -> tuple[Path, Rows]:
    """A data set of single syllables and rows of several, and those of several."""
    place = work / "data-joined"
    more = joined(rows, data, work / "joined", voices)
    if not place.exists():
        plain.folder_of(rows, data, place)
        with open(place / "metadata.csv", "a", encoding="utf-8", newline="") as file:
            csv.DictWriter(file, ["file_name", "transcript", "split"], extrasaction="ignore").writerows(more)
        for row in more:
            (place / row["file_name"]).hardlink_to(work / "joined" / row["file_name"])
    return place, more


def trained(folder: Path, run: Path, sets: Sequence[str], start: Path | None = None) -> float:
    """CPU minutes of a run; `start`: whose encoder it begins with."""
    words = [word for pair in (*ALWAYS, *sets) for word in ("--set", pair)]
    begun = [] if start is None else ["--from", str(start)]
    return plain.zhuji_run(run, ["train", str(folder), "--model", "recognise", *begun, *words]) / 60


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--set", dest="sets", action="append", default=[], metavar="KEY=VALUE", help="of every training")
    parser.add_argument("--joined", action="append", default=[], metavar="KEY=VALUE", help="of that with joined rows alone")
    parser.add_argument(
        "--unheard", action="append", default=[], metavar="KEY=VALUE", help="of those with a voice held out alone"
    )
    asked = parser.parse_args()
    asked.work.mkdir(parents=True, exist_ok=True)
    with open(asked.data / "metadata.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    voices = sorted({row["speaker"] for row in rows})
    test = of(rows, "test")
    place, more = several(rows, asked.data, asked.work, voices)
    spent = {"both": trained(asked.data, asked.work / "both", asked.sets)}
    spent["joined"] = trained(place, asked.work / "joined-run", [*asked.sets, *asked.joined], asked.work / "both")
    answers = {name: plain.heard(asked.work / run, asked.data, test, ())[0] for name, run in RUNS.items()}
    lines: list[list[object]] = [
        [BOTH, "the commonest of each part", *scored(judged(commonest(of(rows, "train"), test), test)), ""],
        [
            BOTH,
            "SVM on MFCC, one a part",
            *scored(judged(by_machines(of(rows, "train"), of(rows, "valid"), test, asked.data), test)),
            "",
        ],
        [BOTH, "`recognise`", *scored(judged(answers["both"], test)), f"{spent['both']:.1f}"],
        [BOTH, "`recognise`, rows of several as well", *scored(judged(answers["joined"], test)), f"{spent['joined']:.1f}"],
    ]
    lines += [line for voice in voices for line in held_out(asked, rows, voice)]
    record(
        "recognition_mandarin", "Speech to text of Mandarin syllables", told(asked, rows, answers, lines, more), command(asked)
    )


RUNS = {"both": "both", "joined": "joined-run"}
BOTH = "both voices"


def held_out(asked: argparse.Namespace, rows: Rows, voice: str) -> list[list[object]]:
    """Trained on all other voices, asked about test syllables of this one."""
    own = [row for row in rows if row["speaker"] != voice]
    test = of(rows, "test", voice)
    folder = plain.folder_of([row for row in own if row["split"] != "test"] + test, asked.data, asked.work / f"data-{voice}")
    spent = trained(folder, asked.work / f"without-{voice}", [*asked.sets, *asked.unheard])
    heard, _ = plain.heard(asked.work / f"without-{voice}", asked.data, test, ())
    machines = by_machines(of(own, "train"), of(own, "valid"), test, asked.data)
    name = f"{voice} held out"
    return [
        [name, "SVM on MFCC, one a part", *scored(judged(machines, test)), ""],
        [name, "`recognise`", *scored(judged(heard, test)), f"{spent:.1f}"],
    ]


def told(asked: argparse.Namespace, rows: Rows, answers: dict[str, list[str]], lines: list[list[object]], more: Rows) -> str:
    """All tables."""
    test = of(rows, "test")
    base = {parts(row["transcript"])[:2] for row in of(rows, "train")}
    met = sum(parts(row["transcript"])[:2] in base for row in test)
    voices = " and ".join(str(number) for _, number in sorted(Counter(row["speaker"] for row in test).items()))
    gain = paired_bootstrap(transcription.wer, judged(answers["both"], test), judged(answers["joined"], test)).difference
    return "\n\n".join([
        table(["test", "model", "syllables wrong % (WER)", "CER %", *(f"{part} wrong %" for part in PARTS), "CPU minutes"], lines),
        f"{len(test)} recordings of {len({row['transcript'] for row in test})} test syllables ({voices} of each voice); of {met} training met the "
        f"syllable with another tone. {transcription.note('lower', 'drop')}; CER over signs of zhuyin and tone marks. Joined rows as well: {plain.interval(gain)} "
        "points of WER fewer.",
        "By tone said, of `recognise` with both voices: how many were heard as which.",
        tones(answers["both"], test),
        "Rows of several syllables (joined, see above), of the run that learned such rows as well:",
        of_several(asked.work, more),
    ])  # fmt: skip


def tones(answers: Sequence[str], rows: Rows) -> str:
    pairs = Counter((TONES[parts(row["transcript"])[2]], TONES[parts(a)[2]]) for a, row in zip(answers, rows, strict=True))
    said = sorted({one for one, _ in pairs})
    return table(["tone", *(f"heard {tone}" for tone in TONES.values())], [[one, *(pairs[one, other] for other in TONES.values())] for one in said])  # fmt: skip


def of_several(work: Path, more: Rows) -> str:
    """Scores by syllables of a row."""
    test = of(more, "test")
    heard, _ = plain.heard(work / RUNS["joined"], work / "joined", test, ())
    lines: list[list[object]] = []
    for name, few in {**{str(n): (n,) for n in LENGTHS}, "all": LENGTHS}.items():
        places = [place for place, row in enumerate(test) if len(row["transcript"].split()) in few]
        columns = transcription.judged([heard[place] for place in places], [test[place]["transcript"] for place in places])
        both = (bootstrap(metric, columns) for metric in (transcription.wer, transcription.cer))
        lines.append([name, len(places), int(columns["words"].sum()), *map(plain.interval, both)])
    return table(["syllables of a row", "rows", "syllables", "syllables wrong % (WER)", "CER %"], lines)


def command(asked: argparse.Namespace) -> str:
    more = [
        f"--{name} {pair}"
        for name, of in (("set", asked.sets), ("joined", asked.joined), ("unheard", asked.unheard))
        for pair in of
    ]
    return " ".join(["python benchmarks/recognition_mandarin.py --data mandarin_syllables --work FOLDER", *more])


if __name__ == "__main__":
    main()

"""Speech to text: word and character error rates of the recipe `recognise` on the published test sentences, by share of the transcripts, without and with
a language model of our own, against PocketSphinx with the model that its package ships.

    python benchmarks/recognition.py --data prompts_en --work FOLDER --shares 10 30 100

`--text FILES` are English texts (CSV with a column `text`, or lines), from which the language model learns as well: single letters are heard better than
whole words, and most words of the test are not among so few transcripts.

With `--start RUN`, a pretraining on speech without transcripts (`zhuji train RECORDINGS --model best-rq`), each share is trained a second time from that
run's encoder, and the difference is told with an interval over the same resampled sentences.

The data are a folder with `metadata.csv` (file_name, transcript, split). A share is drawn from the training split; validation and test stay whole. The
language model is a `zhuji pretrain --objective next` over characters of the training transcripts and of `--text`, written as they are scored; its weight
is chosen on the validation sentences. Digits and the signs * and # are written as words before anything is learned, for so they are said. CPU seconds are those of the whole training command. PocketSphinx (pip install pocketsphinx) was made for any English and knows
nothing of these sentences or of this voice; ours was trained on both: it says what training in the domain is worth, not which of the two is the better recogniser.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import re
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from machine import record, table

import zhuji
from zhuji.core.records import Sound
from zhuji.data import sounds
from zhuji.metrics import transcription
from zhuji.metrics.intervals import bootstrap, paired_bootstrap
from zhuji.tasks.transcribe import Transcribe
from zhuji.tools._seeking import sought

BEAMS = 16
WEIGHTS = (0.4, 0.7, 1.0, 1.4)
WRITE = Transcribe()
"""How transcripts are written: the recipe's defaults."""
LANGUAGE = (
    "modality.tokenizer=characters", "modality.vocab_size=64", "modality.max_units=256", "modality.wrap=both", "backbone.positions=rotary",
    "backbone.heads=4", "train.threads=1", "train.rehearse=false", "corpus.quality.min_words=1", "corpus.duplicates=keep",
)  # fmt: skip
SMALL = ("backbone.width=96", "backbone.layers=2", "backbone.hidden=192", "train.batch_units=1024", "train.epochs=20")
"""Of the transcripts alone."""
LARGER = ("backbone.width=192", "backbone.layers=3", "backbone.hidden=768", "train.batch_units=8192", "train.epochs=1")
SENTENCES, REPEATS = 60_000, 20
"""Sentences that are drawn from `--text`, and how often each transcript stands among them."""
SPOKEN = dict(
    zip(
        "0123456789*#",
        ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "star", "pound"],
        strict=True,
    )
)
WINDOWS = ((2, 1), (4, 2), (8, 2), (16, 4))
"""Seconds of a window that are kept, and on each side of it, for one long recording."""
NAMES = ("recognise", "recognise, taught before")
"""Without and with `--start`."""
Rows = list[dict[str, str]]


def read(data: Path) -> Rows:
    """The rows, with what is said written in letters."""
    with open(data / "metadata.csv", encoding="utf-8", newline="") as file:
        return [{**row, "transcript": spoken(row["transcript"])} for row in csv.DictReader(file)]


def folder_of(rows: Rows, data: Path, place: Path) -> Path:
    """The rows as a data set of their own."""
    if not place.exists():
        (place / "clips").mkdir(parents=True)
        with open(place / "metadata.csv", "w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, ["file_name", "transcript", "split"], extrasaction="ignore")
            writer.writeheader()
            writer.writerows(rows)
        for row in rows:
            shutil.copy(data / row["file_name"], place / row["file_name"])
    return place


def sharing(rows: Rows, share: int) -> Rows:
    """So many per cent of the training rows, and all others."""
    train = [row for row in rows if row["split"] == "train"]
    kept = random.Random(0).sample(train, round(len(train) * share / 100))
    return [row for row in rows if row["split"] != "train"] + kept


def zhuji_run(folder: Path, words: Sequence[str]) -> float:
    """CPU seconds of the command that finished a run, which is begun or resumed unless it is finished."""
    told = folder.with_suffix(".cpu")
    if not (folder / "results.json").exists():
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = ["resume", str(folder)] if (folder / "start.json").exists() else [*words, "--run-dir", str(folder)]
        subprocess.run([sys.executable, "-m", "zhuji", *command], check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        told.write_text(str(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime), encoding="utf-8")
    return float(told.read_text(encoding="utf-8"))


def sentences(files: Sequence[Path]) -> list[str]:
    """What stands in texts, as one would say it: all that have letters alone, without repeats, drawn at random."""
    found: dict[str, None] = {}
    for file in files:
        with open(file, encoding="utf-8", newline="") as opened:
            texts = [row["text"] for row in csv.DictReader(opened)] if file.suffix == ".csv" else opened.read().splitlines()
        for sentence in (part for text in texts for part in re.split(r"[.!?;:()\n]+", text)):
            said = WRITE.written(sentence)
            if 10 < len(said) < 200 and re.fullmatch(r"[a-z' ]+", said):
                found[said] = None
    return random.Random(0).sample(list(found), min(SENTENCES, len(found)))


def language_model(rows: Rows, work: Path, texts: Sequence[Path]) -> Path:
    said = [WRITE.written(row["transcript"]) for row in rows if row["split"] == "train"]
    lines = said if not texts else random.Random(0).sample(both := sentences(texts) + REPEATS * said, len(both))
    corpus = work / "sentences.txt"
    corpus.write_text("\n\n".join(lines), encoding="utf-8")
    sets = [word for pair in (*LANGUAGE, *(LARGER if texts else SMALL)) for word in ("--set", pair)]
    zhuji_run(work / "language", ["pretrain", str(corpus), "--objective", "next", "--model", "gpt-mini", *sets])
    return work / "language"


def heard(run: Path, data: Path, rows: Rows, sets: Sequence[str]) -> tuple[list[str], float]:
    """What a run hears, and seconds of work for a second of sound."""
    predictor = sought(zhuji.load(run).predictor, sets)
    begun = time.process_time()
    answers = [str(one.answer) for one in predictor.predict([Sound(str(data / row["file_name"])) for row in rows])]
    return answers, (time.process_time() - begun) / length(data, rows)


def length(data: Path, rows: Rows) -> float:
    return sum(sounds.header(Sound(str(data / row["file_name"]))).seconds for row in rows)


def by_sphinx(data: Path, rows: Rows) -> tuple[list[str], float]:
    """What PocketSphinx hears."""
    from pocketsphinx import Decoder

    decoder = Decoder(samprate=16000, loglevel="FATAL")
    answers, begun = list[str](), time.process_time()
    for row in rows:
        samples = sounds.samples(Sound(str(data / row["file_name"])), 16_000).samples
        decoder.start_utt()
        decoder.process_raw((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes(), full_utt=True)
        decoder.end_utt()
        found = decoder.hyp()
        answers.append("" if found is None else WRITE.written(found.hypstr))
    return answers, (time.process_time() - begun) / length(data, rows)


def spoken(text: str) -> str:
    """With digits and the two signs of a telephone as words, which is how PocketSphinx writes them."""
    return WRITE.written(re.sub(r"[\d*#]", lambda sign: f" {SPOKEN[sign[0]]} ", text))


def scored(answers: Sequence[str], rows: Rows) -> dict[str, Any]:
    columns = transcription.judged([spoken(text) for text in answers], [spoken(row["transcript"]) for row in rows])
    return {"wer": bootstrap(transcription.wer, columns), "cer": bootstrap(transcription.cer, columns), "columns": columns}


def chosen_weight(run: Path, data: Path, rows: Rows, language: Path) -> float:
    """That with which the fewest characters are wrong in the validation sentences."""

    def wrong(weight: float) -> float:
        return scored(heard(run, data, rows, seeking(language, weight))[0], rows)["cer"].value

    return min(WEIGHTS, key=wrong)


def seeking(language: Path | None = None, weight: float = 0.0) -> list[str]:
    more = [] if language is None else [f"decode.language={language}", f"decode.language_weight={weight}"]
    return [f"decode.beams={BEAMS}", *more]


def interval(score: Any) -> str:
    return f"{100 * score.value:.1f} [{100 * score.low:.1f}, {100 * score.high:.1f}]"


def ours(asked: argparse.Namespace, rows: Rows, share: int, language: Path, start: Path | None = None) -> dict[str, Any]:
    """name -> answers, scores, and cost, of one share of the transcripts; `start`: the run whose encoder it begins with."""
    valid, test = ([row for row in rows if row["split"] == split] for split in ("valid", "test"))
    place = folder_of(sharing(rows, share), asked.data, asked.work / f"data-{share}")
    sets = [word for pair in asked.sets for word in ("--set", pair)]
    begun = [] if start is None else ["--from", str(start)]
    run = asked.work / (f"run-{share}" if start is None else f"run-{share}-started")
    spent = zhuji_run(run, ["train", str(place), "--model", "recognise", *begun, *sets])
    weight = chosen_weight(run, asked.data, valid, language)
    ways = {"greedy": [], f"{BEAMS} beams": seeking(), f"{BEAMS} beams, language model × {weight}": seeking(language, weight)}
    name = NAMES[start is not None]
    found: dict[str, Any] = {}
    for way, how in ways.items():
        answers, factor = heard(run, asked.data, test, how)
        found[f"{name}, {share} %, {way}"] = {
            **scored(answers, test),
            "answers": answers,
            "factor": factor,
            "minutes": f"{spent / 60:.1f}",
        }
    return found


def as_one(asked: argparse.Namespace, rows: Rows) -> list[list[object]]:
    """The test sentences one behind the other with half a second of silence between them, heard by windows: of each run, by seconds of a window."""
    test = [row for row in rows if row["split"] == "test"]
    silence = np.zeros(8_000, np.float32)
    said = [spoken(" ".join(row["transcript"] for row in test))]
    lines: list[list[object]] = []
    for share in asked.shares:
        for name, run in zip(NAMES, (f"run-{share}", f"run-{share}-started"), strict=True):
            for chunk, beside in WINDOWS if (asked.work / run).exists() else ():
                blocks = (
                    block
                    for row in test
                    for block in (sounds.samples(Sound(str(asked.data / row["file_name"])), 16_000).samples, silence)
                )
                begun = time.process_time()
                heard = zhuji.transcribe(asked.work / run, blocks, rate=16_000, chunk=chunk, left=beside, right=beside).whole()
                factor = (time.process_time() - begun) / heard.seconds
                columns = transcription.judged([spoken(heard.text)], said)
                scores = [f"{100 * metric(columns):.1f}" for metric in (transcription.wer, transcription.cer)]
                lines.append([f"{name}, {share} %, greedy", f"{chunk} + 2 × {beside}", *scores, f"{factor:.3f}"])
    return lines


def gained(found: dict[str, Any], shares: Sequence[int]) -> list[list[object]]:
    """By how much the encoder that was taught before is better than one from nothing, on the same sentences, in points."""
    lines: list[list[object]] = []
    for share in shares:
        for way in ("greedy", f"{BEAMS} beams"):
            plain, started = (found[f"{name}, {share} %, {way}"]["columns"] for name in NAMES)
            scores = [paired_bootstrap(metric, plain, started).difference for metric in (transcription.wer, transcription.cer)]
            lines.append([f"{share} %, {way}", *map(interval, scores)])
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--shares", type=int, nargs="+", default=[10, 30, 100])
    parser.add_argument("--set", dest="sets", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--text", dest="texts", type=Path, nargs="+", default=[], metavar="FILE", help="for the language model")
    parser.add_argument("--start", type=Path, metavar="RUN", help="a pretraining on speech without transcripts")
    asked = parser.parse_args()
    asked.work.mkdir(parents=True, exist_ok=True)
    rows = read(asked.data)
    test = [row for row in rows if row["split"] == "test"]
    answers, factor = by_sphinx(asked.data, test)
    name = f"PocketSphinx {version('pocketsphinx')}, its own model"
    found: dict[str, Any] = {name: {**scored(answers, test), "answers": answers, "factor": factor, "minutes": "–"}}
    language = language_model(rows, asked.work, asked.texts)
    for share in asked.shares:
        found |= ours(asked, rows, share, language)
        if asked.start is not None:
            found |= ours(asked, rows, share, language, asked.start.absolute())
    said = [WRITE.written(row["transcript"]) for row in test]
    (asked.work / "answers.json").write_text(
        json.dumps({"said": said, **{name: of["answers"] for name, of in found.items()}}, ensure_ascii=False, indent=1),
        encoding="utf-8",
    )
    shares, more = " ".join(map(str, asked.shares)), " ".join(f"--set {pair}" for pair in asked.sets)
    begun = "" if asked.start is None else "--start RUN "
    record(
        "recognition",
        "Speech to text",
        told(asked, found, said),
        f"python benchmarks/recognition.py --data prompts_en --work FOLDER --shares {shares} {begun}{more}".strip(),
    )


def told(asked: argparse.Namespace, found: dict[str, Any], said: Sequence[str]) -> str:
    """All tables."""
    lines: list[list[object]] = [
        [name, interval(of["wer"]), interval(of["cer"]), of["minutes"], f"{of['factor']:.3f}"] for name, of in found.items()
    ]
    parts: list[list[object]] = [
        [
            name,
            words,
            len(columns["words"]),
            f"{100 * transcription.wer(columns):.1f}",
            f"{100 * transcription.cer(columns):.1f}",
        ]
        for name, of in found.items()
        for words, columns in transcription.by_length(of["columns"]).items()
    ]
    test = [row for row in read(asked.data) if row["split"] == "test"]
    parts_of = [
        table(["recogniser", "WER %", "CER %", "CPU minutes of training", "seconds of work a second of sound"], lines),
        table(["recogniser", "words said", "rows", "WER %", "CER %"], parts),
        f"{len(test)} test sentences, {length(asked.data, test):.0f} s, {sum(len(text.split()) for text in said)} words. "
        + transcription.note(WRITE.case, WRITE.punctuation)
        + ", digits as words; 95 % intervals from resampled sentences.",
        "The test sentences as one recording, half a second of silence between them, heard by windows (`zhuji.transcribe`):",
        table(
            ["recogniser", "seconds of a window", "WER %", "CER %", "seconds of work a second of sound"],
            as_one(asked, read(asked.data)),
        ),
    ]
    if asked.start is not None:
        of = json.loads((asked.start / "results.json").read_text(encoding="utf-8"))
        parts_of += [
            table(["points fewer wrong with the encoder taught before", "WER", "CER"], gained(found, asked.shares)),
            f"The encoder was taught by `{of['model']['task']}`, whose own CPU minutes are not in the table above.",
        ]
    return "\n\n".join(parts_of)


if __name__ == "__main__":
    main()

"""Text to speech: the recipe `speak`, or any voice, on sentences that training never met: how far their sound is from the recordings, and what a recogniser understands of it.

    python benchmarks/synthesis.py --data prompts_en --work FOLDER [--run RUN …] --recogniser RECOGNISE_RUN

The data are a folder with `metadata.csv` (file_name, transcript, split), split by sentence. Without `--run` a voice is trained first, as `zhuji train DATA --model
speak` does; the runs must have one seed and one framing. Every test sentence of the runs (those nearly the same as a training sentence were moved to training) is said, written as a WAV file
and read again. Beside it stand the real recording; the recording on the way over mel bands and Griffin-Lim, which is the most that any model of these frames can reach with this
vocoder; and, as what little a distance can mean, another recording of the voice.

Mel cepstral distortion: coefficients 1 to 24 of the mel bands, along the cheapest way through both (`zhuji.metrics.distortion`). CER and WER: those of the recogniser,
which learned from recordings of the same voice, on texts written as it scores them. Words that are skipped or said again: in the recogniser's transcript those that are missing, or that stand right behind themselves though the text has them once. Both on 100
sentences: the validation and test sentences, and pairs of them up to that number. `--sphinx` has PocketSphinx listen as well.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from machine import record, table

import zhuji
from zhuji.core.records import Record, Sound
from zhuji.core.voices import Framing
from zhuji.data import sounds
from zhuji.data.sounds import as_wav
from zhuji.metrics import transcription
from zhuji.metrics.distortion import mel_cepstral
from zhuji.metrics.intervals import bootstrap
from zhuji.metrics.units import ratio_of
from zhuji.model.speak import Spoken, speaker_of, spoken
from zhuji.nn.sounds import framed
from zhuji.nn.sounds.mel import cepstra
from zhuji.tasks.transcribe import Transcribe
from zhuji.tools._own_rows import own_rows

RECIPE = "speak"
COEFFICIENTS = 24
SENTENCES = 100
WRITE = Transcribe()
"""How transcripts are written: the recogniser's defaults."""
DIGITS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
Listener = Callable[[Sequence[Path]], list[str]]


def read(run: Path) -> tuple[list[Record], list[Record]]:
    """The test rows of a run, and the validation and test rows together: texts, and the recordings in which they are said."""
    _, prepared = own_rows(run)
    return prepared.split("test"), [*prepared.split("valid"), *prepared.split("test")]


def trained(asked: argparse.Namespace) -> dict[str, tuple[Path, str]]:
    """Each voice's run, and the CPU minutes that it took."""
    if asked.run:
        minutes = [*asked.minutes, *["–"] * len(asked.run)]
        return dict(zip([run.name for run in asked.run], zip(asked.run, minutes, strict=False), strict=True))
    return {RECIPE: _trained(asked, RECIPE)}


def _trained(asked: argparse.Namespace, recipe: str) -> tuple[Path, str]:
    run, told = asked.work / recipe, asked.work / f"{recipe}.cpu"
    if not (run / "results.json").exists():
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        sets = [word for pair in asked.sets for word in ("--set", pair)]
        command = ["train", str(asked.data), "--model", recipe, "--run-dir", str(run), *sets]
        subprocess.run([sys.executable, "-m", "zhuji", *command], check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        told.write_text(f"{(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / 60:.1f}", encoding="utf-8")
    return run, told.read_text(encoding="utf-8")


def heard(path: Path, framing: Framing) -> torch.Tensor:
    """Frames of a file, without what is silent at its ends: so much softer than its loudest frame that nobody hears it."""
    frames = framed.frames(torch.from_numpy(sounds.samples(Sound(str(path)), framing.rate).samples), framing)
    loud = torch.nonzero(frames.exp().sum(1) > frames.exp().sum(1).max() * 1e-4)[:, 0]
    return frames[int(loud[0]) : int(loud[-1]) + 1] if len(loud) else frames


def distance(one: Path, other: Path, framing: Framing) -> float:
    told = [cepstra(heard(path, framing)[None], COEFFICIENTS + 1)[0, :, 1:].double().numpy() for path in (one, other)]
    # `cepstra` are of decibels; a distortion is told of natural logarithms.
    return mel_cepstral(*(each * np.log(10) / 10 for each in told), framing.bands)


@dataclass(frozen=True)
class Voice:
    """A run, and what it made of the test sentences and of a hundred: files; `cost`: seconds of work a second of sound."""

    minutes: str
    facts: dict[str, Any]
    test: list[Path]
    many: list[Path]
    cost: float


def voiced(asked: argparse.Namespace, recipe: str, run: tuple[Path, str], texts: Sequence[Sequence[str]]) -> Voice:
    predictor, files, found = zhuji.load(run[0]).predictor, list[list[Path]](), list[Spoken]()
    begun, folder = time.process_time(), asked.work / recipe / "said"
    for name, some in zip(("test", "hundred"), texts, strict=True):
        told = spoken(predictor, some)
        files.append([_file(folder / name / f"{number:03d}.wav", one.samples, one.rate) for number, one in enumerate(told)])
        found += told
    cost = (time.process_time() - begun) / sum(one.seconds for one in found)
    facts = json.loads((run[0] / "results.json").read_text(encoding="utf-8"))
    return Voice(run[1], facts, files[0], files[1], cost)


def recorded(asked: argparse.Namespace, rows: Sequence[Record], framing: Framing) -> dict[str, list[Path]]:
    """The recordings, and what the vocoder makes of their frames."""
    ways: dict[str, list[Path]] = {"recordings": [Path(row.target.path) for row in rows], "vocoder": []}
    for number, path in enumerate(ways["recordings"]):
        frames = framed.frames(torch.from_numpy(sounds.samples(Sound(str(path)), framing.rate).samples), framing)
        samples = framed.samples(frames, framing).numpy()
        ways["vocoder"].append(_file(asked.work / "vocoder" / f"{number:03d}.wav", samples, framing.rate))
    return ways


def _file(path: Path, samples: np.ndarray, rate: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(as_wav(samples, rate))
    return path


def by_ours(run: Path) -> Listener:
    predictor = zhuji.load(run).predictor
    return lambda files: [str(one.answer) for one in predictor.predict([Sound(str(path)) for path in files])]


def by_sphinx() -> Listener:
    from pocketsphinx import Decoder

    decoder = Decoder(samprate=16000, loglevel="FATAL")

    def listen(files: Sequence[Path]) -> list[str]:
        answers: list[str] = []
        for path in files:
            samples = sounds.samples(Sound(str(path)), 16_000).samples
            decoder.start_utt()
            decoder.process_raw((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes(), full_utt=True)
            decoder.end_utt()
            found = decoder.hyp()
            answers.append("" if found is None else WRITE.written(found.hypstr))
        return answers

    return listen


def plain(text: str) -> str:
    """As the recogniser scores it, digits as words, which is how PocketSphinx writes them."""
    return " ".join(re.sub(r"\d", lambda digit: f" {DIGITS[int(digit[0])]} ", WRITE.written(text)).split())


def understood(answers: Sequence[str], texts: Sequence[str]) -> dict[str, Any]:
    columns = transcription.judged([plain(text) for text in answers], [plain(text) for text in texts])
    return {name: bootstrap(getattr(transcription, name), columns) for name in ("cer", "wer")}


def lost(answers: Sequence[str], texts: Sequence[str]) -> tuple[int, int, int]:
    """Words of the texts, words that nothing in the transcript stands for, and words that are heard right behind themselves once too often."""
    import jiwer

    words = skipped = repeated = 0
    for answer, text in zip(map(plain, answers), map(plain, texts), strict=True):
        words += len(text.split())
        if not answer:
            skipped += len(text.split())
            continue
        found = jiwer.process_words(text, answer)
        skipped += found.deletions
        told = found.hypotheses[0]
        inserted = [
            place for one in found.alignments[0] if one.type == "insert" for place in range(one.hyp_start_idx, one.hyp_end_idx)
        ]
        repeated += sum(told[place] in told[max(place - 1, 0) : place] + told[place + 1 : place + 2] for place in inserted)
    return words, skipped, repeated


def hundred(rows: Sequence[Record]) -> list[str]:
    held_out = [row.input for row in rows]
    pairs = [f"{one} {other}" for one, other in pairwise(held_out)]
    return [*held_out, *pairs][:SENTENCES]


def shown(score: Any, times: float = 100.0) -> str:
    return f"{times * score.value:.1f} [{times * score.low:.1f}, {times * score.high:.1f}]"


def distorted(ways: dict[str, list[Path]], framing: Framing) -> dict[str, Any]:
    """Of each way the mean distance to the recordings, each sentence counting once."""
    real = ways["recordings"]
    others = {
        **{name: files for name, files in ways.items() if name != "recordings"},
        "another recording": [*real[1:], real[0]],
    }
    found: dict[str, Any] = {}
    for name, files in others.items():
        each = np.array([distance(one, other, framing) for one, other in zip(files, real, strict=True)])
        metric = ratio_of("distance", "rows", higher_is_better=False)
        found[name] = bootstrap(metric, {"distance": each, "rows": np.ones(len(each))})
    return found


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="to train on; not needed with --run")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--run", type=Path, nargs="+", help="voices that are trained already, of different names")
    parser.add_argument("--minutes", nargs="+", default=[], help="CPU minutes that each run took")
    parser.add_argument("--recogniser", type=Path)
    parser.add_argument("--sphinx", action="store_true")
    parser.add_argument("--set", dest="sets", action="append", default=[], metavar="KEY=VALUE")
    asked = parser.parse_args()
    asked.work.mkdir(parents=True, exist_ok=True)
    return asked


def listened(
    ways: dict[str, Any], listeners: dict[str, Listener], texts: Sequence[str], far: dict[str, Any]
) -> tuple[list[list[Any]], dict[str, Any]]:
    """A line of scores for each way in which the texts are heard, and what each listener heard."""
    lines, answers = list[list[Any]](), dict[str, Any]()
    for name, files in {**ways, "another recording": None}.items():
        told: list[Any] = [name, shown(far[name], 1.0) if name in far else "0"]
        for listener, listen in listeners.items():
            if files is None:
                told += ["–", "–"]
                continue
            answers[f"{listener}, {name}"] = listen(files)
            scores = understood(answers[f"{listener}, {name}"], texts)
            told += [shown(scores["cer"]), shown(scores["wer"])]
        lines.append(told)
    return lines, answers


def main() -> None:
    asked = options()
    runs = trained(asked)
    first = next(iter(runs.values()))[0]
    test, rows = read(first)
    framing, texts, many = speaker_of(zhuji.load(first).predictor).framing, [row.input for row in test], hundred(rows)
    voices = {recipe: voiced(asked, recipe, run, (texts, many)) for recipe, run in runs.items()}
    real = recorded(asked, test, framing)
    ways = {
        "recordings": real["recordings"],
        **{recipe: voice.test for recipe, voice in voices.items()},
        "vocoder": real["vocoder"],
    }
    listeners = {
        **({"recognise": by_ours(asked.recogniser)} if asked.recogniser else {}),
        **({"PocketSphinx": by_sphinx()} if asked.sphinx else {}),
    }
    lines, answers = listened(ways, listeners, texts, distorted(ways, framing))
    words = [
        [f"{listener}, 100 sentences of {recipe}", *lost(listen(voice.many), many)]
        for recipe, voice in voices.items()
        for listener, listen in listeners.items()
    ]
    # What a listener leaves out of real speech it may leave out of ours.
    words += [[f"{name}, test sentences", *lost(heard_as, texts)] for name, heard_as in answers.items()]
    (asked.work / "answers.json").write_text(
        json.dumps({"said": texts, **answers}, ensure_ascii=False, indent=1), encoding="utf-8"
    )
    header = ["what is heard", "MCD dB"] + [f"{name} {metric} %" for name in listeners for metric in ("CER", "WER")]
    about = [
        [recipe, one.minutes, one.facts["steps"], one.facts["best_step"], f"{one.cost:.2f}"] for recipe, one in voices.items()
    ]
    columns = [
        "voice",
        "CPU minutes",
        "steps",
        "best step",
        "seconds of work a second of sound",
    ]
    body = "\n\n".join((
        table(header, lines),
        table(["heard by", "words", "skipped", "repeated"], words),
        table(columns, about),
        f"{len(test)} test sentences, {sum(len(plain(text).split()) for text in texts)} words; 95 % intervals from resampled sentences. Work is counted with Griffin-Lim.",
    ))  # fmt: skip
    how = f"--run {' '.join(run.name for run in asked.run)}" if asked.run else f"--data {asked.data.name}"
    sphinx = " --sphinx" if asked.sphinx else ""
    command = f"python benchmarks/synthesis.py {how} --work FOLDER --recogniser RECOGNISE_RUN{sphinx}"
    record("synthesis", "Text to speech", body, command)


if __name__ == "__main__":
    main()

"""Text to speech: the recipe `speak` on sentences that training never met: how far its sound is from the recordings, and what a recogniser understands of it.

    python benchmarks/synthesis.py --data prompts_en --work FOLDER [--run RUN] --recogniser RECOGNISE_RUN

The data are a folder with `metadata.csv` (file_name, transcript, split), split by sentence. Without `--run` a voice is trained first, as `zhuji train DATA --model
speak` does. Every test sentence of the run (those nearly the same as a training sentence were moved to training) is said, written as a WAV file and read again. Beside it stand the real recording; the recording on the way over mel bands and
Griffin-Lim, which is the most that any model of these frames can reach with this vocoder; and, as what little a distance can mean, another recording of the voice.

Mel cepstral distortion: coefficients 1 to 24 of the mel bands, along the cheapest way through both (`zhuji.metrics.distortion`). CER and WER: those of the recogniser,
which learned from recordings of the same voice, on texts written as it scores them. Skipped and repeated words: units that got no frame (there can be none), and in the
recogniser's transcript words that are missing, or that stand right behind themselves though the text has them once, on 100 sentences: the validation and test sentences, and
pairs of them up to that number. `--sphinx` has PocketSphinx listen as well.
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
from zhuji.model.predictor import Predictor
from zhuji.model.speak import speaker_of, spoken
from zhuji.nn.sounds import framed
from zhuji.nn.sounds.mel import cepstra
from zhuji.tasks.transcribe import Transcribe
from zhuji.tools._own_rows import own_rows

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


def trained(asked: argparse.Namespace) -> tuple[Path, str]:
    """The run, and the CPU minutes that it took, where it was trained here."""
    run, told = asked.run or asked.work / "voice", asked.work / "voice.cpu"
    if asked.run is None and not (run / "results.json").exists():
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        sets = [word for pair in asked.sets for word in ("--set", pair)]
        command = ["train", str(asked.data), "--model", "speak", "--run-dir", str(run), *sets]
        subprocess.run([sys.executable, "-m", "zhuji", *command], check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        told.write_text(f"{(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / 60:.1f}", encoding="utf-8")
    return run, told.read_text(encoding="utf-8") if asked.run is None else asked.minutes


def heard(path: Path, framing: Framing) -> torch.Tensor:
    """Frames of a file, without what is silent at its ends: so much softer than its loudest frame that nobody hears it."""
    frames = framed.frames(torch.from_numpy(sounds.samples(Sound(str(path)), framing.rate).samples), framing)
    loud = torch.nonzero(frames.exp().sum(1) > frames.exp().sum(1).max() * 1e-4)[:, 0]
    return frames[int(loud[0]) : int(loud[-1]) + 1] if len(loud) else frames


def distance(one: Path, other: Path, framing: Framing) -> float:
    told = [cepstra(heard(path, framing)[None], COEFFICIENTS + 1)[0, :, 1:].double().numpy() for path in (one, other)]
    # `cepstra` are of decibels; a distortion is told of natural logarithms.
    return mel_cepstral(*(each * np.log(10) / 10 for each in told), framing.bands)


def written(
    asked: argparse.Namespace, predictor: Predictor, rows: Sequence[Record]
) -> tuple[dict[str, list[Path]], list[int], float]:
    """Files of each way for the sentences of `rows`; how many units of each got no frame; and seconds of work for a second of sound."""
    framing = speaker_of(predictor).framing
    begun, lasting, empty = time.process_time(), 0.0, list[int]()
    ways: dict[str, list[Path]] = {"recordings": [Path(row.target.path) for row in rows], "synthesis": [], "vocoder": []}
    for number, one in enumerate(spoken(predictor, [row.input for row in rows])):
        ways["synthesis"].append(_file(asked.work / "synthesis" / f"{number:03d}.wav", one.samples, one.rate))
        empty.append(int((one.durations < 1).sum()))
        lasting += one.seconds
    cost = (time.process_time() - begun) / lasting
    for number, path in enumerate(ways["recordings"]):
        frames = framed.frames(torch.from_numpy(sounds.samples(Sound(str(path)), framing.rate).samples), framing)
        samples = framed.samples(frames, framing).numpy()
        ways["vocoder"].append(_file(asked.work / "vocoder" / f"{number:03d}.wav", samples, framing.rate))
    return ways, empty, cost


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="to train on; not needed with --run")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--run", type=Path, help="of the recipe speak")
    parser.add_argument("--minutes", default="–", help="CPU minutes that the run took")
    parser.add_argument("--recogniser", type=Path)
    parser.add_argument("--sphinx", action="store_true")
    parser.add_argument("--set", dest="sets", action="append", default=[], metavar="KEY=VALUE")
    asked = parser.parse_args()
    asked.work.mkdir(parents=True, exist_ok=True)
    run, minutes = trained(asked)
    test, rows = read(run)
    predictor = zhuji.load(run).predictor
    framing, texts = speaker_of(predictor).framing, [row.input for row in test]
    ways, empty, cost = written(asked, predictor, test)
    listeners = {
        **({"recognise": by_ours(asked.recogniser)} if asked.recogniser else {}),
        **({"PocketSphinx": by_sphinx()} if asked.sphinx else {}),
    }
    far = distorted(ways, framing)
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
    many = hundred(rows)
    more = [
        (_file(asked.work / "hundred" / f"{number:03d}.wav", one.samples, one.rate), int((one.durations < 1).sum()))
        for number, one in enumerate(spoken(predictor, many))
    ]
    words = [
        [f"{listener}, 100 sentences said", *lost(listen([path for path, _ in more]), many), sum(count for _, count in more)]
        for listener, listen in listeners.items()
    ]
    # What a listener leaves out of real speech it may leave out of ours.
    words += [[f"{name}, test sentences", *lost(heard_as, texts), "–"] for name, heard_as in answers.items()]
    (asked.work / "answers.json").write_text(
        json.dumps({"said": texts, **answers}, ensure_ascii=False, indent=1), encoding="utf-8"
    )
    header = ["what is heard", "MCD dB"] + [f"{name} {metric} %" for name in listeners for metric in ("CER", "WER")]
    facts = json.loads((run / "results.json").read_text(encoding="utf-8"))
    body = "\n\n".join((
        table(header, lines),
        table(["heard by", "words", "skipped", "repeated", "units without a frame"], words),
        f"{len(test)} test sentences, {sum(len(plain(text).split()) for text in texts)} words; training took {minutes} CPU minutes, "
        f"{facts['steps']} steps, and the weights of step {facts['best_step']} were best in validation; {cost:.2f} seconds of work a second of sound, Griffin-Lim included. 95 % intervals from "
        f"resampled sentences. {sum(empty)} units of the test sentences got no frame.",
    ))  # fmt: skip
    how = f"--run {asked.run.name}" if asked.run else f"--data {asked.data.name}"
    sphinx = " --sphinx" if asked.sphinx else ""
    command = f"python benchmarks/synthesis.py {how} --work FOLDER --recogniser RECOGNISE_RUN{sphinx}"
    record("synthesis", "Text to speech", body, command)


if __name__ == "__main__":
    main()

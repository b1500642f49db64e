"""Copy-synthesis: recordings that training never heard, made into log-mel frames and samples again, by the recipe `vocoder` and by Griffin-Lim.

    python benchmarks/vocoder.py --data prompts_en --work FOLDER [--run RUN] --recogniser RECOGNISE_RUN [--voice SPEAK_RUN]

Without `--run` a vocoder is trained first, as `zhuji train DATA --model vocoder` does, on one thread. Every test recording of the run is made into frames and samples
again, written as a WAV file and read from there; the recordings themselves are cut to the same length.

Log-mel distance: mean absolute error of the log-mel bands, in nats, the recordings' frames against those of the file. MCD, CER and WER as in `benchmarks/synthesis.py`, PESQ
and STOI as in `benchmarks/enhancement.py`. Seconds of work: CPU seconds for a second of sound on one thread, from frames to samples. `--voice`: a model of the recipe
`speak` of the same frames says the test sentences as well, by both vocoders.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from machine import record, table
from synthesis import _file, by_ours, distance, shown, understood

import zhuji
from zhuji.core.framing import Framing
from zhuji.core.records import Record, Sound
from zhuji.data import sounds
from zhuji.metrics import enhancement
from zhuji.metrics.intervals import bootstrap, paired_bootstrap
from zhuji.metrics.units import ratio_of
from zhuji.model.speak import spoken
from zhuji.model.vocode import TrainedVocoder
from zhuji.nn.sounds import framed
from zhuji.tools._own_rows import own_rows

REAL, OLD, OURS, REFINED = "recordings", "Griffin-Lim", "vocoder", "vocoder, then Griffin-Lim"
"""Griffin-Lim: 60 steps of it."""
Made = Callable[[torch.Tensor, Framing], torch.Tensor]


def trained(asked: argparse.Namespace) -> tuple[Path, str]:
    """The run, and the CPU minutes that it took, where it was trained here."""
    run, told = asked.run or asked.work / "vocoder-run", asked.work / "vocoder-run.cpu"
    if asked.run is None and not (run / "results.json").exists():
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        sets = ["--set", "train.threads=1", "--set", "train.rehearse=false"]
        subprocess.run(
            [sys.executable, "-m", "zhuji", "train", str(asked.data), "--model", "vocoder", "--run-dir", str(run), *sets],
            check=True,
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        told.write_text(f"{(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / 60:.1f}", encoding="utf-8")
    return run, told.read_text(encoding="utf-8") if asked.run is None else asked.minutes


def heard(path: Path, framing: Framing) -> torch.Tensor:
    return torch.from_numpy(sounds.samples(Sound(str(path)), framing.rate).samples)


def copied(
    rows: Sequence[Record], ways: Mapping[str, Made], framing: Framing, work: Path
) -> tuple[dict[str, list[Path]], dict[str, float]]:
    """Files of each way, the recordings' among them, and seconds of work for a second of sound."""
    files: dict[str, list[Path]] = {name: [] for name in (REAL, *ways)}
    spent, lasting = dict.fromkeys(ways, 0.0), 0.0
    for number, row in enumerate(rows):
        samples = heard(Path(row.input.path), framing)
        frames = framed.frames(samples, framing)
        length = (len(frames) - 1) * framing.step
        files[REAL].append(_file(work / REAL / f"{number:03d}.wav", samples[:length].numpy(), framing.rate))
        lasting += length / framing.rate
        for name, make in ways.items():
            begun = time.process_time()
            made = make(frames, framing)
            spent[name] += time.process_time() - begun
            files[name].append(_file(work / name / f"{number:03d}.wav", made.numpy(), framing.rate))
    return files, {name: seconds / lasting for name, seconds in spent.items()}


def measured(files: Sequence[Path], real: Sequence[Path], framing: Framing) -> dict[str, np.ndarray]:
    """By recording, float64."""
    pairs = [(heard(one, framing), heard(other, framing)) for one, other in zip(files, real, strict=True)]
    mel = [float((framed.frames(one, framing) - framed.frames(other, framing)).abs().mean()) for one, other in pairs]
    found = {
        "mel": mel, "mcd": [distance(one, other, framing) for one, other in zip(files, real, strict=True)],
        "pesq": [enhancement.pesq(one.numpy(), other.numpy(), framing.rate) for one, other in pairs],
        "stoi": [enhancement.stoi(one.numpy(), other.numpy(), framing.rate) for one, other in pairs],
    }  # fmt: skip
    return {name: np.array(values, np.float64) for name, values in found.items()}


def columns(values: np.ndarray) -> dict[str, np.ndarray]:
    """Recordings of which a measure knows nothing (PESQ and STOI of what is too short) count in none."""
    known = np.isfinite(values)
    return {"each": np.where(known, values, 0.0), "rows": known.astype(np.float64)}


def mean(values: np.ndarray) -> Any:
    return bootstrap(ratio_of("each", "rows", higher_is_better=True), columns(values))


def apart(ours: np.ndarray, old: np.ndarray) -> str:
    """The difference of the means, paired."""
    found = paired_bootstrap(ratio_of("each", "rows", higher_is_better=True), columns(ours), columns(old)).difference
    return f"{found.value:+.3f} [{found.low:+.3f}, {found.high:+.3f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="to train on; not needed with --run")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--run", type=Path, help="of the recipe vocoder")
    parser.add_argument("--minutes", default="–", help="CPU minutes that the run took")
    parser.add_argument("--recogniser", type=Path)
    parser.add_argument("--voice", type=Path, help="a run of the recipe speak")
    asked = parser.parse_args()
    asked.work.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    run, minutes = trained(asked)
    predictor = zhuji.load(run).predictor
    vocoder = TrainedVocoder(predictor)
    framing, rows = vocoder.framing, own_rows(run)[1].split("test")
    ways: dict[str, Made] = {OLD: framed.samples, OURS: vocoder, REFINED: TrainedVocoder(predictor, framed.STEPS)}
    files, cost = copied(rows, ways, framing, asked.work)
    listen = by_ours(asked.recogniser) if asked.recogniser else None
    texts = [str(row.target) for row in rows]
    found = {name: measured(made, files[REAL], framing) for name, made in files.items()}
    lines = list[list[Any]]()
    for name, made in files.items():
        told: list[Any] = [
            name,
            *(_shown(mean(found[name][key]), digits) for key, digits in (("mel", 3), ("mcd", 2), ("pesq", 2), ("stoi", 3))),
        ]
        if listen is not None:
            scores = understood(listen(made), texts)
            told += [shown(scores["cer"]), shown(scores["wer"])]
        lines.append([*told, f"{cost[name]:.3f}" if name in cost else "–"])
    header = ["what is heard", "log-mel distance, nats", "MCD dB", "PESQ", "STOI"]
    header += ["CER %", "WER %"] if listen else []
    body = [table([*header, "seconds of work"], lines)]
    differences: list[list[object]] = [
        [key, apart(found[OURS][key], found[OLD][key])] for key in ("mel", "mcd", "pesq", "stoi")
    ]
    body.append(table(["vocoder minus Griffin-Lim", "difference"], differences))
    if asked.voice and listen:
        body.append(table(["texts said by a model", "CER %", "WER %"], said(asked, ways, listen)))
    facts = json.loads((run / "results.json").read_text(encoding="utf-8"))
    body.append(
        f"{len(rows)} test recordings; training took {minutes} CPU minutes, {facts['steps']} steps, and the weights of step {facts['best_step']} were best in validation. "
        f"95 % intervals from resampled recordings; the differences are paired. {enhancement.note('pesq')}; {enhancement.note('stoi')}."
    )
    how = f"--run {asked.run.name}" if asked.run else f"--data {asked.data.name}"
    told_voice = " --voice SPEAK_RUN" if asked.voice else ""
    record(
        "vocoder",
        "Frames to samples",
        "\n\n".join(body),
        f"python benchmarks/vocoder.py {how} --work FOLDER --recogniser RECOGNISE_RUN{told_voice}",
    )


def _shown(score: Any, digits: int) -> str:
    return f"{score.value:.{digits}f} [{score.low:.{digits}f}, {score.high:.{digits}f}]"


def said(asked: argparse.Namespace, ways: Mapping[str, Made], listen: Callable[[Sequence[Path]], list[str]]) -> list[list[Any]]:
    """How much is understood of the voice's own test sentences, by each vocoder."""
    predictor, texts = zhuji.load(asked.voice).predictor, [row.input for row in own_rows(asked.voice)[1].split("test")]
    lines = list[list[Any]]()
    for name, make in ways.items():
        made = [
            _file(asked.work / f"said, {name}" / f"{number:03d}.wav", one.samples, one.rate)
            for number, one in enumerate(spoken(predictor, texts, vocoder=make))
        ]
        scores = understood(listen(made), texts)
        lines.append([f"{name} ({len(texts)} sentences)", shown(scores["cer"]), shown(scores["wer"])])
    return lines


if __name__ == "__main__":
    main()

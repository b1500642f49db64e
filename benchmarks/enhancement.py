"""Speech in noise made clean: SI-SDR, PESQ and STOI of the mixtures, of a Wiener filter and of the recipe `enhance`, at five levels of noise.

    python benchmarks/enhancement.py --speech SPEECH --work FIRST
    python benchmarks/enhancement.py --speech SPEECH --more MORE --from FIRST/run --work FOLDER --beside first --beside variational --rooms

SPEECH holds `prompts_en`, `digits_en` and `noise`, each with `metadata.csv`. Training hears the training sentences of the prompts, rows of six digits by all
speakers but one, and the training recordings of noise. The test: the prompts' published test sentences, rows of digits by the speaker held out, and noise
recordings of the published test split; MORE is a folder of clean speech by other voices, of which 200 rows of each voice, or all it has, are heard in
training; STRANGERS are folders of further voices that are only tested with. Each row lies in one stretch of one recording at all five levels. Prompts are mixed and measured at 16 kHz, digits at
their own 8 kHz (PESQ wb and nb). SNR is that of the whole row. `--beside`: runs of WORK that were trained on WORK/speech by other settings, measured as well;
`--leave`: the run itself with other shares of the mixture left in, too; `--rooms`: the prompts in made-up rooms, too.
"""

from __future__ import annotations

import argparse
import csv
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr
import torch
from machine import record, table

import zhuji
from zhuji.core.records import Sound
from zhuji.core.seed import stream
from zhuji.data import sounds
from zhuji.metrics import enhancement
from zhuji.metrics.intervals import Interval, bootstrap, paired_bootstrap
from zhuji.modalities.waveform import Waveform
from zhuji.nn.sounds.mixing import EARLY, echoed, mixed, room, stretch
from zhuji.nn.sounds.wiener import wiener
from zhuji.tasks.enhance import Enhance
from zhuji.tools._seeking import sought
from zhuji.tools.enhance import network

LEVELS = (-5, 0, 5, 10, 15)
IN_ROOMS = (10, 60)
"""The second: hardly any noise, so that echoes are what is heard."""
HELD_OUT = "theo"
DIGITS, GAP = 6, 0.1
"""Digits of a row, and seconds of silence between two."""
MORE = 200
"""Rows of each further voice at most."""
ROWS = 30
"""Of digits that are tested with."""
EACH, SENTENCE = 10, (1.5, 6.0)
"""Recordings of each further voice that is tested with, and how many seconds they last."""
MEASURES = ("si_sdr", "pesq", "stoi")
SHOWN = {"si_sdr": "SI-SDR dB", "pesq": "PESQ", "stoi": "STOI"}
SYSTEMS = ("noisy", "wiener", "ours")
Rows = list[dict[str, str]]


@dataclass(frozen=True)
class Set:
    """Clean rows `(S,)` at `rate`, a stretch of noise as long for each, and what is laid over it: the clean rows, or these in a room."""

    name: str
    rate: int
    clean: Sequence[np.ndarray]
    noise: Sequence[np.ndarray]
    said: Sequence[np.ndarray] | None = None


def listed(folder: Path) -> Rows:
    with open(folder / "metadata.csv", encoding="utf-8", newline="") as file:
        return [{**row, "path": str(folder / row["file_name"])} for row in csv.DictReader(file)]


def heard(row: Mapping[str, str], rate: int) -> np.ndarray:
    """Without a constant offset, which is no sound (one speaker's digits hold a thirtieth of their energy in it)."""
    samples = sounds.samples(Sound(row["path"]), rate).samples
    return samples - samples.mean()


def digit_rows(speech: Path, speakers: Sequence[str], split: str | None, name: str) -> list[np.ndarray]:
    """Recordings of one speaker at a time, shuffled, six to a row, at 8 kHz."""
    found: list[np.ndarray] = []
    for speaker in speakers:
        rows = [row for row in listed(speech / "digits_en") if row["speaker"] == speaker and split in (None, row["split"])]
        order = stream(0, name, speaker).permutation(len(rows))
        said = [heard(rows[place], 8_000) for place in order.tolist()]
        gap = np.zeros(round(GAP * 8_000), np.float32)
        for start in range(0, len(said) - DIGITS + 1, DIGITS):
            found.append(np.concatenate([part for one in said[start : start + DIGITS] for part in (one, gap)]))
    return found


def more_rows(folder: Path) -> list[Path]:
    """Files of a further folder: all of a voice that has few, as many of any other."""
    by_voice: dict[str, list[Path]] = {}
    for row in listed(folder):
        if row["split"] == "train":
            by_voice.setdefault(row["voice"], []).append(Path(row["path"]))
    chosen = {voice: stream(0, "more", voice).permutation(len(of))[:MORE].tolist() for voice, of in by_voice.items()}
    return [by_voice[voice][place] for voice in sorted(chosen) for place in chosen[voice]]


def training_data(speech: Path, more: Path | None, held_out: str, place: Path) -> Path:
    """Prompts of training and validation, and rows of digits by all speakers but the one held out, every twentieth of them for validation; and what is in
    `more`."""
    if place.exists():
        return place
    (place / "clips").mkdir(parents=True)
    lines = ["file_name,split"]
    for number, row in enumerate(row for row in listed(speech / "prompts_en") if row["split"] != "test"):
        (place / "clips" / f"p{number}.flac").write_bytes(Path(row["path"]).read_bytes())
        lines.append(f"clips/p{number}.flac,{row['split']}")
    speakers = sorted({row["speaker"] for row in listed(speech / "digits_en")} - {held_out})
    for number, samples in enumerate(digit_rows(speech, speakers, "train", "train")):
        (place / "clips" / f"d{number}.wav").write_bytes(sounds.as_wav(samples, 8_000))
        lines.append(f"clips/d{number}.wav,{'train' if number % 20 else 'valid'}")
    for number, path in enumerate(more_rows(more) if more else ()):
        (place / "clips" / f"m{number}{path.suffix}").write_bytes(path.read_bytes())
        lines.append(f"clips/m{number}{path.suffix},train")
    # What is tested with is measured below; a run wants a test split all the same.
    for number, row in enumerate(row for row in listed(speech / "prompts_en") if row["split"] == "test"):
        (place / "clips" / f"t{number}.flac").write_bytes(Path(row["path"]).read_bytes())
        lines.append(f"clips/t{number}.flac,test")
    (place / "metadata.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return place


def training_noise(speech: Path, place: Path) -> Path:
    """All recordings but those of the test; every eighth of them judges the model on the way."""
    if not place.exists():
        (place / "clips").mkdir(parents=True)
        lines = ["file_name,split"]
        for number, row in enumerate(row for row in listed(speech / "noise") if row["split"] != "test"):
            (place / row["file_name"]).write_bytes(Path(row["path"]).read_bytes())
            lines.append(f"{row['file_name']},{ {0: 'valid', 8: 'test'}.get(number % 16, 'train') }")
        (place / "metadata.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return place


def never_heard(folders: Sequence[Path]) -> list[np.ndarray]:
    """A few recordings of each voice, of sentences rather than words."""
    found: list[np.ndarray] = []
    for folder in folders:
        rows = [row for row in listed(folder) if SENTENCE[0] < float(row["duration"]) < SENTENCE[1]]
        order = stream(0, "strangers", folder.name).permutation(len(rows))[:EACH]
        found += [heard(rows[place], 16_000) for place in order.tolist()]
    return found


def tests(speech: Path, held_out: str, strangers: Sequence[Path] = ()) -> list[Set]:
    prompts = [heard(row, 16_000) for row in listed(speech / "prompts_en") if row["split"] == "test"]
    digits = digit_rows(speech, [held_out], None, "test")[:ROWS]
    recordings = [row for row in listed(speech / "noise") if row["split"] == "test"]
    found: list[Set] = []
    given = [("prompts", 16_000, prompts), ("digits", 8_000, digits)]
    given += [("strangers", 16_000, never_heard(strangers))] if strangers else []
    for name, rate, clean in given:
        known = [one for row in recordings if (one := heard(row, rate)).any()]
        chance, noise = stream(0, "noise", name), list[np.ndarray]()
        for one in clean:
            part = np.zeros(1, np.float32)
            while not part.any():  # a recording may be silent for a while
                chosen = torch.from_numpy(known[int(chance.integers(len(known)))])
                part = stretch(chosen, len(one), float(chance.random())).numpy()
            noise.append(part)
        found.append(Set(name, rate, clean, noise))
    return found


def in_rooms(one: Set) -> Set:
    """Each row in a room of its own, drawn as the task draws them; clean is what has no late echoes."""
    task = Enhance()
    chance, said, clean = stream(0, "rooms", one.name), list[np.ndarray](), list[np.ndarray]()
    for row in one.clean:
        seconds, direct = (float(chance.uniform(*of)) for of in (task.echo, task.direct))
        answer = room(seconds, direct, one.rate, torch.Generator().manual_seed(int(chance.integers(2**31))))
        said.append(echoed(torch.from_numpy(row), answer).numpy())
        clean.append(echoed(torch.from_numpy(row), answer[: round(EARLY * one.rate)]).numpy())
    return Set("echoes", one.rate, clean, one.noise, said)


def trained(data: Path, noise: Path, run: Path, sets: Sequence[str], start: Path | None) -> float:
    """CPU seconds of the training command, which goes on from the run `start` where there is one."""
    told = run.with_suffix(".cpu")
    if not (run / "results.json").exists():
        given = [f"task.noise_folder={noise}", "train.threads=1", "train.rehearse=false", *sets]
        words = [
            "train",
            str(data),
            *(("--model", "enhance-further", "--from", str(start)) if start else ("--model", "enhance")),
            "--run-dir",
            str(run),
            *(word for one in given for word in ("--set", one)),
        ]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            [sys.executable, "-m", "zhuji", *(["resume", str(run)] if (run / "start.json").exists() else words)], check=True
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        told.write_text(str(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime), encoding="utf-8")
    return float(told.read_text(encoding="utf-8"))


def filtered(samples: np.ndarray, rate: int) -> np.ndarray:
    length = round(0.032 * rate)
    return wiener(torch.from_numpy(samples)[None], length, length // 4)[0].numpy()


class Ours:
    """The model at any rate."""

    def __init__(self, run: Path, leave: float | None = None) -> None:
        predictor = sought(zhuji.load(run).predictor, [] if leave is None else [f"decode.leave={leave}"])
        assert isinstance(predictor.model.modality, Waveform)
        self.rate, self.clean = predictor.model.modality.rate, network(predictor, predictor.model.modality)
        self.parameters = predictor.model.parameter_count
        usual = Enhance().plain()
        self.task = {
            key: value for key, value in predictor.model.task.plain().items() if value != usual[key] and key != "noise_folder"
        }

    def __call__(self, samples: np.ndarray, rate: int) -> np.ndarray:
        given = samples if rate == self.rate else soxr.resample(samples, rate, self.rate)
        found = self.clean(given.astype(np.float32))
        found = found if rate == self.rate else soxr.resample(found, self.rate, rate)
        return np.pad(found, (0, max(0, len(samples) - len(found))))[: len(samples)].astype(np.float32)

    def factor(self, one: Set) -> float:
        """Seconds of a core's work for a second of sound."""
        begun = time.process_time()
        for samples in one.clean:
            self(samples, one.rate)
        return (time.process_time() - begun) * one.rate / sum(map(len, one.clean))


Columns = dict[str, np.ndarray]


def measured(one: Set, level: int, system: Callable[[np.ndarray, int], np.ndarray], kept: Path) -> Columns:
    """All measures of a system's answers; `kept`: where they lie once they were measured."""
    if not kept.exists():
        snr = torch.tensor([float(level)])
        rows = [torch.from_numpy(np.stack(pair)) for pair in zip(one.said or one.clean, one.noise, strict=True)]
        answers = [system(mixed(pair[:1], pair[1:], snr)[0].numpy(), one.rate) for pair in rows]
        kept.parent.mkdir(parents=True, exist_ok=True)
        np.savez(kept, allow_pickle=False, **enhancement.judged(answers, one.clean, one.rate, MEASURES))
    with np.load(kept) as found:
        return dict(found)


def baselines(one: Set, work: Path, levels: Sequence[int] = LEVELS) -> dict[int, dict[str, Columns]]:
    """By level, of the mixture and of the Wiener filter."""
    systems: dict[str, Callable[[np.ndarray, int], np.ndarray]] = {"noisy": lambda samples, rate: samples, "wiener": filtered}
    return {
        level: {
            name: measured(one, level, system, work / "measured" / f"{one.name}_{level}_{name}.npz")
            for name, system in systems.items()
        }
        for level in levels
    }


def shown(found: Interval, best: bool, measure: str) -> str:
    digits = 1 if measure == "si_sdr" else 2 if measure == "pesq" else 3
    text = f"{found.value:.{digits}f}"
    return f"{f'**{text}**' if best else text} [{found.low:.{digits}f}, {found.high:.{digits}f}]"


def tabled(about: str, found: Mapping[int, Mapping[str, Columns]]) -> tuple[str, list[str]]:
    """The table of a set, and where ours is not better."""
    rows: list[list[object]] = []
    worse: list[str] = []
    for measure in MEASURES:
        metric = enhancement.mean_of(measure)
        for level, of in found.items():
            scores = {name: bootstrap(metric, of[name]) for name in SYSTEMS}
            best = max(scores, key=lambda name: scores[name].value)
            apart = {name: paired_bootstrap(metric, of["ours"], of[name]).difference for name in SYSTEMS[:2]}
            gains = [f"{gap.value:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}]" for gap in apart.values()]
            known = int(of["ours"][f"{measure}_rows"].sum())
            rows.append(
                [SHOWN[measure], level, known, *(shown(scores[name], name == best, measure) for name in SYSTEMS), *gains]
            )
            for name, gap in apart.items():
                if not gap.value > 0:
                    worse.append(f"{about}, {SHOWN[measure]} at {level} dB: {gap.value:+.3f} against {name}")
                elif not gap.low > 0:
                    worse.append(
                        f"{about}, {SHOWN[measure]} at {level} dB: {gap.value:+.3f} against {name}, an interval that holds 0"
                    )
    header = ["measure", "SNR dB", "rows", "noisy", "Wiener", "ours", "ours − noisy", "ours − Wiener"]
    return table(header, rows), worse


def compared(one: Set, found: Mapping[int, Mapping[str, Columns]]) -> str:
    """A table of all systems by measure and level."""
    rows: list[list[object]] = []
    for measure in MEASURES:
        for level, of in found.items():
            scores = {name: bootstrap(enhancement.mean_of(measure), columns) for name, columns in of.items()}
            best = max(scores, key=lambda name: scores[name].value)
            rows.append([SHOWN[measure], level, *(shown(score, name == best, measure) for name, score in scores.items())])
    return table(["measure", "SNR dB", *next(iter(found.values()))], rows)


def others(given: argparse.Namespace, sets: Sequence[Set], ours: Ours) -> list[str]:
    """What other runs of WORK say of the same mixtures, and all of them of rooms."""
    run = given.work / given.run
    runs = {"ours": (run / "measured", ours)}
    runs |= {f"leave {share}": (run / f"measured-{share}", Ours(run, share)) for share in given.leave}
    runs |= {name: (given.work / name / "measured", Ours(given.work / name)) for name in given.beside}
    found: list[str] = []
    for one, levels in [
        *((one, LEVELS) for one in sets if given.beside or given.leave),
        *((in_rooms(one), IN_ROOMS) for one in sets[:1] if given.rooms),
    ]:
        plain = baselines(one, given.work, levels)
        columns = {
            level: {
                **plain[level],
                **{name: measured(one, level, of, kept / f"{one.name}_{level}.npz") for name, (kept, of) in runs.items()},
            }
            for level in levels
        }
        title = (
            "prompts in made-up rooms, against what is heard of them in the first 50 ms"
            if one.said
            else f"{one.name}, other settings beside it"
        )
        found.append(f"## {title}\n\n{compared(one, columns)}")
    about = [f"{name}: {of.parameters:,} parameters; task {of.task}" for name, (_, of) in runs.items() if name != "ours"]
    return [*found, *about]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--speech", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument(
        "--held-out", default=HELD_OUT, help="the speaker of digits whom training never hears; a folder WORK of his own"
    )
    parser.add_argument("--run", default="run", help="name of the run in WORK")
    parser.add_argument("--set", dest="sets", action="append", default=[], help="further settings of the training")
    parser.add_argument(
        "--more",
        type=Path,
        help="a folder of clean speech with `metadata.csv` (file_name, voice, split), to train with as well",
    )
    parser.add_argument(
        "--strangers", type=Path, nargs="+", default=[],
        help="folders with `metadata.csv` (file_name, duration), a voice each, to test with as well; none of them is in MORE",
    )  # fmt: skip
    parser.add_argument("--from", dest="start", type=Path, help="a run of `enhance` that the training goes on from")
    parser.add_argument("--beside", action="append", default=[], help="names of further runs in WORK")
    parser.add_argument("--leave", type=float, nargs="+", default=[], help="shares of the mixture that are left in")
    parser.add_argument("--rooms", action="store_true", help="measure in made-up rooms, too")
    given = parser.parse_args()
    torch.set_num_threads(1)
    sets = tests(given.speech, given.held_out, given.strangers)
    known = [baselines(one, given.work) for one in sets]
    data, run = training_data(given.speech, given.more, given.held_out, given.work / "speech"), given.work / given.run
    cpu = trained(data, training_noise(given.speech, given.work / "noise"), run, given.sets, given.start)
    ours, parts, worse = Ours(run), list[str](), list[str]()
    for one, of in zip(sets, known, strict=True):
        found = {
            level: {**of[level], "ours": measured(one, level, ours, run / "measured" / f"{one.name}_{level}.npz")}
            for level in LEVELS
        }
        text, here = tabled(one.name, found)
        seconds = sum(map(len, one.clean)) / one.rate
        parts.append(f"## {one.name}: {len(one.clean)} rows, {seconds:.0f} s, {one.rate // 1000} kHz\n\n{text}")
        worse += here
    parts += others(given, sets, ours)
    factors = ", ".join(f"{ours.factor(one):.4f} ({one.name})" for one in sets)
    about = (
        f"{ours.parameters:,} parameters; {cpu:.0f} CPU seconds for the whole training command on one thread; seconds of one core's work for a second of "
        f"sound, resampling included: {factors}."
    )
    verdict = "\n".join(["Ours is not surely better:", "", *(f"- {line}" for line in worse)]) if worse else (
        "Ours is better than the mixture and than the Wiener filter at every level on every measure, every interval of the paired difference above 0."
    )  # fmt: skip
    notes = f"Brackets: 95 % intervals from 1,000 resamples of the rows; the last two columns are paired. {enhancement.note('pesq')}; {enhancement.note('stoi')}."
    record(
        "enhancement" + ("_further" if given.start else "" if given.held_out == HELD_OUT else f"_{given.held_out}"),
        "Speech in noise made clean",
        "\n\n".join([about, verdict, notes, *parts]),
        "python " + " ".join(sys.argv),
    )


if __name__ == "__main__":
    main()

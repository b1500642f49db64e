"""Speech in noise made clean, each of the six speakers of the digits held out in turn: SI-SDR, PESQ and STOI of the mixtures, of a Wiener filter and of the
recipe `enhance`, by speaker and over all six.

    python benchmarks/enhancement_speakers.py --speech SPEECH --work FOLDER

For each speaker a model is trained as `enhancement.py` does it, on the prompts and on the digits of the other five, in FOLDER/<speaker>; what is finished there is
not done again. The test is 30 rows of six digits by the speaker whom training never heard, in noise recordings that it never heard. Over all six every row
counts once. `--chosen-by`: speakers by whom settings were chosen; the others are told apart, for nobody looked at them before.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from enhancement import (
    LEVELS,
    MEASURES,
    SHOWN,
    SYSTEMS,
    Columns,
    Ours,
    baselines,
    listed,
    measured,
    tabled,
    tests,
    trained,
    training_data,
    training_noise,
)
from machine import record, table

from zhuji.metrics import enhancement

Found = dict[int, dict[str, Columns]]


def held_out(speech: Path, name: str, work: Path, sets: Sequence[str]) -> tuple[Found, float]:
    """Measures by level and system of one speaker, and CPU seconds of the training that never heard him."""
    work.mkdir(parents=True, exist_ok=True)
    (digits,) = (one for one in tests(speech, name) if one.name == "digits")
    plain = baselines(digits, work)
    cpu = trained(
        training_data(speech, None, name, work / "speech"), training_noise(speech, work / "noise"), work / "enhance", sets, None
    )
    ours = Ours(work / "enhance")
    kept = work / "enhance" / "measured"
    return {
        level: {**plain[level], "ours": measured(digits, level, ours, kept / f"digits_{level}.npz")} for level in LEVELS
    }, cpu


def together(found: Sequence[Found]) -> Found:
    """Rows of all speakers below each other."""
    return {
        level: {
            system: {name: np.concatenate([one[level][system][name] for one in found]) for name in found[0][level][system]}
            for system in SYSTEMS
        }
        for level in LEVELS
    }


def pooled(about: str, found: Sequence[Found]) -> str:
    """The table of all their rows, and below it where ours is not surely better."""
    text, worse = tabled(about, together(found))
    return "\n\n".join(
        [text, *(["\n".join(["Ours is not surely better:", "", *(f"- {line}" for line in worse)])] if worse else [])]
    )


def by_speaker(found: Mapping[str, Found]) -> str:
    """Scores of ours, and in brackets of both others."""
    rows: list[list[object]] = []
    for name, of in found.items():
        for measure in MEASURES:
            metric, digits = enhancement.mean_of(measure), 1 if measure == "si_sdr" else 2 if measure == "pesq" else 3
            cells: list[object] = []
            for level in LEVELS:
                noisy, wiener, ours = (metric(of[level][system]) for system in SYSTEMS)
                text = f"{ours:.{digits}f} ({noisy:.{digits}f}, {wiener:.{digits}f})"
                cells.append(f"**{text}**" if ours > max(noisy, wiener) else text)
            rows.append([name, SHOWN[measure], *cells])
    return table(["held out", "ours (noisy, Wiener)", *(f"{level} dB" for level in LEVELS)], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--speech", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--set", dest="sets", action="append", default=[], help="further settings of the trainings")
    parser.add_argument("--chosen-by", nargs="*", default=[], metavar="SPEAKER")
    given = parser.parse_args()
    torch.set_num_threads(1)
    names = sorted({row["speaker"] for row in listed(given.speech / "digits_en")})
    found, minutes = dict[str, Found](), list[float]()
    for name in names:
        found[name], cpu = held_out(given.speech, name, given.work / name, given.sets)
        minutes.append(cpu / 60)
    fresh = [name for name in names if name not in given.chosen_by]
    parts = [
        f"CPU minutes of the six trainings: {', '.join(f'{one:.1f}' for one in minutes)}.",
        f"## All six\n\n{pooled('all six', list(found.values()))}",
        *([f"## {', '.join(fresh)}: settings were chosen without them\n\n{pooled('these', [found[name] for name in fresh])}"] if given.chosen_by else []),
        f"## By speaker\n\nBold: more than both.\n\n{by_speaker(found)}",
        "Brackets: 95 % intervals from 1,000 resamples of the rows, of these speakers and not of others; differences are paired. "
        f"{enhancement.note('pesq')}; {enhancement.note('stoi')}.",
    ]  # fmt: skip
    record(
        "enhancement_speakers",
        "Speech in noise made clean, each speaker held out in turn",
        "\n\n".join(parts),
        "python benchmarks/enhancement_speakers.py --speech data/speech --work enhancement-speakers"
        + (f" --chosen-by {' '.join(given.chosen_by)}" if given.chosen_by else ""),
    )


if __name__ == "__main__":
    main()

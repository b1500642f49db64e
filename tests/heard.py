"""Sounds made by hand, for tests that must hear something."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from zhuji.data.sounds import as_wav

RATE = 8_000


def tone(hertz: float, seconds: float = 0.3, rate: int = RATE, seed: int = 0) -> np.ndarray:
    """`(S,)` float32: a tone in a little noise, so that no two are equal."""
    time = np.arange(round(seconds * rate)) / rate
    noise = np.random.default_rng(seed).standard_normal(len(time))
    return (0.3 * np.sin(2 * np.pi * hertz * time) + 0.02 * noise).astype(np.float32)


def written(path: Path, samples: np.ndarray, rate: int = RATE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(as_wav(samples, rate))
    return path


def coded(samples: np.ndarray, rate: int = RATE, **how: Any) -> bytes:
    """As soundfile writes it: `format`, `subtype`."""
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, samples, rate, **how)
    return file.getvalue()


def spoken_folder(folder: Path, count: int = 24) -> Path:
    """A folder with `metadata.csv` of low and high tones, by three speakers."""
    lines = ["file_name,transcript,speaker"]
    for number in range(count):
        word, speaker = ("low", "high")[number % 2], "abc"[number % 3]
        hertz = (300 if word == "low" else 1_800) + 20 * number
        written(folder / "clips" / f"{number}.wav", tone(hertz, 0.2 + 0.01 * number, seed=number))
        lines.append(f"clips/{number}.wav,{word},{speaker}")
    (folder / "metadata.csv").write_text("\n".join(lines) + "\n")
    return folder

"""A Conformer with CTC in a training loop as one writes it with torch, soundfile and a DataLoader, and nothing else: each clip is decoded in every
epoch, batches are drawn at random and padded to their longest, log-mel frames are computed from the samples of each batch, all in fp32.

    python benchmarks/peers/plain_conformer.py --data prompts_en --rows 13 --steps 40

DATA is a folder with `metadata.csv` (file_name, transcript, split) and clips of 16 kHz. Prints seconds of sound learned from a second of wall time.
"""

from __future__ import annotations

import argparse
import csv
import math
import time
from collections.abc import Iterator
from pathlib import Path

import soundfile
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

RATE, WINDOW, HOP, FFT, BANDS = 16_000, 400, 160, 512, 80
Row = tuple[Tensor, Tensor]


class Clips(Dataset[Row]):
    """Samples and letters of each training clip."""

    def __init__(self, data: Path) -> None:
        with open(data / "metadata.csv", encoding="utf-8", newline="") as file:
            rows = [row for row in csv.DictReader(file) if row["split"] == "train"]
        texts = ["".join(sign for sign in row["transcript"].lower() if sign.isalnum() or sign in " '") for row in rows]
        self.paths = [data / row["file_name"] for row in rows]
        self.letters = sorted({sign for text in texts for sign in text})
        self.texts = [torch.tensor([self.letters.index(sign) + 1 for sign in text]) for text in texts]

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Row:
        samples, rate = soundfile.read(self.paths[index], dtype="float32")
        assert rate == RATE
        return torch.from_numpy(samples), self.texts[index]


def padded(rows: list[Row]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """`(B, S)` samples, how many there are of each, `(B, L)` letters, how many."""
    sounds, texts = zip(*rows, strict=True)
    sizes, letters = torch.tensor([len(one) for one in sounds]), torch.tensor([len(one) for one in texts])
    together = nn.utils.rnn.pad_sequence
    return together(list(sounds), batch_first=True), sizes, together(list(texts), batch_first=True), letters


def mel_filters() -> Tensor:
    """`(F, M)`: triangles after HTK."""
    top = 2595 * math.log10(1 + RATE / 2 / 700)
    corners = 700 * (10 ** (torch.linspace(0, top, BANDS + 2) / 2595) - 1)
    hertz = torch.linspace(0, RATE / 2, FFT // 2 + 1)[:, None]
    rising, falling = (
        (hertz - corners[:-2]) / (corners[1:-1] - corners[:-2]),
        (corners[2:] - hertz) / (corners[2:] - corners[1:-1]),
    )
    return torch.minimum(rising, falling).clamp_min(0)


class Block(nn.Module):
    """Gulati et al. 2020, section 2, with a layer norm in the convolution."""

    def __init__(self, width: int, heads: int, window: int, dropout: float) -> None:
        super().__init__()
        self.first = self._feedforward(width, dropout)
        self.norm1 = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, dropout=0.0, batch_first=True)
        self.norm2 = nn.LayerNorm(width)
        self.gate = nn.Linear(width, 2 * width)
        self.depthwise = nn.Conv1d(width, width, window, padding=window // 2, groups=width)
        self.norm3 = nn.LayerNorm(width)
        self.out = nn.Linear(width, width)
        self.second = self._feedforward(width, dropout)
        self.norm4 = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    @staticmethod
    def _feedforward(width: int, dropout: float) -> nn.Module:
        return nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.SiLU(), nn.Linear(4 * width, width), nn.Dropout(dropout)
        )

    def forward(self, x: Tensor, padding: Tensor) -> Tensor:
        x = x + self.first(x) / 2
        y = self.norm1(x)
        x = x + self.dropout(self.attention(y, y, y, key_padding_mask=padding, need_weights=False)[0])
        y = F.glu(self.gate(self.norm2(x)), -1).masked_fill(padding[..., None], 0.0)
        y = self.out(F.silu(self.norm3(self.depthwise(y.transpose(1, 2)).transpose(1, 2))))
        x = x + self.dropout(y)
        return self.norm4(x + self.second(x) / 2)


class Plain(nn.Module):
    """The recipe's network: 4 blocks of width 128 over every fourth frame."""

    def __init__(
        self, letters: int, width: int = 128, layers: int = 4, heads: int = 4, window: int = 15, dropout: float = 0.1
    ) -> None:
        super().__init__()
        self.enter = nn.Linear(BANDS, width)
        self.shorter = nn.ModuleList(nn.Conv1d(width, width, 3, stride=2, padding=1) for _ in range(2))
        self.then = nn.Linear(width, width)
        self.blocks = nn.ModuleList(Block(width, heads, window, dropout) for _ in range(layers))
        self.out = nn.Linear(width, letters + 1)
        self.dropout = nn.Dropout(dropout)
        self.register_buffer("filters", mel_filters())
        self.register_buffer("window", torch.hann_window(WINDOW))

    def frames(self, samples: Tensor) -> Tensor:
        """Log-mel `(B, T, M)`, each row less its mean over its deviation."""
        assert isinstance(self.window, Tensor) and isinstance(self.filters, Tensor)
        spectra = torch.stft(samples, FFT, HOP, WINDOW, self.window, center=True, pad_mode="constant", return_complex=True)
        logs = (spectra.abs().square().transpose(1, 2) @ self.filters).clamp_min(1e-10).log()
        return (logs - logs.mean(1, keepdim=True)) / (logs.std(1, keepdim=True) + 1e-5)

    def forward(self, samples: Tensor, sizes: Tensor) -> tuple[Tensor, Tensor]:
        """`(B, T, V)` logits and the number of frames of each row."""
        x, lengths = self.enter(self.frames(samples)), 1 + sizes // HOP
        for layer in self.shorter:
            x, lengths = F.silu(layer(x.transpose(1, 2)).transpose(1, 2)), (lengths + 1) // 2
        x = self.then(x) + sinusoids(x.shape[1], x.shape[2])
        padding = torch.arange(x.shape[1])[None] >= lengths[:, None]
        x = self.dropout(x)
        for block in self.blocks:
            x = block(x, padding)
        return self.out(x), lengths


def sinusoids(length: int, width: int) -> Tensor:
    place, rate = torch.arange(length)[:, None], torch.exp(torch.arange(0, width, 2) * (-math.log(10_000) / width))
    return torch.stack((torch.sin(place * rate), torch.cos(place * rate)), -1).flatten(1)


def steps(model: Plain, optimiser: torch.optim.Optimizer, loader: DataLoader[Row]) -> Iterator[tuple[float, float]]:
    """Trains; of each step how many seconds of sound it learned from, and how many seconds the batch was waited for."""
    asked = time.perf_counter()
    for samples, sizes, texts, letters in loader:
        waited = time.perf_counter() - asked
        logits, lengths = model(samples, sizes)
        loss = F.ctc_loss(logits.log_softmax(-1).transpose(0, 1), texts, lengths, letters, zero_infinity=True)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        yield float(sizes.sum()) / RATE, waited
        asked = time.perf_counter()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=13)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--workers", type=int, default=0)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    clips = Clips(asked.data)
    model = Plain(len(clips.letters)).train()
    optimiser = torch.optim.AdamW(model.parameters(), 1e-3)
    loader: DataLoader[Row] = DataLoader(clips, asked.rows, shuffle=True, num_workers=asked.workers, collate_fn=padded)
    begun, learned = time.perf_counter(), 0.0
    for number, (seconds, _) in enumerate(steps(model, optimiser, loader)):
        learned += seconds
        if number + 1 == asked.steps:
            break
    print(f"{learned / (time.perf_counter() - begun):.1f} seconds of sound a second")


if __name__ == "__main__":
    main()

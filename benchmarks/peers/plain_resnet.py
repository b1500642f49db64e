"""ResNet-20 in a training loop as one writes it with torch, Pillow and a DataLoader, and nothing else.

    python benchmarks/peers/plain_resnet.py --data FOLDER --epochs 45 --out result.json

FOLDER holds train.parquet and test.parquet with columns `image` (bytes) and `label`. Writes accuracy on the test rows, and wall and CPU seconds of each epoch
(training alone).
"""

from __future__ import annotations

import argparse
import io
import json
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

CLASSES = 10


class Block(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.stride, self.missing = stride, outputs - inputs

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.missing:
            x = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.missing))
        return F.relu(x + y)


class Plain(nn.Module):
    """The network as one writes it down (He et al. 2016, section 4.2)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn = nn.BatchNorm2d(16)
        blocks: list[nn.Module] = []
        taken = 16
        for stage, width in enumerate((16, 32, 64)):
            for number in range(3):
                blocks.append(Block(taken, width, 2 if stage and not number else 1))
                taken = width
        self.blocks = nn.Sequential(*blocks)
        self.out = nn.Linear(taken, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.blocks(F.relu(self.bn(self.conv(x)))).mean((2, 3)))


class Pictures(Dataset[Any]):
    """Decoded when asked for; with `varied` mirrored by chance and shifted by up to 4 pixels, as the recipe does."""

    def __init__(self, file: Path, mean: np.ndarray, deviation: np.ndarray, *, varied: bool, flips: bool) -> None:
        rows = pq.read_table(file).to_pylist()
        self.pictures = [row["image"] for row in rows]
        classes = sorted({row["label"] for row in rows})
        self.labels = [classes.index(row["label"]) for row in rows]
        self.mean, self.deviation, self.varied, self.flips = mean, deviation, varied, flips

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        pixels = np.asarray(Image.open(io.BytesIO(self.pictures[index])).convert("RGB").resize((32, 32)), np.float32) / 255
        pixels = (pixels - self.mean) / self.deviation
        if self.varied:
            if self.flips and torch.rand(()) < 0.5:
                pixels = pixels[:, ::-1]
            top, left = torch.randint(9, (2,)).tolist()
            pixels = np.pad(pixels, ((4, 4), (4, 4), (0, 0)))[top : top + 32, left : left + 32]
        return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1))), self.labels[index]


def colours(file: Path) -> tuple[np.ndarray, np.ndarray]:
    pictures = [row["image"] for row in pq.read_table(file, columns=["image"]).to_pylist()]
    pixels = np.stack([np.asarray(Image.open(io.BytesIO(data)).convert("RGB").resize((32, 32))) for data in pictures])
    shares = pixels.reshape(-1, 3).astype(np.float64) / 255
    return shares.mean(0).astype(np.float32), shares.std(0).astype(np.float32)


def rate(step: int, steps: int, most: float) -> float:
    warm = max(1, round(0.05 * steps))
    return most * (step + 1) / warm if step < warm else most * (1 + math.cos(math.pi * (step - warm) / (steps - warm))) / 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=45)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--no-flips", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    mean, deviation = colours(options.data / "train.parquet")
    train = Pictures(options.data / "train.parquet", mean, deviation, varied=True, flips=not options.no_flips)
    test = Pictures(options.data / "test.parquet", mean, deviation, varied=False, flips=False)
    model = Plain()
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)
    loader = DataLoader(train, 128, shuffle=True)
    steps, step = options.epochs * len(loader), 0
    wall: list[float] = []
    cpu: list[float] = []
    for epoch in range(options.epochs):
        model.train()
        begun, used = time.perf_counter(), time.process_time()
        for pixels, labels in loader:
            for group in optimiser.param_groups:
                group["lr"] = rate(step, steps, 0.1)
            optimiser.zero_grad()
            with torch.autocast("cpu", torch.bfloat16, enabled=options.bf16):
                loss = F.cross_entropy(model(pixels).float(), labels)
            loss.backward()
            optimiser.step()
            step += 1
        wall.append(time.perf_counter() - begun)
        cpu.append(time.process_time() - used)
        print(f"epoch {epoch + 1}: {wall[-1]:.0f} s, CPU {cpu[-1]:.0f} s", flush=True)
    model.eval()
    right: list[bool] = []
    with torch.inference_mode():
        for pixels, labels in DataLoader(test, 500):
            right += (model(pixels).argmax(1) == labels).tolist()
    facts = {
        "accuracy": sum(right) / len(right),
        "right": right,
        "wall": wall,
        "cpu": cpu,
        "precision": "bf16" if options.bf16 else "fp32",
    }
    options.out.write_text(json.dumps(facts), encoding="utf-8")


if __name__ == "__main__":
    main()

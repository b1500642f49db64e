"""One step of ResNet-20 (forwards, backwards) and one pass, against the same network as a plain torch module; one thread, in turn.

python benchmarks/resnet_vs_plain.py --rounds 12
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from machine import record, table
from peers.plain_resnet import CLASSES, Plain
from torch import Tensor

from zhuji.backbones.resnet import Resnet
from zhuji.core.units import Features
from zhuji.nn.heads import PooledHead

ROWS, SIDE = 128, 32
PEER = "plain, fp32"


def seconds(network: Callable[[], Tensor], labels: Tensor, *, bf16: bool, learning: bool) -> float:
    start = time.perf_counter()
    with torch.set_grad_enabled(learning), torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        loss = F.cross_entropy(network().float(), labels)
    if learning:
        loss.backward()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=12)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    pixels, labels = torch.randn(ROWS, SIDE, SIDE, 3), torch.randint(CLASSES, (ROWS,))
    plain, body, head = Plain(), Resnet(shortcut="pad").body(False), PooledHead(64, CLASSES)
    # As a loader of pictures gives them: colours first.
    first = pixels.permute(0, 3, 1, 2).contiguous()
    features = Features(pixels, torch.ones(ROWS, SIDE, SIDE, dtype=torch.bool))
    runs: dict[str, tuple[Callable[[], Tensor], bool]] = {
        PEER: (lambda: plain(first), False),
        "plain, bf16 autocast": (lambda: plain(first), True),
        "zhuji, fp32": (lambda: head(body(features)), False),
        "zhuji, bf16": (lambda: head(body(features)), True),
    }
    lines: list[list[object]] = []
    for learning, what in ((True, "step"), (False, "pass")):
        for part in (plain, body, head):
            part.train(learning)
        times: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(options.rounds + 1):
            for name, (network, bf16) in runs.items():
                times[name].append(seconds(network, labels, bf16=bf16, learning=learning))
        for name, all_ in times.items():
            own, peer = np.array(all_[1:]), np.array(times[PEER][1:])  # the first round warms up
            lines.append([what, name, f"{1e3 * np.median(own):.0f}", f"{1e3 * own.min():.0f}", f"{np.median(peer / own):.2f}"])
    header = ["", "network", "median ms", "least ms", f"times as fast as {PEER}"]
    told = f"{ROWS} pictures of {SIDE} x {SIDE}, one thread, in turn, {options.rounds} rounds; the ratio is the median over the rounds."
    record(
        "resnet_vs_plain",
        "ResNet-20 against a plain torch module",
        f"{table(header, lines)}\n\n{told}",
        f"python benchmarks/resnet_vs_plain.py --rounds {options.rounds}",
    )


if __name__ == "__main__":
    main()

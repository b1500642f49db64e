"""How fast pictures come to a model, and how long a model waits for them: Zhuji against a plain `DataLoader` over Pillow.

    python benchmarks/picture_input.py --data cifar10-train.parquet

Input: both give batches of the same rows as normalised float32 tensors, in turns, one epoch each. The plain loop decodes each picture in
every epoch, in this process (0 workers) or in as many as `--workers` says. Zhuji decodes once, which is counted apart as `before`.

Waiting: `zhuji`'s own loop trains a network of convolutions for some steps; the share of the time that it spends in waiting for the next
batch is measured where it takes one.
"""

from __future__ import annotations

import argparse
import io
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from machine import record, table
from PIL import Image as Pillow
from torch.utils.data import DataLoader, Dataset

from zhuji.data.loader import Loader
from zhuji.data.pictures import read_bytes
from zhuji.data.prepare import prepare
from zhuji.data.settings import DataSettings
from zhuji.modalities.image import Image
from zhuji.tasks.classify import Classify
from zhuji.training.material import Rows, gather


class Plain(Dataset[Any]):
    """What a page of instructions would have one write."""

    def __init__(self, pictures: list[bytes], labels: list[int], mean: Any, deviation: Any) -> None:
        self.pictures, self.labels = pictures, labels
        self.mean, self.deviation = (torch.tensor(values).view(3, 1, 1) for values in (mean, deviation))

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        image = Pillow.open(io.BytesIO(self.pictures[index])).convert("RGB")
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 255
        return (pixels - self.mean) / self.deviation, self.labels[index]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--size", type=int, nargs=2, default=(32, 32))
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--workers", type=int, nargs="*", default=[0, 1])
    parser.add_argument("--backbone", default="{name: resnet}", help="settings of the backbone that waits")
    parser.add_argument("--steps", type=int, default=60)
    return parser.parse_args()


def ours(rows: Rows, batch: int, epoch: int) -> Iterator[int]:
    height, width = rows.encoded[0].grid
    loader = Loader(rows.lengths, batch_units=batch * height * width, seed=0)
    for plan in loader.epoch(epoch):
        yield len(rows.varied(plan, epoch))


def waiting(data: Path, options: argparse.Namespace) -> tuple[float, float, int]:
    """Seconds in all, seconds of waiting, and steps of Zhuji's own loop."""
    from zhuji.training import loop
    from zhuji.training.fit import fit
    from zhuji.training.run import compose

    waited, began, seconds, prefetched = 0.0, 0.0, 0.0, loop.prefetched

    class Watched:
        def __init__(self, batches: Iterator[Any]) -> None:
            self.batches = batches

        def __iter__(self) -> Watched:
            return self

        def __next__(self) -> Any:
            nonlocal waited, began, seconds
            asked = time.perf_counter()
            found = next(self.batches)
            now = time.perf_counter()
            if began:  # the first batch is waited for by everybody
                waited, seconds = waited + now - asked, now - began
            began = began or now
            return found

    class Context:
        def __init__(self, *given: Any) -> None:
            self.inner = prefetched(*given)

        def __enter__(self) -> Watched:
            return Watched(self.inner.__enter__())

        def __exit__(self, *error: Any) -> Any:
            return self.inner.__exit__(*error)

    loop.prefetched = Context  # type: ignore[assignment]
    units = options.batch * options.size[0] * options.size[1]
    sets = [f"backbone={options.backbone}", f"modality={{name: image, size: {list(options.size)}}}", f"train.steps={options.steps}",
            f"train.batch_units={units}", "train.threads=1", "train.precision=fp32", "train.rehearse=false", "evaluate.baselines=false",
            "evaluate.bootstrap=0", f"data.limit={options.rows}"]  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        fit(compose({"data": {"path": str(data)}}, sets=sets), Path(folder) / "run", progress=False)
    return seconds, waited, options.steps - 1


def main() -> None:
    options = arguments()
    torch.set_num_threads(1)
    began = time.perf_counter()
    prepared = prepare(DataSettings(path=str(options.data), limit=options.rows, leaks="allow"), 0)
    read = time.perf_counter()
    material = gather(prepared, Image(size=tuple(options.size)), Classify(), 0)
    decoded = time.perf_counter()
    rows = material.rows["train"]
    modality: Any = material.modality
    pictures = [read_bytes(record.input) for record in rows.records]
    labels = [int(label) for label in torch.as_tensor(rows.targets["label"])]
    plain = Plain(pictures, labels, modality.measured.mean, modality.measured.deviation)
    names = {"zhuji": None, **{f"DataLoader, {workers} workers": workers for workers in options.workers}}
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(options.turns):
        for name, workers in names.items():
            start = time.perf_counter()
            if workers is None:
                count = sum(ours(rows, options.batch, turn))
            else:
                loader = DataLoader(plain, options.batch, shuffle=True, num_workers=workers)
                count = sum(len(batch) for batch, _ in loader)
            assert count == len(rows)
            seconds[name].append(time.perf_counter() - start)
    median = {name: statistics.median(found) for name, found in seconds.items()}
    lines: list[list[object]] = [
        [name, f"{1e6 * of / len(rows):.1f}", f"{of / median['zhuji']:.1f}", f"{1e6 * min(seconds[name]) / len(rows):.1f} – {1e6 * max(seconds[name]) / len(rows):.1f}"]
        for name, of in median.items()
    ]  # fmt: skip
    total, waited, steps = waiting(options.data, options)
    body = (
        f"{len(rows):,} training pictures of {options.data.name}, {options.size[0]} × {options.size[1]}, batches of {options.batch}, one thread.\n\n"
        + table(["input", "µs a picture (median)", "times Zhuji's", "range"], lines)
        + f"\n\nBefore the first epoch, once: {1e6 * (read - began) / options.rows:.0f} µs a picture to read, look at and compare all, "
        f"{1e6 * (decoded - read) / options.rows:.0f} µs to measure and decode them.\n\nWaiting, `{options.backbone}`: "
        f"{waited:.3f} s of {total:.1f} s over {steps} steps, {waited / total:.2%}."
    )
    command = f"python benchmarks/picture_input.py --data {options.data.name} --backbone '{options.backbone}'"
    record("picture_input", "Pictures on their way to a model", body, command)


if __name__ == "__main__":
    main()

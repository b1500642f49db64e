"""Pictures by class: the recipes resnet-20, vgg-11 and vit-tiny from nothing; a ResNet-20 with nothing but mirroring and shifts beside the same in a plain torch loop (trained
at the same time, one thread each, on the same rows for the same number of epochs); and a linear SVM on the pixels.

    python benchmarks/pictures.py --train cifar10-train.parquet --test cifar10-test.parquet --work FOLDER --epochs 60 --alike 0
    python benchmarks/pictures.py --digits digits.npz --work FOLDER --epochs 15 --name pictures_digits

A hundredth of the training pictures, drawn at random, is held out for validation; all of the test set is scored. Nothing is moved between splits
(`data.leaks=allow`), as in what others publish. What is finished in --work is not trained again. --turns: seconds of an epoch (the second of two), in turn,
when nothing else runs.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from machine import record, table
from PIL import Image
from sklearn.svm import LinearSVC

PEER = Path(__file__).parent / "peers" / "plain_resnet.py"
ALWAYS = ("train.threads=1", "data.leaks=allow", "data.near=0", "evaluate.baselines=false", "train.rehearse=false")
LIKE_PLAIN = (
    "modality.variation.erase=0",
    "modality.variation.margin=zeros",
    "task.label_smoothing=0",
    "train.batch_units=131072",
    "train.optim.nesterov=false",
)
"""What the recipe does beyond the plain loop, taken back."""
VALID = 100
C = (1e-5, 1e-4, 1e-3)


def parquet(file: Path, image: str, label: str) -> tuple[list[bytes], list[str]]:
    read = pq.read_table(file).to_pylist()
    return [row[image]["bytes"] if isinstance(row[image], dict) else row[image] for row in read], [
        str(row[label]) for row in read
    ]


def npz(file: Path) -> dict[str, tuple[list[bytes], list[str]]]:
    """The digits as PNG."""
    arrays = np.load(file)
    found: dict[str, tuple[list[bytes], list[str]]] = {}
    for part in ("train", "test"):
        pictures: list[bytes] = []
        for pixels in arrays[f"x_{part}"]:
            written = io.BytesIO()
            Image.fromarray(pixels.reshape(28, 28)).save(written, "PNG")
            pictures.append(written.getvalue())
        found[part] = pictures, [str(value) for value in arrays[f"y_{part}"]]
    return found


def written(folder: Path, options: argparse.Namespace) -> Path:
    """train, valid and test as three files that both sides read."""
    if (folder / "test.parquet").exists():
        return folder
    parts = (
        npz(options.digits)
        if options.digits
        else {"train": parquet(options.train, "image", "label"), "test": parquet(options.test, "image", "label")}
    )
    folder.mkdir(parents=True, exist_ok=True)
    order = np.random.default_rng(0).permutation(len(parts["train"][0]))
    held = len(order) // VALID
    for name, part, rows in (
        ("valid", "train", order[:held]),
        ("train", "train", order[held:]),
        ("test", "test", np.arange(len(parts["test"][0]))),
    ):
        pictures, labels = parts[part]
        columns = {"image": [pictures[row] for row in rows], "label": [labels[row] for row in rows]}
        pq.write_table(pa.table(columns), folder / f"{name}.parquet")
    return folder


def ours(data: Path, folder: Path, recipe: str, epochs: int, sets: list[str]) -> dict[str, Any]:
    """`results.json` of a run, trained if it is not finished, with the seconds of each of its epochs: training alone, as its log has them."""
    if not (folder / "results.json").exists():
        command = [sys.executable, "-m", "zhuji", "train", str(data), "--model", recipe, "--run-dir", str(folder)]
        command += [word for pair in (*ALWAYS, f"train.epochs={epochs}", *sets) for word in ("--set", pair)]
        subprocess.run(
            [sys.executable, "-m", "zhuji", "resume", str(folder)] if (folder / "start.json").exists() else command, check=True
        )
    facts: dict[str, Any] = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    seconds: list[float] = []
    begun = trained = 0.0
    for line in map(json.loads, (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()):
        if line["kind"] == "train":
            trained = line["seconds"]
        elif line["kind"] == "valid" and trained > begun:
            seconds.append(trained - begun)
            begun = line["seconds"]
    precision = json.loads((folder / "start.json").read_text(encoding="utf-8"))["run"]["train"]["precision"]
    return {**facts, "epochs": seconds, "precision": precision}


def peer(data: Path, out: Path, epochs: int, *more: str) -> subprocess.Popen[bytes] | None:
    """The plain loop, begun if it is not finished."""
    if out.exists():
        return None
    return subprocess.Popen([sys.executable, str(PEER), "--data", str(data), "--epochs", str(epochs), "--out", str(out), *more])


def interval(right: np.ndarray) -> str:
    """A share with its 95 % interval by resampled rows."""
    random = np.random.default_rng(0)
    means = [right[random.integers(len(right), size=len(right))].mean() for _ in range(1000)]
    low, high = np.quantile(means, (0.025, 0.975))
    return f"{right.mean():.4f} [{low:.4f}, {high:.4f}]"


def rights(folder: Path) -> np.ndarray:
    """Which test rows a run has right, in the order of the file."""
    with open(folder / "predictions.csv", encoding="utf-8", newline="") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: int(row["id"].rpartition("-")[2]))
    return np.array([row["label"] == row["prediction"] for row in rows])


def apart(ours_right: np.ndarray, theirs_right: np.ndarray) -> str:
    """Points by which more of the same rows are right, with their 95 % interval by resampled rows."""
    assert len(ours_right) == len(theirs_right), "both are scored on all test rows"
    gaps, random = 100 * (ours_right.astype(float) - theirs_right), np.random.default_rng(0)
    means = [gaps[random.integers(len(gaps), size=len(gaps))].mean() for _ in range(1000)]
    low, high = np.quantile(means, (0.025, 0.975))
    return f"{gaps.mean():+.2f} [{low:+.2f}, {high:+.2f}]"


def linear(data: Path) -> tuple[np.ndarray, float]:
    """Of a linear SVM on the pixels, whose C is chosen on the validation rows: which test rows it has right, and that C."""
    parts: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for name in ("train", "valid", "test"):
        pictures, labels = parquet(data / f"{name}.parquet", "image", "label")
        rows = [np.asarray(Image.open(io.BytesIO(picture)).convert("RGB")).ravel() for picture in pictures]
        parts[name] = np.stack(rows).astype(np.float32) / 255, np.array(labels)
    mean, deviation = parts["train"][0].mean(0), parts["train"][0].std(0) + 1 / 255
    scaled = {name: ((pixels - mean) / deviation, labels) for name, (pixels, labels) in parts.items()}
    fitted = [LinearSVC(C=c, dual=True, max_iter=200, tol=1e-2, random_state=0).fit(*scaled["train"]) for c in C]
    best = max(range(len(C)), key=lambda n: float(fitted[n].score(*scaled["valid"])))
    pixels, labels = scaled["test"]
    return fitted[best].predict(pixels) == labels, C[best]


def turns(data: Path, folder: Path, options: argparse.Namespace) -> str:
    """Seconds of an epoch, each loop in turn, and how many times as fast as the plain one in fp32 ours is."""
    loops = {"plain, fp32": (), "plain, bf16": ("--bf16",)}
    seconds: dict[str, list[float]] = {name: [] for name in (*loops, "zhuji")}
    for turn in range(options.turns):
        sets = [*LIKE_PLAIN, *options.sets]
        seconds["zhuji"].append(ours(data, folder / f"turn-{turn}", "resnet-20", 2, sets)["epochs"][1])
        for name, more in loops.items():
            out = folder / f"turn-{turn}-{len(more)}.json"
            if (process := peer(data, out, 2, *more)) is not None and process.wait():
                raise SystemExit("the plain loop failed")
            seconds[name].append(json.loads(out.read_text())["wall"][1])
    base = np.array(seconds["plain, fp32"])
    lines: list[list[object]] = [
        [name, f"{np.median(each):.0f}", f"{min(each):.0f} to {max(each):.0f}", f"{np.median(base / np.array(each)):.2f}"]
        for name, each in seconds.items()
    ]
    header = ["loop", "seconds an epoch, median", "spread", "times as fast as plain, fp32"]
    return (
        f"{table(header, lines)}\n\nThe second of two epochs, {options.turns} turns, one thread, in turn, nothing else running."
    )


def trained(data: Path, options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """Ours by name, one after the other."""
    planned = (
        ("the recipe resnet-20", "resnet-20", options.epochs, []),
        ("resnet-20 as the plain loop", "alike", options.alike, LIKE_PLAIN),
        ("the recipe vgg-11", "vgg-11", options.others, []),
        ("the recipe vit-tiny", "vit-tiny", options.others, []),
    )
    return {
        f"{name}, {epochs} epochs": ours(
            data, options.work / place, "resnet-20" if place == "alike" else place, epochs, [*sets, *options.sets]
        )
        for name, place, epochs, sets in planned
        if epochs
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", type=Path)
    parser.add_argument("--test", type=Path)
    parser.add_argument("--digits", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=60, help="of the plain loop and of the recipe resnet-20")
    parser.add_argument("--alike", type=int, default=45, help="epochs of ResNet-20 as the plain loop trains it; 0: none")
    parser.add_argument("--others", type=int, default=20, help="epochs of vgg-11 and vit-tiny; 0: none")
    parser.add_argument("--turns", type=int, default=0)
    parser.add_argument("--bf16", action="store_true", help="the plain loop that is trained to its end computes in bf16")
    parser.add_argument("--name", default="pictures")
    parser.add_argument("--set", dest="sets", action="append", default=[], metavar="KEY=VALUE")
    options = parser.parse_args()
    more = ["--no-flips"] if options.digits else []
    # Both sides compute in bf16 where it pays; what fp32 costs the plain loop is told by the turns.
    more += ["--bf16"] if options.bf16 else []
    if options.digits:
        options.sets += ["modality.variation.flip=0"]
    data = written(options.work / "data", options)
    out = options.work / "plain.json"
    plain = peer(data, out, options.epochs, *more)
    runs = trained(data, options)
    right, c = linear(data)
    if plain is not None and plain.wait():
        raise SystemExit("the plain loop failed")
    theirs = json.loads(out.read_text(encoding="utf-8"))
    lines: list[list[object]] = [
        [f"zhuji {name}", f"{score['value']:.4f} [{score['low']:.4f}, {score['high']:.4f}]", facts["precision"], f"{np.median(facts['epochs']):.0f}"]
        for name, facts in runs.items()
        for score in [facts["test"]["accuracy"]]
    ]  # fmt: skip
    lines.append(
        [
            f"plain torch loop, ResNet-20, {options.epochs} epochs",
            interval(np.array(theirs["right"])),
            theirs["precision"],
            f"{np.median(theirs['wall']):.0f}",
        ]
    )
    lines.append([f"linear SVM on pixels, C = {c}", interval(right), "", ""])
    gap = apart(rights(options.work / "resnet-20"), np.array(theirs["right"]))
    body = table(["model", "accuracy on the test set", "precision", "seconds an epoch while others ran"], lines)
    body += f"\n\nOf the same test pictures the recipe resnet-20 has {gap} points more right than the plain loop; one seed."
    if options.turns:
        body += f"\n\n{turns(data, options.work, options)}"
    told = ["--digits digits.npz"] if options.digits else ["--train cifar10-train.parquet", "--test cifar10-test.parquet"]
    told += [
        "--work FOLDER",
        f"--epochs {options.epochs}",
        f"--alike {options.alike}",
        f"--others {options.others}",
        f"--turns {options.turns}",
        *(["--bf16"] if options.bf16 else []),
    ]
    record(options.name, "Pictures by class", body, " ".join(["python benchmarks/pictures.py", *told]))


if __name__ == "__main__":
    main()

"""`zhuji serve` beside what one would write without it: the same classifier behind FastAPI, by the `transformers` pipeline and by torch.

    python benchmarks/serve.py --data en_sections.csv

One model, trained here for a few steps (its weights do not matter, its shape does), stands as a bundle, as ONNX with and without int8, and as a
Hugging Face folder. All servers run at once, each computing with one thread; whoever has no turn is idle. Clients keep their connection and send
one text at a time. Turns of each server are interleaved; a turn lasts `--seconds`. Where the machine has two cores, servers share the first and
the clients take the second. Every answer is compared with what the model says in Python.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from machine import record, table

PEER = Path(__file__).parent / "peers" / "http_classifier.py"
CLIENTS = (1, 32)
WIDTHS = {"bert-mini": 256, "bert-small": 512, "bert-base": 768}
TOLERANCE = {"fp32": 1e-4, "coarse": 0.05}
"""Between two programs, of their own tokenizers and kernels; and what coarser numbers may change, of a score or of a tie."""
OURS = "zhuji serve"
Expected = dict[str, dict[str, float]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--recipe", default="bert-mini")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=8.0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        bundle, folder = prepare(Path(place), asked.data, asked.recipe)
        texts = test_texts(asked.data)
        expected = in_python(bundle, texts)
        servers: dict[str, Server] = {}
        try:
            for name, words in commands(bundle, folder, Path(place)).items():
                servers[name] = Server(name, words, Path(place))
            found = measure(servers, texts, expected, asked.turns, asked.seconds)
        finally:
            for server in servers.values():
                server.stop()
    command = f"python benchmarks/serve.py --data {asked.data.name} --recipe {asked.recipe} --turns {asked.turns} --seconds {asked.seconds:g}"
    about = f"{len(texts):,} test texts of {statistics.mean(map(len, texts)):.0f} characters, one"
    title = f"Serving a classifier: {asked.recipe}, {asked.data.stem}"
    record(f"serve_{asked.data.stem}", title, told(found, asked.recipe, about), command)


def prepare(place: Path, data: Path, recipe: str) -> tuple[Path, Path]:
    """The model as a bundle and as a folder that `transformers` reads."""
    foundation, run, folder = place / "foundation", place / "run", place / "theirs"
    quick = ("train.threads=1", "train.rehearse=false")
    zhuji(
        "pretrain",
        str(data),
        "--text",
        "text",
        "--model",
        recipe,
        "--run-dir",
        str(foundation),
        *settings(*quick, "train.steps=3"),
    )
    # The head that BERT has (Devlin et al. 2019): transformers reads no other.
    head = ("task.pool=first", f"task.hidden={WIDTHS[recipe]}", "task.activation=tanh")
    rest = ("start.choose=off", "train.steps=60", "evaluate.baselines=false", "evaluate.bootstrap=0")
    zhuji("train", str(data), "--from", str(foundation), "--run-dir", str(run), *settings(*quick, *head, *rest))
    zhuji("convert", str(run), str(folder))
    zhuji("export", str(run), "--to", "onnx,onnx-int8", "--out", str(place))
    return run / "bundle", folder


def settings(*pairs: str) -> list[str]:
    return [word for pair in pairs for word in ("--set", pair)]


def zhuji(*words: str) -> None:
    done = subprocess.run([sys.executable, "-m", "zhuji", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"zhuji {words[0]}: {done.stderr.strip()}")


def test_texts(data: Path) -> list[str]:
    with data.open(encoding="utf-8", newline="") as file:
        texts = [row["text"] for row in csv.DictReader(file) if row.get("split") == "test"]
    return random.Random(0).sample(texts, min(1000, len(texts)))


def in_python(bundle: Path, texts: list[str]) -> Expected:
    """What Python answers, one text at a time: the score of each class."""
    from zhuji.model.bundle import open_bundle

    predictor = open_bundle(bundle)
    return {text: dict(answer.scores or {}) for text in texts for answer in predictor.predict([text])}


def commands(bundle: Path, folder: Path, place: Path) -> dict[str, list[str]]:
    theirs = [sys.executable, str(PEER), str(folder)]
    return {
        OURS: ours(bundle),
        f"{OURS}, bf16": ours(bundle, *settings("serve.precision=bf16")),
        f"{OURS}, ONNX": ours(place / "onnx"),
        f"{OURS}, ONNX int8": ours(place / "onnx-int8"),
        "transformers pipeline, FastAPI": [*theirs, "--kind", "pipeline", "--port"],
        "torch, FastAPI": [*theirs, "--kind", "torch", "--port"],
        "torch bf16, FastAPI": [*theirs, "--kind", "torch-bf16", "--port"],
    }


def ours(model: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "zhuji", "serve", f"model={model}", *more, "--port"]


class Server:
    """A server process on a free port of this machine."""

    def __init__(self, name: str, words: list[str], place: Path) -> None:
        self.name, self.log = name, place / f"{name.replace(' ', '-')}.log"
        self.limit = TOLERANCE["coarse" if "bf16" in name or "int8" in name else "fp32"]
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        alone = {**os.environ, "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}
        self.file = self.log.open("wb")
        self.process = subprocess.Popen([*words, str(self.port)], env=alone, stdout=self.file, stderr=self.file)
        pin(first=True, process=self.process.pid)
        self.wait()

    def wait(self) -> None:
        for _ in range(600):
            if self.process.poll() is not None:
                sys.exit(f"{self.name} ended: {self.log.read_text()[-2000:]}")
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1):
                    return
            except OSError:
                time.sleep(0.1)
        sys.exit(f"{self.name} did not listen within a minute")

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)
        self.file.close()


def pin(first: bool, process: int = 0) -> None:
    """Servers on the first core, clients on the second, where there are two."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(cores) > 1:
        os.sched_setaffinity(process, {cores[0]} if first else {cores[1]})


class Turn:
    """What the clients saw while one server had its turn."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.wrong = 0
        self.refused = 0
        self.span = 0.0

    def as_dict(self) -> dict[str, float]:
        ordered = sorted(self.seconds)
        return {
            "rate": len(ordered) / self.span, "p50": 1e3 * statistics.median(ordered), "p99": 1e3 * ordered[int(0.99 * len(ordered))],
            "wrong": self.wrong, "refused": self.refused,
        }  # fmt: skip


async def turn(server: Server, clients: int, texts: list[str], expected: Expected, seconds: float) -> Turn:
    seen = Turn()
    stop = time.perf_counter() + seconds

    async def client(number: int) -> None:
        chance = random.Random(number)
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        while time.perf_counter() < stop:
            text = chance.choice(texts)
            begun = time.perf_counter()
            status, body = await ask(reader, writer, text)
            if status != 200:
                seen.refused += 1
                continue
            seen.seconds.append(time.perf_counter() - begun)
            seen.wrong += differs(body, expected[text], server.limit)
        writer.close()
        await writer.wait_closed()

    begun = time.perf_counter()
    await asyncio.gather(*(client(number) for number in range(clients)))
    seen.span = time.perf_counter() - begun
    return seen


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, text: str) -> tuple[int, Any]:
    """One request over a connection that stays open. Written by hand: a client library takes longer than the servers."""
    body = json.dumps({"input": text}).encode()
    head = f"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower().split("\r\n")
    length = next(int(line.partition(":")[2]) for line in lines if line.startswith("content-length"))
    return int(lines[0].split(" ")[1]), json.loads(await reader.readexactly(length))


def differs(body: Any, expected: dict[str, float], limit: float) -> bool:
    """The score of another class than Python's may not be further from that class's own in Python, nor from the best, than the limit."""
    found = body["predictions"][0] if "predictions" in body else body
    mine = expected[found["answer"]]
    return abs(found["score"] - mine) > limit or max(expected.values()) - mine > limit


Found = dict[tuple[str, int], list[dict[str, float]]]


def measure(servers: dict[str, Server], texts: list[str], expected: Expected, turns: int, seconds: float) -> Found:
    everywhere = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    pin(first=False)
    found: Found = {}
    for number in range(-1, turns):  # the first turn of each warms it up
        for clients in CLIENTS:
            for name, server in servers.items():
                seen = asyncio.run(turn(server, clients, texts, expected, 2.0 if number < 0 else seconds))
                if number >= 0:
                    found.setdefault((name, clients), []).append(seen.as_dict())
                    print(name, clients, found[name, clients][-1], flush=True)
    if everywhere is not None:
        os.sched_setaffinity(0, everywhere)
    return found


def told(found: Found, recipe: str, texts: str) -> str:
    names = list(dict.fromkeys(name for name, _ in found))
    rows: list[list[object]] = []
    for clients in CLIENTS:
        for name in names:
            turns = found[name, clients]
            ours = found[names[0], clients]
            ratios = sorted(mine["rate"] / theirs["rate"] for mine, theirs in zip(ours, turns, strict=True))
            rows.append([
                clients, name, f"{middle(turns, 'rate'):,.0f} ({low(turns, 'rate'):,.0f}–{high(turns, 'rate'):,.0f})",
                f"{middle(turns, 'p50'):.1f}", f"{middle(turns, 'p99'):.1f}", f"{statistics.median(ratios):.2f}× ({ratios[0]:.2f}–{ratios[-1]:.2f})",
                f"{sum(one['wrong'] for one in turns):.0f}", f"{sum(one['refused'] for one in turns):.0f}",
            ])  # fmt: skip
    header = ["clients", "server", "requests/s", "p50 ms", "p99 ms", "zhuji serve is faster by", "wrong", "refused"]
    how = f"Medians (and range) of {len(found[names[0], 1])} interleaved turns; the ratio is that of the same turn. {texts} a request, {recipe}."
    wrong = f"Wrong: off by more than {TOLERANCE['fp32']:g}, of bf16 and int8 {TOLERANCE['coarse']:g}: a score, or how far the answer is from the best class."
    return f"{table(header, rows)}\n\n{how} {wrong}"


def middle(turns: list[dict[str, float]], key: str) -> float:
    return statistics.median(one[key] for one in turns)


def low(turns: list[dict[str, float]], key: str) -> float:
    return min(one[key] for one in turns)


def high(turns: list[dict[str, float]], key: str) -> float:
    return max(one[key] for one in turns)


if __name__ == "__main__":
    main()

"""Ask a server hard for a while, as many clients do at once, and compare every answer with Python's.

    python benchmarks/serve_load.py BUNDLE [--seconds 600] [--clients 64] [--workers 2] [--garbage 0.05]

Rows of mixed sizes by JSON and as files; among them garbage: bad and deep JSON, bodies too large (with and without a length), heads and
bodies that drip, bodies that break off, wrong types, tricks with paths, what is no HTTP. Halfway one worker is killed, and at the end the
server is told to stop while all still ask. Leaves with 1 unless no answer was wrong, no status was 5xx but 503, every broken
connection belonged to the killed worker, memory was flat and the server ended with 0.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np
import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.machine import record, table

CLOSE = 1e-5
GROWTH = 0.10
"""Largest growth of memory from the second fifth of the time to the last one."""


@dataclass
class Found:
    """What clients saw. `lost`: requests that were sent whole and got no answer: when, whether
    they were sound, and the error."""

    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    lost: list[tuple[float, bool, str]] = field(default_factory=list)
    refused: int = 0
    rows: int = 0
    memory: list[tuple[float, float]] = field(default_factory=list)
    stopped: bool = False


class Questions:
    """Texts of mixed sizes with the answers that Python gives."""

    def __init__(self, bundle: Path, count: int = 400) -> None:
        from zhuji.model.bundle import open_bundle

        predictor, rng = open_bundle(bundle), random.Random(0)
        words = " ".join(str(row["input"]) for row in predictor.golden).split() or ["word"]
        lengths = [min(400, int(rng.paretovariate(0.8)) + 1) for _ in range(count)]
        self.texts = [" ".join(rng.choices(words, k=length)) for length in lengths]
        self.answers = list(predictor.predict(self.texts))

    def pick(self, rng: random.Random) -> list[int]:
        size = 1 if rng.random() < 0.7 else rng.choice([2, 4, 8, 16, 32, 64])
        return [rng.randrange(len(self.texts)) for _ in range(size)]

    def faults(self, places: list[int], told: list[dict]) -> list[str]:
        if len(told) != len(places):
            return [f"{len(told)} answers for {len(places)} rows"]
        return [f"row {place}: {one}" for place, one in zip(places, told, strict=True) if not self._same(place, one)]

    def _same(self, place: int, told: dict) -> bool:
        expected = self.answers[place]
        answer = list(expected.answer) if isinstance(expected.answer, tuple) else expected.answer
        if isinstance(answer, int | float):
            return bool(np.isclose(answer, told["answer"], rtol=CLOSE, atol=CLOSE))
        scores = expected.scores or {}
        return answer == told["answer"] and all(abs(scores[name] - told["scores"][name]) <= CLOSE for name in scores)


# ------------------------------------------------------------------------------------------------------- questions


async def ask(client: httpx.AsyncClient, questions: Questions, found: Found, rng: random.Random) -> None:
    """One sound request, by JSON or as a file."""
    places, begun = questions.pick(rng), time.monotonic()
    texts = [questions.texts[place] for place in places]
    if rng.random() < 0.1:
        rows = "".join(json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in texts)
        response = await client.post("/predict", files={"file": ("rows.jsonl", rows.encode())})
    else:
        response = await client.post("/predict", json={"inputs": texts})
    found.statuses["sound", response.status_code] += 1
    if response.status_code == 200:
        found.seconds.append(time.monotonic() - begun)
        found.rows += len(places)
        found.wrong += questions.faults(places, response.json()["predictions"])
    elif response.status_code == 503:
        assert int(response.headers["retry-after"]) >= 1
        await asyncio.sleep(min(2.0, float(response.headers["retry-after"])))


GARBAGE: dict[str, tuple[int, ...]] = {
    "bad json": (400,), "deep json": (400,), "wrong types": (422,), "paths": (400, 404), "huge": (413,), "huge, no length": (413,),
    "slow head": (408, 0), "slow body": (408, 0), "cut off": (0,), "no http": (400,), "wrong kind": (415,),
}  # fmt: skip
"""Kinds, and the statuses that each may get; 0: none, since the client left."""


async def spoil(client: httpx.AsyncClient, found: Found, rng: random.Random) -> None:
    """One request that cannot be answered."""
    kind = rng.choice(list(GARBAGE))
    try:
        status = await _spoilt(kind, client, rng)
    except httpx.TransportError as error:
        raise httpx.TransportError(f"{kind}: {error!r}") from None
    found.statuses[kind, status] += 1
    if status not in (*GARBAGE[kind], 503):
        found.wrong.append(f"{kind}: status {status}")


async def _spoilt(kind: str, client: httpx.AsyncClient, rng: random.Random) -> int:
    send = {"headers": {"Content-Type": "application/json"}}
    match kind:
        case "bad json":
            content = rng.choice([b"{", b'{"inputs": [', b"\xff\xfe", b'{"input": NaN}', b'{"input": "\\ud800"}', b"inputs=a"])
            return (await client.post("/predict", content=content, **send)).status_code
        case "deep json":
            return (await client.post("/predict", content=b"[" * 50_000 + b"]" * 50_000, **send)).status_code
        case "wrong types":
            body = rng.choice(
                [{"inputs": [1]}, {"inputs": "a"}, {"input": {}}, [], {"inputs": [["a", None]]}, {"model": 1, "input": "a"}]
            )
            return (await client.post("/predict", json=body)).status_code
        case "paths":
            path = rng.choice(
                [
                    "/../../etc/passwd",
                    "/%2e%2e/%2e%2e/etc/passwd",
                    "/page/..%2f..%2fapp.py",
                    "//etc/passwd",
                    "/predict%00",
                    "/models/%2e%2e",
                ]
            )
            return (await client.get(path)).status_code
        case "huge":
            return (await client.post("/predict", content=b'{"input": "' + b"a" * (9 << 20) + b'"}', **send)).status_code
        case "huge, no length":
            return (await client.post("/predict", content=_endless(), **send)).status_code
        case "wrong kind":
            return (await client.post("/predict", content=b"\x89PNG", headers={"Content-Type": "image/png"})).status_code
    return await _raw(kind, client, rng)


async def _endless():
    for _ in range(200):
        yield b"a" * 65_536


async def _raw(kind: str, client: httpx.AsyncClient, rng: random.Random) -> int:
    url = client.base_url
    reader, writer = await asyncio.open_connection(url.host, url.port)
    head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n"
    try:
        if kind == "no http":
            writer.write(rng.choice([b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", b"GET\r\n\r\n", b"\0" * 50 + b"\r\n\r\n"]))
        elif kind == "cut off":
            writer.write(head + b'\r\n{"input"')
            await writer.drain()
            return 0
        else:
            for byte in head + (b"\r\n" if kind == "slow body" else b"X-A: ") + b"a" * 40:
                writer.write(bytes([byte]))
                await asyncio.sleep(0.15)
        line = await asyncio.wait_for(reader.readline(), 30)
        return int(line.split()[1]) if line else 0
    except ConnectionError:  # it was closed while bytes dripped in
        return 0
    finally:
        writer.close()


# ---------------------------------------------------------------------------------------------------------- clients


async def client(number: int, url: str, questions: Questions, found: Found, garbage: float) -> None:
    """Asks until the server is gone. Connections are kept for a while, as real clients keep them."""
    rng = random.Random(number)
    while not found.stopped:
        async with httpx.AsyncClient(base_url=url, timeout=60) as session:
            for _ in range(rng.randrange(1, 40)):
                sound = rng.random() >= garbage
                try:
                    await (ask(session, questions, found, rng) if sound else spoil(session, found, rng))
                except httpx.ConnectError:  # nothing listens: a client would try again
                    found.refused += 1
                    await asyncio.sleep(0.05)
                except (httpx.TransportError, OSError) as error:
                    found.lost.append((time.monotonic(), sound, repr(error)))
                if found.stopped:
                    return


async def watch(process: subprocess.Popen, found: Found) -> None:
    """Resident memory of all processes, each second, in MiB."""
    family = psutil.Process(process.pid)
    while not found.stopped:
        total = 0
        for one in [family, *family.children(recursive=True)]:
            try:
                total += one.memory_info().rss
            except psutil.NoSuchProcess:
                continue
        found.memory.append((time.monotonic(), total / 2**20))
        await asyncio.sleep(1)


async def load(
    url: str, process: subprocess.Popen, questions: Questions, asked: argparse.Namespace
) -> tuple[Found, float, float]:
    """What was found, and when a worker was killed and the server told to stop."""
    found, begun = Found(), time.monotonic()
    tasks = [asyncio.create_task(client(number, url, questions, found, asked.garbage)) for number in range(asked.clients)]
    tasks.append(asyncio.create_task(watch(process, found)))
    await asyncio.sleep(asked.seconds / 2)
    workers = [child for child in psutil.Process(process.pid).children() if "spawn_main" in " ".join(child.cmdline())]
    killed = time.monotonic()
    if workers:
        os.kill(workers[0].pid, signal.SIGKILL)
    await asyncio.sleep(max(0.0, begun + asked.seconds - time.monotonic()))
    told = time.monotonic()
    process.send_signal(signal.SIGTERM)
    await asyncio.to_thread(process.wait, 60)
    found.stopped = True
    await asyncio.wait(tasks, timeout=90)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return found, killed, told


# ----------------------------------------------------------------------------------------------------------- result


def report(found: Found, killed: float, told: float, process: subprocess.Popen, asked: argparse.Namespace) -> bool:
    begun = found.memory[0][0]
    by_kill = [one for one in found.lost if killed <= one[0] < killed + 5]
    by_stop = [one for one in found.lost if one[0] >= told and one[1]]
    others = [one for one in found.lost if not killed <= one[0] < killed + 5 and one[0] < told]
    errors = sum(count for (_, status), count in found.statuses.items() if status >= 500 and status != 503)
    fifths = [
        np.mean([mib for at, mib in found.memory if lo <= (at - begun) / asked.seconds < lo + 0.2])
        for lo in np.arange(0, 1, 0.2)
    ]
    # A killed worker's place is empty for a while, so the middle fifths say less than the second and the last.
    growth = fifths[4] / fifths[1] - 1
    p50, p99 = np.percentile(found.seconds, [50, 99]) * 1000
    rows: list[list[object]] = [
        ["sound requests answered", f"{len(found.seconds):,} ({found.rows:,} rows, {found.rows / asked.seconds:,.0f} a second)"],
        ["wrong answers or statuses", len(found.wrong)], ["5xx other than 503", errors],
        ["503", sum(count for (_, status), count in found.statuses.items() if status == 503)],
        ["p50 / p99 of a request", f"{p50:.0f} / {p99:.0f} ms"],
        ["connections broken by the killed worker", len(by_kill)], ["sound ones broken while stopping", len(by_stop)], ["at any other time", len(others)],
        ["resident memory by fifths of the time", ", ".join(f"{mib:.0f}" for mib in fifths) + " MiB"],
        ["growth from the second fifth to the last", f"{growth:+.1%}"], ["exit code after SIGTERM", process.returncode],
    ]  # fmt: skip
    kinds = [[kind, *(", ".join(f"{status or 'left'}: {count}" for (k, status), count in sorted(found.statuses.items()) if k == kind),)]
             for kind in ("sound", *GARBAGE)]  # fmt: skip
    body = table(["", ""], rows) + "\n\n" + table(["kind of request", "statuses"], kinds)
    body += "".join(f"\n\nlost {at - told:+.2f} s from SIGTERM: {error}" for at, _, error in (*by_stop, *others)[:8])
    body += "".join(f"\n\nwrong: {one[:300]}" for one in found.wrong[:5])
    command = f"python benchmarks/serve_load.py BUNDLE --seconds {asked.seconds:g} --clients {asked.clients} --workers {asked.workers}"
    record("serve_load", "A server under load and garbage", body, command)
    return not (found.wrong or errors or others or by_stop or growth > GROWTH or process.returncode)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--garbage", type=float, default=0.05)
    asked = parser.parse_args()
    questions = Questions(asked.bundle)
    command = [sys.executable, "-m", "zhuji", "serve", f"model={asked.bundle}", "--port", "0", "--workers", str(asked.workers), "--json",
               "--set", "serve.body_timeout=8"]  # fmt: skip
    with tempfile.TemporaryFile() as journal:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=journal, text=True)
        try:
            url = json.loads(process.stdout.readline())["url"]
            good = report(*asyncio.run(load(url, process, questions, asked)), process, asked)
        finally:
            process.kill()
        journal.seek(0)
        for line in journal:
            if b'"event": "request"' not in line:
                print(line.decode().strip()[:400])
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

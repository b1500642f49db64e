"""A server that speaks the page's routes with made-up answers of every kind, and a browser that looks at it."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import math
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

from zhuji.serving.routes import page

HARD = 'it\'s “quoted” "twice"\n$HOME `ls` \\n 中文 100% <b>&amp;</b> !x'
"""What breaks careless quoting and careless markup."""
STORY = ["there", "was", "a", "small", "house", "by", "the", "river", "，", "住", "着", "一只", "old", "cat", "."]
KINDS = {"text/csv": ".csv", "application/jsonl": ".jsonl", "text/plain": ".txt"}
LABELS = [
    "positive",
    "negative",
    "mixed",
    "neutral",
    "请勿打扰",
    "sports",
    "politics",
    "weather",
    "science",
    "music",
    "travel",
    "food",
]


def model(name: str, answers: str, **more: Any) -> dict[str, Any]:
    facts = {"version": "3f9a1c0b7d2e", "task": "classify", "modality": "text", "labels": [], "example": "An example of the golden rows.",
             "explains": False, "generates": False, "chats": False, "draws": False,
             "speaks": False, "voices": [], "nearest": False}  # fmt: skip
    return {"name": name, "answers": answers, **facts, **more}


MODELS = [
    model("reviews", "class", labels=LABELS, explains=True, nearest=True,
          example="The actors were wonderful, but the story never got anywhere and the ending was a disappointment."),
    model("topics", "classes", labels=LABELS[5:]),
    model("stars", "number", task="regress"),
    model("names", "tags", task="tag", labels=["PER", "LOC", "ORG"], example="Ada Lovelace met Charles Babbage in London before he left the Royal Society ."),
    model("en-zh", "text", task="translate", example="The library opens at nine."),
    model("gpt", "number", task="next_unit", generates=True, example="Once upon a time"),
    model("sentences", "vector", task="contrast", example="A cat sleeps on the warm stones."),
    model("bert", "units", task="masked_units", example="The capital of France is Paris."),
    model("pictures", "class", modality="picture"),
]  # fmt: skip


def scores(text: str) -> dict[str, float]:
    raw = [math.exp(-1.1 * place + (hash_of(text + label) % 100) / 90) for place, label in enumerate(LABELS)]
    return {label: value / sum(raw) for label, value in zip(LABELS, raw)}


def hash_of(text: str) -> int:
    return sum((place + 1) * ord(letter) for place, letter in enumerate(text))


def words_of(text: str) -> list[str]:
    return list(text.replace(" ", "")) if "中" in text or "在" in text else text.split()


def answer(kind: str, text: str) -> dict[str, Any]:
    """What a model of this kind says: the same for the same text."""
    if kind == "class":
        found = scores(text)
        best = max(found, key=lambda name: found[name])
        return {"answer": best, "score": found[best], "scores": found}
    if kind == "classes":
        found = {label: (hash_of(text + label) % 1000) / 1000 for label in LABELS[5:]}
        given = [label for label, score in found.items() if score >= 0.5]
        return {"answer": given, "score": 0.5 + hash_of(text) % 50 / 100, "scores": found}
    if kind == "number":
        return {"answer": 1.0 + hash_of(text) % 10000 / 2345.678, "score": None, "scores": None}
    if kind == "tags":
        words = words_of(text)
        tags, open_kind = [], None
        for word in words:
            kind_now = (
                "LOC"
                if word in {"London", "北", "京"}
                else "ORG"
                if word in {"Royal", "Society"}
                else "PER"
                if word.istitle() and word.isascii()
                else None
            )
            tags.append("O" if kind_now is None else f"{'I' if kind_now == open_kind else 'B'}-{kind_now}")
            open_kind = kind_now
        return {"answer": tags, "score": 0.9731, "scores": None, "words": words}
    if kind == "text":
        return {"answer": f"图书馆九点开门。〔{text}〕", "score": 0.4312, "scores": None}
    if kind == "vector":
        return {
            "answer": [math.sin(hash_of(text) * (place + 1) / 997) / 7 for place in range(96)],
            "score": None,
            "scores": None,
        }
    return {"answer": "Paris" if "[MASK]" in text else "", "score": 0.6172, "scores": None}


def refused(status: int, message: str, kind: str = "invalid_request_error", **headers: str) -> Response:
    return JSONResponse({"error": {"message": message, "type": kind, "code": None, "param": None}}, status, headers)


class State:
    """What the server is told to do wrong."""

    def __init__(self) -> None:
        self.busy = 0
        self.key = ""
        self.broken = False
        self.pause = 0.02


def application(state: State) -> FastAPI:
    app = FastAPI()
    app.include_router(page.router(None))

    @app.middleware("http")
    async def guard(request: Request, call_next: Any) -> Response:
        asked = request.url.path.lstrip("/")
        if asked == "" or asked.startswith("page/"):
            return await call_next(request)
        if state.key and request.headers.get("authorization") != f"Bearer {state.key}":
            return refused(401, "a key is needed", "authentication_error")
        if state.busy:
            state.busy -= 1
            return refused(503, "the queue is full", "busy", **{"Retry-After": "1"})
        if state.broken:
            return refused(500, "something went wrong", "server_error")
        return await call_next(request)

    @app.get("/models")
    async def models() -> Any:
        return {"models": MODELS}

    @app.post("/predict")
    async def predict(request: Request) -> Response:
        begun = time.perf_counter()
        kind = request.headers["content-type"].partition(";")[0]
        if kind in KINDS:
            found = find(request.query_params["model"])
            inputs = rows(KINDS[kind], (await request.body()).decode())
        elif kind == "multipart/form-data":
            async with request.form() as form:
                found, file = find(str(form["model"])), form["file"]
                body = await file.read()  # type: ignore[union-attr]
            try:
                inputs = rows(file.filename, body.decode())  # type: ignore[union-attr]
            except UnicodeDecodeError:
                return refused(422, "rows.bin: this is not a file of rows: bytes that are no text at position 3")
        else:
            body = await request.json()
            found, inputs = find(body["model"]), body["inputs"] if "inputs" in body else [body["input"]]
        given = [{**answer(found["answers"], text), "input": text} for text in inputs]
        if request.headers.get("accept") == "text/csv":
            out = io.StringIO()
            writer = csv.writer(out)
            writer.writerow(["text", "prediction", "score"])
            writer.writerows([text, one["answer"], one["score"]] for text, one in zip(inputs, given))
            return Response(out.getvalue(), media_type="text/csv")
        return JSONResponse(
            {"model": found["name"], "version": found["version"], "predictions": given, "seconds": time.perf_counter() - begun}
        )

    @app.post("/explain")
    async def explain(request: Request) -> Any:
        body = await request.json()
        said = answer("class", body["input"])
        texts = re.findall(r"\s+|\S+", body["input"])
        parts = [{"text": text, "weight": 0.0 if text.isspace() else (hash_of(text) % 200 - 90) / 100} for text in texts]
        first = {"about": said["answer"], "of": "", "parts": parts, "complete": True}
        others = [{**first, "about": "negative", "of": "actors", "complete": False}]
        return {
            "model": body["model"],
            "version": "3f9a1c0b7d2e",
            "prediction": said,
            **first,
            "others": others,
            "seconds": 0.031,
        }

    @app.post("/nearest")
    async def nearest(request: Request) -> Any:
        texts = [
            "A story that goes nowhere, slowly, with fine actors.",
            "Wonderful cast, no ending worth the name.",
            "故事拖沓，结局令人失望。",
        ]
        return {
            "rows": [{"text": text, "label": LABELS[n], "likeness": 0.91 - n / 9} for n, text in enumerate(texts)],
            "seconds": 0.004,
        }

    @app.post("/generate")
    async def generate(request: Request) -> Any:
        body = await request.json()
        pieces = [f" {word}" for word in STORY][: body.get("max_units", 128)]
        if not body.get("stream"):
            return {"model": "gpt", "version": "3f9a1c0b7d2e", "text": "".join(pieces), "seconds": 0.1}

        async def stream() -> Any:
            for piece in pieces:
                yield f"data: {json.dumps({'text': piece}, ensure_ascii=False)}\n\n"
                await asyncio.sleep(state.pause)
            whole = {"model": "gpt", "version": "3f9a1c0b7d2e", "text": "".join(pieces), "seconds": 0.1}
            yield f"event: done\ndata: {json.dumps(whole)}\n\n"

        return StreamingResponse(stream(), media_type="text/event-stream")

    return app


def find(name: str) -> dict[str, Any]:
    return next(one for one in MODELS if one["name"] == name)


def rows(name: str, text: str) -> list[str]:
    if name.endswith(".jsonl"):
        return [json.loads(line)["text"] for line in text.splitlines()]
    if name.endswith(".csv"):
        return [row["text"] for row in csv.DictReader(io.StringIO(text))]
    return text.splitlines()


@contextmanager
def serving(app: Any) -> Iterator[str]:
    """The address of a server of `app` on this machine, until the end."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.should_exit = True
        thread.join(20)

"""Small bundles of random weights, and servers over them: in this process, with or without sockets."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import httpx
import torch

from tests import trained
from tests.model.writers import writer
from zhuji.core.contracts import Backbone, Modality, Task
from zhuji.core.lookup import find
from zhuji.data.infer import Roles
from zhuji.data.settings import CleanSettings
from zhuji.model.assembly import assemble
from zhuji.model.bundle import open_bundle, save
from zhuji.model.predictor import Predictor
from zhuji.serving.app import create
from zhuji.serving.run import Server, bound
from zhuji.serving.settings import ServeSettings

T = TypeVar("T")
TEXTS = ["the cat sat on the mat", "a", "", "筑基：从头开始 😀", "one two three four five six seven eight nine ten " * 3]


def write(folder: Path, seed: int = 0, backbone: str = "bag", task: str = "classify", spoil: bool = False) -> Path:
    """A bundle. `spoil`: its golden rows tell of another model."""
    modality, texts = find(Modality, "text").example()
    torch.manual_seed(seed)
    model = assemble(modality, find(Backbone, backbone).example(), find(Task, task).example().task)
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_()
    return _saved(model, folder, texts, spoil)


def write_writer(folder: Path) -> Path:
    """A bundle that goes on with a text."""
    return _saved(writer(loud=4.0), folder, ["the cat"], False)


def _saved(model: Any, folder: Path, texts: list[str], spoil: bool) -> Path:
    golden = [
        {
            "input": raw,
            "answer": "other" if spoil else one.answer,
            "score": one.score,
            "scores": one.scores and dict(one.scores),
        }
        for raw, one in zip(texts, Predictor(model).predict(texts))
    ]
    save(model, folder, clean=CleanSettings(), roles=Roles(text=("text",)), golden=golden)
    return folder


@cache
def bundle(seed: int = 0, backbone: str = "bag", task: str = "classify") -> Path:
    """One that lasts as long as the process."""
    return write(trained.folder() / "model", seed, backbone, task)


@cache
def writing_bundle() -> Path:
    return write_writer(trained.folder() / "writer")


@cache
def predictor() -> Predictor:
    return open_bundle(bundle())


def settings(*models: Path, **more: Any) -> ServeSettings:
    """`model`, `model2` and so on."""
    places = [{"name": f"model{number or ''}", "path": str(path)} for number, path in enumerate(models or (bundle(),))]
    return ServeSettings.parse({"models": places, "poll": 0.05, **more})


def talk(told: ServeSettings, work: Callable[[httpx.AsyncClient, Any], Awaitable[T]]) -> T:
    """What `work` makes of a client without sockets and of the application."""

    async def whole() -> T:
        app = create(told)
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            try:
                return await work(client, app)
            finally:
                await app.state.service.close()

    return asyncio.run(whole())


def post(told: ServeSettings, path: str, **request: Any) -> httpx.Response:
    """One answer."""
    return talk(told, lambda client, _: client.post(path, **request))


@contextlib.contextmanager
def serving(told: ServeSettings) -> Iterator[tuple[str, int, Server]]:
    """Host, port and server of a real one in a thread; it is drained afterwards."""
    listener, begun = bound(told), threading.Event()
    server = Server(create(told), told, lambda _: begun.set())
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    assert begun.wait(20)
    try:
        yield "127.0.0.1", listener.getsockname()[1], server
    finally:
        server.should_exit = True
        thread.join(20)
        listener.close()


def until(fits: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait for something that happens soon."""
    end = time.monotonic() + seconds
    while not fits():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)

"""What a server is told: which models, where it listens, and the bounds that keep it standing."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, model_validator

from zhuji.core.config import Settings
from zhuji.core.log import in_language
from zhuji.model.predictor import Precision

LOCAL = ("127.0.0.1", "localhost", "::1")


class ModelPlace(Settings):
    """A model's name and its folder: a run or a bundle."""

    name: str = Field(pattern=r"^[\w][\w.@-]{0,127}$")
    path: str


class ServeSettings(Settings):
    """How a server works. Sizes are in bytes, times in seconds."""

    models: tuple[ModelPlace, ...] = Field(min_length=1)
    index: str | None = None
    """Folder that `zhuji index` wrote; its rows are searched by `/nearest`."""
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    workers: int = Field(default=1, gt=0, le=64)
    """Processes that share the port; each holds all models."""
    threads: int | None = Field(default=None, gt=0)
    """Threads that compute in one worker; the CPUs divided by the workers by default."""
    precision: Precision = "fp32"
    """What answers are computed in, of models in Zhuji's own format. bf16 pays where the processor multiplies it (AMX; see `zhuji doctor`);
    golden answers must not flip."""
    memory: int | None = Field(default=None, gt=0)
    """Budget for the weights of open models in one worker; no limit by default."""

    queue_rows: int = Field(default=8192, gt=0)
    """Rows that may wait for one model; what does not fit is refused at once."""
    request_rows: int = Field(default=4096, gt=0)
    """Rows in one request."""
    batch_units: int = Field(default=8192, gt=0)
    """Units computed at once, padding included."""
    streams: int = Field(default=16, gt=0)
    """Requests for texts in pieces, or for pictures, that one model answers at the same time."""
    written_units: int = Field(default=1024, gt=0)
    """Units that one request may ask a model to write."""
    drawn_pictures: int = Field(default=64, gt=0)
    """Pictures that one request may ask a model to draw."""
    drawn_steps: int = Field(default=250, gt=0)
    """Passes through the network for each picture that one request may ask for."""

    body: int = Field(default=8 << 20, gt=0)
    """Largest body of a request."""
    bodies: int = Field(default=256 << 20, gt=0)
    """All bodies that are held at once."""
    requests: int = Field(default=512, gt=0)
    """Requests that are in the house at once."""
    connections: int = Field(default=768, gt=0)
    """Connections of one worker; systems often allow a process no more than 1024 open files."""
    json_depth: int = Field(default=16, gt=0)
    timeout: float = Field(default=30.0, gt=0)
    """From accepting a request to its answer; a text that is streamed has ten times as long."""
    body_timeout: float = Field(default=20.0, gt=0)
    """For the head of a request, for its body, and for a client to take its answer."""
    keep_alive: float = Field(default=15.0, gt=0)
    """How long a connection may be idle."""
    drain: float = Field(default=30.0, gt=0)
    """How long accepted requests are answered after SIGTERM."""
    poll: float = Field(default=2.0, gt=0)
    """How often folders are looked at for a new version."""

    keys_file: str | None = None
    """A file with one API key a line; keys may stand in ZHUJI_API_KEYS too, with commas between. Without keys everybody is let in."""
    rate: float | None = Field(default=None, gt=0)
    """Requests a second for each key (each client where there are no keys), after a burst of twice as many."""
    hosts: tuple[str, ...] = ()
    """Names by which browsers may ask for this server besides `host`; any where it listens beyond this machine and none is given."""

    @model_validator(mode="after")
    def _agree(self) -> ServeSettings:
        names = [model.name for model in self.models]
        if twice := {name for name in names if names.count(name) > 1}:
            told = in_language("two models are named {}; write NAME=PATH", "有两个模型都叫 {}；请写成 NAME=PATH")
            raise ValueError(told.format(min(twice)))
        return self

    @property
    def local(self) -> bool:
        """Whether only this machine can ask."""
        return self.host in LOCAL


def place_of(given: str) -> dict[str, str]:
    """`NAME=PATH`, or a path whose folder names the model (of a `bundle` folder the one that holds it)."""
    name, equals, path = given.partition("=")
    if equals and name and "/" not in name:
        return {"name": name, "path": path}
    folder = Path(given).absolute()
    return {"name": folder.parent.name if folder.name == "bundle" else folder.name, "path": given}

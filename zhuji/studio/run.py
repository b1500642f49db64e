"""`zhuji studio`: serves the page over a folder of runs to this machine alone, until it is told to stop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from pydantic import Field

from zhuji.core.config import Settings, assignments
from zhuji.core.errors import BadSetting, MissingExtra, MissingFile
from zhuji.core.log import in_language
from zhuji.studio.app import build
from zhuji.studio.watch import Watch
from zhuji.tools.pages.plain import is_folder

HOST = "127.0.0.1"


class StudioSettings(Settings):
    """How the studio looks at a folder of runs."""

    port: int = Field(default=8610, ge=0, le=65535)
    """Port of this machine; 0: any that is free."""
    every: float = Field(default=1.0, ge=0.1, le=3600, allow_inf_nan=False)
    """Seconds between two looks at the folder."""


def serve(
    folder: Path, port: int | None = None, *, sets: Sequence[str] = (), ready: Callable[[str], None] = lambda address: None
) -> None:
    """Serve until Ctrl-C or SIGTERM; `ready` is told the address once it answers.

    Raises MissingExtra, MissingFile, and BadSetting for a port that another program has.
    """
    try:
        import uvicorn
    except ImportError:
        raise MissingExtra(what="zhuji studio", package="uvicorn", extra="serve") from None
    given = {} if port is None else {"port": port}
    settings = StudioSettings.parse({**assignments(sets).get("studio", {}), **given}, "studio")
    if not is_folder(folder.resolve()):
        raise MissingFile(file=folder)
    config = uvicorn.Config(
        build(Watch(folder), settings.every), host=HOST, port=settings.port, log_level="critical", access_log=False, timeout_graceful_shutdown=1, server_header=False,
        lifespan="off",
    )  # fmt: skip
    try:
        door = config.bind_socket()
    except SystemExit:  # what uvicorn makes of a port that is taken
        rule = in_language("must be a port that no other program has", "必须是没有被其他程序占用的端口")
        raise BadSetting(key="studio.port", rule=rule, value=settings.port) from None
    door.listen()  # so that nobody who is told the address comes too early
    ready(f"http://{HOST}:{door.getsockname()[1]}/")
    uvicorn.Server(config).run(sockets=[door])

"""A server in this process, or in several that share its port."""

from __future__ import annotations

import uvicorn

from zhuji.serving.app import create
from zhuji.serving.settings import ServeSettings


def run(settings: ServeSettings) -> None:
    """Serve until told to stop."""
    app = create(settings)
    uvicorn.Server(uvicorn.Config(app, host=settings.host, port=settings.port, log_config=None, server_header=False)).run()

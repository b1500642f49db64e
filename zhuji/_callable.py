"""`zhuji.train` is a room of the house, and what a person calls to train: importing anything from the room binds its module to
that name in the package, so the module itself answers the call."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import zhuji.train


class CallableRoom(ModuleType):
    """A module that can be called: it hands the call on to `zhuji.api.train`."""

    def __call__(self, *given: Any, **options: Any) -> Any:
        from zhuji.api import train

        return train(*given, **options)


zhuji.train.__class__ = CallableRoom  # type: ignore[assignment]

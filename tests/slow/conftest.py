"""What the tests of the page share: a browser for a module, and a page for a test, watched until its end. A module says at which `address`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.serving.browser import Watched, browsing, watched


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with browsing() as found:
        yield found


@pytest.fixture
def view(browser: Any, address: str) -> Iterator[Watched]:
    with watched(browser, address, viewport={"width": 1280, "height": 900}) as found:
        yield found

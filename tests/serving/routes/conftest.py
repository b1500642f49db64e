"""What tests of routes have in common: OpenAI's own client, of the one server."""

from __future__ import annotations

import openai
import pytest

from tests.serving import live


@pytest.fixture(scope="module")
def client():
    with openai.OpenAI(base_url=f"{live.server()}/v1", api_key="none", max_retries=0) as found:
        yield found

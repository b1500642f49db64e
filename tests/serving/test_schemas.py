"""The API is asked what its own description allows, and what it does not: never a 500."""

from __future__ import annotations

import asyncio
import contextlib

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable

from tests.serving import house
from tests.serving import made as bundles
from zhuji.serving.app import create

EXAMPLES = 4
"""For each route here; tests/slow asks more."""


def made(strategy, examples):
    """Requests from a strategy; none where nothing wrong can be said, as of a route without parameters."""
    cases = []

    @given(strategy)
    @settings(max_examples=examples, database=None, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    def collect(case):
        cases.append(case)

    with contextlib.suppress(Unsatisfiable):
        collect()
    return cases


def fuzzed(told, examples):
    """Statuses by route, of requests made from the description."""
    found: dict[str, set[int]] = {}

    async def ask(app, cases):
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            for case in cases:
                kwargs = case.as_transport_kwargs(base_url="http://localhost")
                kwargs = {
                    key: kwargs[key]
                    for key in ("method", "url", "headers", "params", "json", "data", "files")
                    if kwargs.get(key) is not None
                }
                if isinstance(kwargs.get("data"), bytes | str):
                    kwargs["content"] = kwargs.pop("data")
                try:
                    request = client.build_request(**kwargs)
                    await request.aread()
                except (TypeError, ValueError, AttributeError, httpx.InvalidURL):  # the client cannot say it
                    continue
                response = await client.send(request)
                found.setdefault(f"{case.method} {case.path}", set()).add(response.status_code)
                assert response.status_code < 500 or response.status_code == 503, response.text
                if response.status_code >= 400:
                    error = response.json()["error"]  # below /v2 it has that protocol's shape
                    assert isinstance(error, str) if "/v2" in case.path else set(error) == {"message", "type", "code", "param"}

    async def whole():
        app = create(told)
        schema = schemathesis.openapi.from_dict(app.openapi())
        modes = [schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE]
        for operation in schema.get_all_operations():
            for mode in modes:
                cases = made(operation.ok().as_strategy(generation_mode=mode), examples)
                await ask(app, cases)
        await app.state.service.close()

    asyncio.run(whole())
    return found


@pytest.mark.filterwarnings("ignore")
def test_nothing_that_the_description_leads_to_is_a_500():
    found = fuzzed(house.settings(house.bundle(), house.writing_bundle(), bundles.talker(), written_units=16), EXAMPLES)
    assert {"POST /predict", "POST /generate", "POST /nearest", "POST /explain", "GET /models"} <= set(found)
    assert any(200 in statuses for statuses in found.values())

from __future__ import annotations

from tests.serving import house


def test_probes():
    async def ask(client, app):
        before = [(await client.get(f"/health/{what}")).status_code for what in ("live", "ready")]
        app.state.service.draining = True
        return before, [(await client.get(f"/health/{what}")).status_code for what in ("live", "ready")]

    assert house.talk(house.settings(), ask) == ([200, 200], [200, 503])

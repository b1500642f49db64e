from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from tests.serving import house


def test_what_was_done_is_counted():
    async def ask(client, _):
        await client.post("/predict", json={"inputs": ["a", "b", "c d e f"]})
        await client.get("/nothing")
        response = await client.get("/metrics")
        return response.headers["content-type"], response.text

    kind, text = house.talk(house.settings(), ask)
    assert kind.startswith("text/plain")
    found = {
        (s.name, *sorted(s.labels.values())): s.value for family in text_string_to_metric_families(text) for s in family.samples
    }
    assert found["zhuji_requests_total", "/predict", "200"] == 1
    assert found["zhuji_requests_total", "(none)", "404"] == 1
    assert found["zhuji_rows_total", "answer", "model"] == 3
    assert found["zhuji_batch_rows_sum", "model"] == 3
    assert found["zhuji_request_seconds_count", "/predict"] == 1
    assert found["zhuji_queue_rows", "model"] == 0
    assert [key for key in found if key[0] == "zhuji_model_info"]

from __future__ import annotations

import subprocess
import sys

from prometheus_client.parser import text_string_to_metric_families

from zhuji.serving.metrics import FOLDER, Metrics


def samples(text):
    return {
        (s.name, *sorted(s.labels.values())): s.value for family in text_string_to_metric_families(text) for s in family.samples
    }


def test_counts_of_two_servers_in_one_process_stand_apart():
    one, other = Metrics(), Metrics()
    counts = one.of("m")
    counts.batch("answer", 5, 0.25)
    counts.queue(3)
    one.request("/predict", 200, 0.1)
    found = samples(one.text().decode())
    assert found["zhuji_rows_total", "answer", "m"] == 5 and found["zhuji_queue_rows", "m"] == 3
    assert found["zhuji_compute_seconds_total", "m"] == 0.25
    assert ("zhuji_requests_total", "/predict", "200") not in samples(other.text().decode())


def test_a_version_that_is_served_no_longer_is_0():
    metrics = Metrics()
    metrics.versions({"m": "a"})
    metrics.versions({"m": "b"})
    found = samples(metrics.text().decode())
    assert (found["zhuji_model_info", "a", "m"], found["zhuji_model_info", "b", "m"]) == (0, 1)


def test_workers_tell_the_sum(tmp_path):
    program = "from zhuji.serving.metrics import Metrics; m = Metrics(); m.request('/a', 200, 0.1); print(m.text().decode())"
    environment = {FOLDER: str(tmp_path), "PATH": "", "PYTHONPATH": ":".join(sys.path)}
    for times in (1.0, 2.0):
        done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
        assert samples(done.stdout)["zhuji_requests_total", "/a", "200"] == times

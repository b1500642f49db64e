import pytest

from zhuji.core.errors import UnknownKey
from zhuji.tools import doctor


def test_facts_and_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_version", lambda package: None)
    monkeypatch.delenv("OMP_WAIT_POLICY")
    facts = doctor.doctor()
    assert facts["torch"]["bf16_speedup"] > 0 and facts["memory"]["free_bytes"] > 0
    assert any("zhuji[parquet]" in text for text in facts["advice"]) and any("PASSIVE" in text for text in facts["advice"])


def test_what_stops_a_run_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "OLDEST_TORCH", (99, 0))
    facts = doctor.doctor()
    assert not facts["healthy"] and "torch" in facts["problems"][0]
    with pytest.raises(UnknownKey):
        doctor.doctor(sets=["train.nothing=1"])

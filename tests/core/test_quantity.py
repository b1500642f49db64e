import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhuji.core.quantity import bytes_text, count_text, fraction, seconds_text


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1536, "1.5 KiB"), (5 * 2**20, "5.0 MiB"), (3 * 2**40, "3.0 TiB")],
)
def test_bytes(count: float, text: str) -> None:
    assert bytes_text(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0.0s"), (9.94, "9.9s"), (12, "12s"), (75.2, "1m15s"), (59.6, "1m00s"), (3600, "1h00m"), (7384, "2h03m")],
)
def test_seconds(seconds: float, text: str) -> None:
    assert seconds_text(seconds) == text


@pytest.mark.parametrize(("count", "text"), [(0, "0"), (999, "999"), (1000, "1.0k"), (1_234_567, "1.2M"), (2.5e9, "2.5G")])
def test_counts(count: float, text: str) -> None:
    assert count_text(count) == text


@pytest.mark.parametrize(("text", "value"), [("1%", 0.01), ("100%", 1.0), (0.25, 0.25), ("0.5", 0.5), (0, 0.0), (" 5% ", 0.05)])
def test_fractions(text: str | float, value: float) -> None:
    assert fraction(text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["101%", "-1%", 1.5, -0.1, "nan", "much", "%"])
def test_what_is_no_fraction_is_refused(text: str | float) -> None:
    with pytest.raises(ValueError):
        fraction(text)


@given(st.floats(0, 1))
def test_percent_and_share_agree(share: float) -> None:
    assert fraction(f"{share * 100}%") == pytest.approx(share)

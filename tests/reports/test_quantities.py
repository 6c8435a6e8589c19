"""Money, time and counts as people read them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.quantities import clock, count, duration, money, money_range, percent, short_commit
from planner.reports.redaction import Redactor


@pytest.mark.parametrize(
    ("cents", "text"),
    [
        (0, "$0.00"),
        (5, "$0.05"),
        (176, "$1.76"),
        (123_456_789, "$1,234,567.89"),
        (-5, "-$0.05"),
        (-123_456, "-$1,234.56"),
        (None, "unknown"),
    ],
)
def test_money(cents: int | None, text: str) -> None:
    """Cents are shown as dollars, and an unknown sum as unknown, never as $0.00."""
    assert money(cents) == text


@given(st.integers(-(10**12), 10**12))
def test_money_keeps_every_cent(cents: int) -> None:
    """What is shown is the sum itself, to the cent."""
    assert int(money(cents).replace("$", "").replace(",", "").replace(".", "")) == cents


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [(144, 240, "$1.44–$2.40"), (16, 16, "$0.16"), (None, None, "unknown"), (144, None, "$1.44–unknown")],
)
def test_money_range(low: int | None, high: int | None, text: str) -> None:
    """A range shows both ends, or one price where they agree."""
    assert money_range(low, high) == text


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 launches"), (1, "1 launch"), (2, "2 launches"), (1200, "1,200 launches")]
)
def test_count_agrees_in_number(number: int, text: str) -> None:
    """One is singular, everything else plural."""
    assert count(number, "launch", "launches") == text
    assert count(number, "call") == text.replace("launches", "calls").replace("launch", "call")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "unknown"),
        (0, "0 s"),
        (0.42, "0.4 s"),
        (8, "8 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.6, "1 min"),
        (192.4, "3 min 12 s"),
        (3599.7, "1 h"),
        (3720, "1 h 2 min"),
    ],
)
def test_duration(seconds: float | None, text: str) -> None:
    """A duration has at most two units and rounds over the edge of one into the next."""
    assert duration(seconds) == text


@pytest.mark.parametrize(("milliseconds", "text"), [(0, "0:00"), (42_900, "0:42"), (3_727_000, "1:02:07")])
def test_clock(milliseconds: int, text: str) -> None:
    """Minutes and seconds, as a player shows them."""
    assert clock(milliseconds) == text


@pytest.mark.parametrize(
    ("share", "text"), [(0, "0 %"), (0.001, "< 1 %"), (0.8, "80 %"), (0.999, "> 99 %"), (1, "100 %")]
)
def test_percent(share: float, text: str) -> None:
    """Only all is 100 % and only none is 0 %."""
    assert percent(share) == text


@pytest.mark.parametrize(
    ("commit", "text"),
    [("22611a6" + 33 * "0", "22611a6"), ("22611461c" + 31 * "0", "22611461c"), (40 * "1", "1111111")],
)
def test_a_commit_of_digits_is_no_phone_number(commit: str, text: str) -> None:
    """Every 27th commit begins with seven digits, which would be redacted."""
    assert short_commit(commit) == text
    if not text.isdecimal():
        assert Redactor().text(f"at {text}") == f"at {text}"

"""Format money, times and counts. Unknown values are shown as unknown, never as 0. Also shorten strings and lists."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

UNKNOWN = "unknown"


def money(cents: int | None) -> str:
    """`176` → `$1.76`; `-5` → `-$0.05`; None → `unknown`."""
    if cents is not None and cents < 0:
        return f"-{money(-cents)}"
    return UNKNOWN if cents is None else f"${cents // 100:,}.{cents % 100:02d}"


def money_range(low_cents: int | None, high_cents: int | None) -> str:
    """`$1.44–$2.40`; one price if both are equal."""
    if low_cents == high_cents:
        return money(low_cents)
    return f"{money(low_cents)}–{money(high_cents)}"


def count(number: int, noun: str, plural: str = "") -> str:
    """`count(1, "call")` → `1 call`; `count(1200, "call")` → `1,200 calls`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def duration(seconds: float | None) -> str:
    """`0.4 s`, `54 s`, `3 min 12 s`, `1 h 2 min`; None → `unknown`."""
    if seconds is None:
        return UNKNOWN
    if 0 < seconds < 9.95:
        return f"{seconds:.1f} s".replace(".0 s", " s")
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        minutes, rest = divmod(whole, 60)
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, rest = divmod(round(seconds / 60), 60)
    return f"{hours:,} h {rest} min" if rest else f"{hours:,} h"


def rounded_duration(seconds: float) -> str:
    """`under 10 s`, `40 s`, `3 min`, `2 h 5 min`: rounded down, so that repeated lines do not change constantly."""
    if seconds < 10:
        return "under 10 s"
    if seconds < 60:
        return f"{int(seconds) // 10 * 10} s"
    return duration(int(seconds) // 60 * 60)


def clock(milliseconds: int) -> str:
    """A position in a recording: `0:42`, `1:02:07`."""
    seconds = milliseconds // 1000
    if seconds < 3600:
        return f"{seconds // 60}:{seconds % 60:02d}"
    return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def moment(at: datetime) -> str:
    """`2026-11-24 10:30:05 UTC`; a time without a zone is in UTC."""
    utc = at.astimezone(UTC) if at.tzinfo else at
    return f"{utc:%Y-%m-%d %H:%M:%S} UTC"


def percent(share: float) -> str:
    """`0.8` → `80 %`. Only 1 is `100 %` and only 0 is `0 %`."""
    whole = round(share * 100)
    if whole == 100 and share < 1:
        return "> 99 %"
    if whole == 0 and share > 0:
        return "< 1 %"
    return f"{whole} %"


def some(items: Sequence[str], shown: int, separator: str = ", ") -> str:
    """`a, b and 3 more`."""
    more = f" and {len(items) - shown:,} more" if len(items) > shown else ""
    return separator.join(items[:shown]) + more


def short_commit(commit: str) -> str:
    """Seven characters or more, with a letter: digits alone look like a phone number, and would be redacted."""
    letter = next((at for at, character in enumerate(commit) if character.isalpha()), 0)
    return commit[: max(7, letter + 1)]


def shortened(text: str, characters: int) -> str:
    """Cut in the middle."""
    if len(text) <= characters:
        return text
    keep = characters - 3
    return f"{text[: (keep + 1) // 2].rstrip()} … {text[len(text) - keep // 2 :].lstrip()}"

"""Small graphs of block characters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

BARS: Final = "▁▂▃▄▅▆▇█"
MISSING: Final = "·"


def sparkline(
    values: Sequence[float | None], *, low: float | None = None, high: float | None = None, width: int
) -> str:
    """The last `width` values, left to right; `·` for unknown ones.

    `low` and `high` are the values of the lowest and highest bar; by default the range of the values. Equal values are in the middle.
    """
    shown = values[-width:] if width > 0 else ()
    known = [value for value in shown if value is not None]
    if not known:
        return MISSING * len(shown)
    bottom = min(known) if low is None else low
    top = max(known) if high is None else high
    return "".join(MISSING if value is None else _bar(value, bottom, top) for value in shown)


def _bar(value: float, bottom: float, top: float) -> str:
    if top <= bottom:
        return BARS[3]
    share = min(max((value - bottom) / (top - bottom), 0.0), 1.0)
    return BARS[min(int(share * len(BARS)), len(BARS) - 1)]

"""`planner history --spend`: who agreed to what, and what it cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

from planner.quantities import count, money
from planner.reports.neutral import for_terminal, json_document
from planner.values import frozen


@frozen
class Spent:
    """What was spent under one consent, on all machines."""

    consent_id: str
    sessions: tuple[str, ...]
    """Those that ended, oldest first."""
    at: datetime
    by: str
    max_cost_cents: int | None
    digest: str
    is_open: bool
    """Some of its calls are still to be made, or their results to be stored."""
    launches: int
    cents: int
    """Billed, judge calls included."""
    reserved_cents: int
    """Of calls and judge calls without a bill: they may still be charged."""


def render_text(entries: Sequence[Spent]) -> str:
    if not entries:
        return "No calls were made under a consent."
    total = _money(*_sums(entries)).strip()
    return "\n".join([*map(_line, entries), "", f"{count(len(entries), 'consent')}: {total}"])


def _sums(entries: Sequence[Spent]) -> tuple[int, int]:
    """(billed, reserved) cents."""
    return sum(entry.cents for entry in entries), sum(entry.reserved_cents for entry in entries)


def _money(cents: int, reserved_cents: int) -> str:
    reserved = f" + {money(reserved_cents)} reserved" if reserved_cents else ""
    return f"{money(cents):>9}{reserved}"


def _line(entry: Spent) -> str:
    limit = "" if entry.max_cost_cents is None else f" of at most {money(entry.max_cost_cents)}"
    parts = [
        f"{entry.at:%Y-%m-%d %H:%M}",
        f"{_money(entry.cents, entry.reserved_cents)}{limit}",
        for_terminal(entry.by) or "unknown",
        count(entry.launches, "launch", "launches"),
        _sessions(entry),
    ]
    return "  ".join(parts)


def _sessions(entry: Spent) -> str:
    if not entry.sessions:
        return "no session has ended"
    left = ", not finished" if entry.is_open else ""
    return f"{count(len(entry.sessions), 'session')} from {for_terminal(entry.sessions[0])}{left}"


def render_json(entries: Sequence[Spent]) -> str:
    cents, reserved_cents = _sums(entries)
    return json_document(
        {"consents": [asdict(each) for each in entries], "cents": cents, "reserved_cents": reserved_cents}
    )

"""`planner history --spend`: who agreed to what, and what it cost, with sums by month, person and plan."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Self

from planner.quantities import count, money
from planner.reports.neutral import for_terminal, json_document
from planner.values import frozen


@frozen
class Cost:
    cents: int = 0
    """Billed."""
    reserved_cents: int = 0
    """Of calls and judge calls without a bill: they may still be charged."""

    def __add__(self, other: Self) -> Self:
        return replace(self, cents=self.cents + other.cents, reserved_cents=self.reserved_cents + other.reserved_cents)


Costs = Mapping[str, Cost]


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
    months: Costs
    """By month (UTC), such as `2026-11`: phone calls and judge calls."""
    plans: Costs
    """By plan: phone calls only."""

    @property
    def cost(self) -> Cost:
        return sum(self.months.values(), Cost())


def _sums(parts: Iterable[tuple[str, Cost]]) -> dict[str, Cost]:
    sums: dict[str, Cost] = defaultdict(Cost)
    for name, cost in parts:
        sums[name] += cost
    return dict(sums)


def _months(entries: Sequence[Spent]) -> dict[str, Cost]:
    """Newest first."""
    sums = _sums(part for entry in entries for part in entry.months.items())
    return dict(sorted(sums.items(), reverse=True))


def _people(entries: Sequence[Spent]) -> dict[str, Cost]:
    return _sums((entry.by or "unknown", entry.cost) for entry in entries)


def _plans(entries: Sequence[Spent]) -> dict[str, Cost]:
    return _sums(part for entry in entries for part in entry.plans.items())


def render_text(entries: Sequence[Spent]) -> str:
    if not entries:
        return "No calls were made under a consent."
    lines = [_line(entry) for entry in entries]
    plans = [(f"plan {name}", cost) for name, cost in _plans(entries).items()]
    sums = [*_months(entries).items(), *_people(entries).items(), *plans]
    width = max(len(name) for name, _ in sums)
    lines += ["", *(f"{for_terminal(name):<{width}}  {_money(cost)}" for name, cost in sums)]
    return "\n".join(lines)


def _money(cost: Cost) -> str:
    reserved = f" + {money(cost.reserved_cents)} reserved" if cost.reserved_cents else ""
    return f"{money(cost.cents):>9}{reserved}"


def _line(entry: Spent) -> str:
    limit = "" if entry.max_cost_cents is None else f" of at most {money(entry.max_cost_cents)}"
    parts = [
        f"{entry.at:%Y-%m-%d %H:%M}",
        f"{_money(entry.cost)}{limit}",
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
    sums = {"months": _months(entries), "people": _people(entries), "plans": _plans(entries)}
    return json_document({"consents": [asdict(each) | asdict(each.cost) for each in entries], **sums})

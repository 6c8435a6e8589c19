"""`planner history --spend`: who agreed to what, and what it cost, with sums by month, person and plan."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime

from planner.clock import aware
from planner.quantities import count, money
from planner.reports.neutral import for_terminal, json_document, picked
from planner.results.calls import each_call
from planner.results.model import RunResult
from planner.values import frozen


@frozen
class Spent:
    """What was spent under one consent."""

    consent_id: str
    sessions: tuple[str, ...]
    """Oldest first."""
    at: datetime
    """When its first session started."""
    by: str
    max_cost_cents: int | None
    digest: str
    launches: int
    cents: int
    """Of the calls and judge calls that are billed."""
    plans: Mapping[str, int]
    """Cents of its calls, by plan."""


def spending_of(sessions: Iterable[RunResult]) -> list[Spent]:
    """One entry for each consent that was used, newest first. `sessions` are all that are stored."""
    consents: dict[str, list[RunResult]] = defaultdict(list)
    for session in sorted(sessions, key=lambda each: aware(each.started_at)):
        if session.consent.given:
            consents[session.consent.id or session.session_id].append(session)
    spent = [_spent(consent_id, found) for consent_id, found in consents.items()]
    return [each for each in reversed(spent) if each.launches or each.cents]


def _spent(consent_id: str, sessions: Sequence[RunResult]) -> Spent:
    first = sessions[0]
    return Spent(
        consent_id,
        tuple(each.session_id for each in sessions),
        aware(first.started_at).astimezone(UTC),
        first.consent.by,
        sessions[-1].consent.max_cost_cents,
        first.change_set_digest,
        sum(each.stats.launches for each in sessions),
        _cents(sessions),
        _by_plan(sessions),
    )


def _by_plan(sessions: Sequence[RunResult]) -> dict[str, int]:
    own = {session.session_id for session in sessions}
    bills = {
        run.run_id: (case.plan, run.cost_cents)
        for session in sessions
        for case, run in each_call(session.cases)
        if run.session_id in own and run.cost_cents is not None
    }
    plans: dict[str, int] = defaultdict(int)
    for plan, cents in bills.values():
        plans[plan] += cents
    return dict(plans)


def _cents(sessions: Sequence[RunResult]) -> int:
    """Each bill once: sessions that ran side by side do not know of each other's, and what a killed session launched
    is known only to those after it."""
    total = 0
    for session in sessions:
        cost, judge = session.cost, session.cost.judge
        own = cost.this_session_cents + (0 if judge is None else judge.this_session_cents)
        known = cost.actual_cents + (0 if judge is None else judge.actual_cents)
        total = max(total + own, known if session.consent.id else 0)
    return total


def _sums(entries: Sequence[Spent], key: Callable[[Spent], str]) -> dict[str, int]:
    sums: dict[str, int] = defaultdict(int)
    for entry in entries:
        sums[key(entry)] += entry.cents
    return dict(sums)


def _months(entries: Sequence[Spent]) -> dict[str, int]:
    return _sums(entries, lambda entry: f"{entry.at:%Y-%m}")


def _people(entries: Sequence[Spent]) -> dict[str, int]:
    return _sums(entries, lambda entry: entry.by or "unknown")


def _plans(entries: Sequence[Spent]) -> dict[str, int]:
    """Judge calls are not part of a plan's sum."""
    plans: dict[str, int] = defaultdict(int)
    for entry in entries:
        for plan, cents in entry.plans.items():
            plans[plan] += cents
    return dict(plans)


def render_text(entries: Sequence[Spent]) -> str:
    if not entries:
        return "No session has ended that made calls under a consent. `planner plan` shows what is still open."
    lines = [_line(entry) for entry in entries]
    plans = [(f"plan {name}", cents) for name, cents in _plans(entries).items()]
    sums = [*_months(entries).items(), *_people(entries).items(), *plans]
    width = max(len(name) for name, _ in sums)
    lines += ["", *(f"{for_terminal(name):<{width}}  {money(cents):>9}" for name, cents in sums)]
    return "\n".join(lines)


def _line(entry: Spent) -> str:
    limit = "" if entry.max_cost_cents is None else f" of at most {money(entry.max_cost_cents)}"
    parts = [
        f"{entry.at:%Y-%m-%d %H:%M}",
        f"{money(entry.cents):>9}{limit}",
        for_terminal(entry.by) or "unknown",
        count(entry.launches, "launch", "launches"),
        f"{count(len(entry.sessions), 'session')} from {for_terminal(entry.sessions[0])}",
    ]
    return "  ".join(parts)


def render_json(entries: Sequence[Spent]) -> str:
    shown = [picked(entry, *(each.name for each in fields(entry))) for entry in entries]
    sums = {"months": _months(entries), "people": _people(entries), "plans": _plans(entries)}
    return json_document({"consents": shown, **sums})

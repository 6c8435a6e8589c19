"""`planner history --spend`: who agreed to what, and what it cost, with sums by month."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from planner.clock import aware
from planner.quantities import count, money
from planner.reports.neutral import for_terminal, json_document, picked
from planner.results.model import RunResult
from planner.values import frozen


@frozen
class Spent:
    """What was spent under a consent, as one session was the first to report."""

    session_id: str
    at: datetime
    by: str
    max_cost_cents: int | None
    digest: str
    launches: int
    cents: int
    """Of the calls and judge calls that are billed."""


def spending_of(sessions: Iterable[RunResult]) -> list[Spent]:
    """One entry for each session that somebody agreed to, newest first. `sessions` are all that are stored: what a
    session launched that was killed is an expense of the one that first saw its bills."""
    entries: list[Spent] = []
    seen: dict[str, int] = defaultdict(int)
    for session in sorted(sessions, key=lambda each: aware(each.started_at)):
        consent, cost = session.consent, session.cost
        if not consent.given:
            continue
        cents = cost.this_session_cents + (0 if cost.judge is None else cost.judge.this_session_cents)
        if consent.id:
            known = cost.actual_cents + (0 if cost.judge is None else cost.judge.actual_cents)
            cents = max(cents, known - seen[consent.id])
            seen[consent.id] += cents
        entries.append(
            Spent(
                session.session_id,
                aware(session.started_at).astimezone(UTC),
                consent.by,
                consent.max_cost_cents,
                session.change_set_digest,
                session.stats.launches,
                cents,
            )
        )
    return entries[::-1]


def _months(entries: Sequence[Spent]) -> dict[str, int]:
    sums: dict[str, int] = defaultdict(int)
    for entry in entries:
        sums[f"{entry.at:%Y-%m}"] += entry.cents
    return dict(sums)


def render_text(entries: Sequence[Spent]) -> str:
    lines = [
        f"{entry.at:%Y-%m-%d %H:%M}  {money(entry.cents):>9}{_limit(entry)}  {for_terminal(entry.by) or 'unknown'}"
        f"  {count(entry.launches, 'launch', 'launches')}  {for_terminal(entry.session_id)}"
        for entry in entries
    ]
    lines += ["", *(f"{month}  {money(cents):>18}" for month, cents in _months(entries).items())]
    return "\n".join(lines).strip("\n") or "Nobody has agreed to calls yet."


def _limit(entry: Spent) -> str:
    return "" if entry.max_cost_cents is None else f" of at most {money(entry.max_cost_cents)}"


def render_json(entries: Sequence[Spent]) -> str:
    shown = [
        picked(entry, "session_id", "at", "by", "max_cost_cents", "digest", "launches", "cents") for entry in entries
    ]
    return json_document({"sessions": shown, "months": _months(entries)})

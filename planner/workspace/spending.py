"""What was spent under each consent: the union of the log and the stored sessions.

The log knows every launch before it is sent, so that what a killed session or a lost machine spent is there. Stored
sessions know bills that arrived late, and consents of a log that was lost.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime

from planner.changes.model import whole_cents
from planner.clock import aware
from planner.execution.consents import Amount, Consent, Spending
from planner.execution.journal import Journal
from planner.execution.launches import LIVE
from planner.execution.spending import spending_of
from planner.reports.spending import Spent
from planner.results.model import RunResult
from planner.values import frozen


@frozen
class _Known:
    """A consent as the log knows it."""

    consent: Consent | None
    """None if the machine that agreed was lost before it could share the consent."""
    at: datetime
    """When somebody agreed, or the first launch."""
    is_open: bool
    spending: Spending


def spent_under_consents(
    journal: Journal,
    sessions: Iterable[RunResult],
    show_name: Callable[[str], str],
) -> list[Spent]:
    """One entry for each consent under which something was spent or reserved, newest first. `show_name` redacts a
    person."""
    known = _known(journal)
    ended: dict[str, list[RunResult]] = defaultdict(list)
    for session in sorted(sessions, key=lambda each: aware(each.started_at)):
        if session.consent.given:
            ended[session.consent.id or session.session_id].append(session)
    entries = [
        _spent(consent_id, known.get(consent_id), ended.get(consent_id, []), show_name)
        for consent_id in {*known, *ended}
    ]
    used = [each for each in entries if each.launches or each.cents or each.reserved_cents]
    return sorted(used, key=lambda each: (each.at, each.consent_id), reverse=True)


# The log


def _known(journal: Journal) -> dict[str, _Known]:
    consents = {consent.consent_id: consent for consent in journal.consents.every()}
    first: dict[str, datetime] = {}
    for launch in journal.launches(LIVE):
        if launch.launch_id in journal.state.elsewhere:
            continue
        first.setdefault(launch.consent_id, launch.sent_at)
    return {
        consent_id: _Known(
            consent := consents.get(consent_id),
            first[consent_id] if consent is None else consent.agreed_at,
            consent is None or journal.consents.is_open(consent_id),
            spending_of(journal, consent_id),
        )
        for consent_id in {*consents, *first}
    }


def _total(amounts: Mapping[str, Amount]) -> Amount:
    return sum(amounts.values(), Amount())


# Entries


def _spent(
    consent_id: str, known: _Known | None, sessions: Sequence[RunResult], show_name: Callable[[str], str]
) -> Spent:
    times = [aware(session.started_at) for session in sessions] + ([known.at] if known else [])
    at = min(times).astimezone(UTC)
    agreed = _agreed(known, sessions)
    spending = Spending() if known is None else known.spending
    calls, judging = spending.of_calls(), spending.of_judge_calls()
    launches = sum(1 for amounts in spending.launches.values() if _total(amounts).committed)
    return Spent(
        consent_id,
        tuple(each.session_id for each in sessions),
        at,
        show_name(agreed.by),
        agreed.max_cost_cents,
        agreed.digest,
        known is not None and known.is_open,
        max(launches, sum(each.stats.launches for each in sessions)),
        max(calls.spent + whole_cents(judging.spent), _cents_of(sessions)),
        max(calls.reserved + whole_cents(judging.reserved), _unbilled_cents(sessions)),
    )


@frozen
class _Agreed:
    by: str = ""
    max_cost_cents: int | None = None
    digest: str = ""


def _agreed(known: _Known | None, sessions: Sequence[RunResult]) -> _Agreed:
    if known is not None and known.consent is not None:
        return _Agreed(known.consent.by, known.consent.max_cost_cents, known.consent.digest)
    if not sessions:
        return _Agreed()
    last = sessions[-1].consent
    return _Agreed(last.by, last.max_cost_cents, sessions[0].change_set_digest)


# Stored sessions


def _cents_of(sessions: Sequence[RunResult]) -> int:
    """Each bill once: sessions that ran side by side do not know of each other's, and what a killed session launched
    is known only to those after it."""
    total = 0
    for session in sessions:
        cost, judge = session.cost, session.cost.judge
        own = cost.this_session_cents + (0 if judge is None else judge.this_session_cents)
        known = cost.actual_cents + (0 if judge is None else judge.actual_cents)
        total = max(total + own, known if session.consent.id else 0)
    return total


def _unbilled_cents(sessions: Sequence[RunResult]) -> int:
    """Of calls that ended without a bill. Their launches are closed, so that the store has no reservation of them. What
    was still under way when the last session ended may be settled since."""
    last = sessions[-1] if sessions else None
    if last is None or last.open_launches or last.cost.calls_under_way or not last.cost.unbilled_calls:
        return 0
    return last.cost.unconfirmed_cents

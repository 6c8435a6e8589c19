"""What was spent under each consent: the union of the log and the stored sessions.

The log knows every launch before it is sent, so that what a killed session or a lost machine spent is there. Stored
sessions know bills that arrived late, and consents of a log that was lost.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime

from planner.calls.consents import is_unfinished, max_cost_of
from planner.calls.slots import is_live, launches_of, slots_of
from planner.calls.spending import amount_of, spent_on_calls, spent_on_judging, total
from planner.changes.model import whole_cents
from planner.clock import aware
from planner.log.facts import Consent
from planner.log.fold import Launch, State
from planner.reports.spending import Spent
from planner.results.model import RunResult


def spent_under_consents(
    state: State,
    sessions: Iterable[RunResult],
    show_name: Callable[[str], str],
) -> list[Spent]:
    """One entry for each consent under which something was spent or reserved, newest first. `show_name` redacts a
    person."""
    first = _first_launches(state)
    ended: dict[str, list[RunResult]] = defaultdict(list)
    for session in sorted(sessions, key=lambda each: aware(each.started_at)):
        if session.consent.given:
            ended[session.consent.id or session.session_id].append(session)
    entries = [
        _spent(state, consent_id, first.get(consent_id), ended.get(consent_id, []), show_name)
        for consent_id in {*state.consents, *first, *ended}
    ]
    used = [each for each in entries if each.launches or each.cents or each.reserved_cents]
    return sorted(used, key=lambda each: (each.at, each.consent_id), reverse=True)


def _first_launches(state: State) -> dict[str, datetime]:
    """When the first launch under each consent of this log was decided."""
    first: dict[str, datetime] = {}
    for launch in launches_of(state, lambda launch, _: is_live(launch) and launch.launch_id not in state.elsewhere):
        if launch.intent is not None:
            first.setdefault(launch.intent.consent_id, launch.intent.at)
    return first


# Entries


def _spent(
    state: State,
    consent_id: str,
    first: datetime | None,
    sessions: Sequence[RunResult],
    show_name: Callable[[str], str],
) -> Spent:
    """A consent that is not in the log, although calls are, is of a machine that was lost before it could share it."""
    consent = state.consents.get(consent_id)
    known_at = consent.at if consent is not None else first
    times = [aware(session.started_at) for session in sessions] + ([] if known_at is None else [known_at])
    by, max_cost_cents, digest = _agreed(consent, sessions)
    calls, judging = total(spent_on_calls(state, consent_id)), spent_on_judging(state, consent_id)
    charged = [launch for launch in _launches_under(state, consent_id) if amount_of(slots_of(launch)).committed]
    return Spent(
        consent_id,
        tuple(each.session_id for each in sessions),
        min(times).astimezone(UTC),
        show_name(by),
        max_cost_cents,
        digest,
        first is not None if consent is None else is_unfinished(state, consent),
        max(len(charged), sum(each.stats.launches for each in sessions)),
        max(calls.spent + judging.spent_cents, _cents_of(sessions)),
        max(calls.reserved + whole_cents(judging.reserved), _unbilled_cents(sessions)),
    )


def _launches_under(state: State, consent_id: str) -> list[Launch]:
    return launches_of(state, lambda launch, intent: is_live(launch) and intent.consent_id == consent_id)


def _agreed(consent: Consent | None, sessions: Sequence[RunResult]) -> tuple[str, int | None, str]:
    """Who agreed, `--max-cost` and the digest of the set."""
    if consent is not None:
        return consent.person, max_cost_of(consent), consent.digest
    if not sessions:
        return "", None, ""
    last = sessions[-1].consent
    return last.by, last.max_cost_cents, sessions[0].change_set_digest


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

"""Decide which earlier sessions a new one is compared with: only those that were accepted.

A session was accepted if nothing got worse in it, or if a person accepted it: with `--start-over`, or by merging the
pull request that made its calls. So a regression is found in every later session, until the case passes as before.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final, TypeVar

from planner.results.model import AcceptedSession
from planner.statistics import Counts
from planner.values import frozen
from planner.verdicts.regression import NOTHING_COMPARED, REGRESSED_AT, Chances, chances, fit
from planner.verdicts.sessions import EarlierSession

T = TypeVar("T")

_GREATEST_SUSPICION: Final = 0.5
"""With which a case enters the next session."""


@frozen
class Accepted:
    """The accepted sessions, oldest first, and what the other ones showed since.

    `left_out` are the ids of the sessions that nobody accepted, oldest first. `suspicions` are the probabilities with
    which cases of these got worse, and `since` the first of these sessions in which a case regressed, by case id. In
    the newest session, everything was lower than usual if `was_lower`.
    """

    sessions: Sequence[Mapping[str, Counts]]
    left_out: Sequence[str]
    suspicions: Mapping[str, float]
    since: Mapping[str, str]
    was_lower: bool
    by_people: Sequence[AcceptedSession]


def accepted_sessions(
    sessions: Sequence[EarlierSession], scenarios: Mapping[str, str], beside: Collection[str] = ()
) -> Accepted:
    """Compare each session with those that were accepted before it.

    Args:
        sessions: oldest first. The first one is accepted.
        scenarios: the scenario of each case.
        beside: the cases whose calls another case has too.
    """
    kept: list[dict[str, Counts]] = []
    left_out: list[str] = []
    suspicions: dict[str, float] = {}
    since: dict[str, str] = {}
    was_lower = False
    by_people: list[AcceptedSession] = []
    for session in sessions:
        again = set(session.started_over)
        kept = [_without(each, again) for each in kept]
        found = _compared(kept, session.counts, _without(suspicions, again), (scenarios, beside))
        fallen = {name for name, chance in found.fallen.items() if chance >= REGRESSED_AT}
        worse = set(session.counts) if not fallen and (found.is_lower or found.is_worse) else fallen
        is_accepted = worse <= session.merged.keys()
        again |= worse & session.merged.keys()
        by_people += _acceptances(session, again)
        kept = [_without(each, again) for each in kept]
        was_lower = found.is_lower and not is_accepted
        if not is_accepted:
            left_out.append(session.session_id)
            suspicions |= {name: min(chance, _GREATEST_SUSPICION) for name, chance in found.fallen.items()}
            since = dict.fromkeys(fallen, session.session_id) | since
        joining = session.counts.keys() if is_accepted else again
        kept.append({name: counts for name, counts in session.counts.items() if name in joining})
        suspicions, since = _without(suspicions, joining), _without(since, joining)
    return Accepted([each for each in kept if each], left_out, suspicions, since, was_lower, by_people)


def _acceptances(session: EarlierSession, again: Collection[str]) -> list[AcceptedSession]:
    """Who accepted the cases that begin again with a session."""
    over = {(each.by, each.reason) for each in session.started_over.values()}
    merged = {("", f"merged #{session.merged[name]}") for name in again if name not in session.started_over}
    return [AcceptedSession(session_id=session.session_id, by=by, reason=why) for by, why in sorted(over | merged)]


def _compared(
    sessions: Sequence[Mapping[str, Counts]],
    now: Mapping[str, Counts],
    suspicions: Mapping[str, float],
    suite: tuple[Mapping[str, str], Collection[str]],
) -> Chances:
    known = [each for each in sessions if each]
    return chances(fit(known, *suite), now, suspicions) if known else NOTHING_COMPARED


def _without(values: Mapping[str, T], names: Collection[str]) -> dict[str, T]:
    return {name: value for name, value in values.items() if name not in names}

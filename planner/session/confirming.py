"""Calls cases again that may have regressed, before they count as such.

First all planned calls are made, for every case alike. Then suspicious cases are called again in rounds, until it is
clear whether they regressed. These calls have keys of their own in the log, so they never count as planned ones, and a
session that is killed and resumed finds them. They were agreed to: their number is part of the set of calls.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from planner.changes.consented_calls import key_of_confirmations
from planner.changes.estimate import confirmable
from planner.changes.model import Change
from planner.log.facts import Consent, Goal
from planner.results.model import CaseResult
from planner.session.calling import EndedRuns, confirmations_made, make_confirmations
from planner.session.preparing import Preparation
from planner.session.run_session import ConnectedSession
from planner.verdicts.case_documents import MissingRuns, assemble_cases
from planner.verdicts.outcome import Outcome

ROUNDS: Final = (4, 8, 16)
"""How many calls of each suspicious case."""


def with_confirmation(cases: Iterable[CaseResult], added: EndedRuns) -> list[CaseResult]:
    """The cases with the calls that were added to confirm regressions."""
    return [
        case.model_copy(update={"confirmation": sorted(runs, key=lambda run: run.run_id)})
        if (runs := added.judged.get(case.case_id))
        else case
        for case in cases
    ]


async def confirm_regressions(
    session: ConnectedSession, prepared: Preparation, outcome: Outcome, runs: EndedRuns
) -> EndedRuns:
    """Add calls where they decide. What stopped them is noted in `outcome`, except a ceiling: then what is known so far
    counts."""
    added = EndedRuns()
    payers = _payers(prepared)
    wanted: Counter[str] = Counter()
    for calls in ROUNDS:
        state = session.log.state
        consent = state.consents[prepared.consent_id]
        made = confirmations_made(state, prepared.consent_id)
        room = prepared.change_set.confirmations - sum((wanted | made).values())
        now: dict[str, Change] = {}
        for case_id in prepared.to_confirm(_cases(session, prepared, runs, added)):
            change = payers.get(case_id)
            key = "" if change is None else key_of_confirmations(change)
            if change is None or key in now:
                continue
            more = min(wanted[key] + calls, max(wanted[key], made[key]) + room)
            room -= max(0, more - max(wanted[key], made[key]))
            if more > wanted[key]:
                wanted[key], now[key] = more, change
        if not now:
            return added
        consent = _with_goals(session, consent, now, wanted, made)
        ended = await make_confirmations(session, prepared, now, consent, added)
        if _is_stopped(outcome, ended):
            return added
    return added


def _payers(prepared: Preparation) -> dict[str, Change]:
    """Who makes the calls of each case that may be called again."""
    change_set = prepared.change_set
    judged = {change.case_id for change in prepared.judging.asking(change_set.changes)}
    return {each.case_id: change for change in confirmable(change_set, judged) for each in change_set.sharing(change)}


def _cases(session: ConnectedSession, prepared: Preparation, runs: EndedRuns, added: EndedRuns) -> list[CaseResult]:
    judged = assemble_cases(
        prepared.change_set.changes,
        runs.judged,
        session.place.repository.load_evidence,
        MissingRuns(),
        today=session.reports.started_at.date(),
        ask=prepared.judging.cache,
    )
    return with_confirmation(judged, added)


def _with_goals(
    session: ConnectedSession,
    consent: Consent,
    now: Mapping[str, Change],
    wanted: Mapping[str, int],
    made: Mapping[str, int],
) -> Consent:
    """The consent with the goals of these keys. A goal is a total: of this consent's calls and those of earlier
    ones."""
    live = session.log.state.tallies.live
    goals = {goal.key: goal for goal in consent.confirmations}
    for key, change in now.items():
        plan = change.case.plan if change.case is not None else ""
        goals[key] = Goal(key, live[key] - made.get(key, 0) + wanted[key], plan)
    fact = replace(consent, at=session.shell.clock.now(), confirmations=tuple(goals.values()), part=consent.part + 1)
    session.log.note([fact])
    return fact


def _is_stopped(outcome: Outcome, ended: Outcome) -> bool:
    """Note in `outcome` how these calls ended."""
    outcome.launches = max(outcome.launches, ended.launches)
    outcome.interrupted = outcome.interrupted or ended.interrupted
    outcome.bug = outcome.bug or ended.bug
    outcome.trouble = outcome.trouble or ended.trouble
    outcome.usage = outcome.usage or ended.usage
    outcome.refusal = outcome.refusal or ended.refusal
    outcome.anomalies = tuple(dict.fromkeys((*outcome.anomalies, *ended.anomalies)))
    outcome.unsettled = tuple(dict.fromkeys((*outcome.unsettled, *ended.unsettled)))
    return bool(
        ended.interrupted or ended.bug or ended.trouble or ended.usage or ended.refusal or ended.ceilings
    ) or bool(ended.unsettled)

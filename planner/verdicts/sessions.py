"""Earlier sessions of the base branch, as the regression rule sees them: how often each case passed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field
from typing import Final, TypeAlias

from planner.changes.detail import revision_digest
from planner.records.facts import StoredCall, Trust, id_of
from planner.results.model import CaseInputs, CaseResult, JudgedRun, StartOverDocument
from planner.statistics import Counts
from planner.values import frozen
from planner.verdicts.cases import sample_of
from planner.verdicts.comparison import clean_counts, measurement_change

MIN_SESSIONS: Final = 2
"""With fewer earlier sessions, nothing is known about what is usual: a case that misses its requirement is red."""
MAX_SESSIONS: Final = 20
"""How many of the newest earlier sessions are compared with. Older ones are not read, so that a session costs the
same however many are stored."""
CallsOf: TypeAlias = Callable[[Mapping[str, int]], Mapping[str, Sequence[StoredCall]]]
"""The stored calls with call fingerprints, of so many of the newest sessions of each."""


@frozen
class Measured:
    """How a case is called and measured today. Only calls that were made and measured alike are compared with it."""

    inputs: CaseInputs
    call_fingerprint: str
    check_fingerprint: str
    judged_by: str | None
    is_graded: bool
    counts: Callable[[Sequence[JudgedRun]], Counts]
    latest: Sequence[JudgedRun] = ()
    """Today's runs."""


def measured(case: CaseResult) -> Measured:
    """A case with its results."""
    return Measured(
        case.inputs,
        case.call_fingerprint,
        case.check_fingerprint,
        case.judged_by,
        case.is_graded,
        lambda runs: clean_counts(sample_of(case, runs)),
        [run for run in case.runs if not run.pooled],
    )


@frozen
class EarlierSession:
    """A session: (passed, countable) by case id.

    `started_over` are the cases that begin again with it, because a person said so: what they did before is not
    compared. `merged` are the cases whose newest calls by a merged pull request it made, with its number: those that
    got worse begin again.
    """

    session_id: str
    counts: Mapping[str, Counts]
    started_over: Mapping[str, StartOverDocument] = field(default_factory=dict[str, StartOverDocument])
    merged: Mapping[str, int] = field(default_factory=dict[str, int])


def earlier_sessions(now: Mapping[str, Measured], stored: CallsOf) -> list[EarlierSession]:
    """The newest sessions of the base branch with calls of these cases, oldest first."""
    by_session = _calls_by_session(now, stored)
    newest: dict[tuple[str, int], str] = {}
    for session_id in sorted(by_session):
        for case_id, calls in by_session[session_id].items():
            if calls.merged is not None:
                newest[case_id, calls.merged] = session_id
    found = [
        EarlierSession(
            session_id,
            _countable(calls),
            {case_id: each.start_over for case_id, each in calls.items() if each.start_over is not None},
            {case_id: number for (case_id, number), its in newest.items() if its == session_id},
        )
        for session_id, calls in sorted(by_session.items())
    ]
    return [each for each in found if each.counts][-MAX_SESSIONS:]


def session_before(now: Mapping[str, Measured], stored: CallsOf) -> Mapping[str, Counts] | None:
    """The newest earlier session of a pull request that called the same agents as today. None if it has less than half
    of the cases."""
    by_session = _calls_by_session(now, stored, is_of_base=False)
    if not by_session:
        return None
    newest = by_session[max(by_session)]
    counts = _countable({name: calls for name, calls in newest.items() if calls.agent == _agent_of(now[name])})
    return counts if 2 * len(counts) >= len(now) else None


def _countable(calls: Mapping[str, _Calls]) -> dict[str, Counts]:
    return {case_id: each.counts for case_id, each in calls.items() if each.counts[1]}


@frozen
class _Calls:
    """The calls of one case that one session made, with the agent they reached."""

    agent: str
    counts: Counts
    start_over: StartOverDocument | None
    merged: int | None
    """The pull request that made them."""


def _calls_by_session(
    now: Mapping[str, Measured], stored: CallsOf, *, is_of_base: bool = True
) -> dict[str, dict[str, _Calls]]:
    """The earlier calls of each case on the base branch, or else on a pull request, that are judged and measured like
    today's, by the session that made them."""
    latest = {id_of(run) for case in now.values() for run in case.latest}
    every = stored(_sessions_wanted(now.values()))
    found: dict[str, dict[str, _Calls]] = {}
    for case_id, case in now.items():
        by_session: dict[str, list[StoredCall]] = {}
        for call in every[case.call_fingerprint]:
            is_wanted = call.is_of_base is is_of_base and _counts(call) and not call.confirms
            if is_wanted and call.id not in latest:
                by_session.setdefault(call.call.session_id, []).append(call)
        for session_id, calls in by_session.items():
            runs = _judged(case, calls)
            if runs and measurement_change(runs, case.latest, is_graded=case.is_graded) is None:
                newest = calls[-1].call
                agent = _agent(newest.configuration, newest.agent_revision)
                its = _Calls(agent, case.counts(runs), newest.start_over, newest.merged)
                found.setdefault(session_id, {})[case_id] = its
    return found


def _sessions_wanted(cases: Iterable[Measured]) -> dict[str, int]:
    """By call fingerprint. One more for today's session, also if it has no calls yet: then nothing is read again when
    it has."""
    wanted: dict[str, int] = {}
    for case in cases:
        of_today = max(1, len({run.session_id for run in case.latest}))
        wanted[case.call_fingerprint] = max(wanted.get(case.call_fingerprint, 0), MAX_SESSIONS + of_today)
    return wanted


def _counts(call: StoredCall) -> bool:
    return call.trust is not Trust.NOTHING and call.call.excluded is None


def _judged(case: Measured, calls: Sequence[StoredCall]) -> list[JudgedRun]:
    """Those of the calls that were judged by today's expectations."""
    verdicts = [(call, call.verdict(case.check_fingerprint, case.judged_by)) for call in calls]
    return [call.run(verdict.verdict, verdict.judge_model) for call, verdict in verdicts if verdict is not None]


def _agent(configuration: str | None, revision: str | None) -> str:
    return configuration or revision_digest(revision or "")


def _agent_of(case: Measured) -> str:
    return _agent(case.inputs.configuration, case.inputs.agent_revision)

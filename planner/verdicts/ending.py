"""How an invocation ends: the outcome's word, the exit code, what else holds, and how to go on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from planner.errors import StoreError
from planner.execution.jobs import Outcome, RunRecord, UnsettledLaunch
from planner.execution.journal import Journal
from planner.execution.rereading import LONGEST_RUN
from planner.reports.phrasing import moment
from planner.reports.quantities import count, money
from planner.results.model import CaseDocument, PlanOutcome
from planner.verdicts.gate import DEFAULT_GATE, FailOn, Gate
from planner.verdicts.going_on import steps_to_decide

_ORDER: Final = (5, 130, 2, 3, 1, 4)
"""Where several hold, the exit code is the first of these: a failure found stays one whatever is still unknown."""
WORDS: Final[Mapping[int, PlanOutcome]] = {
    0: "passed",
    1: "failed",
    2: "refused",
    3: "refused",
    4: "unknown",
    5: "unknown",
    130: "interrupted",
}
"""The outcome of each exit code."""


BALANCE: Final = "the organisation's balance"
TEST_CALL_BUDGET: Final = "the organisation's test-call budget"


def first_of(codes: Iterable[int]) -> int:
    """The exit code where several hold; 0 where none does."""
    blocked = set(codes)
    return next((code for code in _ORDER if code in blocked), 0)


@dataclass(frozen=True, slots=True)
class Ending:
    """`finished`: every call asked for was made and its fate is known, so that the results may become the baseline."""

    outcome: PlanOutcome
    exit_code: int
    problems: tuple[str, ...]
    next_steps: tuple[str, ...]
    finished: bool

    def with_trouble(self, error: StoreError) -> Ending:
        """What was found stands, but could not be put where it belongs: nothing of it is a baseline, and not all is well."""
        code = first_of((self.exit_code, error.exit_code))
        return Ending(
            WORDS[code],
            code,
            (*self.problems, str(error)),
            tuple(dict.fromkeys((*self.next_steps, error.hint))),
            finished=False,
        )


def may_still_end(records: Iterable[RunRecord], journal: Journal, now: datetime) -> set[str]:
    """The cases with a run that we stopped waiting for: it is paid for, and looked for by every invocation until a day after
    its launch. Only then is it given up, and another call may stand in for it."""
    waiting = {record.case_id: record.launch_id for record in records if record.evidence is None}
    launches = {case_id: journal.launch(launch_id) for case_id, launch_id in waiting.items()}
    return {case_id for case_id, launch in launches.items() if launch and now - launch.sent_at < LONGEST_RUN}


@dataclass(frozen=True, slots=True)
class WaysOn:
    """Commands: `again` goes on with what was begun, `free` does so without a call, and `afterwards` (`afterwards_free`: without
    one) is to be typed once that is done: `--rerun all` again would pay for everything again. `reconcile` shows launches of unknown
    fate."""

    again: str
    free: str
    afterwards: str
    afterwards_free: str
    reconcile: str = "planner reconcile"


def ending_of(
    cases: Sequence[CaseDocument],
    outcome: Outcome,
    overdue: AbstractSet[str],
    ways: WaysOn,
    gate: Gate = DEFAULT_GATE,
    out_of_reach: AbstractSet[str] = frozenset(),
) -> Ending:
    """`overdue` are cases with a run that did not end in time, or could not be read, and may still; `out_of_reach` are failed cases
    whose rate passing calls could not reach.

    Quarantined cases do not make the exit code non-zero.
    """
    counted = [case for case in cases if case.quarantine is None]
    unknown = [case for case in counted if case.outcome == "unknown"]
    waiting = sorted(case.case_id for case in cases if case.outcome == "unknown" and case.case_id in overdue)
    codes, problems, steps = _stopped(outcome, ways)
    finished = not (codes or outcome.left or waiting)
    stopped_at_failure = outcome.fail_fast and FailOn.FAILURE in gate.fail_on  # its case may not be decided any more
    if stopped_at_failure or gate.has_failure(cases) or gate.has_regression(cases):
        codes.add(1)
    if unknown:
        codes.add(4)
    problems += _undecided(unknown)
    if waiting:
        left_open = f"{count(len(waiting), 'case')} left open by runs"
        looked_for = (
            "are looked for, free, by every run until a day after their launch; they are called again only then."
        )
        if not outcome.unread:
            problems.append(f"{left_open} that did not end in time")
            steps.append(f"Runs that have not ended {looked_for}")
        elif len(outcome.unread) == outcome.overdue:
            problems.append(f"{left_open} whose calls cannot be read: {outcome.unread[0]}")
            steps.append(f"Runs whose calls cannot be read {looked_for}")
        else:
            problems.append(f"{left_open} that did not end in time, or whose calls cannot be read: {outcome.unread[0]}")
            steps.append(f"Runs that have not ended, or whose calls cannot be read, {looked_for}")
    if outcome.left:
        left = sum(outcome.left.values())
        problems.append(f"{count(left, 'call')} of {count(len(outcome.left), 'case')} not made")
    if finished:
        steps += steps_to_decide(cases, unknown, out_of_reach, again=ways.afterwards, free=ways.afterwards_free)
    elif not outcome.ceiling:  # the same ceiling would stop it again
        only_waiting = waiting and {case.case_id for case in unknown} <= set(waiting)
        charged = outcome.left or outcome.unsettled or outcome.interrupted or outcome.trouble or outcome.blocked
        go_on = ways.free if only_waiting and not charged else ways.again
        steps.append(f"Go on, without paying for anything twice: {go_on}")
    code = first_of(codes)
    return Ending(WORDS[code], code, tuple(problems), tuple(steps), finished)


def _stopped(outcome: Outcome, ways: WaysOn) -> tuple[set[int], list[str], list[str]]:
    """(exit codes, problems, steps) of all that kept the engine from making every call, or from knowing what became of it."""
    codes: set[int] = set()
    problems: list[str] = []
    steps: list[str] = []
    if outcome.interrupted:
        codes.add(130)
        problems.append(
            "interrupted: nothing more was launched; runs under way are picked up next time, not dialled again"
        )
    if outcome.usage:
        codes.add(2)
        problems.append(outcome.usage)
    if outcome.refusal:
        codes.add(3)
        problems.append(outcome.refusal)
    if outcome.ceiling:
        codes.add(3)
        problems.append(f"the ceiling was reached ({outcome.ceiling_detail or outcome.ceiling})")
        enough = f" ({outcome.ceiling_enough} would do)" if outcome.ceiling_enough else ""
        cure = f"Top up {BALANCE}" if outcome.ceiling == BALANCE else f"Raise the ceiling{enough}"
        left = "make the calls that are left; those made are not paid for again."
        steps.append(f"{cure} to {left if outcome.left else 'go on; what was asked for is not paid for again.'}")
    if outcome.broken:
        problems.append(
            f"a ceiling was broken: {outcome.broken}; calls that were under way cost more than was held for them"
        )
    for trouble in filter(None, (outcome.trouble, outcome.blocked)):
        codes.add(4)
        if not outcome.usage.startswith(trouble):  # a refused read is both
            problems.append(trouble)
    if outcome.anomalies:
        codes.add(4)
        problems += outcome.anomalies.values()
    if outcome.unsettled:
        codes.add(4)
        cents = sum(launch.reserved_cents for launch in outcome.unsettled)
        problems.append(
            f"{count(len(outcome.unsettled), 'launch', 'launches')} of unknown fate (up to {money(cents)}):"
            " not sent again until that is known"
        )
        steps += _fate(outcome.unsettled, ways.reconcile)
    return codes, problems, steps


def _fate(unsettled: Sequence[UnsettledLaunch], reconcile: str) -> list[str]:
    """What will become of launches of unknown fate, and where more of them is shown."""
    steps: list[str] = []
    if times := [launch.again_at for launch in unsettled if launch.again_at and not launch.needs_person]:
        steps.append(
            "Launches of unknown fate are looked for again by the next run, and sent again only if the service does not"
            f" show them by {moment(max(times))}; what is known of them: {reconcile}"
        )
    if any(launch.needs_person for launch in unsettled):
        steps.append(
            f"What became of a launch cannot be told from what the service shows, and a person must say: {reconcile}"
        )
    return steps


def _undecided(unknown: Sequence[CaseDocument]) -> list[str]:
    """What would decide unknown cases whose calls were made."""
    undecided = [run for case in unknown for run in case.runs if run.fault == "judge"]
    problems: list[str] = []
    if lacking := {part for run in undecided for part in run.missing}:
        problems.append(
            f"the service has not told all of calls that were made ({', '.join(sorted(lacking))}): the next run asks for it again,"
            " free, and calls nobody for it; --rerun failed would call afresh, for money"
        )
    elif any(not run.votes_missing for run in undecided):
        problems.append(
            "some calls could not be judged although their evidence is complete: change the expectations or the judge, or call"
            " again (--rerun failed, charged)"
        )
    if votes := sum(run.votes_missing for run in undecided):
        reasons = list(dict.fromkeys(run.reason for run in undecided if run.votes_missing and run.reason))
        others = f"; and for {count(len(reasons) - 1, 'other reason')}" if len(reasons) > 1 else ""
        why = f" ({reasons[0]}{others})" if reasons else ""
        problems.append(
            f"{count(votes, 'vote')} of the language model missing{why}: the next run asks for {'it' if votes == 1 else 'them'}"
        )
    return problems


def why_not_called(outcome: Outcome) -> str:
    """In one line; empty where all calls were made."""
    reasons = [
        "interrupted" if outcome.interrupted else "",
        f"ceiling reached ({outcome.ceiling})" if outcome.ceiling else "",
        outcome.refusal or outcome.usage or outcome.trouble or outcome.blocked,
        "--fail-fast" if outcome.fail_fast else "",
        "their launch's fate is unknown" if outcome.unsettled else "",
    ]
    return "; ".join(reason for reason in reasons if reason)

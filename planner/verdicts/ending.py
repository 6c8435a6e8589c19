"""How a session ends: open runs, outcome, exit code, problems and next steps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Final

from planner.calls.model import Unsettled
from planner.calls.slots import Slot, unfinished_slots
from planner.changes.detail import hides_number
from planner.changes.model import Change
from planner.errors import PlannerError, StoreError
from planner.log.fold import LONGEST_RUN, State
from planner.planfile.model import Case
from planner.quantities import count, moment, money
from planner.results.model import CaseResult, JudgedRun, PlanOutcome
from planner.results.next_steps import NextStep, NextStepCode
from planner.results.outcomes import CaseOutcome, Cause
from planner.values import frozen
from planner.verdicts.cases import CaseVerdict, judge_case, settled
from planner.verdicts.gate import DEFAULT_GATE, Gate
from planner.verdicts.next_steps import (
    NextCommands,
    latest_again,
    rerun_of,
    step_after_bad_hour,
    step_after_ceiling,
    steps_of,
    steps_to_confirm,
    steps_to_decide,
    steps_to_read,
)
from planner.verdicts.outcome import Outcome
from planner.verdicts.runs import EndedRun

_ORDER: Final = (5, 130, 2, 3, 1, 4)
"""If several apply, the first wins: a failure is reported even if something else is unknown."""
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


def first_of(codes: Iterable[int]) -> int:
    """The exit code if several apply; 0 if there are none."""
    found = set(codes)
    return next((code for code in _ORDER if code in found), 0)


@frozen
class Ending:
    """How a session ends. `finished`: every call was made and confirmed, so the results may become a baseline."""

    outcome: PlanOutcome
    exit_code: int
    problems: tuple[str, ...]
    next_steps: tuple[NextStep, ...]
    finished: bool

    def with_store_error(self, error: StoreError) -> Ending:
        """The ending if the results could not be stored: they never become a baseline."""
        code = first_of((self.exit_code, error.exit_code))
        steps = tuple(dict.fromkeys((*self.next_steps, *steps_of(error))))
        return Ending(WORDS[code], code, (*self.problems, str(error)), steps, finished=False)


def may_still_end(records: Iterable[EndedRun], now: datetime) -> set[str]:
    """The cases with a run that we stopped waiting for. Sessions look for it until a day after its launch, as it is
    paid for; only then may another call replace it."""
    waiting = (record.slot for record in records if record.evidence is None)
    return {slot.case_id for slot in waiting if now - slot.intent.at < LONGEST_RUN}


def ending_of(
    cases: Sequence[CaseResult],
    outcome: Outcome,
    overdue: AbstractSet[str],
    commands: NextCommands,
    gate: Gate = DEFAULT_GATE,
) -> Ending:
    """The exit code, and what to do next. Quarantined cases do not change the exit code.

    Args:
        overdue: cases with a run that is late or unreadable, and may still end.
    """
    unknown = [case for case in cases if case.outcome is CaseOutcome.UNKNOWN and case.quarantine is None]
    waiting = {case.case_id for case in cases if case.outcome is CaseOutcome.UNKNOWN and case.case_id in overdue}
    codes, problems, steps = _stopped(outcome, commands)
    finished = not (codes or outcome.left or waiting)
    # With `fail_fast`, the failed run's case may not be decided any more.
    if outcome.fail_fast or gate.has_failure(cases) or gate.has_regression(cases):
        codes.add(1)
    if unknown or gate.is_undecided:
        codes.add(4)
    problems += _undecided(unknown)
    if waiting:
        reasons = ["runs did not end in time"] if len(outcome.unread) < outcome.overdue or not outcome.unread else []
        reasons += [f"calls cannot be read: {outcome.unread[0]}"] if outcome.unread else []
        problems.append(f"{count(len(waiting), 'case')} undecided: {', or '.join(reasons)}")
        text = (
            "Each session looks for these runs, free, for a day after their launch. Only then are the cases called "
            "again."
        )
        steps.append(NextStep(code=NextStepCode.WAIT, text=text))
    if outcome.left:
        left = sum(outcome.left.values())
        problems.append(f"{count(left, 'call')} of {count(len(outcome.left), 'case')} not made")
    steps += steps_to_read(cases, commands)
    if finished:
        steps += step_after_bad_hour(commands) if gate.is_undecided else ()
        steps += steps_to_decide(cases, commands)
    elif not outcome.ceilings:  # the same ceiling would stop it again
        is_free = waiting and {case.case_id for case in unknown} <= waiting
        stopped = outcome.interrupted or outcome.trouble or outcome.bug
        charged = not is_free or bool(outcome.left or outcome.unsettled or stopped)
        resume = commands.resume if charged else commands.resume_free
        text = "To resume (nothing is charged twice)"
        if outcome.usage or outcome.refusal:
            why = (outcome.usage or outcome.refusal).rstrip(".")
            text = f"This is refused until it is corrected: {why}. Then, to resume (nothing is charged twice)"
        steps.append(NextStep(code=NextStepCode.RESUME, text=text, command=resume, charged=charged))
    code = first_of(codes)
    return Ending(WORDS[code], code, tuple(problems), tuple(steps), finished)


def _stopped(outcome: Outcome, commands: NextCommands) -> tuple[set[int], list[str], list[NextStep]]:
    """(exit codes, problems, steps) for everything that stopped calls or left their result unconfirmed."""
    found: list[tuple[int, str]] = []
    steps: list[NextStep] = []
    if outcome.bug is not None:
        found.append((5, _words_of(outcome.bug)))
    if outcome.interrupted:
        found.append(
            (130, "interrupted: no further calls were launched; the next session resumes the calls in progress")
        )
    found += [(code, text) for code, text in ((2, outcome.usage), (3, outcome.refusal)) if text]
    if outcome.ceilings:
        found.append((3, f"the ceiling was reached ({outcome.ceiling_detail or ', '.join(outcome.ceilings)})"))
        steps.append(step_after_ceiling(outcome))
    if outcome.broken:
        text = f"a ceiling was exceeded: {outcome.broken}; calls in progress cost more than was reserved for them"
        found.append((0, text))
    found += [(4, trouble) for trouble in (outcome.trouble, *outcome.anomalies) if trouble]
    if outcome.unsettled:
        cents = sum(launch.intent.cents for launch in outcome.unsettled)
        launches = count(len(outcome.unsettled), "unconfirmed launch", "unconfirmed launches")
        found.append((4, f"{launches} (up to {money(cents)}): {_when_sent_again(outcome.unsettled)}"))
        steps += steps_to_confirm(outcome.unsettled, commands.reconcile)
    texts = dict.fromkeys(text for _, text in found)  # a refused read is trouble, too
    return {code for code, _ in found if code}, list(texts), steps


def _when_sent_again(unsettled: Sequence[Unsettled]) -> str:
    at = latest_again(unsettled)
    if at is None:
        details = {launch.why for launch in unsettled}
        is_known = len(details) == 1 and not any(launch.needs_person for launch in unsettled)
        why = details.pop() if is_known else ""
        return why or "not sent again until the service shows what happened"
    return f"sent again after {moment(at)}, but only if the service does not show them by then"


def _words_of(bug: Exception) -> str:
    return bug.with_hint if isinstance(bug, PlannerError) else f"a bug in planner ({type(bug).__name__})"


def _undecided(unknown: Sequence[CaseResult]) -> Iterator[str]:
    """Why unknown cases are undecided although their calls were made."""
    if bugs := sorted({f.message for case in unknown for run in case.runs for f in run.findings if f.is_bug}):
        yield (
            f"{'; '.join(bugs)}. Please report it. The calls are stored: a fixed version judges "
            "them, free; new calls would not help"
        )
    undecided = [run for case in unknown for run in case.runs if run.cause is Cause.JUDGE]
    if hidden := sum(hides_number(run) for case in unknown for run in case.runs):
        yield (
            f"{count(hidden, 'transferred call')} undecided: the service does not name the number, so new calls would "
            "be undecided too; expect `end_reason: transfer` instead of `transferred_to`"
        )
    if lacking := {part for run in undecided for part in run.missing}:
        yield (
            f"the evidence of some calls is incomplete ({', '.join(sorted(lacking))}): the next session reads it "
            f"again, free; {rerun_of(unknown)} makes new calls (charged)"
        )
    elif any(not (run.votes_missing or run.has_bug or hides_number(run)) for run in undecided):
        yield (
            "some calls could not be judged although their evidence is complete: change the expectations or the "
            f"judge, or call again ({rerun_of(unknown)}, charged)"
        )
    if votes := sum(run.votes_missing for run in undecided):
        reasons = list(dict.fromkeys(run.reason for run in undecided if run.votes_missing and run.reason))
        others = f"; and for {count(len(reasons) - 1, 'other reason')}" if len(reasons) > 1 else ""
        why = f" ({reasons[0]}{others})" if reasons else ""
        lacking = "vote of the judge is" if votes == 1 else "votes of the judge are"
        them = "it" if votes == 1 else "them"
        yield f"{votes:,} {lacking} missing{why}: the next `planner run` requests {them}"


def why_not_called(outcome: Outcome) -> str:
    """In one line; empty if all calls were made."""
    reasons = [
        "a bug in planner" if outcome.bug else "",
        "interrupted" if outcome.interrupted else "",
        f"ceiling reached ({', '.join(outcome.ceilings)})" if outcome.ceilings else "",
        outcome.refusal or outcome.usage or outcome.trouble,
        "--fail-fast" if outcome.fail_fast else "",
        "their launch is unconfirmed" if outcome.unsettled else "",
    ]
    return "; ".join(filter(None, reasons))


@frozen
class OpenRuns:
    """The open runs of one case."""

    launched: int = 0
    """Launched or unconfirmed runs that are not among the runs of the case."""
    run_ids: frozenset[int] = frozenset()
    """Runs of the case that have not ended, or that open runs replace."""
    not_made: int = 0
    """Wanted runs that were never launched."""


NO_OPEN_RUNS = OpenRuns()


def judge_with_open_runs(case: Case, runs: Sequence[JudgedRun], open_runs: OpenRuns) -> CaseVerdict:
    """The verdict on `runs`; unknown if open runs, or those that were not made, could change it."""
    verdict = judge_case(case, runs)
    ended = [run for run in runs if run.run_id not in open_runs.run_ids]
    remaining = open_runs.launched + open_runs.not_made + len(runs) - len(ended)
    counting = [run for run in ended if run.excluded is None]
    excluded = len(ended) - len(counting)
    if not runs or not remaining or settled(case, counting, remaining + excluded) is not None:
        return verdict
    return verdict._replace(outcome=CaseOutcome.UNKNOWN, outcome_reason="")


def open_runs_at_end(
    state: State,
    session_id: str,
    resumed: Mapping[tuple[str, str], str],
    records: Sequence[EndedRun],
    overdue: Sequence[EndedRun],
    now: datetime,
) -> dict[str, OpenRuns]:
    """By the case that makes the calls, the runs that are open at the end of a session that launched or `resumed` them
    (launches and fingerprints, and for which case).

    `records` are the runs it reported, `overdue` those of them that it stopped waiting for. An accepted run is given up
    after a day; an unconfirmed launch stays open until it is confirmed.
    """
    reported = {record.run_id for record in records}
    launched: Counter[str] = Counter()
    for slot in unfinished_slots(state):
        if slot.confirms:
            continue
        key = (slot.launch_id, slot.call_fingerprint)
        is_ours = key in resumed or slot.intent.session_id == session_id
        if is_ours and slot.run_id not in reported and _is_open(slot, now):
            launched[resumed.get(key, slot.case_id)] += 1
    unended: dict[str, set[int]] = {}
    for record in overdue:
        if _is_open(record.slot, now):
            unended.setdefault(record.slot.case_id, set()).add(record.run_id)
    return {
        case_id: OpenRuns(launched[case_id], frozenset(unended.get(case_id, ())))
        for case_id in launched.keys() | unended.keys()
    }


def open_runs_of_stored(
    changes: Iterable[Change], resumable: Mapping[str, Sequence[Slot]], now: datetime
) -> dict[str, OpenRuns]:
    """By case id, the open runs of a session that makes no calls: the next session resumes `resumable`, and counts them
    together with the runs that each change keeps."""
    found: dict[str, OpenRuns] = {}
    for change in changes:
        slots = resumable.get(change.payer, ())
        if any(slot.evidence is None and _is_open(slot, now) for slot in slots):
            stored = change.prior.runs if change.prior else ()
            replaced = {run.run_id for run in stored} - set(change.kept_run_ids)
            found[change.case_id] = OpenRuns(len(slots), frozenset(replaced))
    return found


def _is_open(slot: Slot, now: datetime) -> bool:
    return slot.launch.is_open or (slot.launch.has_runs and now - slot.intent.at < LONGEST_RUN)

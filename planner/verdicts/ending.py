"""How a session ends: open runs, outcome, exit code, problems and next steps."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Final

from planner.changes.detail import hides_number
from planner.changes.model import Change
from planner.errors import PlannerError, StoreError
from planner.execution.engine import BALANCE, Outcome, UnsettledLaunch
from planner.execution.journal import Journal
from planner.execution.launches import KNOWN, LONGEST_RUN, UNSETTLED, EndedRun, Launch, LaunchState, Slot
from planner.planfile.model import Case
from planner.quantities import count, moment, money
from planner.results.model import FRUITLESS_SESSIONS, CaseResult, JudgedRun, PlanOutcome
from planner.results.outcomes import CaseOutcome, Cause, FailOn, RunOutcome
from planner.values import frozen
from planner.verdicts.cases import CaseVerdict, judge_case, settled
from planner.verdicts.gate import DEFAULT_GATE, Gate

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


_NAMED: Final = 3


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
    next_steps: tuple[str, ...]
    finished: bool

    def with_store_error(self, error: StoreError) -> Ending:
        """The ending if the results could not be stored: they never become a baseline."""
        code = first_of((self.exit_code, error.exit_code))
        steps = tuple(dict.fromkeys((*self.next_steps, error.hint)))
        return Ending(WORDS[code], code, (*self.problems, str(error)), steps, finished=False)


def may_still_end(records: Iterable[EndedRun], journal: Journal, now: datetime) -> set[str]:
    """The cases with a run that we stopped waiting for. Sessions look for it until a day after its launch, as it is
    paid for; only then may another call replace it."""
    waiting = {record.slot.case_id: record.slot.launch_id for record in records if record.evidence is None}
    launches = {case_id: journal.launch(launch_id) for case_id, launch_id in waiting.items()}
    return {case_id for case_id, launch in launches.items() if launch and now - launch.sent_at < LONGEST_RUN}


@frozen
class NextCommands:
    """Command lines to suggest. The `_free` variants make no call."""

    resume: str
    resume_free: str
    rerun: str
    """For after the session is complete. Differs from `resume` for `--rerun all`, which would charge everything
    again."""
    rerun_free: str
    failed: str
    """Calls what did not pass, also what the default leaves out."""
    transcript: str
    """Shows conversations; the case id follows."""
    reconcile: str = "planner reconcile"


def ending_of(
    cases: Sequence[CaseResult],
    outcome: Outcome,
    overdue: AbstractSet[str],
    commands: NextCommands,
    gate: Gate = DEFAULT_GATE,
    out_of_reach: AbstractSet[str] = frozenset(),
) -> Ending:
    """The exit code, and what to do next. Quarantined cases do not change the exit code.

    Args:
        overdue: cases with a run that is late or unreadable, and may still end.
        out_of_reach: failed cases whose required rate new calls could not reach.
    """
    unknown = [case for case in cases if case.outcome is CaseOutcome.UNKNOWN and case.quarantine is None]
    waiting = {case.case_id for case in cases if case.outcome is CaseOutcome.UNKNOWN and case.case_id in overdue}
    codes, problems, steps = _stopped(outcome, commands)
    finished = not (codes or outcome.left or waiting)
    stopped_at_failure = outcome.fail_fast and FailOn.FAILURE in gate.fail_on  # its case may not be decided any more
    if stopped_at_failure or gate.has_failure(cases) or gate.has_regression(cases):
        codes.add(1)
    if unknown:
        codes.add(4)
    problems += _undecided(unknown)
    if waiting:
        reasons = ["runs did not end in time"] if len(outcome.unread) < outcome.overdue or not outcome.unread else []
        reasons += [f"calls cannot be read: {outcome.unread[0]}"] if outcome.unread else []
        problems.append(f"{count(len(waiting), 'case')} undecided: {', or '.join(reasons)}")
        steps.append(
            "Each session looks for these runs, free, for a day after their launch. Only then are the cases called "
            "again."
        )
    if outcome.left:
        left = sum(outcome.left.values())
        problems.append(f"{count(left, 'call')} of {count(len(outcome.left), 'case')} not made")
    steps += _steps_to_read(cases, commands)
    if finished:
        steps += _steps_to_decide(cases, out_of_reach, commands)
    elif not outcome.ceiling:  # the same ceiling would stop it again
        is_free = waiting and {case.case_id for case in unknown} <= waiting
        stopped = outcome.interrupted or outcome.trouble or outcome.blocked or outcome.bug
        charged = outcome.left or outcome.unsettled or stopped
        resume = commands.resume_free if is_free and not charged else commands.resume
        steps.append(f"To resume (nothing is charged twice): {resume}")
    code = first_of(codes)
    return Ending(WORDS[code], code, tuple(problems), tuple(steps), finished)


def _stopped(outcome: Outcome, commands: NextCommands) -> tuple[set[int], list[str], list[str]]:
    """(exit codes, problems, steps) for everything that stopped calls or left their result unconfirmed."""
    found: list[tuple[int, str]] = []
    steps: list[str] = []
    if outcome.bug is not None:
        found.append((5, _words_of(outcome.bug)))
    if outcome.interrupted:
        found.append(
            (130, "interrupted: no further calls were launched; the next session resumes the calls in progress")
        )
    found += [(code, text) for code, text in ((2, outcome.usage), (3, outcome.refusal)) if text]
    if outcome.ceiling:
        found.append((3, f"the ceiling was reached ({outcome.ceiling_detail or outcome.ceiling})"))
        enough = f" ({outcome.ceiling_enough} is enough)" if outcome.ceiling_enough else ""
        fix = f"Top up {BALANCE}" if outcome.ceiling == BALANCE else f"Raise the ceiling{enough}"
        steps.append(f"{fix} to {'make the remaining calls' if outcome.left else 'resume'}; nothing is charged twice.")
    if outcome.broken:
        text = f"a ceiling was exceeded: {outcome.broken}; calls in progress cost more than was reserved for them"
        found.append((0, text))
    for trouble in filter(None, (outcome.trouble, outcome.blocked)):
        found.append((4, "" if outcome.usage.startswith(trouble) else trouble))  # a refused read is both
    found += [(4, anomaly) for anomaly in outcome.anomalies.values()]
    if outcome.unsettled:
        cents = sum(launch.reserved_cents for launch in outcome.unsettled)
        launches = count(len(outcome.unsettled), "unconfirmed launch", "unconfirmed launches")
        found.append((4, f"{launches} (up to {money(cents)}): not sent again until the service shows what happened"))
        steps += _steps_to_confirm(outcome.unsettled, commands.reconcile)
    return {code for code, _ in found if code}, [text for _, text in found if text], steps


def _words_of(bug: Exception) -> str:
    return bug.with_hint if isinstance(bug, PlannerError) else f"a bug in planner ({type(bug).__name__})"


def _steps_to_confirm(unsettled: Sequence[UnsettledLaunch], reconcile: str) -> Iterator[str]:
    if times := [launch.again_at for launch in unsettled if launch.again_at and not launch.needs_person]:
        yield (
            "The next session looks for unconfirmed launches. It sends them again only if the service does not show "
            f"them by {moment(max(times))}; details: {reconcile}"
        )
    if any(launch.needs_person for launch in unsettled):
        yield f"Several runs of the service match a launch. Choose one: {reconcile}"


def _undecided(unknown: Sequence[CaseResult]) -> Iterator[str]:
    """Why unknown cases are undecided although their calls were made."""
    if bugs := sorted({f.message for case in unknown for run in case.runs for f in run.findings if f.is_bug}):
        yield (
            f"{'; '.join(bugs)}. Please report it with planner-bug.log. The calls are stored: a fixed version judges "
            "them, free; new calls would not help"
        )
    undecided = [run for case in unknown for run in case.runs if run.cause is Cause.JUDGE]
    if hidden := sum(hides_number(run) for case in unknown for run in case.runs):
        yield (
            f"{count(hidden, 'transferred call')} undecided: the service does not name the number, so new calls would "
            "be undecided too; expect `end_reason: transfer` in place of `transferred_to`"
        )
    if lacking := {part for run in undecided for part in run.missing}:
        yield (
            f"the evidence of some calls is incomplete ({', '.join(sorted(lacking))}): the next session reads it "
            "again, free; --rerun failed makes new calls (charged)"
        )
    elif any(not (run.votes_missing or run.has_bug or hides_number(run)) for run in undecided):
        yield (
            "some calls could not be judged although their evidence is complete: change the expectations or the "
            "judge, or call again (--rerun failed, charged)"
        )
    if votes := sum(run.votes_missing for run in undecided):
        reasons = list(dict.fromkeys(run.reason for run in undecided if run.votes_missing and run.reason))
        others = f"; and for {count(len(reasons) - 1, 'other reason')}" if len(reasons) > 1 else ""
        why = f" ({reasons[0]}{others})" if reasons else ""
        them = "it" if votes == 1 else "them"
        yield f"{count(votes, 'judge call')} without an answer{why}: the next `planner run` makes {them}"


def _steps_to_read(cases: Sequence[CaseResult], commands: NextCommands) -> Iterator[str]:
    """The conversation of a failed case, or else of an undecided one."""
    for outcome in (CaseOutcome.FAILED, CaseOutcome.UNKNOWN):
        for case in cases:
            if case.outcome is outcome and any(
                run.outcome is not RunOutcome.PASSED and run.call_id for run in case.runs
            ):
                yield f"To read what was said: {commands.transcript} {shlex.quote(case.case_id)} --failed"
                return


def _steps_to_decide(
    cases: Sequence[CaseResult], out_of_reach: AbstractSet[str], commands: NextCommands
) -> Iterator[str]:
    """What decides unknown cases, also quarantined ones, once every call was made."""
    unknown = [case for case in cases if case.outcome is CaseOutcome.UNKNOWN]
    incomplete = any(run.missing for case in unknown for run in case.runs)
    votes = sum(run.votes_missing for case in unknown for run in case.runs)
    fruitless = [case for case in unknown if case.calls_decide_nothing and _lacks_calls(case)]
    inconclusive = sum(_lacks_calls(case) for case in unknown) - len(fruitless)
    failed = sum(case.outcome is CaseOutcome.FAILED and case.case_id not in out_of_reach for case in cases)
    numbers = ((inconclusive, "inconclusive case"), (failed, "failed case"))
    called = " and ".join(count(number, name) for number, name in numbers if number)
    done = [
        "reads the missing evidence, free" if incomplete else "",
        f"makes {count(votes, 'judge call')} at the judge's price" if votes else "",
        f"calls {called} again (charged)" if called else "",
    ]
    if incomplete or votes or inconclusive:
        command = commands.rerun if votes or called else commands.rerun_free
        yield f"The next session {', and '.join(filter(None, done))}: {command}"
    if fruitless:
        yield (
            f"{count(len(fruitless), 'case')} without a call that counts in {count(FRUITLESS_SESSIONS, 'session')}: "
            f"not called again by default. To call what did not pass (charged): {commands.failed}"
        )
    # Without more `runs`, the next session makes the calls that are missing from `runs_required`.
    open_cases = [(case, runs) for case in unknown if (runs := _runs_to_decide(case)) > case.runs_required]
    for case, runs in open_cases[:_NAMED]:
        price = "" if case.more_runs_cents is None else f", about {money(case.more_runs_cents)}"
        price += " plus judge calls" if price and case.judged_by is not None else ""
        raised = f"from {case.runs_required} to about {runs}"
        yield f"To decide {case.case_id}, raise its `runs` {raised}{price}. The calls made so far count."
    if (left := len(open_cases) - _NAMED) > 0:
        yield f"{count(left, 'more case')} also need{'s' if left == 1 else ''} more `runs`."
    if complete := sum(_is_complete(case) and not any(map(hides_number, case.runs)) for case in unknown):
        yield (
            f"{count(complete, 'unknown case')} can be decided only by new calls (--rerun failed, charged) or other "
            "expectations."
        )
    if out_of_reach:
        yield (
            f"{count(len(out_of_reach), 'failed case')} will not be called again until something changes: even if all "
            "new calls passed, the required rate could not be reached. Raise `runs`, or discard the earlier calls "
            f"after a fix that planner cannot see: {commands.rerun} --start-over REASON"
        )


def _lacks_calls(case: CaseResult) -> bool:
    return any(not run.had_call for run in case.runs)


def _is_complete(case: CaseResult) -> bool:
    """Whether it is unknown although every call was made and could be judged, as when too few runs decide an
    expectation."""
    open_runs = (run.missing or run.votes_missing or not run.had_call or run.cause is Cause.JUDGE for run in case.runs)
    return bool(case.runs) and case.more_runs is None and not any(open_runs)


def _runs_to_decide(case: CaseResult) -> int:
    """The `runs` with which the next session makes `more_runs` calls, beside the runs so far; 0 if nothing is known."""
    kept = sum(run.had_call or case.counts_run(run) for run in case.runs)
    return kept + case.more_runs if case.more_runs else 0


def why_not_called(outcome: Outcome) -> str:
    """In one line; empty if all calls were made."""
    reasons = [
        "a bug in planner" if outcome.bug else "",
        "interrupted" if outcome.interrupted else "",
        f"ceiling reached ({outcome.ceiling})" if outcome.ceiling else "",
        outcome.refusal or outcome.usage or outcome.trouble or outcome.blocked,
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


def judge_with_open_runs(
    case: Case, runs: Sequence[JudgedRun], open_runs: OpenRuns, cents_per_run: float | None
) -> CaseVerdict:
    """The verdict on `runs`; unknown if open runs, or those that were not made, could change it."""
    verdict = judge_case(case, runs, cents_per_run=cents_per_run)
    ended = [run for run in runs if run.run_id not in open_runs.run_ids]
    remaining = open_runs.launched + open_runs.not_made + len(runs) - len(ended)
    counting = [run for run in ended if run.excluded is None]
    excluded = len(ended) - len(counting)
    if not runs or not remaining or settled(case, counting, remaining + excluded) is not None:
        return verdict
    return verdict._replace(outcome=CaseOutcome.UNKNOWN, outcome_reason="", more_runs=None)


def open_runs_at_end(
    journal: Journal,
    session_id: str,
    resumed: AbstractSet[tuple[str, int]],
    records: Sequence[EndedRun],
    overdue: Sequence[EndedRun],
    now: datetime,
) -> dict[str, OpenRuns]:
    """By case id, the runs that are open at the end of a session that launched or `resumed` (keys of slots) them.

    `records` are the runs it reported, `overdue` those of them that it stopped waiting for. An accepted run is given up
    after a day; an unconfirmed launch stays open until it is confirmed.
    """
    reported = {record.slot.key for record in records}
    slots = [slot for slot in journal.unconsumed_slots() if slot.key not in reported]
    launch_ids = {slot.launch_id for slot in slots} | {record.slot.launch_id for record in overdue}
    launches = {launch_id: launch for launch_id in launch_ids if (launch := journal.launch(launch_id))}
    launched: Counter[str] = Counter()
    never_sent: Counter[str] = Counter()
    for slot in slots:
        launch = launches[slot.launch_id]
        if slot.key not in resumed and launch.session_id != session_id:
            continue
        if launch.state is LaunchState.INTENDED:
            never_sent[slot.case_id] += 1
        elif _is_open(launch, now):
            launched[slot.case_id] += 1
    unended: dict[str, set[int]] = {}
    for record in overdue:
        if (launch := launches.get(record.slot.launch_id)) and _is_open(launch, now):
            unended.setdefault(record.slot.case_id, set()).add(record.run_id)
    return {
        case_id: OpenRuns(launched[case_id], frozenset(unended.get(case_id, ())), never_sent[case_id])
        for case_id in launched.keys() | never_sent.keys() | unended.keys()
    }


def open_runs_of_stored(
    changes: Iterable[Change], resumable: Mapping[str, Sequence[Slot]], journal: Journal, now: datetime
) -> dict[str, OpenRuns]:
    """By case id, the open runs of a session that makes no calls: the next session resumes `resumable`, and counts them
    together with the runs that each change keeps."""
    found: dict[str, OpenRuns] = {}
    for change in changes:
        slots = resumable.get(change.case_id, ())
        launches = [journal.launch(slot.launch_id) for slot in slots if slot.evidence is None]
        if any(launch is not None and _is_open(launch, now) for launch in launches):
            stored = change.prior.runs if change.prior else ()
            replaced = {run.run_id for run in stored} - set(change.kept_run_ids)
            found[change.case_id] = OpenRuns(len(slots), frozenset(replaced))
    return found


def _is_open(launch: Launch, now: datetime) -> bool:
    if launch.state in KNOWN:
        return now - launch.sent_at < LONGEST_RUN
    return launch.state in UNSETTLED and launch.state is not LaunchState.INTENDED  # which was never sent

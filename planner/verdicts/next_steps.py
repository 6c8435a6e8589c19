"""The next steps to suggest after a session."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final

from planner.calls.model import Unsettled
from planner.changes.detail import hides_number
from planner.changes.model import Reason
from planner.errors import PlannerError
from planner.quantities import count, moment
from planner.results.model import FRUITLESS_SESSIONS, CaseResult
from planner.results.next_steps import NextStep, NextStepCode
from planner.results.outcomes import Action, CaseOutcome, Cause, RunOutcome
from planner.values import frozen
from planner.verdicts.outcome import Outcome

_OPEN: Final = (Cause.JUDGE, Cause.PLAN)
_JUDGED_OTHERWISE: Final = (Reason.EXPECTATIONS_CHANGED.value, Reason.JUDGE_CHANGED.value)


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
    everything: str
    """Calls all cases again."""
    transcript: str
    """Shows conversations; the case id follows."""
    reconcile: str = "planner reconcile"


def steps_of(error: PlannerError) -> tuple[NextStep, ...]:
    """What the error advises."""
    if not error.advice:
        return ()
    return (NextStep(code=NextStepCode.FIX, text=error.advice, command=error.command, charged=bool(error.command)),)


def steps_to_read(cases: Sequence[CaseResult], commands: NextCommands) -> Iterator[NextStep]:
    """The conversation of a failed case, or else of an undecided one."""
    for outcome in (CaseOutcome.FAILED, CaseOutcome.UNKNOWN):
        for case in cases:
            if case.outcome is outcome and any(
                run.outcome is not RunOutcome.PASSED and run.call_id for run in case.runs
            ):
                command = f"{commands.transcript} {shlex.quote(case.case_id)} --failed"
                yield NextStep(code=NextStepCode.TRANSCRIPT, text="To read what was said", command=command)
                return


def step_after_ceiling(outcome: Outcome) -> NextStep:
    purpose = "make the remaining calls" if outcome.left else "resume"
    if outcome.ceiling_by_service:
        text = f"Top up {', '.join(outcome.ceilings)} to {purpose}; nothing is charged twice."
        return NextStep(code=NextStepCode.TOP_UP, text=text)
    enough = f" ({outcome.ceiling_enough} is enough)" if outcome.ceiling_enough else ""
    text = f"Raise the ceiling{enough} to {purpose}; nothing is charged twice."
    return NextStep(code=NextStepCode.RAISE_CEILING, text=text)


def step_after_bad_hour(commands: NextCommands) -> tuple[NextStep]:
    text = (
        "Everything is worse than usual: because of the agent, or of a bad hour of the platform. To find out, call all "
        "cases again later (charged)"
    )
    return (NextStep(code=NextStepCode.CALL_AGAIN, text=text, command=commands.everything, charged=True),)


def latest_again(unsettled: Sequence[Unsettled]) -> datetime | None:
    """From when on all of these launches may be sent again, less those that need a person; None if there is none."""
    times = [launch.again_at for launch in unsettled if launch.again_at and not launch.needs_person]
    return max(times, default=None)


def steps_to_confirm(unsettled: Sequence[Unsettled], reconcile: str) -> Iterator[NextStep]:
    if at := latest_again(unsettled):
        text = (
            "The next session looks for unconfirmed launches. It sends them again only if the service does not show "
            f"them by {moment(at)}. For details"
        )
        yield NextStep(code=NextStepCode.WAIT, text=text, command=reconcile)
    if any(launch.needs_person for launch in unsettled):
        text = "Several runs of the service match a launch. Choose one"
        yield NextStep(code=NextStepCode.RECONCILE, text=text, command=reconcile)


def steps_to_decide(cases: Sequence[CaseResult], commands: NextCommands) -> Iterator[NextStep]:
    """What decides unknown cases, also quarantined ones, and calls failed ones again, once every call was made."""
    unknown = [case for case in cases if case.outcome is CaseOutcome.UNKNOWN]
    incomplete = any(run.missing for case in unknown for run in case.runs)
    votes = sum(run.votes_missing for case in unknown for run in case.runs)
    fruitless = [case for case in unknown if case.calls_decide_nothing and _lacks_calls(case)]
    inconclusive = sum(_lacks_calls(case) for case in unknown) - len(fruitless)
    failed = sum(case.outcome is CaseOutcome.FAILED for case in cases)
    called = count(inconclusive, "inconclusive case") if inconclusive else ""
    done = [
        "reads the missing evidence, free" if incomplete else "",
        f"makes {count(votes, 'judge call')} (charged)" if votes else "",
        f"calls {called} again (charged)" if called else "",
    ]
    if incomplete or votes or inconclusive:
        charged = bool(votes or called)
        yield NextStep(
            code=NextStepCode.CALL_AGAIN if charged else NextStepCode.READ_AGAIN,
            text=f"The next session {', and '.join(filter(None, done))}",
            command=commands.rerun if charged else commands.rerun_free,
            charged=charged,
        )
    if fruitless:
        text = (
            f"{count(len(fruitless), 'case')} without a call that counts in {count(FRUITLESS_SESSIONS, 'session')}: "
            "not called again by default. To call what did not pass (charged)"
        )
        yield NextStep(code=NextStepCode.CALL_AGAIN, text=text, command=commands.failed, charged=True)
    if unplayed := [case for case in unknown if any(run.cause is Cause.PLAN for run in case.runs)]:
        text = (
            f"The sandbox's world lacks a value for {count(len(unplayed), 'case')}, so new calls do not help. Change "
            "the prompts or the world (docs/sandbox.md)."
        )
        yield NextStep(code=NextStepCode.FIX, text=text)
    if complete := sum(_is_complete(case) and not any(map(hides_number, case.runs)) for case in unknown):
        text = (
            f"{count(complete, 'unknown case')} can be decided only by new calls ({rerun_of(unknown)}, charged) or "
            "other expectations."
        )
        yield NextStep(code=NextStepCode.CHANGE_EXPECTATIONS, text=text)
    if failed:
        text = (
            f"{count(failed, 'failed case')} will not be called again until something changes. To call anyway, "
            "counted with the earlier calls (charged); after a fix that planner cannot see, add --start-over REASON"
        )
        yield NextStep(code=NextStepCode.CALL_AGAIN, text=text, command=commands.failed, charged=True)


def _lacks_calls(case: CaseResult) -> bool:
    return any(not run.had_call for run in case.runs)


def rerun_of(unknown: Iterable[CaseResult]) -> str:
    """The options that call undecided cases again. After a change of expectations that the stored calls do not decide,
    the next session still knows the verdict by the older ones: the case does not count as failed."""
    is_rechecked = any(case.reason in _JUDGED_OTHERWISE for case in unknown if case.action is Action.RECHECK)
    return "--rerun all, with --select" if is_rechecked else "--rerun failed"


def _is_complete(case: CaseResult) -> bool:
    """Whether it is unknown although every call was made and could be judged, as when too few runs decide an
    expectation."""
    open_runs = (run.missing or run.votes_missing or not run.had_call or run.cause in _OPEN for run in case.runs)
    return bool(case.runs) and not any(open_runs)

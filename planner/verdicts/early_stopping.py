"""Stop calling a case once further calls can change neither its outcome nor its comparison with the baseline
(`when_settled`).

So a case that may have regressed gets all of its calls.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from planner.changes.model import Change
from planner.checks.base import CheckSeverity
from planner.checks.opinions import Ask
from planner.planfile.model import Case
from planner.results.model import JudgedRun, RunVerdict
from planner.results.outcomes import Action, RunOutcome
from planner.verdicts.baseline import Baseline, baseline_of
from planner.verdicts.cases import extreme_runs, run_key, sample_of_runs, settled
from planner.verdicts.comparison import could_show_change
from planner.verdicts.runs import LoadEvidence, judge_again, judge_stored

WORTH_WAITING = 2
"""To save fewer calls than this, it is not worth waiting for a verdict."""


def min_runs_to_settle(case: Case, verdicts: Sequence[RunVerdict], remaining: int) -> int:
    """How many of the `remaining` runs are needed to settle the case if all pass or all fail.

    Assumes no critical failure, which would settle it at once.
    """
    passing, failing, _ = extreme_runs(case)
    not_critical = [finding for finding in failing.findings if finding.severity is not CheckSeverity.CRITICAL]
    failing = failing.model_copy(update={"findings": not_critical})
    low, high = 0, remaining
    while low < high:  # a settled case stays settled
        middle = (low + high) // 2
        ways = ([*verdicts, *[run] * middle] for run in (passing, failing))
        if any(settled(case, way, remaining - middle) is not None for way in ways):
            high = middle
        else:
            low = middle + 1
    return low


def calls_at_once(case: Case, verdicts: Sequence[RunVerdict], to_come: int, first: int) -> int:
    """How many of the `to_come` calls of an unsettled case may be in progress at once.

    The first wave is `first` calls (`min_runs_to_settle` before any verdict). If all pass, most likely every call is
    needed, so all others follow at once; if not, the next wave is again `min_runs_to_settle`. A wave that would save
    fewer than `WORTH_WAITING` calls is not split.
    """
    passing = sum(verdict.outcome is RunOutcome.PASSED for verdict in verdicts)
    if passing == len(verdicts):
        wave = to_come if passing >= first else first - passing
    else:
        wave = min_runs_to_settle(case, verdicts, to_come)
    return to_come if to_come - wave < WORTH_WAITING else wave


@dataclass(slots=True)
class _CaseProgress:
    case: Case
    baseline: Baseline
    first_wave: int
    is_retry: bool
    verdicts: list[RunVerdict] = field(default_factory=list[RunVerdict])
    new_verdicts: list[RunVerdict] = field(default_factory=list[RunVerdict])
    """Those of runs that are not in the baseline."""
    open_runs: int = 0
    """Runs whose verdict may change, as evidence is late."""

    def note(self, run: JudgedRun, *, is_kept: bool = False) -> None:
        if is_open(run):
            self.open_runs += 1
            return
        self.verdicts.append(run)
        if run_key(run) not in self.baseline.runs and not (is_kept and self.is_retry):
            self.new_verdicts.append(run)


class EarlyStopping:
    """`note` takes each verdict; the engine asks `pace` how many calls to make at once."""

    def __init__(self, changes: Iterable[Change], load_evidence: LoadEvidence, ask: Ask) -> None:
        self._progress: dict[str, _CaseProgress] = {}
        for change in changes:
            case = change.case
            if change.action is not Action.CALL or case is None or case.when_settled != "stop" or change.most_runs:
                continue
            kept = [run for run in change.prior.runs if run.run_id in change.kept_run_ids] if change.prior else []
            baseline = baseline_of(change, load_evidence, ask)
            progress = _CaseProgress(case, baseline, min_runs_to_settle(case, (), case.runs), change.is_retry)
            judge = judge_again if change.is_judged_alike else judge_stored
            for run in kept:
                progress.note(judge(case, run, load_evidence, ask), is_kept=True)
            self._progress[case.case_id] = progress

    def note(self, case_id: str, run: JudgedRun) -> None:
        if (progress := self._progress.get(case_id)) is not None:
            progress.note(run)

    def pace(self, case_id: str, to_come: int, retries: int) -> int:
        """Implements `planner.execution.observer.Pace`."""
        progress = self._progress[case_id]
        case, verdicts = progress.case, progress.verdicts
        # A retry replaces a run that does not count, unless failures of the platform count.
        counting_retries = retries if case.platform_failures == "fail" else 0
        most = to_come + progress.open_runs + counting_retries
        # The runs of a retry count with the earlier runs, or alone if they differ: both views must be settled,
        # with the same outcome.
        views = [verdicts, progress.new_verdicts] if progress.is_retry else [verdicts]
        outcomes = [settled(case, view, most) for view in views]
        outcome = outcomes[0]
        if outcome is None or any(other is not outcome for other in outcomes):
            # Open runs are not settled while calls are made, so there is no point in waiting for them.
            undecided = [view for view, found in zip(views, outcomes, strict=True) if found is None]
            if progress.open_runs or not undecided:
                return to_come
            return min(to_come, calls_at_once(case, undecided[0], most, progress.first_wave))
        if progress.baseline.sample is None:
            return 0
        now = sample_of_runs(case, progress.new_verdicts, outcome, most)
        return to_come if could_show_change(progress.baseline.sample, now) else 0


def is_open(run: JudgedRun) -> bool:
    """Whether evidence or judge calls that the verdict needs are still missing. A bill is not needed."""
    return run.evidence is None or bool(run.votes_missing) or any(part != "bill" for part in run.missing)

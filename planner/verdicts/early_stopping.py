"""Stop calling a case once further calls can change neither its outcome nor its comparison with the baseline (`when_settled`).

So a case that may have regressed gets all of its calls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from planner.changes.model import Action, Change
from planner.checks.opinions import Ask
from planner.evidence import Evidence
from planner.planfile.model import Case
from planner.results.model import CaseDocument, RunDocument
from planner.verdicts.baseline import Baseline, baseline_of
from planner.verdicts.cases import judge_case, sample_of_runs
from planner.verdicts.comparison import could_show_change
from planner.verdicts.judged_runs import JudgedRun, LoadEvidence, judge_stored
from planner.verdicts.outcomes import CaseOutcome, RunVerdict
from planner.verdicts.rates import run_key
from planner.verdicts.settling import calls_at_once, min_runs_to_settle, passing_run, settled


@dataclass(slots=True)
class _CaseProgress:
    case: Case
    baseline: Baseline
    first_wave: int
    is_retry: bool = False
    verdicts: list[RunVerdict] = field(default_factory=list[RunVerdict])
    new_verdicts: list[RunVerdict] = field(default_factory=list[RunVerdict])
    """Those of runs that are not in the baseline."""
    open_runs: int = 0
    """Runs whose verdict may change, as evidence is late."""

    def note(self, run: JudgedRun, *, is_kept: bool = False) -> None:
        if is_open(run.document):
            self.open_runs += 1
            return
        self.verdicts.append(run.verdict)
        if run_key(run.document) not in self.baseline.runs and not (is_kept and self.is_retry):
            self.new_verdicts.append(run.verdict)


class EarlyStopping:
    """`note` takes each verdict; the engine asks `pace` how many calls to make at once."""

    def __init__(self, changes: Iterable[Change], load_evidence: LoadEvidence, ask: Ask) -> None:
        self._progress: dict[str, _CaseProgress] = {}
        for change in changes:
            case = change.case
            if change.action is not Action.CALL or case is None or case.when_settled != "stop":
                continue
            kept = [run for run in change.prior.runs if run.run_id in change.kept_run_ids] if change.prior else []
            baseline = baseline_of(change, load_evidence, ask)
            progress = _CaseProgress(case, baseline, min_runs_to_settle(case, (), case.runs), change.is_retry)
            for run in kept:
                progress.note(judge_stored(case, run, load_evidence, ask), is_kept=True)
            self._progress[case.case_id] = progress

    def note(self, case_id: str, run: JudgedRun) -> None:
        if (progress := self._progress.get(case_id)) is not None:
            progress.note(run)

    def pace(self, case_id: str, to_come: int, retries: int) -> int:
        """A `planner.execution.jobs.Pace`."""
        progress = self._progress[case_id]
        case, verdicts = progress.case, progress.verdicts
        most = to_come + progress.open_runs + retries
        # The runs of a retry count with the earlier runs, or alone if they differ: both views must be settled, with the same outcome.
        views = [verdicts, progress.new_verdicts] if progress.is_retry else [verdicts]
        outcomes = [settled(case, view, most) for view in views]
        outcome = outcomes[0]
        if outcome is None or any(other is not outcome for other in outcomes):
            # Open runs are not settled while calls are made, so there is no point in waiting for them.
            undecided = [view for view, found in zip(views, outcomes, strict=True) if found is None]
            if progress.open_runs or not undecided:
                return to_come
            return calls_at_once(case, undecided[0], to_come, progress.first_wave)
        if progress.baseline.sample is None:
            return 0
        now = sample_of_runs(case, progress.new_verdicts, outcome, most)
        return to_come if could_show_change(progress.baseline.sample, now) else 0


def could_pass(load_evidence: LoadEvidence, ask: Ask) -> Callable[[Case, Sequence[RunDocument], int], bool]:
    """A `planner.changes.diff.CouldPass`."""

    def could_case_pass(case: Case, pool: Sequence[RunDocument], passing: int) -> bool:
        verdicts = [judge_stored(case, run, load_evidence, ask).verdict for run in pool]
        return judge_case(case, [*verdicts, *[passing_run(case)] * passing]).outcome is not CaseOutcome.FAILED

    return could_case_pass


def is_open(run: RunDocument) -> bool:
    """Whether evidence or judge calls that the verdict needs are still missing. A bill is not needed."""
    return run.evidence is None or bool(run.votes_missing) or any(part != "bill" for part in run.missing)


def still_settled(load_evidence: Callable[[str], Evidence | None], ask: Ask) -> Callable[[Case, CaseDocument], bool]:
    """`StoredResults.still_settled` of `planner.changes.diff`."""

    def is_still_settled(case: Case, prior: CaseDocument) -> bool:
        judged = [judge_stored(case, run, load_evidence, ask) for run in prior.runs]
        verdicts = [run.verdict for run in judged if not is_open(run.document)]
        return settled(case, verdicts, case.runs - len(verdicts)) is not None

    return is_still_settled

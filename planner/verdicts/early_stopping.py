"""While calls are made: what they come to so far, and which of those to come can still matter.

A case that stops when it is settled (`when_settled`) is settled when neither its outcome nor the word for how it compares with
its baseline depends on the calls to come. So a case that seems to have got worse is called as often as its plan asks for: these
calls tell whether it has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from planner.changes.model import Action, Change
from planner.checks.opinions import Ask
from planner.evidence import Evidence
from planner.outcome import (
    CaseOutcome,
    RunVerdict,
    calls_at_once,
    could_be_told,
    judge_case,
    least_to_settle,
    passing_run,
    sample_of_runs,
    settled,
)
from planner.planfile.model import Case
from planner.results.model import CaseDocument, RunDocument
from planner.verdicts.against_baseline import Baseline, baseline_of
from planner.verdicts.judged_runs import JudgedRun, LoadEvidence, judge_stored
from planner.verdicts.rates import run_key


@dataclass(slots=True)
class _Standing:
    """One case whose calls are under way. `open_runs` have been made and may still be told otherwise: their evidence, or the
    end of their call, is late."""

    case: Case
    baseline: Baseline
    first: int
    is_retry: bool = False
    verdicts: list[RunVerdict] = field(default_factory=list[RunVerdict])
    anew: list[RunVerdict] = field(default_factory=list[RunVerdict])
    """Those of runs that the baseline has not."""
    open_runs: int = 0

    def note(self, run: JudgedRun, *, is_kept: bool = False) -> None:
        if is_open(run.document):
            self.open_runs += 1
            return
        self.verdicts.append(run.verdict)
        if run_key(run.document) not in self.baseline.runs and not (is_kept and self.is_retry):
            self.anew.append(run.verdict)


class Settling:
    """`pace` is the engine's; `note` tells it of a verdict."""

    def __init__(self, changes: Iterable[Change], load_evidence: LoadEvidence, ask: Ask) -> None:
        self._standing: dict[str, _Standing] = {}
        for change in changes:
            case = change.case
            if change.action is not Action.CALL or case is None or case.when_settled != "stop":
                continue
            kept = [run for run in change.prior.runs if run.run_id in change.kept_run_ids] if change.prior else []
            # What its author changed is compared with nothing, so no call of it can tell a difference.
            baseline = baseline_of(change, load_evidence, ask)
            standing = _Standing(case, baseline, least_to_settle(case, (), case.runs), change.is_retry)
            for run in kept:
                standing.note(judge_stored(case, run, load_evidence, ask), is_kept=True)
            self._standing[case.case_id] = standing

    def note(self, case_id: str, run: JudgedRun) -> None:
        if (standing := self._standing.get(case_id)) is not None:
            standing.note(run)

    def pace(self, case_id: str, to_come: int, retries: int) -> int:
        """As `planner.execution.jobs.Pace`."""
        standing = self._standing[case_id]
        case, verdicts = standing.case, standing.verdicts
        most = to_come + standing.open_runs + retries
        # A retry counts with the earlier runs, or alone where it differs from them: both must be settled, and alike.
        views = [verdicts, standing.anew] if standing.is_retry else [verdicts]
        outcomes = [settled(case, view, most) for view in views]
        outcome = outcomes[0]
        if outcome is None or any(other is not outcome for other in outcomes):
            # What waits for late words, or for a model's votes, will not settle anything while calls are made.
            undecided = [view for view, found in zip(views, outcomes, strict=True) if found is None]
            if standing.open_runs or not undecided:
                return to_come
            return calls_at_once(case, undecided[0], to_come, standing.first)
        if standing.baseline.sample is None:
            return 0
        now = sample_of_runs(case, standing.anew, outcome, most)
        return to_come if could_be_told(standing.baseline.sample, now) else 0


def could_pass(load_evidence: LoadEvidence, ask: Ask) -> Callable[[Case, Sequence[RunDocument], int], bool]:
    """As `planner.changes.diff.CouldPass`."""

    def tell(case: Case, pool: Sequence[RunDocument], passing: int) -> bool:
        verdicts = [judge_stored(case, run, load_evidence, ask).verdict for run in pool]
        return judge_case(case, [*verdicts, *[passing_run(case)] * passing]).outcome is not CaseOutcome.FAILED

    return tell


def is_open(run: RunDocument) -> bool:
    """Whether the service, or the model that judges, may still tell something of a run that its verdict rests on; a bill is no
    such thing."""
    return run.evidence is None or bool(run.votes_missing) or any(part != "bill" for part in run.missing)


def still_settled(load_evidence: Callable[[str], Evidence | None], ask: Ask) -> Callable[[Case, CaseDocument], bool]:
    """Whether runs that were not needed are not needed by today's expectations either, as the stored runs stand to them."""

    def tell(case: Case, prior: CaseDocument) -> bool:
        judged = [judge_stored(case, run, load_evidence, ask) for run in prior.runs]
        told = [run.verdict for run in judged if not is_open(run.document)]
        return settled(case, told, case.runs - len(told)) is not None

    return tell

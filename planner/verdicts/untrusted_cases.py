"""Judge stored cases again from their evidence, because anybody who can write to a results store can write `passed`
into it.

An outcome that the evidence does not support is replaced. Without evidence, or if it was redacted, the run is
undecided.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from planner.changes.fingerprint import check_fingerprint
from planner.checks.opinions import Ask
from planner.evidence import Part
from planner.planfile.model import Case
from planner.results.model import CaseResult, JudgedRun
from planner.results.outcomes import CaseOutcome, Cause, RunOutcome
from planner.values import frozen
from planner.verdicts.cases import case_fields, judge_case, settled
from planner.verdicts.early_stopping import is_open, passing_run
from planner.verdicts.runs import judge_stored

if TYPE_CHECKING:  # imported when a case is judged: a first `plan` has no stored case
    from planner.verdicts.runs import LoadEvidence

_TO_READ_AGAIN: Final[list[Part]] = ["call", "transcript", "history"]
_NO_EVIDENCE: Final = "its evidence is not stored, so its outcome cannot be checked"


@frozen
class UntrustedCases:
    """Judges stored cases by today's expectations. See `planner.changes.diff.StoredResults` for `still_settled`."""

    cases: Mapping[str, Case]
    load_evidence: LoadEvidence
    ask: Ask
    still_settled: Callable[[Case, CaseResult], bool]

    def judged(self, stored: Sequence[CaseResult]) -> list[CaseResult]:
        """The cases with the outcomes that their evidence supports. Cases that no plan has are returned unchanged."""
        digests: dict[int, str] = {}
        return [
            document if (case := self.cases.get(document.case_id)) is None else self._judged(case, document, digests)
            for document in stored
        ]

    def by_id(self, stored: Mapping[str, CaseResult]) -> dict[str, CaseResult]:
        """`judged`, by case id."""
        return dict(zip(stored, self.judged(list(stored.values())), strict=True))

    def knows(self, stored: Sequence[CaseResult]) -> bool:
        """Whether today's plans have all these cases, with the same expectations."""
        digests: dict[int, str] = {}
        return all(
            (case := self.cases.get(document.case_id)) is not None
            and document.check_fingerprint == check_fingerprint(case, digests)
            for document in stored
        )

    def _judged(self, case: Case, stored: CaseResult, digests: dict[int, str]) -> CaseResult:
        runs = [self._run(run) for run in stored.runs]
        found = self._with_runs(
            case, stored, runs, by_today=stored.check_fingerprint == check_fingerprint(case, digests)
        )
        skipped = found.runs_not_needed
        if skipped and not (len(runs) + skipped >= found.runs_required and self.still_settled(case, found)):
            found = found.model_copy(update={"runs_not_needed": 0})
        # All other runs are missing, and will be called.
        made = len(runs) + found.runs_not_needed
        return found if made >= found.runs_required else found.model_copy(update={"runs_required": made})

    def _with_runs(self, case: Case, stored: CaseResult, runs: Sequence[JudgedRun], *, by_today: bool) -> CaseResult:
        """If expectations changed, only runs without evidence are corrected: the case is rechecked anyway."""
        if list(runs) == stored.runs and not by_today:
            return stored
        judged = [judge_stored(case, run, self.load_evidence, self.ask) for run in runs]
        verdict = judge_case(case, judged)
        if (verdict.outcome, judged) == (stored.outcome, stored.runs):
            return stored
        return stored.model_copy(update=case_fields(case, verdict._replace(more_runs=stored.more_runs), judged))

    def _run(self, run: JudgedRun) -> JudgedRun:
        """A countable run without its own evidence is undecided; its evidence is read again, free."""
        evidence = None if run.evidence is None else self.load_evidence(run.evidence)
        if (evidence is not None and evidence.run_id == run.run_id) or not run.countable:
            return run
        return run.model_copy(
            update={
                "outcome": RunOutcome.UNDECIDED,
                "cause": Cause.JUDGE,
                "reason": _NO_EVIDENCE,
                "evidence": None,
                "missing": _TO_READ_AGAIN,
                "findings": [],
                "cause_quote": None,
            }
        )


def could_pass(load_evidence: LoadEvidence, ask: Ask) -> Callable[[Case, Sequence[JudgedRun], int], bool]:
    """Implements `planner.changes.diff.CouldPass`."""

    def could_case_pass(case: Case, pool: Sequence[JudgedRun], passing: int) -> bool:
        verdicts = [judge_stored(case, run, load_evidence, ask) for run in pool]
        return judge_case(case, [*verdicts, *[passing_run(case)] * passing]).outcome is not CaseOutcome.FAILED

    return could_case_pass


def still_settled(load_evidence: LoadEvidence, ask: Ask) -> Callable[[Case, CaseResult], bool]:
    """Implements `planner.changes.diff.StoredResults.still_settled`."""

    def is_still_settled(case: Case, prior: CaseResult) -> bool:
        judged = [judge_stored(case, run, load_evidence, ask) for run in prior.runs]
        verdicts = [run for run in judged if not is_open(run)]
        return settled(case, verdicts, case.runs - len(verdicts)) is not None

    return is_still_settled

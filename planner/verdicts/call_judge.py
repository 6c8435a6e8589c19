"""Judge stored calls by today's expectations."""

from __future__ import annotations

from typing import Final

from planner.checks.opinions import Ask
from planner.planfile.model import Case
from planner.records.facts import StoredCall, Trust
from planner.results.model import JudgedRun, RunVerdict
from planner.results.outcomes import Cause, RunOutcome
from planner.values import frozen
from planner.verdicts.runs import (
    TO_READ_AGAIN,
    LoadEvidence,
    is_masked,
    judge_stored,
    undecided_run,
)

_NO_EVIDENCE: Final = "its evidence is not stored, so its outcome cannot be checked"


@frozen
class CallJudge:
    """Judges stored calls. A trusted verdict on the same evidence by the same expectations counts; otherwise the
    evidence is judged again.

    Args:
        judged_by: today's language model.
        reads_base: whether calls of the default branch whose words are masked are read again. Not in a job of a pull
            request: its expectations could find out the words.
    """

    load_evidence: LoadEvidence
    ask: Ask
    judged_by: str | None = None
    reads_base: bool = True

    def judged(self, case: Case, check: str, call: StoredCall) -> JudgedRun:
        """The call as a run, judged by today's expectations."""
        if call.call.excluded is not None:
            return call.run(_excluded(call))
        judge = self.judged_by if any(each.asks_model for each in case.expectations) else None
        stored = call.verdict(check, judge)
        if stored is not None and call.trust is Trust.ALL:
            return call.run(stored.verdict, stored.judge_model)
        if call.call.erased:
            is_believed = stored is not None and call.trust is Trust.MASKED
            return call.run(stored.verdict, stored.judge_model) if stored and is_believed else call.run(_ERASED)
        digest = call.data.evidence
        evidence = self.load_evidence(digest) if digest is not None else None
        if evidence is None or evidence.run_id != call.call.run_id:
            return self._without_evidence(call)
        unjudged = call.run(_UNJUDGED).model_copy(update={"missing": []})
        run = judge_stored(case, unjudged, self.load_evidence, self.ask)
        is_hidden = bool(evidence.redacted) and run.cause is Cause.JUDGE and not run.votes_missing
        if is_hidden and stored is not None and call.trust is Trust.MASKED:
            return call.run(stored.verdict, stored.judge_model)
        may_read = self.reads_base or not call.is_of_base
        if may_read and is_masked(case, evidence, run):
            return run.model_copy(update={"missing": list(TO_READ_AGAIN)})
        return run

    def as_stored(self, call: StoredCall) -> JudgedRun:
        """The call as a run with its newest verdict, of any expectations; only for display."""
        newest = call.verdicts[-1] if call.verdicts else None
        return call.run(_UNJUDGED if newest is None else newest.verdict, newest.judge_model if newest else None)

    def _without_evidence(self, call: StoredCall) -> JudgedRun:
        newest = call.verdicts[-1].verdict if call.verdicts else _UNJUDGED
        if not newest.countable:
            return call.run(newest)
        run = call.run(undecided_run(Cause.JUDGE, _NO_EVIDENCE))
        return run.model_copy(update={"evidence": None, "missing": list(TO_READ_AGAIN)})


_ERASED: Final = undecided_run(Cause.JUDGE, "its words were erased, so only the verdicts of that time count")
_UNJUDGED: Final = RunVerdict(outcome=RunOutcome.UNDECIDED, cause=Cause.JUDGE, reason="it was not judged")


def _excluded(call: StoredCall) -> RunVerdict:
    newest = call.verdicts[-1].verdict if call.verdicts else _UNJUDGED
    return newest.model_copy(update={"excluded": call.call.excluded})

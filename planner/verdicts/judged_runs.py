"""Judge one run of a case by its evidence."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Final

from planner.checks.opinions import Ask, Question, nobody_asked
from planner.evidence import Evidence, missing_parts
from planner.execution.jobs import RunRecord
from planner.planfile.model import Case
from planner.results.model import Run, RunVerdict
from planner.results.outcomes import Fault
from planner.verdicts.runs import errored_run, judge_run, questions_of_run

LoadEvidence = Callable[[str], Evidence | None]
_GRADE: Final = r'"check": "grade"|"(?:cel|path)": "(?:[^"\\]|\\.)*grade'
"""In an expectation as JSON."""


def judge_record(case: Case, record: RunRecord, ask: Ask = nobody_asked) -> Run:
    """Judge a run that the engine reports."""
    evidence = record.evidence
    if evidence is None:
        unread = f"the run ended, but its data cannot be read: {record.unread}"
        verdict = errored_run(Fault.PLATFORM, unread if record.unread else "the run did not end in time")
        fields: dict[str, Any] = dict(verdict)
    else:
        fields = _judged(case, evidence, ask) | {
            "call_id": evidence.call_id,
            "cost_basis": evidence.cost_basis,
            "duration_seconds": evidence.duration_seconds,
        }
    return Run(
        run_id=record.run_id,
        batch_id=record.batch_id,
        cost_cents=record.cost_cents,
        adopted=record.adopted,
        invocation_id=record.invocation_id,
        evidence=record.digest,
        completed_at=record.completed_at,
        **fields,
    )


def judge_stored(case: Case, run: Run, load_evidence: LoadEvidence, ask: Ask = nobody_asked) -> Run:
    """Judge a stored run by today's expectations. Without evidence, the stored verdict remains."""
    evidence = load_evidence(run.evidence) if run.evidence is not None else None
    return run if evidence is None else run.model_copy(update=_judged(case, evidence, ask))


def _judged(case: Case, evidence: Evidence, ask: Ask) -> dict[str, Any]:
    """The fields of a `Run` that depend on its evidence and on today's expectations: the verdict, what is missing, the measured
    values, and the grader, judge and agent variant they depend on."""
    from planner.checks.latency import percentile, response_times

    timed, _ = response_times(evidence.turns or ())
    answers = [(question.votes, ask(question)) for question in questions(case, evidence)]
    judges = {vote.model for _, answer in answers for vote in answer.votes if vote.model}
    grade, call = evidence.grade, evidence.call
    return {
        **dict(_verdict(case, evidence, ask)),
        "missing": list(missing_parts(evidence, grade_wanted=case.wants_grade)),
        "votes_missing": sum(wanted - len(answer.votes) for wanted, answer in answers if not answer.is_final),
        "grader_model": grade.grader_model if grade else None,
        "grader_version": grade.grader_version if grade else None,
        "judge_model": ", ".join(sorted(judges)) or None,
        "agent_variant_id": call.variant_id if call else None,
        "agent_variant_label": call.variant_label if call else None,
        "latency_ms": percentile(timed, 50)[0] if timed else None,
        "grade_score": grade.score if grade else None,
        "service_estimate_cents": evidence.service_estimate_cents,
    }


def _verdict(case: Case, evidence: Evidence, ask: Ask) -> RunVerdict:
    """A call that cannot be read, or has not ended, is undecided: not a call that never happened, which would be repeated."""
    if _has_ended(evidence):
        return judge_run(case.expectations, evidence, ask, prompt=case.prompt, caller_faults=case.caller_faults)
    why = "is still in progress" if evidence.call else "cannot be read"
    return errored_run(Fault.JUDGE, f"the run has ended, but its call {why}")


def rests_on_grade(case: Case) -> bool:
    """Whether an expectation, or a part of one, is a grade check, or an expression or path that names the grade."""
    return any(re.search(_GRADE, json.dumps(expectation.fingerprint_fields())) for expectation in case.expectations)


def _has_ended(evidence: Evidence) -> bool:
    return "call" not in missing_parts(evidence, grade_wanted=False)


def questions(case: Case, evidence: Evidence) -> list[Question]:
    """The judge calls needed for a call; none until the call has ended."""
    return questions_of_run(case.expectations, evidence) if _has_ended(evidence) else []

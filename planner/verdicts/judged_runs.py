"""Judge one run: from evidence to verdict and run document."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from planner.checks.base import CheckSeverity
from planner.checks.judgement import FindingOutcome, Quote
from planner.checks.opinions import Ask, Question, nobody_asked
from planner.evidence import Evidence, missing_parts
from planner.execution.jobs import RunRecord
from planner.planfile.model import Case
from planner.results.model import FindingDocument, QuoteDocument, RunDocument
from planner.verdicts.outcomes import Fault, Finding, RunOutcome, RunVerdict
from planner.verdicts.runs import judge_run, platform_verdict, questions_of_run

LoadEvidence = Callable[[str], Evidence | None]
_GRADE: Final = r'"check": "grade"|"(?:cel|path)": "(?:[^"\\]|\\.)*grade'
"""In an expectation as JSON."""


@dataclass(frozen=True, slots=True)
class JudgedRun:
    verdict: RunVerdict
    document: RunDocument


def judge_record(case: Case, record: RunRecord, ask: Ask = nobody_asked) -> JudgedRun:
    """Judge a run that the engine reports."""
    evidence = record.evidence
    if evidence is None:
        unread = f"the run ended, but its data cannot be read: {record.unread}"
        verdict = platform_verdict(unread if record.unread else "the run did not end in time")
        fields: dict[str, Any] = _verdict_fields(verdict)
    else:
        verdict = _judged(case, evidence, ask)
        fields = {
            **_verdict_fields(verdict),
            **_evidence_fields(case, evidence, ask),
            "call_id": evidence.call_id,
            "cost_basis": evidence.cost_basis,
            "duration_seconds": evidence.duration_seconds,
        }
    document = RunDocument(
        run_id=record.run_id,
        batch_id=record.batch_id,
        cost_cents=record.cost_cents,
        adopted=record.adopted,
        invocation_id=record.invocation_id,
        evidence=record.digest,
        completed_at=record.completed_at,
        **fields,
    )
    return JudgedRun(verdict, document)


def judge_stored(case: Case, run: RunDocument, load_evidence: LoadEvidence, ask: Ask = nobody_asked) -> JudgedRun:
    """Judge a stored run by today's expectations. Without evidence, the stored verdict remains."""
    evidence = load_evidence(run.evidence) if run.evidence is not None else None
    if evidence is None:
        return as_stored(run)
    verdict = _judged(case, evidence, ask)
    return JudgedRun(
        verdict, run.model_copy(update={**_verdict_fields(verdict), **_evidence_fields(case, evidence, ask)})
    )


def as_stored(run: RunDocument) -> JudgedRun:
    """With the stored verdict."""
    findings = tuple(
        Finding(
            each.expectation,
            each.check,
            FindingOutcome(each.outcome),
            CheckSeverity(each.severity),
            each.message,
            _quote(each.quote),
        )
        for each in run.findings
    )
    fault = None if run.fault is None else Fault(run.fault)
    return JudgedRun(
        RunVerdict(RunOutcome[run.outcome.upper()], fault, findings, run.reason, _quote(run.fault_quote)), run
    )


def _verdict_fields(verdict: RunVerdict) -> dict[str, Any]:
    """Fields of a `RunDocument`."""
    return {
        "outcome": verdict.outcome.word,
        "fault": verdict.fault.value if verdict.fault else None,
        "reason": verdict.reason,
        "fault_quote": _quote_document(verdict.quote),
        "findings": [
            FindingDocument(
                expectation=each.expectation,
                check=each.check,
                outcome=each.outcome.value,
                severity=each.severity.value,
                message=each.message,
                quote=_quote_document(each.quote),
            )
            for each in verdict.findings
        ],
    }


def _evidence_fields(case: Case, evidence: Evidence, ask: Ask) -> dict[str, Any]:
    """What is missing, the measured values, and the grader, judge and agent variant they depend on."""
    from planner.checks.latency import percentile, response_times

    timed, _ = response_times(evidence.turns or ())
    answers = [(question.votes, ask(question)) for question in questions(case, evidence)]
    judges = {vote.model for _, answer in answers for vote in answer.votes if vote.model}
    grade, call = evidence.grade, evidence.call
    return {
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


def rests_on_grade(case: Case) -> bool:
    """Whether an expectation, or a part of one, is a grade check, or an expression or path that names the grade."""
    return any(re.search(_GRADE, json.dumps(expectation.fingerprint_fields())) for expectation in case.expectations)


def _judged(case: Case, evidence: Evidence, ask: Ask) -> RunVerdict:
    """A call that cannot be read, or has not ended, is undecided: not a call that never happened, which would be repeated."""
    if _has_ended(evidence):
        return judge_run(case.expectations, evidence, ask, prompt=case.prompt, caller_faults=case.caller_faults)
    why = "is still in progress" if evidence.call else "cannot be read"
    return RunVerdict(RunOutcome.ERRORED, Fault.JUDGE, (), f"the run has ended, but its call {why}")


def _has_ended(evidence: Evidence) -> bool:
    return "call" not in missing_parts(evidence, grade_wanted=False)


def questions(case: Case, evidence: Evidence) -> list[Question]:
    """The judge calls needed for a call; none until the call has ended."""
    return questions_of_run(case.expectations, evidence) if _has_ended(evidence) else []


def _quote_document(quote: Quote | None) -> QuoteDocument | None:
    if quote is None:
        return None
    return QuoteDocument(turn=quote.turn, role=quote.role, start_ms=quote.start_ms, text=quote.text)


def _quote(document: QuoteDocument | None) -> Quote | None:
    return None if document is None else Quote(document.turn, document.role, document.start_ms, document.text)

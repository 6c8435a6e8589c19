"""Judge one run: from evidence to verdict and run document."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from planner.checks.base import CheckSeverity
from planner.checks.judgement import FindingOutcome, Quote
from planner.checks.opinions import Ask, Question, nobody_asked
from planner.evidence import Evidence, Part, missing_parts
from planner.execution.jobs import RunRecord
from planner.planfile.model import Case
from planner.results.model import FindingDocument, QuoteDocument, RunDocument
from planner.verdicts.outcomes import Fault, Finding, RunOutcome, RunVerdict
from planner.verdicts.runs import judge_run, platform_verdict, questions_of_run

LoadEvidence = Callable[[str], Evidence | None]


@dataclass(frozen=True, slots=True)
class JudgedRun:
    verdict: RunVerdict
    document: RunDocument


def judge_record(case: Case, record: RunRecord, ask: Ask = nobody_asked) -> JudgedRun:
    """Judge a run that the engine reports."""
    if record.evidence is None:
        unread = f"the run ended, but its data cannot be read: {record.unread}"
        verdict = platform_verdict(unread if record.unread else "the run did not end in time")
    else:
        verdict = _judged(case, record.evidence, ask)
    return JudgedRun(
        verdict,
        RunDocument(
            run_id=record.run_id,
            batch_id=record.batch_id,
            call_id=record.evidence.call_id if record.evidence else None,
            outcome=verdict.outcome.word,
            fault=verdict.fault.value if verdict.fault else None,
            reason=verdict.reason,
            fault_quote=_quote_document(verdict.quote),
            cost_cents=record.cost_cents,
            cost_basis=record.evidence.cost_basis if record.evidence else None,
            duration_seconds=record.evidence.duration_seconds if record.evidence else None,
            **_measured(case, record.evidence, ask),
            adopted=record.adopted,
            invocation_id=record.invocation_id,
            evidence=record.digest,
            completed_at=record.completed_at,
            missing=_missing(case, record.evidence) if record.evidence else [],
            votes_missing=_votes_missing(case, record.evidence, ask) if record.evidence else 0,
            findings=[_finding_document(finding) for finding in verdict.findings],
        ),
    )


def judge_stored(case: Case, run: RunDocument, load_evidence: LoadEvidence, ask: Ask = nobody_asked) -> JudgedRun:
    """Judge a stored run by today's expectations. Without evidence, the stored verdict remains."""
    evidence = load_evidence(run.evidence) if run.evidence is not None else None
    if evidence is None:
        return as_stored(run)
    verdict = _judged(case, evidence, ask)
    return JudgedRun(
        verdict,
        run.model_copy(
            update={
                "outcome": verdict.outcome.word,
                "fault": verdict.fault.value if verdict.fault else None,
                "reason": verdict.reason,
                "fault_quote": _quote_document(verdict.quote),
                "missing": _missing(case, evidence),
                "votes_missing": _votes_missing(case, evidence, ask),
                **_measured(case, evidence, ask),
                "findings": [_finding_document(finding) for finding in verdict.findings],
            }
        ),
    )


def as_stored(run: RunDocument) -> JudgedRun:
    """With the stored verdict."""
    return JudgedRun(_stored_verdict(run), run)


def _measured(case: Case, evidence: Evidence | None, ask: Ask) -> dict[str, Any]:
    """The measured values, and the grader, judge and agent variant they depend on."""
    if evidence is None:
        return {}
    from planner.checks.latency import percentile, response_times

    timed, _ = response_times(evidence.turns or ())
    judges = {vote.model for question in questions(case, evidence) for vote in ask(question).votes if vote.model}
    return {
        "grader_model": evidence.grade.grader_model if evidence.grade else None,
        "grader_version": evidence.grade.grader_version if evidence.grade else None,
        "judge_model": ", ".join(sorted(judges)) or None,
        "agent_variant_id": evidence.call.variant_id if evidence.call else None,
        "agent_variant_label": evidence.call.variant_label if evidence.call else None,
        "latency_ms": percentile(timed, 50)[0] if timed else None,
        "grade_score": evidence.grade.score if evidence.grade else None,
        "service_estimate_cents": evidence.service_estimate_cents,
    }


def wants_grade(case: Case) -> bool:
    """Whether a check needs the platform's grade, which may be late."""
    return any(expectation.check == "grade" for expectation in case.expectations)


def rests_on_grade(case: Case) -> bool:
    """Whether an expectation, or a part of one, uses the platform's grade."""
    return any(_reads_grade(expectation.fingerprint_fields()) for expectation in case.expectations)


def _reads_grade(value: object) -> bool:
    """Whether an expectation as JSON contains, at any depth, a grade check, or an expression or path that names the grade."""
    if isinstance(value, list):
        return any(map(_reads_grade, cast("list[object]", value)))
    if not isinstance(value, dict):
        return False
    fields = cast("dict[str, object]", value)
    named = [fields.get(key) for key in ("cel", "path")]
    return (
        fields.get("check") == "grade"
        or any(isinstance(text, str) and "grade" in text for text in named)
        or any(map(_reads_grade, fields.values()))
    )


def _missing(case: Case, evidence: Evidence) -> list[Part]:
    return list(missing_parts(evidence, grade_wanted=wants_grade(case)))


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


def _votes_missing(case: Case, evidence: Evidence, ask: Ask) -> int:
    answers = [(question.votes, ask(question)) for question in questions(case, evidence)]
    return sum(wanted - len(answer.votes) for wanted, answer in answers if not answer.is_final)


def _finding_document(finding: Finding) -> FindingDocument:
    return FindingDocument(
        expectation=finding.expectation,
        check=finding.check,
        outcome=finding.outcome.value,
        severity=finding.severity.value,
        message=finding.message,
        quote=_quote_document(finding.quote),
    )


def _quote_document(quote: Quote | None) -> QuoteDocument | None:
    if quote is None:
        return None
    return QuoteDocument(turn=quote.turn, role=quote.role, start_ms=quote.start_ms, text=quote.text)


def _quote(document: QuoteDocument | None) -> Quote | None:
    return None if document is None else Quote(document.turn, document.role, document.start_ms, document.text)


def _stored_verdict(run: RunDocument) -> RunVerdict:
    return RunVerdict(
        RunOutcome[run.outcome.upper()],
        None if run.fault is None else Fault(run.fault),
        tuple(
            Finding(
                finding.expectation,
                finding.check,
                FindingOutcome(finding.outcome),
                CheckSeverity(finding.severity),
                finding.message,
                _quote(finding.quote),
            )
            for finding in run.findings
        ),
        run.reason,
        _quote(run.fault_quote),
    )

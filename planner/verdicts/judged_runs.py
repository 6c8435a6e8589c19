"""One call of a case, judged: from what the service told of it to its verdict and the document of the run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from planner.checks.base import CheckSeverity, FindingOutcome, Quote
from planner.checks.latency import percentile, response_times
from planner.checks.opinions import Ask, Question, nobody_asked
from planner.evidence import Evidence, Part, missing_parts
from planner.execution.work import RunRecord
from planner.outcome import Fault, Finding, RunOutcome, RunVerdict, judge_run, platform_verdict, questions_of_run
from planner.results.model import FindingDocument, QuoteDocument, RunDocument
from planner.spec.model import Case

LoadEvidence = Callable[[str], Evidence | None]


@dataclass(frozen=True, slots=True)
class JudgedRun:
    verdict: RunVerdict
    document: RunDocument


def judge_record(case: Case, record: RunRecord, ask: Ask = nobody_asked) -> JudgedRun:
    """One run that the engine reports."""
    if record.evidence is None:
        unread = f"it has ended, but what the service tells of it cannot be read: {record.unread}"
        verdict = platform_verdict(unread if record.unread else "it had not ended when we stopped waiting for it")
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
            **_measured(record.evidence),
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
    """A run of earlier results, by today's expectations; as it stood where its evidence is gone or never came."""
    evidence = load_evidence(run.evidence) if run.evidence is not None else None
    if evidence is None:
        return JudgedRun(_stored_verdict(run), run)
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
                **_measured(evidence),
                "findings": [_finding_document(finding) for finding in verdict.findings],
            }
        ),
    )


def _measured(evidence: Evidence | None) -> dict[str, Any]:
    """What a history follows over time, beside the bill and the length."""
    if evidence is None:
        return {}
    timed, _ = response_times(evidence.turns or ())
    return {
        "latency_ms": percentile(timed, 50)[0] if timed else None,
        "grade_score": evidence.grade.score if evidence.grade else None,
        "service_estimate_cents": evidence.service_estimate_cents,
    }


def wants_grade(case: Case) -> bool:
    """Whether a check asks for the platform's grade, which may come late."""
    return any(expectation.check == "grade" for expectation in case.expectations)


def _missing(case: Case, evidence: Evidence) -> list[Part]:
    return list(missing_parts(evidence, grade_wanted=wants_grade(case)))


def _judged(case: Case, evidence: Evidence, ask: Ask) -> RunVerdict:
    """A call that the service does not show, or shows as still running, is one of which nothing can be said yet: neither that
    it never happened, which would call for another, nor anything about half of it."""
    if _has_ended(evidence):
        return judge_run(case.expectations, evidence, ask, prompt=case.prompt, caller_faults=case.caller_faults)
    why = "has not ended there" if evidence.call else "cannot be read there"
    return RunVerdict(RunOutcome.ERRORED, Fault.JUDGE, (), f"the service says that the run is over, but its call {why}")


def _has_ended(evidence: Evidence) -> bool:
    return "call" not in missing_parts(evidence, grade_wanted=False)


def questions(case: Case, evidence: Evidence) -> list[Question]:
    """What a language model has to be asked to judge a call of the case; nothing while the call is not known to be over."""
    return questions_of_run(case.expectations, evidence) if _has_ended(evidence) else []


def _votes_missing(case: Case, evidence: Evidence, ask: Ask) -> int:
    ballots = [(question.votes, ask(question)) for question in questions(case, evidence)]
    return sum(wanted - len(ballot.votes) for wanted, ballot in ballots if not ballot.is_final)


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

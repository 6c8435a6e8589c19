"""From changes, and what their calls gave, to the cases of the results document."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from planner.changes.model import Action, Change
from planner.checks.base import CheckSeverity, FindingOutcome, Quote
from planner.checks.latency import percentile, response_times
from planner.checks.opinions import Ask, Question, nobody_asked
from planner.commands.rates import expectation_rates, sample_of
from planner.evidence import Evidence, Part, missing_parts
from planner.execution.work import RunRecord
from planner.outcome import (
    CaseOutcome,
    CaseVerdict,
    Fault,
    Finding,
    RunOutcome,
    RunVerdict,
    Sample,
    chance_alone,
    compare,
    judge_case,
    judge_run,
    platform_verdict,
    questions_of_run,
)
from planner.results.model import (
    CaseDocument,
    CaseInputs,
    FindingDocument,
    QuarantineDocument,
    QuoteDocument,
    RunDocument,
)
from planner.results.model import Compared as ComparedName
from planner.spec.model import Case

LoadEvidence = Callable[[str], Evidence | None]


@dataclass(frozen=True, slots=True)
class JudgedRun:
    verdict: RunVerdict
    document: RunDocument


def judge_record(case: Case, record: RunRecord, ask: Ask = nobody_asked) -> JudgedRun:
    """One run that the engine reports."""
    if record.evidence is None:
        verdict = platform_verdict("it had not ended when we stopped waiting for it")
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
    return sum(question.votes - len(ask(question).votes) for question in questions(case, evidence))


def standing_runs(change: Change) -> list[RunDocument]:
    """The stored runs that are to be judged by today's expectations."""
    if change.prior is None or change.case is None or change.action not in (Action.CALL, Action.RECHECK):
        return []
    kept = change.kept_run_ids
    return [run for run in change.prior.runs if change.action is Action.RECHECK or run.run_id in kept]


def assemble_cases(
    changes: Sequence[Change],
    made: Mapping[str, Sequence[JudgedRun]],
    load_evidence: LoadEvidence,
    *,
    not_called: str,
    today: date,
    not_needed: Mapping[str, int] | None = None,
    left: Mapping[str, int] | None = None,
    ask: Ask = nobody_asked,
) -> list[CaseDocument]:
    """Every case of the change set that was not dropped, compared with what was stored.

    `made` are the runs made (or gone on with) by case id; `not_called` says, in one line, why runs are missing where some are.
    `today` (UTC) tells which quarantines hold; `ask` what a language model answered. `not_needed` are runs not made because their
    case was settled, by case id. `left` are those wanted and not launched; without it nothing that is missing was.
    """
    judged: list[tuple[Change, Case, CaseVerdict | None, list[JudgedRun]]] = []
    for change in changes:
        if change.case is None or (change.action is Action.KEEP and change.prior is None):
            continue  # dropped, or new and not asked for (`--rerun failed`): there is nothing to report
        if change.action is Action.KEEP:
            judged.append((change, change.case, None, []))
            continue
        runs = _runs_of(change, change.case, made.get(change.case_id, ()), load_evidence, ask)
        judged.append((change, change.case, _verdict(change.case, runs), runs))
    spared = {change.case_id: _not_needed(change, not_needed or {}) for change in changes}
    decided = [(change, verdict) for change, _, verdict, _ in judged if verdict is not None]
    samples = _samples(decided, spared)
    compared: dict[str, ComparedName] = {}
    compared |= compare(samples)
    for change, verdict in decided:
        if change.case_id not in samples and change.prior is not None:
            compared[change.case_id] = _rechecked(_prior_outcome(change.prior), verdict.outcome)
    cases = [
        _kept(change, case, today)
        if verdict is None
        else _document(
            change,
            case,
            verdict,
            runs,
            compared[change.case_id],
            not_called,
            today,
            spared[change.case_id],
            left=None if left is None else left.get(change.case_id, 0),
        )
        for change, case, verdict, runs in judged
    ]
    return [
        case.model_copy(update={"p_value": _chance_alone(*samples.get(case.case_id, (None, None)))}) for case in cases
    ]


def _chance_alone(before: Sample | None, now: Sample | None) -> float | None:
    known = before is not None and now is not None and before.runs_countable and now.runs_countable
    return chance_alone(before, now) if known and before and now else None


def _not_needed(change: Change, spared: Mapping[str, int]) -> int:
    if change.action is Action.CALL:
        return spared.get(change.case_id, 0)
    return change.prior.runs_not_needed if change.prior else 0


def _verdict(case: Case, runs: Sequence[JudgedRun]) -> CaseVerdict:
    return judge_case(case, [run.verdict for run in runs], cents_per_run=_cents_per_run(runs))


def _cents_per_run(runs: Sequence[JudgedRun]) -> float | None:
    bills = [run.document.cost_cents for run in runs if run.document.cost_cents is not None]
    return sum(bills) / len(bills) if bills else None


def _runs_of(
    change: Change, case: Case, made: Sequence[JudgedRun], load_evidence: LoadEvidence, ask: Ask
) -> list[JudgedRun]:
    if any(expectation.asks_model for expectation in case.expectations):
        # Judged as they came, before the model was asked about them.
        made = [judge_stored(case, run.document, load_evidence, ask) for run in made]
    return [*(judge_stored(case, run, load_evidence, ask) for run in standing_runs(change)), *made]


def _kept(change: Change, case: Case, today: date) -> CaseDocument:
    """The stored case, with today's places in the files."""
    if change.prior is None:
        raise ValueError(f"{change.case_id} is kept and was never stored")
    return change.prior.model_copy(
        update=_today(change, case, today) | {"carried_from": _maker(change.prior.runs), "compared": "same"}
    )


def _document(
    change: Change,
    case: Case,
    verdict: CaseVerdict,
    runs: Sequence[JudgedRun],
    compared: ComparedName,
    not_called: str,
    today: date,
    not_needed: int,
    *,
    left: int | None,
) -> CaseDocument:
    missing = case.runs - len(runs) - not_needed if change.action is Action.CALL else 0
    not_made = missing if left is None else min(missing, left)
    under_way = missing - not_made
    reasons = [verdict.reason] if verdict.reason and (runs or under_way <= 0) else []
    if under_way > 0:
        reasons.append(
            f"{under_way} of {case.runs} calls under way, or of unknown fate: the next run goes on with them"
        )
    if not_made > 0 and not_called:
        reasons.append(f"{not_made} of {case.runs} calls not made: {not_called}")
    documents = [run.document for run in runs]
    price = _cents_per_run(runs)
    return CaseDocument(
        case_id=case.case_id,
        plan=case.plan,
        scenario=case.scenario,
        target=case.target.alias,
        carried_from=_maker(documents) if change.action is Action.RECHECK else None,
        outcome=verdict.outcome.word,
        outcome_reason="; ".join(reasons),
        runs_required=case.runs,
        runs_passed=verdict.runs_passed,
        runs_total=len(runs),
        runs_not_needed=not_needed,
        pass_rate=verdict.pass_rate,
        interval=verdict.interval,
        min_pass_rate=case.min_pass_rate,
        more_runs=verdict.more_runs,
        more_runs_cents=None if verdict.more_runs is None or price is None else round(verdict.more_runs * price),
        expectations=expectation_rates(documents),
        compared=compared,
        inputs=_inputs(change),
        call_fingerprint=change.call_fingerprint,
        check_fingerprint=change.check_fingerprint,
        judged_by=change.judge,
        runs=documents,
        **_today(change, case, today),
    )


def _today(change: Change, case: Case, today: date) -> dict[str, Any]:
    """What the files say now, whatever was stored."""
    return {
        "tags": sorted(case.tags),
        "action": change.action.value,
        "reason": change.reason.value,
        "detail": change.detail,
        "file": case.span.file,
        "line": case.span.line,
        "quarantine": QuarantineDocument(until=quarantine.until, reason=quarantine.reason)
        if (quarantine := case.quarantine) is not None and today <= quarantine.until
        else None,
        "finding_lines": {
            expectation.id or expectation.check: span.line
            for expectation, span in zip(case.expectations, case.expectation_spans, strict=True)
        },
    }


def _inputs(change: Change) -> CaseInputs:
    if change.inputs is None:
        raise ValueError(f"{change.case_id} has a case and no inputs")
    return change.inputs


def _maker(runs: Sequence[RunDocument]) -> str | None:
    """The invocation that made the newest of these runs."""
    return max((run.invocation_id for run in runs), default=None)


def _samples(
    changes: Sequence[tuple[Change, CaseVerdict]], not_needed: Mapping[str, int]
) -> dict[str, tuple[Sample | None, Sample]]:
    """Called cases are samples, compared as such. A recheck has the same runs on both sides: what changed is known, not guessed."""
    samples: dict[str, tuple[Sample | None, Sample]] = {}
    for change, verdict in changes:
        before = change.compared_with or change.prior
        if change.compared_with is None and change.prior is not None and change.action is Action.RECHECK:
            continue
        # Of older calls that stand again there are two samples too, whatever was done to get the newer.
        now = Sample(verdict.outcome, verdict.runs_passed, verdict.runs_countable, not_needed[change.case_id])
        samples[change.case_id] = (sample_of(before) if before else None, now)
    return samples


def _prior_outcome(prior: CaseDocument) -> CaseOutcome:
    return CaseOutcome[prior.outcome.upper()]


def _rechecked(before: CaseOutcome, now: CaseOutcome) -> ComparedName:
    if CaseOutcome.UNKNOWN in (before, now) and before is not now:
        return "not_enough_evidence"
    if (before is CaseOutcome.FAILED) == (now is CaseOutcome.FAILED):
        return "same"
    return "regressed" if now is CaseOutcome.FAILED else "fixed"


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

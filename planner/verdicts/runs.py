"""Judges one run of a case by its evidence: findings, outcome, and why it did not pass."""

from __future__ import annotations

import json
import re
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from planner.calls.slots import Slot
from planner.checks.base import CheckSeverity, Expectation
from planner.checks.judgement import FindingOutcome, Judgement, Quote, undecided
from planner.checks.latency import percentile
from planner.checks.opinions import Ask, Question, no_judge
from planner.checks.redacted import judge_redacted, left_out
from planner.checks.response_times import response_times
from planner.evidence import Evidence, Part, missing_parts, too_large
from planner.planfile.model import Case
from planner.results.model import Finding, JudgedRun, RunVerdict
from planner.results.outcomes import Cause, RunOutcome
from planner.values import frozen
from planner.verdicts.attribution import CallerCause, caller_cause, unscripted_call
from planner.verdicts.caller_question import caller_question, unfaithful_caller


@frozen
class EndedRun:
    """A run that ended, or that nobody waits for any longer."""

    slot: Slot
    resumed: bool
    """An earlier session launched it."""
    evidence: Evidence | None = None
    """None if it is missing."""
    unread: str = ""
    """Why an ended run has no evidence: its data could not be read."""

    @property
    def run_id(self) -> int:
        assert self.slot.run_id is not None
        return self.slot.run_id


def judge_run(
    expectations: Sequence[Expectation],
    evidence: Evidence,
    ask: Ask = no_judge,
    *,
    prompt: str = "",
) -> RunVerdict:
    """Judge one finished run; `ask` returns the answers of a language model.

    A run fails if an expectation fails that is critical, or an error without its own `min_pass_rate`. Those with one
    are counted over all runs of the case (`judge_case`), and warnings are only reported. `prompt` is the test
    bot's instructions.
    """
    if (unjudged := _not_judged(expectations, evidence)) is not None:
        return unjudged
    findings = [_finding(expectation, _judge(expectation, evidence, ask)) for expectation in expectations]
    both = list(zip(expectations, findings, strict=True))
    if (broken := _broken_caller(evidence, prompt, ask)) is not None:
        failing = [each for each, finding in both if finding.outcome is FindingOutcome.FAILED and _decides_runs(each)]
        if not any(_is_the_agents_own(each, evidence, ask) for each in failing):
            findings = [_not_counted(each, finding, evidence, ask, broken) for each, finding in both]
            return undecided_run(Cause.CALLER, broken.reason, findings, broken.quote)
    findings = [_unless_by_caller(each, finding, evidence, ask, prompt) for each, finding in both]
    both = list(zip(expectations, findings, strict=True))
    decisive = [(each, finding) for each, finding in both if _decides_runs(each)]
    failed = [(each, finding) for each, finding in decisive if finding.outcome is FindingOutcome.FAILED]
    broken_rules = [finding for _, finding in failed]
    undecided = [finding for _, finding in decisive if finding.outcome is FindingOutcome.UNDECIDED]
    if not broken_rules and not undecided:
        return RunVerdict(outcome=RunOutcome.PASSED, findings=findings)
    cause = caller_cause(evidence, [each for each, _ in failed], prompt)
    if cause is not None and not any(_is_the_agents_own(each, evidence, ask) for each, _ in failed):
        return undecided_run(Cause.CALLER, cause.reason, findings, cause.quote)
    if broken_rules:
        why = _reason(broken_rules)
        return RunVerdict(outcome=RunOutcome.FAILED, cause=Cause.AGENT, reason=why, findings=findings)
    return undecided_run(Cause.JUDGE, _reason(undecided), findings)


def _not_judged(expectations: Sequence[Expectation], evidence: Evidence) -> RunVerdict | None:
    """The verdict on a run that no expectation can judge, else None."""
    quote = None
    if (why := _platform_failure(evidence)) is not None:
        cause = Cause.PLATFORM
    elif why := too_large(evidence):
        cause = Cause.JUDGE
    elif (unscripted := unscripted_call(evidence)) is not None:
        cause, why, quote = unscripted[0], unscripted[1].reason, unscripted[1].quote
    else:
        return None
    findings = [_finding(expectation, undecided(f"not judged: {why}")) for expectation in expectations]
    return undecided_run(cause, why, findings, quote)


def undecided_run(
    cause: Cause, reason: str, findings: Sequence[Finding] = (), quote: Quote | None = None
) -> RunVerdict:
    """The verdict on a run that neither passed nor failed."""
    return RunVerdict(
        outcome=RunOutcome.UNDECIDED, cause=cause, reason=reason, cause_quote=quote, findings=list(findings)
    )


def questions_of_run(expectations: Sequence[Expectation], evidence: Evidence) -> list[Question]:
    """The judge calls needed for one finished run; none for a run that is not judged."""
    if _not_judged((), evidence) is not None:
        return []
    decidable = [expectation for expectation in expectations if not left_out(expectation, evidence)]
    return [question for expectation in decidable for question in expectation.questions(evidence)]


def _judge(expectation: Expectation, evidence: Evidence, ask: Ask) -> Judgement:
    try:
        return judge_redacted(expectation, evidence, ask)
    except Exception as error:  # noqa: BLE001 - one broken check must not lose the verdicts on calls that were paid for
        place = traceback.extract_tb(error.__traceback__)[-1]
        raised = f"{type(error).__name__} at {Path(place.filename).name}:{place.lineno}"
        return replace(undecided(f"bug in planner: the check {expectation.check} raised {raised}"), is_bug=True)


def _unless_by_caller(expectation: Expectation, finding: Finding, evidence: Evidence, ask: Ask, prompt: str) -> Finding:
    """Do not count an expectation with its own rate in a run in which the caller made it fail."""
    has_own_rate = expectation.severity is CheckSeverity.ERROR and expectation.min_pass_rate is not None
    if not has_own_rate or finding.outcome is not FindingOutcome.FAILED:
        return finding
    cause = caller_cause(evidence, (expectation,), prompt)
    return finding if cause is None else _not_counted(expectation, finding, evidence, ask, cause)


def _broken_caller(evidence: Evidence, prompt: str, ask: Ask) -> CallerCause | None:
    from planner.verdicts.caller_fidelity import (
        broken_caller,  # late: spoken text takes longer than the start of `plan`
    )

    return broken_caller(evidence, prompt) or unfaithful_caller(evidence, prompt, ask)


def _not_counted(
    expectation: Expectation, finding: Finding, evidence: Evidence, ask: Ask, cause: CallerCause
) -> Finding:
    """A failure is undecided, unless the agent alone caused it."""
    if finding.outcome is not FindingOutcome.FAILED or _is_the_agents_own(expectation, evidence, ask):
        return finding
    message = f"not counted, because {cause.reason}; {finding.message}"
    return finding.model_copy(update={"outcome": FindingOutcome.UNDECIDED, "message": message})


def _is_the_agents_own(failed: Expectation, evidence: Evidence, ask: Ask) -> bool:
    """Whether the agent alone caused the failure; a combination is judged by its parts."""
    if failed.check not in ("all_of", "any_of"):
        return not failed.caller_can_cause_failure
    failing = [part for part in failed.parts.values() if _judge(part, evidence, ask).outcome is FindingOutcome.FAILED]
    own = [_is_the_agents_own(part, evidence, ask) for part in failing]
    return any(own) if failed.check == "all_of" else all(own)


def _finding(expectation: Expectation, judgement: Judgement) -> Finding:
    return Finding(
        expectation=expectation_name(expectation),
        check=expectation.check,
        outcome=judgement.outcome,
        severity=expectation.severity,
        message=judgement.message,
        quote=judgement.quote,
        is_bug=judgement.is_bug,
    )


def expectation_name(expectation: Expectation) -> str:
    """The id, or else the name of the check."""
    return expectation.id or expectation.check


def _decides_runs(expectation: Expectation) -> bool:
    is_error = expectation.severity is CheckSeverity.ERROR and expectation.min_pass_rate is None
    return is_error or expectation.severity is CheckSeverity.CRITICAL


def _reason(findings: Sequence[Finding]) -> str:
    first = f"{findings[0].expectation}: {findings[0].message}"
    return first if len(findings) == 1 else f"{first} (and {len(findings) - 1} more)"


def _platform_failure(evidence: Evidence) -> str | None:
    if evidence.run_status.has_failed:
        message = " ".join(evidence.error_message.split())
        what = f"the run {evidence.run_status}"
        return f"{what}: {message}" if message else what
    if evidence.call is None:
        return "no call was made"
    if evidence.call.status == "failed":
        return "the call failed"
    return None


LoadEvidence = Callable[[str], Evidence | None]
TO_READ_AGAIN: Final[Sequence[Part]] = ("call", "transcript", "history")
"""What is missing of a call whose words are masked or not stored: the service still has them."""
_GRADE: Final = r'"check": "grade"|"(?:cel|path)": "(?:[^"\\]|\\.)*grade'
"""In an expectation as JSON."""


def judge_record(case: Case, record: EndedRun, ask: Ask = no_judge) -> JudgedRun:
    """Judge a run that the engine reports."""
    evidence = record.evidence
    if evidence is None:
        unread = f"the run ended, but its data cannot be read: {record.unread}"
        verdict = undecided_run(Cause.PLATFORM, unread if record.unread else "the run did not end in time")
        fields: dict[str, Any] = dict(verdict)
    else:
        fields = _judged(case, evidence, ask) | {
            "call_id": evidence.call_id,
            "cost_basis": evidence.cost_basis,
            "duration_seconds": evidence.duration_seconds,
        }
    return JudgedRun(
        run_id=record.run_id,
        batch_id=record.slot.launch.batch_id,
        cost_cents=record.slot.cost_cents,
        adopted=record.slot.is_adopted,
        session_id=record.slot.intent.session_id,
        evidence=record.slot.evidence,
        completed_at=None if record.slot.call is None else record.slot.call.completed_at,
        **fields,
    )


def judge_stored(case: Case, run: JudgedRun, load_evidence: LoadEvidence, ask: Ask = no_judge) -> JudgedRun:
    """Judge a stored run by today's expectations. Without evidence, and if it is excluded, the stored verdict
    remains. Where words are masked, so does what is to be read again."""
    if run.excluded is not None:
        return run
    evidence = load_evidence(run.evidence) if run.evidence is not None else None
    if evidence is None:
        return run
    judged = _judged(case, evidence, ask)
    missing = judged["missing"] or (run.missing if evidence.redacted else [])
    return run.model_copy(update=judged | {"missing": missing})


def judge_again(case: Case, run: JudgedRun, load_evidence: LoadEvidence, ask: Ask = no_judge) -> JudgedRun:
    """Judge a stored run that today's expectations have judged before: where a mask hides what they need, that verdict
    remains, or a failed call would no longer count on a machine without the original."""
    found = judge_stored(case, run, load_evidence, ask)
    is_hidden = run.countable and found.cause is Cause.JUDGE and not found.votes_missing
    # The judge's words about the caller may be about masked ones.
    is_hidden = is_hidden or (run.cause is Cause.CALLER and found.cause is not Cause.CALLER)
    if not is_hidden or run.evidence is None:
        return found
    evidence = load_evidence(run.evidence)
    return run if evidence is not None and evidence.redacted else found


def _judged(case: Case, evidence: Evidence, ask: Ask) -> dict[str, Any]:
    """The fields of a `JudgedRun` that depend on its evidence and on today's expectations: the verdict, what is
    missing, the measured values, and the grader, judge and agent variant they depend on."""
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


def is_masked(case: Case, evidence: Evidence, verdict: RunVerdict) -> bool:
    """Whether an expectation that counts is undecided because of what a shared store left out."""
    return bool(evidence.redacted) and any(
        finding.outcome is FindingOutcome.UNDECIDED
        and each.severity is not CheckSeverity.WARNING
        and not left_out(each, evidence).isdisjoint(evidence.redacted)
        for each, finding in zip(case.expectations, verdict.findings, strict=False)
    )


def _verdict(case: Case, evidence: Evidence, ask: Ask) -> RunVerdict:
    """A call that cannot be read, or has not ended, is undecided: not a call that never happened, which would be
    repeated."""
    if _has_ended(evidence):
        return judge_run(case.expectations, evidence, ask, prompt=case.prompt)
    why = "is still in progress" if evidence.call else "cannot be read"
    return undecided_run(Cause.JUDGE, f"the run has ended, but its call {why}")


def rests_on_grade(case: Case) -> bool:
    """Whether an expectation, or a part of one, is a grade check, or an expression or path that names the grade."""
    return any(re.search(_GRADE, json.dumps(expectation.fingerprint_fields())) for expectation in case.expectations)


def _has_ended(evidence: Evidence) -> bool:
    return "call" not in missing_parts(evidence, grade_wanted=False)


def questions(case: Case, evidence: Evidence) -> list[Question]:
    """What a judge is asked to decide a call's expectations; nothing until the call has ended."""
    return questions_of_run(case.expectations, evidence) if _has_ended(evidence) else []


def question_about_caller(case: Case, evidence: Evidence) -> Question | None:
    """What a judge is asked about the test bot; nothing for a call that is not judged."""
    if not _has_ended(evidence) or _not_judged((), evidence) is not None:
        return None
    return caller_question(case.prompt, evidence)

"""Findings → run outcome, and why the run did not pass."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Literal

from planner.checks.base import CheckSeverity, Expectation
from planner.checks.judgement import FindingOutcome, Judgement, Quote, errored
from planner.checks.opinions import Ask, Question, nobody_asked
from planner.checks.redacted import judge_redacted, left_out
from planner.evidence import Evidence, too_large
from planner.results.model import Finding, RunVerdict
from planner.results.outcomes import Fault, RunOutcome
from planner.verdicts.attribution import DONE_BY_THE_AGENT, caller_fault, unscripted_call

_log = logging.getLogger(__name__)


def judge_run(
    expectations: Sequence[Expectation],
    evidence: Evidence,
    ask: Ask = nobody_asked,
    *,
    prompt: str = "",
    caller_faults: Literal["ignore", "count"] = "ignore",
) -> RunVerdict:
    """Judge one finished run; `ask` returns the answers of a language model.

    A run fails if an expectation fails that is critical, or an error without its own `min_pass_rate`. Those with one are counted over
    all runs of the case (`judge_case`), and warnings are only reported. With `caller_faults="count"` the test bot is never the
    cause; `prompt` is its instructions.
    """
    if (unjudged := _not_judged(expectations, evidence)) is not None:
        return unjudged
    ignores_callers = caller_faults == "ignore"
    findings = [_finding(expectation, _judge(expectation, evidence, ask)) for expectation in expectations]
    both = list(zip(expectations, findings, strict=True))
    if ignores_callers:
        findings = [_without_callers_fault(each, finding, evidence, ask, prompt) for each, finding in both]
        both = list(zip(expectations, findings, strict=True))
    decisive = [(each, finding) for each, finding in both if _decides_runs(each)]
    failed = [(each, finding) for each, finding in decisive if finding.outcome is FindingOutcome.FAILED]
    broken_rules = [finding for _, finding in failed]
    undecided = [finding for _, finding in decisive if finding.outcome is FindingOutcome.ERRORED]
    if not broken_rules and not undecided:
        return RunVerdict(outcome=RunOutcome.PASSED, findings=findings)
    fault = caller_fault(evidence, broken_rules, prompt) if ignores_callers else None
    if fault is not None and not any(_is_the_agents_own(each, evidence, ask) for each, _ in failed):
        return errored_run(Fault.CALLER, fault.reason, findings, fault.quote)
    if broken_rules:
        why = _reason(broken_rules)
        return RunVerdict(outcome=RunOutcome.FAILED, fault=Fault.AGENT, reason=why, findings=findings)
    return errored_run(Fault.JUDGE, _reason(undecided), findings)


def _not_judged(expectations: Sequence[Expectation], evidence: Evidence) -> RunVerdict | None:
    """The verdict on a run that no expectation can judge, else None."""
    quote = None
    if (why := _platform_failure(evidence)) is not None:
        fault = Fault.PLATFORM
    elif why := too_large(evidence):
        fault = Fault.JUDGE
    elif (unscripted := unscripted_call(evidence)) is not None:
        fault, why, quote = Fault.CALLER, unscripted.reason, unscripted.quote
    else:
        return None
    findings = [_finding(expectation, errored(f"not judged: {why}")) for expectation in expectations]
    return errored_run(fault, why, findings, quote)


def errored_run(fault: Fault, reason: str, findings: Sequence[Finding] = (), quote: Quote | None = None) -> RunVerdict:
    """The verdict on a run that neither passed nor failed."""
    return RunVerdict(
        outcome=RunOutcome.ERRORED, fault=fault, reason=reason, fault_quote=quote, findings=list(findings)
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
        _log.debug("check %s broke on run %s", expectation.check, evidence.run_id, exc_info=True)
        return errored(f"bug in planner: the check {expectation.check} raised {type(error).__name__}")


def _without_callers_fault(
    expectation: Expectation, finding: Finding, evidence: Evidence, ask: Ask, prompt: str
) -> Finding:
    """Do not count an expectation with its own rate in a run in which the caller made it fail."""
    has_own_rate = expectation.severity is CheckSeverity.ERROR and expectation.min_pass_rate is not None
    if not has_own_rate or finding.outcome is not FindingOutcome.FAILED:
        return finding
    fault = caller_fault(evidence, (finding,), prompt)
    if fault is None or _is_the_agents_own(expectation, evidence, ask):
        return finding
    message = f"not counted, because {fault.reason}; {finding.message}"
    return finding.model_copy(update={"outcome": FindingOutcome.ERRORED, "message": message})


def _is_the_agents_own(failed: Expectation, evidence: Evidence, ask: Ask) -> bool:
    """Whether the agent alone caused the failure; a combination is judged by its parts."""
    if failed.check not in ("all_of", "any_of"):
        return failed.check in DONE_BY_THE_AGENT
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
    if evidence.run_status == "failed":
        message = " ".join(evidence.error_message.split())
        return f"the run failed: {message}" if message else "the run failed"
    if evidence.call is None:
        return "no call was made"
    if evidence.call.status == "failed":
        return "the call failed"
    return None

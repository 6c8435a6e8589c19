"""Explain the outcome and the exit code of a result in one sentence."""

from __future__ import annotations

from planner.reports.case_phrasing import standing, with_outcome
from planner.reports.quantities import count
from planner.results.model import CaseDocument, RunResult

_VERDICTS = {
    "passed": "Passed",
    "failed": "Failed",
    "unknown": "Incomplete",
    "refused": "Refused",
    "interrupted": "Interrupted",
}
_RESUME = "Run the same command to resume; nothing is charged twice."
_MEANINGS = {
    0: "All cases met their required pass rate.",
    1: "The agent failed an expectation.",
    2: "A plan, the configuration, the key or the command line is invalid. This says nothing about the agent.",
    3: "Consent is missing, or a ceiling or policy allows no more calls. This report lists every call made.",
    4: f"An outcome is unknown, or the service failed. {_RESUME}",
    5: "Bug in planner: do not rely on this verdict.",
    130: f"Interrupted. {_RESUME}",
}


_CHANGES_OF_THE_PLAN = ("prompt", "settings", "expectations")


def verdict(result: RunResult) -> str:
    """`Passed`, or `Passed (sandbox)`."""
    word = _VERDICTS[result.outcome]
    return f"{word} (sandbox)" if result.sandbox else word


def meaning(result: RunResult) -> str:
    """One sentence that explains the exit code."""
    if result.exit_code == 0 and not result.cases:
        return "There was nothing to do."
    failed = with_outcome(result, "failed")
    if result.exit_code == 0 and failed and "failure" not in result.fail_on:
        return "No case regressed significantly. Failed cases do not count here (--fail-on regression)."
    if result.exit_code == 0 and "regression" not in result.fail_on and _regression(result):
        return f"{_MEANINGS[0]} Regressions do not count here (--fail-on failure)."
    if result.exit_code == 0 and any(standing(case) == "quarantined" for case in result.cases):
        return f"{_MEANINGS[0][:-1]}; failures of quarantined cases are not counted."
    if result.exit_code == 4 and result.finished:
        return "Some outcomes are unknown: the calls made do not decide them."
    if (
        result.exit_code == 1
        and (not failed or "failure" not in result.fail_on)
        and (regression := _regression(result))
    ):
        return regression
    if result.exit_code == 1 and failed and all(map(is_changed_by_author, failed)):
        if regression := _regression(result):
            return f"An expectation failed. {regression}"
        if all(case.not_comparable in _CHANGES_OF_THE_PLAN for case in failed):
            return "An expectation failed, in cases whose plan changed: this does not show that the agent changed."
    return _MEANINGS.get(result.exit_code, "See the problems listed.")


def _regression(result: RunResult) -> str:
    """How the results regressed; empty if they did not."""
    regressed = sum(case.compared == "regressed" and case.quarantine is None for case in result.cases)
    if regressed:
        return f"{count(regressed, 'case')} passed significantly fewer calls than before."
    worse = result.suite is not None and result.suite.compared == "worse"
    return "All cases together passed significantly fewer calls than before." if worse else ""


def is_changed_by_author(case: CaseDocument) -> bool:
    return case.compared == "not_enough_evidence" and case.not_comparable is not None

"""What the outcome and the exit code of a result mean, in a sentence."""

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
_MEANINGS = {
    0: "All cases met their required pass rate.",
    1: "An expectation failed: the agent is at fault.",
    2: "A plan, the configuration, the key or the command line is at fault, not the agent.",
    3: "Consent was withheld, or a ceiling or policy forbids more: nothing was called that is not in this report.",
    4: "Some outcome is unknown, or the service failed. Running the same command again goes on without paying twice.",
    5: "This tool has a bug: its verdict cannot be relied on.",
    130: "Interrupted: this is what was done. Running the same command again goes on without paying twice.",
}


_CHANGES_OF_THE_PLAN = ("prompt", "settings", "expectations")


def verdict(result: RunResult) -> str:
    """One word for the outcome; in the sandbox it says so."""
    word = _VERDICTS[result.outcome]
    return f"{word} (sandbox)" if result.sandbox else word


def meaning(result: RunResult) -> str:
    """What the exit code says, in a sentence."""
    if result.exit_code == 0 and not result.cases:
        return "There was nothing to do."
    failed = with_outcome(result, "failed")
    if result.exit_code == 0 and failed and "failure" not in result.fail_on:
        return "No case regressed beyond chance. Failed cases do not count here (--fail-on regression)."
    if result.exit_code == 0 and "regression" not in result.fail_on and _regression(result):
        return f"{_MEANINGS[0]} Regressions do not count here (--fail-on failure)."
    if result.exit_code == 0 and any(standing(case) == "quarantined" for case in result.cases):
        return f"{_MEANINGS[0][:-1]}; failures of quarantined cases are not counted."
    if result.exit_code == 4 and result.finished:
        return "Some outcome is unknown: what was found on the calls does not decide it."
    if result.exit_code == 1 and (not failed or "failure" not in result.fail_on) and (told := _regression(result)):
        return told
    if result.exit_code == 1 and failed and all(map(is_changed_by_author, failed)):
        if regression := _regression(result):
            return f"An expectation failed. {regression}"
        if all(case.not_comparable in _CHANGES_OF_THE_PLAN for case in failed):
            return "An expectation failed, in cases whose plan changed: this does not show that the agent changed."
    return _MEANINGS.get(result.exit_code, "See the problems listed.")


def _regression(result: RunResult) -> str:
    """Why the exit code is 1 though no failure counts; empty where no regression is the reason."""
    regressed = sum(case.compared == "regressed" and case.quarantine is None for case in result.cases)
    if regressed:
        return f"{count(regressed, 'case')} passed fewer calls than before, beyond chance."
    worse = result.suite is not None and result.suite.compared == "worse"
    return "All cases together passed fewer calls than before, beyond chance." if worse else ""


def is_changed_by_author(case: CaseDocument) -> bool:
    return case.compared == "not_enough_evidence" and case.not_comparable is not None

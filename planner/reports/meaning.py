"""The sentence that explains the exit code of a session."""

from __future__ import annotations

from typing import Final

from planner.quantities import count
from planner.reports.case_phrasing import first_failed, is_changed_by_author, with_outcome
from planner.results.model import RunResult

LEAVES_OUT: Final = "--rerun failed leaves out"
"""The beginning of the warning about cases without results of today's plan."""
_RESUME = "Run the same command to resume; nothing is charged twice."
_MEANINGS = {
    1: "The agent failed an expectation.",
    2: "A plan, the configuration, the key or the command line is invalid. This says nothing about the agent.",
    3: "The session was refused.",
    4: f"An outcome is unknown, or the service failed. {_RESUME}",
    5: "Bug in planner: do not rely on this verdict.",
    130: f"Interrupted. {_RESUME}",
}


def meaning(result: RunResult) -> str:
    """One sentence that explains the exit code; for a refusal, its reason. Each format neutralises it."""
    code, failed, regression = result.exit_code, with_outcome(result, "failed"), _regression(result)
    if code == 3 and result.problems:
        reason = result.problems[0]
        ending = "" if reason.endswith((".", "!", "?")) else "."
        every_call = " This report lists every call made." if result.stats.launches else ""
        return f"{reason[:1].upper()}{reason[1:]}{ending}{every_call}"
    if code == 0 and not result.cases and not _leaves_out(result):
        return "There was nothing to do."
    if code == 0 and failed and "failure" not in result.fail_on:
        return "No case regressed significantly. Failed cases do not count here (--fail-on regression)."
    if code == 0 and regression and "regression" not in result.fail_on:
        return f"{_all_met(result)}. Regressions do not count here (--fail-on failure)."
    if code == 0 and with_outcome(result, "quarantined"):
        return f"{_all_met(result)}; failures of quarantined cases are not counted."
    if code == 0:
        return f"{_all_met(result)}."
    unknown = [run for case in with_outcome(result, "unknown") for run in case.runs]
    if code == 4 and result.finished and any(run.missing or run.votes_missing for run in unknown):
        return "Some outcomes are unknown: evidence or judge calls are missing."
    if code == 4 and result.finished:
        return "Some outcomes are unknown: the calls made were inconclusive."
    if code == 1 and regression and (not failed or "failure" not in result.fail_on):
        return regression
    if code == 1 and not failed:
        return "A run failed an expectation, so no further calls were made (--fail-fast)."
    if code == 1 and failed and not any(map(first_failed, failed)):
        return "The platform failed calls of cases whose plan counts that (platform_failures: fail)."
    if code == 1 and failed and all(map(is_changed_by_author, failed)):
        if regression:
            return f"An expectation failed. {regression}"
        if all(case.not_comparable in ("prompt", "settings", "expectations") for case in failed):
            return "An expectation failed, in cases whose plan changed: this does not show that the agent changed."
    return _MEANINGS.get(code, "See the problems listed.")


def _all_met(result: RunResult) -> str:
    """Which cases passed, without a full stop."""
    if _leaves_out(result):
        return "No case shown here failed, but others have no results of today's plan"
    return f"All {'selected ' if result.partial else ''}cases met their required pass rate"


def _leaves_out(result: RunResult) -> bool:
    return any(warning.startswith(LEAVES_OUT) for warning in result.warnings)


def other_problems(result: RunResult) -> list[str]:
    """The problems that `meaning` does not name."""
    return result.problems[1:] if result.exit_code == 3 else result.problems


def _regression(result: RunResult) -> str:
    """How the results regressed; empty if they did not."""
    regressed = sum(case.compared == "regressed" and case.quarantine is None for case in result.cases)
    if regressed:
        return f"{count(regressed, 'case')} passed significantly fewer calls than before."
    worse = result.suite is not None and result.suite.compared == "worse"
    return "All cases together passed significantly fewer calls than before." if worse else ""

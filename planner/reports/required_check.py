"""`planner gate` as text and JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from planner.reports.neutral import for_terminal, json_document
from planner.results.outcomes import CaseState, RequiredCheck, State

SCHEMA_VERSION: Final = "1.0"
_NAMED: Final = 20
_WORDS: Final = {
    CaseState.GREEN: "passed",
    CaseState.TO_CALL: "to call",
    CaseState.TO_COLLECT: "to collect",
    CaseState.TO_JUDGE: "to judge",
    CaseState.KNOWN_FAILING: "already failing on the base branch",
}
_LISTED: Final = tuple(case_state for case_state in CaseState if case_state is not CaseState.GREEN)
_VERDICTS: Final = {State.SUCCESS: "✓ green", State.FAILURE: "✗ red", State.PENDING: "… pending"}


def case_state_words(case_state: CaseState) -> str:
    return _WORDS.get(case_state, case_state.value)


def render_text(check: RequiredCheck, names: Mapping[str, str]) -> str:
    """The answer, then the cases behind it. `names` are shown for case ids."""
    lines = [f"{_VERDICTS[check.state]}: {check.description}"]
    for case_state in _LISTED:
        cases = check.cases.get(case_state, ())
        lines += [f"  {case_state_words(case_state)}: {for_terminal(names[case_id])}" for case_id in cases[:_NAMED]]
        if (more := len(cases) - _NAMED) > 0:
            lines.append(f"  {case_state_words(case_state)}: {more:,} more")
    lines += [f"  no bill for a day: {for_terminal(names[case_id])}" for case_id in check.unbilled[:_NAMED]]
    return "\n".join(lines) + "\n"


def render_json(check: RequiredCheck, names: Mapping[str, str]) -> str:
    return json_document(
        {
            "schema_version": SCHEMA_VERSION,
            "state": check.state.value,
            "exit_code": check.exit_code,
            "description": check.description,
            "digest": check.digest,
            "calls": check.calls,
            "open_calls": check.open_calls,
            "suite_regressed": check.suite_regressed,
            **{each.value: [names[case_id] for case_id in check.cases.get(each, ())] for each in CaseState},
            "unbilled": [names[case_id] for case_id in check.unbilled],
        }
    )

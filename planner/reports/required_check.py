"""The required check as text and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from planner.reports.neutral import for_terminal, json_document, picked
from planner.results.outcomes import CaseState, CheckState, RequiredCheck

_NAMED: Final = 20
_SHOWN_STATES: Final = tuple(case_state for case_state in CaseState if case_state is not CaseState.GREEN)
_VERDICTS: Final = {CheckState.SUCCESS: "✓ green", CheckState.FAILURE: "✗ red", CheckState.PENDING: "… pending"}


def render_text(check: RequiredCheck, names: Mapping[str, str]) -> str:
    """The answer, then the cases behind it. `names` are shown for case ids."""
    lines = [f"{_VERDICTS[check.state]}: {check.description}"]
    listed = [(case_state.words, check.cases.get(case_state, ())) for case_state in _SHOWN_STATES]
    for words, cases in (*listed, ("flaky", check.flaky)):
        lines += [f"  {words}: {for_terminal(names[case_id])}" for case_id in cases[:_NAMED]]
        if (more := len(cases) - _NAMED) > 0:
            lines.append(f"  {words}: {more:,} more")
    lines += [f"  no bill for a day: {for_terminal(names[case_id])}" for case_id in check.unbilled[:_NAMED]]
    if check.call_undecided:
        lines.append(f"  to call undecided cases again (charged): {check.call_undecided}")
    return "\n".join(lines) + "\n"


def render_json(check: RequiredCheck, names: Mapping[str, str]) -> str:
    numbers = picked(
        check, "description", "digest", "calls", "open_calls", "suite_regressed", "everything_worse", "call_undecided"
    )
    return json_document(
        {
            "state": check.state.value,
            **numbers,
            **{each.value: [names[case_id] for case_id in check.cases.get(each, ())] for each in CaseState},
            "flaky": [names[case_id] for case_id in check.flaky],
            "unbilled": [names[case_id] for case_id in check.unbilled],
        },
        exit_code=check.exit_code,
    )

"""`planner gate` as text and JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from planner.reports.neutral import for_terminal, json_document
from planner.results.required_check import RequiredCheck, Standing, State

SCHEMA_VERSION: Final = "1.0"
_NAMED: Final = 20
_WORDS: Final = {
    Standing.TO_CALL: "to call",
    Standing.TO_COLLECT: "to collect",
    Standing.TO_JUDGE: "to judge",
    Standing.KNOWN_FAILING: "already failing on the base branch",
}
_LISTED: Final = tuple(standing for standing in Standing if standing is not Standing.GREEN)
_VERDICTS: Final = {State.SUCCESS: "✓ green", State.FAILURE: "✗ red", State.PENDING: "… pending"}


def standing_words(standing: Standing) -> str:
    return _WORDS.get(standing, standing.value)


def render_text(check: RequiredCheck, names: Mapping[str, str]) -> str:
    """The answer, then the cases behind it. `names` are shown for case ids."""
    lines = [f"{_VERDICTS[check.state]}: {check.description}"]
    for standing in _LISTED:
        cases = check.cases.get(standing, ())
        lines += [f"  {standing_words(standing)}: {for_terminal(names[case_id])}" for case_id in cases[:_NAMED]]
        if (more := len(cases) - _NAMED) > 0:
            lines.append(f"  {standing_words(standing)}: {more:,} more")
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
            **{each.value: [names[case_id] for case_id in check.cases.get(each, ())] for each in Standing},
            "unbilled": [names[case_id] for case_id in check.unbilled],
        }
    )

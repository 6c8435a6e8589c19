"""Nothing but `providers/thunderphone` and the sandbox, which is the service, names the fields of its API."""

from __future__ import annotations

import re
from pathlib import Path

PLANNER = Path(__file__).parents[2] / "planner"
FIELDS = re.compile(
    r"\b(scenario_prompts?|run_count|total_runs|billing_total_cents|billed_at|estimated_cost_cents|balance_cents|amount_cents"
    r"|spending_limit_reached|test_call_budget\w*|grade_status|call_outcome|goal_achievement|detected_issues|issue_count"
    r"|transfer_destination|(in|out)bound_agent_id|has_draft|draft_\w+_at)\b"
)


def test_fields_of_the_api_have_one_home() -> None:
    named = {
        f"{path.relative_to(PLANNER)}: {match[0]}"
        for path in PLANNER.rglob("*.py")
        if not path.is_relative_to(PLANNER / "sandbox") and "thunderphone" not in path.parts
        for match in FIELDS.finditer(path.read_text())
    }
    assert named == set()

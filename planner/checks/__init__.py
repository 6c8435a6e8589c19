"""What can be expected of a call. One file per kind of check; this registry is the only list of them."""

from __future__ import annotations

from collections.abc import Mapping

from planner.checks.base import Expectation
from planner.checks.parts import register_kinds
from planner.checks.registry import Registry

CHECKS: Mapping[str, type[Expectation]] = Registry(
    __name__,
    {
        "says": "says:Says",
        "never_says": "never_says:NeverSays",
        "sequence": "sequence:Sequence",
        "no_pii": "no_pii:NoPii",
        "language": "language:Language",
        "call": "call:CallCheck",
        "duration": "duration:Duration",
        "cost": "cost:Cost",
        "latency": "latency:Latency",
        "pacing": "pacing:Pacing",
        "tool_called": "tool_called:ToolCalled",
        "tool_not_called": "tool_not_called:ToolNotCalled",
        "grade": "grade:GradeCheck",
        "field": "field:FieldCheck",
        "expression": "expression:Expression",
        "similar": "similar:Similar",
        "judge": "judge:Judge",
        "all_of": "all_of:AllOf",
        "any_of": "any_of:AnyOf",
        "not": "not_:Not",
    },
)
"""By the name an author writes after `check:`, in the order documentation lists them. A kind is imported when it is asked for."""

register_kinds(CHECKS)

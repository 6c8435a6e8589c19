"""What can be expected of a call. One file per kind of check; this registry is the only list of them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from planner.checks.base import Expectation
from planner.checks.call import CallCheck
from planner.checks.cost import Cost
from planner.checks.duration import Duration
from planner.checks.grade import GradeCheck
from planner.checks.latency import Latency
from planner.checks.never_says import NeverSays
from planner.checks.says import Says
from planner.checks.tool_called import ToolCalled
from planner.checks.tool_not_called import ToolNotCalled

CHECKS: Mapping[str, type[Expectation]] = MappingProxyType(
    {
        "says": Says,
        "never_says": NeverSays,
        "call": CallCheck,
        "duration": Duration,
        "cost": Cost,
        "latency": Latency,
        "tool_called": ToolCalled,
        "tool_not_called": ToolNotCalled,
        "grade": GradeCheck,
    }
)
"""By the name an author writes after `check:`, in the order documentation lists them."""

UPCOMING_CHECKS: frozenset[str] = frozenset(
    {
        "sequence",
        "pacing",
        "field",
        "language",
        "similar",
        "judge",
        "no_pii",
        "expression",
        "all_of",
        "any_of",
        "not",
    }
)
"""Kinds of check that are planned; a plan that uses one is refused by name."""

"""What can be expected of a call. One file per kind of check; this registry is the only list of them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from planner.checks.all_of import AllOf
from planner.checks.any_of import AnyOf
from planner.checks.base import Expectation
from planner.checks.call import CallCheck
from planner.checks.cost import Cost
from planner.checks.duration import Duration
from planner.checks.expression import Expression
from planner.checks.field import FieldCheck
from planner.checks.grade import GradeCheck
from planner.checks.judge import Judge
from planner.checks.language import Language
from planner.checks.latency import Latency
from planner.checks.never_says import NeverSays
from planner.checks.no_pii import NoPii
from planner.checks.not_ import Not
from planner.checks.pacing import Pacing
from planner.checks.parts import part_type, parts_type
from planner.checks.says import Says
from planner.checks.sequence import Sequence
from planner.checks.similar import Similar
from planner.checks.tool_called import ToolCalled
from planner.checks.tool_not_called import ToolNotCalled

CHECKS: Mapping[str, type[Expectation]] = MappingProxyType(
    {
        "says": Says,
        "never_says": NeverSays,
        "sequence": Sequence,
        "no_pii": NoPii,
        "language": Language,
        "call": CallCheck,
        "duration": Duration,
        "cost": Cost,
        "latency": Latency,
        "pacing": Pacing,
        "tool_called": ToolCalled,
        "tool_not_called": ToolNotCalled,
        "grade": GradeCheck,
        "field": FieldCheck,
        "expression": Expression,
        "similar": Similar,
        "judge": Judge,
        "all_of": AllOf,
        "any_of": AnyOf,
        "not": Not,
    }
)
"""By the name an author writes after `check:`, in the order documentation lists them."""

_PART = part_type(tuple(CHECKS.values()))
for _combinator in (AllOf, AnyOf, Not):
    # A part may be of any kind, and only here are all kinds known.
    _combinator.model_rebuild(_types_namespace={"Part": _PART, "Parts": parts_type(_PART)})

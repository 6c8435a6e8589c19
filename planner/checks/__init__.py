"""What can be expected of a call. One module per kind of check; `CHECKS` lists them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import Final

from planner.checks.base import Expectation

_MODULES: Final = {
    "says": "says:Says",
    "never_says": "says:NeverSays",
    "sequence": "sequence:Sequence",
    "no_pii": "no_pii:NoPii",
    "language": "language:Language",
    "call": "call:CallCheck",
    "duration": "duration:Duration",
    "cost": "cost:Cost",
    "latency": "latency:Latency",
    "pacing": "pacing:Pacing",
    "tool_called": "tools:ToolCalled",
    "tool_not_called": "tools:ToolNotCalled",
    "grade": "grade:GradeCheck",
    "expression": "expression:Expression",
    "judge": "judge:Judge",
    "all_of": "combinators:AllOf",
    "any_of": "combinators:AnyOf",
    "not": "combinators:Not",
}
"""`module:class` by the name after `check:`, in the order of the documentation."""


@cache
def _load(name: str) -> type[Expectation]:
    module, _, kind = _MODULES[name].partition(":")
    return getattr(import_module(f"{__name__}.{module}"), kind)


class _Checks(Mapping[str, type[Expectation]]):
    """Imports a kind of check when it is first used, since a plan uses few of them."""

    def __getitem__(self, name: str) -> type[Expectation]:
        return _load(name)

    def __contains__(self, name: object) -> bool:
        return name in _MODULES

    def __iter__(self) -> Iterator[str]:
        return iter(_MODULES)

    def __len__(self) -> int:
        return len(_MODULES)


CHECKS: Final[Mapping[str, type[Expectation]]] = _Checks()
"""The kinds of check by name."""

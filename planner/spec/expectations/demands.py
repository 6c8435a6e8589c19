"""What an expectation asks of a call once its combinators are taken apart: demands that must all hold, and choices of which one must.

`not` is moved inwards until it stands before a kind of check, and there becomes the opposite kind where there is one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from planner.checks.all_of import AllOf
from planner.checks.any_of import AnyOf
from planner.checks.base import Expectation
from planner.checks.never_says import NeverSays
from planner.checks.not_ import Not
from planner.checks.says import Says
from planner.checks.tool_called import Times, ToolCalled
from planner.checks.tool_not_called import ToolNotCalled

COMBINATORS: frozenset[type[Expectation]] = frozenset({AllOf, AnyOf, Not})

Route = tuple[str | int, ...]
"""Keys and indices that lead from an expectation to a part of it."""


@dataclass(frozen=True, slots=True)
class Demand:
    """A kind of check that must hold, or where it is `denied`, must not."""

    expectation: Expectation
    route: Route
    denied: bool = False

    def clash(self, other: Demand) -> str:
        """Why no call can satisfy both; empty where one can, or where it cannot be told."""
        if self.denied and other.denied:
            return ""
        if self.denied or other.denied:
            wanted, unwanted = (other, self) if self.denied else (self, other)
            if wanted.expectation.check != unwanted.expectation.check:
                return ""
            if not wanted.expectation.implies(unwanted.expectation):
                return ""
            same = unwanted.expectation.implies(wanted.expectation)
            return "the one is the opposite of the other" if same else "where the one holds, so does what must not hold"
        one, another = self.expectation, other.expectation
        if another.check not in one.opposes and one.check not in another.opposes:
            return ""
        return one.contradicts(another) or another.contradicts(one)


@dataclass(frozen=True, slots=True)
class Choice:
    """Of these ways at least one must hold."""

    ways: tuple[tuple[Demand | Choice, ...], ...]
    route: Route


def demands(expectation: Expectation, route: Route = (), *, denied: bool = False) -> Iterator[Demand | Choice]:
    """Everything that must hold for the expectation to hold, or where it is `denied`, not to hold."""
    if isinstance(expectation, Not):
        yield from demands(expectation.of, (*route, "of"), denied=not denied)
    elif isinstance(expectation, (AllOf, AnyOf)):
        parts = [(part, (*route, "of", index)) for index, part in enumerate(expectation.of)]
        if isinstance(expectation, AllOf) is not denied:
            for part, place in parts:
                yield from demands(part, place, denied=denied)
        else:
            yield Choice(tuple([tuple(demands(part, place, denied=denied)) for part, place in parts]), route)
    else:
        opposite = _opposite(expectation) if denied else None
        yield Demand(opposite or expectation, route, denied=denied and opposite is None)


def _opposite(expectation: Expectation) -> Expectation | None:
    """An expectation that holds where this one does not; None where no kind of check says so."""
    match expectation:
        case Says(min_count=None | 1, max_count=None):
            return NeverSays.model_validate({**_kept(expectation, {"min_count", "max_count"}), "check": "never_says"})
        case NeverSays():
            return Says.model_validate({**_kept(expectation), "check": "says"})
        case ToolCalled(times=Times(min=1, max=None)):
            return ToolNotCalled.model_validate({**_kept(expectation, {"times"}), "check": "tool_not_called"})
        case ToolNotCalled():
            return ToolCalled.model_validate({**_kept(expectation), "check": "tool_called"})
        case _:
            return None


def _kept(expectation: Expectation, less: set[str] | None = None) -> dict[str, Any]:
    """The fields that say which words or calls are meant."""
    apart = {"check", "id", "severity", "min_pass_rate", *(less or ())}
    return expectation.model_dump(exclude=apart, exclude_unset=True, by_alias=True)

"""The exception tree is the one its docstring draws, and every branch says how the program ends."""

from __future__ import annotations

import inspect
import re

from planner import errors
from planner.diagnostics import Diagnostics
from planner.errors import InterruptedRunError, PlanInvalidError, PlannerError, ServiceError, ThrottledError, UsageError

LINE = re.compile(r"^ {4}(?P<branch>[│├└─ ]*)(?P<name>\w+Error)(?: +(?P<code>\d+) .*)?$")


def drawn() -> dict[str, tuple[str | None, int | None]]:
    """Name → (parent's name, exit code) as the docstring draws it."""
    tree: dict[str, tuple[str | None, int | None]] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        match = LINE.match(line)
        if match:
            depth = len(match["branch"]) // 4
            path[depth:] = [match["name"]]
            tree[match["name"]] = (path[depth - 1] if depth else None, int(match["code"]) if match["code"] else None)
    return tree


def test_the_tree_is_as_drawn() -> None:
    """Every class, its parent and its exit code."""
    classes = {
        name: kind
        for name, kind in vars(errors).items()
        if inspect.isclass(kind) and issubclass(kind, PlannerError) and kind.__module__ == errors.__name__
    }
    real = {
        name: (kind.__bases__[0].__name__ if kind is not PlannerError else None, kind.exit_code)
        for name, kind in classes.items()
    }
    assert {name: (parent, code if code is not None else 5) for name, (parent, code) in drawn().items()} == real


def test_an_error_is_one_line_and_a_way_out() -> None:
    """The message is the text; the hint may be empty."""
    assert str(UsageError("what")) == "what"
    assert UsageError("what").hint == ""
    assert UsageError("what", "how").hint == "how"
    assert InterruptedRunError("what").exit_code == 130


def test_the_attributes_of_errors() -> None:
    """Diagnostics, a status, a time to wait."""
    diagnostics = Diagnostics()
    assert PlanInvalidError("what", diagnostics, "how").diagnostics is diagnostics
    assert (ServiceError("what").status, ServiceError("what", status=503).status) == (None, 503)
    assert ThrottledError("what").retry_after_seconds is None
    assert ThrottledError("what", retry_after_seconds=7.0).retry_after_seconds == 7.0

"""Errors of cases: each text is reported once, with the first case in which it has the error."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from planner.diagnostics import Span
from planner.planfile.reporter import Reporter, Said


@dataclass(slots=True)
class CaseErrors:
    """Of one scenario. `which` names the current case in messages."""

    reporter: Reporter
    axes: frozenset[str]
    which: str = ""

    def report(
        self, said: Said, code: str, detail: str, places: tuple[Span, Span | None], names: Collection[str]
    ) -> None:
        """`places`: of the text, and of what uses it if it is in a library. `names`: those that the text uses."""
        which = "" if self.axes.isdisjoint(names) else self.which
        self.reporter.error_once(said, code, detail + which, *places)

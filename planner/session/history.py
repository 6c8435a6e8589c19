"""Compares the cases of a session with the stored sessions of the base branch."""

from __future__ import annotations

from collections.abc import Sequence

from planner.errors import StoreError
from planner.results.model import CaseResult, SuiteDocument
from planner.session.selection import Selection
from planner.session.shell import Shell
from planner.session.stores import OpenedStore
from planner.verdicts.comparison import suite_of
from planner.verdicts.history import compare_with_history


def with_history(
    shell: Shell, place: OpenedStore, selection: Selection, cases: Sequence[CaseResult]
) -> tuple[list[CaseResult], SuiteDocument | None]:
    """The cases and the suite, compared with earlier sessions. Calls may be paid by now, so sessions that cannot be
    read do not stop the report: then each case is compared with its baseline only."""
    base = place.target or place.base or place.repository
    try:
        return compare_with_history(cases, base.sessions_of(selection.environment or "", sandbox=selection.sandbox))
    except StoreError as error:
        shell.log(f"warning: compared with the baseline only, because earlier sessions cannot be read: {error}")
        return list(cases), suite_of(cases)

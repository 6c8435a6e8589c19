"""Leaves calls to the base branch that a pull request does not cause: it may neither pay for them nor wait for them.

An agent was edited at the service, results expired, or merged cases were never called: that concerns cases that are the
same in the commit where the pull request branched off. The default branch calls them (`planner ci record --issue`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from planner.changes.configuration import called_fields, configuration_digest
from planner.changes.fingerprint import call_fingerprint, case_inputs, check_fingerprint
from planner.changes.model import Change, Reason
from planner.planfile.model import Case
from planner.results.outcomes import Action
from planner.workspace.merge_base import cases_at_merge_base
from planner.workspace.stores import Workspace

_ASKED_FOR: Final = (Reason.RERUN, Reason.START_OVER)
"""Somebody wants these calls, whatever has changed."""


def leave_to_base(work: Workspace, changes: Iterable[Change]) -> tuple[Change, ...]:
    """The changes, without calls of cases that the pull request does not touch. Outside of one, or if the commit where
    it branched off is unknown, all of them."""
    changes = tuple(changes)
    needed = [
        change for change in changes if change.action is Action.CALL and change.reason not in _ASKED_FOR and change.case
    ]
    if work.place.base is None or not needed:
        return changes
    before = cases_at_merge_base(work)
    left = {
        change.case_id
        for change in needed
        if change.case is not None
        and (old := before.get(change.case_id)) is not None
        and _terms(old) == _terms(change.case)
    }
    return tuple(_left(change) if change.case_id in left else change for change in changes)


def _left(change: Change) -> Change:
    detail = f"not touched by this pull request: {change.reason.label}"
    return replace(
        change, action=Action.REUSE, reason=Reason.LEFT_TO_BASE, runs=0, detail=detail, kept_run_ids=(), judge=None
    )


def _terms(case: Case) -> tuple[object, ...]:
    """What decides which calls are made, and how they are judged."""
    config = case.target.config
    return (
        call_fingerprint(case_inputs(case, None)),
        check_fingerprint(case),
        configuration_digest(called_fields(config)) if config is not None else "",
        case.runs,
        case.retries,
    )

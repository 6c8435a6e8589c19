"""Controls: calls of the deployed agent beside those of its preview (`controls:`).

A bad hour of the platform makes both agents worse, an edit only the preview. A control is an ordinary call of the
change set: priced, agreed to, resumed and stored like any other. It decides no case.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from planner.changes.configuration import Agents
from planner.changes.fingerprint import call_fingerprint
from planner.changes.model import Change, Reason
from planner.planfile.model import Case
from planner.results.outcomes import Action

_SUFFIX: Final = " (control)"


def control_id(case_id: str) -> str:
    """The id under which the controls of a case are called. It is no id of a case."""
    return f"{case_id}{_SUFFIX}"


def with_controls(changes: Sequence[Change], agents: Agents) -> tuple[Change, ...]:
    """The changes, and after them the controls of the cases that are called on a preview, or may be: without a key,
    nobody knows what is deployed, and who agrees to a control that is not needed pays nothing."""
    return (*changes, *_controls(changes, agents))


def _controls(changes: Sequence[Change], agents: Agents) -> Iterator[Change]:
    for change in changes:
        case = change.case
        if change.action is not Action.CALL or case is None or case.target.config is None:
            continue
        runs = 0 if agents.is_deployed(case.target) else min(case.controls, change.runs)
        if runs:
            yield _control(change, case, runs, agents)


def _control(change: Change, case: Case, runs: int, agents: Agents) -> Change:
    control = replace(
        case,
        case_id=control_id(case.case_id),
        target=replace(case.target, config=None),
        runs=runs,
        min_runs=1,
        confidence=None,
        retries=0,
    )
    inputs = agents.inputs(control)
    return Change(
        control.case_id,
        Action.CALL,
        Reason.CONTROL,
        runs,
        "",
        control,
        None,
        inputs,
        call_fingerprint(inputs),
        change.check_fingerprint,
        judge=change.judge,
        control_of=case.case_id,
    )

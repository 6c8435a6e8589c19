"""Cases that make exactly the same call share their calls.

The first of them pays for as many calls as any of them needs. Each is judged by its own expectations.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TypeAlias

from planner.changes.model import Change
from planner.planfile.model import AgentFile
from planner.results.outcomes import Action

_Call: TypeAlias = tuple[str, AgentFile | None]
"""A call's fingerprint, and the agent's file: calls to two previews of one agent are not the same."""


def with_shared_calls(changes: Sequence[Change]) -> tuple[Change, ...]:
    """The changes, with who makes the calls of the cases that share them."""
    sharing = [group for group in _by_call(changes).values() if len(group) > 1]
    found = {change.case_id: change for group in sharing for change in _shared(group)}
    return tuple(found.get(change.case_id, change) for change in changes)


def _by_call(changes: Iterable[Change]) -> dict[_Call, list[Change]]:
    groups: dict[_Call, list[Change]] = {}
    for change in changes:
        if change.action is Action.CALL and change.case is not None:
            groups.setdefault((change.call_fingerprint, change.case.target.config), []).append(change)
    return groups


def _shared(group: Sequence[Change]) -> list[Change]:
    payer, *others = group
    runs = max(change.runs for change in group)
    return [
        replace(payer, shared_runs=runs, shared_by=tuple(change.case_id for change in others)),
        *(replace(change, shared_runs=runs, shares=payer.case_id) for change in others),
    ]

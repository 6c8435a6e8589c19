"""A change set kept in a file, to be agreed to as it is: what it holds, and what has moved since.

The file goes from one CI job to the next, so that its texts are those that others may see: the digests beside them tell
whether anything moved, the texts only show it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from planner.bounds import Count, Total
from planner.changes.detail import inputs_detail, revision_detail, revision_digest
from planner.changes.fingerprint import digest_of
from planner.changes.model import Action, Change, ChangeSet, Reason
from planner.results.model import CaseInputs

SCHEMA_VERSION: Final = "1.1"

Show = Callable[[str], str]
"""A text as others may see it."""

_DONE: Final = {
    Action.CALL: "called",
    Action.RECHECK: "judged again",
    Action.KEEP: "kept",
    Action.DROP: "dropped",
}


class _Saved(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)


class SavedChange(_Saved):
    """What was to happen to one case; cases that were to be kept are not listed."""

    case_id: str
    action: Literal["call", "recheck", "drop"]
    reason: str
    runs: Count
    call_fingerprint: str
    check_fingerprint: str
    inputs: CaseInputs | None = None


class SavedSelection(_Saved):
    """What was typed after `planner plan`; `directory` is the working directory, relative to the repository's root."""

    directory: str
    paths: list[str] = []
    select: list[str] = []
    tags: list[str] = []
    environment: str | None = None
    store: str | None = None
    rerun: Literal["changed", "failed", "all"] = "changed"
    sandbox: bool = False
    world: str | None = None
    policy_from: str | None = None


class SavedPlan(_Saved):
    kind: Literal["saved-plan"] = "saved-plan"
    schema_version: str = SCHEMA_VERSION
    tool_version: str
    plan_id: str = Field(description="Never given twice: a saved plan is carried out once.")
    saved_at: datetime
    digest: str
    calls: Count
    expected_cents: Total | None
    max_cost_cents: Total | None = Field(description="The high estimate; null where the cost is unknown.")
    selection: SavedSelection
    service: str | None = Field(
        default=None,
        description="The address of the service that was meant; null for the sandbox, and where an older version saved it.",
    )
    changes: list[SavedChange]
    seal: str = Field(
        default="", description="Digest of all the rest: a file that was edited is not what was agreed to."
    )

    def sealed(self) -> SavedPlan:
        return self.model_copy(update={"seal": self._digest()})

    @property
    def is_intact(self) -> bool:
        """Whether nothing in the file was edited, ceiling and selection included. No proof against forgery: the seal is no secret."""
        return self.seal == self._digest()

    def _digest(self) -> str:
        unsaid = {"service"} if self.service is None else set[str]()  # as it was sealed before there was such a field
        return digest_of(self.model_dump(mode="json", exclude={"seal", *unsaid}))


def saved_changes(change_set: ChangeSet, show: Show) -> list[SavedChange]:
    """Everything that is to happen, in order."""
    return [
        SavedChange.model_validate(
            {
                "case_id": change.case_id,
                "action": change.action.value,
                "reason": change.reason.value,
                "runs": change.runs,
                "call_fingerprint": change.call_fingerprint,
                "check_fingerprint": change.check_fingerprint,
                "inputs": _shown(change.inputs, show),
            }
        )
        for change in change_set.changes
        if change.action is not Action.KEEP
    ]


def moved_since(saved: SavedPlan, change_set: ChangeSet, show: Show) -> list[str]:
    """What today's change set does otherwise than the saved one, a line for each case; empty where they are equal.

    An agent that was edited since counts as moved even where the same calls would be made: who agreed to call one agent did
    not agree to call another. Where either side did not ask the service, that is not known.
    """
    before = {change.case_id: change for change in saved.changes}
    today = {change.case_id: change for change in change_set.changes}
    lines = [_moved(before[case_id], today.get(case_id), show) for case_id in before]
    lines += [
        f"{case_id} would be {_DONE[change.action]} too: {change.reason.label}"
        for case_id, change in today.items()
        if case_id not in before and change.action is not Action.KEEP
    ]
    found = [line for line in lines if line]
    if not found and saved.digest != change_set.digest:
        found = [f"the change set is {change_set.digest}, {saved.digest} was saved"]
    return found


def _moved(before: SavedChange, now: Change | None, show: Show) -> str:
    was = _DONE[Action(before.action)]
    if now is None:
        return f"{before.case_id} was to be {was}, and is in no plan any more"
    if now.action.value != before.action:
        return f"{before.case_id} was to be {was}, and would be {_DONE[now.action]}: {now.reason.label}"
    parts: list[str] = []
    if now.action is Action.CALL:
        if now.runs != before.runs:
            parts.append(f"{now.runs} calls instead of {before.runs}")
        inputs = _shown(now.inputs, show)
        if now.call_fingerprint != before.call_fingerprint and before.inputs and inputs:
            parts.append(_in_one_line(inputs_detail(before.inputs, inputs)))
        if edited := _edited(before.inputs, inputs):
            parts.append(f"{Reason.AGENT_EDITED.label} ({edited})")
    if now.action is not Action.DROP and now.check_fingerprint != before.check_fingerprint:
        parts.append("what is expected changed")
    return f"{before.case_id}: {'; '.join(parts)}" if parts else ""


def _edited(before: CaseInputs | None, now: CaseInputs | None) -> str:
    old, new = (inputs.agent_revision if inputs else None for inputs in (before, now))
    if old is None or new is None or revision_digest(old) == revision_digest(new):
        return ""
    return revision_detail(old, new)


def _in_one_line(detail: str) -> str:
    return " / ".join(detail.splitlines())


def _shown(inputs: CaseInputs | None, show: Show) -> CaseInputs | None:
    if inputs is None:
        return None
    texts: Mapping[str, str | None] = {
        "prompt": show(inputs.prompt),
        "target_number": None if inputs.target_number is None else show(inputs.target_number),
    }
    return inputs.model_copy(update=texts)

"""A change set saved in a file, to be run later as it is, and what has changed since.

CI jobs pass the file on, so its texts are redacted. Changes are detected by digests; the texts only show them.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from planner.bounds import Count, Total
from planner.changes.canonical import digest_of
from planner.changes.detail import agent_edit, inputs_detail
from planner.changes.model import Change, ChangeSet, Reason
from planner.results.model import CaseInputs
from planner.results.outcomes import Action

SCHEMA_VERSION: Final = "1.1"

Show = Callable[[str], str]
"""Redacts a text."""


class _Saved(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)


class SavedChange(_Saved):
    """The planned change of one case. Kept cases are not listed."""

    case_id: str
    action: Action
    reason: str
    runs: Count
    call_fingerprint: str
    check_fingerprint: str
    inputs: CaseInputs | None = None


class SavedSelection(_Saved):
    """The options of `planner plan`; `directory` is the working directory, relative to the repository's root."""

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
    plan_id: str = Field(description="Unique: a saved plan can be run only once.")
    saved_at: datetime
    digest: str
    calls: Count
    expected_cents: Total | None
    max_cost_cents: Total | None = Field(
        description="The high estimate and what earlier sessions spent; null if the cost is unknown."
    )
    selection: SavedSelection
    service: str | None = Field(
        default=None,
        description="The address of the service; null for the sandbox, and in files of older versions.",
    )
    changes: list[SavedChange]
    seal: str = Field(default="", description="Digest of all other fields: an edited file is refused.")

    def sealed(self) -> SavedPlan:
        return self.model_copy(update={"seal": self._digest()})

    @property
    def is_intact(self) -> bool:
        """Whether the file was not edited. No protection against forgery: the seal is not secret."""
        return self.seal == self._digest()

    def _digest(self) -> str:
        added_later = {"service"} if self.service is None else set[str]()  # so that older files stay intact
        return digest_of(self.model_dump(mode="json", exclude={"seal", *added_later}))


def saved_changes(change_set: ChangeSet, show: Show) -> list[SavedChange]:
    """All changes except kept cases, in order."""
    return [
        SavedChange.model_validate(
            {name: getattr(change, name) for name in ("case_id", "runs", "call_fingerprint", "check_fingerprint")}
            | {"action": change.action, "reason": change.reason.value, "inputs": _shown(change.inputs, show)}
        )
        for change in change_set.changes
        if change.action is not Action.KEEP
    ]


def moved_since(saved: SavedPlan, change_set: ChangeSet, show: Show) -> list[str]:
    """How the current change set differs from the saved one, one line per case.

    An edited agent is a difference even if the calls are the same: the consent was for the agent as it was. It is not noticed if
    either side did not ask the service.
    """
    before = {change.case_id: change for change in saved.changes}
    today = {change.case_id: change for change in change_set.changes}
    found = [line for case_id in before if (line := _moved(before[case_id], today.get(case_id), show))]
    found += [
        f"{case_id} would also be {change.action.done}: {change.reason.label}"
        for case_id, change in today.items()
        if case_id not in before and change.action is not Action.KEEP
    ]
    if not found and saved.digest != change_set.digest:
        found = [f"the change set is {change_set.digest}, the saved one {saved.digest}"]
    return found


def _moved(before: SavedChange, now: Change | None, show: Show) -> str:
    was = before.action.done
    if now is None:
        return f"{before.case_id} was to be {was}, but no plan has it now"
    if now.action is not before.action:
        return f"{before.case_id} was to be {was}, but would now be {now.action.done}: {now.reason.label}"
    parts: list[str] = []
    if now.action is Action.CALL:
        if now.runs != before.runs:
            parts.append(f"{now.runs} calls instead of {before.runs}")
        inputs = _shown(now.inputs, show)
        if now.call_fingerprint != before.call_fingerprint and before.inputs and inputs:
            parts.append(" / ".join(inputs_detail(before.inputs, inputs).splitlines()))
        if edit := _agent_edit(before.inputs, inputs):
            parts.append(f"{Reason.AGENT_EDITED.label} ({edit})")
    if now.action is not Action.DROP and now.check_fingerprint != before.check_fingerprint:
        parts.append("expectations changed")
    return f"{before.case_id}: {'; '.join(parts)}" if parts else ""


def _agent_edit(before: CaseInputs | None, now: CaseInputs | None) -> str | None:
    if before is None or now is None:
        return None
    if before.configuration is None or now.configuration is None:
        return agent_edit(before.agent_revision, now.agent_revision)
    if before.configuration == now.configuration:
        return None
    return agent_edit(before.agent_revision, now.agent_revision) or "its configuration changed"


def _shown(inputs: CaseInputs | None, show: Show) -> CaseInputs | None:
    if inputs is None:
        return None
    number = inputs.target_number and show(inputs.target_number)
    return inputs.model_copy(update={"prompt": show(inputs.prompt), "target_number": number})

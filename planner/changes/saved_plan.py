"""Change sets to run later, and what has changed since: saved in a file, or stored under their digest.

CI jobs pass the file on, so its texts are redacted. Changes are detected by digests; the texts only show them. `run` may make
any subset of the calls that a digest stands for. It is computed over the stored terms, so a changed set does not have that
digest.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from planner.bounds import Count, Total
from planner.changes.configuration import digest_of
from planner.changes.detail import agent_edit, inputs_detail
from planner.changes.fingerprint import config_digest, digest_of_terms
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

    def sealed(self) -> Self:
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


def differences_since(saved: SavedPlan, change_set: ChangeSet, show: Show) -> list[str]:
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
            parts.append(edit)
    if now.action is not Action.DROP and now.check_fingerprint != before.check_fingerprint:
        parts.append("expectations changed")
    return f"{before.case_id}: {'; '.join(parts)}" if parts else ""


def _agent_edit(before: CaseInputs | None, now: CaseInputs | None) -> str:
    """`agent edited since (2026-11-20 → 2026-11-24)`; empty if the agent is the same, or that is unknown."""
    if before is None or now is None:
        return ""
    is_known = before.configuration is not None and now.configuration is not None
    if is_known and before.configuration == now.configuration:
        return ""
    if by_revision := agent_edit(before.agent_revision, now.agent_revision):
        return f"{Reason.AGENT_EDITED.label} ({by_revision})"
    if not is_known:
        return ""
    has_file = before.has_agent_file or now.has_agent_file
    return Reason.AGENT_FILE_CHANGED.label if has_file else f"{Reason.AGENT_EDITED.label} (its configuration changed)"


def _shown(inputs: CaseInputs | None, show: Show) -> CaseInputs | None:
    if inputs is None:
        return None
    number = inputs.target_number and show(inputs.target_number)
    return inputs.model_copy(update={"prompt": show(inputs.prompt), "target_number": number})


CONSENTED_SCHEMA_VERSION: Final = "1.0"


class ConsentedCase(BaseModel):
    """What was agreed to for one case. `call` is empty if only judge calls were."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    case_id: str
    runs: Count = 0
    retries: Count = 0
    call: str = Field(default="", description="Fingerprint of the call.")
    config: str = Field(default="", description="Digest of the fields of the agent's file; empty without a file.")
    check: str = Field(description="Fingerprint of the expectations.")

    @property
    def terms(self) -> list[str]:
        """The terms that the digest covers, as for a change."""
        if not self.call:
            return [self.case_id, Action.RECHECK.value, self.check]
        retries = [f"retries {self.retries}"] if self.retries else []
        config = [f"config {self.config}"] if self.config else []
        return [self.case_id, Action.CALL.value, str(self.runs), self.call, *retries, *config, self.check]


class ConsentedCalls(BaseModel):
    """`commit` is the head commit that was planned, in a job of a pull request; "" otherwise."""

    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)

    schema_version: str = CONSENTED_SCHEMA_VERSION
    planned_at: datetime
    digest: str
    commit: str = ""
    cases: list[ConsentedCase]

    def outside(self, change_set: ChangeSet, show: Callable[[str], str] = str) -> list[str]:
        """What today's change set needs beyond this set, one line per case. Fewer calls are within it."""
        agreed = {case.case_id: case for case in self.cases}
        found = (
            (change, ", ".join(_outside(agreed.get(change.case_id), change))) for change in charged_changes(change_set)
        )
        return [f"{show(change.case_id)}: {why}" for change, why in found if why]


def charged_changes(change_set: ChangeSet) -> list[Change]:
    """The changes that may cost money: calls, and rechecks that may need judge calls."""
    return [
        change
        for change in change_set.changes
        if change.action is Action.CALL or (change.action is Action.RECHECK and change.judge is not None)
    ]


def _outside(agreed: ConsentedCase | None, now: Change) -> Iterator[str]:
    if agreed is None:
        yield f"not agreed to ({now.reason.label})"
        return
    if now.action is Action.CALL:
        if not agreed.call:
            yield f"a recheck was agreed to, now {now.runs} calls ({now.reason.label})"
            return
        if now.call_fingerprint != agreed.call:
            yield f"another call ({now.reason.label})"
        if config_digest(now) != agreed.config:
            yield "the file of its agent changed"
        if now.runs > agreed.runs:
            yield f"{now.runs} calls instead of {agreed.runs}"
        if now.case is not None and now.case.retries > agreed.retries:
            yield f"{now.case.retries} retries instead of {agreed.retries}"
    if now.check_fingerprint != agreed.check:
        yield "expectations changed"


def consented_calls(change_set: ChangeSet, planned_at: datetime, commit: str) -> ConsentedCalls:
    """The set to store for this change set."""
    cases = [
        ConsentedCase(
            case_id=change.case_id,
            runs=change.runs,
            retries=change.case.retries if change.case is not None and change.action is Action.CALL else 0,
            call=change.call_fingerprint if change.action is Action.CALL else "",
            config=config_digest(change) if change.action is Action.CALL else "",
            check=change.check_fingerprint,
        )
        for change in charged_changes(change_set)
    ]
    return ConsentedCalls(planned_at=planned_at, digest=change_set.digest, commit=commit, cases=cases)


def parse_consented(data: bytes, digest: str) -> ConsentedCalls | None:
    """The stored set; None if its content does not have this digest, or a newer version wrote it."""
    try:
        found = ConsentedCalls.model_validate_json(data)
    except ValidationError:
        return None
    return found if digest_of_terms(case.terms for case in found.cases) == digest == found.digest else None

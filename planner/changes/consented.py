"""The set of calls that a digest stands for. It is stored when the plan is made, and `run` may make any subset of it.

The digest is computed over the stored terms, so a changed set does not have that digest.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from planner.bounds import Count
from planner.changes.fingerprint import config_digest, digest_of_terms
from planner.changes.model import Change, ChangeSet
from planner.results.outcomes import Action

SCHEMA_VERSION: Final = "1.0"


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

    schema_version: str = SCHEMA_VERSION
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

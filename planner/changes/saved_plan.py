"""Sets of calls to make later, and what has changed since: stored under their digest, or saved in a file.

`run` may make any subset of the calls that a digest stands for, and exactly those of a saved plan. The digest is
computed over the stored terms, so a changed set does not have that digest.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from planner.bounds import Count, Total
from planner.changes.configuration import configuration_digest
from planner.changes.fingerprint import digest_of
from planner.changes.model import Change, ChangeSet
from planner.results.outcomes import Action

SCHEMA_VERSION: Final = "2.0"
"""Of saved plans."""


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
        """The terms that the digest covers."""
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
        return [
            f"{show(change.case_id)}: {why}"
            for change in charged_changes(change_set.changes)
            if (why := ", ".join(_outside(agreed.get(change.case_id), _consented(change), change.reason.label)))
        ]


def charged_changes(changes: Iterable[Change]) -> list[Change]:
    """The changes that may cost money: calls, and rechecks that may need judge calls."""
    return [
        change
        for change in changes
        if change.action is Action.CALL or (change.action is Action.RECHECK and change.judge is not None)
    ]


def change_set_digest(changes: Iterable[Change]) -> str:
    """Identifies what may be charged: the cases to call, their calls, the agents' files, the expectations, and
    rechecks with judge calls.

    It does not depend on the order of cases, on what is reused, rechecked free or dropped, on reasons, prices or agent
    revisions, or on how many calls an interrupted session already made: the same command with the same digest resumes
    after a crash.
    """
    return _digest(map(_consented, charged_changes(changes)))


def _digest(cases: Iterable[ConsentedCase]) -> str:
    return digest_of(sorted((case.terms for case in cases), key=lambda terms: terms[0]))


def _consented(change: Change) -> ConsentedCase:
    case = change.case
    if change.action is not Action.CALL or case is None:
        return ConsentedCase(case_id=change.case_id, runs=change.runs, check=change.check_fingerprint)
    file = case.target.config
    return ConsentedCase(
        case_id=change.case_id,
        runs=change.runs,
        retries=case.retries,
        call=change.call_fingerprint,
        # Of the whole file, whether or not it differs from what is deployed.
        config=configuration_digest(file.fields) if file is not None else "",
        check=change.check_fingerprint,
    )


def _outside(agreed: ConsentedCase | None, now: ConsentedCase, why: str) -> Iterator[str]:
    if agreed is None:
        yield f"not agreed to ({why})"
        return
    if now.call:
        if not agreed.call:
            yield f"a recheck was agreed to, now {now.runs} calls ({why})"
            return
        if now.call != agreed.call:
            yield f"a different call ({why})"
        if now.config != agreed.config:
            yield "the file of its agent changed"
        if now.runs > agreed.runs:
            yield f"{now.runs} calls instead of {agreed.runs}"
        if now.retries > agreed.retries:
            yield f"{now.retries} retries instead of {agreed.retries}"
    if now.check != agreed.check:
        yield "expectations changed"


def consented_calls(change_set: ChangeSet, planned_at: datetime, commit: str) -> ConsentedCalls:
    """The set to store for this change set."""
    cases = list(map(_consented, charged_changes(change_set.changes)))
    return ConsentedCalls(planned_at=planned_at, digest=change_set.digest, commit=commit, cases=cases)


def parse_consented(data: bytes, digest: str) -> ConsentedCalls | None:
    """The stored set; None if its content does not have this digest, or a newer version wrote it."""
    try:
        found = ConsentedCalls.model_validate_json(data)
    except ValidationError:
        return None
    return found if _digest(found.cases) == digest == found.digest else None


# Saved plans


class SavedSelection(BaseModel):
    """The options of `planner plan`; `directory` is the working directory, relative to the repository's root."""

    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)

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


class SavedBy(BaseModel):
    """Which version saved a plan. Every version writes these fields."""

    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)

    kind: Literal["saved-plan"] = "saved-plan"
    schema_version: str = SCHEMA_VERSION
    tool_version: str


class SavedPlan(SavedBy):
    plan_id: str = Field(description="Unique: a saved plan can be run only once.")
    max_cost_cents: Total | None = Field(
        description="The high estimate and what earlier sessions spent; null if the cost is unknown."
    )
    selection: SavedSelection
    service: str | None = Field(description="The address of the service; null for the sandbox.")
    calls: ConsentedCalls
    agents: dict[str, str] = Field(description="What is known of the agent that each case would call.")
    seal: str = Field(default="", description="Digest of all other fields: an edited file is refused.")

    def sealed(self) -> Self:
        return self.model_copy(update={"seal": self._digest()})

    @property
    def is_intact(self) -> bool:
        """Whether the file was not edited. No protection against forgery: the seal is not secret."""
        return self.seal == self._digest()

    def _digest(self) -> str:
        return digest_of(self.model_dump(mode="json", exclude={"seal"}))


def called_agents(change_set: ChangeSet) -> dict[str, str]:
    """The digest of its configuration, or its revision, by case id; without those of which neither is known."""
    inputs = {change.case_id: change.inputs for change in change_set.with_action(Action.CALL)}
    known = {case_id: each.configuration or each.agent_revision for case_id, each in inputs.items() if each is not None}
    return {case_id: agent for case_id, agent in known.items() if agent}


def differences_since(saved: SavedPlan, change_set: ChangeSet, show: Callable[[str], str]) -> list[str]:
    """How the current change set differs from the saved one.

    An edited agent is a difference even if the calls are the same: the consent was for the agent as it was.
    """
    if found := saved.calls.outside(change_set, show):
        return found
    for case_id, agent in called_agents(change_set).items():
        before = saved.agents.get(case_id, agent)
        if before != agent and _is_digest(before) is _is_digest(agent):
            found.append(f"{show(case_id)}: its agent was edited since")
    if not found and saved.calls.digest != change_set.digest:
        found.append(
            f"the change set is {change_set.digest}, the saved one {saved.calls.digest}: fewer calls are needed"
        )
    return found


def _is_digest(agent: str) -> bool:
    return agent.startswith("sha256:")

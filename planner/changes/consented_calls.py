"""The set of calls that a digest stands for, and what is outside it today.

`run` may make any subset of the set. The digest is computed over the stored terms, so a changed set does not have that
digest.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from planner.bounds import Count
from planner.changes.configuration import called_fields, configuration_digest
from planner.changes.fingerprint import digest_of
from planner.changes.model import Change, ChangeSet, Reason
from planner.results.outcomes import Action

SCHEMA_VERSION: Final = "1.0"


class ConsentedCase(BaseModel):
    """What was agreed to for one case. `call` is empty if only judge calls were."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    case_id: str
    runs: Count = 0
    retries: Count = 0
    shares: str = Field(default="", description="The case that makes its calls, if these are the same.")
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
        shares = [f"shares {self.shares}"] if self.shares else []
        terms = [*retries, *config, *shares]
        return [self.case_id, Action.CALL.value, str(self.runs), self.call, *terms, self.check]

    @property
    def key(self) -> str:
        """Of its calls in the log: calls to two previews of one agent are not the same."""
        return f"{self.call}:{self.config.removeprefix('sha256:')[:8]}" if self.config else self.call

    @property
    def most_calls(self) -> int:
        """The most calls that are paid for it, retries included."""
        return 0 if self.shares or not self.call else self.runs * (1 + self.retries)


class ConsentedCalls(BaseModel):
    """`commit` is the head commit that was planned, in a job of a pull request; "" otherwise. `times_made`: how often
    these calls were made before, each time under a consent of its own."""

    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)

    schema_version: str = SCHEMA_VERSION
    planned_at: datetime
    digest: str
    commit: str = ""
    times_made: Count = 0
    of_sandbox: bool = False
    confirmations: Count = 0
    """The most calls that may be added to confirm regressions."""
    cases: list[ConsentedCase]

    def outside(self, change_set: ChangeSet, show: Callable[[str], str] = str) -> list[str]:
        """What today's change set needs beyond this set, one line per case. Fewer calls are within it."""
        most: dict[str, int] = {}
        for case in self.cases:
            most[case.call] = max(case.runs, most.get(case.call, 0))
        # If only some of the cases that share calls are selected, another one of them pays.
        agreed = {case.case_id: case.model_copy(update={"runs": most[case.call]}) for case in self.cases}
        return [
            f"{show(change.case_id)}: {why}"
            for change in charged_changes(change_set.changes)
            if (why := ", ".join(_outside(agreed.get(change.case_id), _consented(change), change.reason.label)))
        ]


_CONFIRMS: Final = ":confirm"


def key_of_calls(change: Change) -> str:
    """As `ConsentedCase.key`."""
    return _consented(change).key


def key_of_confirmations(change: Change) -> str:
    """Of the calls that confirm that its cases regressed. They never count as calls that were planned."""
    return f"{key_of_calls(change)}{_CONFIRMS}"


def is_confirmation(key: str) -> bool:
    return key.endswith(_CONFIRMS)


def charged_changes(changes: Iterable[Change]) -> list[Change]:
    """The changes that may cost money: calls, and rechecks that may need judge calls."""
    return [
        change
        for change in changes
        if change.action is Action.CALL or (change.action is Action.RECHECK and change.judge is not None)
    ]


def change_set_digest(changes: Iterable[Change]) -> str:
    """Identifies what may be charged: the cases to call, their calls, the agents' files, the expectations, rechecks
    with judge calls, how often all this was done before, and how many calls may be added to confirm a regression. So a
    digest pays for its calls once, and one of the sandbox pays for no others.

    It does not depend on the order of cases, on what is reused, rechecked free or dropped, on reasons, prices or agent
    revisions, or on how many calls an interrupted session already made: the same command with the same digest resumes
    after a crash.
    """
    return _digest(map(_consented, charged_changes(changes)), 0)


def of_sandbox(change_set: ChangeSet) -> ChangeSet:
    """The same calls of the simulated service, whose agents are edited in its world."""
    changes = tuple(
        replace(change, detail=f"in the sandbox's world: {change.detail}")
        if change.reason is Reason.AGENT_EDITED
        else change
        for change in change_set.changes
    )
    return made_before(replace(change_set, changes=changes, of_sandbox=True), 0)


def made_before(change_set: ChangeSet, times_made: int) -> ChangeSet:
    """The same calls once more."""
    digest = _digest(
        consented_cases(change_set),
        times_made,
        of_sandbox=change_set.of_sandbox,
        confirmations=change_set.confirmations,
    )
    return replace(change_set, digest=digest, times_made=times_made)


def _digest(
    cases: Iterable[ConsentedCase], times_made: int, *, of_sandbox: bool = False, confirmations: int = 0
) -> str:
    terms = sorted((case.terms for case in cases), key=lambda terms: terms[0])
    terms += [[f"made {times_made} times"]] if times_made else []
    terms += [[f"confirm {confirmations}"]] if confirmations else []
    return digest_of([*terms, ["sandbox"]] if of_sandbox else terms)


def _consented(change: Change) -> ConsentedCase:
    case = change.case
    if change.action is not Action.CALL or case is None:
        return ConsentedCase(case_id=change.case_id, runs=change.runs, check=change.check_fingerprint)
    file = case.target.config
    return ConsentedCase(
        case_id=change.case_id,
        runs=change.calls or change.runs,
        shares=change.shares,
        retries=case.retries,
        call=change.call_fingerprint,
        # Of the whole file, whether or not it differs from what is deployed.
        config=configuration_digest(called_fields(file)) if file is not None else "",
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
    cases = consented_cases(change_set)
    return ConsentedCalls(
        planned_at=planned_at,
        digest=change_set.digest,
        commit=commit,
        times_made=change_set.times_made,
        of_sandbox=change_set.of_sandbox,
        confirmations=change_set.confirmations,
        cases=cases,
    )


def consented_cases(change_set: ChangeSet) -> list[ConsentedCase]:
    return list(map(_consented, charged_changes(change_set.changes)))


def parse_consented(data: bytes, digest: str) -> ConsentedCalls | None:
    """The stored set; None if its content does not have this digest, or a newer version wrote it."""
    try:
        found = ConsentedCalls.model_validate_json(data)
    except ValidationError:
        return None
    own = _digest(found.cases, found.times_made, of_sandbox=found.of_sandbox, confirmations=found.confirmations)
    return found if own == digest == found.digest else None

"""Sets of calls that somebody agrees to: `planner plan` stores one under its digest, for `--digest`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from planner.changes.consent import is_digest
from planner.changes.consented_calls import (
    ConsentedCalls,
    consented_calls,
    made_before,
    parse_consented,
)
from planner.changes.model import ChangeSet
from planner.ci.event import head_commit
from planner.ci.git import Git
from planner.errors import PlannerError, RefusedError
from planner.planfile.model import Project
from planner.quantities import short_commit
from planner.results.repository import change_set_key
from planner.shell import Shell, redactor_of
from planner.values import frozen
from planner.workspace.selection import Loaded
from planner.workspace.stores import SANDBOX, OpenedStore, Workspace


def store_consented(work: Workspace, change_set: ChangeSet) -> None:
    """Store the set of calls, so that `run --digest` may make any subset of it.

    In a shared store, only jobs of pull requests share it: others run on the machine that planned. If it cannot be
    stored, `run` requires an equal digest.
    """
    shell, place = work.shell, work.place
    consented = consented_calls(change_set, shell.clock.now(), head_commit(shell.environ))
    if not consented.cases:
        return
    share = place.shared is not None and bool(place.namespace)
    if share and not _may_share(consented, work.loaded.project):
        share = False
        shell.log("the set of calls is not shared, because its case ids are redacted: --digest must match exactly")
    try:
        if place.shared is None:
            place.make()
        place.repository.save_change_set(consented.digest, consented.model_dump_json().encode(), share=share)
    except PlannerError as error:
        shell.log(
            "this job could not store the set of calls: unless another job stores it, --digest must match exactly: "
            f"{error}"
        )


def share_agreed(work: Workspace, digest: str) -> None:
    """Share the set that was agreed to, so that another machine can make the rest of it. If it cannot be shared,
    `--digest` must match exactly there."""
    place = work.place
    data = place.repository.load_change_set(digest)
    if place.shared is None or data is None or place.shared.store.has(change_set_key(digest)):
        return
    stored = parse_consented(data, digest)
    if stored is None or not _may_share(stored, work.loaded.project):
        return
    try:
        place.repository.save_change_set(digest, data, share=True)
    except PlannerError as error:
        work.shell.log(f"the set of calls could not be shared: on other machines, --digest must match exactly: {error}")


def shareable(work: Workspace, change_set: ChangeSet) -> ConsentedCalls | None:
    """The set of calls for another job to store; None if no other job could use it."""
    consented = consented_calls(change_set, work.shell.clock.now(), head_of(work.shell, work.place, work.loaded))
    is_usable = consented.cases and work.place.shared is not None and _may_share(consented, work.loaded.project)
    return consented if is_usable else None


def _may_share(consented: ConsentedCalls, project: Project) -> bool:
    redactor = redactor_of(project)
    return all(redactor.name(case.case_id) == case.case_id for case in consented.cases)


@frozen
class Agreed:
    """The stored set with the digest of `--digest`; None if there is no such digest or set."""

    stored: ConsentedCalls | None
    head: str
    """The head commit of the pull request; "" if none is tested."""
    show: Callable[[str], str]

    def outside(self, change_set: ChangeSet) -> tuple[str, ...]:
        """What today's change set needs beyond the stored set, one line per case. A set that was planned for an older
        commit of the pull request is superseded."""
        stored = self.stored
        if stored is None or stored.digest == made_before(change_set, stored.times_made).digest:
            return ()
        if stored.commit and self.head and stored.commit != self.head:
            return (f"it was planned for {short_commit(stored.commit)}",)
        return tuple(stored.outside(change_set, self.show))

    def newer_push(self, change_set: ChangeSet) -> tuple[str, str] | None:
        """The commit whose calls were agreed to, and the newer head of the pull request; None if that needs no other
        calls."""
        stored = self.stored
        if stored is None or not stored.commit or not self.head or stored.commit == self.head:
            return None
        return (stored.commit, self.head) if self.outside(change_set) else None

    def named(self, change_set: ChangeSet) -> ChangeSet:
        """A subset keeps the agreed digest, so that its calls and costs count together with those of earlier
        sessions."""
        if self.stored is None or self.outside(change_set):
            return change_set
        most = min(change_set.confirmations, self.stored.confirmations)
        return replace(change_set, digest=self.stored.digest, times_made=self.stored.times_made, confirmations=most)


def agreed_set(work: Workspace) -> Agreed:
    digest, stored = work.selection.digest, None
    if digest is not None and is_digest(digest) and (data := work.place.repository.load_change_set(digest)) is not None:
        stored = parse_consented(data, digest)
    was_simulated = digest and is_digest(digest) and (work.place.home / SANDBOX / change_set_key(digest)).exists()
    if was_simulated and not work.selection.sandbox:
        raise RefusedError("these calls were planned with --sandbox: add it, or plan without it")
    head = head_of(work.shell, work.place, work.loaded) if stored is not None and stored.commit else ""
    return Agreed(stored, head, redactor_of(work.loaded.project).name)


def head_of(shell: Shell, place: OpenedStore, loaded: Loaded) -> str:
    """The head commit of the pull request: as GitHub names it, otherwise what is checked out."""
    if named := head_commit(shell.environ):
        return named
    if not place.namespace:
        return ""
    return Git(loaded.root, shell.environ)("rev-parse", "HEAD").out.decode().strip()

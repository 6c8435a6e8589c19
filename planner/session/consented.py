"""Stores the set of calls behind a digest when a plan is made, and finds it again for `--plan-digest`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from planner.changes.consent import is_digest
from planner.changes.consented import ConsentedCalls, consented_calls, parse_consented
from planner.changes.model import ChangeSet
from planner.errors import PlannerError
from planner.planfile.model import Project
from planner.session.ci import head_commit, namespace_of
from planner.session.reporting import redactor_of
from planner.session.selection import Loaded, Selection
from planner.session.shell import Shell
from planner.session.stores import Place
from planner.values import frozen


def store_consented(shell: Shell, place: Place, change_set: ChangeSet, project: Project) -> None:
    """Store the set of calls, so that `run --plan-digest` may make any subset of it.

    In a shared store, only jobs of pull requests share it: others run on the machine that planned. If it cannot be
    stored, `run` requires an equal digest.
    """
    consented = consented_calls(change_set, shell.clock.now(), head_commit(shell.environ))
    if not consented.cases:
        return
    share = place.shared is not None and bool(namespace_of(shell.environ))
    if share and not _may_share(consented, project):
        share = False
        shell.log("the change set is not shared, because its case ids are redacted: --plan-digest must match exactly")
    try:
        if place.shared is None:
            place.make()
        place.repository.save_change_set(consented.digest, consented.model_dump_json().encode(), share=share)
    except PlannerError as error:
        shell.log(
            f"this job could not store the change set: unless another job stores it, --plan-digest must match exactly: {error}"
        )


def shareable(shell: Shell, loaded: Loaded, place: Place, change_set: ChangeSet) -> ConsentedCalls | None:
    """The set of calls for another job to store; None if no other job could use it."""
    consented = consented_calls(change_set, shell.clock.now(), head_of(shell, loaded))
    return consented if consented.cases and place.shared is not None and _may_share(consented, loaded.project) else None


def _may_share(consented: ConsentedCalls, project: Project) -> bool:
    redactor = redactor_of(project)
    return all(redactor.name(case.case_id) == case.case_id for case in consented.cases)


@frozen
class Agreed:
    """The stored set with the digest of `--plan-digest`; None if there is no such digest or set."""

    stored: ConsentedCalls | None
    head: str
    """The head commit of the pull request; "" if none is tested."""
    show: Callable[[str], str]

    def outside(self, change_set: ChangeSet) -> tuple[str, ...]:
        """What today's change set needs beyond the stored set, one line per case. A set that was planned for an older
        commit of the pull request is superseded."""
        stored = self.stored
        if stored is None or stored.digest == change_set.digest:
            return ()
        if stored.commit and self.head and stored.commit != self.head:
            return (f"a newer push superseded it: it was planned for {stored.commit[:7]}, the head is {self.head[:7]}",)
        return tuple(stored.outside(change_set, self.show))

    def named(self, change_set: ChangeSet) -> ChangeSet:
        """A subset keeps the agreed digest, so that its calls and costs count together with those of earlier
        sessions."""
        if self.stored is None or self.outside(change_set):
            return change_set
        return replace(change_set, digest=self.stored.digest)


def agreed_set(shell: Shell, selection: Selection, loaded: Loaded, place: Place) -> Agreed:
    digest, stored = selection.plan_digest, None
    if digest is not None and is_digest(digest) and (data := place.repository.load_change_set(digest)) is not None:
        stored = parse_consented(data, digest)
    head = head_of(shell, loaded) if stored is not None and stored.commit else ""
    return Agreed(stored, head, redactor_of(loaded.project).name)


def head_of(shell: Shell, loaded: Loaded) -> str:
    """The head commit of the pull request: as the CI system names it, otherwise what is checked out."""
    if named := head_commit(shell.environ):
        return named
    if not namespace_of(shell.environ):
        return ""
    from planner.session.git import Git

    return Git(loaded.root, shell.environ)("rev-parse", "HEAD").out.decode().strip()

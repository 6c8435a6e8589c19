"""Consent to calls: who agreed, and to which set of calls.

In CI, a person agrees by an act that the CI system records (starting or approving a job), never by a push. `planner
plan` stores the set under its digest, for `--digest`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, cast

from planner.changes.consent import is_digest
from planner.changes.consented_calls import (
    ConsentedCalls,
    consented_calls,
    parse_consented,
)
from planner.changes.model import ChangeSet
from planner.ci.event import asked_by, head_commit, is_command, namespace_of
from planner.ci.git import Git
from planner.errors import PlannerError, UsageError
from planner.execution.consents import ConsentWay
from planner.planfile.model import Project
from planner.reports.reply import LOGIN
from planner.results.repository import change_set_key
from planner.shell import Shell, actor_of, redactor_of
from planner.values import frozen
from planner.workspace.selection import Loaded
from planner.workspace.stores import OpenedStore, Workspace

if TYPE_CHECKING:
    from planner.ci.client import GitHub

APPROVED: Final = "phone-calls"
"""The environment whose approval is consent, unless PLANNER_APPROVAL_ENVIRONMENT names another one."""


def who_agrees(shell: Shell, *, sandbox: bool, namespace: str, consent_by: str | None = None) -> str:
    """The person who agrees to charged calls; "" if none is known, and then the calls are refused.

    On GitHub, in a job of a pull request or branch: the person whom GitHub names. In such a job of another CI system:
    `consent_by` (`--consent-by`). Elsewhere: the user, or whoever started the job. Raises `UsageError` for a
    `consent_by` on GitHub.
    """
    environ = shell.environ
    is_github = environ.get("GITHUB_ACTIONS") == "true" or bool(environ.get("GITHUB_EVENT_NAME"))
    if consent_by is not None and is_github:
        raise UsageError(
            "--consent-by is not for GitHub, whose API names who agreed",
            "Leave it out, and let a person start the workflow, or approve its environment.",
        )
    if sandbox or not namespace:
        return consent_by or actor_of(shell)
    if not is_github:
        return consent_by or ""
    if environ.get("GITHUB_EVENT_NAME") == "workflow_dispatch" or is_command(environ):
        named = asked_by(environ)
        return "" if _is_denied(shell, named) else named
    return _approvers(shell)


def how_agreed(environ: Mapping[str, str]) -> ConsentWay:
    """How somebody agrees in this environment."""
    if environ.get("GITHUB_EVENT_NAME") == "workflow_dispatch" or is_command(environ):
        return ConsentWay.DISPATCH
    if environ.get("GITHUB_ACTIONS") == "true" and namespace_of(environ):
        return ConsentWay.APPROVAL
    return ConsentWay.FLAG if environ.get("GITHUB_ACTIONS") or environ.get("CI") else ConsentWay.TERMINAL


def _approvers(shell: Shell) -> str:
    """Who approved this job's deployment to the environment of the calls, as the API names them; "" if nobody is
    named."""
    environ = shell.environ
    run = environ.get("GITHUB_RUN_ID", "")
    if not run.isdigit():
        return ""
    try:
        with _github(shell) as github:
            found = cast("list[dict[str, Any]]", github.get(f"actions/runs/{run}/approvals", "actions: read"))
    except PlannerError as error:
        shell.log(f"the approval of this job cannot be read: {error}. {error.hint}")
        return ""
    wanted = (environ.get("PLANNER_APPROVAL_ENVIRONMENT") or APPROVED).casefold()
    approved = [each for each in found if each.get("state") == "approved" and wanted in _environments(each)]
    people = [cast("dict[str, Any]", each.get("user") or {}) for each in approved]
    return ", ".join(dict.fromkeys(str(person["login"]) for person in people if person.get("login")))


def _github(shell: Shell) -> GitHub:
    from planner.ci.client import github_of  # late: the HTTP client takes a tenth of the start of `plan`

    return github_of(shell.environ, shell.pause)


def _environments(approval: dict[str, Any]) -> set[str]:
    """GitHub ignores the case of their names."""
    named = cast("list[dict[str, Any]]", approval.get("environments") or [])
    return {str(each.get("name", "")).casefold() for each in named}


def _is_denied(shell: Shell, login: str) -> bool:
    """Whether this is not a person, or GitHub does not confirm that they still have write access: a job may wait for
    days between its start and its calls. Without a token to ask with, the access at its start counts."""
    environ = shell.environ
    if environ.get("GITHUB_ACTIONS") != "true":
        return False
    if not LOGIN.fullmatch(login):
        shell.log(f"{login} started this job, but only a person can agree to calls")
        return True
    if not environ.get("GITHUB_TOKEN"):
        return False
    try:
        with _github(shell) as github:
            found = github.get(f"collaborators/{login}/permission", "metadata: read")
    except PlannerError as error:
        shell.log(f"the permission of {login} cannot be read, so their consent does not count: {error}. {error.hint}")
        return True
    role = cast("dict[str, Any]", found).get("permission") if isinstance(found, dict) else None
    if denied := role not in ("write", "admin"):  # as GitHub names custom roles here, too
        shell.log(
            f"{login} started this job, but GitHub does not confirm that they have write access to the repository"
        )
    return denied


# Sets of calls


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
        shell.log("the change set is not shared, because its case ids are redacted: --digest must match exactly")
    try:
        if place.shared is None:
            place.make()
        place.repository.save_change_set(consented.digest, consented.model_dump_json().encode(), share=share)
    except PlannerError as error:
        shell.log(
            "this job could not store the change set: unless another job stores it, --digest must match exactly: "
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
        work.shell.log(f"the change set could not be shared: on other machines, --digest must match exactly: {error}")


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


def agreed_set(work: Workspace) -> Agreed:
    digest, stored = work.selection.digest, None
    if digest is not None and is_digest(digest) and (data := work.place.repository.load_change_set(digest)) is not None:
        stored = parse_consented(data, digest)
    head = head_of(work.shell, work.place, work.loaded) if stored is not None and stored.commit else ""
    return Agreed(stored, head, redactor_of(work.loaded.project).name)


def head_of(shell: Shell, place: OpenedStore, loaded: Loaded) -> str:
    """The head commit of the pull request: as GitHub names it, otherwise what is checked out."""
    if named := head_commit(shell.environ):
        return named
    if not place.namespace:
        return ""
    return Git(loaded.root, shell.environ)("rev-parse", "HEAD").out.decode().strip()

"""Consent to calls: who agreed, and to which set of calls.

In CI, a person agrees by an act that the CI system records (starting or approving a job), never by a push. `planner
plan` stores the set under its digest, for `--plan-digest`; a saved plan contains it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final, cast

from pydantic import ValidationError

from planner import __version__
from planner.changes.consent import is_digest, whole_high_cents
from planner.changes.model import ChangeSet
from planner.changes.saved_plan import (
    SCHEMA_VERSION,
    ConsentedCalls,
    SavedBy,
    SavedPlan,
    SavedSelection,
    called_agents,
    consented_calls,
    differences_since,
    parse_consented,
)
from planner.errors import PlannerError, RefusedError, UsageError
from planner.planfile.files import FileFault, find_root, read_authored
from planner.planfile.model import Project
from planner.reports.neutral import for_json_text
from planner.results.repository import ResultsRepository
from planner.session.ci import head_commit, named_by_ci, namespace_of
from planner.session.selection import Loaded, Selection
from planner.session.service import ADDRESS, service_of
from planner.session.shell import Shell, actor_of, redactor_of, write_output
from planner.session.stores import Workspace
from planner.values import frozen

_LOGIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,38}")
"""Managed users have `_` in their logins; apps, which end with `[bot]`, are no persons."""
APPROVED: Final = "phone-calls"
"""The environment whose approval is consent, unless PLANNER_APPROVAL_ENVIRONMENT names another one."""


def who_agrees(shell: Shell, *, sandbox: bool) -> str:
    """The person who agrees to charged calls; "" if none is known, and then the calls are refused.

    In a job of a pull request or branch: the person whom the CI system names. Elsewhere: the user, or whoever started
    the job.
    """
    environ = shell.environ
    if sandbox or not namespace_of(environ):
        return actor_of(shell)
    if named := _dispatcher(environ):
        return "" if _is_denied(shell, named) else named
    return _approvers(shell) if environ.get("GITHUB_ACTIONS") == "true" else ""


def _dispatcher(environ: Mapping[str, str]) -> str:
    """Who started this job by hand; "" if nobody did.

    GitHub requires write access to dispatch a workflow. GitLab's manual jobs and Buildkite's block steps name a person.
    """
    if environ.get("GITHUB_EVENT_NAME") == "workflow_dispatch":
        return environ.get("GITHUB_TRIGGERING_ACTOR", "") or environ.get("GITHUB_ACTOR", "")
    if environ.get("CI_JOB_MANUAL") == "true":
        return environ.get("GITLAB_USER_LOGIN", "")
    return environ.get("BUILDKITE_UNBLOCKER", "") if environ.get("BUILDKITE") else ""


def _approvers(shell: Shell) -> str:
    """Who approved this job's deployment to the environment of the calls, as the API names them; "" if nobody is
    named."""
    environ = shell.environ
    run = environ.get("GITHUB_RUN_ID", "")
    if not run.isdigit():
        return ""
    from planner.github.client import github_of  # imported late: it loads the HTTP client

    try:
        with github_of(environ, shell.pause) as github:
            found = cast("list[dict[str, Any]]", github.get(f"actions/runs/{run}/approvals", "actions: read"))
    except PlannerError as error:
        shell.log(f"the approval of this job cannot be read: {error}. {error.hint}")
        return ""
    wanted = (environ.get("PLANNER_APPROVAL_ENVIRONMENT") or APPROVED).casefold()
    approved = [each for each in found if each.get("state") == "approved" and wanted in _environments(each)]
    people = [cast("dict[str, Any]", each.get("user") or {}) for each in approved]
    return ", ".join(dict.fromkeys(str(person["login"]) for person in people if person.get("login")))


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
    if not _LOGIN.fullmatch(login):
        shell.log(f"{login} started this job, but only a person can agree to calls")
        return True
    if not environ.get("GITHUB_TOKEN"):
        return False
    from planner.github.client import github_of  # imported late: it loads the HTTP client

    try:
        with github_of(environ, shell.pause) as github:
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
    """Store the set of calls, so that `run --plan-digest` may make any subset of it.

    In a shared store, only jobs of pull requests share it: others run on the machine that planned. If it cannot be
    stored, `run` requires an equal digest.
    """
    shell, place = work.shell, work.place
    consented = consented_calls(change_set, shell.clock.now(), head_commit(shell.environ))
    if not consented.cases:
        return
    share = place.shared is not None and bool(namespace_of(shell.environ))
    if share and not _may_share(consented, work.loaded.project):
        share = False
        shell.log("the change set is not shared, because its case ids are redacted: --plan-digest must match exactly")
    try:
        if place.shared is None:
            place.make()
        place.repository.save_change_set(consented.digest, consented.model_dump_json().encode(), share=share)
    except PlannerError as error:
        shell.log(
            "this job could not store the change set: unless another job stores it, --plan-digest must match exactly: "
            f"{error}"
        )


def shareable(work: Workspace, change_set: ChangeSet) -> ConsentedCalls | None:
    """The set of calls for another job to store; None if no other job could use it."""
    consented = consented_calls(change_set, work.shell.clock.now(), head_of(work.shell, work.loaded))
    is_usable = consented.cases and work.place.shared is not None and _may_share(consented, work.loaded.project)
    return consented if is_usable else None


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


def agreed_set(work: Workspace) -> Agreed:
    digest, stored = work.selection.plan_digest, None
    if digest is not None and is_digest(digest) and (data := work.place.repository.load_change_set(digest)) is not None:
        stored = parse_consented(data, digest)
    head = head_of(work.shell, work.loaded) if stored is not None and stored.commit else ""
    return Agreed(stored, head, redactor_of(work.loaded.project).name)


def head_of(shell: Shell, loaded: Loaded) -> str:
    """The head commit of the pull request: as the CI system names it, otherwise what is checked out."""
    if named := head_commit(shell.environ):
        return named
    if not namespace_of(shell.environ):
        return ""
    from planner.session.git import Git

    return Git(loaded.root, shell.environ)("rev-parse", "HEAD").out.decode().strip()


MAX_BYTES = 256 * 1024 * 1024
_MAX_SHOWN = 10
SUFFIX: Final = ".json"
"""Identifies a saved plan; the content is not used, since anybody can write a similar plan file."""


# Saved plans


def save_plan(
    shell: Shell, selection: Selection, change_set: ChangeSet, path: Path, *, already_spent_cents: int
) -> None:
    """Its ceiling is for the whole change set, so it includes what earlier sessions spent on it. Raises `UsageError` if
    the file cannot be written, has another suffix, or the environment names no valid service."""
    if path.suffix != SUFFIX:
        raise UsageError(
            f"{path} cannot be written: a saved plan must have the suffix {SUFFIX}", f"Name it {path.name}{SUFFIX}."
        )
    high_cents = whole_high_cents(change_set)
    options = asdict(selection) | {"paths": [each.as_posix() for each in selection.paths]}
    saved = SavedPlan(
        tool_version=__version__,
        plan_id=shell.new_id(),
        max_cost_cents=None if high_cents is None else high_cents + already_spent_cents,
        selection=SavedSelection.model_validate({**options, "directory": _relative_cwd(shell)}),
        service=None if selection.sandbox else service_of(shell.environ),
        calls=consented_calls(change_set, shell.clock.now(), ""),
        agents=called_agents(change_set),
    )
    document = for_json_text(shell.keys.text(saved.sealed().model_dump_json(indent=1)))
    write_output(shell, path, document + "\n")


def saved_plan_at(shell: Shell, paths: Sequence[Path]) -> SavedPlan | None:
    """The saved plan that the paths name; None if they name plan files or folders.

    Raises `UsageError` for a saved plan among other paths, from a newer planner, or damaged.
    """
    for path in paths:
        if path.suffix != SUFFIX:
            continue
        if len(paths) > 1:
            raise UsageError(f"{path} is a saved plan and must be the only path", f"Run it alone: planner run {path}")
        try:
            return _parse(read_authored(shell.cwd / path, path.as_posix(), MAX_BYTES), path)
        except FileFault as fault:
            raise UsageError(f"{path}: {fault.detail}", "Create it again with planner plan --out.") from fault
    return None


def selection_of(shell: Shell, saved: SavedPlan, path: Path, typed: Selection) -> Selection:
    """The selection of the saved plan. If policy comes from the command line or the CI system, the file may choose
    neither policy nor store, nor files outside the repository.

    Raises `UsageError` for other options, or in another folder.
    """
    if typed != Selection((path,), store=typed.store, policy_from=typed.policy_from, plan_digest=typed.plan_digest):
        raise UsageError(
            f"{path} is a saved plan: its selection cannot be changed",
            "Omit the other options, or create another plan with planner plan --out.",
        )
    chosen, root = saved.selection, find_root(shell.cwd)
    if chosen.directory != _relative_cwd(shell):
        raise UsageError(
            f"{path} was saved in the folder {chosen.directory!r} of its repository, but this is "
            f"{_relative_cwd(shell)!r}",
            "Run it in that folder.",
        )
    paths = tuple(map(Path, chosen.paths))
    is_trusted = typed.policy_from is None and named_by_ci(shell.environ) is None
    if not is_trusted and not all((shell.cwd / each).resolve().is_relative_to(root) for each in paths):
        raise UsageError(f"{path} names plans outside the repository", "Create another one with planner plan --out.")
    if typed.store is None and chosen.store is not None and not is_trusted:
        raise UsageError(
            f"{path} names a store; on a pull request, only the command line and planner.yaml may do that",
            f"If the store is yours, name it: planner run {path} --store STORE",
        )
    options = chosen.model_dump(exclude={"directory"})
    options |= {"paths": paths, "select": tuple(chosen.select), "tags": tuple(chosen.tags), "is_saved": True}
    options["store"] = typed.store if typed.store is not None else chosen.store
    options["plan_digest"] = typed.plan_digest
    options["policy_from"] = chosen.policy_from if is_trusted else typed.policy_from
    return Selection(**options)


def check_service(shell: Shell, saved: SavedPlan) -> None:
    """Raises `RefusedError` if the plan was saved for another service: consent applies to one service only."""
    if saved.service is None or saved.selection.sandbox:
        return
    now = service_of(shell.environ)
    if saved.service != now:
        raise RefusedError(
            f"the plan was saved for the service at {saved.service}, but the current service is {now}",
            f"Set {ADDRESS} to the service of the plan, or create another plan for the current one",
        )


def check_unchanged(
    saved: SavedPlan,
    change_set: ChangeSet,
    repository: ResultsRepository,
    selection: Selection,
    show: Callable[[str], str],
) -> None:
    """Raises `RefusedError` if the saved plan was already used, edited, or differs from today's change set."""
    again = " ".join(["planner plan", *selection.words(), "--out FILE"])
    if user := repository.user_of_plan(saved.plan_id):
        raise RefusedError(
            f"this saved plan was already used by session {user}; a saved plan runs only once",
            f"Create a plan for the rest: {again}",
        )
    if not saved.is_intact:
        raise RefusedError("the saved plan was edited", f"Create another one: {again}")
    differences = differences_since(saved, change_set, show)
    if saved.tool_version != __version__:
        differences.insert(0, f"saved by planner {saved.tool_version}, this is {__version__}")
    if differences:
        more = f" and {len(differences) - _MAX_SHOWN} more" if len(differences) > _MAX_SHOWN else ""
        raise RefusedError(
            f"the saved plan differs from what would be done now: {' · '.join(differences[:_MAX_SHOWN])}{more}",
            f"Create another plan: {again}",
        )


def saved_command(path: Path) -> str:
    """The command that consents to exactly the saved plan, up to its high estimate."""
    return shlex.join(["planner", "run", str(path), "--consent-to-charge"])


def _parse(data: bytes, path: Path) -> SavedPlan:
    again = "Create it again with planner plan --out."
    try:
        saved = SavedBy.model_validate_json(data)
        if saved.schema_version.partition(".")[0] == SCHEMA_VERSION.partition(".")[0]:
            return SavedPlan.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise UsageError(
            f"{path} is not a readable saved plan: {where}{': ' if where else ''}{first['msg']}", again
        ) from error
    raise UsageError(
        f"{path} was saved by planner {saved.tool_version} with schema {saved.schema_version}, but this version reads"
        f" schema {SCHEMA_VERSION}",
        f"{again[:-1]}, or use that version of planner.",
    )


def _relative_cwd(shell: Shell) -> str:
    return shell.cwd.resolve().relative_to(find_root(shell.cwd).resolve()).as_posix()

"""`planner ci promote`: the calls of merged pull requests count for the default branch, without a new call.

Each call is read from the service again. What it does not show, or shows differently, is never a baseline.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from planner.agents.recorded import effective_targets, record_agents, world_store
from planner.calls.reading import Transactions
from planner.calls.verification import Verifier
from planner.changes.configuration import Configurations
from planner.ci.client import GitHub, github_of
from planner.ci.event import branch_namespace
from planner.ci.target_branch import PERMISSION, pull_request_of
from planner.clock import aware
from planner.commands.promotion import Promotion, PullRequest, pull_request_of_work, removed
from planner.errors import NotFoundError, PlannerError
from planner.results.documents import stored_branches
from planner.shell import Shell
from planner.stores.store import BRANCHES, MERGED, Store
from planner.values import frozen
from planner.workspace.earlier_results import project_name
from planner.workspace.selection import Selection, require_default_branch
from planner.workspace.service import open_client
from planner.workspace.stores import Workspace, open_workspace, remove_log

_KEPT_WHEN_CLOSED: Final = timedelta(days=30)
"""Whoever opens a pull request again finds its calls."""


def promote(shell: Shell, selection: Selection, *, numbers: tuple[int, ...]) -> int:
    """Promote merged pull requests and clean up; return 0. Without `numbers`, ask GitHub about every one that has
    results.

    Raises:
        UsageError: this is a job of a pull request or branch.
        CredentialError, IncompleteError: there are calls to verify, and no key, or the service cannot be read. Nothing
            becomes a baseline; the calls still need not be made again.
    """
    require_default_branch(shell, selection, "promotes results")
    work = open_workspace(shell, selection, only_promoted=True, may_be_empty=True)
    store = world_store(work.place)
    record_agents(work.place, work.loaded.project, effective_targets(work.loaded.cases, {}), Configurations())
    stored = stored_branches(store)
    if not stored:
        shell.print("nothing to promote: no pull request has stored results")
    named = _Pulls({number: Merged(number) for number in numbers}, set())
    pulls = named if numbers else _ask_github(shell, stored)
    for number in stored:
        if number in pulls.closed and remove_log(shell, work.place, number):
            store.update(lambda now, number=number: removed(now, number, project_name(work)))
            shell.print(f"#{number}: closed without a merge, results removed")
    merged = [pulls.merged[number] for number in stored if number in pulls.merged]
    # First those that were merged into another pull request's branch, which may be merged too.
    merged.sort(key=lambda pull: not pull.into)
    if merged:
        asyncio.run(_promote(work, store, merged))
    return 0


@frozen
class Merged:
    """A merged pull request."""

    number: int
    into: str = ""
    """The namespace of the branch that it was merged into; "" for the default branch."""
    since: datetime | None = None
    """When it was opened, if that is known."""


@dataclass(slots=True)
class _Pulls:
    """Pull requests that were merged, and that were closed long ago, by number."""

    merged: dict[int, Merged] = field(default_factory=dict[int, "Merged"])
    closed: set[int] = field(default_factory=set[int])


def _ask_github(shell: Shell, numbers: Sequence[int]) -> _Pulls:
    pulls = _Pulls()
    if not numbers:
        return pulls
    until = shell.clock.now() - _KEPT_WHEN_CLOSED
    with github_of(shell.environ, shell.pause) as github:
        for number in numbers:
            try:
                pull = github.get(f"pulls/{number}", PERMISSION)
            except NotFoundError:
                github.get_list("pulls", PERMISSION, per_page=1)  # raises if the token may not see pull requests
                shell.log(f"#{number}: GitHub does not know this pull request, so its results stay")
                continue
            if pull.get("merged_at"):
                pulls.merged[number] = Merged(number, _namespace_of(github, shell, pull), _opened_at(pull))
            elif pull.get("state") == "closed" and _closed_before(pull, until):
                pulls.closed.add(number)
    return pulls


def _closed_before(pull: Mapping[str, Any], until: datetime) -> bool:
    try:
        return datetime.fromisoformat(str(pull.get("closed_at"))) < until
    except (TypeError, ValueError):  # GitHub does not say when
        return False


def _opened_at(pull: Mapping[str, Any]) -> datetime | None:
    created_at = pull.get("created_at")
    return aware(datetime.fromisoformat(created_at)) if isinstance(created_at, str) else None


_LONGEST_STACK: Final = 10


def _namespace_of(github: GitHub, shell: Shell, pull: Mapping[str, Any]) -> str:
    """The namespace of the branch that a pull request was merged into. If that branch belongs to another pull request:
    the one of that, or of the branch that it was merged into."""
    default = shell.environ.get("GITHUB_REF_NAME", "")
    branch: str = pull.get("base", {}).get("ref", default)
    for _ in range(_LONGEST_STACK):
        if not default or branch == default:
            return ""
        below = pull_request_of(github, branch)
        if below is None:
            break
        if not below.get("merged_at"):
            return f"{BRANCHES}{below['number']}/"
        branch = below.get("base", {}).get("ref", default)
    return branch_namespace(branch)


async def _promote(work: Workspace, store: Store, merged: Sequence[Merged]) -> None:
    """Verify and promote these pull requests. Raises like `promote`."""
    shell, place = work.shell, work.place
    _mark(store, merged)
    waiting = {pull.number: pull_request_of_work(work, store, pull.number, pull.into) for pull in merged}
    claims = [claim for each in waiting.values() for claim in each.claims]
    if not claims:
        for each in waiting.values():
            shell.print(_stored(store, each, Promotion()))
        return
    try:
        if work.selection.sandbox:
            place.make()
        async with open_client(shell, place, work.selection) as client:
            verifier = Verifier(client, Transactions(client, shell.log), shell.clock)
            await verifier.read_runs(claims, _earliest(merged))
            for number in list(waiting):
                # Read again: another pull request of the stack may have been promoted into it.
                pull = pull_request_of_work(work, store, number, waiting[number].into)
                shell.print(_stored(store, pull, await pull.verified(verifier)))
                del waiting[number]
    except PlannerError as error:
        for number in waiting:
            shell.print(f"#{number}: not verified, so it is not a baseline yet: {error}")
        raise


def _earliest(merged: Iterable[Merged]) -> datetime | None:
    """When the first of them was opened; None if that is unknown of one."""
    opened = [pull.since for pull in merged]
    known = [since for since in opened if since is not None]
    return min(known) if known and len(known) == len(opened) else None


def _mark(store: Store, merged: Iterable[Merged]) -> None:
    """Until they are verified, the calls of these pull requests save calls."""
    marks: dict[str, bytes | None] = {f"{MERGED}{pull.number}.json": b"{}" for pull in merged if not pull.into}
    store.update(lambda now: {key: data for key, data in marks.items() if not now.has(key)})


def _stored(store: Store, pull: PullRequest, promotion: Promotion) -> str:
    """Store what was verified, and remove what is not needed any more; return a line about it."""
    work = pull.work
    is_removed = not promotion.waiting and remove_log(work.shell, work.place, pull.number)
    store.update(lambda now: pull.writes(now, promotion, is_removed=is_removed))
    is_open = not (is_removed or promotion.waiting)
    left = " · launches are not settled, so its results stay until they are" if is_open else ""
    return f"#{pull.number}: {promotion.summary}{left}"

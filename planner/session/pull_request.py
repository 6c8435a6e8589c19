"""The pull request of a job, as GitHub's event names it, and the comment that shows the progress of its calls.

A failure to show the progress never stops or fails the session.
"""

import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio
import anyio.to_thread

from planner.ci.client import github_of
from planner.ci.comment import DEFAULT_NAME, CommentPlace, is_superseded, upsert_comment
from planner.ci.event import event_value, pull_request_number, target_branch
from planner.ci.publish import prefix_in_repository
from planner.errors import PlannerError, leading_error
from planner.reports.pull_request import CALL_WORKFLOW, RECORD_WORKFLOW, PullRequest
from planner.reports.pull_request_progress import CallsUnderWay, render_progress
from planner.results.model import ConsentDocument
from planner.results.outcomes import Action
from planner.session.consent import head_of
from planner.shell import Shell, redactor_of

if TYPE_CHECKING:
    from planner.session.preparing import Preparation
    from planner.session.progress import ProgressState
    from planner.session.run_session import RunSession

INTERVAL_SECONDS: Final = 30.0
_REPOSITORY = re.compile(r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+")


def pull_request_of(environ: Mapping[str, str], commit: str, name: str = DEFAULT_NAME) -> PullRequest:
    """The pull request of this job, as GitHub's event names it. `commit` is its head; `name` separates two uses in one
    repository, which have workflows of their own."""
    base, default = target_branch(environ), event_value(environ, "repository", "default_branch")
    repository = _repository_url(environ)
    workflows = f"{repository}/actions/workflows/" if repository else ""
    is_call = environ.get("GITHUB_EVENT_NAME") in ("workflow_dispatch", "issue_comment")
    return PullRequest(
        pull_request_number(environ),
        commit,
        base,
        default if isinstance(default, str) else "",
        workflows and workflows + _workflow(CALL_WORKFLOW, name),
        run_url_of(environ) if is_call else "",
        workflows and workflows + _workflow(RECORD_WORKFLOW, name),
        "" if name == DEFAULT_NAME else name,
        _workflow(CALL_WORKFLOW, name),
    )


def _workflow(file: str, name: str) -> str:
    return file if name == DEFAULT_NAME else file.replace("phone-plans-", f"phone-plans-{name}-")


def _repository_url(environ: Mapping[str, str]) -> str:
    """The repository's page; "" outside of GitHub."""
    repository, server = environ.get("GITHUB_REPOSITORY", ""), environ.get("GITHUB_SERVER_URL", "https://github.com")
    return f"{server}/{repository}" if _REPOSITORY.fullmatch(repository) else ""


def run_url_of(environ: Mapping[str, str]) -> str:
    """The page of this job's workflow run; "" outside of GitHub."""
    repository, run = _repository_url(environ), environ.get("GITHUB_RUN_ID", "")
    return f"{repository}/actions/runs/{run}" if repository and run.isdigit() else ""


def files_url(environ: Mapping[str, str], commit: str, cwd: Path) -> str:
    """Where GitHub shows the files of the working directory in this commit; "" outside of GitHub."""
    repository = _repository_url(environ)
    if not repository or not commit:
        return ""
    prefix = prefix_in_repository(environ, cwd)
    return f"{repository}/blob/{commit}/{prefix}".rstrip("/")


# The progress of calls


@dataclass(slots=True)
class ProgressComment:
    """`calls` are the agreed ones; `pull` has the head commit that is tested."""

    shell: Shell
    place: CommentPlace
    pull: PullRequest
    calls: CallsUnderWay
    _written: str = field(default="", init=False)
    _has_failed: bool = field(default=False, init=False)

    def update(self, state: "ProgressState") -> None:
        self.calls = replace(
            self.calls,
            done=state.runs_done,
            total=state.runs_total,
            in_flight=state.in_flight,
            spent_cents=state.spent_cents,
            reserved_cents=state.reserved_cents,
        )

    @asynccontextmanager
    async def keeping_current(self) -> AsyncGenerator[None]:
        """While the body runs, edit the comment at once, then at most every 30 seconds. A request under way does not
        delay the end."""
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._repeat)
                yield
                tasks.cancel_scope.cancel()
        except BaseExceptionGroup as group:
            raise leading_error(group) from None

    async def _repeat(self) -> None:
        while await anyio.to_thread.run_sync(self._edit, abandon_on_cancel=True):
            await self.shell.clock.sleep(INTERVAL_SECONDS)

    def _edit(self) -> bool:
        """Write the comment if something changed; return whether to continue."""
        text = self.shell.keys.text(render_progress(self.calls, self.pull))
        if text == self._written:
            return True
        try:
            with github_of(self.shell.environ, self.shell.pause, tries=1) as github:
                if is_superseded(github, self.place.number, self.pull.commit):
                    return False  # the comment is about a newer push
                upsert_comment(github, self.place, text, self.calls.digest)
        except PlannerError as error:
            if not self._has_failed:
                self.shell.log(f"the comment could not be updated with the progress: {error}. {error.hint}")
            self._has_failed = True
            return error.exit_code == 4  # GitHub may be back in half a minute
        self._written = text
        return True


def progress_comment(
    session: "RunSession", prepared: "Preparation", consent: ConsentDocument
) -> ProgressComment | None:
    """None if no comment is to be edited, or no calls are agreed to."""
    place, shell, loaded = session.options.comment, session.shell, session.loaded
    calls = prepared.change_set.with_action(Action.CALL)
    if place is None or not consent.given or not calls:
        return None
    names = redactor_of(loaded.project).names(change.case_id for change in calls)
    cents = consent.max_cost_cents
    under_way = CallsUnderWay(
        digest=prepared.change_set.digest,
        cases=list(names.values()),
        by=consent.by,
        max_cost="DOLLARS" if cents is None else f"{cents // 100}.{cents % 100:02d}",
        total=sum(change.runs for change in calls),
        start_over=next((change.start_over for change in calls if change.start_over is not None), None),
    )
    pull = replace(
        pull_request_of(shell.environ, head_of(shell, session.place, loaded), place.name), number=str(place.number)
    )
    return ProgressComment(shell, place, pull, under_way)

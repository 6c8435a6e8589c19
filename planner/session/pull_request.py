"""The comment on a pull request: what `planner ci gate` prepares for the job that publishes it, and the progress of
calls.

A failure to show the progress never stops or fails the session.
"""

import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Final

import anyio
import anyio.to_thread
from pydantic import BaseModel, ConfigDict, Field

from planner.changes.consented_calls import ConsentedCalls
from planner.errors import PlannerError, leading_error
from planner.github.client import github_of
from planner.github.comment import DEFAULT_NAME, CommentPlace, is_superseded, upsert_comment
from planner.reports.pull_request import CALL_WORKFLOW, CallsUnderWay, PullRequest, render_progress
from planner.results.model import ConsentDocument
from planner.results.outcomes import Action
from planner.session.ci import event_value, target_branch
from planner.session.consent import head_of
from planner.session.shell import Shell, redactor_of

if TYPE_CHECKING:
    from planner.session.preparing import Preparation
    from planner.session.progress import ProgressState
    from planner.session.run_session import RunSession

INTERVAL_SECONDS: Final = 30.0
_REPOSITORY = re.compile(r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+")


class Publication(BaseModel):
    """The file of `planner ci gate --publication`. `digest` is "" if there is nothing to call; `worth_saying` is
    false if a new comment would say nothing."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    schema_version: str = "1.0"
    state: str
    description: str
    digest: str
    commit: str = Field(default="", description="The head commit that the answer is about.")
    decided_at: datetime | None = None
    comment: str
    worth_saying: bool
    store: str = Field(default="", description="The shared store that the change set belongs to.")
    is_sandbox: bool = False
    change_set: ConsentedCalls | None = Field(
        default=None, description="For `run --digest`. The job that plans may not write to the store."
    )


def pull_request_of(environ: Mapping[str, str], commit: str, name: str = DEFAULT_NAME) -> PullRequest:
    """The pull request of this job, as GitHub's event names it. `commit` is its head; `name` separates two uses in one
    repository, which have workflows of their own."""
    number, base = event_value(environ, "pull_request", "number"), target_branch(environ)
    default = event_value(environ, "repository", "default_branch")
    if number is None:
        number = event_value(environ, "inputs", "pull-request")
    number = str(number) if str(number).isdigit() else ""
    workflow = CALL_WORKFLOW if name == DEFAULT_NAME else CALL_WORKFLOW.replace("-call", f"-{name}-call")
    repository, server = environ.get("GITHUB_REPOSITORY", ""), environ.get("GITHUB_SERVER_URL", "https://github.com")
    url = f"{server}/{repository}/actions/workflows/{workflow}" if _REPOSITORY.fullmatch(repository) else ""
    run, is_call = environ.get("GITHUB_RUN_ID", ""), environ.get("GITHUB_EVENT_NAME") == "workflow_dispatch"
    run_url = f"{server}/{repository}/actions/runs/{run}" if url and is_call and run.isdigit() else ""
    return PullRequest(number, commit, base, _text(default), url, run_url, workflow)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


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

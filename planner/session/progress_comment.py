"""Keeps the comment on the pull request current while calls are made. A failure never stops or fails the session."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Final

import anyio
import anyio.to_thread

from planner.errors import PlannerError
from planner.github.client import github_of
from planner.github.comment import is_superseded, upsert_comment
from planner.reports.call_progress import CallsUnderWay, render_progress
from planner.reports.comment import PullRequest
from planner.results.model import Consent
from planner.results.outcomes import Action
from planner.session.consented import head_of
from planner.session.interruption import only_error
from planner.session.preparing import Preparation
from planner.session.progress import ProgressState
from planner.session.pull_request import pull_request_of
from planner.session.reporting import redactor_of
from planner.session.run_session import CommentOptions, RunSession
from planner.session.shell import Shell
from planner.values import frozen

INTERVAL_SECONDS: Final = 30.0


@frozen
class _Content:
    comment: str
    digest: str
    worth_saying: bool = True


@dataclass(slots=True)
class ProgressComment:
    """`calls` are the agreed ones; `pull` has the head commit that is tested."""

    shell: Shell
    options: CommentOptions
    pull: PullRequest
    calls: CallsUnderWay
    _written: str = field(default="", init=False)
    _has_failed: bool = field(default=False, init=False)

    def update(self, state: ProgressState) -> None:
        self.calls = replace(
            self.calls,
            done=state.runs_done,
            total=state.runs_total,
            in_flight=state.in_flight,
            spent_cents=state.spent_cents,
            reserved_cents=state.reserved_cents,
        )

    @asynccontextmanager
    async def kept_current(self) -> AsyncGenerator[None]:
        """While the body runs, edit the comment at once, then at most every 30 seconds. A request under way does not
        delay the end."""
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._repeat)
                yield
                tasks.cancel_scope.cancel()
        except BaseExceptionGroup as group:
            raise only_error(group) from None

    async def _repeat(self) -> None:
        while await anyio.to_thread.run_sync(self._edit, abandon_on_cancel=True):
            await self.shell.clock.sleep(INTERVAL_SECONDS)

    def _edit(self) -> bool:
        """Write the comment if something changed; return whether to go on."""
        text = self.shell.keys.text(render_progress(self.calls, self.pull))
        if text == self._written:
            return True
        number, name, author = self.options.number, self.options.name, self.options.author
        try:
            with github_of(self.shell.environ, self.shell.pause, tries=1) as github:
                if is_superseded(github, number, self.pull.commit):
                    return False  # the comment is about a newer push
                upsert_comment(github, number, _Content(text, self.calls.digest), name=name, author=author)
        except PlannerError as error:
            if not self._has_failed:
                self.shell.log(f"the comment could not be updated with the progress: {error}. {error.hint}")
            self._has_failed = True
            return error.exit_code == 4  # GitHub may be back in half a minute
        self._written = text
        return True


def progress_comment(session: RunSession, prepared: Preparation, consent: Consent) -> ProgressComment | None:
    """None if no comment is to be edited, or no calls are agreed to."""
    options, shell, loaded = session.options.comment, session.shell, session.loaded
    calls = prepared.change_set.with_action(Action.CALL)
    if options is None or not consent.given or not calls:
        return None
    names = redactor_of(loaded.project).names(change.case_id for change in calls)
    cents = consent.max_cost_cents
    under_way = CallsUnderWay(
        digest=prepared.change_set.digest,
        cases=list(names.values()),
        by=consent.by,
        max_cost="DOLLARS" if cents is None else f"{cents // 100}.{cents % 100:02d}",
        total=sum(change.runs for change in calls),
        fresh=prepared.fresh,
    )
    pull = replace(pull_request_of(shell.environ, head_of(shell, loaded), options.name), number=str(options.number))
    return ProgressComment(shell, options, pull, under_way)

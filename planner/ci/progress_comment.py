"""The comment of a pull request that shows the progress of its calls.

A failure to show it never stops or fails the session.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Final

import anyio
import anyio.to_thread

from planner.ci.client import github_of
from planner.ci.comment import CommentPlace, is_superseded, upsert_comment
from planner.errors import PlannerError, leading_error
from planner.reports.progress import ProgressState
from planner.reports.pull_request import PullRequest
from planner.reports.pull_request_progress import CallsUnderWay, render_progress
from planner.shell import Shell

INTERVAL_SECONDS: Final = 30.0


@dataclass(slots=True)
class ProgressComment:
    """`calls` are the agreed ones; `pull` has the head commit that is tested."""

    shell: Shell
    place: CommentPlace
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

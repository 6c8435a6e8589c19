"""`planner run`: load plans, compare with earlier results, ask for consent, call, judge, report."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio

from planner.errors import RefusedError
from planner.results.model import Consent
from planner.session.consenting import consent_to, prepare_calls
from planner.session.executing import execute
from planner.session.finishing import finish, refuse
from planner.session.late_data import refresh
from planner.session.opening import connected, open_session
from planner.session.preparing import Preparation
from planner.session.run_session import RunOptions, RunSession
from planner.session.shell import Shell


def run(shell: Shell, options: RunOptions) -> int:
    """Run the plans; return the exit code. Raises `PlannerError` if the session ended before it had results. The reports
    say why."""
    with open_session(shell, options) as session:
        return anyio.run(_run, session)


async def _run(session: RunSession) -> int:
    async with connected(session):
        prepared = await prepare_calls(session)
        try:
            consent = consent_to(session, prepared)
        except RefusedError as error:
            refuse(session, prepared, error)
            raise
        prepared = await refresh(session, prepared)
        async with _showing_progress(session, prepared, consent):
            end = await execute(session, prepared, consent)
        return finish(session, prepared, end)


@asynccontextmanager
async def _showing_progress(session: RunSession, prepared: Preparation, consent: Consent) -> AsyncGenerator[None]:
    """Keep the comment on the pull request current, if this session has one."""
    if session.options.comment is not None:
        from planner.session.progress_comment import progress_comment

        session.comment = progress_comment(session, prepared, consent)
    if session.comment is None:
        yield
        return
    async with session.comment.kept_current():
        yield

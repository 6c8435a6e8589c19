"""`planner run`: load plans, compare with earlier results, ask for consent, call, judge, report."""

from __future__ import annotations

import anyio

from planner.commands.offline import judge_offline
from planner.errors import RefusedError, UsageError
from planner.session.called_agents import clean_up_previews, delete_previews
from planner.session.executing import execute
from planner.session.finishing import finish, refuse
from planner.session.late_data import refresh
from planner.session.run_session import (
    RunOptions,
    RunSession,
    connected,
    consent_to,
    open_session,
    prepare_calls,
)
from planner.shell import Shell


def run(shell: Shell, options: RunOptions) -> int:
    """Run the plans; return the exit code. Raises `PlannerError` if the session ended before it had results. The
    reports say why."""
    if options.selection.offline:
        if options.consent_to_charge:
            raise UsageError("--offline makes no calls, so there is nothing to consent to", "Leave out one of them.")
        if options.selection.start_over is not None:
            raise UsageError("--offline makes no calls, so no case can start over", "Leave out one of them.")
        return judge_offline(
            shell,
            options.selection,
            report_dir=options.report_dir,
            is_json=options.output_format == "json",
        )
    with open_session(shell, options) as session:
        return anyio.run(_run, session)


async def _run(opened: RunSession) -> int:
    async with connected(opened) as session:
        prepared = await prepare_calls(session)
        await clean_up_previews(session, prepared)
        try:
            consent = consent_to(session, prepared)
        except RefusedError as error:
            await refuse(session, await refresh(session, prepared), error)
            raise
        prepared = await refresh(session, prepared)
        end = await execute(session, prepared, consent)
        code = finish(session, prepared, end)
        await delete_previews(session)
        return code

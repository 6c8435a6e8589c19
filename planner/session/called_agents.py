"""Whether the agents that files describe stayed as they were while they were called.

Results count for a configuration. If somebody edits an agent or its preview during the calls, nobody knows which calls
reached which configuration, so these runs prove nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from planner.changes.configuration import differences
from planner.errors import NotFoundError, PlannerError
from planner.results.outcomes import Action, Fault, RunOutcome

if TYPE_CHECKING:
    from planner.changes.model import Change
    from planner.providers.base import AgentState
    from planner.session.executing import EndedRuns
    from planner.session.preparing import Preparation
    from planner.session.run_session import RunSession

UNKNOWN_CONFIGURATION: Final = f"sha256:{'0' * 64}"
"""The configuration of calls whose agent was edited meanwhile: it equals no other, so the calls are made again."""


async def edited_cases(session: RunSession, prepared: Preparation, runs: EndedRuns) -> frozenset[str]:
    """The cases with runs whose agent was edited since it was verified. Agents that cannot be read are only named."""
    edited: set[str] = set()
    for agent in prepared.agents:
        copy_id = prepared.copies.get((agent.agent_id, agent.file))
        verified = agent.deployed if copy_id is None else session.previews.verified.get(copy_id)
        cases = {
            change.case_id
            for change in prepared.change_set.with_action(Action.CALL)
            if change.case is not None
            and (change.case.target.id, change.case.target.config) == (agent.agent_id, agent.file)
            and change.case_id in runs.judged
        }
        if not cases or verified is None:
            continue
        try:
            now = await session.previews.client.agent(verified.id)
        except NotFoundError:
            continue  # deleted: calls without an agent failed by themselves
        except PlannerError as error:
            session.shell.log(f"warning: nobody knows whether agent {verified.id} was edited during the calls: {error}")
            continue
        if is_edited(verified, now):
            what = "the preview of" if copy_id is not None else "the agent of"
            session.shell.log(
                f"warning: somebody edited {what} target `{agent.alias}` during the calls: they prove nothing"
            )
            edited |= cases
    return frozenset(edited)


def is_edited(before: AgentState, now: AgentState) -> bool:
    """Also if the edit was reverted: then the time of the last edit differs. Saving a draft or renaming the agent changes
    that time too, and no call."""
    if differences(before.configuration, now.configuration):
        return True
    is_harmless = before.name != now.name or before.draft != now.draft
    return before.edited_at != now.edited_at and not is_harmless


def set_aside(runs: EndedRuns, edited: Iterable[str]) -> None:
    """The runs of these cases become undecided."""
    reason = "the agent was edited while it was called"
    update = {"outcome": RunOutcome.ERRORED, "fault": Fault.PLATFORM, "reason": reason}
    for case_id in edited:
        runs.judged[case_id] = [run.model_copy(update=update) for run in runs.judged[case_id]]


def without_configuration(change: Change) -> Change:
    """The change of a case whose agent was edited meanwhile."""
    assert change.inputs is not None, "a case that was called has inputs"
    return replace(change, inputs=change.inputs.model_copy(update={"configuration": UNKNOWN_CONFIGURATION}))

"""The agents that calls of one session reach: previews or the agents themselves, and whether they stayed as they were."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from planner.changes.configuration import differences
from planner.errors import InterruptedRunError, NotFoundError, PlannerError, RefusedError
from planner.execution.previews import GONE
from planner.planfile.model import AgentFile, Case, Policy
from planner.results.model import PreviewDocument
from planner.results.outcomes import Action, Fault, RunOutcome
from planner.session.interruption import until_interrupted

if TYPE_CHECKING:
    from planner.changes.model import Change
    from planner.execution.previews import Preview
    from planner.providers.base import AgentState, Target
    from planner.session.executing import EndedRuns
    from planner.session.preparing import Preparation
    from planner.session.recorded_agents import EffectiveTarget
    from planner.session.run_session import RunSession

Copies = Mapping[tuple[int, AgentFile], int]
"""The agents that are called instead of others, by source agent and file."""


def new_products(
    agents: Iterable[EffectiveTarget], cases: Iterable[Case], rates: Mapping[str, float]
) -> dict[Target, str | None]:
    """The products of the agents whose file changes the product: calls on their previews have another price. If other cases
    call the deployed agent, the more expensive product counts; one without a rate is the most expensive."""
    called = {(case.target.kind, case.target.id, case.target.config) for case in cases}
    found: dict[Target, str | None] = {}
    for each in agents:
        before = each.deployed.configuration.get("product") if each.deployed is not None else None
        after = each.configuration.get("product") if each.configuration is not None else before
        if before == after:
            continue
        target: Target = ("agent", each.agent_id)
        others = {config for kind, agent_id, config in called if (kind, agent_id) == target} - {each.file}
        products = [after, *([before] if others else []), *([found[target]] if target in found else [])]
        found[target] = max(products, key=lambda product: rates.get(str(product), math.inf))
    return found


def previews_needed(prepared: Preparation) -> list[EffectiveTarget]:
    """The agents that need a preview, because calls to them may still be launched."""
    launching = {
        (change.case.target.id, change.case.target.config)
        for change in prepared.change_set.with_action(Action.CALL)
        if change.case is not None and _may_launch(prepared, change.case, change.runs)
    }
    return [each for each in prepared.agents if each.needs_preview and (each.agent_id, each.file) in launching]


def _may_launch(prepared: Preparation, case: Case, runs: int) -> bool:
    """Whether runs of the case are missing, or one may be retried after a platform failure."""
    made = len(prepared.resumable.get(case.case_id, ())) - prepared.unconfirmed_runs.get(case.case_id, 0)
    return made < runs or case.retries > 0


def previews_refusal(policy: Policy, prepared: Preparation) -> RefusedError | None:
    """The refusal if calls need a preview and policy forbids them."""
    needed = previews_needed(prepared) if policy.previews == "deny" else []
    if not needed:
        return None
    names = ", ".join(f"`{each.alias}` ({each.file.file})" for each in needed)
    return RefusedError(
        f"policy.previews is deny, and calls to {names} would need a preview: the file differs from the deployed agent",
        "Deploy the file first, or allow previews in planner.yaml.",
    )


async def clean_up_previews(session: RunSession, prepared: Preparation) -> None:
    """Delete previews of earlier sessions that no call needs any more. It is free and needs no consent."""
    wanted = {(each.agent_id, each.digest or "") for each in previews_needed(prepared)}
    await until_interrupted(lambda: session.previews.clean_up(wanted), session.interrupted)


async def make_previews(session: RunSession, prepared: Preparation) -> Preparation:
    """The preparation with the previews that its calls reach. Raises `PlannerError` if one cannot be made or verified:
    then nothing is called."""
    made: dict[tuple[int, AgentFile], Preview] = {}

    async def make() -> None:
        for target in previews_needed(prepared):
            made[target.agent_id, target.file] = await session.previews.make(target)

    await until_interrupted(make, session.interrupted)
    if session.interrupted.is_set():
        raise InterruptedRunError("interrupted before any call was made", "Run the same command again.")
    for warning in session.previews.warnings:
        session.shell.log(f"warning: {warning}")
    copies = {key: preview.copy_id for key, preview in made.items() if preview.copy_id is not None}
    return replace(prepared, copies=copies, warnings=(*prepared.warnings, *session.previews.warnings))


async def delete_previews(session: RunSession) -> None:
    """Delete the previews that no call needs any more. An interrupted session leaves them to the next one."""
    if not session.interrupted.is_set():
        await until_interrupted(session.previews.clean_up, session.interrupted)


def bills_for_copies(
    bills: Iterable[tuple[Target, int, int]], session: RunSession, copies: Copies
) -> Iterator[tuple[Target, int, int]]:
    """The bills. Each preview also gets the bills of its source agent and of that agent's earlier previews, because its calls
    cost the same."""
    for target, reserved_cents, billed_cents in bills:
        yield target, reserved_cents, billed_cents
        preview = session.journal.previews.of_target(target)
        kind, source = target if preview is None else ("agent", preview.agent_id)
        for (agent_id, _), copy_id in copies.items():
            if (kind, source) == ("agent", agent_id) and target != ("agent", copy_id):
                yield ("agent", copy_id), reserved_cents, billed_cents


def preview_documents(session: RunSession, prepared: Preparation) -> list[PreviewDocument]:
    """The previews that calls of this session reached, those of resumed calls included."""
    launched = [launch.line.target for launch in session.journal.launches_of(session.reports.invocation_id)]
    resumed = {slot.launch_id for slots in prepared.resumable.values() for slot in slots}
    launched += [launch.line.target for each in resumed if (launch := session.journal.launch(each)) is not None]
    called = dict.fromkeys([*(("agent", copy_id) for copy_id in prepared.copies.values()), *launched])
    targets = {(each.agent_id, each.digest): each for each in prepared.agents}
    documents: list[PreviewDocument] = []
    for target in called:
        preview = session.journal.previews.of_target(target)
        effective = targets.get((preview.agent_id, preview.configuration)) if preview is not None else None
        if preview is None or preview.copy_id is None or effective is None:
            continue
        documents.append(
            PreviewDocument(
                target=effective.alias,
                agent_id=preview.agent_id,
                preview_agent_id=preview.copy_id,
                configuration=preview.configuration,
                changes=[change.name for change in effective.changes],
                deleted=preview.state in GONE,
            )
        )
    return documents


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

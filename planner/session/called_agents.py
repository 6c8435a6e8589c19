"""The agents that calls of one session reach: previews or the agents themselves, and whether anybody edited them
meanwhile."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from planner.agents.recorded import stored_configuration
from planner.agents.tool_addresses import with_test_tools
from planner.calls.previews import Edition
from planner.calls.slots import launches_of_session
from planner.changes.configuration import Configuration, configuration_digest
from planner.changes.edits import is_edited, is_other_revision
from planner.changes.snapshots import is_shown, snapshot_differences
from planner.errors import InterruptedRunError, NotFoundError, PlannerError, RefusedError, StoreError
from planner.interruption import until_interrupted
from planner.log.facts import PreviewStep
from planner.planfile.model import AgentFile, Case, Policy
from planner.results.model import PreviewDocument
from planner.results.outcomes import Cause, RunOutcome

if TYPE_CHECKING:
    from planner.agents.recorded import EffectiveTarget
    from planner.calls.slots import Slot
    from planner.evidence import Evidence
    from planner.log.facts import Preview
    from planner.providers.base import Target
    from planner.session.executing import EndedRuns
    from planner.session.preparing import Preparation
    from planner.session.run_session import ConnectedSession, RunSession


def previews_needed(prepared: Preparation) -> list[EffectiveTarget]:
    """The agents that need a preview, because this session may still launch calls to them."""
    launching = {
        (change.case.target.id, change.case.target.config)
        for change in prepared.change_set.payers
        if change.case is not None and _may_launch(prepared, change.case, change.calls)
    }
    return [each for each in prepared.agents if each.needs_preview and (each.agent_id, each.file) in launching]


def _may_launch(prepared: Preparation, case: Case, runs: int) -> bool:
    """Whether runs of the case are missing, or one may be retried after a platform failure."""
    made = len(prepared.resumable.get(case.case_id, ())) - prepared.unconfirmed_runs.get(case.case_id, 0)
    return made < runs or case.retries > 0


def agents_refusal(policy: Policy, prepared: Preparation) -> RefusedError | None:
    """The refusal if calls need a preview, or may reach tools, and policy forbids it."""
    return _previews_refusal(policy, prepared) or (prepared.live_tools.refusal if prepared.calls_to_make else None)


def _previews_refusal(policy: Policy, prepared: Preparation) -> RefusedError | None:
    needed = previews_needed(prepared) if policy.previews == "deny" else []
    if not needed:
        return None
    names = ", ".join(f"`{each.alias}` ({each.file.file})" for each in needed)
    return RefusedError(
        f"calls to {names} need a preview, because its file differs from the deployed agent, and policy.previews is "
        "deny",
        "Deploy the file first, or allow previews in planner.yaml.",
    )


async def clean_up_previews(session: ConnectedSession, prepared: Preparation) -> None:
    """Delete previews of earlier sessions that no call needs any more. It is free and needs no consent."""
    wanted = [_edition(each) for each in previews_needed(prepared)]
    await until_interrupted(lambda: session.previews.clean_up(wanted), session.interrupted)


async def make_previews(session: ConnectedSession, prepared: Preparation) -> Preparation:
    """The preparation with the previews that its calls reach. Raises `PlannerError` if one cannot be made or verified:
    then nothing is called."""

    async def make() -> dict[tuple[int, AgentFile], Preview]:
        needed = previews_needed(prepared)
        return {(each.agent_id, each.file): await session.previews.make(_edition(each)) for each in needed}

    made = await until_interrupted(make, session.interrupted)
    if made is None or session.interrupted.is_set():
        raise InterruptedRunError("interrupted before any call was made", "Run the same command again.")
    for warning in session.previews.warnings:
        session.shell.log(f"warning: {warning}")
    copies = {key: preview.copy_id for key, preview in made.items() if preview.copy_id is not None}
    return replace(prepared, copies=copies, warnings=(*prepared.warnings, *session.previews.warnings))


def _edition(target: EffectiveTarget) -> Edition:
    assert target.deployed is not None, "it was read, as calls to it may be made"
    deployed = target.deployed.configuration
    drafted = {name: deployed[name] for name in target.deployed.draft if name in deployed}
    fields = with_test_tools(target, {**drafted, **target.file.fields})
    return Edition(target.alias, target.file.file, target.deployed, target.digest or "", fields)


async def delete_previews(session: ConnectedSession) -> None:
    """Delete the previews that no call needs any more, once results are shared. The next session does what this one
    cannot, or what is left when it is interrupted."""
    if session.interrupted.is_set():
        return
    try:
        await until_interrupted(session.previews.clean_up, session.interrupted)
    except StoreError as error:
        session.shell.log(f"warning: previews are left to the next run: {error}")


def preview_documents(session: RunSession, prepared: Preparation) -> list[PreviewDocument]:
    """The previews that calls of this session reached, those of resumed calls included."""
    mine = launches_of_session(session.log.state, session.reports.session_id)
    launched = [launch.intent.line.target for launch in mine if launch.intent is not None]
    launched += [slot.intent.line.target for slots in prepared.resumable.values() for slot in slots]
    called = dict.fromkeys([*(("agent", copy_id) for copy_id in prepared.copies.values()), *launched])
    targets = {(each.agent_id, each.digest): each for each in prepared.agents}
    documents: list[PreviewDocument] = []
    for target in called:
        preview = session.log.state.preview_of(target)
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
            )
        )
    return documents


async def edited_launches(
    session: ConnectedSession, prepared: Preparation, slots: Iterable[Slot], *, after_calls: bool
) -> frozenset[str]:
    """The launches of these slots whose agent was edited since it was verified. Agents that cannot be read are only
    named. Runs in finished results do not count: their agent was compared then."""
    reached: dict[Target, list[Slot]] = {}
    for slot in slots:
        reached.setdefault(slot.intent.line.target, []).append(slot)
    edited: list[Slot] = []
    for target, mine in reached.items():
        try:
            edited += await _edited_slots(session, prepared, target, mine, after_calls=after_calls)
        except StoreError:
            raise
        except PlannerError as error:
            name = " ".join(map(str, target)).replace("_", " ")
            session.shell.log(f"warning: planner cannot check whether {name} was edited during the calls: {error}")
    if edited:
        if session.place.shared is not None:  # another session that follows these calls may have finished meanwhile
            session.place.shared.store.refresh()
        finished = _runs_in_finished_results(session, edited)
        edited = [slot for slot in edited if slot.run_id not in finished]
    return frozenset(slot.launch_id for slot in edited)


async def edited_before(session: ConnectedSession, prepared: Preparation) -> frozenset[str]:
    """The launches of earlier sessions whose agent was edited since."""
    slots = [slot for mine in prepared.resumable.values() for slot in mine]
    compared = await until_interrupted(
        lambda: edited_launches(session, prepared, slots, after_calls=False), session.interrupted
    )
    return compared or frozenset()


async def _edited_slots(
    session: ConnectedSession, prepared: Preparation, target: Target, slots: list[Slot], *, after_calls: bool
) -> list[Slot]:
    """The slots whose calls may have reached an edited agent. Without `after_calls`, an agent that is no preview is not
    read again."""
    preview = session.log.state.preview_of(target)
    if preview is not None:
        preview = await session.previews.compare(preview)
        proves = ReachedAgents(session, prepared).proves
        is_lost = preview.step is PreviewStep.LOST  # nobody knows whether it was edited before
        return [slot for slot in slots if preview.was_changed or (is_lost and not proves(slot))]
    before = prepared.targets.get(target)
    if before is None:
        return []
    if after_calls:
        directions = {case.direction for case in session.loaded.cases if (case.target.kind, case.target.id) == target}
        try:
            now = (await session.previews.provider.target_states({target: directions}))[target]
        except NotFoundError:
            now = before  # deleted: calls to a missing agent fail as platform failures
        if [each.id for each in before.behind] != [each.id for each in now.behind]:
            return slots
        if any(map(is_edited, before.behind, now.behind)):
            return slots
    is_drafted = bool(before.drafts)
    return [slot for slot in slots if is_other_revision(slot.asked.revision, before.revision, is_drafted=is_drafted)]


def _runs_in_finished_results(session: RunSession, slots: Iterable[Slot]) -> set[int]:
    """Runs in finished results since these slots were launched, without those that are excluded."""
    oldest = min(slot.intent.session_id for slot in slots)
    return {
        run.run_id
        for result in session.place.repository.sessions_since(oldest)
        if result.finished
        for case in result.cases
        for run in case.all_runs
        if run.excluded is None
    }


@dataclass(slots=True)
class ReachedAgents:
    """Compares what calls ran, by their own snapshots, with the configurations that they were to reach."""

    session: RunSession
    prepared: Preparation
    different: set[int] = field(default_factory=set[int])
    """Runs whose calls ran something else."""
    _known: dict[str, Configuration | None] = field(default_factory=dict[str, "Configuration | None"])

    def __post_init__(self) -> None:
        found = [each.configuration for each in self.prepared.agents if each.configuration is not None]
        found += [agent.configuration for state in self.prepared.targets.values() for agent in state.behind]
        self._known.update((configuration_digest(each), each) for each in found)

    def note(self, slot: Slot, evidence: Evidence | None) -> None:
        """A run has ended."""
        wanted = self._configuration(slot.asked.configuration)
        if wanted is None or wanted.get("prompt") is None or evidence is None or evidence.call is None:
            return
        parts = snapshot_differences(evidence.call.document, wanted)
        if parts:
            self.different.add(evidence.run_id)
            self.session.shell.log(
                f"warning: call {evidence.call_id} ran other {' and '.join(parts)} of the agent than planned, "
                "as the service shows it"
            )

    def proves(self, slot: Slot) -> bool:
        """Whether the call's own snapshot shows what it was to reach."""
        wanted = self._configuration(slot.asked.configuration)
        if wanted is None or wanted.get("prompt") is None or slot.evidence is None:
            return False
        evidence = self.session.place.repository.load_evidence(slot.evidence)
        call = None if evidence is None else evidence.call
        return call is not None and is_shown(call.document, wanted)

    def _configuration(self, digest: str | None) -> Configuration | None:
        if digest is not None and digest not in self._known:
            self._known[digest] = stored_configuration(self.session.place.repository, digest)
        return self._known[digest] if digest is not None else None


def exclude(session: RunSession, runs: EndedRuns, edited: Container[str]) -> None:
    """The runs of these launches become undecided and do not count: nobody knows what they reached. Neither do those
    whose own snapshots show something else."""
    update: dict[str, Any] = {
        "outcome": RunOutcome.UNDECIDED,
        "cause": Cause.PLATFORM,
        "reason": "the agent was edited while it was called",
        "excluded": "agent_edited",
        "findings": [],
    }
    excluded = {
        record.run_id for record in runs.records if record.slot.launch_id in edited or record.run_id in runs.ran_another
    }
    for case_id, judged in runs.judged.items() if excluded else ():
        runs.judged[case_id] = [run.model_copy(update=update) if run.run_id in excluded else run for run in judged]
    aliases = {case.case_id: case.target.alias for case in session.loaded.cases}
    cases = [record.slot.case_id for record in runs.records if record.slot.launch_id in edited]
    for alias in dict.fromkeys(aliases[case_id] for case_id in cases):
        session.shell.log(
            f"warning: somebody edited the agent or the preview of target `{alias}` during the calls, so they are "
            "undecided"
        )

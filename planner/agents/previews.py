"""Makes, verifies and deletes previews: copies of agents that calls are made on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from planner.agents.tool_addresses import with_test_tools
from planner.calls.copy_writes import AgentDraft, Deploy, DiscardDraft, Writing
from planner.changes.configuration import differences, is_same
from planner.changes.edits import is_edited, is_other_revision, revision_of
from planner.errors import (
    ConflictError,
    IncompleteError,
    NotFoundError,
    PlannerError,
    ServiceError,
    StoreError,
    ThrottledError,
    UnreachableError,
)
from planner.execution.launches import LONGEST_RUN
from planner.execution.previews import Preview, PreviewState, PreviewStep, next_step
from planner.log.facts import Preview as PreviewFact
from planner.log.facts import PreviewStep as PreviewFactStep
from planner.providers.base import AgentState
from planner.quantities import some

if TYPE_CHECKING:
    from planner.agents.recorded import EffectiveTarget
    from planner.execution.journal import Journal
    from planner.execution.launches import Slot
    from planner.providers.base import AgentProvider
    from planner.shell import Shell


class UnlikeError(IncompleteError):
    """The copy differs from what was asked for, so nothing may be called on it."""


Wanted = tuple[int, str]
"""Source agent and configuration digest of a preview."""

SEARCH_PAUSES_SECONDS: Final = (0.0, 1.0, 2.0)
"""Pauses before each search for a copy whose answer was lost. After the last, the next session searches."""
MOST_WRITES: Final = 8
"""The most writes to one copy. Two are enough unless answers are lost."""
DELETE_ATTEMPTS: Final = 3


@dataclass(slots=True)
class Previews:
    """The previews of one store and API key."""

    shell: Shell
    journal: Journal
    client: AgentProvider
    session_id: str
    settle_seconds: float
    warnings: list[str] = field(default_factory=list[str])
    verified: dict[int, AgentState] = field(default_factory=dict[int, "AgentState"])
    """The copies as they were before their first call, by id."""

    # Leftovers

    async def clean_up(self, wanted: Collection[Wanted] = ()) -> None:
        """Find copies whose answer was lost, and delete those that nobody needs. It is free, so errors of the service
        are only logged: the next session tries again."""
        try:
            await self.find_lost()
        except StoreError:
            raise
        except PlannerError as error:
            self.shell.log(f"the search for previews of earlier sessions failed: {error}")
        for preview in self.open():
            is_wanted = (preview.agent_id, preview.configuration) in wanted
            step = next_step(preview, is_wanted=is_wanted, is_in_use=self.is_in_use(preview))
            if step is PreviewStep.DELETE:
                await self.try_delete(preview)

    def open(self) -> list[Preview]:
        return self.journal.previews.open(self.client.credential)

    async def find_lost(self) -> None:
        """Search the list of agents for copies whose answer was lost. Those still missing after the settling time
        were never made."""
        lost = [preview for preview in self.open() if preview.state is PreviewState.DUPLICATING]
        if not lost:
            return
        looked = self._now()
        listed = {agent.name: agent.id for agent in await self.client.agents()}
        for preview in lost:
            copy_id = listed.get(preview.name)
            if copy_id is not None:
                self._move(preview, PreviewState.MADE, copy_id)
            elif (looked - preview.intended_at).total_seconds() >= self.settle_seconds:
                self._move(preview, PreviewState.ABSENT, detail="not listed by the service after the settling time")

    def is_in_use(self, preview: Preview) -> bool:
        """Whether a call on it may be under way, or is not in shared results yet: then another machine still compares
        the copy with what it verified."""
        if preview.copy_id is None:
            return False
        return self.journal.is_called(("agent", preview.copy_id), since=self._now() - LONGEST_RUN)

    async def try_delete(self, preview: Preview) -> bool:
        """Try to delete the copy; return whether it is gone. Logs why not."""
        for attempts_left in reversed(range(DELETE_ATTEMPTS)):
            try:
                await self._delete(preview)
            except StoreError:
                raise
            except PlannerError as error:
                if attempts_left and isinstance(error, IncompleteError):
                    continue  # reading it shows whether it was deleted
                self.shell.log(
                    f"warning: agent {preview.copy_id} ({preview.name}), a copy of agent {preview.agent_id}, could "
                    f"not be deleted: {error}. The next run tries again"
                )
                return False
            return True
        raise AssertionError("unreachable: the last attempt returns")

    async def _delete(self, preview: Preview) -> None:
        assert preview.copy_id is not None
        agent = await self._read(preview)
        if agent is None:
            return
        if self._current(preview).state is not PreviewState.DELETING:
            self._move(preview, PreviewState.DELETING, was_changed=is_changed(preview, agent))
        try:
            await self.client.delete_agent(preview.copy_id)
        except NotFoundError:
            self._move(preview, PreviewState.DELETED, detail="it no longer existed")
        else:
            self._move(preview, PreviewState.DELETED)

    async def _read(self, preview: Preview) -> AgentState | None:
        """The copy; None, and the preview is closed, if it does not exist or is not ours."""
        assert preview.copy_id is not None
        by_others = self._current(preview).state is not PreviewState.DELETING
        try:
            agent = await self.client.agent(preview.copy_id)
        except NotFoundError:
            await self.journal.log.refresh()  # whoever deletes it says so there
            by_others &= self._current(preview).state not in (PreviewState.DELETING, PreviewState.DELETED)
            self._move(preview, PreviewState.DELETED, detail="it no longer exists", is_missing=by_others)
            return None
        if agent.name.strip() != preview.name or preview.copy_id == preview.agent_id:
            self._move(preview, PreviewState.DELETED, detail="it has another name", was_changed=by_others)
            self.warnings.append(
                f"agent {preview.copy_id} was made as {preview.name!r} and was renamed since: planner leaves it alone"
            )
            return None
        return agent

    async def edited_slots(
        self, preview: Preview, slots: Sequence[Slot], proves: Callable[[Slot], bool]
    ) -> Sequence[Slot]:
        """The calls on this copy that count for nothing: all of them if somebody edited it since it was verified. If
        somebody deleted it, nobody knows whether it was edited before: those that do not prove what they reached."""
        unproven = [slot for slot in slots if not proves(slot)]
        verified = None if preview.copy_id is None else self.verified.get(preview.copy_id)
        if preview.copy_id is not None and preview.state in (PreviewState.MADE, PreviewState.CONFIGURED):
            if verified is not None:
                try:
                    return slots if is_edited(verified, await self.client.agent(preview.copy_id)) else []
                except NotFoundError:
                    return unproven
            agent = await self._read(preview)
            if agent is not None:
                return slots if is_changed(preview, agent) else []
            preview = self._current(preview)
        if preview.was_changed:
            return slots
        return unproven if preview.is_missing else []

    # Making

    async def make(self, target: EffectiveTarget) -> Preview:
        """A verified preview of the target's configuration: an existing one, or a new one.

        Raises:
            PlannerError: nothing may be called. It names the target and its file.
        """
        try:
            preview = await self._make(target)
            await self.journal.log.share()  # with its revision
        except PlannerError as error:
            error.args = (f"the preview of target `{target.alias}` ({target.file.file}) could not be made: {error}",)
            raise
        return preview

    async def _make(self, target: EffectiveTarget) -> Preview:
        wanted: Wanted = (target.agent_id, target.digest or "")
        for preview in self.open():
            known = preview.state in (PreviewState.MADE, PreviewState.CONFIGURED)
            if known and (preview.agent_id, preview.configuration) == wanted and await self._set_up(preview, target):
                return self._current(preview)
        preview = await self._duplicate(target)
        if not await self._set_up(preview, target):
            raise ConflictError("the copy disappeared while it was made", "Run the same command again.")
        return self._current(preview)

    async def _duplicate(self, target: EffectiveTarget) -> Preview:
        preview = Preview(
            preview_id=self.shell.new_id(),
            agent_id=target.agent_id,
            configuration=target.digest or "",
            session_id=self.session_id,
            credential=self.client.credential,
            intended_at=self._now(),
        )
        intended = preview_fact(preview, self.journal.account)
        is_sent = False

        def on_sending() -> None:
            """Raises `UnreachableError` if the process stood still for so long that another machine may take the copy
            for one that was never made."""
            nonlocal is_sent
            if (self._now() - preview.intended_at).total_seconds() >= self.settle_seconds:
                raise UnreachableError("the copy waited too long before it was made")
            is_sent = True

        try:
            while not await self.journal.log.append([intended]):
                pass
            copy_id = await self.client.duplicate_agent(target.agent_id, preview.name, on_sending=on_sending)
        except (ThrottledError, UnreachableError):
            self._move(preview, PreviewState.ABSENT, detail="it was not made")
            raise
        except IncompleteError as error:
            if not is_sent:  # it could not be shared
                self._move(preview, PreviewState.ABSENT, detail="it was never sent")
                raise
            return await self._found(preview, error)
        except PlannerError:
            self._move(preview, PreviewState.ABSENT, detail="the service refused it")
            raise
        self._move(preview, PreviewState.MADE, copy_id)
        return self._current(preview)

    async def _found(self, preview: Preview, error: PlannerError) -> Preview:
        """The copy whose answer was lost. Raises the error if the service does not list it."""
        for seconds in SEARCH_PAUSES_SECONDS:
            await self.shell.clock.sleep(seconds)
            await self.find_lost()
            if self._current(preview).state is PreviewState.MADE:
                return self._current(preview)
        raise error

    async def _set_up(self, preview: Preview, target: EffectiveTarget) -> bool:
        """As `_configure`. A copy that cannot be configured, because the service refuses it or makes it different, is
        deleted at once."""
        try:
            return await self._configure(preview, target)
        except PlannerError as error:
            is_useless = isinstance(error, ThrottledError | UnlikeError) or not isinstance(error, IncompleteError)
            if is_useless and not self.is_in_use(preview):
                await self.try_delete(preview)
            raise

    async def _configure(self, preview: Preview, target: EffectiveTarget) -> bool:
        """Deploy the file's fields to the copy and read them back; False if it is gone, or somebody edited it."""
        assert preview.copy_id is not None
        writing = Writing(_wanted_fields(target))
        for _ in range(MOST_WRITES):
            agent = await self._read(preview)
            if agent is None:
                return False
            if is_changed(preview, agent):  # never repaired: earlier calls on it prove nothing, which must stay visible
                if not self.is_in_use(preview):
                    await self.try_delete(preview)
                return False
            write = writing.next(agent) if preview.revision is None else None
            try:
                match write:
                    case AgentDraft(fields):
                        await self.client.draft_agent(preview.copy_id, fields)
                    case Deploy():
                        await self.client.deploy_agent(preview.copy_id)
                    case DiscardDraft():
                        await self.client.discard_draft(preview.copy_id)
                    case None:
                        await self._verify(agent, target, writing)
                        self.verified[preview.copy_id] = agent
                        if self._current(preview).state is PreviewState.MADE:
                            self._move(preview, PreviewState.CONFIGURED, revision=revision_of(agent))
                        return True
            except NotFoundError:
                continue  # reading it shows that it is gone
            except (ThrottledError, ConflictError, UnlikeError):
                raise
            except IncompleteError as error:
                self.shell.log(f"reading the preview of target `{target.alias}` again: {error}")
            else:
                writing.answered(write)
        raise ServiceError("the service does not answer writes to the copy", "Run the same command again later.")

    async def _verify(self, agent: AgentState, target: EffectiveTarget, writing: Writing) -> None:
        """Warn about what cannot be verified. Raises `UnlikeError` if the copy differs from what was asked for, and
        `ConflictError` if that is because the source agent was edited meanwhile."""
        assert target.deployed is not None
        label = f"target `{target.alias}`"
        deployed = target.deployed.configuration
        expected = {name: writing.wanted.get(name, value) for name, value in deployed.items()}
        if not is_same(expected, agent.configuration):
            source = await self.client.agent(target.agent_id)
            if not is_same(source.configuration, target.deployed.configuration):
                raise ConflictError(
                    f"agent {target.agent_id} was edited while its copy was made", "Run the same command again."
                )
            unlike = [f"`{each.name}`" for each in differences(expected, agent.configuration) if each.name in expected]
            raise UnlikeError(
                f"the service did not copy these fields: {some(unlike, 5)}, so calls would not test the agent",
                f"Write them into {target.file.file}: planner then sets them on the copy. If the service cannot keep "
                f"them, deploy the file first (planner agent deploy {target.alias} --force REASON), and call the agent "
                "itself.",
            )
        if unshown := writing.unshown(agent):
            self.warnings.append(
                f"{label}: the service does not show these fields of {target.file.file}, so they could not be verified:"
                f" {', '.join(unshown)}"
            )
        if agent.variants != target.deployed.variants:
            self.warnings.append(f"{label}: the agent has variants (split testing), and its preview does not")

    # The journal

    def _current(self, preview: Preview) -> Preview:
        return self.journal.previews.get(preview.preview_id) or preview

    def _move(
        self, preview: Preview, state: PreviewState, copy_id: int | None = None, *, detail: str = "", **seen: Any
    ) -> None:
        del detail  # for readers of the code
        known = self._current(preview)
        moved = replace(known, state=state, copy_id=known.copy_id if copy_id is None else copy_id, **seen)
        self.journal.note(preview_fact(moved, self.journal.account))

    def _now(self) -> datetime:
        return self.shell.clock.now() + timedelta(seconds=self.client.clock_offset_seconds)


_STEPS: Final = {
    PreviewState.DUPLICATING: PreviewFactStep.INTENDED,
    PreviewState.MADE: PreviewFactStep.MADE,
    PreviewState.CONFIGURED: PreviewFactStep.CONFIGURED,
    PreviewState.DELETING: PreviewFactStep.DELETING,
    PreviewState.ABSENT: PreviewFactStep.ABSENT,
    PreviewState.DELETED: PreviewFactStep.DELETED,
}


def preview_fact(preview: Preview, account: str) -> PreviewFact:
    return PreviewFact(
        at=preview.intended_at,
        account=account,
        preview_id=preview.preview_id,
        agent_id=preview.agent_id,
        configuration=preview.configuration,
        session_id=preview.session_id or "none",
        credential=preview.credential,
        step=_STEPS[preview.state],
        copy_id=preview.copy_id,
        revision=preview.revision or "",
        was_changed=preview.was_changed,
        is_missing=preview.is_missing,
    )


def is_changed(preview: Preview, agent: AgentState) -> bool:
    """Whether somebody edited the copy since an earlier session verified it."""
    return is_other_revision(preview.revision, revision_of(agent), is_drafted=agent.is_drafted)


def _wanted_fields(target: EffectiveTarget) -> Mapping[str, Any]:
    """What the copy must have: the file's fields, its test tools, and the deployed values of what is drafted, since a
    service may copy the draft."""
    assert target.deployed is not None
    deployed = target.deployed.configuration
    drafted = {name: deployed[name] for name in target.deployed.draft if name in deployed}
    return with_test_tools(target, {**drafted, **target.file.fields})

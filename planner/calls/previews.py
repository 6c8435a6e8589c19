"""Makes, verifies and deletes previews: copies of agents that calls are made on.

Each step that others must know of is appended to the log before it is taken. A copy is found by its name, which has the
random id of its intent, and is never deleted by its name alone, nor while a call on it may be under way.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from planner.calls.answers import TooLateError
from planner.calls.copy_writes import AgentDraft, Deploy, DiscardDraft, Writing
from planner.calls.deciding import copies_in_use, is_in_time
from planner.calls.model import now_of
from planner.changes.configuration import differences, is_same
from planner.changes.edits import is_other_revision, revision_of
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
from planner.log.facts import Preview, PreviewStep
from planner.providers.base import AgentState
from planner.quantities import some
from planner.values import frozen

if TYPE_CHECKING:
    from planner.calls.driver import Log, Terms, Tools
    from planner.calls.model import Now
    from planner.providers.base import AgentProvider

SEARCH_PAUSES_SECONDS: Final = (0.0, 1.0, 2.0)
"""Pauses before each search for a copy whose answer was lost. After the last, the next session searches."""
MAX_WRITES: Final = 8
"""To one copy. Two are enough unless answers are lost."""
DELETE_ATTEMPTS: Final = 3


class DifferentCopyError(IncompleteError):
    """The copy differs from what was asked for, so nothing may be called on it."""


@frozen
class Edition:
    """A configuration of an agent that is to be called on a copy."""

    alias: str
    """Of the target, for people."""
    file: str
    deployed: AgentState
    """The agent, as it was read before."""
    configuration: str
    """The digest of what is to be called."""
    fields: Mapping[str, Any]
    """What the copy must have: the file's fields, its test tools, and the deployed values of what is drafted, since a
    service may copy the draft."""

    @property
    def label(self) -> str:
        return f"target `{self.alias}`"

    def is_of(self, preview: Preview) -> bool:
        return (preview.agent_id, preview.configuration) == (self.deployed.id, self.configuration)


@dataclass(slots=True)
class Previews:
    """The previews of one log and API key."""

    provider: AgentProvider
    log: Log
    tools: Tools
    terms: Terms
    warnings: list[str] = field(default_factory=list[str])

    # Leftovers

    async def clean_up(self, wanted: Collection[Edition] = ()) -> None:
        """Find copies whose answer was lost, and delete those that nobody needs. It is free, so errors of the service
        are only logged: the next session tries again. Raises `StoreError`."""
        try:
            await self.find_lost()
        except StoreError:
            raise
        except PlannerError as error:
            self.tools.log(f"the search for previews of earlier sessions failed: {error}")
        for preview in self.open():
            is_wanted = preview.step is not PreviewStep.DELETING and any(each.is_of(preview) for each in wanted)
            if preview.copy_id is not None and not is_wanted:
                await self.try_delete(preview)

    def open(self) -> list[Preview]:
        """Those that exist or may exist, oldest first."""
        credential = self.provider.credential
        found = [each for each in self.log.state.previews.values() if each.credential == credential]
        return sorted((each for each in found if not each.step.is_over), key=lambda each: (each.at, each.preview_id))

    async def find_lost(self) -> None:
        """Search the list of agents for copies whose answer was lost. Those still missing after the settling time were
        never made."""
        lost = [preview for preview in self.open() if preview.step is PreviewStep.INTENDED]
        if not lost:
            return
        began = self._now()
        listed = {agent.name: agent.id for agent in await self.provider.agents()}
        settle_seconds = self.terms.settings.settle_seconds + 2 * began.slack_seconds
        for preview in lost:
            copy_id = listed.get(preview.name)
            if copy_id is not None:
                self._note(preview, step=PreviewStep.MADE, copy_id=copy_id)
            elif began.seconds_since(preview.at) >= settle_seconds:
                self._note(preview, step=PreviewStep.ABSENT)

    async def try_delete(self, preview: Preview) -> bool:
        """Try to delete the copy, unless it is in use; return whether it is gone. Logs why not. Raises `StoreError`."""
        for attempts_left in reversed(range(DELETE_ATTEMPTS)):
            try:
                return await self._delete(preview)
            except StoreError:
                raise
            except PlannerError as error:
                if not attempts_left or not isinstance(error, IncompleteError):
                    self.tools.log(
                        f"warning: agent {preview.copy_id} ({preview.name}), a copy of agent "
                        f"{preview.agent_id}, could not be deleted: {error}. The next run tries again"
                    )
                    return False
        raise AssertionError("unreachable: the last attempt returns")

    async def _delete(self, preview: Preview) -> bool:
        """That it is being deleted is appended to the log in which nobody uses it: others call it no more."""
        while (agent := await self._read(preview)) is not None:
            current = self._current(preview)
            if current.step.is_over:
                return True
            if current.step is PreviewStep.DELETING:
                break
            if self.is_in_use(current):
                return False
            was_changed = current.was_changed or is_changed(current, agent)
            if await self.log.append([replace(current, step=PreviewStep.DELETING, was_changed=was_changed)]):
                break
        if agent is not None:
            try:
                await self.provider.delete_agent(agent.id)
            except NotFoundError:
                self.tools.log(f"agent {agent.id} no longer exists")
            self._note(preview, step=PreviewStep.DELETED)
        return True

    def is_in_use(self, preview: Preview) -> bool:
        return preview.copy_id in copies_in_use(self.log.state, self._now())

    async def _read(self, preview: Preview) -> AgentState | None:
        """The copy; None, and the preview is over, if it does not exist or is not ours."""
        assert preview.copy_id is not None
        try:
            agent = await self.provider.agent(preview.copy_id)
        except NotFoundError:
            await self._note_missing(preview)
            return None
        if agent.name.strip() == preview.name and agent.id != preview.agent_id:
            return agent
        is_being_deleted = self._current(preview).step is PreviewStep.DELETING
        self._note(preview, step=PreviewStep.DELETED, was_changed=not is_being_deleted)
        self.warnings.append(
            f"agent {preview.copy_id} was made as {preview.name!r} and was renamed since: planner leaves it alone"
        )
        return None

    async def _note_missing(self, preview: Preview) -> None:
        await self.log.refresh()  # another machine that deletes it says so there first
        is_ours = self._current(preview).step in (PreviewStep.DELETING, PreviewStep.DELETED)
        self._note(preview, step=PreviewStep.DELETED if is_ours else PreviewStep.LOST)

    # Calls on it

    async def compare(self, preview: Preview) -> Preview:
        """The preview with what became of its copy since it was verified. To be asked after its calls. Raises
        `PlannerError` if the copy cannot be read."""
        current = self._current(preview)
        if not current.was_changed and current.step is PreviewStep.CONFIGURED:
            agent = await self._read(current)
            if agent is not None and is_changed(current, agent):
                self._note(current, was_changed=True)
        return self._current(preview)

    # Making

    async def make(self, edition: Edition) -> Preview:
        """A verified copy with this configuration: an existing one, or a new one.

        Raises:
            PlannerError: nothing may be called. It names the target and its file.
        """
        try:
            return await self._make(edition)
        except PlannerError as error:
            error.args = (f"the preview of {edition.label} ({edition.file}) could not be made: {error}",)
            raise

    async def _make(self, edition: Edition) -> Preview:
        for preview in self.open():
            is_made = preview.step in (PreviewStep.MADE, PreviewStep.CONFIGURED)
            if is_made and edition.is_of(preview) and await self._set_up(preview, edition):
                return self._current(preview)
        preview = await self._duplicate(edition)
        if not await self._set_up(preview, edition):
            raise ConflictError("the copy disappeared while it was made", "Run the same command again.")
        return self._current(preview)

    async def _duplicate(self, edition: Edition) -> Preview:
        decided = self._now()
        preview = Preview(
            at=decided.server,
            account=self.terms.account,
            preview_id=self.tools.new_id(),
            agent_id=edition.deployed.id,
            configuration=edition.configuration,
            session_id=self.terms.session_id,
            credential=self.provider.credential,
            step=PreviewStep.INTENDED,
        )

        def on_sending() -> None:
            if not is_in_time(decided, self.terms.settings, self._now()):
                raise TooLateError("the copy waited too long before it was made")

        while not await self.log.append([preview]):
            pass  # what others append changes nothing: each session may make a copy of its own
        try:
            copy_id = await self.provider.duplicate_agent(edition.deployed.id, preview.name, on_sending=on_sending)
        except IncompleteError as error:
            if not isinstance(error, ThrottledError | UnreachableError):
                return await self._found(preview, error)
            self._note(preview, step=PreviewStep.ABSENT)
            raise
        except PlannerError:
            self._note(preview, step=PreviewStep.ABSENT)
            raise
        self._note(preview, step=PreviewStep.MADE, copy_id=copy_id)
        return self._current(preview)

    async def _found(self, preview: Preview, error: PlannerError) -> Preview:
        """The copy whose answer was lost. Raises the error if the service does not list it."""
        for seconds in SEARCH_PAUSES_SECONDS:
            await self.tools.clock.sleep(seconds)
            await self.find_lost()
            if self._current(preview).step is PreviewStep.MADE:
                return self._current(preview)
        raise error

    async def _set_up(self, preview: Preview, edition: Edition) -> bool:
        """As `_configure`. A copy that cannot be configured, because the service refuses it or makes it different, is
        deleted at once."""
        try:
            return await self._configure(preview, edition)
        except PlannerError as error:
            if isinstance(error, ThrottledError | DifferentCopyError) or not isinstance(error, IncompleteError):
                await self.try_delete(preview)
            raise

    async def _configure(self, preview: Preview, edition: Edition) -> bool:
        """Deploy the fields to the copy and read them back; False if it is gone, or somebody edited it."""
        assert preview.copy_id is not None
        writing = Writing(edition.fields)
        for _ in range(MAX_WRITES):
            agent = await self._read(preview)
            if agent is None:
                return False
            if is_changed(preview, agent):  # never repaired: earlier calls on it prove nothing, which must stay visible
                self._note(preview, was_changed=True)
                await self.try_delete(preview)
                return False
            write = None if preview.revision else writing.next(agent)
            try:
                match write:
                    case AgentDraft(fields):
                        await self.provider.draft_agent(preview.copy_id, fields)
                    case Deploy():
                        await self.provider.deploy_agent(preview.copy_id)
                    case DiscardDraft():
                        await self.provider.discard_draft(preview.copy_id)
                    case None:
                        await self._verify(agent, edition, writing)
                        if not preview.revision:
                            self._note(preview, step=PreviewStep.CONFIGURED, revision=revision_of(agent))
                        return True
            except NotFoundError:
                continue  # reading it shows that it is gone
            except (ThrottledError, ConflictError, DifferentCopyError, StoreError):
                raise
            except IncompleteError as error:
                self.tools.log(f"reading the preview of {edition.label} again: {error}")
            else:
                writing.answered(write)
        raise ServiceError("the service does not answer writes to the copy", "Run the same command again later.")

    async def _verify(self, agent: AgentState, edition: Edition, writing: Writing) -> None:
        """Warn about what cannot be verified. Raises `DifferentCopyError` if the copy differs from what was asked for,
        and `ConflictError` if that is because the source agent was edited meanwhile."""
        deployed = edition.deployed
        expected = {name: writing.wanted.get(name, value) for name, value in deployed.configuration.items()}
        if not is_same(expected, agent.configuration):
            source = await self.provider.agent(deployed.id)
            if not is_same(source.configuration, deployed.configuration):
                message = f"agent {deployed.id} was edited while its copy was made"
                raise ConflictError(message, "Run the same command again.")
            unlike = [f"`{each.name}`" for each in differences(expected, agent.configuration) if each.name in expected]
            raise DifferentCopyError(
                f"the service did not copy these fields: {some(unlike, 5)}, so calls would not test the agent",
                f"Write them into {edition.file}: planner then sets them on the copy. If the service cannot keep them, "
                f"deploy the file first (planner agent deploy {edition.alias} --force REASON), and call the agent "
                "itself.",
            )
        if unshown := writing.unshown(agent):
            self.warnings.append(
                f"{edition.label}: the service does not show these fields of {edition.file}, so they could not be "
                f"verified: {', '.join(unshown)}"
            )
        if agent.variants != deployed.variants:
            self.warnings.append(f"{edition.label}: the agent has variants (split testing), and its preview does not")

    # The log

    def _current(self, preview: Preview) -> Preview:
        return self.log.state.previews.get(preview.preview_id, preview)

    def _note(self, preview: Preview, **changes: Any) -> None:
        self.log.note([replace(self._current(preview), **changes)])

    def _now(self) -> Now:
        return now_of(self.provider, self.tools.clock)


def is_changed(preview: Preview, agent: AgentState) -> bool:
    """Whether somebody edited the copy since it was verified, even if the edit was reverted."""
    return is_other_revision(preview.revision or None, revision_of(agent), is_drafted=agent.is_drafted)

"""Previews: copies of agents with the configuration of a file, as the journal records them. No I/O.

A preview's states::

    INTENDED ─┬─► ABSENT                        never sent, or refused
              └─► DUPLICATING ─┬─► ABSENT       not listed after the settling time, or refused
                               └─► MADE ─► CONFIGURED ─┬─► DELETING ─► DELETED
                                                       └─► DELETED      somebody else deleted it

INTENDED is written before the copy is requested; DUPLICATING right before the first byte is sent. If the answer is
lost, the copy is found by its name, which has the random id of its intent, so no other preview has the same.
CONFIGURED: the file's fields were deployed and read back. The writes in between can be repeated, as nobody else uses
the copy.

A preview is never deleted by its name alone, and not while a call on it may be under way.
"""

from dataclasses import replace
from enum import Enum
from typing import Final, NamedTuple

from pydantic import AwareDatetime

from planner.bounds import ServiceId
from planner.errors import StoreError
from planner.providers.base import Target
from planner.values import frozen

NAME_PREFIX: Final = "planner-preview "


class PreviewState(Enum):
    INTENDED = "intended"
    DUPLICATING = "duplicating"
    MADE = "made"
    CONFIGURED = "configured"
    DELETING = "deleting"
    DELETED = "deleted"
    ABSENT = "absent"


PREVIEW_TRANSITIONS: Final = {
    PreviewState.INTENDED: frozenset({PreviewState.DUPLICATING, PreviewState.ABSENT}),
    PreviewState.DUPLICATING: frozenset({PreviewState.MADE, PreviewState.ABSENT}),
    PreviewState.MADE: frozenset({PreviewState.CONFIGURED, PreviewState.DELETING, PreviewState.DELETED}),
    PreviewState.CONFIGURED: frozenset({PreviewState.DELETING, PreviewState.DELETED}),
    PreviewState.DELETING: frozenset({PreviewState.DELETED}),
}
GONE: Final = frozenset({PreviewState.DELETED, PreviewState.ABSENT})


@frozen
class Preview:
    preview_id: str
    """Random."""
    agent_id: ServiceId
    """The source agent, which is never written to."""
    configuration: str
    """Digest of the configuration that it should have."""
    session_id: str
    """The session that intended it."""
    credential: str
    """A digest of the API key."""
    intended_at: AwareDatetime
    """By the service's clock if that is known."""
    state: PreviewState = PreviewState.INTENDED
    copy_id: ServiceId | None = None
    """The id of the copy; None before it is known."""
    detail: str = ""
    """Why it is in this state."""
    revision: str | None = None
    """The copy when it was verified, as in `TargetState`; None before."""
    was_changed: bool = False
    """Whether somebody edited, renamed or deleted the copy afterwards. It is found out when the copy is deleted."""
    is_missing: bool = False
    """Somebody else deleted the copy: only its calls themselves can prove what they reached."""

    @property
    def name(self) -> str:
        digest = self.configuration.removeprefix("sha256:")[:12]
        return f"{NAME_PREFIX}of {self.agent_id} {digest} {self.preview_id}"


class PreviewIntended(NamedTuple):
    """A copy of an agent is about to be made, or another machine may have made it (its state says which)."""

    preview: Preview


class PreviewMoved(NamedTuple):
    """A preview changed its state. From MADE on, `copy_id` is known."""

    preview_id: str
    state: PreviewState
    copy_id: ServiceId | None = None
    detail: str = ""
    revision: str | None = None
    was_changed: bool = False
    is_missing: bool = False


class PreviewRecords:
    """By id, in the order of their intents."""

    def __init__(self) -> None:
        self._previews: dict[str, Preview] = {}

    def get(self, preview_id: str) -> Preview | None:
        return self._previews.get(preview_id)

    def every(self) -> list[Preview]:
        return list(self._previews.values())

    def open(self, credential: str) -> list[Preview]:
        """Those that exist or may exist, made with this API key."""
        return [each for each in self.every() if each.state not in GONE and each.credential == credential]

    def of_target(self, target: Target) -> Preview | None:
        """The preview that calls to this target reach; None if it is no preview of ours."""
        kind, target_id = target
        copies = (each for each in self.every() if kind == "agent" and each.copy_id == target_id)
        return next(copies, None)

    def validate(self, event: PreviewIntended | PreviewMoved) -> None:
        """Raises `StoreError` or `AssertionError` if the event is impossible now."""
        if isinstance(event, PreviewIntended):
            if event.preview.preview_id in self._previews:
                raise StoreError(f"preview {event.preview.preview_id} is already in the journal")
            return
        before = self._previews[event.preview_id]
        if event.state not in PREVIEW_TRANSITIONS.get(before.state, frozenset()):
            move = f"{before.state.value} → {event.state.value}"
            raise AssertionError(f"preview {event.preview_id}: {move} is not a valid transition")
        if event.state is PreviewState.MADE and event.copy_id is None:
            raise AssertionError(f"preview {event.preview_id} is made, but its copy has no id")

    def apply(self, event: PreviewIntended | PreviewMoved) -> None:
        if isinstance(event, PreviewIntended):
            self._previews[event.preview.preview_id] = event.preview
            return
        preview = self._previews[event.preview_id]
        copy_id = preview.copy_id if event.copy_id is None else event.copy_id
        self._previews[event.preview_id] = replace(
            preview,
            state=event.state,
            copy_id=copy_id,
            detail=event.detail or preview.detail,
            revision=event.revision or preview.revision,
            was_changed=event.was_changed or preview.was_changed,
            is_missing=event.is_missing or preview.is_missing,
        )


class PreviewStep(Enum):
    """What to do with a preview next."""

    DUPLICATE = "duplicate"
    FIND = "find"
    """Search the list of agents for its name."""
    CONFIGURE = "configure"
    """Deploy the file's fields and read them back."""
    DELETE = "delete"
    FORGET = "forget"
    """It was never sent, and nobody needs it."""
    NONE = "none"


def next_step(preview: Preview, *, is_wanted: bool, is_in_use: bool) -> PreviewStep:
    """`is_wanted`: this session has calls to make on it. `is_in_use`: a call on it may be under way."""
    match preview.state:
        case PreviewState.INTENDED:
            return PreviewStep.DUPLICATE if is_wanted else PreviewStep.FORGET
        case PreviewState.DUPLICATING:
            return PreviewStep.FIND
        case PreviewState.MADE | PreviewState.CONFIGURED if is_wanted:
            return PreviewStep.CONFIGURE
        case PreviewState.MADE | PreviewState.CONFIGURED:
            return PreviewStep.NONE if is_in_use else PreviewStep.DELETE
        case PreviewState.DELETING:
            return PreviewStep.DELETE
        case PreviewState.DELETED | PreviewState.ABSENT:
            return PreviewStep.NONE

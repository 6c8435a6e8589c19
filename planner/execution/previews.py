"""Previews: copies of agents with the configuration of a file. No I/O.

A preview's states::

    DUPLICATING ─┬─► ABSENT       not listed after the settling time, or refused
                 └─► MADE ─► CONFIGURED ─┬─► DELETING ─► DELETED
                                         └─► DELETED      somebody else deleted it

DUPLICATING is in the log before the copy is requested. If the answer is lost, the copy is found by its name, which has
the random id of its intent, so no other preview has the same. CONFIGURED: the file's fields were deployed and read
back. The writes in between can be repeated, as nobody else uses the copy.

A preview is never deleted by its name alone, and not while a call on it may be under way.
"""

from enum import Enum
from typing import Final

from pydantic import AwareDatetime

from planner.bounds import ServiceId
from planner.values import frozen

NAME_PREFIX: Final = "planner-preview "


class PreviewState(Enum):
    DUPLICATING = "duplicating"
    MADE = "made"
    CONFIGURED = "configured"
    DELETING = "deleting"
    DELETED = "deleted"
    ABSENT = "absent"


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
    state: PreviewState = PreviewState.DUPLICATING
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


class PreviewStep(Enum):
    """What to do with a preview next."""

    FIND = "find"
    """Search the list of agents for its name."""
    CONFIGURE = "configure"
    """Deploy the file's fields and read them back."""
    DELETE = "delete"
    NONE = "none"


def next_step(preview: Preview, *, is_wanted: bool, is_in_use: bool) -> PreviewStep:
    """`is_wanted`: this session has calls to make on it. `is_in_use`: a call on it may be under way."""
    match preview.state:
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

"""Random backoff for concurrent writers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

_LONGEST_PAUSE_SECONDS: Final = 15.0
"""Only reached with very many writers, where each attempt delays all others."""
_FIRST_PAUSE_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class Backoff:
    """The retry policy of a writer. `chance` returns numbers from 0 to 1; `pause` waits for seconds."""

    chance: Callable[[], float]
    pause: Callable[[float], None]
    attempts: int = 200

    def wait(self, attempt: int) -> None:
        """Pause for a random time up to a limit that doubles with each attempt."""
        self.pause(self.chance() * min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2**attempt))

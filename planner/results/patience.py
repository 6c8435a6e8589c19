"""Writers that meet at one place: how long each tries, and that they do not go on meeting."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

_LONGEST_PAUSE_SECONDS: Final = 15.0
"""Reached only where very many write at once: each attempt costs all of them, so fewer are better."""
_FIRST_PAUSE_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a writer tries when others are first. `chance` gives numbers from 0 up to 1; `pause` waits for seconds."""

    chance: Callable[[], float]
    pause: Callable[[float], None]
    attempts: int = 200

    def wait(self, attempt: int) -> None:
        """Up to twice as long each time, at random over all of it: writers who met once do not meet again."""
        self.pause(self.chance() * min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2**attempt))

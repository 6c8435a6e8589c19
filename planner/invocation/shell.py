"""Everything a command may touch of the world outside, passed in by the composition root."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from planner.execution.clock import Clock
from planner.key_redaction import KeyRedactor, keys_of


@dataclass(frozen=True, slots=True)
class Shell:
    """`width` is the terminal's columns; `verbosity` counts the `-v`s."""

    cwd: Path
    environ: Mapping[str, str]
    out: TextIO
    err: TextIO
    clock: Clock
    new_id: Callable[[], str]
    """A short token that nobody can guess and that never comes twice."""
    width: int
    verbosity: int = 0
    process: str = "this process"
    """Which one it is, and on which machine, for others to find it."""
    user: str = "unknown"
    """Whose process it is, as the system has it."""
    """How many processes can work at once."""
    chance: Callable[[], float] = lambda: 0.5
    """A number from 0 up to 1, for pauses that no two machines make alike."""
    pause: Callable[[float], None] = lambda _: None
    """Waits for seconds, with everything else of this thread."""

    def print(self, text: str) -> None:
        """A result, to standard output."""
        self.out.write(text if text.endswith("\n") else text + "\n")
        self.out.flush()

    def tell(self, text: str) -> None:
        """Everything else, to standard error."""
        self.err.write(text if text.endswith("\n") else text + "\n")
        self.err.flush()

    @property
    def keys(self) -> KeyRedactor:
        """The keys that the environment holds."""
        return keys_of(self.environ)

    @property
    def color(self) -> bool:
        """Of standard output."""
        return _colorful(self.out, self.environ)

    @property
    def err_color(self) -> bool:
        return _colorful(self.err, self.environ)

    @property
    def err_is_live(self) -> bool:
        """Whether standard error may be redrawn."""
        return self.err.isatty() and not self.environ.get("CI") and self.environ.get("TERM") != "dumb"


def _colorful(stream: TextIO, environ: Mapping[str, str]) -> bool:
    return stream.isatty() and not environ.get("NO_COLOR") and not environ.get("CI") and environ.get("TERM") != "dumb"


def actor_of(shell: Shell) -> str:
    """Who agrees: whoever started (or started again) the CI job, or this shell's user."""
    names = ("GITHUB_TRIGGERING_ACTOR", "GITHUB_ACTOR", "USER", "LOGNAME")
    return next((shell.environ[name] for name in names if shell.environ.get(name)), shell.user)

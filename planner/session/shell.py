"""The outside world, as an argument of commands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TextIO

from planner.clock import Clock
from planner.key_redaction import KeyRedactor, keys_of
from planner.values import frozen


@frozen
class Shell:
    """`width` is the terminal's columns; `verbosity` counts the `-v`s."""

    cwd: Path
    environ: Mapping[str, str]
    out: TextIO
    err: TextIO
    clock: Clock
    new_id: Callable[[], str]
    """A short, unguessable, unique token."""
    width: int
    verbosity: int = 0
    process: str = "this process"
    """Process id and machine, for others to find it."""
    user: str = "unknown"
    chance: Callable[[], float] = lambda: 0.5
    """A random number in [0, 1), for random pauses."""
    pause: Callable[[float], None] = lambda _: None
    """Blocks the thread for seconds."""

    def print(self, text: str) -> None:
        """Print a result to standard output."""
        self.out.write(text if text.endswith("\n") else text + "\n")
        self.out.flush()

    def log(self, text: str) -> None:
        """Print everything else to standard error."""
        self.err.write(text if text.endswith("\n") else text + "\n")
        self.err.flush()

    @property
    def keys(self) -> KeyRedactor:
        """The keys that the environment holds."""
        return keys_of(self.environ)

    @property
    def color(self) -> bool:
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
    """Who consents: whoever started the CI job, or this shell's user."""
    names = ("GITHUB_TRIGGERING_ACTOR", "GITHUB_ACTOR", "USER", "LOGNAME")
    return next((shell.environ[name] for name in names if shell.environ.get(name)), shell.user)

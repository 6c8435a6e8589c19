"""The outside world, as an argument of commands, and how they write to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from planner.checks.patterns import compile_pattern
from planner.clock import Clock
from planner.errors import UsageError
from planner.key_redaction import KeyRedactor, keys_of
from planner.planfile.files import FileError, Neighbours
from planner.planfile.yaml.reader import MAX_BYTES
from planner.reports.diagnostics import advice, render_text
from planner.reports.redaction import Redactor
from planner.values import frozen

if TYPE_CHECKING:
    from planner.diagnostics import Diagnostics
    from planner.planfile.model import Project
    from planner.reports.redaction import Pattern


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


def print_diagnostics(shell: Shell, diagnostics: Diagnostics) -> None:
    """Print diagnostics with source excerpts to standard error."""
    if not len(diagnostics):
        return
    neighbours = Neighbours(shell.cwd)

    def read_source(file: str) -> str | None:
        try:  # with the same limits as on the first read, or an excerpt could show forbidden content
            return neighbours.plan(shell.cwd / file, file, MAX_BYTES).decode(errors="replace")
        except FileError:
            return None  # the diagnostic says why it cannot be read

    shown = render_text(diagnostics, read_source=read_source, width=shell.width, color=shell.err_color)
    shell.log(f"{shown}{advice(diagnostics)}")


def write_output(shell: Shell, path: Path, text: str) -> None:
    """Write the file of `--out`. Raises `UsageError`."""
    file = shell.cwd / path
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8", errors="backslashreplace", newline="\n")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}", "Name another file after --out.") from error


def redactor_of(project: Project) -> Redactor:
    return Redactor(redactor_patterns(project))


def redactor_patterns(project: Project) -> tuple[Pattern, ...]:
    if not project.redact:
        return ()
    return tuple(map(compile_pattern, project.redact))

"""Writes what an unexpected exception says to a file, for a bug report: beside the reports, where a CI job keeps it.

An exception other than a `PlannerError` is a bug in planner. So is a check that raises: it logs the exception, and its
finding is undecided.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from functools import wraps
from pathlib import Path
from typing import Concatenate, Final, ParamSpec

from planner import __version__
from planner.ci.step import publisher_of
from planner.errors import FULL_DISK, BugError, PlannerError
from planner.reports.neutral import printable
from planner.reports.redaction import Redactor
from planner.shell import Shell
from planner.values import frozen

BUG_LOG: Final = "planner-bug.log"
REPORTS: Final = Path("reports")
"""The default folder of reports."""
P = ParamSpec("P")


def is_bug(error: BaseException) -> bool:
    """False for errors with an exit code of their own, interruptions, a full disk and a reader of standard output that
    has gone."""
    if isinstance(error, BrokenPipeError) or (isinstance(error, OSError) and error.errno in FULL_DISK):
        return False
    return isinstance(error, Exception) and not isinstance(error, PlannerError)


@frozen
class BugLog:
    """The file with the unexpected exceptions of one session; it replaces that of an older session."""

    shell: Shell
    folder: Path | None
    """None: a temporary folder."""
    session_id: str = ""
    redactor: Callable[[], Redactor] = Redactor
    """What to leave out; the project may not be loaded yet."""

    def write(self, error: BaseException) -> Path:
        """Append the exception, without keys, phone numbers and what the project redacts; return the path to show."""
        text = self._text(error)
        if self.folder is not None:
            with suppress(OSError):
                path = self._append(text)
                if to_github := publisher_of(self.shell):
                    to_github.report_dir(self.folder)
                return path
        with tempfile.NamedTemporaryFile(
            "w", prefix="planner-bug-", suffix=".log", delete=False, encoding="utf-8", errors="replace"
        ) as file:
            file.write(text)
        return Path(file.name)

    def _append(self, text: str) -> Path:
        """Raises `OSError`; also if the path is a link, which may have come with the checkout."""
        assert self.folder is not None
        folder = self.shell.cwd / self.folder
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / BUG_LOG
        if not self._is_ours(path):
            path.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
        with open(os.open(path, flags, 0o644), "a", encoding="utf-8", errors="replace") as file:  # noqa: PTH123
            file.write(text)
        return self.folder / BUG_LOG

    def _is_ours(self, path: Path) -> bool:
        """Whether this session wrote the file."""
        if path.is_symlink() or not path.is_file():
            return False
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.readline().rstrip("\n") == self._header

    @property
    def _header(self) -> str:
        session = f", session {self.session_id}" if self.session_id else ""
        return f"planner {__version__}, Python {sys.version.split()[0]} on {sys.platform}{session}"

    def _text(self, error: BaseException) -> str:
        raised = "".join(traceback.format_exception(error))
        shown = self.redactor().text(self.shell.keys.text(raised))
        return printable(f"{self._header}\n{self.shell.clock.now():%Y-%m-%d %H:%M:%S} UTC\n{shown}\n")

    def as_error(self, error: BaseException) -> BugError:
        """The error to show for this exception, which is written down."""
        return BugError(
            f"a bug in planner, not in your plans ({type(error).__name__})",
            f"Please report it with the details in {self.write(error)}.",
        )

    @contextmanager
    def of_checks(self) -> Generator[None]:
        """Write down exceptions that checks log, each once."""
        logger = logging.getLogger("planner.verdicts")
        handler = _Handler(self)
        logger.addHandler(handler)
        try:
            yield
        finally:
            logger.removeHandler(handler)


def bug_log(shell: Shell) -> BugLog:
    """The log of a command without reports of its own. In CI it is where reports are: a temporary folder ends with the
    job."""
    is_safe = not (shell.cwd / REPORTS).is_symlink()  # a link may have come with the checkout
    return BugLog(shell, REPORTS if shell.environ.get("CI") and is_safe else None)


def logs_checks(command: Callable[Concatenate[Shell, P], int]) -> Callable[Concatenate[Shell, P], int]:
    """For commands that judge and have no reports of their own: write down exceptions of checks."""

    @wraps(command)
    def logged(shell: Shell, *arguments: P.args, **options: P.kwargs) -> int:
        with bug_log(shell).of_checks():
            return command(shell, *arguments, **options)

    return logged


class _Handler(logging.Handler):
    def __init__(self, log: BugLog) -> None:
        super().__init__(logging.ERROR)
        self._log = log
        self._known: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if error is None or (message := record.getMessage()) in self._known:
            return
        self._known.add(message)
        error.add_note(message)
        self._log.shell.log(f"a bug in planner: {message}; details: {self._log.write(error)}")

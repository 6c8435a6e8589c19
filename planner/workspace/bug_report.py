"""Shows an exception that nobody expected: an exception other than a `PlannerError` is a bug in planner."""

from __future__ import annotations

import sys
import traceback

from planner import __version__
from planner.errors import FULL_DISK, BugError, PlannerError
from planner.reports.neutral import printable
from planner.reports.redaction import Redactor
from planner.shell import Shell


def is_bug(error: BaseException) -> bool:
    """False for errors with an exit code of their own, interruptions, a full disk and a reader of standard output that
    has gone."""
    if isinstance(error, BrokenPipeError) or (isinstance(error, OSError) and error.errno in FULL_DISK):
        return False
    return isinstance(error, Exception) and not isinstance(error, PlannerError)


def show_bug(shell: Shell, error: BaseException, redactor: Redactor | None = None) -> BugError:
    """Print the exception to standard error, without keys, phone numbers and what the project redacts; return the error
    to show."""
    raised = shell.keys.text("".join(traceback.format_exception(error)))
    shell.log(printable((redactor or Redactor()).text(raised)))
    system = f"planner {__version__}, Python {sys.version.split()[0]} on {sys.platform}"
    return BugError(
        f"a bug in planner, not in your plans ({type(error).__name__})",
        f"Please report it with the details on standard error ({system}).",
    )

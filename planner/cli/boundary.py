"""The one error boundary: every error becomes an exit code and a line for the user, none a traceback."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import traceback
from collections.abc import Callable, Sequence

import click

from planner import __version__
from planner.cli.outside import open_streams, shell
from planner.errors import PlanInvalidError, PlannerError
from planner.key_redaction import keys_of

INTERRUPTED = 130
INCOMPLETE = 4
BUG = 5
USAGE = 2


def guarded(command: Callable[[], object], arguments: Sequence[str]) -> int:
    """Run it; returns the exit code, and tells what went wrong. `arguments` are those typed."""
    open_streams()
    try:
        code = command()
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.ClickException as error:
        error.show()
        _leave_no_older_report(arguments, error)
        return USAGE
    except (KeyboardInterrupt, click.Abort):
        _tell("Interrupted. Nothing is dialled twice: run the same command again to go on.")
        _publish_exit_code(INTERRUPTED)
        return INTERRUPTED
    except (BrokenPipeError, SystemExit) as error:
        if isinstance(error, SystemExit) and error.code == 0:
            return 0  # click has answered a shell that completes
        # The reader of a pipe went away: click's own word for it is exit 1, which here would blame the agent. Python would
        # complain once more at exit.
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - stays open to the end
        return 141
    except PlannerError as error:
        _report(error)
        return error.exit_code
    except OSError as error:
        if error.errno != errno.ENOSPC:
            _bug()
            return BUG
        _tell(
            "planner: the disk is full, or what the output goes to is. Free some space and run the same command again."
        )
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - Python would fail once more at exit
        return INCOMPLETE
    except Exception:  # noqa: BLE001 - the one boundary: everything else is a bug of ours
        _bug()
        return BUG
    code = code if isinstance(code, int) else 0
    _publish_exit_code(code)
    return code


def _leave_no_older_report(arguments: Sequence[str], error: click.ClickException) -> None:
    from planner.errors import UsageError
    from planner.invocation.standing_reports import stand_for_mistyped

    with contextlib.suppress(OSError, click.ClickException):  # what was wrong is told already
        stand_for_mistyped(shell(0), arguments, UsageError(error.format_message()))
    _publish_exit_code(USAGE)


def _publish_exit_code(code: int) -> None:
    """The last word in a workflow's outputs; asking needs no import where there is no workflow."""
    if os.environ.get("GITHUB_ACTIONS") == "true":
        from planner.invocation.reporting import publisher_of

        if to_github := publisher_of(shell(0)):
            to_github.exit_code(code)


def _report(error: PlannerError) -> None:
    """One line that says what, and one that says how to mend it; for GitHub an annotation as well."""
    from planner.invocation.reporting import publisher_of, tell_diagnostics
    from planner.reports.neutral import for_terminal
    from planner.reports.redaction import Redactor

    outside = shell(0)
    if isinstance(error, PlanInvalidError):
        tell_diagnostics(outside, error.diagnostics)
    # Both may repeat what the service said.
    shown = [for_terminal(Redactor().name(line)) for line in (str(error), error.hint) if line]
    outside.tell("planner: " + "\n  ".join(shown))
    if to_github := publisher_of(outside):
        if isinstance(error, PlanInvalidError):
            to_github.diagnostics(error.diagnostics)
        to_github.error(error)
        to_github.exit_code(error.exit_code)


def _bug() -> None:
    """A traceback is for us, not for the user's terminal."""
    import tempfile

    with tempfile.NamedTemporaryFile("w", prefix="planner-bug-", suffix=".log", delete=False, encoding="utf-8") as log:
        log.write(f"planner {__version__}, Python {sys.version}\n{keys_of(os.environ).text(traceback.format_exc())}")
    _tell(f"planner: this is a bug in planner, not in your plans. The details are in {log.name}; please report them.")


def _tell(text: str) -> None:
    sys.stderr.write(text + "\n")

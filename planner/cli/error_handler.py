"""Turn every error into an exit code and a message. No traceback reaches the user.

Messages use the defaults of `Invocation`, because an error may come before the command line is parsed.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable

import click

from planner import __version__
from planner.cli.system import Invocation, open_streams, shell
from planner.errors import PlanInvalidError, PlannerError
from planner.key_redaction import keys_of

INTERRUPTED = 130
INCOMPLETE = 4
BUG = 5
USAGE = 2


def run_guarded(command: Callable[[], object]) -> int:
    """Run the command and return its exit code."""
    open_streams()
    try:
        code = command()
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.ClickException as error:
        error.show()
        _publish_exit_code(USAGE)
        return USAGE
    except (KeyboardInterrupt, click.Abort):
        _print_error("Interrupted. Run the same command to resume; nothing is charged twice.")
        _publish_exit_code(INTERRUPTED)
        return INTERRUPTED
    except (BrokenPipeError, SystemExit) as error:
        if isinstance(error, SystemExit) and error.code == 0:
            return 0  # shell completion
        # The reader closed the pipe. click would exit with 1, which here means that the agent failed.
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - stays open to the end
        return 141
    except PlannerError as error:
        _report(error)
        return error.exit_code
    except OSError as error:
        if error.errno != errno.ENOSPC:
            return _bug()
        _print_error("planner: the disk is full. Free some space, then run the same command to resume.")
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - or Python fails again at exit
        return INCOMPLETE
    except Exception:  # noqa: BLE001 - anything else is a bug in planner
        return _bug()
    code = code if isinstance(code, int) else 0
    _publish_exit_code(code)
    return code


def _publish_exit_code(code: int) -> None:
    """Write the exit code to the workflow's outputs. Without a workflow, nothing is imported."""
    if os.environ.get("GITHUB_ACTIONS") == "true":
        from planner.session.reporting import publisher_of

        if to_github := publisher_of(shell(Invocation())):
            to_github.exit_code(code)


def _report(error: PlannerError) -> None:
    """Print the error and its hint; on GitHub, annotate it too."""
    from planner.reports.neutral import for_terminal
    from planner.reports.redaction import Redactor
    from planner.session.reporting import print_diagnostics, publisher_of

    outside = shell(Invocation())
    if isinstance(error, PlanInvalidError):
        print_diagnostics(outside, error.diagnostics)
    # Both lines may repeat text from the service.
    later = "Run the same command again later to resume; nothing is charged twice."
    hint = error.hint or (later if error.exit_code == INCOMPLETE else "")
    shown = [for_terminal(Redactor().name(line)) for line in (str(error), hint) if line]
    outside.log("planner: " + "\n  ".join(shown))
    if to_github := publisher_of(outside):
        if isinstance(error, PlanInvalidError):
            to_github.diagnostics(error.diagnostics)
        to_github.error(error)
        to_github.exit_code(error.exit_code)


def _bug() -> int:
    """Write the traceback to a file and print where it is."""
    import tempfile
    import traceback

    with tempfile.NamedTemporaryFile("w", prefix="planner-bug-", suffix=".log", delete=False, encoding="utf-8") as log:
        log.write(f"planner {__version__}, Python {sys.version}\n{keys_of(os.environ).text(traceback.format_exc())}")
    _print_error(
        f"planner: this is a bug in planner, not in your plans. Please report it with the details in {log.name}."
    )
    return BUG


def _print_error(text: str) -> None:
    sys.stderr.write(text + "\n")

"""Parse the command line into typed options, and turn every error into an exit code and a message. No traceback reaches
the user.

Messages use the defaults of `Invocation`, because an error may come before the command line is parsed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import click

from planner import __version__
from planner.cli.options import GLOBAL
from planner.cli.system import Invocation, open_streams, shell
from planner.errors import FULL_DISK, BugError, PlanInvalidError, PlannerError, leading_error

INTERRUPTED = 130
INCOMPLETE = 4
USAGE = 2
_COMMANDS: Final = {
    "init": "no_calls",
    "validate": "no_calls",
    "explain": "no_calls",
    "show": "no_calls",
    "plan": "calls",
    "run": "calls",
    "recheck": "calls",
    "gate": "no_calls",
    "publish": "no_calls",
    "promote": "no_calls",
    "record": "no_calls",
    "agents": "no_calls",
    "deploy": "no_calls",
    "report": "no_calls",
    "transcript": "no_calls",
    "history": "no_calls",
    "reconcile": "calls",
    "schema": "no_calls",
    "sandbox": "no_calls",
}
"""The modules of the commands, in the order that a user meets them."""

_EXIT_CODES: Final = (
    ("0", "passed, or nothing to do"),
    ("1", "an expectation failed: the agent is at fault"),
    ("2", "bad usage, plan or configuration: the author is at fault"),
    ("3", "consent withheld, or a ceiling or policy forbids it; gate: calls to make"),
    ("4", "incomplete: run the same command to resume; nothing is charged twice"),
    ("5", "a bug in planner"),
    ("10", "plan --detailed-exitcode: calls would be made"),
    ("130", "interrupted"),
)
_ENVIRONMENT: Final = (
    ("THUNDERPHONE_API_KEY", "the service's API key; read only from here"),
    ("THUNDERPHONE_API_BASE_URL", "another server, such as `planner sandbox`"),
    ("THUNDERPHONE_TEST_CALLS_PATH", "the API's path for test calls: /v1/test-calls or /v1/simulations"),
    ("THUNDERPHONE_ALLOW_HTTP_TO", "a host that may receive the key over unencrypted http"),
    ("PLANNER_JUDGE_API_KEY", "the API key of the language model for `check: judge`"),
    ("NO_COLOR", "if set, no output has colours"),
)
_COMPLETION: Final = (
    ("bash", 'eval "$(_PLANNER_COMPLETE=bash_source planner)"'),
    ("zsh", 'eval "$(_PLANNER_COMPLETE=zsh_source planner)"'),
    ("fish", "_PLANNER_COMPLETE=fish_source planner | source"),
)
"""Lines for the shell's start-up file."""


class Root(click.Group):
    """Imports a command's module when the command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        module = _COMMANDS.get(cmd_name)
        return getattr(import_module(f"planner.cli.{module}"), cmd_name) if module else None

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        for title, rows in (("Exit codes", _EXIT_CODES), ("Environment", _ENVIRONMENT), ("Completion", _COMPLETION)):
            with formatter.section(title):
                formatter.write_dl(rows)


@click.group(cls=Root, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="planner", message="%(prog)s %(version)s")
@GLOBAL
@click.pass_context
def planner(context: click.Context, **values: Any) -> None:
    """Test plans for phone agents: validate, see what changed and what it costs, consent, call, judge, report."""
    context.obj = Invocation(**values)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit code (listed in README.md)."""
    return run_guarded(lambda: planner.main(arguments, prog_name="planner", standalone_mode=False))


# Errors


def run_guarded(command: Callable[[], object]) -> int:
    """Run the command and return its exit code."""
    open_streams()
    try:
        code = command()
    except BaseException as error:  # noqa: BLE001 - every error becomes an exit code and a message
        return _ended_by(leading_error(error))
    code = code if isinstance(code, int) else 0
    _publish_exit_code(code)
    return code


def _ended_by(error: BaseException) -> int:
    """Show the error; return the exit code."""
    match error:
        case click.exceptions.Exit():
            return error.exit_code
        case click.ClickException():
            error.show()
            _publish_exit_code(USAGE)
            return USAGE
        case KeyboardInterrupt() | click.Abort():
            _print_error("Interrupted. Run the same command to resume; nothing is charged twice.")
            _publish_exit_code(INTERRUPTED)
            return INTERRUPTED
        case SystemExit(code=0):
            return 0  # shell completion
        case BrokenPipeError() | SystemExit():
            # The reader closed the pipe. click would exit with 1, which here means that the agent failed.
            sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - stays open to the end
            return 141
        case OSError() if error.errno in FULL_DISK:
            _print_error("planner: the disk is full. Free some space, then run the same command to resume.")
            sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - or Python fails again at exit
            return INCOMPLETE
        case PlannerError():
            _report(error)
            return error.exit_code
        case _:
            bug = _bug_of(error)
            _report(bug)
            return bug.exit_code


def _publish_exit_code(code: int) -> None:
    """Write the exit code to the workflow's outputs. Without a workflow, nothing is imported."""
    if os.environ.get("GITHUB_ACTIONS") == "true":
        from planner.session.shell import publisher_of

        if to_github := publisher_of(shell(Invocation())):
            to_github.exit_code(code)


def _report(error: PlannerError) -> None:
    """Print the error and its hint; on GitHub, annotate it too."""
    from planner.reports.neutral import for_terminal
    from planner.reports.redaction import Redactor
    from planner.session.shell import print_diagnostics, publisher_of

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


def _bug_of(error: BaseException) -> BugError:
    """The error to show for an exception that nobody expected. In CI its details are written where reports are, since a
    temporary folder ends with the job."""
    from planner.session.bug_report import BugLog

    outside = shell(Invocation())
    folder = Path("reports")
    is_kept = os.environ.get("CI") and not folder.is_symlink()  # a link may have come with the checkout
    return BugLog(outside, folder if is_kept else None).as_error(error)


def _print_error(text: str) -> None:
    sys.stderr.write(text + "\n")

"""Parse the command line into typed options, and turn every error into an exit code and a message. No traceback reaches
the user.

Messages use the defaults of `GlobalOptions`, because an error may come before the command line is parsed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

import click

from planner import __version__
from planner.cli.layout import SETTINGS, Group
from planner.cli.system import GlobalOptions, has_output, open_streams, shell
from planner.errors import (
    FULL_DISK,
    BugError,
    IncompleteError,
    InterruptedRunError,
    PlanInvalidError,
    PlannerError,
    UsageError,
    leading_error,
)
from planner.interruption import asks_for_json

INTERRUPTED = 130
INCOMPLETE = 4
BUG = 5
USAGE = 2
_SECTIONS: Final[dict[str, dict[str, tuple[str, str]]]] = {
    "Start here": {
        "init": ("plans", "Write a first plan and planner.yaml."),
        "validate": ("plans", "Find every mistake in the plans. Offline."),
        "plan": ("plans", "Show which calls are needed, why, their price and duration."),
        "run": ("plans", "Make these calls, judge them, write the reports. Costs money."),
        "transcript": ("results", "Read conversations; --failed: those that did not pass."),
    },
    "Write plans": {
        "show": ("plans", "Show a case in full, or a target and its cases."),
        "explain": ("plans", "Explain an error code or a check, with an example."),
    },
    "Look back": {
        "report": ("results", "Write a report again, or compare two."),
        "history": ("results", "Pass rates and flaky cases; --spend: who agreed to what."),
    },
    "Agents as files": {"agent": ("agent", "pull | deploy | previews")},
    "Language model": {"judge": ("judge", "label | calibrate")},
    "Repair and erase": {
        "reconcile": ("results", "Settle launches whose answer was lost."),
        "forget": ("results", "Erase the words of a call from results and stores."),
    },
    "For workflows and tools": {
        "ci": ("ci", "run | gate | publish | promote | record"),
        "sandbox": ("tools", "Serve the simulated service on a port."),
        "schema": ("tools", "Write the JSON Schemas."),
    },
}
"""Section → command → its module and what it does, in the order that a user meets them."""
_COMMANDS: Final = {name: module for section in _SECTIONS.values() for name, (module, _) in section.items()}

_EXIT_CODES: Final = (
    ("0", "passed, or nothing to do"),
    ("1", "an expectation failed: fix the agent"),
    ("2", "bad usage, plan, configuration or key: fix what the message names"),
    ("3", "not permitted: no consent, no balance, or a ceiling or policy forbids it"),
    ("4", "incomplete: an outcome is unknown; the last line says what to run"),
    ("5", "a bug in planner"),
    ("10", "plan --detailed-exitcode: calls are needed"),
    ("130", "interrupted: run the same command to resume"),
)
_ENVIRONMENT: Final = (
    ("THUNDERPHONE_API_KEY", "the service's key; read only from here"),
    ("THUNDERPHONE_API_BASE_URL", "another server, such as `planner sandbox`"),
    ("PLANNER_JUDGE_API_KEY", "the judge's key"),
)
_HINTS: Final = (
    "Try it without a key or a phone:  planner run --sandbox --consent-to-charge",
    "Shell completion:                 planner explain completion",
)


class Root(Group):
    """Imports a command's module when the command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        module = _COMMANDS.get(cmd_name)
        return getattr(import_module(f"planner.cli.{module}"), cmd_name) if module else None

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(map(len, _COMMANDS))
        for title, commands in _SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), text) for name, (_, text) in commands.items()])
        click.Command.format_options(self, ctx, formatter)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        for title, rows in (("Exit codes", _EXIT_CODES), ("Environment", _ENVIRONMENT)):
            with formatter.section(title):
                formatter.write_dl(rows)
        formatter.write_paragraph()
        for line in _HINTS:
            formatter.write(f"{line}\n")


@click.group(cls=Root, context_settings=SETTINGS)
@click.option("-v", "--verbose", count=True, help="Explain decisions; -vv also logs requests.")
@click.version_option(__version__, prog_name="planner", message="%(prog)s %(version)s", help="Show the version.")
@click.pass_context
def planner(context: click.Context, **values: Any) -> None:
    """Test plans for phone agents. planner shows which test calls are needed and what they cost, makes them once you
    agree, and reports what failed."""
    context.obj = GlobalOptions(**values)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit code (listed in README.md)."""
    words = sys.argv[1:] if arguments is None else arguments
    is_json = asks_for_json(words)
    return run_guarded(lambda: planner.main(arguments, prog_name="planner", standalone_mode=False), is_json=is_json)


# Errors


def run_guarded(command: Callable[[], object], *, is_json: bool = False) -> int:
    """Run the command and return its exit code. `is_json`: standard output is one JSON document, whatever happens."""
    open_streams()
    try:
        code = command()
    except BaseException as error:  # noqa: BLE001 - every error becomes an exit code and a message
        leading = leading_error(error)
        code = _ended_by(leading)
        if is_json and not has_output():
            _print_document(leading, code)
        return code
    return code if isinstance(code, int) else 0


def _ended_by(error: BaseException) -> int:
    """Show the error; return the exit code."""
    match error:
        case click.exceptions.Exit():
            return error.exit_code
        case click.ClickException():
            error.show()
            return USAGE
        case KeyboardInterrupt() | click.Abort():
            _print_error("Interrupted. Run the same command to resume; nothing is charged twice.")
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


def _hint_of(error: PlannerError) -> str:
    later = "Run the same command again later to resume; nothing is charged twice."
    return error.hint or (later if error.exit_code == INCOMPLETE else "")


def _report(error: PlannerError) -> None:
    """Print the error and its hint; on GitHub, annotate it too."""
    from planner.ci.step import publisher_of
    from planner.reports.neutral import for_terminal
    from planner.reports.redaction import Redactor
    from planner.shell import print_diagnostics

    outside = shell(GlobalOptions())
    if isinstance(error, PlanInvalidError):
        print_diagnostics(outside, error.diagnostics)
    # Others can find it by the session's id: the service's support, or a reader of our reports.
    session = f"Session {error.session_id}" if error.exit_code in (INCOMPLETE, BUG) and error.session_id else ""
    # The message and the hint may repeat text from the service. What to do stands last.
    message, hint = (for_terminal(Redactor().name(line)) for line in (str(error), _hint_of(error)))
    outside.log("planner: " + "\n  ".join(filter(None, [message, session, hint])))
    if to_github := publisher_of(outside):
        if isinstance(error, PlanInvalidError):
            to_github.diagnostics(error.diagnostics)
        to_github.error(error)


def _print_document(error: BaseException, exit_code: int) -> None:
    from planner.reports.diagnostics import as_documents
    from planner.reports.neutral import error_document, json_document
    from planner.reports.redaction import Redactor

    show = Redactor().name
    match error:
        case PlannerError():
            shown = error_document(error.code, show(str(error)), show(_hint_of(error)))
        case click.ClickException():
            shown = error_document(UsageError.code, error.format_message())
        case KeyboardInterrupt() | click.Abort():
            shown = error_document(InterruptedRunError.code, "interrupted", "Run the same command to resume.")
        case OSError():
            shown = error_document(IncompleteError.code, error.strerror or str(error))
        case _:
            shown = error_document(BugError.code, "this is a bug in planner")
    found = as_documents(error.diagnostics) if isinstance(error, PlanInvalidError) else ()
    sys.stdout.write(json_document({}, exit_code=exit_code, error=shown, diagnostics=found))


def _bug_of(error: BaseException) -> BugError:
    """The error to show for an exception that nobody expected."""
    from planner.workspace.bug_report import show_bug

    return show_bug(shell(GlobalOptions()), error)


def _print_error(text: str) -> None:
    sys.stderr.write(text + "\n")

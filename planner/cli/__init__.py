"""Parse the command line into typed options. `planner --help` shows commands, exit codes, environment and completion."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

import click

from planner import __version__
from planner.cli.error_handler import run_guarded
from planner.cli.options import GLOBAL
from planner.cli.system import Invocation

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

"""`planner --help`: the list of commands, exit codes, environment and shell completion."""

from __future__ import annotations

from importlib import import_module
from typing import Final

import click

_COMMANDS: Final = {
    "init": "plan_files:init",
    "validate": "plan_files:validate",
    "explain": "plan_files:explain",
    "show": "plan_files:show",
    "plan": "calls:plan",
    "run": "calls:run",
    "recheck": "calls:recheck",
    "gate": "pull_requests:gate",
    "publish": "pull_requests:publish",
    "promote": "pull_requests:promote",
    "record": "pull_requests:record",
    "agents": "agents:agents",
    "deploy": "agents:deploy",
    "report": "stored_results:report",
    "transcript": "stored_results:transcript",
    "history": "stored_results:history",
    "reconcile": "calls:reconcile",
    "schema": "plan_files:schema",
    "sandbox": "calls:sandbox",
}
"""In the order that a user meets them."""

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
        module, _, command = _COMMANDS.get(cmd_name, "").partition(":")
        return getattr(import_module(f"planner.cli.{module}"), command) if module else None

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        for title, rows in (("Exit codes", _EXIT_CODES), ("Environment", _ENVIRONMENT), ("Completion", _COMPLETION)):
            with formatter.section(title):
                formatter.write_dl(rows)

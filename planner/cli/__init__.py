"""Parse the command line into typed options."""

from __future__ import annotations

from typing import Any

import click

from planner import __version__
from planner.cli.error_handler import run_guarded
from planner.cli.options import GLOBAL
from planner.cli.root import Root
from planner.cli.system import Invocation


@click.group(cls=Root, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="planner", message="%(prog)s %(version)s")
@GLOBAL
@click.pass_context
def planner(context: click.Context, **values: Any) -> None:
    """Test plans for phone agents: validate, see what changed and what it costs, consent, call, judge, report."""
    context.obj = Invocation(**values)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit code (the contract of README.md, "Exit codes")."""
    return run_guarded(lambda: planner.main(arguments, prog_name="planner", standalone_mode=False), arguments or ())

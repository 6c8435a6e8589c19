"""Commands for pull requests in CI. They make no calls."""

from __future__ import annotations

from typing import Any

import click

from planner.cli import options
from planner.cli.options import selection
from planner.cli.system import shell


@click.command()
@options.SELECTING
@click.option("--refresh", is_flag=True, help="Read agent revisions from the service (needs a key).")
@options.FAIL_ON
@options.output_format("text", "json")
@click.pass_obj
def gate(verbosity: int, **values: Any) -> int:
    """Answer the required check of a pull request. Makes no calls.

    \b
    Exit codes:
      0  green: nothing is left to call, collect or judge, and nothing fails
         that does not already fail on the base branch
      1  a case failed or regressed
      3  calls are to be made
      4  incomplete: calls, evidence, bills or judge calls are missing

    PATH… are plan files or folders (default: plans/).
    """  # noqa: D301 - click keeps these lines as they are
    from planner.commands import gate as command

    return command.gate(shell(verbosity), command.GateOptions(selection(values), **values))

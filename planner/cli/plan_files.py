"""Commands that read and write authored files: offline, without a key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from planner.cli.options import ENVIRONMENT, PATHS, output_format
from planner.cli.system import Invocation, shell


@click.command()
@click.option(
    "--dir",
    "directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    metavar="DIR",
    help="Where to write (default: here).",
)
@click.pass_obj
def init(invocation: Invocation, directory: Path) -> int:
    """Write a first plan, planner.yaml and workflows. Overwrites nothing."""
    from planner.commands import init as command

    return command.init(shell(invocation), directory)


@click.command()
@PATHS
@ENVIRONMENT
@output_format("text", "json", "github", "sarif", help="github: workflow commands; sarif: for code scanning.")
@click.pass_obj
def validate(invocation: Invocation, **values: Any) -> int:
    """Report everything that is wrong with the plans. Offline, needs no key.

    PATH… are plan files or folders (default: plans/).
    """
    from planner.commands import validate as command

    return command.validate(shell(invocation), **values)


@click.command()
@click.argument("topic", required=False, metavar="[CODE | check:KIND | checks]")
@output_format("text", "json", "markdown")
@click.pass_obj
def explain(invocation: Invocation, **values: Any) -> int:
    """Explain a diagnostic or a kind of check.

    Shows an example and its fix. CODE is the word in brackets, such as unknown-key. Without it: a list of everything.
    """
    from planner.commands import explain as command

    return command.explain(shell(invocation), **values)


@click.command()
@click.argument("case", metavar="CASE")
@PATHS
@ENVIRONMENT
@output_format("text", "json")
@click.pass_obj
def show(invocation: Invocation, **values: Any) -> int:
    """Show a case in full, and where each part of it is written.

    CASE is a case id, or a pattern with * and ?. Offline, needs no key.
    """
    from planner.commands import show as command

    return command.show(shell(invocation), **values)


@click.command()
@click.option(
    "--out", "directory", type=click.Path(path_type=Path), default=Path("schemas"), show_default=True, metavar="DIR"
)
@click.option("--check", is_flag=True, help="Write nothing; exit with 2 if a file is out of date.")
@click.pass_obj
def schema(invocation: Invocation, directory: Path, check: bool) -> int:
    """Write the JSON Schemas of plans, planner.yaml and results."""
    from planner.commands import schema as command

    return command.schema(shell(invocation), directory, check=check)

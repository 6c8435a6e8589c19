"""Commands for authored files and stored results. They make no calls."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from planner.cli.options import ENVIRONMENT, PATHS, STORED, output_format, selection
from planner.cli.system import Invocation, shell
from planner.reports import FORMATS


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


_ENVIRONMENT = click.option(
    "--environment", metavar="NAME", help="Results of this environment (default: results without one)."
)


@click.command()
@click.argument("results")
@click.argument("older", required=False)
@output_format(*FORMATS)
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="FILE", help="Write to this file (default: standard output)."
)
@STORED
@click.pass_obj
def report(invocation: Invocation, **values: Any) -> int:
    """Render a stored report, or compare two.

    A comparison shows what regressed, what was fixed, and how certain that is. RESULTS and OLDER are files, such as
    reports/results.json, or ids of stored sessions.
    """
    import random

    from planner.commands import report as command

    # Seeded, so that the same results give the same text.
    return command.report(
        shell(invocation),
        command.ReportOptions(selection(values), **values),
        random.Random(0),  # noqa: S311
    )


@click.command()
@click.argument("case", required=False, metavar="[CASE]")
@click.option("--plan", metavar="NAME", help="Only cases of this plan.")
@_ENVIRONMENT
@STORED
@click.option("--since", metavar="WHEN", help="Only sessions since a date (2026-11-01) or an age (12h, 14d, 6w).")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the newest N sessions.")
@output_format("text", "csv", "json")
@click.pass_obj
def history(invocation: Invocation, **values: Any) -> int:
    """Show results over time. Makes no calls.

    Shows pass rate, duration, latency, grade, cost and flakiness. CASE is a case id, or a pattern with * and ?. Without
    it: all sessions and cases.
    """
    from planner.commands import history as command

    return command.history(shell(invocation), command.HistoryOptions(selection(values), **values))


@click.command()
@click.argument("wanted", metavar="CASE|RUN")
@click.option("--failed", is_flag=True, help="Only runs that did not pass.")
@_ENVIRONMENT
@STORED
@output_format("text", "json")
@click.pass_obj
def transcript(invocation: Invocation, **values: Any) -> int:
    """Print stored conversations. Makes no calls.

    Shows turns with time and speaker, tool calls, the end reason, and each finding at its turn. CASE is a case id, or a
    pattern with * and ?; RUN is the id of a run. For a case, the newest stored runs are shown.
    """
    from planner.commands import transcript as command

    return command.transcript(shell(invocation), command.TranscriptOptions(selection(values), **values))

"""Commands that show stored results. They make no calls."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from planner.cli.options import POLICY_FROM, STORE
from planner.cli.system import shell


@click.command()
@click.argument("results")
@click.argument("older", required=False)
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["markdown", "json", "junit", "html", "sarif"]),
    default="markdown",
    show_default=True,
)
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="FILE", help="Write to this file (default: standard output)."
)
@STORE
@POLICY_FROM
@click.option("--sandbox", is_flag=True, help="The embedded service's results.")
@click.pass_obj
def report(verbosity: int, **values: Any) -> int:
    """Render a stored report, or compare two.

    A comparison shows what regressed, what was fixed, and how certain that is. RESULTS and OLDER are files, such as
    reports/results.json, or ids of stored sessions.
    """
    import random

    from planner.commands.report import ReportOptions
    from planner.commands.report import report as command

    # Seeded, so that the same results give the same text.
    return command(shell(verbosity), ReportOptions(**values), random.Random(0))  # noqa: S311


@click.command()
@click.argument("case", required=False, metavar="[CASE]")
@click.option("--plan", metavar="NAME", help="Only cases of this plan.")
@click.option("--environment", metavar="NAME", help="Sessions of this environment (default: sessions without one).")
@STORE
@POLICY_FROM
@click.option("--since", metavar="WHEN", help="Only sessions since a date (2026-11-01) or an age (12h, 14d, 6w).")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the newest N sessions.")
@click.option("--sandbox", is_flag=True, help="The embedded service's results.")
@click.option(
    "--format", "output_format", type=click.Choice(["text", "csv", "json"]), default="text", show_default=True
)
@click.pass_obj
def history(verbosity: int, **values: Any) -> int:
    """Show results over time. Makes no calls.

    Shows pass rate, duration, latency, grade, cost and flakiness. CASE is a case id, or a pattern with * and ?. Without
    it: all sessions and cases.
    """
    from planner.commands.history import HistoryOptions
    from planner.commands.history import history as command

    return command(shell(verbosity), HistoryOptions(**values))


@click.command()
@click.argument("wanted", metavar="CASE|RUN")
@click.option("--failed", is_flag=True, help="Only runs that did not pass.")
@click.option("--environment", metavar="NAME", help="Results of this environment (default: results without one).")
@STORE
@POLICY_FROM
@click.option("--sandbox", is_flag=True, help="The embedded service's results.")
@click.option("--format", "output_format", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.pass_obj
def transcript(verbosity: int, **values: Any) -> int:
    """Print stored conversations. Makes no calls.

    Shows turns with time and speaker, tool calls, the end reason, and each finding at its turn. CASE is a case id, or a
    pattern with * and ?; RUN is the id of a run. For a case, the newest stored runs are shown.
    """
    from planner.commands.transcript import TranscriptOptions
    from planner.commands.transcript import transcript as command

    return command(shell(verbosity), TranscriptOptions(**values))

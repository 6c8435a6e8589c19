"""Commands that show what calls were made and what came of them. They call nobody."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from planner.cli.options import POLICY_FROM, STORE
from planner.cli.outside import shell


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
    "--out", type=click.Path(path_type=Path), metavar="FILE", help="Write it here (default: standard output)."
)
@STORE
@POLICY_FROM
@click.option("--sandbox", is_flag=True, help="The embedded service's results.")
@click.pass_obj
def report(verbosity: int, **values: Any) -> int:
    """Write a report again, or compare two results.

    A comparison tells what regressed, what was fixed, and how sure that is. RESULTS and OLDER are files, such as
    reports/results.json, or invocations of the store by their id.
    """
    import random

    from planner.commands.report import ReportOptions
    from planner.commands.report import report as command

    # Seeded: the same results give the same text. Resampling decides nothing that is secret.
    return command(shell(verbosity), ReportOptions(**values), random.Random(0))  # noqa: S311


@click.command()
@click.argument("case", required=False, metavar="[CASE]")
@click.option("--plan", metavar="NAME", help="Only cases of this plan.")
@click.option("--environment", metavar="NAME", help="Invocations of this environment (default: of none).")
@STORE
@POLICY_FROM
@click.option("--since", metavar="WHEN", help="No further back than a date (2026-11-01) or an age (12h, 14d, 6w).")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the newest N invocations.")
@click.option("--sandbox", is_flag=True, help="The embedded service's results.")
@click.option(
    "--format", "output_format", type=click.Choice(["text", "csv", "json"]), default="text", show_default=True
)
@click.pass_obj
def history(verbosity: int, **values: Any) -> int:
    """Show how calls went over time. Calls nobody.

    Tells pass rate, duration, latency, grade, cost and flakiness. CASE is a case id, or a pattern with * and ?. Without it: all
    invocations, and every case.
    """
    from planner.commands.history import HistoryOptions
    from planner.commands.history import history as command

    return command(shell(verbosity), HistoryOptions(**values))


@click.command()
@click.argument("wanted", metavar="CASE|RUN")
@click.option("--failed", is_flag=True, help="Only runs that did not pass.")
@click.option("--environment", metavar="NAME", help="Results of this environment (default: of none).")
@STORE
@POLICY_FROM
@click.option("--sandbox", is_flag=True, help="The embedded service's results.")
@click.option("--format", "output_format", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.pass_obj
def transcript(verbosity: int, **values: Any) -> int:
    """Print stored conversations. Calls nobody.

    Shows turns with time and speaker, tool calls, the end reason, and each finding at its turn. CASE is a case id, or a
    pattern with * and ?; RUN is the number of a run. Of a case, the newest stored runs are shown.
    """
    from planner.commands.transcript import TranscriptOptions
    from planner.commands.transcript import transcript as command

    return command(shell(verbosity), TranscriptOptions(**values))

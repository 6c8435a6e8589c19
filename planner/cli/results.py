"""Commands for stored results and open launches."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from planner.cli import options
from planner.cli.layout import command, option
from planner.cli.options import OUTPUT, selection
from planner.cli.system import GlobalOptions, shell
from planner.reports import FORMATS


@command(examples=["planner transcript 'refunds/late-order@support' --failed"])
@click.argument("wanted", metavar="CASE|RUN")
@option(options.CASES, "--failed", is_flag=True, help="Only runs that did not pass.")
@options.STORED
@options.output_format(OUTPUT, "text", "json")
@option(
    OUTPUT,
    "--unmasked",
    is_flag=True,
    help="Show phone numbers, and what `redact` lists, unmasked. Only on a terminal, where the originals are stored.",
)
@click.pass_obj
def transcript(global_options: GlobalOptions, **values: Any) -> int:
    """Read stored conversations. Makes no calls.

    Shows turns with time and speaker, tool calls, the end reason, and each finding at its turn. CASE is a case id, or a
    pattern with * and ?; RUN is the id of a run or of its call. For a case, the newest stored runs are
    shown.
    """
    from planner.commands import transcript as module

    return module.transcript(shell(global_options), module.TranscriptOptions(selection(values), **values))


@command(examples=["planner report --format junit --out junit.xml", "planner report reports/results.json older.json"])
@click.argument("results", default="reports/results.json")
@click.argument("older", required=False)
@options.STORED
@options.output_format(OUTPUT, *FORMATS)
@option(
    OUTPUT,
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write to this file (default: standard output).",
)
@click.pass_obj
def report(global_options: GlobalOptions, **values: Any) -> int:
    """Write a report again, or compare two.

    A comparison shows what regressed and what passes now. RESULTS (default: reports/results.json)
    and OLDER are files or ids of stored sessions.
    """
    from planner.commands import report as module

    return module.report(shell(global_options), module.ReportOptions(selection(values), **values))


@command(examples=["planner history", "planner history 'refunds/*'", "planner history --spend --since 30d"])
@click.argument("case", required=False, metavar="[CASE]")
@option(
    options.CASES,
    "--spend",
    is_flag=True,
    help="Who agreed to what, what was billed and what is reserved: one line for each consent, and the sum.",
)
@option(
    options.CASES, "--since", metavar="AGE", help="Only sessions or consents no older than this, such as 30d or 12h."
)
@options.STORED
@options.output_format(OUTPUT, "text", "json")
@click.pass_obj
def history(global_options: GlobalOptions, **values: Any) -> int:
    """Show pass rates and flaky cases over time. Makes no calls.

    CASE is a case id, a pattern with * and ?, or the id of a run or of its call. Without it: all cases.
    """
    from planner.commands import history as module

    return module.history(shell(global_options), module.HistoryOptions(selection(values), **values))


@command(examples=["planner forget 7110 --yes"])
@click.argument("calls", metavar="RUN...", nargs=-1, required=True, type=int)
@option("Agree", "--yes", is_flag=True, help="Do not ask for confirmation.")
@options.PLACE
@options.output_format(OUTPUT, "text", "json")
@click.pass_obj
def forget(global_options: GlobalOptions, **values: Any) -> int:
    """Erase the words of calls from the store of this machine and the shared one. Makes no calls.

    RUN is the id of a stored run or of its call. Transcripts, quotes, findings and answers of a judge go; ids, times,
    costs and outcomes stay, so that nothing is called again and no verdict changes. A git ref starts a new history.

    It lists first what it erases and what it cannot reach, and asks. Exit code 4 if something is left in the stores.
    """
    from planner.commands import forget as module

    is_asked = sys.stdin.isatty() and sys.stdout.isatty() and values["output_format"] == "text"
    confirm = click.confirm if is_asked else None
    return module.forget(shell(global_options), module.ForgetOptions(selection(values), confirm=confirm, **values))


_SETTLE = "Settle"


@command(
    examples=[
        "planner reconcile",
        "planner reconcile 3f9c0a7d5e21b846 --adopt 7110 --adopt 7111",
        "planner reconcile 3f9c0a7d5e21b846 --assume-not-sent",
    ]
)
@click.argument("launch", required=False)
@option(
    _SETTLE,
    "--adopt",
    multiple=True,
    type=int,
    metavar="RUN_ID",
    help="This run belongs to the launch; repeat for each run.",
)
@option(
    _SETTLE,
    "--assume-not-sent",
    is_flag=True,
    help="You checked: the service never received it. It may be sent again.",
)
@option(
    _SETTLE,
    "--not-ours",
    multiple=True,
    type=int,
    metavar="RUN_ID",
    help="With --assume-not-sent: this run does not belong to the launch; repeat for each run.",
)
@options.PLACE
@options.output_format(OUTPUT, "text", "json")
@click.pass_obj
def reconcile(global_options: GlobalOptions, **values: Any) -> int:
    """List unconfirmed launches, or settle one.

    A launch is unconfirmed when its answer was lost and the service's lists do not show which runs it became. Exit code
    4 while any is open. `planner run` settles most of them within ten minutes; the rest need a person who can look at
    the service.

    --adopt: these runs belong to the launch (same time, target and prompts, started by nobody else). Name as many runs
    as the launch asked for. The next run resumes them; they are not charged again.

    --assume-not-sent: the service has no such run. The next run may call again; if the launch did arrive, its calls are
    charged twice. Refused while the service shows runs that may belong to the launch, until each is named with
    --not-ours.
    """
    from planner.commands import reconcile as module

    return module.reconcile(shell(global_options), module.ReconcileOptions(selection(values), **values))

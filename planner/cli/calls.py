"""Commands that plan, make, recheck or reconcile calls."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from planner.cli import options
from planner.cli.options import selection
from planner.cli.system import Invocation, shell


@click.command()
@options.SELECTING
@options.RERUN
@click.option("--refresh", is_flag=True, help="Read agent revisions and the balance from the service (needs a key).")
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 10 if calls would be made.")
@options.output_format("text", "json")
@click.option("--explain", multiple=True, metavar="CASE", help="Explain these cases (an id or a glob) in full instead.")
@click.pass_obj
def plan(invocation: Invocation, **values: Any) -> int:
    """Show what would be called, why, and what it would cost. Makes no calls.

    PATH… are plan files or folders (default: plans/).
    """
    from planner.commands import plan as command

    return command.plan(shell(invocation), command.PlanOptions(selection(values), **values))


@click.command()
@options.SELECTING
@options.RERUN
@options.CONSENT
@options.MAX_COST
@click.option("--plan-digest", metavar="SHA256:…", help="Refuse any call outside the change set with this digest.")
@options.REPORT_DIR
@click.option("--max-concurrent", type=click.IntRange(min=1), metavar="N", help="Run at most N calls at the same time.")
@click.option("--fail-fast", is_flag=True, help="Stop launching after the first failed run that counts.")
@options.FAIL_ON
@options.COMPARE_WITH
@options.FRESH
@click.option(
    "--trace",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help=(
        "Log every request to FILE as JSON lines: time, path, duration and outcome, without keys, prompts or phone "
        "numbers."
    ),
)
@click.option(
    "--comment-on",
    type=click.IntRange(min=1),
    metavar="NUMBER",
    help="Show the progress in the comment on this pull request, at most every 30 seconds (needs GITHUB_TOKEN).",
)
@options.COMMENT_NAME
@options.COMMENT_AUTHOR
# As for all commands (`options.GLOBAL`), because people add it at the end of the command that they repeat.
@click.option("-v", "--verbose", count=True, help="Explain decisions on standard error; -vv also logs requests.")
@click.pass_obj
def run(invocation: Invocation, verbose: int, **values: Any) -> int:
    """Call, judge and report what changed. Makes no call without --consent-to-charge.

    PATH… are plan files or folders (default: plans/).

    -v explains why a launch waits, how many calls run at the same time, which launches were found by reconciliation,
    and what each ceiling still allows.

    To resume an interrupted or killed run, run the same command; nothing is charged twice.
    """
    from planner.commands import run as command
    from planner.github.comment import CommentPlace
    from planner.session.run_session import RunOptions

    number, name, author = (values.pop(option) for option in ("comment_on", "name", "author"))
    comment = None if number is None else CommentPlace(number, name, author)
    if values.pop("compare_with") == "none":
        values["fail_on"] = options.without_regressions(values["fail_on"])
    invocation = replace(invocation, verbose=invocation.verbose + verbose)
    return command.run(shell(invocation), RunOptions(selection(values), comment=comment, **values))


@click.command()
@options.SELECTING
@options.REPORT_DIR
@options.FAIL_ON
@click.pass_obj
def recheck(invocation: Invocation, **values: Any) -> int:
    """Evaluate stored calls with today's expectations. Free: makes no calls and stores no verdict.

    PATH… are plan files or folders (default: plans/). Cases that were never called are skipped. `planner run` also
    rechecks what changed, and makes the judge calls that `check: judge` needs; here only stored answers count.
    """
    from planner.commands import recheck as command

    return command.recheck(shell(invocation), selection(values), **values)


@click.command()
@click.argument("launch", required=False)
@click.option(
    "--adopt", multiple=True, type=int, metavar="RUN_ID", help="This run belongs to the launch; repeat for each run."
)
@click.option(
    "--assume-not-sent", is_flag=True, help="You checked: the service never received it. It may be sent again."
)
@click.option(
    "--not-ours",
    multiple=True,
    type=int,
    metavar="RUN_ID",
    help="With --assume-not-sent: this run does not belong to the launch; repeat for each run.",
)
@options.STORED
@click.option("--world", metavar="NAME|FILE", hidden=True)
@click.pass_obj
def reconcile(invocation: Invocation, **values: Any) -> int:
    """List unconfirmed launches, or settle one.

    A launch is unconfirmed when its answer was lost and the service's lists do not show which runs it became. Exit code
    4 while any is open. `planner run` settles most of them within ten minutes; the rest need a person who can look at
    the service.

    --adopt: these runs belong to the launch (same time, target and prompts, started by nobody else). Name as many runs
    as the launch asked for. The next run resumes them; they are not charged again.

    --assume-not-sent: the service has no such run. The next run may call again; if the launch did arrive, its calls are
    charged twice. Refused while the service shows runs that may belong to the launch, until each is named with
    --not-ours.

    \b
    Examples:
      planner reconcile
      planner reconcile 3f9c0a7d5e21b846 --adopt 7110 --adopt 7111
      planner reconcile 3f9c0a7d5e21b846 --assume-not-sent
    """  # noqa: D301 - click keeps these lines as they are
    from planner.commands import reconcile as command

    return command.reconcile(shell(invocation), command.ReconcileOptions(selection(values), **values))

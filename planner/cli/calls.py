"""Commands that plan, make, recheck or reconcile calls, and the sandbox server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from planner.cli.options import FAIL_ON, FRESH, POLICY_FROM, REPORT_DIR, RERUN, STORE, Dollars, selecting, selection
from planner.cli.system import shell


@click.command()
@selecting
@RERUN
@click.option("--refresh", is_flag=True, help="Read agent revisions and the balance from the service (needs a key).")
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 10 if calls would be made.")
@click.option("--format", "output_format", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="Save the plan for `planner run FILE`.")
@click.option("--explain", multiple=True, metavar="CASE", help="Explain these cases (an id or a glob) in full instead.")
@click.pass_obj
def plan(
    verbosity: int,
    refresh: bool,
    detailed_exitcode: bool,
    output_format: Any,
    out: Path | None,
    explain: tuple[str, ...],
    **values: Any,
) -> int:
    """Show what would be called, why, and what it would cost. Makes no calls.

    PATH… are plan files or folders (default: plans/).
    """
    from planner.commands.plan import PlanOptions
    from planner.commands.plan import plan as command

    return command(
        shell(verbosity), PlanOptions(selection(values), refresh, detailed_exitcode, output_format, out, explain)
    )


@click.command()
@selecting
@RERUN
@click.option("--consent-to-charge", is_flag=True, help="Agree to pay for these calls. Without it, no call is made.")
@click.option("--max-cost", type=Dollars(), metavar="DOLLARS", help="Hard ceiling on the cost, such as 12.50.")
@click.option("--plan-digest", metavar="SHA256:…", help="Refuse any call outside the change set with this digest.")
@REPORT_DIR
@click.option("--max-concurrent", type=click.IntRange(min=1), metavar="N", help="Run at most N calls at the same time.")
@click.option("--fail-fast", is_flag=True, help="Stop launching after the first failed run.")
@FAIL_ON
@FRESH
@click.option(
    "--trace",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Log every request to FILE as JSON lines: time, path, duration and outcome, without keys, prompts or phone numbers.",
)
@click.option("-v", "--verbose", count=True, help="Explain decisions on standard error; -vv also logs requests.")
@click.pass_obj
def run(verbosity: int, verbose: int, **values: Any) -> int:
    """Call, judge and report what changed. Makes no call without --consent-to-charge.

    PATH… are plan files or folders (default: plans/), or one file from `planner plan --out`: then exactly that plan is
    run, once.

    -v explains why a launch waits, how many calls run at the same time, which launches were found by reconciliation,
    and what each ceiling still allows.

    To resume an interrupted or killed run, run the same command; nothing is charged twice.
    """
    from planner.commands.run import run as command
    from planner.session.run_options import RunOptions

    return command(
        shell(verbosity + verbose),
        RunOptions(
            selection=selection(values),
            consent_to_charge=values["consent_to_charge"],
            max_cost_cents=values["max_cost"],
            plan_digest=values["plan_digest"],
            report_dir=values["report_dir"],
            max_concurrent=values["max_concurrent"],
            fail_fast=values["fail_fast"],
            fail_on=values["fail_on"],
            trace=values["trace"],
        ),
    )


@click.command()
@selecting
@REPORT_DIR
@FAIL_ON
@click.option("--consent-to-charge", is_flag=True, help="Agree to pay for judge calls whose answers are not stored.")
@click.option("--max-cost", type=Dollars(), metavar="DOLLARS", help="Spend at most this on judge calls.")
@click.pass_obj
def recheck(verbosity: int, report_dir: Path, **values: Any) -> int:
    """Evaluate stored calls with today's expectations. Makes no phone calls and stores no verdict.

    PATH… are plan files or folders (default: plans/). Cases that were never called are skipped. `planner run` also
    rechecks what changed.

    Free, unless an expectation with `check: judge` needs a new judge call; that requires --consent-to-charge. Stored
    answers are reused.
    """
    from planner.commands.recheck import RecheckOptions
    from planner.commands.recheck import recheck as command

    return command(
        shell(verbosity),
        RecheckOptions(
            selection(values),
            report_dir,
            values["consent_to_charge"],
            values["max_cost"],
            values["fail_on"],
        ),
    )


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
@STORE
@POLICY_FROM
@click.option("--sandbox", is_flag=True, help="Use the sandbox's launches.")
@click.option("--world", metavar="NAME|FILE", hidden=True)
@click.pass_obj
def reconcile(verbosity: int, **values: Any) -> int:
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
    from planner.commands.reconcile import ReconcileOptions
    from planner.commands.reconcile import reconcile as command
    from planner.session.selection import Selection

    journal = Selection(
        store=values["store"],
        sandbox=values["sandbox"],
        world=values["world"],
        policy_from=values["policy_from"],
    )
    said = (values["adopt"], values["assume_not_sent"], values["not_ours"])
    return command(shell(verbosity), ReconcileOptions(journal, values["launch"], *said))


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(0, 65_535), default=8080, show_default=True, help="0 picks a free port.")
@click.option("--world", default="demo", show_default=True, metavar="NAME|FILE")
@click.option("--dialect", type=click.Choice(["page", "client"]), default="page", show_default=True)
@click.option("--api-key", "api_keys", multiple=True, metavar="KEY", help="Accept only this key; repeatable.")
@click.option("--state", type=click.Path(path_type=Path), metavar="FILE", help="Keep the state in this file.")
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="KIND[,KEY=VALUE…]",
    help="Inject a fault, such as lost_answer,times=2 or throttle,route=any,probability=0.1; repeatable.",
)
@click.pass_obj
def sandbox(verbosity: int, **values: Any) -> int:
    """Serve the embedded API on a port, for any client."""
    from planner.commands.sandbox import SandboxOptions
    from planner.commands.sandbox import sandbox as command

    return command(shell(verbosity), SandboxOptions(**values))

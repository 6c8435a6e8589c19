"""Commands about calls to be made or under way: what they cost, whom they reach, what became of them; and the embedded service."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from planner.cli.options import FAIL_ON, FRESH, POLICY_FROM, REPORT_DIR, STORE, Dollars, calling, selecting, selection
from planner.cli.outside import shell


@click.command()
@selecting
@calling
@click.option("--refresh", is_flag=True, help="Ask the service for agent revisions and the balance (needs a key).")
@click.option("--detailed-exitcode", is_flag=True, help="Exit 10 when calls would be made.")
@click.option("--format", "output_format", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="Save it, for planner run FILE.")
@click.option(
    "--explain", multiple=True, metavar="CASE", help="The whole story of one case (or of a glob of them) instead."
)
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
    """Show what would be called, why, and what it would cost. Calls nobody.

    PATH… are plan files or folders; by default plans/.
    """
    from planner.commands.plan import PlanOptions
    from planner.commands.plan import plan as command

    return command(
        shell(verbosity), PlanOptions(selection(values), refresh, detailed_exitcode, output_format, out, explain)
    )


@click.command()
@selecting
@calling
@click.option(
    "--consent-to-charge", is_flag=True, help="Agree that these calls are charged. Without it nobody is called."
)
@click.option("--max-cost", type=Dollars(), metavar="DOLLARS", help="Hard ceiling, such as 12.50.")
@click.option("--plan-digest", metavar="SHA256:…", help="Refuse if today's change set is another one.")
@REPORT_DIR
@click.option("--max-concurrent", type=click.IntRange(min=1), metavar="N", help="At most so many runs at once.")
@click.option("--fail-fast", is_flag=True, help="Launch nothing more once a run has failed.")
@FAIL_ON
@FRESH
@click.option(
    "--trace",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write every request to FILE as JSON lines: when, what, how long, how it ended; no key, prompt or number.",
)
@click.option(
    "-v", "--verbose", count=True, help="Say why on standard error (-v: every decision; -vv: every request too)."
)
@click.pass_obj
def run(verbosity: int, verbose: int, **values: Any) -> int:
    """Call, judge and report what changed. Refuses to call anyone without --consent-to-charge.

    PATH… are plan files or folders (default: plans/), or one file that planner plan --out saved: then exactly that is run,
    once, or nothing.

    -v tells why a launch waits, how the number of calls at once is learned, what was launched, found again or given up, and
    what each ceiling still allows. An interrupted or killed run is gone on with by the same command; nothing is paid for twice.
    """
    from planner.commands.run import run as command
    from planner.invocation.run_options import RunOptions

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
@click.option(
    "--consent-to-charge", is_flag=True, help="Agree to pay for votes of the language model that are not stored yet."
)
@click.option("--max-cost", type=Dollars(), metavar="DOLLARS", help="Ask for no vote that could cost more in all.")
@click.pass_obj
def recheck(verbosity: int, report_dir: Path, **values: Any) -> int:
    """Judge the stored calls by today's expectations. Free; calls nobody, and stores no verdict.

    PATH… are plan files or folders; by default plans/. Cases that were never called are left out. `planner run` does the
    same on its way, for what changed. What a language model (check: judge) answered before is used again; it is asked
    something new, which it charges for, with --consent-to-charge only.
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
    "--adopt", multiple=True, type=int, metavar="RUN_ID", help="These runs are the launch's; one --adopt a run."
)
@click.option("--assume-not-sent", is_flag=True, help="It was looked for and is not there: it may be sent again.")
@click.option(
    "--not-ours",
    multiple=True,
    type=int,
    metavar="RUN_ID",
    help="With --assume-not-sent: shown, and not the launch's; one --not-ours a run.",
)
@STORE
@POLICY_FROM
@click.option("--sandbox", is_flag=True, help="The embedded service's launches.")
@click.option("--world", metavar="NAME|FILE", hidden=True)
@click.pass_obj
def reconcile(verbosity: int, **values: Any) -> int:
    """List launches whose fate is unknown, or settle one.

    Exit 4 while any is open. A launch is open when its answer was lost and the service's lists do not tell which run, if
    any, it became. `planner run` settles most by itself, within ten minutes of sending them; what is left needs a person
    who can look at the service.

    --adopt: the service has runs of that time, with that target and those prompts, which nobody else asked for. They are
    picked up by the next run and not paid for again. As many as the launch asked for.

    --assume-not-sent: you looked, and the service has no such run. The next run may make its calls again; if they were made
    after all, they are paid for twice. It is refused while the service shows runs that may be the launch's, until each is
    said to be --not-ours.

    \b
    Examples:
      planner reconcile
      planner reconcile 3f9c0a7d5e21b846 --adopt 7110 --adopt 7111
      planner reconcile 3f9c0a7d5e21b846 --assume-not-sent
    """  # noqa: D301 - click's mark for lines to be left as they are
    from planner.commands.reconcile import ReconcileOptions
    from planner.commands.reconcile import reconcile as command
    from planner.invocation.selection import Selection

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
@click.option("--port", type=click.IntRange(0, 65_535), default=8080, show_default=True, help="0: any that is free.")
@click.option("--world", default="demo", show_default=True, metavar="NAME|FILE")
@click.option("--dialect", type=click.Choice(["page", "client"]), default="page", show_default=True)
@click.option("--api-key", "api_keys", multiple=True, metavar="KEY", help="Take this key only; repeatable.")
@click.option("--state", type=click.Path(path_type=Path), metavar="FILE", help="Remember everything here.")
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="KIND[,KEY=VALUE…]",
    help="Something that goes wrong, besides the world's own: lost_answer,times=2 or throttle,route=any,probability=0.1; "
    "repeatable.",
)
@click.pass_obj
def sandbox(verbosity: int, **values: Any) -> int:
    """Serve the embedded API on a port, for any client."""
    from planner.commands.sandbox import SandboxOptions
    from planner.commands.sandbox import sandbox as command

    return command(shell(verbosity), SandboxOptions(**values))

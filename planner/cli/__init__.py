"""argv → typed options. The world outside comes in through `outside`, errors go out through `boundary`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from planner import __version__
from planner.cli.boundary import guarded
from planner.cli.options import PATHS, REPORT_DIR, STORE, Dollars, calling, selecting, selection
from planner.cli.outside import shell as _shell
from planner.cli.root import Root


@click.group(cls=Root, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="planner", message="%(prog)s %(version)s")
@click.option("-v", "--verbose", count=True, help="Say why (-v: decisions; -vv: every request too).")
@click.pass_context
def planner(context: click.Context, verbose: int) -> None:
    """Test plans for phone agents: validate, see what changed and what it costs, consent, call, judge, report."""
    context.obj = verbose


@planner.command()
@click.option(
    "--dir",
    "directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    metavar="DIR",
    help="Where to write (default: here).",
)
@click.pass_obj
def init(verbosity: int, directory: Path) -> int:
    """Write a first plan, planner.yaml and a workflow. Overwrites nothing."""
    from planner.commands.init import init as command

    return command(_shell(verbosity), directory)


@planner.command()
@PATHS
@click.option("--environment", metavar="NAME", help="Targets of this environment of planner.yaml.")
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["text", "json", "github", "sarif"]),
    default="text",
    show_default=True,
    help="github: workflow commands; sarif: for code scanning.",
)
@click.pass_obj
def validate(verbosity: int, paths: tuple[Path, ...], environment: str | None, output_format: Any) -> int:
    """Find everything that is wrong with the plans. Offline, needs no key.

    PATH… are plan files or folders; by default plans/.
    """
    from planner.commands.validate import validate as command

    return command(_shell(verbosity), paths, environment=environment, output_format=output_format)


@planner.command()
@click.argument("topic", required=False, metavar="[CODE | check:KIND | checks]")
@click.option(
    "--format", "output_format", type=click.Choice(["text", "json", "markdown"]), default="text", show_default=True
)
@click.pass_obj
def explain(verbosity: int, topic: str | None, output_format: Any) -> int:
    """Explain a diagnostic, or what a kind of check takes.

    Shows an example and its cure. CODE is what stands in brackets, such as unknown-key. Without it: the list of all.
    """
    from planner.commands.explain import explain as command

    return command(_shell(verbosity), topic, output_format=output_format)


@planner.command()
@click.argument("case", metavar="CASE")
@PATHS
@click.option("--environment", metavar="NAME", help="Targets of this environment of planner.yaml.")
@click.option("--format", "output_format", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.pass_obj
def show(verbosity: int, case: str, paths: tuple[Path, ...], environment: str | None, output_format: Any) -> int:
    """Show a case in full, and where each part of it is written.

    Shows it as it would be called and judged. CASE is a case id, or a pattern with * and ?. Offline, needs no key.
    """
    from planner.commands.show import show as command

    return command(_shell(verbosity), case, paths, environment=environment, output_format=output_format)


@planner.command()
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
        _shell(verbosity), PlanOptions(selection(values), refresh, detailed_exitcode, output_format, out, explain)
    )


@planner.command()
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
        _shell(verbosity + verbose),
        RunOptions(
            selection=selection(values),
            consent_to_charge=values["consent_to_charge"],
            max_cost_cents=values["max_cost"],
            plan_digest=values["plan_digest"],
            report_dir=values["report_dir"],
            max_concurrent=values["max_concurrent"],
            fail_fast=values["fail_fast"],
            trace=values["trace"],
        ),
    )


@planner.command()
@selecting
@REPORT_DIR
@click.option(
    "--consent-to-charge", is_flag=True, help="Agree to pay for votes of the language model that are not stored yet."
)
@click.option("--max-cost", type=Dollars(), metavar="DOLLARS", help="Ask for no vote that could cost more in all.")
@click.option(
    "--record-votes",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the language model's votes here, for judge.recorded in planner.yaml.",
)
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
        _shell(verbosity),
        RecheckOptions(
            selection(values), report_dir, values["consent_to_charge"], values["max_cost"], values["record_votes"]
        ),
    )


@planner.command()
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
    return command(_shell(verbosity), ReportOptions(**values), random.Random(0))  # noqa: S311


@planner.command()
@click.argument("parts", nargs=-1, required=True, metavar="PART…", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    metavar="DIR",
    help="Where to write the reports.",
)
@STORE
@click.pass_obj
def merge(verbosity: int, parts: tuple[Path, ...], out: Path, store: str | None) -> int:
    """Join the results of shards (run --shard I/N). Calls nobody.

    Writes one set of reports; a missing shard is an error. PART… are the shards' results.json files, or the folders they are
    in. Where the store has them too, the whole is stored, and becomes the baseline that one run of everything would have
    been.
    """
    from planner.commands.merge import MergeOptions
    from planner.commands.merge import merge as command

    return command(_shell(verbosity), MergeOptions(parts, out, store))


@planner.command()
@click.argument("case", required=False, metavar="[CASE]")
@click.option("--plan", metavar="NAME", help="Only cases of this plan.")
@click.option("--environment", metavar="NAME", help="Invocations of this environment (default: of none).")
@STORE
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

    return command(_shell(verbosity), HistoryOptions(**values))


@planner.command()
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

    journal = Selection(store=values["store"], sandbox=values["sandbox"], world=values["world"])
    said = (values["adopt"], values["assume_not_sent"], values["not_ours"])
    return command(_shell(verbosity), ReconcileOptions(journal, values["launch"], *said))


@planner.command("format")
@PATHS
@click.option("--check", is_flag=True, help="Write nothing; exit 2 if a file is not in the form.")
@click.option("--diff", is_flag=True, help="Write nothing; show what would be changed.")
@click.option("--format", "output_format", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.pass_obj
def format_(verbosity: int, paths: tuple[Path, ...], check: bool, diff: bool, output_format: Any) -> int:
    """Bring plans, and planner.yaml, into one form.

    Sets the order of keys, indentation and quotes. PATH… are files or folders; by default plans/ and planner.yaml. Comments stay where
    they belong, texts are kept as they are written, and what a file says is the same afterwards: that is checked before it
    is written.
    """
    from planner.commands.format import FormatOptions, format_plans

    return format_plans(_shell(verbosity), FormatOptions(paths, check, diff, output_format))


@planner.command()
@click.option(
    "--out", "directory", type=click.Path(path_type=Path), default=Path("schemas"), show_default=True, metavar="DIR"
)
@click.option("--check", is_flag=True, help="Write nothing; exit 2 if a file there is not up to date.")
@click.pass_obj
def schema(verbosity: int, directory: Path, check: bool) -> int:
    """Write the JSON Schemas of plans, planner.yaml and results."""
    from planner.commands.schema import schema as command

    return command(_shell(verbosity), directory, check=check)


@planner.command()
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

    return command(_shell(verbosity), SandboxOptions(**values))


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit code (the contract of README.md, "Exit codes")."""
    return guarded(lambda: planner.main(arguments, prog_name="planner", standalone_mode=False), arguments or ())

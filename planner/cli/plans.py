"""Commands for plans: write, check, show, call."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from planner.cli import options
from planner.cli.layout import command, option
from planner.cli.options import CALLING, MONEY, OUTPUT, RESULT, selection
from planner.cli.system import GlobalOptions, shell


@command()
@option(
    "Where",
    "--dir",
    "directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    metavar="DIR",
    help="Where to write (default: here).",
)
@option(
    "GitHub",
    "--github",
    is_flag=True,
    help="Also write the workflows for pull requests, and show or run the commands that set up GitHub.",
)
@option(
    "GitHub",
    "--pin",
    metavar="OWNER/REPOSITORY@COMMIT",
    help="Where the workflows come from (default: where planner was installed from).",
)
@option("GitHub", "--yes", is_flag=True, help="Run the commands of gh without asking.")
@click.pass_obj
def init(global_options: GlobalOptions, **values: Any) -> int:
    """Write a first plan and planner.yaml. Overwrites nothing."""
    from planner.commands import init as module

    confirm = click.confirm if sys.stdin.isatty() and sys.stdout.isatty() else None
    if values.pop("yes"):
        confirm = _agreed
    return module.init(shell(global_options), module.InitOptions(confirm=confirm, **values))


def _agreed(_question: str) -> bool:
    return True


@command(examples=["planner validate", "planner validate plans/refunds.yaml --format github"])
@options.PATHS
@options.ENVIRONMENT
@options.output_format(
    OUTPUT,
    "text",
    "json",
    "github",
    text="text (default), json or github (workflow commands).",
)
@click.pass_obj
def validate(global_options: GlobalOptions, **values: Any) -> int:
    """Find every mistake in the plans. Uses no network, needs no key.

    PATH… are plan files or folders (default: plans/).
    """
    from planner.commands import validate as module

    return module.validate(shell(global_options), **values)


@command(
    examples=[
        "planner plan",
        "planner plan --select 'refunds/*@support'",
        "planner plan --rerun failed --start-over 'CRM lookup repaired'",
        "planner show 'refunds/late-order@support'     why is this case called?",
    ]
)
@options.PATHS
@options.SELECT
@options.TAG
@options.RERUN
@options.start_over(". `run` calls these cases again.")
@options.PLACE
@options.offline()
@options.output_format(OUTPUT, "text", "json")
@option(OUTPUT, "--detailed-exitcode", is_flag=True, help="Exit with 10 if calls are needed.")
@options.verbose(OUTPUT, "Show every case and every difference.")
@click.pass_obj
def plan(global_options: GlobalOptions, **values: Any) -> int:
    """Show which calls are needed, why, what they cost and how long they take. Makes no calls.

    PATH… are plan files or folders (default: plans/).

    With a key, prices, balance and edited agents are read from the service; without one, the last recorded state is
    used and its age is shown.
    """
    from planner.commands import plan as module

    outside = shell(global_options, values.pop("verbosity"))
    return module.plan(outside, module.PlanOptions(selection(values), **values))


RUNNING = options.together(
    options.PATHS,
    option(MONEY, "--consent-to-charge", is_flag=True, help="Agree to pay for these calls."),
    option(
        MONEY,
        "--max-cost",
        "max_cost_cents",
        type=options.Dollars(),
        metavar="DOLLARS",
        help="Never spend more, such as 12.50. Default: the ceiling that `planner plan` prints.",
    ),
    option(
        MONEY,
        "--digest",
        metavar="SHA256:…",
        help="Make only the calls that you were shown: the digest that `planner plan` prints.",
    ),
    options.SELECT,
    options.TAG,
    options.RERUN,
    options.start_over("; the reason and your name, too."),
    options.PLACE,
    options.offline("Make no calls, use no network: judge stored calls by today's expectations."),
    option(CALLING, "--fail-fast", is_flag=True, help="Start no more calls after the first failed run."),
    options.verbose(
        CALLING,
        "Explain what is waiting, and what each ceiling allows; -vv logs requests, without keys, prompts or numbers.",
    ),
    options.report_dir(RESULT),
    options.output_format(RESULT, "text", "json", text="text (default); json: results.json on standard output."),
)
"""The options of `run`."""


@command(
    examples=[
        "planner run --sandbox --consent-to-charge              no key, no money",
        "planner run --consent-to-charge --max-cost 2.40        what plan shows",
        "planner run --offline                                  recheck stored calls",
    ]
)
@RUNNING
@click.pass_obj
def run(global_options: GlobalOptions, **values: Any) -> int:
    """Make the calls that `planner plan` shows, judge them, write the reports. Without
    --consent-to-charge it makes no calls: it does what is free, shows the price and exits with 3.

    PATH… are plan files or folders (default: plans/).

    Interrupted or killed? Run the same command: it resumes, and no call is paid for twice.
    """
    from planner.commands import run as module
    from planner.session.run_session import RunOptions

    outside = shell(global_options, values.pop("verbosity"))
    return module.run(outside, RunOptions(selection(values), **values))


@command(examples=["planner show 'refunds/late-order@support'", "planner show support"])
@click.argument("wanted", metavar="CASE|RUN|TARGET")
@options.PATHS
@options.PLACE
@options.offline()
@options.output_format(OUTPUT, "text", "json")
@click.pass_obj
def show(global_options: GlobalOptions, **values: Any) -> int:
    """Show a case in full, or a target and its cases.

    A case: its final prompt, its expectations with their lines, what happens to it and why, and its stored runs. A
    target: its agent, what its file changes, and each of its cases.

    CASE is a case id, or a pattern with * and ?; RUN is the id of a stored run or of its call. TARGET is a target's
    alias.
    """
    from planner.commands import show as module

    return module.show(shell(global_options), module.ShowOptions(selection(values), **values))


@command(examples=["planner explain unknown-key", "planner explain check:says"])
@click.argument("topic", required=False, metavar="[CODE|check:KIND|checks|completion]")
@options.output_format(OUTPUT, "text", "json", "markdown")
@click.pass_obj
def explain(global_options: GlobalOptions, **values: Any) -> int:
    """Explain an error code or a check, with an example.

    CODE is the word in brackets, such as unknown-key. Without it: a list of everything. `completion`: how to complete
    commands in your shell.
    """
    from planner.commands import explain as module

    return module.explain(shell(global_options), **values)

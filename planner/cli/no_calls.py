"""Commands that make no calls: for authored files, stored results, agents, pull requests, and the sandbox server."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from planner.cli import options
from planner.cli.options import selection
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
@options.PATHS
@options.ENVIRONMENT
@options.output_format("text", "json", "github", "sarif", help="github: workflow commands; sarif: for code scanning.")
@click.pass_obj
def validate(invocation: Invocation, **values: Any) -> int:
    """Report everything that is wrong with the plans. Offline, needs no key.

    PATH… are plan files or folders (default: plans/).
    """
    from planner.commands import validate as command

    return command.validate(shell(invocation), **values)


@click.command()
@click.argument("topic", required=False, metavar="[CODE | check:KIND | checks]")
@options.output_format("text", "json", "markdown")
@click.pass_obj
def explain(invocation: Invocation, **values: Any) -> int:
    """Explain a diagnostic or a kind of check.

    Shows an example and its fix. CODE is the word in brackets, such as unknown-key. Without it: a list of everything.
    """
    from planner.commands import explain as command

    return command.explain(shell(invocation), **values)


@click.command()
@click.argument("case", metavar="CASE")
@options.PATHS
@options.ENVIRONMENT
@options.output_format("text", "json")
@click.pass_obj
def show(invocation: Invocation, **values: Any) -> int:
    """Show the final prompt of a case, and its expectations with their lines.

    CASE is a case id, or a pattern with * and ?. Offline, needs no key.
    """
    from planner.commands import show as command

    return command.show(shell(invocation), **values)


@click.command()
@click.option(
    "--out", "directory", type=click.Path(path_type=Path), default=Path("schemas"), show_default=True, metavar="DIR"
)
@click.pass_obj
def schema(invocation: Invocation, directory: Path) -> int:
    """Write the JSON Schemas of plans, planner.yaml and results."""
    from planner.commands import schema as command

    return command.schema(shell(invocation), directory)


_ENVIRONMENT = click.option(
    "--environment", metavar="NAME", help="Results of this environment (default: results without one)."
)


@click.command()
@click.argument("results")
@click.argument("older", required=False)
@options.output_format(*FORMATS)
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="FILE", help="Write to this file (default: standard output)."
)
@options.STORED
@click.pass_obj
def report(invocation: Invocation, **values: Any) -> int:
    """Render a stored report, or compare two.

    A comparison shows what regressed, what was fixed, and how certain that is. RESULTS and OLDER are files, such as
    reports/results.json, or ids of stored sessions.
    """
    from planner.commands import report as command

    return command.report(shell(invocation), command.ReportOptions(selection(values), **values))


@click.command()
@click.argument("case", required=False, metavar="[CASE]")
@_ENVIRONMENT
@options.STORED
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the newest N sessions.")
@options.output_format("text", "json")
@click.pass_obj
def history(invocation: Invocation, **values: Any) -> int:
    """Show results over time. Makes no calls.

    Shows pass rate, duration, latency, grade, cost and flakiness. CASE is a case id, or a pattern with * and ?. Without
    it: all sessions and cases.
    """
    from planner.commands import history as command

    return command.history(shell(invocation), selection(values), **values)


@click.command()
@click.argument("wanted", metavar="CASE|RUN")
@click.option("--failed", is_flag=True, help="Only runs that did not pass.")
@_ENVIRONMENT
@options.STORED
@options.output_format("text", "json")
@click.pass_obj
def transcript(invocation: Invocation, **values: Any) -> int:
    """Print stored conversations. Makes no calls.

    Shows turns with time and speaker, tool calls, the end reason, and each finding at its turn. CASE is a case id, or a
    pattern with * and ?; RUN is the id of a run. For a case, the newest stored runs are shown.
    """
    from planner.commands import transcript as command

    return command.transcript(shell(invocation), selection(values), **values)


@click.command()
@options.SELECTING
@click.option("--refresh", is_flag=True, help="Read agent revisions from the service (needs a key).")
@options.FAIL_ON
@options.COMPARE_WITH
@options.output_format("text", "json")
@click.option(
    "--publication",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write comment and status to FILE, for `planner publish` in a job with write access.",
)
@options.COMMENT_NAME
@click.pass_obj
def gate(invocation: Invocation, **values: Any) -> int:
    """Decide the required check of a pull request. Makes no calls.

    \b
    Exit codes:
      0  green: nothing is left to call, collect or judge, and the only
         failures are those that the base branch already has
      1  a case failed or regressed
      3  calls must be made
      4  incomplete: calls, evidence, bills or judge calls are missing

    PATH… are plan files or folders (default: plans/).
    """  # noqa: D301 - click keeps these lines as they are
    from planner.commands import gate as command

    if values["compare_with"] == "none":
        values["fail_on"] = options.without_regressions(values["fail_on"])
    return command.gate(shell(invocation), command.GateOptions(selection(values), **values))


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--pull-request", "number", type=click.IntRange(min=1), metavar="NUMBER")
@click.option("--commit", required=True, metavar="SHA", help="The head commit, which gets the status.")
@click.option("--comment/--no-comment", default=True, show_default=True, help="Also write the comment.")
@options.COMMENT_NAME
@options.COMMENT_AUTHOR
@click.pass_obj
def publish(invocation: Invocation, **values: Any) -> int:
    """Publish the file of `planner gate --publication` on GitHub: one comment, and the commit status `phone-plans`.

    Needs GITHUB_TOKEN with `pull-requests: write` and `statuses: write`, and no checkout. In a repository whose remote
    is the project's, it also stores the change set for `run --plan-digest` (needs `contents: write`). Without
    --pull-request, as in a merge queue, only the status is written. If FILE is missing, the status is `error`: green
    means proven. A comment that cannot be written does not change the exit code.
    """
    from planner.commands import publish as command

    return command.publish(shell(invocation), command.PublishOptions(**values))


@click.command()
@click.option("--pull-request", "numbers", type=click.IntRange(min=1), multiple=True, metavar="NUMBER")
@options.ENVIRONMENT
@options.STORED
@click.pass_obj
def promote(invocation: Invocation, **values: Any) -> int:
    """Make the results of merged pull requests the default branch's baseline. Makes no calls.

    Run it on the default branch, after a merge. Results are matched by their call, so a squash or an edited merge takes
    only what still applies. Then the results under branches/NUMBER/ are removed. Without --pull-request, GitHub is
    asked about every pull request that has results (needs GITHUB_TOKEN with `pull-requests: read`).
    """
    from planner.commands import promote as command

    return command.promote(shell(invocation), selection(values), **values)


@click.command()
@options.PATHS
@click.option("--issue", is_flag=True, help="Report cases whose agent was edited in one issue (needs `issues: write`).")
@options.COMMENT_NAME
@options.ENVIRONMENT
@options.STORED
@click.pass_obj
def record(invocation: Invocation, **values: Any) -> int:
    """Store what the service says about agents and balance, for plans without a key. Needs a key; makes no calls.

    Run it on the default branch, by a schedule. `planner plan` and `planner gate` without a key then know prices and
    edited agents, and say how old the record is.
    """
    from planner.commands import record as command

    return command.record(shell(invocation), selection(values), **values)


@click.group()
def agents() -> None:
    """Work with agents as files, and with previews."""


@agents.command()
@click.argument("alias", metavar="TARGET")
@options.PATHS
@click.option("--force", is_flag=True, help="Overwrite changes of the file that were never recorded.")
@options.ENVIRONMENT
@options.STORED
@click.option("--world", metavar="NAME|FILE", hidden=True)
@click.pass_obj
def pull(invocation: Invocation, **values: Any) -> int:
    """Write the deployed agent to its file. Needs a key; makes no calls.

    TARGET is an alias of a plan's target. The file is the one that `config` of the target names, or else
    agents/TARGET.yaml. An existing file keeps its comments, and only the fields it has are updated.
    """
    from planner.commands import agents as command

    return command.pull(shell(invocation), selection(values), **values)


@agents.command()
@click.option("--delete", is_flag=True, help="Delete previews that this store records and that no call needs.")
@click.option(
    "--older-than",
    metavar="AGE",
    help="Only previews at least this old (12h, 14d, 6w), including those of other stores.",
)
@options.output_format("text", "json")
@options.STORED
@click.option("--world", metavar="NAME|FILE", hidden=True)
@click.pass_obj
def previews(invocation: Invocation, **values: Any) -> int:
    """List previews: the copies of agents that `planner run` calls where an agent's file differs from what is deployed.

    `planner run` deletes its previews, also those of sessions that were killed. If a store was lost, run `planner
    agents previews --delete --older-than 24h` on a schedule: it deletes by name and age. Previews with calls of this
    store under way are kept. Exit code 4 if one cannot be deleted.
    """
    from planner.commands import agents as command

    return command.previews(shell(invocation), selection(values), **values)


@click.command()
@click.argument("target")
@options.PATHS
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@click.option(
    "--force",
    type=options.Reason(),
    metavar="REASON",
    help=(
        "Deploy even if the configuration is not proven, or not all cases of the agent use the file. REASON is "
        "recorded."
    ),
)
@options.ENVIRONMENT
@options.STORED
@click.option("--world", metavar="NAME|FILE", help="The sandbox's world (default: demo).")
@click.pass_obj
def deploy(invocation: Invocation, **values: Any) -> int:
    """Deploy the agent file of TARGET, a target's alias in the plans. Makes no calls.

    It shows the changes and asks for confirmation. It deploys only a configuration that is proven: every case that
    calls the agent has results for exactly this configuration, and passes. Otherwise the exit code is that of `planner
    gate`: 1 failing or regressed, 3 calls to make, 4 incomplete. It also refuses if cases call the agent without this
    file (3), if the agent has another undeployed draft (3) or was changed meanwhile (4), or if the service does not
    show a field of the file (2).

    PATH… are plan files or folders in addition to plans/, whose cases always count.
    """
    from planner.commands import deploy as command

    confirm = click.confirm if sys.stdin.isatty() and sys.stdout.isatty() else None
    return command.deploy(shell(invocation), command.DeployOptions(selection(values), confirm=confirm, **values))


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
def sandbox(invocation: Invocation, **values: Any) -> int:
    """Serve the embedded API on a port, for any client."""
    from planner.commands import sandbox as command

    return command.sandbox(shell(invocation), command.SandboxOptions(**values))

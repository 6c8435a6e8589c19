"""Commands for pull requests in CI. They make no calls."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from planner.cli import options
from planner.cli.options import selection
from planner.cli.system import Invocation, shell


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

    Needs GITHUB_TOKEN with `pull-requests: write` and `statuses: write`, and no checkout. In a repository whose remote is
    the project's, it also stores the change set for `run --plan-digest` (needs `contents: write`). Without
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

    return command.promote(shell(invocation), command.PromoteOptions(selection(values), **values))


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

    return command.record(shell(invocation), command.RecordOptions(selection(values), **values))

"""`planner ci`: what workflows need, with the options that only they have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from planner.cli import options
from planner.cli.layout import SETTINGS, Group, command, option
from planner.cli.options import OUTPUT, selection
from planner.cli.plans import RUNNING
from planner.cli.system import GlobalOptions, shell

_WORKFLOW = "Workflow"

_BASE = option(
    _WORKFLOW,
    "--base",
    metavar="REF",
    help="The tip of the base branch: its planner.yaml applies, and its failures are known. none: every failure counts."
    " Default: the base that GitHub names.",
)
_NAMESPACE = option(
    _WORKFLOW,
    "--namespace",
    type=options.Namespace(),
    metavar="NAME",
    help="Where results are kept, such as branches/42 for pull request 42. Default: as GitHub's event says.",
)
_JOB = options.together(_BASE, _NAMESPACE)
_NAME = option(
    _WORKFLOW,
    "--name",
    type=options.CommentName(),
    default="default",
    metavar="NAME",
    help="Separates comments, issues and statuses of two uses in one repository (default: default).",
)


@click.group(cls=Group, context_settings=SETTINGS)
def ci() -> None:
    """Call and decide in workflows."""


@command()
@RUNNING
@_JOB
@option(
    _WORKFLOW,
    "--consent-by",
    metavar="LOGIN",
    help="The person who agreed, as your CI system names them. Not on GitHub, whose API names them.",
)
@_NAME
@click.pass_obj
def run(global_options: GlobalOptions, **values: Any) -> int:
    """Make the calls that a person agreed to, as `planner run` does. In a job that a comment `/planner run …` on a pull
    request starts, the comment's digest, ceiling and options apply.

    PATH… are plan files or folders (default: plans/).
    """
    from planner.commands import run as module
    from planner.commands.comment_command import with_command
    from planner.session.run_session import RunOptions

    name = values.pop("name")
    outside = shell(global_options, values.pop("verbosity"))
    options_typed = RunOptions(selection(values), **values)
    return module.run(outside, with_command(outside, options_typed, name))


@command()
@options.PATHS
@options.SELECT
@options.TAG
@options.PLACE
@options.offline()
@options.output_format(OUTPUT, "text", "json")
@_JOB
@option(
    _WORKFLOW,
    "--publication",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write comment and status to FILE, for `planner ci publish` in a job with write access.",
)
@option(
    _WORKFLOW,
    "--results",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="results.json of the session that this job has just ended: the comment says why calls are missing.",
)
@_NAME
@click.pass_obj
def gate(global_options: GlobalOptions, **values: Any) -> int:
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
    from planner.commands import gate as module

    return module.gate(shell(global_options), module.GateOptions(selection(values), **values))


@command()
@click.argument("file", type=click.Path(path_type=Path))
@option(
    _WORKFLOW,
    "--pull-request",
    "number",
    type=click.IntRange(min=1),
    metavar="NUMBER",
    help="The pull request that gets the comment.",
)
@option(_WORKFLOW, "--commit", required=True, metavar="SHA", help="The head commit, which gets the status.")
@_NAME
@click.pass_obj
def publish(global_options: GlobalOptions, **values: Any) -> int:
    """Publish the file of `planner ci gate --publication` on GitHub: one comment, and the commit status `phone-plans`.

    Needs GITHUB_TOKEN with `pull-requests: write` and `statuses: write`, and no checkout. In a repository whose remote
    is the project's, it also stores the change set for `run --digest` (needs `contents: write`). Without
    --pull-request, as in a merge queue, only the status is written. If FILE is missing, the status is `error`: green
    means proven. A comment that cannot be written does not change the exit code.
    """
    from planner.commands import publish as module

    return module.publish(shell(global_options), module.PublishOptions(**values))


@command()
@options.PLACE
@option(
    _WORKFLOW,
    "--pull-request",
    "numbers",
    type=click.IntRange(min=1),
    multiple=True,
    metavar="NUMBER",
    help="Only this merged pull request. Repeatable.",
)
@_JOB
@click.pass_obj
def promote(global_options: GlobalOptions, **values: Any) -> int:
    """Make the results of merged pull requests the default branch's baseline. Makes no calls.

    Run it on the default branch, after a merge. Results are matched by their call, so a squash or an edited merge takes
    only what still applies. Then the results under branches/NUMBER/ are removed. Without --pull-request, planner asks
    GitHub about every pull request that has results (needs GITHUB_TOKEN with `pull-requests: read`).
    """
    from planner.commands import promote as module

    return module.promote(shell(global_options), selection(values), **values)


@command()
@options.PATHS
@options.PLACE
@_JOB
@option(
    _WORKFLOW,
    "--issue",
    is_flag=True,
    help="List the calls that this branch needs, and edited agents, in one issue (needs `issues: write`).",
)
@_NAME
@click.pass_obj
def record(global_options: GlobalOptions, **values: Any) -> int:
    """Store what the service says about agents and balance, for plans without a key. Needs a key; makes no calls.

    Run it on the default branch, on a schedule. `planner plan` and `planner ci gate` without a key then know prices and
    edited agents, and say how old the record is.
    """
    from planner.commands import record as module

    return module.record(shell(global_options), selection(values), **values)


for each in (run, gate, publish, promote, record):
    ci.add_command(each)

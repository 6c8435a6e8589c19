"""Commands for agents as files, and for the copies of agents that calls are made on. They make no calls."""

from __future__ import annotations

import sys
from typing import Any

import click

from planner.cli import options
from planner.cli.options import selection
from planner.cli.system import Invocation, shell


@click.group()
def agents() -> None:
    """Work with agents as files, and with previews."""


@agents.command()
@click.argument("target", metavar="TARGET")
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
    from planner.commands import pull as command

    return command.pull(shell(invocation), command.PullOptions(selection(values), **values))


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

    `planner run` deletes its previews, also those of sessions that were killed. If a store was lost, run
    `planner agents previews --delete --older-than 24h` on a schedule: it deletes by name and age. Previews with calls of
    this store under way are kept. Exit code 4 if one cannot be deleted.
    """
    from planner.commands import previews as command

    return command.previews(shell(invocation), command.PreviewsOptions(selection(values), **values))


@click.command()
@click.argument("target")
@options.PATHS
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@click.option(
    "--force",
    type=options.Reason(),
    metavar="REASON",
    help="Deploy even if the configuration is not proven, or not all cases of the agent use the file. REASON is recorded.",
)
@options.ENVIRONMENT
@options.STORED
@click.option("--world", metavar="NAME|FILE", help="The sandbox's world (default: demo).")
@click.pass_obj
def deploy(invocation: Invocation, **values: Any) -> int:
    """Deploy the agent file of TARGET, a target's alias in the plans. Makes no calls.

    It shows the changes and asks for confirmation. It deploys only a configuration that is proven: every case that calls the agent
    has results for exactly this configuration, and passes. Otherwise the exit code is that of `planner gate`: 1 failing
    or regressed, 3 calls to make, 4 incomplete. It also refuses if cases call the agent without this file (3), if the
    agent has another undeployed draft (3) or was changed meanwhile (4), or if the service does not show a field of the
    file (2).

    PATH… are plan files or folders in addition to plans/, whose cases always count. If TARGET means several agents, those
    of PATH… decide.
    """
    from planner.commands import deploy as command

    confirm = click.confirm if sys.stdin.isatty() and sys.stdout.isatty() else None
    return command.deploy(shell(invocation), command.DeployOptions(selection(values), confirm=confirm, **values))

"""`planner agent`: agents as files, and previews."""

from __future__ import annotations

import sys
from typing import Any

import click

from planner.cli import options
from planner.cli.layout import SETTINGS, Group, command, option
from planner.cli.options import OUTPUT, selection
from planner.cli.system import GlobalOptions, shell


@click.group(cls=Group, context_settings=SETTINGS)
def agent() -> None:
    """Keep agents as files; test and deploy them."""


@command()
@click.argument("alias", metavar="TARGET")
@options.PATHS
@option(
    "Write", "--overwrite", is_flag=True, help="Overwrite the file even if it has changes that were never recorded."
)
@options.PLACE
@click.pass_obj
def pull(global_options: GlobalOptions, **values: Any) -> int:
    """Write the deployed agent to its file. Needs a key; makes no calls.

    TARGET is an alias of a plan's target. The file is the one that `config` of the target names, or else
    agents/TARGET.yaml. An existing file keeps its comments, and only the fields it has are updated.
    """
    from planner.commands import agents as module

    return module.pull(shell(global_options), selection(values), **values)


@command(examples=["planner agent previews", "planner agent previews --delete --older-than 24h"])
@option("Delete", "--delete", is_flag=True, help="Delete previews that this store records and that no call needs.")
@option(
    "Delete",
    "--older-than",
    metavar="AGE",
    help="Only previews at least this old (12h, 14d, 6w), including those of other stores.",
)
@options.PLACE
@options.output_format(OUTPUT, "text", "json")
@click.pass_obj
def previews(global_options: GlobalOptions, **values: Any) -> int:
    """List previews: the copies of agents that `planner run` calls where an agent's file differs from what is deployed.

    `planner run` deletes its previews, also those of sessions that were killed. If a store was lost, run `planner
    agent previews --delete --older-than 24h` on a schedule: it deletes by name and age. Previews that calls of this
    store still use are kept. Exit code 4 if one cannot be deleted.
    """
    from planner.commands import agents as module

    return module.previews(shell(global_options), selection(values), **values)


@command()
@click.argument("target")
@options.PATHS
@option("Agree", "--yes", is_flag=True, help="Do not ask for confirmation.")
@option(
    "Agree",
    "--force",
    type=options.Reason(),
    metavar="REASON",
    help="Deploy even if the configuration is not proven, or not all cases of the agent use the file. The reason is "
    "recorded.",
)
@option("Agree", "--over-drift", is_flag=True, help="Deploy although the agent was edited at the service meanwhile.")
@options.PLACE
@click.pass_obj
def deploy(global_options: GlobalOptions, **values: Any) -> int:
    """Deploy the agent file of TARGET, a target's alias in the plans. Makes no calls.

    It shows the changes and asks for confirmation. It deploys only a configuration that is proven: every case that
    calls the agent has results for exactly this configuration, and passes. Otherwise the exit code is that of `planner
    ci gate`: 1 failing or regressed, 3 calls to make, 4 incomplete. It also refuses if cases call the agent without
    this file (3), if the agent has another undeployed draft (3) or was edited at the service (3, see --over-drift), if
    it was changed meanwhile (4), or if the service does not show a field of the file (2).

    PATH… are plan files or folders in addition to plans/, whose cases always count.
    """
    from planner.commands import deploy as module

    confirm = click.confirm if sys.stdin.isatty() and sys.stdout.isatty() else None
    return module.deploy(shell(global_options), module.DeployOptions(selection(values), confirm=confirm, **values))


for each in (pull, deploy, previews):
    agent.add_command(each)

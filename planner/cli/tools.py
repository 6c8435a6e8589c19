"""Commands for other tools: the sandbox's server and the JSON Schemas."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from planner.cli.layout import command, option
from planner.cli.system import GlobalOptions, shell


@command()
@option(
    "Output",
    "--out",
    "directory",
    type=click.Path(path_type=Path),
    default=Path("schemas"),
    metavar="DIR",
    help="Where to write (default: schemas/).",
)
@click.pass_obj
def schema(global_options: GlobalOptions, directory: Path) -> int:
    """Write the JSON Schemas of plans, planner.yaml and worlds, and of what commands print."""
    from planner.commands import schema as module

    return module.schema(shell(global_options), directory)


_SERVE, _BEHAVIOUR = "Server", "Behaviour"


@command(examples=["planner sandbox --port 8080"])
@option(_SERVE, "--host", default="127.0.0.1", metavar="HOST", help="The address to listen on (default: 127.0.0.1).")
@option(
    _SERVE,
    "--port",
    type=click.IntRange(0, 65_535),
    default=8080,
    metavar="PORT",
    help="0 picks a free port (default: 8080).",
)
@option(_SERVE, "--api-key", "api_keys", multiple=True, metavar="KEY", help="Accept only this key. Repeatable.")
@option(_BEHAVIOUR, "--world", default="demo", metavar="NAME|FILE", help="The sandbox's world (default: demo).")
@click.pass_obj
def sandbox(global_options: GlobalOptions, **values: Any) -> int:
    """Serve the simulated service on a port, for any client."""
    from planner.commands import sandbox as module

    return module.sandbox(shell(global_options), module.SandboxOptions(**values))

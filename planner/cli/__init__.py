"""argv → typed options. The world outside comes in through `outside`, errors go out through `boundary`."""

from __future__ import annotations

import click

from planner import __version__
from planner.cli.boundary import guarded
from planner.cli.root import Root


@click.group(cls=Root, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="planner", message="%(prog)s %(version)s")
@click.option("-v", "--verbose", count=True, help="Say why (-v: decisions; -vv: every request too).")
@click.pass_context
def planner(context: click.Context, verbose: int) -> None:
    """Test plans for phone agents: validate, see what changed and what it costs, consent, call, judge, report."""
    context.obj = verbose


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit code (the contract of README.md, "Exit codes")."""
    return guarded(lambda: planner.main(arguments, prog_name="planner", standalone_mode=False), arguments or ())

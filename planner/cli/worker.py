"""`planner worker`."""

from __future__ import annotations

from typing import Any

import click

from planner.cli.layout import command, option
from planner.cli.options import Dollars
from planner.cli.system import GlobalOptions, shell

_ALLOWED, _WORKING = "What is allowed", "Working"


class _TargetType(click.ParamType[Any]):
    name = "target"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        kind, _, number = str(value).partition(":")
        if kind not in ("agent", "phone_number") or not number.isdecimal():
            self.fail(f"{value!r} is not a target: write agent:12 or phone_number:77", param, ctx)
        return kind, int(number)


class _RepositoryCeiling(click.ParamType[Any]):
    name = "repository"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        name, _, dollars = str(value).rpartition("=")
        if not name:
            self.fail(f"{value!r} is not a ceiling: write NAME=100.00", param, ctx)
        return name, Dollars().convert(dollars, param, ctx)


@command(examples=["planner worker --person ana@example.org"])
@option(_ALLOWED, "--person", "people", multiple=True, metavar="NAME", help="Who may agree to calls. Repeatable.")
@option(
    _ALLOWED,
    "--target",
    "targets",
    type=_TargetType(),
    multiple=True,
    metavar="KIND:ID",
    help="What may be called, such as agent:12; default: everything. Repeatable.",
)
@option(
    _ALLOWED,
    "--max-cost-per-month",
    "max_cost_cents_per_month",
    type=Dollars(),
    metavar="DOLLARS",
    help="The ceiling of all repositories together, in one month (UTC).",
)
@option(
    _ALLOWED,
    "--repository",
    "repositories",
    type=_RepositoryCeiling(),
    multiple=True,
    metavar="NAME=DOLLARS",
    help="The ceiling of one repository in a month. Repeatable.",
)
@option(
    _WORKING, "--organisation", metavar="ADDRESS", help="postgresql://… or sqlite:///FILE; default: planner.yaml's."
)
@option(
    _WORKING,
    "--host",
    type=click.Choice(["lease", "temporal"]),
    default="lease",
    help="What keeps one of the workers at work: a row of the database (default), or Temporal.",
)
@option(_WORKING, "--max-concurrent", type=click.IntRange(min=1), metavar="N", help="At most N calls at the same time.")
@option(
    _WORKING,
    "--settle-seconds",
    type=click.FloatRange(min=1),
    default=600.0,
    metavar="SECONDS",
    help="How long a launch without an answer is searched for (default: 600).",
)
@option(_WORKING, "--upgrade", is_flag=True, help="Bring tables of an older version up to date, and exit.")
@click.pass_obj
def worker(global_options: GlobalOptions, **values: Any) -> int:
    """Make the calls of all repositories of an organisation. Start two: if one ends, the other continues.

    Needs THUNDERPHONE_API_KEY. The database's password is PLANNER_ORGANISATION_PASSWORD. Temporal is found by
    TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE and TEMPORAL_API_KEY, as by its own tools.
    """
    from planner.commands import worker as module

    return module.worker(shell(global_options), module.WorkerOptions(**values))

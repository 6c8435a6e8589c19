"""`planner judge`: labels of people, and how well the judge agrees with them."""

from __future__ import annotations

import sys
from typing import Any

import click

from planner.cli import options
from planner.cli.layout import SETTINGS, Group, command, option
from planner.cli.options import OUTPUT, selection
from planner.cli.system import GlobalOptions, shell


@click.group(cls=Group, context_settings=SETTINGS)
def judge() -> None:
    """Label calls, and see how well the judge agrees with people."""


@command(examples=["planner judge label", "planner judge label --select 'refunds/*' --by ana"])
@options.PATHS
@options.SELECT
@options.TAG
@option("Label", "--by", metavar="NAME", help="Who labels (default: as git names you).")
@options.STORED
@click.pass_obj
def label(global_options: GlobalOptions, **values: Any) -> int:
    """Label stored calls with one keystroke each. Makes no calls and asks no model.

    Shows a stored call and a rubric of the plans, and asks whether the rubric holds. Each answer is added at once to
    the file that `labels` under `judge` in planner.yaml names. It contains what was said, redacted as in reports:
    commit it only where people may read that.
    """
    from planner.commands import judge as module

    read_key = click.getchar if sys.stdin.isatty() and sys.stdout.isatty() else None
    return module.label(shell(global_options), module.LabelOptions(selection(values), read_key=read_key, **values))


@command(examples=["planner judge calibrate", "planner judge calibrate --format json"])
@options.PATHS
@options.STORED
@options.output_format(OUTPUT, "text", "json")
@click.pass_obj
def calibrate(global_options: GlobalOptions, **values: Any) -> int:
    """Compare the judge with labels. Makes no calls and asks no model.

    Shows for each rubric how many failures the judge finds and how many it reports falsely, and where judge and people
    disagree. `planner run` asks the model about labels that it has not answered, when it makes judge calls.
    """
    from planner.commands import judge as module

    return module.calibrate(shell(global_options), module.CalibrateOptions(selection(values), **values))


for each in (label, calibrate):
    judge.add_command(each)

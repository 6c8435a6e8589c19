"""Options that several commands share: one name, one meaning, one help text."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from planner.cli.layout import option

if TYPE_CHECKING:
    from planner.workspace.selection import Selection

F = TypeVar("F", bound=Callable[..., Any])

CASES, WHERE, OUTPUT, MONEY, CALLING, RESULT = (
    "Cases",
    "Where",
    "Output",
    "Money",
    "While calls are made",
    "Result",
)
"""The sections of a command's help."""


class Dollars(click.ParamType[int]):
    """`12.50` → 1250 cents, exactly: money is never a float."""

    name = "dollars"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        match = re.fullmatch(r"\$?(\d{1,9})(?:\.(\d{1,2}))?", str(value).strip())
        if match is None:
            self.fail(f"{value!r} is not an amount in dollars; write it as 12.50", param, ctx)
        dollars = int(match[1])
        if dollars >= _CENTS_PROBABLY and match[2] is None:
            self.fail(
                f"{value!r} is in dollars, not cents: {dollars / 100:.2f}, or {dollars}.00 if you mean it", param, ctx
            )
        return dollars * 100 + int((match[2] or "0").ljust(2, "0"))


_CENTS_PROBABLY = 100
"""Whole numbers from here on are more often cents than dollars."""


class CommentName(click.ParamType[str]):
    """A name that is safe in a comment's marker, a commit status and a file name."""

    name = "name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not re.fullmatch(r"[A-Za-z0-9_.]+(-[A-Za-z0-9_.]+)*", str(value)) or len(str(value)) > 40:
            self.fail(f"{value!r} is not a name: use at most 40 letters, digits and hyphens, as in `eu`", param, ctx)
        return str(value)


class Namespace(click.ParamType[str]):
    """`branches/42` or `branches/heads%2Ftopic` → with a slash at the end."""

    name = "namespace"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        match = re.fullmatch(r"(branches/(?:[1-9][0-9]{0,17}|(?:heads|tags)%2F[A-Za-z0-9._%~-]{1,200}))/?", str(value))
        if match is None:
            self.fail(
                f"{value!r} is not a namespace: write branches/NUMBER, or branches/heads%2FNAME for a branch",
                param,
                ctx,
            )
        return f"{match[1]}/"


class Reason(click.ParamType[str]):
    """A string that is not blank."""

    name = "reason"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not str(value).strip():
            self.fail("give a reason, as in 'CRM lookup repaired'", param, ctx)
        return str(value).strip()


PATHS = click.argument("paths", nargs=-1, metavar="[PATH…]", type=click.Path(path_type=Path))
SELECT = option(
    CASES,
    "--select",
    multiple=True,
    metavar="GLOB",
    help="Only cases whose id matches, or the case of the run or call with this id. Only * and ? are special; quote "
    "it, because ids contain brackets. Repeatable.",
)
TAG = option(CASES, "--tag", "tags", multiple=True, metavar="TAG", help="Only cases with this tag. Repeatable.")
RERUN = option(
    CASES,
    "--rerun",
    type=click.Choice(["needed", "failed", "all"]),
    default="needed",
    metavar="WHICH",
    help="\b\nneeded: new, changed, expired or not passed (default)\nfailed: only what did not pass\nall: every case",
)


def start_over(then: str) -> Callable[[F], F]:
    """`then`: what the help also says."""
    return option(
        CASES,
        "--start-over",
        type=Reason(),
        metavar="REASON",
        help="Something was fixed that planner cannot see: earlier runs of these cases that did not pass stop counting."
        f" They stay stored{then}",
    )


ENVIRONMENT = option(
    WHERE, "--environment", metavar="NAME", help="Use the targets of this environment in planner.yaml."
)
SANDBOX = option(WHERE, "--sandbox", is_flag=True, help="Simulated service: no key, no phone, no charge.")
WORLD = option(WHERE, "--world", metavar="NAME|FILE", help="The sandbox's world (default: of planner.yaml, else demo).")
STORE = option(
    WHERE,
    "--store",
    metavar="PLACE",
    help="Where results are kept (default: `store` of planner.yaml, else .planner/).",
)


def offline(text: str = "Use no network, not even with a key.") -> Callable[[F], F]:
    return option(WHERE, "--offline", is_flag=True, help=text)


def verbose(section: str, text: str) -> Callable[[F], F]:
    """The option of all commands, where people add it at the end of the command that they repeat."""
    return option(section, "-v", "--verbose", "verbosity", count=True, help=text)


def report_dir(section: str) -> Callable[[F], F]:
    return option(
        section,
        "--report-dir",
        type=click.Path(path_type=Path, file_okay=False),
        default=Path("reports"),
        metavar="DIR",
        help="report.md, report.html, results.json and junit.xml (default: reports/, which git ignores).",
    )


def output_format(section: str, *formats: str, text: str = "") -> Callable[[F], F]:
    """The option `--format`; the first format is the default."""
    listed = ", ".join(formats[1:-1]) + (" or " if formats[2:] else "") + formats[-1]
    return option(
        section,
        "--format",
        "output_format",
        type=click.Choice(formats),
        default=formats[0],
        metavar="FORMAT",
        help=text or f"{formats[0]} (default), {listed}."
        if formats[2:]
        else text or f"{formats[0]} (default) or json.",
    )


def together(*options: Callable[[F], F]) -> Callable[[F], F]:
    """Several options as one decorator."""

    def decorate(command: F) -> F:
        for each in reversed(options):
            command = each(command)
        return command

    return decorate


PLACE = together(ENVIRONMENT, SANDBOX, WORLD, STORE)
STORED = together(ENVIRONMENT, SANDBOX, STORE, offline())
"""Options of commands that read stored results."""


def selection(values: dict[str, Any]) -> Selection:
    """The selection of the typed `values`, which are removed from them."""
    from planner.workspace.selection import Selection

    if values.get("world") is not None and not values["sandbox"]:
        raise click.UsageError("--world needs --sandbox")
    names = {field.name for field in fields(Selection)}
    return Selection(**{name: values.pop(name) for name in list(values) if name in names})

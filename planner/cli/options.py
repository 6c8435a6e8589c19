"""Options that several commands share."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from planner.results.outcomes import FailOn
    from planner.session.selection import Selection

F = TypeVar("F", bound=Callable[..., Any])


PATHS = click.argument("paths", nargs=-1, metavar="[PATH…]", type=click.Path(path_type=Path))
STORE = click.option(
    "--store",
    metavar="PLACE",
    help="Where results are stored: a folder (default: .planner/ of the repository), git:refs/planner/results, or"
    " s3://BUCKET/FOLDER.",
)
POLICY_FROM = click.option(
    "--policy-from",
    metavar="REF",
    help=(
        "Read planner.yaml from this commit. Default: the base commit on a pull request in CI, otherwise the work tree."
    ),
)
REPORT_DIR = click.option(
    "--report-dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("reports"),
    show_default=True,
    metavar="DIR",
    help="Where to write the reports.",
)


class Dollars(click.ParamType[int]):
    """`12.50` → 1250 cents, exactly: money is never a float."""

    name = "dollars"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        match = re.fullmatch(r"\$?(\d{1,9})(?:\.(\d{1,2}))?", str(value).strip())
        if match is None:
            self.fail(f"{value!r} is not an amount in dollars; write it as 12.50", param, ctx)
        return int(match[1]) * 100 + int((match[2] or "0").ljust(2, "0"))


class FailOnKinds(click.ParamType["frozenset[FailOn]"]):
    """`failure,regression`."""

    name = "kinds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> frozenset[FailOn]:
        from planner.verdicts.gate import fail_on_written

        try:
            return fail_on_written(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


def without_regressions(kinds: frozenset[FailOn]) -> frozenset[FailOn]:
    """What fails with `--compare-with none`. Raises `click.UsageError` if nothing would."""
    if left := frozenset(kind for kind in kinds if kind.value != "regression"):
        return left
    raise click.UsageError("--compare-with none finds no regressions, so with --fail-on regression nothing would fail")


class CommentName(click.ParamType[str]):
    """A name that is safe in a comment's marker, a commit status and a file name."""

    name = "name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not re.fullmatch(r"[A-Za-z0-9_.]+(-[A-Za-z0-9_.]+)*", str(value)) or len(str(value)) > 40:
            self.fail(f"{value!r} is not a name: use at most 40 letters, digits and hyphens, as in `eu`", param, ctx)
        return str(value)


class Reason(click.ParamType[str]):
    """A text that is not blank."""

    name = "reason"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not str(value).strip():
            self.fail("give a reason, as in --fresh 'the lookup tool was fixed'", param, ctx)
        return str(value).strip()


FRESH = click.option(
    "--fresh",
    type=Reason(),
    metavar="REASON",
    help="Ignore earlier runs of the cases that are called. The reason is recorded. Causes no additional calls.",
)
FAIL_ON = click.option(
    "--fail-on",
    type=FailOnKinds(),
    default="failure,regression",
    show_default=True,
    metavar="KINDS",
    help="Exit with 1 on: failure (a case failed), regression (a case or the suite got significantly worse), or both.",
)


COMPARE_WITH = click.option(
    "--compare-with",
    type=click.Choice(["base", "none"]),
    default="base",
    show_default=True,
    help="base: failures that the base branch already has are known, and regressions count. none: every failure counts,"
    " and nothing is a regression.",
)
COMMENT_NAME = click.option(
    "--name",
    type=CommentName(),
    default="default",
    show_default=True,
    metavar="NAME",
    help="Separates comments, issues and statuses of two uses in one repository.",
)
COMMENT_AUTHOR = click.option(
    "--author",
    default="github-actions[bot]",
    show_default=True,
    metavar="LOGIN",
    help="The login of the token's owner, who writes the comment.",
)
RERUN = click.option(
    "--rerun",
    type=click.Choice(["changed", "failed", "all"]),
    default="changed",
    show_default=True,
    help="changed: cases that are new or changed, whose agent was edited, whose results expired, or that did not "
    "pass. failed: only cases that did not pass. all: every case.",
)


SANDBOX = click.option("--sandbox", is_flag=True, help="Use the embedded sandbox: no key, no charges, no phone calls.")
ENVIRONMENT = click.option("--environment", metavar="NAME", help="Targets of this environment of planner.yaml.")
CONSENT = click.option(
    "--consent-to-charge", is_flag=True, help="Agree to pay for these calls. Without it, no charged call is made."
)
MAX_COST = click.option(
    "--max-cost", "max_cost_cents", type=Dollars(), metavar="DOLLARS", help="Hard ceiling on the cost, such as 12.50."
)


def together(*options: Callable[[F], F]) -> Callable[[F], F]:
    """Several options as one decorator."""

    def decorate(command: F) -> F:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


SELECTING = together(
    PATHS,
    click.option("--select", multiple=True, metavar="GLOB", help="Only cases whose id matches (* and ?); repeatable."),
    click.option("--tag", "tags", multiple=True, metavar="TAG", help="Only cases with this tag; repeatable."),
    ENVIRONMENT,
    STORE,
    POLICY_FROM,
    SANDBOX,
    click.option("--world", metavar="NAME|FILE", help="The sandbox's world (default: demo)."),
)
"""Options of `plan`, `run` and `recheck` that select cases."""
GLOBAL = together(click.option("-v", "--verbose", count=True, help="Explain decisions; -vv also logs requests."))
"""Options of all commands, typed before the name of one. Each is a field of `system.Invocation`."""
STORED = together(STORE, POLICY_FROM, SANDBOX)
"""Options of commands that read stored results."""


def output_format(*formats: str, **settings: Any) -> Callable[[F], F]:
    """The option `--format`; the first format is the default."""
    kind = click.Choice(formats)
    return click.option("--format", "output_format", type=kind, default=formats[0], show_default=True, **settings)


def selection(values: dict[str, Any]) -> Selection:
    """The selection of the typed `values`, which are removed from them."""
    from planner.session.selection import Selection

    if values.get("world") is not None and not values["sandbox"]:
        raise click.UsageError("--world needs --sandbox")
    names = {field.name for field in fields(Selection)}
    return Selection(**{name: values.pop(name) for name in list(values) if name in names})

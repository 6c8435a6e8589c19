"""`/planner run sha256:… up to 1.23`: a comment on a pull request by which a person agrees to calls.

It counts if its author may write to the repository (`who_agrees`), nobody has edited it, and the digest is the newest
that the pull request's comment offers (`superseded`).
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final, cast

from planner.ci.event import COMMAND, event_value, is_command, pull_request_number
from planner.errors import PlannerError, RefusedError, UsageError
from planner.quantities import some
from planner.reports.neutral import one_line
from planner.reports.pull_request import NO_CEILING
from planner.session.run_session import RunOptions
from planner.shell import Shell
from planner.values import frozen
from planner.workspace.report_session import report_session

if TYPE_CHECKING:
    from planner.changes.request import Rerun

_START: Final = re.compile(
    rf"(?i:{re.escape(COMMAND)})(?: (?P<name>[A-Za-z0-9_.-]{{1,40}}))?"
    r" (?P<digest>sha256:[0-9a-f]{64})(?P<rest>(?: .*)?)"
)
_AMOUNT: Final = re.compile(
    r" up to \$?(?:(?P<whole>[0-9]{1,2})|(?P<dollars>[0-9]{1,6})\.(?P<cents>[0-9]{2}))(?P<rest>(?: .*)?)"
)
"""Whole numbers of 100 or more may be cents, so that `--max-cost` refuses them, too."""
_QUOTED: Final = r"(?:'[^']+'|\"[^\"]+\"|[‘’][^‘’]+[‘’]|[“”][^“”]+[“”]|[^\s'\"‘’“”]+)"
"""Phones write curved quotes."""
_OPTIONS: Final = re.compile(
    rf"(?: only(?P<only>(?: {_QUOTED})+?))?(?: rerun (?P<rerun>needed|failed|all))?(?: start over: (?P<why>\S.*))?"
)
_UNNAMED: Final = re.compile(rf"\s*{re.escape(COMMAND)}(?:\s+sha256\b.*|\s*)", re.IGNORECASE | re.DOTALL)
"""It names no project."""
_DEFAULT_NAME: Final = "default"
_MAX_LISTED: Final = 3
"""Commands in a reply."""
_MAX_CHARACTERS: Final = 2_000
_HOW: Final = f"Write one line: `{COMMAND} sha256:… up to 1.23`."
_SHOWN_CHARACTERS: Final = 80


@frozen
class CommentCommand:
    """What the comment agrees to. `only` are patterns of case ids; empty for all."""

    digest: str
    max_cost_cents: int
    only: tuple[str, ...] = ()
    rerun: Rerun = "needed"
    start_over: str | None = None
    name: str = ""


def parse_command(body: str) -> CommentCommand:
    """Raises `UsageError`, which says what could not be read, for anything that is not exactly one command: its author
    meant something else."""
    text = _only_line(body)
    start = _START.fullmatch(text)
    if start is None:
        raise UsageError(
            "I could not read which calls you agree to: copy the command of the comment, which ends the "
            "digest `sha256:…` after 64 digits",
            _HOW,
        )
    amount = _AMOUNT.fullmatch(start["rest"])
    if amount is None and start["rest"].startswith(f" up to {NO_CEILING}"):
        raise UsageError(f"Replace {NO_CEILING} with the most you want to spend, such as 2.00", _HOW)
    if amount is None:
        raise UsageError("I could not read the amount: write `up to 5.00`", _HOW)
    options = _OPTIONS.fullmatch(amount["rest"])
    if options is None:
        raise UsageError(
            f"I could not read `{_shown(amount['rest'])}`: after the amount, only `only 'refunds/*'`, `rerun failed` "
            "and `start over: REASON` can follow, in this order",
            _HOW,
        )
    patterns = re.findall(_QUOTED, options["only"] or "")
    return CommentCommand(
        start["digest"],
        int(amount["whole"] or amount["dollars"]) * 100 + int(amount["cents"] or 0),
        tuple(pattern.strip("'\"‘’“”") for pattern in patterns),
        cast("Rerun", options["rerun"] or "needed"),
        options["why"],
        start["name"] or "",
    )


def _only_line(body: str) -> str:
    """The command, however it is spaced. Line breaks are no spaces: a reason must not swallow what follows it."""
    lines = [" ".join(line.split()) for line in body.splitlines() if line.strip()]
    if " ".join(lines).casefold().count(COMMAND) > 1:
        raise UsageError("this comment has more than one command: write each in a comment of its own", _HOW)
    if len(lines) != 1:
        raise UsageError("this comment has more than one line: write only the command", _HOW)
    (text,) = lines
    if not text.casefold().startswith(COMMAND):
        raise UsageError("write only the command, without other text, quotes or backticks", _HOW)
    if len(text) > _MAX_CHARACTERS:
        raise UsageError(f"this command has more than {_MAX_CHARACTERS:,} characters", _HOW)
    return text


def _shown(text: str, most: int = _SHOWN_CHARACTERS) -> str:
    return one_line(text).replace("`", "'").strip()[:most]


def with_command(shell: Shell, options: RunOptions, name: str) -> RunOptions:
    """The options with what the comment agrees to, if one started this job. `name` separates two uses in one
    repository.

    Raises `UsageError` if the comment is not a valid command, `RefusedError` if it does not count.
    """
    if not is_command(shell.environ):
        return options
    body = str(event_value(shell.environ, "comment", "body"))
    try:
        if name != _DEFAULT_NAME and _UNNAMED.fullmatch(body):
            raise _several_projects(shell)
        command = parse_command(body)
        newest = _check(shell, command, name)
    except PlannerError:
        # Reports say why, so that the comment on the pull request can.
        with report_session(shell, options.report_dir, options.selection, again=options.command()):
            raise
    selection = replace(
        options.selection,
        select=command.only or options.selection.select,
        rerun=command.rerun,
        start_over=command.start_over,
        digest=command.digest,
    )
    return replace(options, selection=selection, max_cost_cents=command.max_cost_cents, newest_digest=newest)


def _several_projects(shell: Shell) -> UsageError:
    """The answer to a command that does not say which project it means, with the commands of all."""
    from planner.ci.client import github_of  # imported late: it loads the HTTP client
    from planner.ci.comment import offered_commands

    number = pull_request_number(shell.environ)
    with github_of(shell.environ, shell.pause) as github:
        commands = offered_commands(github, int(number)) if number else []
    shown = some([f"`{_shown(each, _MAX_CHARACTERS)}`" for each in commands], _MAX_LISTED)
    listed = f"Post one of: {shown}" if commands else "None of them has calls to make here"
    return UsageError(f"this command names none of the projects of this repository. {listed}", _HOW)


def _check(shell: Shell, command: CommentCommand, name: str) -> str | None:
    """The digest of the calls that the pull request's comment offers; "" if it offers none, None if there is no
    comment.

    Raises `RefusedError` if somebody edited the command, `UsageError` if it is for another use."""
    from planner.ci.client import github_of
    from planner.ci.comment import CommentPlace, newest_digest

    environ = shell.environ
    if command.name not in ("", name):
        raise UsageError(f"this comment is for {command.name}, not for {name}", _HOW)
    number, comment = pull_request_number(environ), event_value(environ, "comment", "id")
    if not number or type(comment) is not int:
        raise UsageError("GitHub does not name the comment that started this job", "Start the workflow instead.")
    try:
        with github_of(environ, shell.pause) as github:
            now = github.get(f"issues/comments/{comment}", "pull-requests: read")
            newest = newest_digest(github, CommentPlace(int(number), name))
    except PlannerError as error:
        raise RefusedError(f"the comment cannot be read again, so it does not count: {error}", error.hint) from error
    if now.get("body") != event_value(environ, "comment", "body") or now.get("updated_at") != now.get("created_at"):
        raise RefusedError("Edited comments don't count. Post the command as a new comment", _HOW)
    return newest

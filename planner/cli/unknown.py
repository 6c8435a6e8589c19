"""What was probably meant by a command or an option that does not exist."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import Final

import click

_LIKENESS: Final = 0.7
"""difflib's ratio of `plan-digest` and `digest` is 0.71, of `dry-run` and `rerun` 0.67."""
_NAMED: Final = 2

REMOVED: Final[dict[str, str]] = {
    "worker": "`planner run` makes the calls.",
    "--state": "`planner run --sandbox` resumes what it began; the state of `planner sandbox` ends with the process.",
    "--fault": "To test a client against faults, put a proxy of your own before the sandbox.",
    "--dialect": "The sandbox answers as the reference page says, with the fields that the official client needs.",
    "--detach": "`planner run` makes the calls itself; after an interruption, the same command resumes them.",
    "--trace": "`-vv` logs requests.",
    "--containing": "Name the runs: `planner transcript` prints stored conversations with their ids.",
    "--audio": "Listen to the call on the service's page of it.",
    "--max-concurrent": "Write `policy.max_concurrent_runs` in planner.yaml.",
    "--fail-on": "Remove it: a failure and a regression both end with 1.",
    "--comment-on": "`planner ci publish` writes the comment once the calls have ended.",
    "--author": "The comment is that of github-actions[bot], the owner of a job's token.",
    "--no-comment": "Without `--pull-request`, `planner ci publish` writes only the status.",
}
"""Commands and options that earlier versions had: one sentence each that says what to use instead."""


def unknown_command(context: click.Context, group: click.Group, name: str) -> str:
    """A message. A command of a group is found by its own name, `deploy` is `agent deploy`, and in a group one without:
    `ci plan` is `plan`."""
    if name in REMOVED:
        return f"No such command '{name}'. {REMOVED[name]}"
    own = [f"{context.command_path} {each}" for each in get_close_matches(name, group.list_commands(context), n=1)]
    root = context.find_root()
    inner = [path for path, _ in _commands(root, root.command) if path.split()[-1] == name]
    meant = [*inner, *own][:1]
    return f"No such command '{name}'.{''.join(f' Did you mean `{each}`?' for each in meant)}"


def unknown_option(context: click.Context, name: str) -> str:
    """A message. `--json` is a value of `--format`, and an option of other commands is named with them."""
    if name in REMOVED:
        return f"No such option '{name}'. {REMOVED[name]}"
    options = [each for each in context.command.get_params(context) if isinstance(each, click.Option)]
    choices = {
        f"--{value}": f"{option.opts[-1]} {value}"
        for option in options
        if isinstance(option.type, click.Choice)
        for value in option.type.choices
    }
    message = f"No such option '{name}'."
    if near := [choices[name]] if name in choices else _near(name, options):
        return f"{message} Did you mean {' or '.join(f'`{each}`' for each in near)}?"
    root = context.find_root()
    having = [f"`{path}`" for path, command in _commands(root, root.command) if _has(command, name)]
    if not having:
        return message
    more = [f"{len(having) - _NAMED} more"] if len(having) > _NAMED else []
    return f"{message} It is an option of {' and '.join([', '.join(having[:_NAMED]), *more])}."


def _near(name: str, options: Iterable[click.Option]) -> list[str]:
    """The options that begin so, or else the most similar one."""
    own = [each.removeprefix("--") for option in options for each in option.opts if each.startswith("--")]
    word = name.removeprefix("--")
    begun = [each for each in own if each.startswith(f"{word}-")]
    return [f"--{each}" for each in begun or get_close_matches(word, own, n=1, cutoff=_LIKENESS)]


def _has(command: click.Command, name: str) -> bool:
    return any(name in each.opts for each in command.params)


def _commands(context: click.Context, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    """All commands below this one, each with what to type."""
    if not isinstance(command, click.Group):
        return
    for name in command.list_commands(context):
        inner = command.get_command(context, name)
        if inner is not None:
            below = click.Context(inner, parent=context, info_name=name)
            yield below.command_path, inner
            yield from _commands(below, inner)

"""The help of every command, as a newcomer sees it in 80 columns."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest

from planner.cli import planner


def commands(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    yield name, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for inner in command.list_commands(context):
            found = command.get_command(context, inner)
            assert found is not None
            yield from commands(found, f"{name} {inner}")


@pytest.mark.parametrize(("name", "command"), list(commands(planner, "planner")))
def test_every_option_is_explained(name: str, command: click.Command) -> None:
    """In lines of at most 80 columns, with --help in the last section of options."""
    assert [option.name for option in command.params if isinstance(option, click.Option) and not option.help] == []
    context = command.make_context(name, [], resilient_parsing=True, terminal_width=80)
    lines = command.get_help(context).splitlines()
    assert [line for line in lines if len(line) > 80] == []
    last = max(number for number, line in enumerate(lines) if line.startswith("  -"))
    assert lines[last].startswith("  -h, --help")


def test_the_help_of_plan_and_run_is_short() -> None:
    """At most 22 options together; each has one meaning, so its text differs only where it says so."""
    from planner.cli.plans import plan, run

    options = [
        {option.name: option for option in command.params if isinstance(option, click.Option)}
        for command in (plan, run)
    ]
    assert len(options[0].keys() | options[1].keys()) + 1 <= 22, "and --help"
    shared = options[0].keys() & options[1].keys()
    differing = {name for name in shared if options[0][name].help != options[1][name].help}
    assert differing == {"start_over", "offline", "output_format", "verbosity"}

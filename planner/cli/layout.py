"""Commands whose help lists options in sections, and the order of the whole help."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from planner.cli.unknown import unknown_command, unknown_option

F = TypeVar("F", bound=Callable[..., Any])

SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 80}
_GENERAL = "Options"


class Option(click.Option):
    """An option in a section of the help."""

    def __init__(self, *names: Any, section: str = _GENERAL, **settings: Any) -> None:
        super().__init__(*names, **settings)
        self.section = section

    def get_help_extra(self, ctx: click.Context) -> Any:
        """Defaults and ranges are in the text, where they matter."""
        del ctx
        return {}


def option(section: str, *names: str, **settings: Any) -> Callable[[F], F]:
    return click.option(*names, cls=Option, section=section, **settings)


class _Command(click.Command):
    """Its help is short, and for an option that does not exist it says what was probably meant."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            message = unknown_option(ctx, error.option_name)
            raise click.NoSuchOption(error.option_name, message, ctx=ctx) from error

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        found = super().get_help_option(ctx)
        if found is not None:
            found.help = "Show this help, or that of a command." if isinstance(self, click.Group) else "Show this help."
        return found


class Group(_Command, click.Group):
    """A command with commands, in the order in which they were added."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **{"options_metavar": "", "subcommand_metavar": "COMMAND [OPTIONS]"} | settings)

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(self.commands)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            ctx.fail(unknown_command(ctx, self, name))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, each.get_short_help_str(limit=200)) for name, each in self.commands.items()])


class Command(_Command):
    """Its help shows options by section, in the order in which the sections appear, then `examples`."""

    def __init__(self, *args: Any, examples: Sequence[str] = (), **settings: Any) -> None:
        settings.setdefault("context_settings", SETTINGS)
        super().__init__(*args, **settings)
        self.examples = examples

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        sections: dict[str, list[tuple[str, str]]] = {}
        last = _GENERAL
        for parameter in self.get_params(ctx):
            row = parameter.get_help_record(ctx) if isinstance(parameter, click.Option) else None
            if row is None:
                continue
            last = parameter.section if isinstance(parameter, Option) else last  # `--help` ends the last section
            sections.setdefault(last, []).append(row)
        width = max(len(name) for rows in sections.values() for name, _ in rows)
        for title, rows in sections.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), text) for name, text in rows], col_max=width)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if self.examples:
            with formatter.section("Examples"):
                for line in self.examples:
                    formatter.write(f"{'':>{formatter.current_indent}}{line}\n")
        super().format_epilog(ctx, formatter)


def command(*, examples: Sequence[str] = ()) -> Callable[[Callable[..., Any]], Command]:
    return click.command(cls=Command, examples=examples)

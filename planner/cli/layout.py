"""Commands whose help lists options in sections, and the order of the whole help."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import Any, TypeVar

import click

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


class _ShortHelp(click.Command):
    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        found = super().get_help_option(ctx)
        if found is not None:
            found.help = "Show this help, or that of a command." if isinstance(self, click.Group) else "Show this help."
        return found


class Group(_ShortHelp, click.Group):
    """A command with commands, in the order in which they were added."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **{"options_metavar": "", "subcommand_metavar": "COMMAND [OPTIONS]"} | settings)

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(self.commands)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        name = args[0]
        if self.get_command(ctx, name) is None and (near := get_close_matches(name, self.list_commands(ctx), n=1)):
            ctx.fail(f"No such command '{name}'. Did you mean '{near[0]}'?")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, each.get_short_help_str(limit=200)) for name, each in self.commands.items()])


class Command(_ShortHelp):
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

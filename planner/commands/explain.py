"""`planner explain`: what a diagnostic means and how to fix it, and the fields of each kind of check."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from planner.checks import CHECKS
from planner.diagnostics import Diagnostics
from planner.errors import UsageError
from planner.planfile.examples import check, examples
from planner.planfile.reporter import rules, rules_by_area
from planner.planfile.text import nearest, unknown
from planner.reports import pages
from planner.reports.neutral import json_document
from planner.reports.pages import RulePage, check_page
from planner.shell import Shell

_CHECK = "check:"
_CHECKS = "checks"
_COMPLETION = "completion"
_COMPLETIONS = (
    ("bash", 'eval "$(_PLANNER_COMPLETE=bash_source planner)"'),
    ("zsh", 'eval "$(_PLANNER_COMPLETE=zsh_source planner)"'),
    ("fish", "_PLANNER_COMPLETE=fish_source planner | source"),
)
"""Lines for the shell's start-up file."""


def explain(shell: Shell, topic: str | None, *, output_format: Literal["text", "json", "markdown"]) -> int:
    """Explain a diagnostic code, `check:KIND`, `checks` (all of them), `completion`, or list everything."""
    if topic == _COMPLETION:
        lines = [f"  {name}:  {line}" for name, line in _COMPLETIONS]
        shell.print("\n".join(["Add the line of your shell to its start-up file:", *lines]))
        return 0
    if output_format == "markdown" and topic is None:
        shell.print(pages.rules_document())
        return 0
    rules, checks = _chosen(topic)
    if output_format == "json":
        document = {
            "rules": [pages.rule_json(page) for page in _rule_pages(rules)],
            "checks": [pages.check_json(check_page(name)) for name in checks],
        }
        shell.print(json_document(document))
    elif output_format == "markdown":
        shell.print(
            pages.checks_document(list(map(check_page, checks)))
            if checks
            else pages.rule_text(_rule_pages(rules)[0], pages.WIDTH)
        )
    else:
        shell.print(_text(shell, topic, rules, checks))
    return 0


def _chosen(topic: str | None) -> tuple[Sequence[str], Sequence[str]]:
    """Codes and kinds of check. Without a topic, all."""
    if topic is None:
        return list(rules()), list(CHECKS)
    if topic == _CHECKS:
        return [], list(CHECKS)
    if topic in rules():
        return [topic], []
    if topic.removeprefix(_CHECK) in CHECKS:
        return [], [topic.removeprefix(_CHECK)]
    if topic.startswith(_CHECK):
        word = topic.removeprefix(_CHECK)
        raise UsageError(
            unknown(f"there is no check `{word}`", word, CHECKS), "Run `planner explain checks` for the list."
        )
    near = nearest(topic, [*rules(), *CHECKS, _CHECKS, _COMPLETION])
    meant = f"; did you mean `{near}`?" if near else ""
    raise UsageError(f"there is no diagnostic `{topic}`{meant}", "Run `planner explain` for the list.")


def _text(shell: Shell, topic: str | None, rules: Sequence[str], checks: Sequence[str]) -> str:
    if topic is None or topic == _CHECKS:
        listed = pages.overview(rules=topic is None, width=shell.width, color=shell.color)
        return listed if topic else f"{listed}\n\nRun `planner explain NAME` for details."
    if rules:
        return pages.rule_text(_rule_pages(rules)[0], shell.width)
    return pages.check_text(check_page(checks[0]), shell.width)


def _rule_pages(codes: Sequence[str]) -> list[RulePage]:
    """Pages of these rules, with the diagnostics of their examples."""
    area_of = {rule.code: area for area, rules in rules_by_area().items() for rule in rules}
    found: list[RulePage] = []
    for code in codes:
        example = examples().get(code)
        diagnostics = Diagnostics()
        if example is not None:
            try:
                with TemporaryDirectory(prefix="planner-") as folder:
                    diagnostics = check(example.broken, example, Path(folder))
            except OSError as error:
                raise UsageError(
                    f"the example cannot be checked: {error.strerror or error}",
                    "It is written to the system's temporary folder. Set TMPDIR to a writable folder.",
                ) from error
        found.append(RulePage(area_of[code], rules()[code], example, diagnostics))
    return found

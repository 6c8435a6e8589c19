"""`planner explain CODE`: explanation of a rule, an example that breaks it, its diagnostics, and the fixed example."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from planner.diagnostics import Diagnostics, Severity
from planner.planfile.examples import WITHOUT, Example
from planner.planfile.rules import AREAS, Rule
from planner.reports.diagnostic_documents import as_documents
from planner.reports.diagnostics import render_text
from planner.reports.terminal import Colour, painter, wrapped

MARKDOWN_WIDTH = 120
_REPORT_WIDTH = 100
_MARKDOWN = re.compile(r"`[^`]*`|[*<\[\\]")


@dataclass(frozen=True, slots=True)
class RulePage:
    """`faults` are the diagnostics of the example's broken files."""

    area: str
    rule: Rule
    example: Example | None
    faults: Diagnostics

    def report(self, width: int, *, color: bool) -> str:
        """The diagnostics as `planner validate` shows them."""
        files = {**self.example.beside, **self.example.broken} if self.example else {}
        return render_text(self.faults, read_source=files.get, width=width, color=color).rstrip()

    @property
    def verdict(self) -> str:
        return "Error" if self.faults.has_errors else "Warning"


def render_page(page: RulePage, *, width: int, color: bool) -> str:
    """For a terminal."""
    paint = painter(color=color)
    lines = [paint(page.rule.code, Colour.BOLD) + f": {page.rule.summary}", ""]
    lines += wrapped(page.rule.explanation, width, indent="  ")
    example = page.example
    if example is None:
        without = WITHOUT.get(page.rule.code)
        return "\n".join([*lines, *(["", *wrapped(f"No example: {without}.", width, indent="  ")] if without else [])])
    chosen = f", with --environment {example.environment}" if example.environment else ""
    lines += ["", paint(f"{page.verdict}{chosen}:", Colour.BOLD)]
    lines += _listing({**example.beside, **example.broken})
    lines += ["", paint("planner validate reports:", Colour.BOLD), ""]
    lines += textwrap.indent(page.report(max(width - 2, 40), color=color), "  ").splitlines()
    lines += ["", paint("Fixed:", Colour.BOLD)]
    lines += _listing(example.mended)
    return "\n".join(lines)


def render_list(*, width: int, color: bool) -> str:
    """All rules by area."""
    paint = painter(color=color)
    indent = max(len(rule.code) for rules in AREAS.values() for rule in rules) + 4
    lines: list[str] = []
    for area, rules in AREAS.items():
        lines += ["", paint(area, Colour.BOLD)] if lines else [paint(area, Colour.BOLD)]
        for rule in rules:
            head = f"  {rule.code.ljust(indent - 2)}"
            lines += wrapped(rule.summary, width, indent=head, hanging=" " * indent)
    return "\n".join(lines)


def render_markdown(pages: Sequence[RulePage]) -> str:
    """All pages as one document."""
    lines = [
        "# Diagnostics",
        "",
        "The problems that `planner validate` can report, by the code it shows in brackets. `planner explain CODE` prints one page.",
        "This file is the output of `planner explain --format markdown`.",
        "",
        "Each page explains the problem and shows an example, the report for it, and the fixed files. Errors block all calls.",
        "Warnings do not.",
        "",
        *_contents(pages),
    ]
    area = ""
    for page in pages:
        if page.area != area:
            area = page.area
            lines += ["", f"## {area}"]
        lines += ["", f"### {page.rule.code}", "", f"{page.rule.summary[:1].upper()}{page.rule.summary[1:]}."]
        lines += ["", *wrapped(escaped(page.rule.explanation), MARKDOWN_WIDTH)]
        lines += _markdown_example(page)
    return "\n".join(lines) + "\n"


def _contents(pages: Sequence[RulePage]) -> Iterable[str]:
    for area in dict.fromkeys(page.area for page in pages):
        links = ", ".join(f"[{page.rule.code}](#{page.rule.code})" for page in pages if page.area == area)
        yield from wrapped(links, MARKDOWN_WIDTH, indent=f"* {area}: ", hanging="  ")


def rule_document(page: RulePage) -> dict[str, Any]:
    """As JSON values."""
    example = page.example
    return {
        "code": page.rule.code,
        "area": page.area,
        "summary": page.rule.summary,
        "explanation": page.rule.explanation,
        "severity": None if example is None else (Severity.ERROR if page.faults.has_errors else Severity.WARNING).value,
        "example": None
        if example is None
        else {
            "environment": example.environment,
            "beside": dict(example.beside),
            "broken": dict(example.broken),
            "mended": dict(example.mended),
            "diagnostics": as_documents(page.faults),
        },
    }


def escaped(text: str) -> str:
    """Escape a text for Markdown, except its code spans in backticks."""
    return _MARKDOWN.sub(lambda found: found.group() if found.group().startswith("`") else f"\\{found.group()}", text)


def _markdown_example(page: RulePage) -> Iterable[str]:
    example = page.example
    if example is None:
        without = WITHOUT.get(page.rule.code)
        return ["", f"No example: {without}."] if without else []
    chosen = f", with `--environment {example.environment}`" if example.environment else ""
    return [
        "",
        f"{page.verdict}{chosen}:",
        *_markdown_files({**example.beside, **example.broken}),
        "",
        "```text",
        page.report(_REPORT_WIDTH, color=False),
        "```",
        "",
        "Fixed:",
        *_markdown_files(example.mended),
    ]


def _markdown_files(files: Mapping[str, str]) -> Iterable[str]:
    for name, text in files.items():
        language = "yaml" if name.endswith(".yaml") else "text"
        yield from ["", f"`{name}`", "", f"```{language}", *text.splitlines(), "```"]


def _listing(files: Mapping[str, str]) -> Iterable[str]:
    for name, text in files.items():
        yield from ["", f"  {name}", *(f"    {line}".rstrip() for line in text.splitlines())]

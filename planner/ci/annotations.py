"""Annotations: workflow commands that show problems on lines of the diff.

GitHub shows ten per step and silently drops the rest, so the worst nine are shown and a tenth counts the others.
Source: https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#setting-an-error-message
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

from planner.diagnostics import Diagnostic, Diagnostics, Severity
from planner.reports.neutral import for_workflow_command
from planner.values import frozen

SHOWN_AT_MOST = 9
_MESSAGE_LIMIT = 4000
"""GitHub cuts messages at 4 KiB; this limit is in characters, nearly all of which take one byte."""


@frozen
class Annotation:
    """`file` is relative to the repository's root; "" for no place. Lines and columns count from 1, 0 for none;
    `end_column` is exclusive."""

    level: Literal["error", "warning", "notice"]
    title: str
    message: str
    file: str = ""
    line: int = 0
    column: int = 0
    end_line: int = 0
    end_column: int = 0

    def command(self) -> str:
        """The workflow command on one line."""
        places: dict[str, object] = {"file": self.file}
        if self.file:
            places |= {"line": self.line, "endLine": self.end_line}
        if self.file and self.line and self.end_line in (0, self.line):  # GitHub rejects columns across several lines
            # GitHub's end column is inclusive.
            end_column = max(self.end_column - 1, self.column) if self.end_column else 0
            places |= {"col": self.column, "endColumn": end_column}
        properties = ",".join(
            f"{name}={for_workflow_command(str(value), is_property=True)}"
            for name, value in (places | {"title": self.title}).items()
            if value
        )
        head = f"{self.level} {properties}" if properties else self.level
        long = len(self.message) > _MESSAGE_LIMIT
        message = self.message[: _MESSAGE_LIMIT - 1] + "…" if long else self.message
        return f"::{head}::{for_workflow_command(message)}"


def commands(annotations: Iterable[Annotation]) -> list[str]:
    """Workflow commands for the first nine annotations (worst first), and one that counts the others."""
    every = list(annotations)
    lines = [annotation.command() for annotation in every[:SHOWN_AT_MOST]]
    if len(every) > SHOWN_AT_MOST:
        more = f"{len(every) - SHOWN_AT_MOST} more in the summary"
        lines.append(Annotation("notice", "", more).command())
    return lines


def of_diagnostics(diagnostics: Diagnostics, *, path_prefix: str = "") -> list[Annotation]:
    """One per diagnostic, errors first. `path_prefix` leads from the repository's root to the working directory, ending
    with `/` unless empty."""
    ordered = sorted(diagnostics, key=lambda item: item.severity is not Severity.ERROR)
    return [
        Annotation(
            level="error" if item.severity is Severity.ERROR else "warning",
            title=f"{item.summary} [{item.code}]",
            message=_message(item),
            file=path_prefix + item.span.file,
            line=item.span.line,
            column=item.span.column,
            end_line=item.span.end_line,
            end_column=item.span.end_column,
        )
        for item in ordered
    ]


def _message(item: Diagnostic) -> str:
    """Related places are lines of the message, as annotations cannot link to them."""
    places = [
        f"{related.message}: {related.span.file}:{related.span.line}:{related.span.column}" for related in item.related
    ]
    return "\n".join([item.detail or item.summary, *places])


def prefix_in_repository(env: Mapping[str, str], working_directory: Path) -> str:
    """From the repository's root to the working directory, ending with `/` unless empty."""
    root, here = Path(env.get("GITHUB_WORKSPACE") or working_directory).resolve(), working_directory.resolve()
    if here == root or not here.is_relative_to(root):
        return ""
    return here.relative_to(root).as_posix() + "/"

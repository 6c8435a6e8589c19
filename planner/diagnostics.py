"""Errors and warnings of authored files, with their places. They are collected, not raised; `reports` renders them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from planner.values import frozen

_KEYED = r"""(?ix) (?<![a-z0-9]) (?: api[_-]?key | access[_-]?(?:key|token) | auth[_-]?token | token
    | (?:private|signing|encryption|license|subscription)[_-]?key | secret (?:[_-]?key)? | passw(?:or)?d | passphrase
    | passcode | credentials? | authorization | cookies? | jwt ) ["']? \s* [:=] \s* ["']?
    (?: (?:bearer|basic) \s+ )? (?P<secret> [^\s"',{}\[\]#]{8,} )"""
_SHAPED = (
    r"(?<![A-Za-z0-9])(?P<secret>[spr]k[_-](?:live|test|proj|ant|or)[_-][\w-]{6,}|sk-[A-Za-z0-9]{20,}"
    r"|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|xox[abeprs]-[\w-]{10,}|AKIA[0-9A-Z]{16}"
    r"|eyJ[\w-]{10,}\.[\w-]{10,}(?:\.[\w-]*)?)"
)
"""Keys of services: the value after a word such as `key`, or a known prefix."""


def without_secrets(text: str) -> str:
    """The text with keys and passwords replaced by as many stars, since strangers read the logs of pull requests."""
    for pattern in (_KEYED, _SHAPED):  # compiled on use: most commands need none
        pieces: list[str] = []
        end = 0
        for found in re.finditer(pattern, text):
            start, stop = found.span("secret")
            pieces += (text[end:start], "*" * (stop - start))
            end = stop
        text = "".join([*pieces, text[end:]]) if pieces else text
    return text


class Severity(Enum):
    ERROR = "error"
    WARNING = "warning"


class Span(NamedTuple):
    """A range in a file. `file` is relative to the working directory, with `/`. Lines and columns count characters from
    1; the end is exclusive. A tuple, since large plans have many."""

    file: str
    line: int
    column: int
    end_line: int
    end_column: int


@frozen
class Related:
    """Another place that explains the first one, such as "first defined here"."""

    message: str
    span: Span


@frozen
class Diagnostic:
    """One error or warning. `summary` is stable and contains no names of the user; `detail` says what, why and how to
    fix it."""

    severity: Severity
    code: str
    summary: str
    detail: str
    span: Span
    related: tuple[Related, ...] = ()


@dataclass(slots=True)
class Diagnostics:
    """Errors and warnings; any error prevents all calls."""

    items: list[Diagnostic] = field(default_factory=list[Diagnostic])

    def error(self, code: str, summary: str, detail: str, span: Span, *related: Related) -> None:
        self.items.append(Diagnostic(Severity.ERROR, code, summary, detail, span, related))

    def warning(self, code: str, summary: str, detail: str, span: Span, *related: Related) -> None:
        self.items.append(Diagnostic(Severity.WARNING, code, summary, detail, span, related))

    @property
    def has_errors(self) -> bool:
        return any(item.severity is Severity.ERROR for item in self.items)

    def in_order(self) -> list[Diagnostic]:
        """By file, line and column, so that the order of output does not depend on the order of the checks."""
        return sorted(self.items, key=lambda item: (item.span, item.code, item.detail))

    def __iter__(self) -> Iterator[Diagnostic]:
        return iter(self.in_order())

    def __len__(self) -> int:
        return len(self.items)

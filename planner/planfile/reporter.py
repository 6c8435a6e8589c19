"""Collects diagnostics: each once, none that only follows from another, and no more than 1,000 per file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from planner.diagnostics import Diagnostic, Diagnostics, Related, Severity, Span, without_secrets
from planner.planfile.rules import RULES
from planner.planfile.text import Searches

MAX_PER_FILE = 1_000
MAX_USERS = 3
"""Places that are shown of those that use what has an error."""
_UNREADABLE = frozenset({"key-not-text", "bad-number", "unknown-tag", "bad-alias"})
"""Errors after which a placeholder stands for what was written."""
_CONSEQUENCES = frozenset(
    {
        "wrong-type", "out-of-range", "not-a-choice", "bad-value", "number-rewritten", "version-unknown", "not-e164",
        "literal-template", "not-a-slug", "unknown-check", "file-missing",
    }
)  # fmt: skip
"""Diagnostics of a value that may follow from its being a placeholder."""

Said = dict[tuple[str, Span], int | None]
"""Codes and places that were reported, and their positions among the diagnostics, if they are there."""


class EnoughFaults(Exception):  # noqa: N818 - not an error of the program
    """So much is wrong with a file that reading on helps nobody."""


@dataclass(slots=True)
class Reporter:
    """One for all files loaded together."""

    diagnostics: Diagnostics
    errors: int = 0
    """Errors so far: a part is valid if reading it did not raise this."""
    doubted_keys: set[Span] = field(default_factory=set[Span])
    """Keys after a duplicate one: if they are unknown, they belong to another mapping."""
    searches: Searches = field(default_factory=Searches)
    incomplete: dict[int, object] = field(default_factory=dict[int, object])
    """Mappings, by identity, that lack keys because a merge was refused."""
    doubted_variables: set[str] = field(default_factory=set[str])
    """Variables of the plan that is read whose values could not be read."""
    tables: set[str] = field(default_factory=set[str])
    """Sizes and exclusions of the pairwise tables that were made."""
    tables_room: int = 4_000_000
    """How much more work may be done for further tables; a table is rarely more than 100,000."""
    _seen: set[tuple[str, Span, str]] = field(default_factory=set[tuple[str, Span, str]])
    _per_file: Counter[str] = field(default_factory=Counter[str])
    _unreadable: dict[str, list[Span]] = field(default_factory=dict[str, list[Span]])
    _templates: dict[Span, int] = field(default_factory=dict[Span, int])
    """Unquoted templates, and their positions among the diagnostics."""
    _users: dict[int, dict[Related, None]] = field(default_factory=dict[int, dict[Related, None]])
    """By position among the diagnostics."""

    def error(self, code: str, detail: str, span: Span, *related: Related) -> None:
        """Raises `EnoughFaults` after the last one that is shown of a file."""
        self.errors += 1
        if code in _UNREADABLE:
            self._unreadable.setdefault(span.file, []).append(span)
        elif self._follows(code, detail, span):
            return
        if code == "key-not-text":
            self._templates.setdefault(span, len(self.diagnostics))
        self._add(Severity.ERROR, code, detail, span, related)

    def error_once(self, said: Said, code: str, detail: str, span: Span, user: Span | None = None) -> None:
        """An error that many cases have: only the first is reported. `said` is what was reported so far.

        `user` is where a plan uses what has the error, if that is in a library; all of them are shown with the first.
        """
        self.errors += 1
        if (code, span) not in said:
            said[code, span] = None
            position = len(self.diagnostics)
            self.error(code, detail, span)
            said[code, span] = position if position < len(self.diagnostics) else None
        position = said[code, span]
        if user is not None and position is not None:
            self._users.setdefault(position, {})[Related("used here", user)] = None

    def show_users(self) -> None:
        """Add to the diagnostics of libraries the first few places that use what has the error."""
        for position, users in self._users.items():
            item = self.diagnostics.items[position]
            self.diagnostics.items[position] = replace(item, related=(*item.related, *first_few(users)))
        self._users.clear()

    def warning(self, code: str, detail: str, span: Span, *related: Related) -> None:
        if not self._follows(code, detail, span):
            self._add(Severity.WARNING, code, detail, span, related)

    def file_fault(self, file: str, code: str, detail: str) -> None:
        """An error of the whole file."""
        self.error(code, detail, Span(file, 1, 1, 1, 1))

    def is_unreadable(self, span: Span) -> bool:
        """Whether a placeholder stands for what is written here."""
        return span in self._unreadable.get(span.file, ())

    def _follows(self, code: str, detail: str, span: Span) -> bool:
        """Whether the diagnostic only follows from one about unreadable text at the same place."""
        if code == "unknown-key" and span in self.doubted_keys:
            return True
        if code not in _CONSEQUENCES or not any(_within(part, span) for part in self._unreadable.get(span.file, ())):
            return False
        position = self._templates.pop(span, None)
        if position is not None:  # an unquoted template, and quotes alone would not help here
            item = self.diagnostics.items[position]
            better = replace(item, code=code, summary=RULES[code].summary, detail=without_secrets(detail))
            self.diagnostics.items[position] = better
        return True

    def _add(self, severity: Severity, code: str, detail: str, span: Span, related: tuple[Related, ...]) -> None:
        if (code, span, detail) in self._seen:
            return
        self._seen.add((code, span, detail))
        shown = without_secrets(detail)
        self.diagnostics.items.append(Diagnostic(severity, code, RULES[code].summary, shown, span, related))
        self._per_file[span.file] += 1
        if self._per_file[span.file] == MAX_PER_FILE:
            self.errors += 1
            detail = f"reading stopped after {MAX_PER_FILE:,} diagnostics; fix those first"
            last = Diagnostic(
                Severity.ERROR, "more-faults", RULES["more-faults"].summary, detail, Span(span.file, 1, 1, 1, 1)
            )
            self.diagnostics.items.append(last)
            raise EnoughFaults


def first_few(places: Iterable[Related]) -> tuple[Related, ...]:
    """As many of these places as are shown, each once; the last one says how many more there are."""
    places = list(dict.fromkeys(places))
    shown = places[:MAX_USERS]
    if more := len(places) - len(shown):
        counted = "1 more place" if more == 1 else f"{more:,} more places"
        shown[-1] = replace(shown[-1], message=f"{shown[-1].message}, and in {counted}")
    return tuple(shown)


def _within(part: Span, whole: Span) -> bool:
    start, end = (part.line, part.column), (part.end_line, part.end_column)
    return part.file == whole.file and (whole.line, whole.column) <= start and end <= (whole.end_line, whole.end_column)

"""Collects the faults of files by rule; knows what was already said, and when it is enough."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from planner.diagnostics import Diagnostic, Diagnostics, Related, Severity, Span, without_secrets
from planner.spec.faults import RULES
from planner.spec.faults.wording import Searches

MAX_FAULTS_PER_FILE = 1_000
MAX_USERS = 3
"""Places that are shown of those that use what has a fault."""


_UNREADABLE = frozenset({"key-not-text", "bad-number", "unknown-tag", "bad-alias"})
"""Faults after which a value stands in for what was written."""
_CONSEQUENCES = frozenset(
    {
        "wrong-type",
        "out-of-range",
        "not-a-choice",
        "bad-value",
        "number-rewritten",
        "version-unknown",
        "not-e164",
        "literal-template",
        "not-a-slug",
        "unknown-check",
        "file-missing",
    }
)


Said = dict[tuple[str, Span], int | None]
"""Codes and places of faults that were reported, and their positions among the diagnostics, if they were told there."""


class EnoughFaults(Exception):  # noqa: N818 - not an error of the program
    """So much is wrong with a file that looking for more helps nobody; the file is left there."""


@dataclass(slots=True)
class Reporter:
    """One for all files loaded together. The same fault at the same place is reported once, whoever finds it again."""

    diagnostics: Diagnostics
    errors: int = 0
    """Errors so far: a part is sound if reading it did not raise this."""
    doubted_keys: set[Span] = field(default_factory=set[Span])
    """Keys after one that is written twice: if they are unknown, they belong to something else, as was reported."""
    searches: Searches = field(default_factory=Searches)
    incomplete: dict[int, object] = field(default_factory=dict[int, object])
    """Mappings, by identity, that have not all keys they were to have: what was to be merged into them was reported."""
    doubted_variables: set[str] = field(default_factory=set[str])
    """Of the plan that is read: what they stand for could not be read, which was reported."""
    tables: set[str] = field(default_factory=set[str])
    """Sizes and exclusions of the pairwise tables that were made."""
    tables_room: int = 4_000_000
    """How much more work may be done for further tables; a table is rarely more than 100,000."""
    _seen: set[tuple[str, Span, str]] = field(default_factory=set[tuple[str, Span, str]])
    _per_file: Counter[str] = field(default_factory=Counter[str])
    _unreadable: dict[str, list[Span]] = field(default_factory=dict[str, list[Span]])
    _templates: dict[Span, int] = field(default_factory=dict[Span, int])
    """Keys that are no text, mostly templates without quotes, and their positions among the diagnostics."""
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
        """An error of which many cases have their own version: the first is enough. `said` is what was said so far.

        `user` is where a plan uses what has the fault, if that is in a library; all of them are told with the first.
        """
        self.errors += 1
        if (code, span) not in said:
            said[code, span] = None
            position = len(self.diagnostics)
            self.error(code, detail, span)
            said[code, span] = position if position < len(self.diagnostics) else None
        told = said[code, span]
        if user is not None and told is not None:
            self._users.setdefault(told, {})[Related("used here", user)] = None

    def add_users(self, positions: Iterable[int], users: dict[Related, None]) -> None:
        """Places to be told, in the end, with the diagnostics at these positions; `users` may grow until then."""
        for position in positions:
            self._users.setdefault(position, users)

    def tell_users(self) -> None:
        """Complete the diagnostics of libraries, when all files are read: who uses what has the fault, the first few."""
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

    def unreadable_before(self, place: Span) -> bool:
        """Whether something earlier on this line could not be read, which was reported."""
        return any(
            part.end_line == place.line and part.column < place.column for part in self._unreadable.get(place.file, ())
        )

    def is_unreadable(self, span: Span) -> bool:
        """Whether what is written at this place could not be read, which was reported."""
        return span in self._unreadable.get(span.file, ())

    def _follows(self, code: str, detail: str, span: Span) -> bool:
        """Whether the fault is only there because what is at this place could not be read, which was reported."""
        if code == "unknown-key" and span in self.doubted_keys:
            return True
        if code not in _CONSEQUENCES or not any(_within(part, span) for part in self._unreadable.get(span.file, ())):
            return False
        position = self._templates.pop(span, None)
        if position is not None:  # a template without quotes, and quotes alone would not do here
            item = self.diagnostics.items[position]
            retold = replace(item, code=code, summary=RULES[code].summary, detail=without_secrets(detail))
            self.diagnostics.items[position] = retold
        return True

    def _add(self, severity: Severity, code: str, detail: str, span: Span, related: tuple[Related, ...]) -> None:
        fault = (code, span, detail)
        if fault in self._seen:
            return
        self._seen.add(fault)
        told = without_secrets(detail)
        self.diagnostics.items.append(Diagnostic(severity, code, RULES[code].summary, told, span, related))
        self._per_file[span.file] += 1
        if self._per_file[span.file] == MAX_FAULTS_PER_FILE:
            end = Span(span.file, 1, 1, 1, 1)
            detail = f"reading stopped after {MAX_FAULTS_PER_FILE:,} faults; mend those first"
            self.errors += 1
            self.diagnostics.items.append(
                Diagnostic(Severity.ERROR, "more-faults", RULES["more-faults"].summary, detail, end)
            )
            raise EnoughFaults


def first_few(places: Iterable[Related]) -> tuple[Related, ...]:
    """As many of these places as are shown, each once, the last of them telling how many more there are."""
    places = list(dict.fromkeys(places))
    shown = places[:MAX_USERS]
    if more := len(places) - len(shown):
        counted = "1 more place" if more == 1 else f"{more:,} more places"
        shown[-1] = replace(shown[-1], message=f"{shown[-1].message}, and in {counted}")
    return tuple(shown)


def _within(part: Span, whole: Span) -> bool:
    start, end = (part.line, part.column), (part.end_line, part.end_column)
    return part.file == whole.file and (whole.line, whole.column) <= start and end <= (whole.end_line, whole.end_column)

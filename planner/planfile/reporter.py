"""Collects diagnostics: each once, no consequences of unreadable text, and at most 1,000 errors and 1,000 warnings of a
file.

Their rules are explained in rules.yaml; `planner explain CODE` prints that. A code never changes its meaning."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from planner.diagnostics import Diagnostic, Diagnostics, Related, Severity, Span, without_secrets
from planner.planfile.budget import MAX_SECONDS, Budget
from planner.planfile.text import Searches
from planner.planfile.yaml.parser import MAX_PROBLEMS
from planner.values import frozen

_FILE = Path(__file__).with_name("rules.yaml")


class Rule(NamedTuple):
    """One kind of diagnostic. `summary` is one short phrase, `explanation` one paragraph."""

    code: str
    summary: str
    explanation: str


@cache
def rules_by_area() -> Mapping[str, tuple[Rule, ...]]:
    """Part of a file, in the order in which it is read, to the rules about it. Read late: most commands report
    nothing."""
    from planner.planfile.yaml.reader import read  # which imports this module

    root, problems = read(_FILE.read_bytes(), _FILE.name)
    assert root is not None, problems
    return {area: tuple(_rule(code, text) for code, text in texts.items()) for area, texts in root.items()}


def _rule(code: str, text: str) -> Rule:
    summary, *explanation = text.splitlines()
    return Rule(code, summary, " ".join(explanation))


@cache
def rules() -> Mapping[str, Rule]:
    """Every rule, by its code."""
    return {rule.code: rule for rules_of_area in rules_by_area().values() for rule in rules_of_area}


TABLE_WORK = 4_000_000
"""Maximum work for all pairwise tables that are loaded together."""
_MAX_RELATED = 3
UNREADABLE = frozenset({"key-not-string", "bad-number", "unknown-tag", "bad-alias"})
"""Errors after which a placeholder replaces what was written."""

Said = set[tuple[str, Span]]
"""Codes and places that were reported."""


class TooManyErrors(Exception):  # noqa: N818 - not an error of the program
    """The file has too many errors, or takes too long, to continue."""


@dataclass(slots=True)
class Reporter:
    """Shared by all files that are loaded together."""

    diagnostics: Diagnostics
    budget: Budget = field(default_factory=Budget)
    errors: int = 0
    """Errors so far: a part is valid if reading it did not raise this."""
    searches: Searches = field(default_factory=Searches)
    tables: set[str] = field(default_factory=set[str])
    """Sizes and exclusions of the pairwise tables that were made."""
    tables_room: int = field(default_factory=lambda: TABLE_WORK)
    """How much more work may be done for further tables; a table is rarely more than 100,000."""
    _seen: set[tuple[str, Span, str]] = field(default_factory=set[tuple[str, Span, str]])
    _per_file: Counter[tuple[str, Severity]] = field(default_factory=Counter[tuple[str, Severity]])
    _unreadable: dict[str, list[Span]] = field(default_factory=dict[str, list[Span]])

    def error(self, code: str, detail: str, span: Span, *related: Related) -> None:
        """Raises `TooManyErrors` if more are found in a file than are shown."""
        self.errors += 1
        self._add(Severity.ERROR, code, detail, span, related)
        if code in UNREADABLE:
            self._unreadable.setdefault(span.file, []).append(span)

    def error_once(self, said: Said, code: str, detail: str, span: Span, user: Span | None = None) -> None:
        """An error that many cases have: only the first is reported. `said` is what was reported so far.

        `user` is where a plan uses what has the error, if that is in a library.
        """
        if (code, span) in said:
            self.errors += 1
            return
        said.add((code, span))
        self.error(code, detail, span, *([Related("used here", user)] if user is not None else ()))

    def warning(self, code: str, detail: str, span: Span, *related: Related) -> None:
        self._add(Severity.WARNING, code, detail, span, related)

    def file_error(self, file: str, code: str, detail: str) -> None:
        """Report an error about the whole file."""
        self.error(code, detail, Span(file, 1, 1, 1, 1))

    def check_time(self, file: str) -> None:
        """Raises `TooManyErrors` if reading this file and its imports takes too long, which is reported."""
        if self.budget.exhausted:
            detail = f"a file and its imports may take {MAX_SECONDS:.0f} seconds of CPU time; split it"
            if not any(code == "takes-too-long" and span.file == file for code, span, _ in self._seen):
                self.file_error(file, "takes-too-long", detail)
            raise TooManyErrors

    def _add(self, severity: Severity, code: str, detail: str, span: Span, related: tuple[Related, ...]) -> None:
        if (code, span, detail) in self._seen:
            return
        if code not in UNREADABLE and any(_within(part, span) for part in self._unreadable.get(span.file, ())):
            return
        self._seen.add((code, span, detail))
        self._per_file[span.file, severity] += 1
        number = self._per_file[span.file, severity]
        if number > MAX_PROBLEMS:
            code, related = "more-errors", ()
            detail = f"only the first {MAX_PROBLEMS:,} {severity.value}s of this file are shown; fix those first"
        if number <= MAX_PROBLEMS + 1:
            shown = without_secrets(detail)
            self.diagnostics.items.append(Diagnostic(severity, code, rules()[code].summary, shown, span, related))
        if number > MAX_PROBLEMS and severity is Severity.ERROR:
            raise TooManyErrors


@dataclass(slots=True)
class CaseErrors:
    """Errors of one scenario's cases: each text is reported once, with the first case. `which` names the current
    case."""

    reporter: Reporter
    axes: frozenset[str]
    which: str = ""

    def report(
        self, said: Said, code: str, detail: str, places: tuple[Span, Span | None], names: Collection[str]
    ) -> None:
        """`places`: of the text, and of what uses it if it is in a library. `names`: those that the text uses."""
        which = "" if self.axes.isdisjoint(names) else self.which
        self.reporter.error_once(said, code, detail + which, *places)


@frozen
class Use:
    """A place where a name is used. `user` is where the plan uses what is in a library, with `said` of that; several
    plans may."""

    code: str
    place: Span
    user: Span | None = None
    said: Said = field(default_factory=Said)


@dataclass(slots=True)
class Unresolved:
    """Names that one plan uses and nothing defines, collected until all of it is read: each is reported once."""

    reporter: Reporter
    _uses: dict[str, list[Use]] = field(default_factory=dict[str, list[Use]])
    _messages: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])

    def add(self, name: str, use: Use, message: Callable[[], str]) -> None:
        """Raises `TooManyErrors` if there are more names than are shown. The first message of a name and code is
        shown."""
        self.reporter.errors += 1
        if (name, use.code) not in self._messages:
            self._messages[name, use.code] = message()
        self._uses.setdefault(name, []).append(use)
        if len(self._uses) > MAX_PROBLEMS:
            self.report()

    def report(self) -> None:
        """At the end of the plan: each name at its first place in the plan, or at every place in libraries."""
        for name, uses in self._uses.items():
            own = [use for use in uses if use.user is None]
            if own:
                first = min(own, key=lambda use: (use.place.file != own[0].place.file, use.place))
                others = dict.fromkeys(use.place for use in uses if use.place != first.place)
                related = [Related("also used here", place) for place in islice(others, _MAX_RELATED)]
                self.reporter.error(first.code, self._messages[name, first.code], first.place, *related)
            for use in () if own else uses:
                self.reporter.error_once(use.said, use.code, self._messages[name, use.code], use.place, use.user)
        self._uses.clear()


def _within(part: Span, whole: Span) -> bool:
    start, end = (part.line, part.column), (part.end_line, part.end_column)
    return (whole.line, whole.column) <= start and end <= (whole.end_line, whole.end_column)

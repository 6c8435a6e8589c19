"""Collects the faults of files by rule; knows what was already said, and when it is enough."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from planner.diagnostics import Diagnostic, Diagnostics, Related, Severity, Span
from planner.spec.faults import RULES

MAX_FAULTS_PER_FILE = 1_000


_UNREADABLE = frozenset({"key-not-text", "bad-number", "unknown-tag", "bad-alias"})
"""Faults after which a value stands in for what was written."""
_CONSEQUENCES = frozenset(
    {"wrong-type", "out-of-range", "not-a-choice", "bad-value", "number-rewritten", "version-unknown", "not-e164"}
)


Said = set[tuple[str, Span]]
"""Codes and places of faults that were reported."""


class EnoughFaults(Exception):  # noqa: N818 - not an error of the program
    """So much is wrong with a file that looking for more helps nobody; the file is left there."""


@dataclass(slots=True)
class Reporter:
    """One for all files loaded together. The same fault at the same place is reported once, whoever finds it again."""

    diagnostics: Diagnostics
    errors: int = 0
    """Errors so far: a part is sound if reading it did not raise this."""
    _seen: set[tuple[str, Span, str]] = field(default_factory=set[tuple[str, Span, str]])
    _per_file: Counter[str] = field(default_factory=Counter[str])
    _unreadable: dict[str, list[Span]] = field(default_factory=dict[str, list[Span]])

    def error(self, code: str, detail: str, span: Span, *related: Related) -> None:
        """Raises `EnoughFaults` after the last one that is shown of a file."""
        self.errors += 1
        if code in _UNREADABLE:
            self._unreadable.setdefault(span.file, []).append(span)
        elif self._follows(code, span):
            return
        self._add(Severity.ERROR, code, detail, span, related)

    def error_once(self, said: Said, code: str, detail: str, span: Span) -> None:
        """An error of which many cases have their own version: the first is enough. `said` is what was said so far."""
        self.errors += 1
        if (code, span) not in said:
            said.add((code, span))
            self.error(code, detail, span)

    def warning(self, code: str, detail: str, span: Span, *related: Related) -> None:
        if not self._follows(code, span):
            self._add(Severity.WARNING, code, detail, span, related)

    def file_fault(self, file: str, code: str, detail: str) -> None:
        """An error of the whole file."""
        self.error(code, detail, Span(file, 1, 1, 1, 1))

    def _follows(self, code: str, span: Span) -> bool:
        """Whether the fault is only there because what is at this place could not be read, which was reported."""
        return code in _CONSEQUENCES and any(_within(part, span) for part in self._unreadable.get(span.file, ()))

    def _add(self, severity: Severity, code: str, detail: str, span: Span, related: tuple[Related, ...]) -> None:
        fault = (code, span, detail)
        if fault in self._seen:
            return
        self._seen.add(fault)
        self.diagnostics.items.append(Diagnostic(severity, code, RULES[code].summary, detail, span, related))
        self._per_file[span.file] += 1
        if self._per_file[span.file] == MAX_FAULTS_PER_FILE:
            end = Span(span.file, 1, 1, 1, 1)
            detail = f"reading stopped after {MAX_FAULTS_PER_FILE:,} faults; mend those first"
            self.errors += 1
            self.diagnostics.items.append(
                Diagnostic(Severity.ERROR, "more-faults", RULES["more-faults"].summary, detail, end)
            )
            raise EnoughFaults


def _within(part: Span, whole: Span) -> bool:
    start, end = (part.line, part.column), (part.end_line, part.end_column)
    return part.file == whole.file and (whole.line, whole.column) <= start and end <= (whole.end_line, whole.end_column)

"""Tests that were weakened, and cases that were removed, since another commit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from operator import attrgetter
from typing import Final

from planner.changes.detail import changed_lines, expectation_line
from planner.checks.base import CheckSeverity, Expectation
from planner.planfile.model import Case, Project
from planner.quantities import count, some
from planner.values import frozen

_STRICTEST_FIRST: Final = tuple(CheckSeverity)


@frozen
class Weakened:
    """Case ids by what was done to them, as `kind: details`; `of_project` is what planner.yaml no longer has."""

    tests: Mapping[str, Sequence[str]] = field(default_factory=dict[str, "Sequence[str]"])
    failing: Sequence[str] = ()
    """Removed cases that failed."""
    removed: Sequence[str] = ()
    """The other removed cases."""
    of_project: Sequence[str] = ()

    @property
    def ways(self) -> Mapping[str, Sequence[str]]:
        """Everything, by what was done."""
        removed = {"failing case removed": self.failing, "case removed": self.removed}
        ways = {**removed, **self.tests, **dict.fromkeys(self.of_project, ())}
        return {what: cases for what, cases in ways.items() if cases or what in self.of_project}

    @property
    def summary(self) -> str:
        """`1 test weakened, 1 failing case removed`; "" if there is nothing."""
        weakened = len({case_id for cases in self.tests.values() for case_id in cases})
        parts = [
            (weakened, f"{count(weakened, 'test')} weakened"),
            (len(self.failing), f"{count(len(self.failing), 'failing case')} removed"),
            (len(self.removed), f"{count(len(self.removed), 'case')} removed"),
            (len(self.of_project), some(self.of_project, 1)),
        ]
        return ", ".join(words for number, words in parts if number)


def weakened_tests(
    before: Mapping[str, Case], now: Iterable[Case], renamed: Mapping[str, str], show: Callable[[str], str]
) -> tuple[Mapping[str, Sequence[str]], tuple[Case, ...]]:
    """What was done to the cases `now` that were there `before`, and the cases that are gone.

    `renamed` has the earlier ids of cases that have another now. `show` redacts.
    """
    cases, gone, tests = {case.case_id: case for case in now}, dict(before), dict[str, list[str]]()
    for case_id, case in cases.items():
        earlier_id = renamed.get(case_id, "")
        old = before.get(case_id if case_id in before or earlier_id in cases else earlier_id)
        if old is None:
            continue
        gone.pop(old.case_id, None)
        for what in _weaker(old, case, show):
            tests.setdefault(what, []).append(case_id)
    return tests, tuple(gone.values())


def weakened_project(before: Project, now: Project) -> Iterator[str]:
    """What planner.yaml no longer has after the merge."""
    if before.judge is not None and now.judge is None:
        yield "judge removed"
    for key in before.agent_files.keys() - now.agent_files.keys():
        yield f"agent file removed: target {key[1]} of {key[0]}"


def _weaker(old: Case, new: Case, show: Callable[[str], str]) -> Iterator[str]:
    """Each way in which `new` fails less easily. An expectation that was replaced counts, as nothing can decide whether
    the new one is stricter."""
    gone, added = list(old.expectations), list(new.expectations)
    for alike in (_what_is_checked, attrgetter("id"), attrgetter("check")):
        for before in tuple(gone):
            now = next((each for each in added if alike(each) == alike(before)), None)
            if now is None:
                continue
            gone.remove(before)
            added.remove(now)
            if alike is _what_is_checked:
                yield from _more_lenient((before, old), (now, new))
            elif before.severity is not CheckSeverity.WARNING:
                lines = changed_lines(show(expectation_line(before)), show(expectation_line(now)))
                yield f"expectation replaced: {' → '.join(line[2:] for line in lines)}"
    for before in gone:
        if before.severity is not CheckSeverity.WARNING:
            yield f"expectation removed: {show(expectation_line(before))}"
    for name in ("min_pass_rate", "runs"):
        if getattr(new, name) < getattr(old, name):
            yield f"{name} lowered: {getattr(old, name):g} → {getattr(new, name):g}"
    if new.quarantine is not None and (old.quarantine is None or old.quarantine.until < new.quarantine.until):
        yield f"quarantined: until {new.quarantine.until}, {show(new.quarantine.reason)}"
    if old.target.config is not None and new.target.config is None:
        yield f"agent file removed: target {old.target.alias}"


def _what_is_checked(found: Expectation) -> object:
    return found.model_copy(update={"id": None, "description": None, "severity": None, "min_pass_rate": None})


def _more_lenient(old: tuple[Expectation, Case], new: tuple[Expectation, Case]) -> Iterator[str]:
    """Of two expectations that check the same, each with its case."""
    before, now = old[0].severity, new[0].severity
    if _STRICTEST_FIRST.index(before) < _STRICTEST_FIRST.index(now):
        yield f"severity lowered: {old[0].id}, {before} → {now}"
    rates = [case.min_pass_rate if found.min_pass_rate is None else found.min_pass_rate for found, case in (old, new)]
    if rates[1] < rates[0] and (old[0].min_pass_rate, new[0].min_pass_rate) != (None, None):
        yield f"min_pass_rate lowered: {old[0].id}, {rates[0]:g} → {rates[1]:g}"

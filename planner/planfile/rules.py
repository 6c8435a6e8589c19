"""Every diagnostic an authored file can have: a stable code, a summary without the author's words, and why it matters.

The texts are in rules.yaml; `planner explain CODE` prints them. A code never changes its meaning.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_FILE = Path(__file__).with_name("rules.yaml")


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of diagnostic. `summary` is one short phrase, `explanation` one paragraph."""

    code: str
    summary: str
    explanation: str


@cache
def _areas() -> Mapping[str, tuple[Rule, ...]]:
    from planner.planfile.yaml.reader import read

    document, problems = read(_FILE.read_bytes(), _FILE.name)
    assert document is not None, problems
    return {
        area: tuple(Rule(code, rule["summary"], rule["explanation"]) for code, rule in rules.items())
        for area, rules in document.root.items()
    }


@cache
def _rules() -> Mapping[str, Rule]:
    return {rule.code: rule for rules in _areas().values() for rule in rules}


class _Areas(Mapping[str, tuple[Rule, ...]]):
    """Read when someone asks: most runs have no diagnostic."""

    def __getitem__(self, area: str) -> tuple[Rule, ...]:
        return _areas()[area]

    def __iter__(self) -> Iterator[str]:
        return iter(_areas())

    def __len__(self) -> int:
        return len(_areas())


class _Rules(Mapping[str, Rule]):
    """As `_Areas`."""

    def __getitem__(self, code: str) -> Rule:
        return _rules()[code]

    def __iter__(self) -> Iterator[str]:
        return iter(_rules())

    def __len__(self) -> int:
        return len(_rules())


AREAS: Mapping[str, tuple[Rule, ...]] = _Areas()
"""Part of a file, in the order in which it is read, to the rules about it."""
RULES: Mapping[str, Rule] = _Rules()
"""Every rule, by its code."""

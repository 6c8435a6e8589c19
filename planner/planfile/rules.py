"""Every diagnostic an authored file can have: a stable code, a summary without the author's words, and why it matters.

The texts are in rules.yaml; `planner explain CODE` prints them. A code never changes its meaning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple, TypeVar

Value = TypeVar("Value")
_FILE = Path(__file__).with_name("rules.yaml")


class Rule(NamedTuple):
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


class _Lazy(Mapping[str, Value]):
    """Read on first use: most commands report no diagnostic."""

    def __init__(self, load: Callable[[], Mapping[str, Value]]) -> None:
        self._load = load

    def __getitem__(self, key: str) -> Value:
        return self._load()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._load())

    def __len__(self) -> int:
        return len(self._load())


AREAS: Mapping[str, tuple[Rule, ...]] = _Lazy(_areas)
"""Part of a file, in the order in which it is read, to the rules about it."""
RULES: Mapping[str, Rule] = _Lazy(_rules)
"""Every rule, by its code."""

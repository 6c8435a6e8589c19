"""Every fault an authored file can have: a stable code, a summary without the author's words, and why it matters.

`planner explain CODE` prints the explanation. Codes are never reused for another meaning. Beside the rules are the words that
faults are told in, and what collects them.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from planner.spec.faults.making import FILES_BESIDE, MATRICES, TEMPLATES, TOO_MUCH
from planner.spec.faults.meaning import LIBRARIES, REFERENCES, SCENARIOS
from planner.spec.faults.rule import Rule
from planner.spec.faults.text import DOCUMENT, FILE, YAML

__all__ = ["AREAS", "RULES", "Rule"]

AREAS: Mapping[str, tuple[Rule, ...]] = MappingProxyType(
    {
        "The file": FILE,
        "YAML": YAML,
        "The document": DOCUMENT,
        "References": REFERENCES,
        "Libraries": LIBRARIES,
        "Scenarios": SCENARIOS,
        "Matrices": MATRICES,
        "Templates": TEMPLATES,
        "Files beside the plan": FILES_BESIDE,
        "Too much of everything": TOO_MUCH,
    }
)
"""Where a fault is to be found, in the order in which a file is read, to the rules it can break there."""

RULES: Mapping[str, Rule] = MappingProxyType({rule.code: rule for rules in AREAS.values() for rule in rules})
"""Every rule, by its code."""

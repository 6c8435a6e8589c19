"""What a kind of fault is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of fault. `summary` is one short phrase, `explanation` one paragraph for `planner explain`."""

    code: str
    summary: str
    explanation: str

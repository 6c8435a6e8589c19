"""Faults of the same plans in several environments, told once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from planner.checks.wording import listed
from planner.diagnostics import Diagnostic, Diagnostics, Span


def undefined_in(environment: str, alias: str) -> str:
    """What is said of an alias that one environment does not define."""
    return f"environment `{environment}` does not define `{alias}`"


def in_environments(found: Mapping[str, Diagnostics]) -> Diagnostics:
    """What is told of plans in these environments, each fault once; an alias that several do not define names them all."""
    missing: dict[Span, dict[str, Diagnostic]] = {}
    told: dict[Diagnostic | Span, None] = {}
    for environment, diagnostics in found.items():
        for item in diagnostics:
            if item.code == "unknown-target" and item.detail.startswith(undefined_in(environment, "")[:-1]):
                missing.setdefault(item.span, {})[environment] = item
                told[item.span] = None
            else:
                told[item] = None
    return Diagnostics(
        [_of_several(missing[item], len(found)) if isinstance(item, Span) else item for item in told],
    )


def _of_several(items: Mapping[str, Diagnostic], environments: int) -> Diagnostic:
    """One of an alias that these environments do not define, of as many as there are."""
    name, first = next(iter(items.items()))
    if len(items) == 1:
        return first
    alias = first.detail.removeprefix(undefined_in(name, "")[:-1]).partition("`")[0]
    who = f"environments {listed([f'`{other}`' for other in items])} do not define"
    if len(items) == environments:
        who = "no environment of planner.yaml defines"
    hints = [item.detail.partition("; ")[2] for item in items.values()]
    hint = next((hint for hint in hints if hint.startswith("did you mean")), hints[0] if len({*hints}) == 1 else "")
    return replace(first, detail=f"{who} `{alias}`{f'; {hint}' if hint else ''}")

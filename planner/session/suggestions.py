"""Suggests case ids for a name that no case has."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

_SHOWN = 3
_COMPARED = 2_000
"""Maximum number of names to compare, which takes quadratic time."""
_POINT = re.compile(r"\[.*\]", re.DOTALL)


def suggest(wanted: str, case_ids: Sequence[str]) -> list[str]:
    """Similar case ids, or globs if cases differ only in their matrix point; empty if none is similar."""
    if inside := [case_id for case_id in case_ids if wanted in case_id]:
        return inside[:_SHOWN]
    by_name: dict[str, list[str]] = {}
    for case_id in case_ids:
        by_name.setdefault(_POINT.sub("", case_id), []).append(case_id)
    name = _POINT.sub("", wanted).partition("[")[0] + (f"@{wanted.rpartition('@')[2]}" if _cut_short(wanted) else "")
    known = {_shortened(found, name): found for found in reversed(by_name)}
    near = difflib.get_close_matches(name, list(known)[:_COMPARED], n=1, cutoff=0.6)
    if not near:
        return []
    cases = by_name[known[near[0]]]
    if "[" in wanted:
        return difflib.get_close_matches(wanted, cases[:_COMPARED], n=1, cutoff=0) or cases[:1]
    if len(cases) == 1:
        return cases
    before, _, target = known[near[0]].rpartition("@")
    return [f"{before}[*]@{target}"]


def _cut_short(wanted: str) -> bool:
    """Whether a bracket is not closed before the target."""
    return "[" in wanted and "]" not in wanted and "@" in wanted


def _shortened(name: str, like: str) -> str:
    """The name without plan or target if `like` has none."""
    if "/" not in like:
        name = name.partition("/")[2]
    return name if "@" in like else name.rpartition("@")[0]

"""Words that an expression compares with what the service never says: negated, such a comparison holds for every call."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches

from planner.checks.call import KNOWN_REASONS, known_reason
from planner.checks.wording import shown
from planner.evidence import Role

_ROLES = tuple(role.value for role in Role)
_TEXT = r"""[rR]?(?:'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")"""
_FIELD = r"(?<![\w.])(?P<owner>\w+)\s*\.\s*(?P<field>role|status|end_reason|outcome|goal|score)\b(?!\s*[.(\[])"
_COMPARED = re.compile(rf"{_FIELD}\s*(?:[!=]=\s*(?P<text>{_TEXT})|in\s*\[(?P<list>[^\[\]]*)\])")
_TURNED = re.compile(rf"(?P<text>{_TEXT})\s*[!=]=\s*{_FIELD}")
_SCORE = re.compile(r"\bgrade\s*\.\s*score\s*(?:[<>]=?|[!=]=)\s*(?P<number>\d+(?:\.\d+)?)\b")
_LITERAL = re.compile(_TEXT)
_OF_ANY_TYPE = re.compile(r"\.\s*(?:document|arguments|result)\b")
"""What of a call may hold anything, so that a role in it may be none of a turn."""

_KNOWN: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("run", "status"): ("completed", "failed"),
    ("call", "status"): ("completed", "failed", "in_progress"),
    ("call", "end_reason"): KNOWN_REASONS,
    ("grade", "status"): ("completed", "pending", "failed"),
    ("grade", "outcome"): ("success", "failure", "unknown", "no_conversation"),
    ("grade", "goal"): ("achieved", "missed", "no_opportunity"),
}
"""What the service has been seen to say; it may say others, so that only what is nearly one of these is doubted."""
_MEANT: Mapping[str, str] = {
    **dict.fromkeys(("bot", "user", "customer", "human", "tester"), "caller"),
    **dict.fromkeys(("assistant", "ai"), "agent"),
    "function": "tool",
}
"""What other tools call the roles."""
_ALIKE = 0.75
_PERCENT = 100
_LEAST_PERCENT = 0.05
"""A lower number than this is hardly meant as one of percent."""


def doubtful_words(expression: str) -> Iterator[str]:
    """A sentence for each word that no call, as far as is known, has in this place, and for each score above the highest."""
    for pattern in (_COMPARED, _TURNED):
        for found in pattern.finditer(expression):
            if found["field"] == "role" and _OF_ANY_TYPE.search(expression):
                continue
            words = [found["text"]] if found["text"] else _LITERAL.findall(found["list"])
            for word in words:
                yield from _doubts(found["owner"], found["field"], word.lstrip("rR")[1:-1])
    for found in _SCORE.finditer(expression):
        if float(found["number"]) > 1:
            share = float(found["number"]) / _PERCENT
            hint = f"; for {found['number']} of {_PERCENT} write {share:g}" if _LEAST_PERCENT < share <= 1 else ""
            yield f"a score runs from 0 to 1{hint}"


def _doubts(owner: str, field: str, word: str) -> Iterator[str]:
    if field == "role":
        if word not in _ROLES:
            meant = _MEANT.get(word.lower()) or _closest(word, _ROLES)
            hint = f"did you mean `{meant}`?" if meant else f"known: {', '.join(f'`{role}`' for role in _ROLES)}"
            yield f"no turn has the role {shown(word)}; {hint}"
    elif (known := _KNOWN.get((owner, field))) is not None:
        meant = known_reason(word) if field == "end_reason" else _closest(word, known)
        if meant == "failed" and owner != "grade":
            yield f"a {owner} that failed is the platform's fault and is not judged: none that is judged has this status"
        elif meant not in (None, word):
            yield f"no {owner} is known to have the {field.replace('_', ' ')} {shown(word)}; did you mean `{meant}`?"


def _closest(word: str, known: Sequence[str]) -> str | None:
    return next(iter(get_close_matches(word.lower(), known, 1, _ALIKE)), None)

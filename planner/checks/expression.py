"""`expression`: whatever the other kinds of check cannot say, in CEL."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from planner.checks.base import EVERY_PART, Doubt, Expectation, Judgement, Missed, PartsRead, errored, failed, passed
from planner.checks.cel import CelError, Undecided, check_cel, evaluate
from planner.checks.wording import shown
from planner.evidence import Evidence, RedactedPart, Role, UnreadPart

_REFERENCE = re.compile(r"(?<![\w.\"'])(run|call|grade)\.(\w+)(?![\w(.\[])")
_WHOLE = re.compile(r"\b(call|run|grade)\b(?!\.)")
"""An object that is not asked for one of its fields by name."""
_NAMES: Mapping[RedactedPart | UnreadPart, str] = {"grade": "summary", "results": "tools"}
"""What an expression reaches a part by, where that is not its own name."""
_MOST_VALUES = 4
_ROLE = re.compile(r"""\.\s*role\s*[!=]=\s*(["'])(?P<word>\w*)\1""")
_ANY_VALUE = re.compile(r"\.\s*(?:document|arguments|result)\b")
"""Fields that may hold a `role` of their own."""


def _compiles(expression: str) -> str:
    if find_spec("cel_expr_python") is None:
        raise ValueError(
            "`expression` needs the extra of that name; in planner's clone: uv tool install '.[expression]'"
        )
    try:
        check_cel(expression)
    except CelError as error:
        # Where in the text it is, for a diagnostic that points there.
        raise PydanticCustomError(
            "text_fault", "{why}", {"why": str(error), "start": error.start, "end": error.end}
        ) from error
    return expression


class Expression(Expectation, frozen=True):
    """A CEL expression that is true.

    It sees `run`, `call`, `turns`, `tools` and `grade`, in the names of the stored evidence: `call.duration_seconds`,
    `turns.exists(t, t.role == 'agent' && t.text.contains('refund'))`. What the service did not tell is not there: asking for
    it decides nothing, unless the rest of the expression decides alone or `has(call.end_reason)` asks first. Numbers with a
    decimal point and without are two types: write `call.duration_seconds < 120.0`. Needs the extra `expression`: in planner's
    clone, `uv tool install '.[expression]'`.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"check": "expression", "cel": "call.duration_seconds < 120.0 || turns.exists(t, t.role == 'tool')"},
                {"check": "expression", "cel": "tools.filter(t, t.name == 'lookup_order').size() <= 2"},
            ]
        }
    )

    check: Literal["expression"] = Field(description="The kind of check.")
    cel: Annotated[str, AfterValidator(_compiles)] = Field(
        description="An expression in CEL (cel.dev) that is true or false.",
        examples=["call.duration_seconds < 120.0 && turns.size() > 4"],
    )

    def doubts(self) -> Sequence[Doubt]:
        """A role that no turn has: negated, such a comparison holds for every call."""
        words = dict.fromkeys(found["word"] for found in _ROLE.finditer(self.cel))
        if _ANY_VALUE.search(self.cel):
            return []
        known = ", ".join(f"`{role.value}`" for role in Role)
        return [
            Doubt(("cel",), f"no turn has the role {shown(word)}; known: {known}", "near-miss")
            for word in words
            if word not in {role.value for role in Role}
        ]

    def reads(self, evidence: Evidence, missed: Missed) -> PartsRead:
        del evidence, missed
        # Nothing can be reached without its name, but through a whole object.
        whole = _WHOLE.search(self.cel) is not None
        return frozenset(part for part in EVERY_PART if whole or _NAMES.get(part, part) in self.cel)

    def judge(self, evidence: Evidence) -> Judgement:
        found = evaluate(self.cel, evidence)
        if isinstance(found, Undecided):
            return errored(f"{shown(self.cel)} cannot be decided: {found.why}")
        told = f"{shown(self.cel)} is {str(found).lower()}"
        if found:
            return passed(told)
        values = self._values(evidence)
        return failed(f"{told}: {values}" if values else told)

    def _values(self, evidence: Evidence) -> str:
        """What it asks of run, call and grade, for the reader."""
        run = {"run_id": evidence.run_id, "status": evidence.run_status, "cost_cents": evidence.cost_cents}
        told = {
            "run": run,
            "call": evidence.call.model_dump() if evidence.call else {},
            "grade": evidence.grade.model_dump() if evidence.grade else {},
        }
        names = list(dict.fromkeys(match.groups() for match in _REFERENCE.finditer(self.cel)))[:_MOST_VALUES]
        return ", ".join(f"{owner}.{name} is {shown(told[owner].get(name))}" for owner, name in names)

"""`expression`: conditions in CEL, for what no other check covers."""

import re
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from planner.checks.base import EVERY_PART, Expectation, Lint, Missed, PartsRead, examples
from planner.checks.judgement import Judgement, errored, failed, passed, shown
from planner.evidence import Evidence, RedactedPart, Role, UnreadPart

_NAMES: Final[Mapping[RedactedPart | UnreadPart, str]] = {"grade": "summary", "results": "tools"}
"""The word by which an expression reads a part, if it is not the part's own name."""
_MOST_VALUES: Final = 4


def _compiles(expression: str) -> str:
    if find_spec("cel_expr_python") is None:
        raise ValueError(
            "`expression` needs the extra of that name; in planner's clone: uv tool install '.[expression]'"
        )
    from planner.checks.cel import CelError, check_cel

    try:
        check_cel(expression)
    except CelError as error:
        context = {"why": str(error), "start": error.start, "end": error.end}
        raise PydanticCustomError("text_fault", "{why}", context) from error
    return expression


class Expression(Expectation, frozen=True):
    """A CEL expression that is true.

    It reads `run`, `call`, `turns`, `tools` and `grade`, in the names of the stored evidence: `call.duration_seconds`,
    `turns.exists(t, t.role == 'agent' && t.text.contains('refund'))`. Reading a value that the service did not provide
    leaves the check undecided, unless the rest of the expression decides alone or `has(call.end_reason)` is tested first.
    Numbers with and without a decimal point are different types: write `call.duration_seconds < 120.0`. Needs the extra
    `expression`: in planner's clone, `uv tool install '.[expression]'`.
    """

    model_config = examples(
        {"check": "expression", "cel": "call.duration_seconds < 120.0 || turns.exists(t, t.role == 'tool')"},
        {"check": "expression", "cel": "tools.filter(t, t.name == 'lookup_order').size() <= 2"},
    )
    caller_can_cause_failure = True

    check: Literal["expression"] = Field(description="The kind of check.")
    cel: Annotated[str, AfterValidator(_compiles)] = Field(
        description="An expression in CEL (cel.dev) that is true or false.",
        examples=["call.duration_seconds < 120.0 && turns.size() > 4"],
    )

    def lints(self) -> Sequence[Lint]:
        """Compared with a role that no turn has, `!=` always holds."""
        if re.search(r"\.\s*(?:document|arguments|result)\b", self.cel):
            return ()  # these may have roles of their own
        known = [role.value for role in Role]
        words = dict.fromkeys(word for _, word in re.findall(r"""\.\s*role\s*[!=]=\s*(["'])(\w*)\1""", self.cel))
        return [
            Lint(("cel",), f"no turn has the role {shown(word)}; known: {', '.join(known)}", "near-miss")
            for word in words
            if word not in known
        ]

    def reads(self, evidence: Evidence, missed: Missed) -> PartsRead:
        del evidence, missed
        # A part is read by its name, or by using a whole object.
        whole = re.search(r"\b(call|run|grade)\b(?!\.)", self.cel) is not None
        return frozenset(part for part in EVERY_PART if whole or _NAMES.get(part, part) in self.cel)

    def judge(self, evidence: Evidence) -> Judgement:
        from planner.checks.cel import evaluate

        found = evaluate(self.cel, evidence)
        if isinstance(found, str):
            return errored(f"{shown(self.cel)} cannot be decided: {found}")
        message = f"{shown(self.cel)} is {str(found).lower()}"
        if found:
            return passed(message)
        values = self._values(evidence)
        return failed(f"{message}: {values}" if values else message)

    def _values(self, evidence: Evidence) -> str:
        """The values of run, call and grade that it reads."""
        run = {"run_id": evidence.run_id, "status": evidence.run_status, "cost_cents": evidence.cost_cents}
        objects = {
            "run": run,
            "call": evidence.call.model_dump() if evidence.call else {},
            "grade": evidence.grade.model_dump() if evidence.grade else {},
        }
        found = re.findall(r"(?<![\w.\"'])(run|call|grade)\.(\w+)(?![\w(.\[])", self.cel)
        names = list(dict.fromkeys(found))[:_MOST_VALUES]
        return ", ".join(f"{owner}.{name} is {shown(objects[owner].get(name))}" for owner, name in names)

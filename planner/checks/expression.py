"""`expression`: conditions in CEL (Common Expression Language, cel.dev), for what no other check covers.

It is evaluated over plain maps that lack what the service did not provide, so that reading it is an error, never a
value. The library bounds the steps of all macros together (10,000) and the nesting (32); the bounds below stop
concatenation inside macros from multiplying a string.
"""

import re
from ast import literal_eval
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from importlib.util import find_spec
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from planner.checks.base import EVERY_PART, Expectation, Lint, Missed, PartsRead, examples, text_error
from planner.checks.call import end_reason_of, status_of
from planner.checks.judgement import Judgement, failed, passed, shown, undecided
from planner.checks.patterns import compile_pattern
from planner.evidence import Call, Evidence, Grade, RedactedPart, Role, UnreadPart

MAX_LENGTH: Final = 1_000
"""Characters of an expression."""
MAX_MACROS: Final = 4
MAX_PLUSES: Final = 4

_WORD: Final = re.compile(r"\w+")
_LISTS: Final = frozenset({"turns", "tools"})

VARIABLES: Final = ("run", "call", "turns", "tools", "grade")


_GRADERS_WORDS: Final = frozenset({"outcome_reasoning", "goal_reasoning", "rubric", "titles"})
"""Shown with a failure, not for expressions: their form is the grader's own."""

FIELDS: Final[Mapping[str, frozenset[str]]] = {
    "run": frozenset({"run_id", "status", "error_message", "cost_cents", "cost_basis"}),
    "call": frozenset(Call.model_fields),
    "grade": frozenset(Grade.model_fields) - _GRADERS_WORDS,
}
"""What an expression can read of each object."""
_FIELD: Final = re.compile(r"(?<![\w.\"'])(run|call|grade)\.(\w+)")

_NAMES: Final[Mapping[RedactedPart | UnreadPart, str]] = {"grade": "summary", "results": "tools"}
"""The word by which an expression reads a part, if it is not the part's own name."""
_MOST_VALUES: Final = 4


def check_cel(expression: str) -> str:
    """The expression itself. Raises `ValueError` with a message for the author."""
    if find_spec("cel_expr_python") is None:
        raise ValueError(
            "`expression` needs the extra of that name; in planner's clone: uv tool install '.[expression]'"
        )

    def whole(message: str) -> PydanticCustomError:
        return text_error(message, 0, len(expression))

    if len(expression) > MAX_LENGTH:
        raise whole(f"an expression may have {MAX_LENGTH:,} characters, this one has {len(expression):,}")
    macros = list(re.finditer(r"\.\s*(?:all|exists|exists_one|existsOne|map|filter)\s*\(", expression))
    if len(macros) > MAX_MACROS:
        place = macros[MAX_MACROS].span()
        raise text_error(f"an expression may use {MAX_MACROS} of all, exists, exists_one, map and filter", *place)
    if macros and expression.count("+") > MAX_PLUSES:
        raise whole(f"an expression with all, exists, map or filter may have {MAX_PLUSES} `+`")
    for found in _FIELD.finditer(expression):
        if found[2] not in FIELDS[found[1]]:
            known = ", ".join(sorted(FIELDS[found[1]]))
            raise text_error(f"a {found[1]} has no `{found[2]}`; known: {known}", *found.span(2))
    cel = _library()
    try:
        compiled = _compiled(expression)
    except RuntimeError as error:
        raise located(expression, str(error)) from error
    kind = compiled.return_type()
    if kind not in (cel.Type.BOOL, cel.Type.DYN):
        raise whole(
            f"this is {kind.name().lower()}, not true or false; compare it, as in call.duration_seconds < 120.0"
        )
    _check_patterns(expression)
    # Evaluated without any evidence: a result now would be the result for every call.
    value = compiled.eval(data={})
    if value.type() == cel.Type.BOOL:
        always = "always" if value.plain_value() else "never"
        raise whole(f"this {always} holds, so it checks nothing; use run, call, turns, tools or grade")
    if set(VARIABLES).isdisjoint(_WORD.findall(expression)):
        raise whole(f"this is never decided: {_detail(str(value.value()))}")
    return expression


def _check_patterns(expression: str) -> None:
    """Check patterns written as literals, which the library compiles only during evaluation."""
    literal = r"""[rR]?(?:'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")"""
    for found in re.finditer(rf"""\bmatches\s*\((?:[^'"(),]*,)?\s*({literal})\s*\)""", expression):
        try:
            compile_pattern(str(literal_eval(found[1])))
        except SyntaxError:
            continue  # an escape that Python lacks
        except ValueError as error:
            raise text_error(str(error), *found.span(1)) from error


def located(expression: str, message: str) -> PydanticCustomError:
    """The first error in the library's message, and its place in the expression."""
    found = re.search(r"ERROR: <input>:([1-9]\d*):(\d+): (.*)", message)
    if found is None:
        deep = "recursion" in message
        why = "this is nested too deeply; write several expectations" if deep else f"not CEL: {_detail(message)}"
        return text_error(why, 0, len(expression))
    lines = expression.splitlines(keepends=True)
    start = min(sum(map(len, lines[: int(found[1]) - 1])) + int(found[2]) - 1, max(0, len(expression) - 1))
    word = _WORD.match(expression, start)
    return text_error(f"not CEL: {found[3]}", start, word.end() if word else start + 1)


def _detail(text: str) -> str:
    """A message of the library on one line, without its kind."""
    line = " ".join(text.split())
    return line.partition(": ")[2] or line


class Expression(Expectation, frozen=True):
    """A CEL expression that is true.

    It can use `run`, `call`, `turns`, `tools` and `grade`, with the names of the stored evidence:
    `turns.exists(t, t.role == 'agent' && t.text.contains('refund'))`. Undecided if it uses a value that the service did
    not provide, unless it tests `has(call.end_reason)` first. Write `call.duration_seconds < 120.0`, with a decimal
    point. Needs the extra `expression`.
    """

    model_config = examples(
        {"check": "expression", "cel": "call.duration_seconds < 120.0 || turns.exists(t, t.role == 'tool')"},
        {"check": "expression", "cel": "tools.filter(t, t.name == 'lookup_order').size() <= 2"},
    )
    caller_can_cause_failure = True

    check: Literal["expression"] = Field(description="The kind of check.")
    cel: Annotated[str, AfterValidator(check_cel)] = Field(
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

    @property
    def wants_grade(self) -> bool:
        return re.search(r"(?<![\w.])grade\s*\.\s*\w", self.cel) is not None

    def reads(self, evidence: Evidence, missed: Missed) -> PartsRead:
        del evidence, missed
        # A part is read by its name, or by using a whole object.
        whole = re.search(r"\b(call|run|grade)\b(?!\.)", self.cel) is not None
        return frozenset(part for part in EVERY_PART if whole or _NAMES.get(part, part) in self.cel)

    def judge(self, evidence: Evidence) -> Judgement:
        found = evaluate(self.cel, evidence)
        if isinstance(found, str):
            return undecided(f"{shown(self.cel)} cannot be decided: {found}")
        message = f"{shown(self.cel)} is {str(found).lower()}"
        if found:
            return passed(message)
        values = self._values(evidence)
        return failed(f"{message}: {values}" if values else message)

    def _values(self, evidence: Evidence) -> str:
        """The values of run, call and grade that it reads."""
        run = {"run_id": evidence.run_id, "status": evidence.run_status.value, "cost_cents": evidence.cost_cents}
        objects = {
            "run": run,
            "call": evidence.call.model_dump() if evidence.call else {},
            "grade": evidence.grade.model_dump(include=set(FIELDS["grade"])) if evidence.grade else {},
        }
        found = re.findall(r"(?<![\w.\"'])(run|call|grade)\.(\w+)(?![\w(.\[])", self.cel)
        names = list(dict.fromkeys(found))[:_MOST_VALUES]
        return ", ".join(f"{owner}.{name} is {shown(objects[owner].get(name))}" for owner, name in names)


def evaluate(expression: str, evidence: Evidence) -> bool | str:
    """Evaluate the expression on one run; a string says why it is undecided."""
    cel = _library()
    try:
        value = _compiled(expression).eval(data=_values(evidence))
    except RuntimeError as error:
        return f"it takes too much work or cannot be evaluated: {_detail(str(error))}"
    if value.type() == cel.Type.ERROR:
        message = _detail(str(value.value()))
        missing = re.search(r'(?:Key not found in map : |No value with name )"([^"]*)"', message)
        return f"the service gave no `{missing[1]}`" if missing else message
    plain = value.plain_value()
    if not isinstance(plain, bool):
        return f"it is {value.type().name().lower()}, neither true nor false"
    return plain


def _values(evidence: Evidence) -> dict[str, Any]:
    """The evidence as plain maps without missing values. Without a transcript `turns` is missing, not empty."""
    call, grade = evidence.call, evidence.grade
    run = {
        "run_id": evidence.run_id,
        "status": evidence.run_status.value,
        "error_message": evidence.error_message,
        "cost_cents": evidence.cost_cents,
        "cost_basis": evidence.cost_basis,
    }
    about_call = {**call.model_dump(), "status": status_of(call), "end_reason": end_reason_of(call)} if call else {}
    values: dict[str, Any] = {
        "run": _present(run),
        "call": _present(about_call),
        "grade": _present(grade.model_dump(include=set(FIELDS["grade"])) if grade else {}),
    }
    if evidence.turns is not None:
        values["turns"] = [_present({**turn.model_dump(), "role": turn.role.value}) for turn in evidence.turns]
    if evidence.tools is not None:
        values["tools"] = [
            _present(
                {
                    **tool.model_dump(),
                    "arguments": tool.arguments if tool.has_arguments else None,
                    "has_arguments": tool.has_arguments,
                }
            )
            for tool in evidence.tools
        ]
    return values


def _present(fields: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if value is not None}


def _library() -> Any:
    """Imported late, since most plans have no expression. It has no type hints."""
    from cel_expr_python import cel  # pyright: ignore[reportMissingTypeStubs]

    library: Any = cel
    return library


@lru_cache(maxsize=1024)
def _compiled(expression: str) -> Any:
    return _environment().compile(expression)


@cache
def _environment() -> Any:
    cel = _library()
    plain = cel.Type.Map(cel.Type.STRING, cel.Type.DYN)
    return cel.NewEnv(variables={name: cel.Type.List(plain) if name in _LISTS else plain for name in VARIABLES})

"""What is wrong with an expression in CEL, in an author's words and at its place: the library's are about its grammar."""

from __future__ import annotations

import re

from planner.checks.cel_fields import FIELDS, VARIABLES
from planner.checks.wording import listed

_WORD = re.compile(r"\w+")
_FAULT = re.compile(r"ERROR: <input>:([1-9]\d*):(\d+): (.*)")
_OF_MACRO = re.compile(r"\.(?:all|any|exists|exists_one|filter|find|map|some|every)\(\s*\(?\s*[A-Za-z_]\w*\s*\)?\s*$")
_UNDECLARED = re.compile(r"undeclared reference to '([^']*)'")
_NO_FIELD = re.compile(r"undefined field '([^']*)' not found in struct 'planner\.(\w+)'")
_NO_SELECT = re.compile(r"expression of type '([^']*)' cannot be the operand of a select")
_NO_OVERLOAD = re.compile(r"found no matching overload for '([^']*)' applied to '\((.*)\)'")
_BETWEEN = re.compile(r", (?![^()]*\))")
"""Types that an operator was applied to, but not those that one of them is of."""
_IN_MACRO = re.compile(r"\.\s*(all|exists|exists_one|filter)\s*\(\Z")
_NUMBER = re.compile(r"\s*(-?\d+(?:\.\d+)?)\b")
_PART = re.compile(r"""((?:'[^'\\]*'|"[^"\\]*"|[A-Za-z_][\w.]*))\s*\Z""")
_WHOLE = re.compile(r"\s*([A-Za-z_][\w.]*(?:\[\d+\][\w.]*)?)(?![\w(\[])")
_NUMBER_BEFORE = re.compile(r"(-?\d+(?:\.\d+)?)\s*\Z")
_MISSING = re.compile(r"missing '([^']+)' at '(.+)'")
_LAST_WORD = re.compile(r"(\w+)\s+\Z")
_INPUT = re.compile(r"(?:mismatched|extraneous) input '(.+?)' expecting|no viable alternative at input '(.+)'")
_NOTHING_MORE = re.compile(r"[\s.]*")

_MACROS = ("all", "exists", "exists_one", "filter", "map")
_WORDS = {
    "and": "&&",
    "or": "||",
    "not": "!",
    "=": "==",
    "&": "&&",
    "|": "||",
    "is": "==",
    "true": "true",
    "false": "false",
    "none": "has(…), which asks whether it is there",
}
"""What other languages write, to what this one does."""
_QUOTES = frozenset("‘’“”„‚´`")
_NO_ESCAPE = re.compile(
    r"""(?:'(?:[^'\\\n]|\\[^\w]|\\[abfnrtvuUxX0-7])*|"(?:[^"\\\n]|\\[^\w]|\\[abfnrtvuUxX0-7])*)(\\\w)"""
)
"""A text up to what looks like an escape and is none."""
_TOLD = {
    "has() argument": "has(…) asks for a field, as in has(call.end_reason)",
    "invalid int literal": "this whole number is too large",
    "invalid uint literal": "this whole number is too large",
    "invalid double literal": "this number cannot be read",
    "reserved identifier": "this word is kept for the language: a choice is written condition ? one : other",
}
_OPERATORS = frozenset({"and", "or", "not", "is"})
_OF_TEXTS = frozenset({"contains", "startsWith", "endsWith", "matches"})
_COUNTS = "write size(turns)"
_FUNCTIONS = {
    "len": _COUNTS,
    "length": _COUNTS,
    "count": _COUNTS,
    "str": "write string(…)",
    "lower": "write matches('(?i)…') for text in either case",
    "float": "write double(…)",
    "not": "write !(…)",
    "any": "write turns.exists(t, …)",
}
_KINDS = {
    "int": "a whole number",
    "double": "a decimal number",
    "string": "a text",
    "bool": "true or false",
    "map": "a mapping",
    "list": "a list",
}


class CelError(ValueError):
    """The expression cannot be used. `start` and `end` are the offsets of what is wrong in it."""

    def __init__(self, message: str, start: int, end: int) -> None:
        super().__init__(message)
        self.start = start
        self.end = end


def fault_of(expression: str, told: str) -> CelError:
    """The library's first complaint, in words for the author and with its place."""
    found = _FAULT.search(told)
    if found is None:
        deep = "recursion" in told
        why = "nested too deeply; write several expectations" if deep else f"not an expression: {one_line(told)}"
        return CelError(f"this is {why}", 0, len(expression))
    lines = expression.splitlines(keepends=True)
    start = min(sum(map(len, lines[: int(found[1]) - 1])) + int(found[2]) - 1, max(0, len(expression) - 1))
    if (name := _UNDECLARED.search(found[3])) is not None:  # the place is that of its last dot
        start = max(expression[: start + len(name[1])].rfind(name[1]), 0)
    elif expression[start : start + 1] == "." and start + 1 < len(expression):
        start += 1
    word = _WORD.match(expression, start)
    return CelError(_said(found[3], expression, start), start, word.end() if word else start + 1)


def _said(complaint: str, expression: str, start: int) -> str:
    if (found := _UNDECLARED.search(complaint)) is not None:
        return _undeclared(found[1].partition(".")[0], expression)
    if (found := _NO_FIELD.search(complaint)) is not None:
        fields = FIELDS[found[2]]
        longer = [name for name in fields if name.startswith(f"{found[1]}_")]
        known = f"write {longer[0]}" if len(longer) == 1 else f"known: {', '.join(f'`{name}`' for name in fields)}"
        return f"a {found[2].lower()} has no `{found[1]}`; {known}"
    if "list(" in complaint and "operand of a select" in complaint and (word := _WORD.match(expression, start)):
        known = (
            "write .size()" if word[0] in {"size", "length", "count"} else "one of it has: write turns.exists(t, t.…)"
        )
        return f"a list has no `{word[0]}`; {known}"
    if (found := _NO_SELECT.search(complaint)) is not None and (word := _WORD.match(expression, start)):
        return f"{kind_told(found[1])} has no `{word[0]}`, nor other fields"
    if (found := _NO_OVERLOAD.search(complaint)) is not None:
        operator, kinds = found[1].replace("_", " ").replace("@", "").strip(), _BETWEEN.split(found[2])
        if (macro := _IN_MACRO.search(expression[: start + 1])) is not None and operator in {"||", "&&", "? :"}:
            return f"what `{macro[1]}` asks of each is true or false, as in t.role == 'agent'; this gives {kind_told(kinds[-1] if operator != '? :' else kinds[0])}"
        if "null type" in found[2] or "null_type" in found[2]:
            return "nothing is null here: has(…) asks whether something is there, as in has(call.end_reason)"
        return f"`{operator}` cannot be applied to {listed(list(map(kind_told, kinds)))}{_mended(operator, kinds, expression, start)}"
    return f"this is not an expression: {_syntax(complaint, expression, start)}"


def kind_told(name: str) -> str:
    """`list(planner.Turn)` is a list, `planner.Turn` a turn, whatever the library calls it beside that."""
    kind = _WORD.findall(name)
    return f"a {kind[1].lower()}" if kind[0] == "planner" else _KINDS.get(kind[0], name)


def _undeclared(name: str, expression: str) -> str:
    """What may be meant by a name that there is not: a macro or a function of another name, or one of ours."""
    macro = re.search(rf"\.\s*(\w+)\s*\(\s*{re.escape(name)}\s*,", expression)
    if macro is not None and macro[1] not in _MACROS:
        return f"there is no `{macro[1]}` of a list; known: {', '.join(f'`{known}`' for known in _MACROS)}"
    if _FUNCTIONS.get(name.lower()) == _COUNTS and re.search(rf"\.\s*{re.escape(name)}\s*\(", expression):
        return f"there is no function `{name}`; write .size()"
    if name in _MACROS:
        return f"`{name}` takes a name and what is asked of it: turns.{name}(t, t.role == 'agent')"
    if name in _OF_TEXTS:
        return f"`{name}` takes one text, as in call.status.{name}('…')"
    if re.search(rf"\b{re.escape(name)}\s*\(", expression):
        instead = _FUNCTIONS.get(
            name.lower(), "`size(turns)` counts, `text.contains('…')` searches, `text.matches('…')` takes a pattern"
        )
        return f"there is no function `{name}`; {instead}"
    if name.lower() in _WORDS:
        return f"there is no `{name}`; write {_WORDS[name.lower()]}"
    return f"there is no `{name}`; known: {', '.join(f'`{known}`' for known in VARIABLES)}; a text is in quotes"


def _mended(operator: str, kinds: list[str], expression: str, start: int) -> str:
    """What to write instead, where it can be told."""
    if operator == "in" and {*kinds} == {"string"}:
        part, whole = _PART.search(expression[:start]), _WHOLE.match(expression, start + len(operator))
        return f"; write {whole[1]}.contains({part[1]})" if part and whole else "; write TEXT.contains(PART)"
    number = _NUMBER.match(expression, start + len(operator)) or _NUMBER_BEFORE.search(expression[:start])
    if {*kinds} == {"int", "double"}:
        if number is None:
            return "; they are two types: write int(…) or double(…) around one of them"
        written = number[1]
        other = written.partition(".")[0] if "." in written else f"{written}.0"
        return f"; write {other}, for they are two types"
    if {*kinds} in ({"int", "string"}, {"double", "string"}):
        return "; only values of one type can be compared or joined: is one of them in quotes, or without, by mistake?"
    return ""


def _syntax(complaint: str, expression: str, start: int) -> str:
    told = complaint.removeprefix("Syntax error: ")
    if told.startswith("token recognition error"):
        sign = told.partition("at: '")[2][:1]
        after = expression[start + 1 : start + 2]
        if sign == "=" and after == ">" and _OF_MACRO.search(expression[:start]):
            return "write a comma after the name, as in exists(t, t.…)"
        if sign == "=" and after in {"<", ">"}:
            return f"write {after}= for `={after}`"
        if sign in _WORDS:
            return f"write {_WORDS[sign]} for `{sign}`"
        if sign in _QUOTES:
            return "a text is in quotes of the plain kind, ' or \""
        if sign in {"'", '"'}:
            escape = _NO_ESCAPE.match(expression, start)
            return (
                "a quote is not closed"
                if escape is None
                else f"{escape[1]} means nothing in a text; write \\{escape[1]} for a backslash"
            )
        return f"`{sign}` means nothing here; a text is in quotes"
    if (missing := _MISSING.match(told)) is not None:
        where = "at its end" if missing[2] == "<EOF>" else f"before `{missing[2]}`"
        return f"a `{missing[1]}` is missing {where}"
    found = _INPUT.search(told)
    if found is not None:
        word, last = found[1] or found[2], _LAST_WORD.search(expression[:start])
        if word == "<EOF>" or _NOTHING_MORE.fullmatch(expression, start):
            return "something is missing at its end"
        if last is not None and last[1].lower() in _OPERATORS:
            return f"write {_WORDS[last[1].lower()]} for `{last[1]}`"
        if word.lower() in _WORDS:
            return f"write {_WORDS[word.lower()]} for `{word}`"
        if word in _OF_TEXTS:
            return f"write .{word}('…') behind the text that is asked about"
        if expression[:start].endswith("<") and word == ">":
            return "write != for `<>`"
        return f"{shown_sign(word)} cannot stand here; && is and, || is or, == compares"
    for said, why in _TOLD.items():
        if said in told:
            return why
    return told


def shown_sign(word: str) -> str:
    return f"`{word}`" if "`" not in word else word


def one_line(text: str) -> str:
    """A complaint of the library without its kind."""
    told = " ".join(text.split())
    return told.partition(": ")[2] or told

"""What is wrong with a JSONPath, in an author's words: the library tells where it stopped reading, and not what to write."""

from __future__ import annotations

import re

_NAME = re.compile(r"[^\s.\[\]'\"]+(?: [^\s.\[\]'\"]+)*")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_STEPS = re.compile(r"(?!\d)\w+(?:\.(?!\d)\w+|\[[^\[\]]*\])*")
_OPERATORS = {"and": "&&", "or": "||", "not": "!", "AND": "&&", "OR": "||", "NOT": "!"}
_CONSTANTS = {"True": "true", "False": "false", "None": "null", "nil": "null", "undefined": "null"}
_SEVERAL = "`in` and lists are not there: write @.a == 'x' || @.a == 'y'"


class PathError(ValueError):
    """What is wrong with a path, and from where to where in it."""

    def __init__(self, why: str, start: int, end: int) -> None:
        super().__init__(why)
        self.start = start
        self.end = end


def from_the_call(path: str) -> str:
    """What to write for a path that begins with something else than `$`; nothing where that would be none, either."""
    steps = path.replace("/", ".") if path.startswith("/") else path.removeprefix("@")
    steps = steps.lstrip(".").removeprefix("call.")
    return f": write `$.{steps}`" if _STEPS.fullmatch(steps) else ""


def fault_of(path: str, message: str, start: int, found: str) -> PathError:
    """`message` is the library's, of what it `found` at `start`, which is -1 for the end of the path."""
    start = len(path) if start < 0 else start
    why = _at_end(path) if start >= len(path) else _at(path, message, start)
    # The end of a text is told at its last character.
    place = min(start, len(path) - 1)
    return PathError(f"not a JSONPath (RFC 9535): {why}", place, max(place + 1, min(start + len(found), len(path))))


def _at_end(path: str) -> str:
    if path.rstrip().endswith(".."):
        return "a name, `*` or brackets follow `..`"
    if path.rstrip().endswith("."):
        return "a name or `*` follows the last `.`"
    unquoted = re.sub(r"'[^']*'|\"[^\"]*\"", "", path)
    sign = ")" if unquoted.count("(") > unquoted.count(")") else "]"
    return f"a `{sign}` is missing at its end"


def _at(path: str, message: str, start: int) -> str:
    sign, rest, before = path[start], path[start:], path[:start].rstrip()
    word = found[0] if (found := _WORD.match(rest)) else ""
    in_filter = "[?" in before.replace(" ", "") and before.count("[") > before.count("]")
    if message.startswith("unbalanced"):
        return "this `(` is not closed"
    if "function" in message or "must be compared" in message or "requires" in message:
        return _of_function(message, word)
    if sign in "'\"" and path.count(sign, start) == 1:
        return "this quote is not closed"
    if "escape" in message:
        return "a backslash in a text stands before a quote, a backslash or one of b f n r t u"
    if sign == "=":
        return _of_equals(before, rest)
    if in_filter and word in _OPERATORS:
        return f"write {_OPERATORS[word]} for `{word}`"
    if in_filter and word == "in":
        return _SEVERAL
    if "end of expression" in message:
        return (
            "a condition follows the `?`, such as ?@.price > 10" if before.endswith("?") else "a value is missing here"
        )
    return (
        _of_filter(word)
        if in_filter and word and message.startswith("unexpected '")
        else _of_segment(path, message, start)
    )


def _of_filter(word: str) -> str:
    return f"write {_CONSTANTS[word]} for `{word}`" if word in _CONSTANTS else f"a text is in quotes: '{word}'"


def _of_equals(before: str, rest: str) -> str:
    if rest.startswith("=~"):
        return "a filter takes no regular expression; the field `matches` does"
    return "write == for `===`" if before.endswith("==") else "write == for `=`"


def _of_function(message: str, word: str) -> str:
    name = word or (found[1] if (found := re.search(r"(\w+)\(\)", message)) else "")
    if "must be compared" in message:
        return f"what `{name}` gives is to be compared, as in {name}(@.items) > 1"
    if "requires" in message:
        return f"`{name}` takes another number of values: {message.partition(' requires ')[2]}"
    if name in {"match", "search"}:
        return f"there is no `{name}` here; the field `matches` takes a regular expression"
    return f"there is no function `{name}`; known: `count`, `length`, `value`"


def _of_segment(path: str, message: str, start: int) -> str:
    """What stands outside of a filter's condition, or between brackets, where it cannot."""
    sign, rest, before = path[start], path[start:], path[:start].rstrip()
    in_brackets = before.count("[") > before.count("]")
    if sign in "])" and message.startswith(("unexpected token", "expected")) and not before.endswith(","):
        return f"this `{sign}` closes nothing"
    if "trailing comma" in message or (sign == "," and before.endswith(("[", ","))):
        return "there is a comma too many"
    if "empty" in message:
        return "between brackets stands an index, a name in quotes, `*` or a filter"
    if "leading zero" in message:
        return f"an index is written without zeros before it: [{rest.lstrip('0').partition(']')[0] or '0'}]"
    if "out of range" in message:
        return "no list has so many items"
    if in_brackets:
        return _in_brackets(message, sign, rest)
    if sign == "[":
        return "no `.` stands before a bracket"
    if before == "$":
        return f"a `.` follows the $: write $.{rest}"
    if sign == "(":
        return "a path has no functions but in its filters; to count what is there use the check `expression`"
    if sign.isdigit() and before.endswith("."):
        digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
        name = found[0] if (found := _NAME.match(rest)) else digits
        return f"an index stands in brackets: [{digits}]" if name == digits else f"write ['{name}'] for .{name}"
    if "'" in (sign, before[-1:]) or '"' in (sign, before[-1:]):
        return "a name in quotes stands in brackets, without a `.`"
    if sign in "|&":
        return "paths are not joined: write an expectation for each"
    first = max(before.rfind("."), before.rfind("]")) + 1
    name = (found[0] if (found := _NAME.match(path, first)) else rest).replace("\\", "\\\\")
    return f"a name with other signs than letters, digits, _ and - stands in brackets: ['{name}'], without a `.`"


def _in_brackets(message: str, sign: str, rest: str) -> str:
    if sign == ":":
        return "a slice has three parts at most: [first:behind the last:step]"
    if "FLOAT" in message:
        return "an index is a whole number"
    if sign == "(":
        return "no parentheses stand here"
    if message.startswith("expected TOKEN_COMMA"):
        return "a `]` is missing before this" if sign in ".[$" else "a comma or a `]` is missing before this"
    word = _NAME.match(rest)
    return f"a name in brackets is in quotes: ['{word[0]}']" if word is not None else "this cannot stand in brackets"

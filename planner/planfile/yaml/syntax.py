"""Explains errors of the YAML parser to the author of a plan."""

from __future__ import annotations

import re
from typing import Any

from planner.diagnostics import Related
from planner.planfile.yaml.document import Problem
from planner.planfile.yaml.source import Source

NOT_IN_YAML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
"""Characters that YAML forbids (https://yaml.org/spec/1.2.2/#51-character-set)."""
ODD_SPACES = "\u00a0\u2002\u2003\u2007\u2009\u200b\u202f\u3000\ufeff"
_NEAR = 1_000
"""Characters around an error that are searched for its cause."""

_INDENTATION = "this does not continue what is above: check its indentation, and quotes inside a quoted text"
_FIXES = (
    ("mapping values are not allowed", "check the indentation of this key, or quote a text with a colon: 'like: this'"),
    ("block sequence entries are not allowed", "an item begins with `- ` on its own line; quote a text that begins with -"),
    ("cannot start any token", "an unquoted text cannot begin with this character; quote it"),
    ("expected comment or line break", "a text after | or > begins on the next line, indented; or quote it, without the sign"),
    ("escape", "this escape is unknown in double quotes: put a regular expression in single quotes"),
    ("expected '-' indicator", "this does not continue the list above: items begin with `- ` in one column"),
    ("expected key", _INDENTATION),
    ("<block end>", _INDENTATION),
    ("<document start>", _INDENTATION),
    ("alphabetic or numeric character", "an unquoted * or & begins an alias or an anchor; quote the text"),
    ("could not find expected ':'", "a key without a colon: write `key: value`, or quote or indent a text of several lines"),
    ("found unexpected ':'", "write a space and a value after a colon; or quote the text"),
    ("expected ','", "a comma or a closing bracket is missing before this; or quote the text"),
)  # fmt: skip
"""Part of the parser's message, and the fix; the first match is used."""


def refused_by_old_parser(error: Exception, text: str) -> bool:
    """Whether libyaml 0.1.7 refused `:` or `?` in an unquoted text between brackets, which YAML 1.2 allows."""
    mark: Any = getattr(error, "problem_mark", None)
    problem = str(getattr(error, "problem", ""))
    return mark is not None and (
        "found unexpected ':'" in problem or ("expected ','" in problem and text[mark.index : mark.index + 1] == "?")
    )


def explain_syntax(error: Exception, source: Source) -> Problem:
    """The parser's error. If the file has a forbidden character, that is the cause."""
    text = source.text
    forbidden = NOT_IN_YAML.search(text)
    if forbidden is not None:
        message = f"U+{ord(forbidden[0]):04X} is not allowed in YAML; remove it"
        return Problem("control-character", message, source.span(*forbidden.span()))
    mark: Any = getattr(error, "problem_mark", None)
    if mark is None:
        return Problem("yaml-syntax", " ".join(str(error).split()), source.whole())
    problem, context = str(getattr(error, "problem", "")), str(getattr(error, "context", ""))
    began: Any = getattr(error, "context_mark", None)
    start = min(int(mark.index), len(text))
    if context == "while scanning a quoted scalar" and "escape" not in problem and began is not None:
        return Problem("yaml-syntax", "this quote is not closed", source.span(began.index, began.index + 1))
    items = list(
        re.compile(rf"^ *[{ODD_SPACES}][ {ODD_SPACES}]*", re.MULTILINE).finditer(text, max(0, start - _NEAR), start + 1)
    )
    if items and text.count("\n", items[-1].start(), start) <= 2:
        return Problem("yaml-syntax", odd_indentation(items[-1][0].strip(" ")), source.span(*items[-1].span()))
    related: tuple[Related, ...] = ()
    if began is not None and began.line != mark.line:
        if "could not find expected ':'" in problem:
            start = int(began.index)  # the key: the parser has read on to the next line
        else:
            related = (Related("this began here", source.span(began.index, began.index + 1)),)
    if text[start - 1 : start] == ":" and text[start : start + 1] in {"{", "[", '"', "'"}:
        return Problem("yaml-syntax", "write a space after the colon", source.span(start - 1, start))
    return Problem("yaml-syntax", _fix(problem, text, start), source.span(start, start + 1), related)


def _fix(problem: str, text: str, start: int) -> str:
    begin = text.rfind("\n", 0, start) + 1
    if not text[start:].strip():
        return "the file ends here, but a bracket or brace is still open"
    if text.startswith(("<<<<<<<", "=======", ">>>>>>>"), begin):
        return "this marks a merge conflict; keep one of the two versions, and remove the marks"
    if "\t" in text[begin : start + 1] and not text[begin:start].strip():
        return "a tab cannot indent YAML; use spaces"
    if text.startswith("{{", start):
        return "YAML reads these braces as mappings: quote a text that has a template in it"
    return next((fix for part, fix in _FIXES if part in problem), problem)


def odd_indentation(space: str) -> str:
    """The fix for a line that is indented with a character that YAML does not count as a space."""
    return f"this line is indented with U+{ord(space[0]):04X}; use ordinary spaces"

"""What to change where the YAML parser stops: its problems in words for the author of a plan."""

from __future__ import annotations

import re
from typing import Any

from planner.diagnostics import Related, Span
from planner.planfile.yaml.source import Source

NOT_IN_YAML = re.compile(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that YAML forbids (https://yaml.org/spec/1.2.2/#51-character-set)."""
ODD_SPACES = "\u00a0\u2002\u2003\u2007\u2009\u200b\u202f\u3000\ufeff"
_ODD_INDENTATION = re.compile(rf"^ *([{ODD_SPACES}])[ {ODD_SPACES}]*", re.MULTILINE)
_CONFLICT = re.compile(r"(?:<{7}|={7}|>{7}|\|{7})(?: |$)")
_GLUED = re.compile(r"\s*(?:- )?([A-Za-z_][\w-]*):\S")
_ESCAPE = re.compile(r"\\\\|(\\[abfv])")
_NEAR_CHARACTERS = 1_000

_FIXES = (
    (
        "mapping values are not allowed",
        "a key cannot stand here: check its indentation, or quote a text with a colon: 'like: this'",
    ),
    (
        "block sequence entries are not allowed",
        "an item begins with `- ` on its own line; quote a text that begins with -",
    ),
    ("mapping keys are not allowed", "an unquoted text cannot begin with `? `; quote it"),
    ("cannot start any token", "an unquoted text cannot begin with this character; quote it"),
    (
        "expected comment or line break",
        "a text after | or > begins on the next line, indented; or quote it, without the sign",
    ),
    ("unknown escape character", "this means nothing in double quotes: put a regular expression in single quotes"),
    ("expected hexdecimal", "this means nothing in double quotes: put a regular expression in single quotes"),
    ("escape code", "this escape is no character: write the character itself"),
    ("incompatible YAML document", "remove this line: plans are YAML 1.2"),
    ("expected '-' indicator", "this does not continue the list above: items begin with `- ` in one column"),
    (
        "expected key",
        "this does not continue the mapping above: check its indentation, and quotes inside a quoted text",
    ),
    ("<block end>", "this does not continue the block above: check its indentation, and quotes inside a quoted text"),
    (
        "<document start>",
        "this does not continue what is above: check its indentation, and quotes inside a quoted text",
    ),
    ("alphabetic or numeric character", "an unquoted * or & begins an alias or an anchor; quote the text"),
    (
        "could not find expected ':'",
        "a key without a colon: write `key: value`, or quote or indent a text of several lines",
    ),
    ("found unexpected ':'", "a space and a value follow a colon; or quote the text"),
    ("expected ','", "a comma or a closing bracket is missing before this; or quote the text"),
)
"""Part of the parser's problem, and what to do about it; the first match is used."""


def refused_by_old_parser(error: Exception, text: str) -> bool:
    """Whether libyaml 0.1.7 refused `:` or `?` in an unquoted text between brackets, which YAML 1.2 allows."""
    mark: Any = getattr(error, "problem_mark", None)
    problem = str(getattr(error, "problem", ""))
    return mark is not None and (
        "found unexpected ':'" in problem or ("expected ','" in problem and text[mark.index : mark.index + 1] == "?")
    )


def explain_syntax(error: Exception, source: Source) -> tuple[str, str, Span, tuple[Related, ...]]:
    """Code, message, place and related places of the parser's error. A forbidden character is to blame if there is one."""
    text = source.text
    forbidden = NOT_IN_YAML.search(text)
    if forbidden is not None:
        message = f"U+{ord(forbidden[0]):04X} is not allowed in YAML; remove it"
        return "control-character", message, source.span(*forbidden.span()), ()
    mark: Any = getattr(error, "problem_mark", None)
    if mark is None:
        return "yaml-syntax", " ".join(str(error).split()), source.whole(), ()
    problem, context = str(getattr(error, "problem", "")), str(getattr(error, "context", ""))
    began: Any = getattr(error, "context_mark", None)
    start = min(int(mark.index), len(text))
    if context == "while scanning a quoted scalar" and "escape" not in problem and began is not None:
        return "yaml-syntax", "this quote is not closed", source.span(began.index, began.index + 1), ()
    odd = list(_ODD_INDENTATION.finditer(text, max(0, start - _NEAR_CHARACTERS), start + 1))
    if odd and text.count("\n", odd[-1].start(), start) <= 2:
        return "yaml-syntax", odd_indentation(odd[-1][1]), source.span(*odd[-1].span()), ()
    related: tuple[Related, ...] = ()
    if began is not None and began.line != mark.line:
        if "could not find expected ':'" in problem:
            start = int(began.index)  # the key: the parser has read on to the next line
        else:
            related = (Related("this began here", source.span(began.index, began.index + 1)),)
    if text[start - 1 : start] == ":" and text[start : start + 1] in {"{", "[", '"', "'"}:
        return "yaml-syntax", "a space follows the colon", source.span(start - 1, start), ()
    return "yaml-syntax", _fix(problem, text, start), source.span(start, start + 1), related


def _fix(problem: str, text: str, start: int) -> str:
    begin = text.rfind("\n", 0, start) + 1
    line = text[begin : begin + _NEAR_CHARACTERS].partition("\n")[0]
    if not text[start:].strip():
        return "the file ends here, but a bracket or brace is still open"
    if _CONFLICT.match(line):
        return "this marks a merge conflict; keep one of the two versions, and remove the marks"
    if text[start] == "\t" or (not text[begin:start].strip() and "\t" in text[begin:start]):
        return "a tab cannot indent YAML; use spaces"
    if text.startswith("{{", start):
        return "YAML reads these braces as mappings: quote a text that has a template in it"
    if "could not find expected ':'" in problem and (glued := _GLUED.match(line)):
        return f"a space follows the colon of `{glued[1]}`"
    return next((fix for part, fix in _FIXES if part in problem), problem)


def odd_indentation(space: str) -> str:
    """What to do about a line that is indented with something that is no space to YAML."""
    name = "a no-break space" if space == "\u00a0" else "a special space"
    return f"this line is indented with {name} (U+{ord(space):04X}); use ordinary spaces"


def control_escape(quoted: str) -> str:
    """What to do about a text in double quotes that holds a control character; most are meant for a regular expression."""
    found = next((escape[1] for escape in _ESCAPE.finditer(quoted) if escape[1]), "")
    if found:
        return f"`{found}` in double quotes is a control character; put a regular expression in single quotes"
    return "this text holds a control character, written as an escape; remove it"

"""YAML text to plain values that know where they are written, by ruamel.yaml's C parser.

Bounds, with aliases expanded: 16 MiB per file, 1,000,000 nodes, 64 levels, 10,000 anchors.

The C parser is libyaml 0.1.7, which refuses `:` and `?` inside unquoted strings between brackets, such as `[Is it
5:30?]`. A file that it refuses for that reason is read again by ruamel.yaml's own parser, which is slow: only up to
`MAX_PURE_CHARACTERS`.
"""

from __future__ import annotations

import json
import re
import unicodedata
from codecs import BOM_UTF8
from collections.abc import Iterable
from itertools import islice
from typing import Any

from ruamel.yaml import YAML, cyaml

from planner.diagnostics import Related, Severity
from planner.planfile.reporter import UNREADABLE, Reporter
from planner.planfile.yaml.document import Container, Items, Problem, Source, YamlMapping, at
from planner.planfile.yaml.parser import NOT_IN_YAML, OTHER_SPACES, Parser, bad_indentation

MAX_BYTES = 16 * 1024 * 1024
MAX_PURE_CHARACTERS = 256 * 1024
_MAX_HIDDEN = 20
_HIDING = (
    *range(0x200B, 0x200E),
    *range(0x202A, 0x202F),
    0x2060,
    *range(0x2066, 0x206A),
    0xFEFF,
    *range(0xE0000, 0xE0080),
)
_HIDING_CHARACTERS = frozenset(map(chr, _HIDING))
"""Found in a tenth of the time that the pattern below takes."""


def read(data: bytes, file: str) -> tuple[YamlMapping | None, list[Problem]]:
    """The mapping in these bytes, and what is wrong with them. No mapping if its structure is unknown.

    `file` is the name for diagnostics.
    """
    source, problems = to_text(data, file)
    if source is None:
        return None, problems
    root, more = parse_text(source)
    return root, problems + more


def to_text(data: bytes, file: str) -> tuple[Source | None, list[Problem]]:
    """The bytes as text, without a byte order mark, and what is wrong with them."""
    if len(data) > MAX_BYTES:
        message = f"{file} has more than {MAX_BYTES // 1024:,} KiB; split or shorten it"
        return None, [Problem("file-too-large", message, Source(file, "").whole())]
    data = data.removeprefix(BOM_UTF8)
    try:
        source = Source(file, data.decode())
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8", "replace")
        guess = ", it looks like UTF-16" if data[:2] in {b"\xff\xfe", b"\xfe\xff"} else ""
        message = f"byte 0x{data[error.start]:02x} here is not UTF-8{guess}; save the file as UTF-8"
        place = Source(file, before + "\ufffd").span(len(before), len(before) + 1)
        return None, [Problem("not-utf8", message, place)]
    return source, [] if _HIDING_CHARACTERS.isdisjoint(source.text) else _hidden_characters(source)


def parse_text(source: Source) -> tuple[YamlMapping | None, list[Problem]]:
    """As `read`, of text."""
    c_parser: Any = cyaml
    parser = Parser(source, c_parser.CParser(source.text.encode()).get_event)
    error = parser.run()
    if error is not None and refused_by_old_parser(error, source.text) and len(source.text) <= MAX_PURE_CHARACTERS:
        slow: Any = YAML(typ="safe", pure=True)
        stream = slow.parse(source.text)
        parser = Parser(source, lambda: next(stream, None), pure=True)
        error = parser.run()
    problems = parser.problems
    if error is not None:
        problem = explain_syntax(error, source)
        place = problem.span
        causes = [other.span for other in problems if other.code in UNREADABLE]
        if not any(cause.end_line == place.line and cause.column < place.column for cause in causes):
            problems.append(problem)
    if parser.found is None:
        problems = [problem for problem in problems if problem.severity is Severity.ERROR]
    return parser.found, problems


def _hidden_characters(source: Source) -> list[Problem]:
    """Warnings about invisible characters, which make a reader see other words than are said, compared or compiled."""
    hidden = re.compile(
        r"[\u202a-\u202e\u2066-\u2069]+"  # text that runs backwards, and its end
        r"|[\u200b\u2060\ufeff]+"  # spaces without width
        r"|(?<![^\x00-\x7f])[\u200c\u200d]+"  # joiners, which letters of some scripts, and emoji, have behind them
        r"|(?<![\U0001f3f4\U000e0020-\U000e007f])[\U000e0000-\U000e007f]+"  # tags, which only flags have
    )
    problems: list[Problem] = []
    for found in islice(hidden.finditer(source.text), _MAX_HIDDEN):
        name = unicodedata.name(found[0][0], "a character without a name").lower()
        message = f"U+{ord(found[0][0]):04X} ({name}) is invisible and can hide what the text really says; remove it"
        place = source.span(*found.span())
        problems.append(Problem("control-character", message, place, severity=Severity.WARNING))
    return problems


_NEAR = 1_000
"""Characters around an error that are searched for its cause."""

_INDENTATION = "this does not continue what is above: check its indentation, and quotes inside a quoted text"
_FIXES = (
    ("mapping values are not allowed", "check the indentation of this key, or quote a string with a colon: 'a: b'"),
    ("block sequence entries are not allowed", "write one list item on each line; quote a string that begins with `-`"),
    ("cannot start any token", "an unquoted text cannot begin with this character; quote it"),
    ("expected comment or line break", "start a string after | or > on the next line, indented; or quote it"),
    ("escape", "this escape is unknown in double quotes: put a regular expression in single quotes"),
    ("expected '-' indicator", "this does not continue the list above: items begin with `- ` in one column"),
    ("expected key", _INDENTATION),
    ("<block end>", _INDENTATION),
    ("<document start>", _INDENTATION),
    ("alphabetic or numeric character", "an unquoted * or & begins an alias or an anchor; quote the text"),
    ("could not find expected ':'", "a key without a colon: write `key: value`, or quote a string of several lines"),
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
        re.compile(rf"^ *[{OTHER_SPACES}][ {OTHER_SPACES}]*", re.MULTILINE).finditer(
            text, max(0, start - _NEAR), start + 1
        )
    )
    if items and text.count("\n", items[-1].start(), start) <= 2:
        return Problem("yaml-syntax", bad_indentation(items[-1][0].strip(" ")), source.span(*items[-1].span()))
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
        return "YAML reads these braces as mappings: quote a string that has a template in it"
    if text[start] in "}]" and "expected ','" not in problem:
        return f"this `{text[start]}` closes nothing: remove it, or open it before"
    return next((fix for part, fix in _FIXES if part in problem), problem)


def decode(data: bytes, file: str, reporter: Reporter) -> Source | None:
    """Bytes to text; None, and an error, if that is not possible."""
    source, problems = to_text(data, file)
    _report(problems, reporter)
    return source


def parse(source: Source, reporter: Reporter, *, allows_escapes: bool = False) -> YamlMapping | None:
    """The root of the document; None, and errors, if there is none or its structure is unknown. `allows_escapes`:
    strings may have control characters, written as escapes."""
    root, problems = parse_text(source)
    if root is not None and allows_escapes:
        problems = [problem for problem in problems if problem.code != "control-character"]
    _report(problems, reporter)
    return root


def _report(problems: Iterable[Problem], reporter: Reporter) -> None:
    for problem in problems:
        report = reporter.error if problem.severity is Severity.ERROR else reporter.warning
        report(problem.code, problem.message, problem.span, *problem.related)


def warn_of_rewritten(container: Container, key: str | int, reporter: Reporter) -> None:
    """Warn of each unquoted number, at or below this place, that a prompt would not show as it is written."""
    value: Any = at(container, key)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        start, end = container.value_mark(key)
        written = container.source.text[start:end].strip()
        shown = repr(value) if isinstance(value, int) else json.dumps(value)
        if written != shown and written[:1] in "+-.0123456789":
            message = f'YAML reads {written} as the number {shown}; write "{written}" to keep it as it is'
            reporter.warning("number-rewritten", message, container.span(key))
    elif isinstance(value, (YamlMapping, Items)):
        for name in value if isinstance(value, YamlMapping) else range(len(value)):
            if at(value, name).__class__ is not str:
                warn_of_rewritten(value, name, reporter)

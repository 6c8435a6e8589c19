"""YAML text to plain values that know where they are written, by ruamel.yaml's C parser.

Bounds, with aliases expanded: 16 MiB per file, 1,000,000 nodes, 64 levels, 10,000 anchors.

The C parser is libyaml 0.1.7, which refuses `:` and `?` inside unquoted texts between brackets, such as `[Is it 5:30?]`. A file
that it refuses for that reason is read again by ruamel.yaml's own parser, which is slow: only up to `MAX_PURE_CHARACTERS`.
"""

from __future__ import annotations

import re
import unicodedata
from codecs import BOM_UTF8
from itertools import islice
from typing import Any

from ruamel.yaml import YAML, cyaml

from planner.diagnostics import Severity, Span
from planner.planfile.reporter import UNREADABLE
from planner.planfile.yaml.document import Document, Problem
from planner.planfile.yaml.parser import Parser
from planner.planfile.yaml.source import Source
from planner.planfile.yaml.syntax import explain_syntax, refused_by_old_parser

MAX_BYTES = 16 * 1024 * 1024
MAX_PURE_CHARACTERS = 256 * 1024
_MAX_HIDDEN = 20
_MAX_EXPLAINING = 1_000


def read(data: bytes, file: str) -> tuple[Document | None, list[Problem]]:
    """The document in these bytes, and what is wrong with them. No document if its structure is unknown.

    `file` is the name for diagnostics.
    """
    source, problems = to_text(data, file)
    if source is None:
        return None, problems
    document, more = parse_text(source)
    return document, problems + more


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
    return source, [] if source.text.isascii() else _hidden_characters(source)


def parse_text(source: Source) -> tuple[Document | None, list[Problem]]:
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
        causes = [other.span for other in problems[:_MAX_EXPLAINING] if other.code in UNREADABLE]
        if not any(_just_before(cause, problem.span) for cause in causes):
            problems.append(problem)
    if parser.found is None:
        problems = [problem for problem in problems if problem.severity is Severity.ERROR]
    return parser.found, problems


def _just_before(place: Span, other: Span) -> bool:
    """Whether a problem at this place explains why the parser stopped at the other place."""
    return place.end_line == other.line and place.column < other.column


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
        message = f"U+{ord(found[0][0]):04X} ({name}) is invisible and can hide what a text really says; remove it"
        place = source.span(*found.span())
        problems.append(Problem("control-character", message, place, severity=Severity.WARNING))
    return problems

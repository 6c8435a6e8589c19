"""YAML text to plain values that know where they are written, by ruamel.yaml's C parser.

Bounds, with aliases expanded: 16 MiB per file, 1,000,000 nodes, 64 levels, 10,000 anchors.

The C parser is libyaml 0.1.7, which refuses `:` and `?` inside unquoted texts between brackets, such as `[Is it 5:30?]`. A file
that it refuses for that reason is read again by ruamel.yaml's own parser, which is slow: only up to `MAX_PURE_CHARACTERS`.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from typing import Any

from ruamel.yaml import YAML, cyaml

from planner.diagnostics import Span
from planner.planfile.yaml.document import Document, Problem
from planner.planfile.yaml.parser import Parser
from planner.planfile.yaml.source import Source
from planner.planfile.yaml.syntax import explain_syntax, refused_by_old_parser

MAX_BYTES = 16 * 1024 * 1024
MAX_PURE_CHARACTERS = 256 * 1024
_MOST_LOOKED_AT = 1_000


def read(data: bytes, file: str) -> tuple[Document | None, list[Problem]]:
    """The document in these bytes, and what is wrong with them. No document if its structure is unknown.

    `file` is the name for diagnostics.
    """
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
    return parse(source)


def parse(source: Source) -> tuple[Document | None, list[Problem]]:
    """As `read`, of text."""
    c_parser: Any = cyaml
    parser = Parser(source, c_parser.CParser(source.text.encode()).get_event)
    error = parser.run()
    if error is not None and refused_by_old_parser(error, source.text) and len(source.text) <= MAX_PURE_CHARACTERS:
        slow: Any = YAML(typ="safe", pure=True)
        stream = slow.parse(source.text)
        parser = Parser(source, lambda: next(stream, None), pure=True)
        error = parser.run()
    if error is not None:
        problem = Problem(*explain_syntax(error, source))
        if not any(
            _just_before(source.span(*offsets), problem.span) for offsets in parser.unreadable[:_MOST_LOOKED_AT]
        ):
            parser.problems.append(problem)
    return parser.found, parser.problems


def _just_before(place: Span, other: Span) -> bool:
    """Whether what is at this place explains why the parser stopped at the other."""
    return place.end_line == other.line and place.column < other.column

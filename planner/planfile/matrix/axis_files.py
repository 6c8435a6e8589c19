"""Axis values from a file beside the plan: CSV, JSON lines or plain text."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, cast

from planner.diagnostics import Related, Severity, Span
from planner.planfile.files import FileFault, Neighbours, display_name
from planner.planfile.grammar.fields import read_fields
from planner.planfile.grammar.models import MAX_CASES, AxisFileFields
from planner.planfile.reporter import Reporter
from planner.planfile.text import one_of, shorten, unknown
from planner.planfile.yaml.decoding import MAX_BYTES, decode
from planner.planfile.yaml.document import Document, Mapping
from planner.planfile.yaml.source import Source
from planner.planfile.yaml.syntax import NOT_IN_YAML

Candidate = tuple[Any, Callable[[], Span]]
"""A value, and where it is written."""

_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_JSON_LINES = {".jsonl", ".ndjson"}
_MAX_KEYS = 200
FILE_SUFFIXES = frozenset({*_DELIMITERS, *_JSON_LINES, ".txt"})
_OTHER_DELIMITERS = {";": "semicolons", "\t": "tabs", ",": "commas", "|": "bars"}


@dataclass(slots=True)
class AxisFileReader:
    """Reads `{file: orders.csv, column: number}`; one for all plans loaded together."""

    reporter: Reporter
    neighbours: Neighbours

    def read(self, document: Document, plan: Path, written: Mapping) -> list[Candidate]:
        """Values with their places in the file; none, and a fault, where the file or the column cannot be used."""
        errors = self.reporter.errors
        fields = read_fields(AxisFileFields, document, written, self.reporter)
        if self.reporter.errors > errors or fields.file is None:
            return []
        place = document.value(written, "file")
        try:
            path, content = self.neighbours.read(plan, fields.file, MAX_BYTES)
        except FileFault as fault:
            self.reporter.error(fault.code, fault.detail, place)
            return []
        name = display_name(path, self.neighbours.cwd)
        if path.suffix.lower() not in FILE_SUFFIXES:  # before its bytes are looked at: a workbook is no text
            told = f"{name} is none of .csv, .tsv, .jsonl, .ndjson and .txt"
            self.reporter.error("bad-axis-file", told, document.value(written, "file"))
            return []
        source = decode(content, name, self.reporter)
        if source is None:
            return []
        try:
            found = list(islice(self._values(source, path.suffix.lower(), fields.column, place), MAX_CASES + 1))
        except _PlanFault as fault:
            key = fault.key if fault.key in written else "file"
            self.reporter.error("bad-axis-file", str(fault), document.value(written, key))
            return []
        if len(found) > MAX_CASES:
            detail = f"there are more than {MAX_CASES:,} values in {source.file}; no plan may make more cases"
            self.reporter.error("too-many-cases", detail, place)
            return []
        if not found and self.reporter.errors == errors:
            self.reporter.error("bad-axis-file", f"there is no value in {source.file}", place)
        return found

    def _values(self, source: Source, suffix: str, column: str | None, place: Span) -> Iterator[Candidate]:
        """The file's values; raises `_PlanFault` where the plan is wrong about it."""
        told = _Told(self.reporter, source, Related("used here", place))
        invisible = NOT_IN_YAML.search(source.text)
        if invisible is not None:
            detail = f"U+{ord(invisible.group()):04X} is a control character; remove it"
            told.at(source.span(invisible.start(), invisible.end()), detail, "control-character")
            return iter(())
        if suffix in _DELIMITERS:
            return _table(source, _DELIMITERS[suffix], column, told)
        if suffix in _JSON_LINES:
            return _json_lines(source, column, told)
        return _lines(source, column, told)


class _PlanFault(Exception):  # noqa: N818 - a fault of what the plan says about the file, at this key
    def __init__(self, key: str, detail: str) -> None:
        super().__init__(detail)
        self.key = key


@dataclass(frozen=True, slots=True)
class _Told:
    """Reports faults of the file, which is used at the place that `user` tells."""

    reporter: Reporter
    source: Source
    user: Related

    def line(self, number: int, detail: str, severity: Severity = Severity.ERROR) -> None:
        report = self.reporter.error if severity is Severity.ERROR else self.reporter.warning
        report("bad-axis-file", detail, self.source.line(number), self.user)

    def at(self, span: Span, detail: str, code: str) -> None:
        self.reporter.error(code, detail, span, self.user)


def _table(source: Source, delimiter: str, column: str | None, told: _Told) -> Iterator[Candidate]:
    """One column of a table whose first row names the columns; space around a cell is no part of it."""
    rows = csv.reader(io.StringIO(source.text, newline=""), delimiter=delimiter, strict=True)
    begins = 1
    try:
        header = [name.strip() for name in next(rows, list[str]())]
        position = _column(source, header, column, delimiter)
        if header.count(header[position]) > 1:
            told.line(1, f"two columns are named `{shorten(header[position], 40)}`; rename one")
            return
        begins = rows.line_num + 1
        for row in rows:
            line, begins = begins, rows.line_num + 1
            if not row:
                continue
            if len(row) != len(header):
                hint = "; put a value that has the separator in it in quotes" if len(row) > len(header) else ""
                cells = f"{len(row)} cell{'s' if len(row) > 1 else ''}"
                told.line(line, f"this row has {cells}, but the first row has {len(header)}{hint}")
            elif not row[position].strip():
                told.line(line, f"this row has no `{shorten(header[position], 40)}`")
            else:
                yield row[position].strip(), partial(source.line, line)
    except csv.Error as error:
        told.line(begins, f"this is not CSV: {error}")


def _column(source: Source, header: list[str], column: str | None, delimiter: str) -> int:
    """The position of the plan's column. Raises `_PlanFault` where there is none."""
    if column is not None and column in header:
        return header.index(column)
    if not header:
        raise _PlanFault("file", f"the first row of {source.file} names no columns")
    first = source.text.split("\n", maxsplit=1)[0]
    other = next((sign for sign in _OTHER_DELIMITERS if sign != delimiter and sign in first), None)
    if len(header) == 1 and other is not None:
        wanted, found = _OTHER_DELIMITERS[delimiter], _OTHER_DELIMITERS[other]
        way_out = " (or name it .tsv)" if other == "\t" else ""
        raise _PlanFault("file", f"{source.file} separates its cells by {found}; save it with {wanted}{way_out}")
    if column is None:
        raise _PlanFault("column", f"`column` is required: {source.file} has {one_of(header)}")
    raise _PlanFault("column", unknown(f"{source.file} has no column `{shorten(column, 40)}`", column, header))


def _is_one_list(text: str) -> bool:
    """Whether it is JSON as other tools write it, which is no lines of JSON."""
    return text.lstrip()[:1] == "[" and text.rstrip()[-1:] == "]"


def _json_lines(source: Source, column: str | None, told: _Told) -> Iterator[Candidate]:
    """Each line's value, or what it has under a key. Raises `_PlanFault` where no line has the plan's column."""
    lacking: list[int] = []
    others: dict[str, None] = {}
    any_has = any_read = False
    for number, line in _numbered(source):
        try:
            value: Any = json.loads(line, object_pairs_hook=_object, parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            if not any_read and _is_one_list(source.text):
                raise _PlanFault(
                    "file",
                    f"{source.file} is one list over several lines; write each of its values on a line of its own, "
                    "without the brackets and without commas between them",
                ) from error
            told.line(
                number, f"this line is not JSON: {error.msg if isinstance(error, json.JSONDecodeError) else error}"
            )
            continue
        any_read = True
        if column is not None and not (isinstance(value, dict) and column in value):
            lacking.append(number)
            if isinstance(value, dict) and len(others) < _MAX_KEYS:
                others.update(dict.fromkeys(cast("dict[str, Any]", value)))
            continue
        if column is not None:
            any_has = True
            value = cast("dict[str, Any]", value)[column]
        fault = _unusable(value)
        if fault:
            told.line(number, fault)
        else:
            yield value, partial(source.line, number)
    if column is not None and lacking and not any_has:
        hint = "" if others else "; its values are no objects: leave `column` out"
        raise _PlanFault(
            "column", unknown(f"no line of {source.file} has `{shorten(column, 40)}`", column, others) + hint
        )
    for number in lacking:
        told.line(number, f"this line has no `{shorten(column or '', 40)}`")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key is written twice")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no value of JSON")


def _unusable(value: Any) -> str:
    """What JSON can say and a plan cannot: escaped control characters, and numbers too large for a number."""
    if isinstance(value, str):
        return "this line has a control character, written as an escape; remove it" if NOT_IN_YAML.search(value) else ""
    if isinstance(value, float):
        return "" if math.isfinite(value) else "this line has a number that is too large"
    inside: list[Any] = []
    if isinstance(value, dict):
        inside = [*cast("dict[str, Any]", value).keys(), *cast("dict[str, Any]", value).values()]
    elif isinstance(value, list):
        inside = cast("list[Any]", value)
    return next(filter(None, [_unusable(one) for one in inside]), "")


def _lines(source: Source, column: str | None, told: _Told) -> Iterator[Candidate]:
    """Every line that is not blank, less the space around it."""
    if column is not None:
        raise _PlanFault("column", f"{source.file} is plain text and has no columns; leave `column` out")
    for number, line in _numbered(source):
        if line.startswith("#"):
            told.line(number, "this line is a value as well: a text file has no comments", Severity.WARNING)
        yield line, partial(source.line, number)


def _numbered(source: Source) -> Iterator[tuple[int, str]]:
    """Lines that hold something, numbered from 1."""
    for number, line in enumerate(io.StringIO(source.text, newline=None), start=1):
        if line.strip():
            yield number, line.strip()

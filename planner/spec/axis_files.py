"""Axis values from a file beside the plan: CSV, JSON lines or plain text."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from planner.diagnostics import Span
from planner.spec.authored import AxisFileFields
from planner.spec.document import Document, Mapping
from planner.spec.files import FileFault, Neighbours, display_name
from planner.spec.parser import MAX_BYTES, decode
from planner.spec.reading import read_fields
from planner.spec.reporting import Reporter
from planner.spec.source import Source
from planner.spec.wording import one_of, shorten, unknown

Candidate = tuple[Any, Callable[[], Span]]
"""A value, and where it is written."""

_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_JSON_LINES = {".jsonl", ".ndjson"}


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
        try:
            path, content = self.neighbours.read(plan, fields.file, MAX_BYTES)
        except FileFault as fault:
            self.reporter.error(fault.code, fault.detail, document.value(written, "file"))
            return []
        source = decode(content, display_name(path, self.neighbours.cwd), self.reporter)
        if source is None:
            return []
        suffix = path.suffix.lower()
        try:
            if suffix in _DELIMITERS:
                values = self._table(source, _DELIMITERS[suffix], fields.column)
            elif suffix in _JSON_LINES:
                values = self._json_lines(source, fields.column)
            elif suffix == ".txt":
                values = self._lines(source, fields.column)
            else:
                raise _PlanFault("file", f"{source.file} is none of .csv, .tsv, .jsonl, .ndjson and .txt")  # noqa: TRY301
            found = list(values)
        except _PlanFault as fault:
            place = document.value(written, fault.key) if fault.key in written else document.value(written, "file")
            self.reporter.error("bad-axis-file", str(fault), place)
            return []
        if not found and self.reporter.errors == errors:
            self.reporter.error("bad-axis-file", f"there is no value in {source.file}", document.value(written, "file"))
        return found

    def _table(self, source: Source, delimiter: str, column: str | None) -> Iterator[Candidate]:
        rows = csv.reader(io.StringIO(source.text, newline=""), delimiter=delimiter, strict=True)
        try:
            header = next(rows, list[str]())
            if column is None:
                raise _PlanFault("column", f"`column` is required: {source.file} has {one_of(header)}")
            if column not in header:
                raise _PlanFault(
                    "column", unknown(f"{source.file} has no column `{shorten(column, 40)}`", column, header)
                )
            position = header.index(column)
            for row in rows:
                place = partial(_line, source, rows.line_num)
                if not row:
                    continue
                if len(row) <= position or not row[position].strip():
                    self.reporter.error("bad-axis-file", f"this row has no `{shorten(column, 40)}`", place())
                    continue
                yield row[position].strip(), place
        except csv.Error as error:
            self.reporter.error("bad-axis-file", f"this is not CSV: {error}", _line(source, rows.line_num))

    def _json_lines(self, source: Source, column: str | None) -> Iterator[Candidate]:
        for number, line in _numbered(source):
            place = partial(_line, source, number)
            try:
                value = from_json(line, allow_inf_nan=False)
            except ValueError as error:
                self.reporter.error(
                    "bad-axis-file", f"this line is not JSON: {str(error).split(' at line ')[0]}", place()
                )
                continue
            if column is None:
                yield value, place
            elif isinstance(value, dict) and column in value:
                yield value[column], place
            else:
                self.reporter.error("bad-axis-file", f"this line has no `{shorten(column, 40)}`", place())

    def _lines(self, source: Source, column: str | None) -> Iterator[Candidate]:
        if column is not None:
            raise _PlanFault("column", f"{source.file} is plain text and has no columns; leave `column` out")
        for number, line in _numbered(source):
            yield line, partial(_line, source, number)


class _PlanFault(Exception):  # noqa: N818 - a fault of what the plan says about the file, at this key
    def __init__(self, key: str, detail: str) -> None:
        super().__init__(detail)
        self.key = key


def _numbered(source: Source) -> Iterator[tuple[int, str]]:
    """Lines that hold something, numbered from 1."""
    for number, line in enumerate(source.text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), start=1):
        if line.strip():
            yield number, line.strip()


def _line(source: Source, number: int) -> Span:
    return source.line(number)

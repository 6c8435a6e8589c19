"""Axis values from a file beside the plan: CSV, JSON lines or plain text."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, cast

from planner.diagnostics import Related, Span
from planner.planfile.files import FileFault, Neighbours, display_name
from planner.planfile.grammar.fields import read_fields
from planner.planfile.grammar.models import MAX_CASES, AxisFileFields
from planner.planfile.reporter import Reporter
from planner.planfile.text import one_of, shorten, unknown
from planner.planfile.yaml.document import Document, Mapping
from planner.planfile.yaml.reader import MAX_BYTES
from planner.planfile.yaml.reading import decode
from planner.planfile.yaml.source import Source
from planner.planfile.yaml.syntax import NOT_IN_YAML

Candidate = tuple[Any, Callable[[], Span]]
"""A value, and where it is written."""

_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_JSON_LINES = {".jsonl", ".ndjson"}
_MAX_KEYS = 200
FILE_SUFFIXES = frozenset({*_DELIMITERS, *_JSON_LINES, ".txt"})
_DELIMITER_NAMES = {";": "semicolons", "\t": "tabs", ",": "commas", "|": "bars"}


class _PlanError(Exception):
    """An error of the plan about the file, at this key."""

    def __init__(self, key: str, detail: str) -> None:
        super().__init__(detail)
        self.key = key


@dataclass(slots=True)
class AxisFileReader:
    """Reads `{file: orders.csv, column: number}`; one for all plans loaded together."""

    reporter: Reporter
    neighbours: Neighbours

    def read(self, document: Document, plan: Path, written: Mapping) -> list[Candidate]:
        """Values with their places in the file; none, and an error, if the file or the column cannot be used."""
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
        name, suffix = display_name(path, self.neighbours.cwd), path.suffix.lower()
        if suffix not in FILE_SUFFIXES:
            detail = f"{name} is none of .csv, .tsv, .jsonl, .ndjson and .txt"
            self.reporter.error("bad-axis-file", detail, place)
            return []
        source = decode(content, name, self.reporter)
        if source is None:
            return []
        used = Related("used here", place)
        invisible = NOT_IN_YAML.search(source.text)
        if invisible is not None:
            detail = f"U+{ord(invisible.group()):04X} is a control character; remove it"
            self.reporter.error("control-character", detail, source.span(*invisible.span()), used)
            return []
        file = _File(source, fields.column, used, self.reporter)
        values = file.table(_DELIMITERS[suffix]) if suffix in _DELIMITERS else file.lines(as_json=suffix in _JSON_LINES)
        try:
            found = list(islice(values, MAX_CASES + 1))
        except _PlanError as error:
            key = error.key if error.key in written else "file"
            self.reporter.error("bad-axis-file", str(error), document.value(written, key))
            return []
        if len(found) > MAX_CASES:
            detail = f"there are more than {MAX_CASES:,} values in {name}; no plan may make more cases"
            self.reporter.error("too-many-cases", detail, place)
            return []
        if not found and self.reporter.errors == errors:
            self.reporter.error("bad-axis-file", f"there is no value in {name}", place)
        return found


class _File(NamedTuple):
    """Values of one file. `column` is the column that the plan names."""

    source: Source
    column: str | None
    used: Related
    reporter: Reporter

    def _error(self, line: int, detail: str) -> None:
        self.reporter.error("bad-axis-file", detail, self.source.line(line), self.used)

    def table(self, delimiter: str) -> Iterator[Candidate]:
        """One column of a table whose first row names the columns, without the space around its cells."""
        import csv  # few plans need it

        rows = csv.reader(io.StringIO(self.source.text, newline=""), delimiter=delimiter, strict=True)
        line = next_line = 1
        try:
            header = [name.strip() for name in next(rows, list[str]())]
            position = self._position(header, delimiter)
            if header.count(header[position]) > 1:
                self._error(1, f"two columns are named `{shorten(header[position], 40)}`; rename one")
                return
            next_line = rows.line_num + 1
            for row in rows:
                line, next_line = next_line, rows.line_num + 1
                if row and len(row) != len(header):
                    detail = f"the number of cells is {len(row)}, but {len(header)} in the first row"
                    self._error(line, f"{detail}; put a value that has the separator in it in quotes")
                elif row and not row[position].strip():
                    self._error(line, f"this row has no `{shorten(header[position], 40)}`")
                elif row:
                    yield row[position].strip(), partial(self.source.line, line)
        except csv.Error as error:
            self._error(next_line, f"this is not CSV: {error}")

    def _position(self, header: list[str], delimiter: str) -> int:
        """The position of the plan's column. Raises `_PlanError` if there is none."""
        file, column = self.source.file, self.column
        if column is not None and column in header:
            return header.index(column)
        if not header:
            raise _PlanError("file", f"the first row of {file} names no columns")
        first = self.source.text.split("\n", maxsplit=1)[0]
        other = next((sign for sign in _DELIMITER_NAMES if sign != delimiter and sign in first), None)
        if len(header) == 1 and other is not None:
            wanted, found = _DELIMITER_NAMES[delimiter], _DELIMITER_NAMES[other]
            raise _PlanError("file", f"{file} separates its cells by {found}; save it with {wanted}")
        if column is None:
            raise _PlanError("column", f"`column` is required: {file} has {one_of(header)}")
        raise _PlanError("column", unknown(f"{file} has no column `{shorten(column, 40)}`", column, header))

    def lines(self, *, as_json: bool) -> Iterator[Candidate]:
        """Each line that is not blank: as it is, or its JSON value, or what that has under the column."""
        if self.column is not None and not as_json:
            raise _PlanError("column", f"{self.source.file} is plain text and has no columns; leave `column` out")
        lacking: list[int] = []
        keys: dict[str, None] = {}
        any_read = any_found = False
        for number, text in enumerate(io.StringIO(self.source.text, newline=None), start=1):
            line = text.strip()
            if not line:
                continue
            value: Any = line
            if as_json:
                try:
                    value = _json_value(line)
                except (ValueError, RecursionError) as error:
                    if not any_read and self.source.text.strip().startswith("["):
                        detail = f"{self.source.file} is not one list; write each value on a line of its own"
                        if self.source.text.strip().endswith("]"):
                            raise _PlanError("file", detail) from error
                    self._error(number, f"this line cannot be used: {error}")
                    continue
                any_read = True
            elif line.startswith("#"):
                detail = "this line is a value as well: a text file has no comments"
                self.reporter.warning("bad-axis-file", detail, self.source.line(number), self.used)
            if self.column is not None:
                record = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
                if self.column not in record:
                    lacking.append(number)
                    keys.update(dict.fromkeys(islice(record, _MAX_KEYS - len(keys))))
                    continue
                value = record[self.column]
            any_found = True
            yield value, partial(self.source.line, number)
        if self.column is not None and lacking and not any_found:
            what = f"no line of {self.source.file} has `{shorten(self.column, 40)}`"
            raise _PlanError("column", unknown(what, self.column, keys))
        for number in lacking:
            self._error(number, f"this line has no `{shorten(self.column or '', 40)}`")


def _json_value(line: str) -> Any:
    """Parse a line of JSON. Raises `ValueError` for invalid JSON and for values that YAML cannot express."""
    value = json.loads(line, object_pairs_hook=_object, parse_constant=_finite, parse_float=_finite)
    _check_texts(value)
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key is written twice")
    return found


def _finite(text: str) -> float:
    if not math.isfinite(number := float(text)):
        raise ValueError(f"{shorten(text, 40)} is not a finite number")
    return number


def _check_texts(value: Any) -> None:
    if isinstance(value, str) and NOT_IN_YAML.search(value):
        raise ValueError("a text has a control character, written as an escape")
    if isinstance(value, dict):
        for key, item in cast("dict[str, Any]", value).items():
            _check_texts(key)
            _check_texts(item)
    elif isinstance(value, list):
        for item in cast("list[Any]", value):
            _check_texts(item)

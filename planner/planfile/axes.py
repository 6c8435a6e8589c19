"""Axes of a matrix: their values, from the plan or from a CSV, JSON or text file, and how case ids write them."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple, cast

from planner.diagnostics import Related, Span
from planner.planfile.fields import LITERAL, read_fields, wrong_type
from planner.planfile.files import FileError, Neighbours, display_name
from planner.planfile.grammar import AxisFileFields
from planner.planfile.reporter import Reporter
from planner.planfile.templates import check_name, holds_tags
from planner.planfile.text import describe, one_of, shorten, unknown
from planner.planfile.yaml.document import Items, Source, YamlMapping
from planner.planfile.yaml.reader import MAX_BYTES, NOT_IN_YAML, decode, warn_of_rewritten
from planner.values import frozen

Candidate = tuple[Any, Callable[[], Span]]
"""A value, and where it is written."""

_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_JSON_LINES = {".jsonl", ".ndjson"}
_SUFFIXES = {*_DELIMITERS, *_JSON_LINES, ".txt"}


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
    max_cases: int
    """Cases that a plan may make."""

    def read(self, plan: Path, written: YamlMapping) -> list[Candidate]:
        """Values with their places in the file; none, and an error, if the file or the column cannot be used."""
        errors = self.reporter.errors
        fields = read_fields(AxisFileFields, written, self.reporter)
        if self.reporter.errors > errors or fields.file is None:
            return []
        place = written.span("file")
        try:
            path, content = self.neighbours.read(plan, fields.file, MAX_BYTES)
        except FileError as error:
            self.reporter.error(error.code, error.detail, place)
            return []
        name, suffix = display_name(path, self.neighbours.cwd), path.suffix.lower()
        if suffix not in _SUFFIXES:
            detail = f"{name} must end with .csv, .tsv, .jsonl, .ndjson or .txt"
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
            found = list(islice(values, self.max_cases + 1))
        except _PlanError as error:
            at = error.key if error.key in written else "file"
            self.reporter.error("bad-axis-file", str(error), written.span(at))
            return []
        if len(found) > self.max_cases:
            detail = f"there are more than {self.max_cases:,} values in {name}; no plan may make more cases"
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
        """The plan's column of a table whose first row names the columns, or else each row as a mapping; cells without
        the space around them."""
        rows = csv.reader(io.StringIO(self.source.text, newline=""), delimiter=delimiter, strict=True)
        line = next_line = 1
        try:
            header = [name.strip() for name in next(rows, list[str]())]
            key = self._key_column(header)
            used = header if self.column is None else [key]
            if repeated := next((name for name in used if header.count(name) > 1), None):
                self._error(1, f"two columns are named `{shorten(repeated, 40)}`; rename one")
                return
            position = header.index(key)
            next_line = rows.line_num + 1
            for row in rows:
                line, next_line = next_line, rows.line_num + 1
                if row and len(row) != len(header):
                    detail = f"the number of cells is {len(row)}, but {len(header)} in the first row"
                    self._error(line, f"{detail}; put a value that has the separator in it in quotes")
                elif row and not row[position].strip():
                    self._error(line, f"this row has no `{shorten(key, 40)}`")
                elif row:
                    cells = [cell.strip() for cell in row]
                    value = cells[position] if self.column is not None else dict(zip(header, cells, strict=True))
                    yield value, partial(self.source.line, line)
        except csv.Error as error:
            self._error(next_line, f"this is not CSV: {error}")

    def _key_column(self, header: list[str]) -> str:
        """The column that the plan names, or `id`. Raises `_PlanError` if there is none."""
        file, column = self.source.file, self.column if self.column is not None else "id"
        if column in header:
            return column
        if not header:
            raise _PlanError("file", f"the first row of {file} names no columns")
        if len(header) == 1 and any(separator in header[0] for separator in ",;\t"):
            detail = f"{file} has a single column, `{shorten(header[0], 40)}`"
            raise _PlanError("file", f"{detail}: separate cells by commas in .csv, by tabs in .tsv")
        if self.column is None:
            detail = f"{file} has no column `id` to name its rows; add it, or name one `column`: {one_of(header)}"
            raise _PlanError("column", detail)
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
                    whole = self.source.text.strip()
                    if not any_read and whole.startswith("[") and whole.endswith("]"):
                        detail = f"{self.source.file} is not one list; write each value on a line of its own"
                        raise _PlanError("file", detail) from error
                    self._error(number, f"this line cannot be used: {error}")
                    continue
                any_read = True
            if self.column is not None:
                record = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
                if self.column not in record:
                    lacking.append(number)
                    keys.update(dict.fromkeys(record))
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
        raise ValueError("a string contains a control character, written as an escape")
    if isinstance(value, dict):
        for key, item in cast("dict[str, Any]", value).items():
            _check_texts(key)
            _check_texts(item)
    elif isinstance(value, list):
        for item in cast("list[Any]", value):
            _check_texts(item)


MAX_TOKEN = 200
"""Maximum length of a value in a case id."""

_INVISIBLE = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u3164\uffa0\U000e0100-\U000e01ef]")
"""Invisible characters that Python counts as printable or as letters."""
_OBEYED = re.compile(r"(?<= ) |(?<=:):|(?<=##)\[")
"""Text that Markdown would fold or GitHub would read as a workflow command."""


@frozen
class AxisValue:
    """One value of an axis. `token` is how case ids write it, `value` what templates see."""

    token: str
    value: Any
    place: Callable[[], Span] = field(compare=False, repr=False)
    """Where it is written."""


class Axis(NamedTuple):
    """`values` by token, in the order written."""

    name: str
    values: dict[str, AxisValue]

    def find(self, value: Any) -> AxisValue | None:
        """The value that case ids write like this one; a mapping with an id alone stands for its id."""
        if isinstance(value, dict):
            value = value["id"] if list(value) == ["id"] else None  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
            if value is None:
                return None
        return None if isinstance(value, list) else self.values.get(token(value))


def token(value: Any) -> str:
    """How a case id writes a value: letters, digits and `._+-` bare, numbers and booleans as in JSON, else a JSON
    string.

    Within a string, what a terminal, a CI log or Markdown would obey, hide or fold is written as JSON's escape, so that
    an id can be copied from wherever it is shown: characters nobody sees, the second of two spaces, `::` and `##[`.
    """
    if isinstance(value, dict):
        return token(value["id"])
    if not isinstance(value, str):
        return json.dumps(value)
    hidden = _INVISIBLE.search(value) is not None
    if value and not hidden and all(character.isalnum() or character in "._+-" for character in value):
        return value
    escaped = json.dumps(value, ensure_ascii=False)
    if hidden or not escaped.isprintable():
        escaped = "".join(c if c.isprintable() and not _INVISIBLE.match(c) else json.dumps(c)[1:-1] for c in escaped)
    return _OBEYED.sub(lambda found: f"\\u{ord(found[0]):04x}", escaped)


class AxisReader:
    """Reads the axes of one matrix of the plan at `path`."""

    def __init__(self, path: Path, files: AxisFileReader, reporter: Reporter) -> None:
        self.path = path
        self.files = files
        self.reporter = reporter
        self.faulty: set[str] = set()
        """Axes with errors: they may have other values than could be read."""
        self.origin: Span | None = None
        """Where the file is named that values come from."""

    def read(self, axes: YamlMapping) -> tuple[Axis, ...]:
        """The axes that could be read; one without any sound value is left out."""
        found: list[Axis] = []
        for name in axes:
            self.reporter.check_time(axes.source.file)
            errors = self.reporter.errors
            check_name(name, "an axis", axes.key_span(name), self.reporter)
            values = self._distinct(self._candidates(axes, name))
            if values:
                found.append(Axis(name, values))
            if self.reporter.errors > errors:
                self.faulty.add(name)
        return tuple(found)

    def value(self, written: Any, place: Callable[[], Span]) -> AxisValue | None:
        """One value, written at `place`; None, and an error, if it cannot be one."""
        if isinstance(written, list):
            detail = "a list cannot be one value of an axis; a mapping with an `id` can hold one"
            self._error("bad-axis", detail, place())
            return None
        if isinstance(written, dict) and not self._has_id(written, place):  # pyright: ignore[reportUnknownArgumentType]
            return None
        if holds_tags(written):
            self.reporter.warning("literal-template", LITERAL, place())
        made = AxisValue(token(written), written, place)
        if len(made.token) > MAX_TOKEN:
            detail = (
                f"a string of {len(made.token):,} characters is too long for an id; write {{id: short-name, text: …}}"
            )
            self._error("bad-axis", detail, place())
            return None
        return made

    def _has_id(self, written: dict[str, Any], place: Callable[[], Span]) -> bool:
        """Whether a mapping has a usable id; reported if not."""
        if "id" not in written:
            self._error("bad-axis", "a mapping needs an `id`: it names the case", place())
            return False
        name: Any = written["id"]
        if isinstance(name, str) and name:
            return True
        at = written.span("id") if isinstance(written, YamlMapping) else place()
        self._error(
            "bad-axis", f"an `id` must be a string that names the case, but this is {describe(name)}; quote it", at
        )
        return False

    def _candidates(self, axes: YamlMapping, name: str) -> list[Candidate]:
        """Values with their places."""
        values: Any = axes[name]
        shown = shorten(name, 40)
        if isinstance(values, YamlMapping) and ("file" in values or "use" in values):
            self.origin = values.span("file") if "file" in values else None
            return self.files.read(self.path, values)
        if isinstance(values, Items) and 0 < len(values) <= self.files.max_cases:
            warn_of_rewritten(axes, name, self.reporter)
            return [(value, partial(values.span, index)) for index, value in enumerate(values)]
        if not isinstance(values, Items):
            kinds = "[first, second], or {file: orders.csv, column: number}"
            if isinstance(values, str) and PurePosixPath(values).suffix in _SUFFIXES:
                kinds = f"{{file: {shorten(values, 80)}}}"
            code, detail = "wrong-type", f"{wrong_type('a list', values).partition(';')[0]}; write {kinds}"
        elif not values:
            code, detail = "bad-axis", f"axis `{shown}` has no values; write at least one"
        else:
            code = "too-many-cases"
            detail = f"axis `{shown}` has {len(values):,} values; more than {self.files.max_cases:,} can be in no plan"
        self.reporter.error(code, detail, axes.span(name))
        return []

    def _error(self, code: str, detail: str, span: Span, *related: Related) -> None:
        """An error of a value: where it is in another file, with the place that names the file."""
        if self.origin is not None and span.file != self.origin.file:
            related += (Related("used here", self.origin),)
        self.reporter.error(code, detail, span, *related)

    def _distinct(self, candidates: list[Candidate]) -> dict[str, AxisValue]:
        """The sound values of one axis, by token."""
        found: dict[str, AxisValue] = {}
        for written, place in candidates:
            value = self.value(written, place)
            if value is None or (other := found.setdefault(value.token, value)) is value:
                continue
            code, detail = "colliding-case-id", f"two values are written {shorten(value.token)} in case ids; change one"
            if type(other.value) is type(written) and other.value == written:
                code, detail = "duplicate-item", f"{describe(written)} is listed twice; remove one"
            self._error(code, detail, place(), Related("the first one", other.place()))
        return found

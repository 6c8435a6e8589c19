"""Axes of a matrix: their values, where they come from, and how case ids write them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from planner.diagnostics import Related, Span
from planner.planfile.grammar.field_errors import LITERAL, wrong_type
from planner.planfile.grammar.models import MAX_CASES
from planner.planfile.matrix.axis_files import AxisFileReader
from planner.planfile.reporter import Reporter
from planner.planfile.templates.names import check_name
from planner.planfile.templates.templates import holds_tags
from planner.planfile.text import describe, shorten
from planner.planfile.yaml.document import Document, Items, Mapping, larger_than
from planner.planfile.yaml.reading import warn_of_rewritten
from planner.values import frozen

MAX_AXES = 100
MAX_TOKEN = 200
"""Maximum length of a value in a case id."""
MAX_VALUE_NODES = 1_000
"""Maximum number of values inside one axis value, with aliases expanded."""

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
    """How a case id writes a value: letters, digits and `._+-` bare, numbers and booleans as in JSON, else a JSON string.

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
        shown = [c if c.isprintable() and not _INVISIBLE.match(c) else json.dumps(c)[1:-1] for c in escaped]
        escaped = "".join(shown)
    return _OBEYED.sub(lambda found: f"\\u{ord(found[0]):04x}", escaped)


UseAxis = Callable[[Document, Mapping, str], dict[str, AxisValue]]
"""Looks up the imported values of an axis written as `{use: NAME}`; none, and an error, if there are none."""


class AxisReader:
    """Reads the axes of one matrix of the plan at `path`, or those of a library, which cannot `use` any."""

    def __init__(
        self, document: Document, path: Path, files: AxisFileReader, reporter: Reporter, use: UseAxis | None = None
    ) -> None:
        self.document = document
        self.path = path
        self.files = files
        self.reporter = reporter
        self.use = use
        self.faulty: set[str] = set()
        """Axes with errors: they may have other values than could be read."""
        self.origin: Span | None = None
        """Where the file is named that values come from."""

    def read(self, axes: Mapping) -> tuple[Axis, ...]:
        """The axes that could be read; one without any sound value is left out."""
        found: list[Axis] = []
        if len(axes) > MAX_AXES:
            detail = f"a matrix may have {MAX_AXES} axes, this one has {len(axes):,}"
            self.reporter.error("bad-axis", detail, self.document.key(axes, list(axes)[MAX_AXES]))
            return ()
        for name in axes:
            errors = self.reporter.errors
            check_name(name, "an axis", self.document.key(axes, name), self.reporter)
            values = self.values(axes, name)
            if values:
                found.append(Axis(name, values))
            if self.reporter.errors > errors:
                self.faulty.add(name)
        return tuple(found)

    def values(self, axes: Mapping, name: str) -> dict[str, AxisValue]:
        """The sound values of one axis, by token."""
        written: Any = axes[name]
        if not isinstance(written, Mapping) or "use" not in written or "file" in written:
            return self._distinct(self._candidates(axes, name))
        if self.use is not None:
            return self.use(self.document, axes, name)
        detail = "a library uses nothing of another; write the values here"
        self.reporter.error("misplaced-use", detail, self.document.key(written, "use"))
        return {}

    def value(self, written: Any, place: Callable[[], Span]) -> AxisValue | None:
        """One value, written at `place`; None, and an error, if it cannot be one."""
        if isinstance(written, list):
            detail = "a list cannot be one value of an axis; a mapping with an `id` can hold one"
            self._error("bad-axis", detail, place())
            return None
        if isinstance(written, dict) and not self._has_id(written, place):  # pyright: ignore[reportUnknownArgumentType]
            return None
        if isinstance(written, dict) and larger_than(written, MAX_VALUE_NODES):
            detail = f"one value of an axis may hold {MAX_VALUE_NODES:,} values, aliases expanded"
            self._error("too-many-nodes", detail, place())
            return None
        if holds_tags(written):
            self.reporter.warning("literal-template", LITERAL, place())
        made = AxisValue(token(written), written, place)
        if len(made.token) > MAX_TOKEN:
            detail = (
                f"a text of {len(made.token):,} characters is too long for a case id; write {{id: short-name, text: …}}"
            )
            self._error("bad-axis", detail, place())
            return None
        return made

    def _has_id(self, written: dict[str, Any], place: Callable[[], Span]) -> bool:
        """Whether a mapping has a usable id; reported if not."""
        if "id" not in written:
            meant = next((key for key in ("use", "file") if key in written), None)
            detail = "a mapping needs an `id`: it names the case"
            if meant is not None:
                detail = f"{{{meant}: …}} stands for all values of an axis: write it without the brackets"
            self._error("bad-axis", detail, place())
            return False
        name: Any = written["id"]
        if isinstance(name, str) and name:
            return True
        at = self.document.value(written, "id") if isinstance(written, Mapping) else place()
        self._error("bad-axis", f"an `id` is a text that names the case, but this is {describe(name)}; quote it", at)
        return False

    def _candidates(self, axes: Mapping, name: str) -> list[tuple[Any, Callable[[], Span]]]:
        """Values with their places."""
        values: Any = axes[name]
        shown = shorten(name, 40)
        if isinstance(values, Mapping) and "file" in values:
            self.origin = self.document.value(values, "file")
            return self.files.read(self.document, self.path, values)
        if isinstance(values, Items) and 0 < len(values) <= MAX_CASES:
            warn_of_rewritten(self.document, axes, name, self.reporter)
            return [(value, partial(self.document.value, values, index)) for index, value in enumerate(values)]
        if not isinstance(values, Items):
            kinds = "{file: orders.csv, column: number}" + (" or {use: NAME}" if self.use is not None else "")
            code = "wrong-type"
            detail = f"{wrong_type('a list', values).partition(';')[0]}; write [first, second], or {kinds}"
        elif not values:
            code, detail = "bad-axis", f"axis `{shown}` has no values, so that there would be no case"
        else:
            code = "too-many-cases"
            detail = f"axis `{shown}` has {len(values):,} values; more than {MAX_CASES:,} can be in no plan"
        self.reporter.error(code, detail, self.document.value(axes, name))
        return []

    def _error(self, code: str, detail: str, span: Span, *related: Related) -> None:
        """An error of a value: where it is in another file, with the place that names the file."""
        if self.origin is not None and span.file != self.document.source.file:
            related = (*related, Related("used here", self.origin))
        self.reporter.error(code, detail, span, *related)

    def _distinct(self, candidates: list[tuple[Any, Callable[[], Span]]]) -> dict[str, AxisValue]:
        found: dict[str, AxisValue] = {}
        for written, place in candidates:
            value = self.value(written, place)
            other = found.setdefault(value.token, value) if value is not None else None
            if other is value or value is None or other is None:
                continue
            code, detail = "colliding-case-id", f"two values are written {shorten(value.token)} in case ids; change one"
            if type(other.value) is type(written) and other.value == written:
                code, detail = "duplicate-item", f"{describe(written)} is listed twice; remove one"
            self._error(code, detail, place(), Related("the first one", other.place()))
        return found

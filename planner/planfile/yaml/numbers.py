"""Numbers that YAML does not keep as they are written: 007, 1.10, +14155550199."""

from __future__ import annotations

import json
from typing import Any

from planner.planfile.reporter import Reporter
from planner.planfile.yaml.document import Container, Document, Items, Mapping, at, value_mark

_STARTS = frozenset("+-.0123456789tTfF")


def as_written(document: Document, container: Container, key: str | int) -> str:
    """The characters of an unquoted number or boolean in the file; nothing of another value, or of one that an alias stands for."""
    value: Any = at(container, key)
    if not isinstance(value, (int, float)):
        return ""
    start, end = value_mark(container, key)
    written = document.source.text[start:end].strip()
    if written.startswith("&"):
        written = written.partition(" ")[2].strip()
    return written if written[:1] in _STARTS and " " not in written else ""


def warn_of_rewritten(document: Document, container: Container, key: str | int, reporter: Reporter) -> None:
    """Warn of each unquoted number, at or below this place, that a prompt would not show as it is written."""
    value: Any = at(container, key)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        start, end = value_mark(container, key)
        written = document.source.text[start:end].strip()
        shown = repr(value) if isinstance(value, int) else json.dumps(value)
        if written != shown and written[:1] in "+-.0123456789":
            reporter.warning(
                "number-rewritten",
                f'YAML reads {written} as the number {shown}; write "{written}" to keep it as it is',
                document.value(container, key),
            )
    elif isinstance(value, Mapping):
        for name, below in value.items():
            if below.__class__ is not str:
                warn_of_rewritten(document, value, name, reporter)
    elif isinstance(value, Items):
        for index, below in enumerate(value):
            if below.__class__ is not str:
                warn_of_rewritten(document, value, index, reporter)

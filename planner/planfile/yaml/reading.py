"""Files to documents, with their problems reported as diagnostics."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from planner.diagnostics import Severity
from planner.planfile.reporter import Reporter
from planner.planfile.yaml.document import Container, Document, Items, Mapping, Problem, at, value_mark
from planner.planfile.yaml.reader import parse_text, to_text
from planner.planfile.yaml.source import Source


def decode(data: bytes, file: str, reporter: Reporter) -> Source | None:
    """Bytes to text; None, and an error, if that is not possible."""
    source, problems = to_text(data, file)
    _report(problems, reporter)
    return source


def parse(source: Source, reporter: Reporter, *, allows_escapes: bool = False) -> Document | None:
    """The document; None, and errors, if there is none or its structure is unknown. `allows_escapes`: texts may have
    control characters, written as escapes."""
    document, problems = parse_text(source)
    if document is not None and allows_escapes:
        problems = [problem for problem in problems if problem.code != "control-character"]
    _report(problems, reporter)
    if document is not None:
        reporter.incomplete.update(dict.fromkeys(document.incomplete, document))
    return document


def _report(problems: Iterable[Problem], reporter: Reporter) -> None:
    for problem in problems:
        report = reporter.error if problem.severity is Severity.ERROR else reporter.warning
        report(problem.code, problem.message, problem.span, *problem.related)


def warn_of_rewritten(document: Document, container: Container, key: str | int, reporter: Reporter) -> None:
    """Warn of each unquoted number, at or below this place, that a prompt would not show as it is written."""
    value: Any = at(container, key)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        start, end = value_mark(container, key)
        written = document.source.text[start:end].strip()
        shown = repr(value) if isinstance(value, int) else json.dumps(value)
        if written != shown and written[:1] in "+-.0123456789":
            message = f'YAML reads {written} as the number {shown}; write "{written}" to keep it as it is'
            reporter.warning("number-rewritten", message, document.value(container, key))
    elif isinstance(value, (Mapping, Items)):
        for name in value if isinstance(value, Mapping) else range(len(value)):
            if at(value, name).__class__ is not str:
                warn_of_rewritten(document, value, name, reporter)

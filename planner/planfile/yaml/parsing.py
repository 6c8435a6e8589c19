"""A parsed file, with its problems reported as diagnostics."""

from __future__ import annotations

from itertools import islice

from planner.planfile.reporter import MAX_PER_FILE, Reporter
from planner.planfile.yaml import reader
from planner.planfile.yaml.document import Document
from planner.planfile.yaml.source import Source


def parse(source: Source, reporter: Reporter) -> Document | None:
    """The document; None, and faults, where there is none or its structure is unknown."""
    document, problems = reader.parse(source)
    for problem in problems:
        reporter.error(problem.code, problem.message, problem.span, *problem.related)
    if document is None:
        return None
    for container, offset in document.duplicates:
        after = (key for key in container if container.mark(key)[0] > offset)
        reporter.doubted_keys.update(document.key(container, key) for key in islice(after, MAX_PER_FILE))
    reporter.incomplete.update(dict.fromkeys(document.incomplete, document))
    return document

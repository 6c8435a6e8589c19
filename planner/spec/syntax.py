"""What the YAML parser says of text that is not YAML, in words that tell an author what to change."""

from __future__ import annotations

import re
from typing import Any

from yaml import MarkedYAMLError, YAMLError

from planner.diagnostics import Related
from planner.spec.reporting import Reporter
from planner.spec.source import Source
from planner.spec.wording import shorten

NOT_IN_YAML = re.compile(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that YAML forbids (https://yaml.org/spec/1.2.2/#51-character-set)."""


STANDARD_TAG = "tag:yaml.org,2002:"
MAX_DEPTH = 64
"""Levels a file may be nested, aliases expanded."""
TOO_DEEP = (
    f"a file may be nested {MAX_DEPTH} levels deep, and this is deeper; look for a bracket that should be closed before"
)


_BEGUN = {
    "while parsing a flow mapping": "this brace",
    "while parsing a flow sequence": "this bracket",
    "while parsing a block mapping": "the mapping",
    "while parsing a block collection": "the list",
    "while scanning a simple key": "what may be a key",
}
"""What the parser was at, where its beginning helps to find the fault."""


def report_syntax(error: YAMLError, source: Source, reporter: Reporter) -> None:
    """Report the parser's error where it is; the first forbidden character, if there is one, is to blame."""
    forbidden = NOT_IN_YAML.search(source.text)
    if forbidden is not None:
        detail = f"U+{ord(forbidden.group()):04X} is not allowed in YAML; remove it"
        reporter.error("control-character", detail, source.span(forbidden.start(), forbidden.end()))
        return
    marked: Any = error  # untyped
    if not isinstance(error, MarkedYAMLError) or marked.problem_mark is None:
        reporter.error("yaml-syntax", " ".join(str(error).split()), source.whole())
        return
    if marked.context == "while scanning a quoted scalar":
        start = int(marked.context_mark.index)
        reporter.error("yaml-syntax", "this quote is not closed", source.span(start, start + 1))
        return
    start = min(int(marked.problem_mark.index), len(source.text))
    if "nesting depth" in str(marked.problem):  # libyaml has a bound of its own, and looks ahead
        reporter.error("too-much-nesting", TOO_DEEP, source.span(start, start + 1))
        return
    related: list[Related] = []
    began = marked.context_mark
    what = _BEGUN.get(str(marked.context))
    if what is not None and began is not None and began.line != marked.problem_mark.line:
        related.append(Related(f"{what} began here", source.span(began.index, began.index + 1)))
    if reporter.unreadable_before(source.span(start, start)):
        return  # what follows a template without quotes is no YAML for that reason alone
    related.extend(_text_before(source, start))
    detail = _explained(str(marked.problem or "not YAML"), source.text, start)
    reporter.error("yaml-syntax", detail, source.span(start, start + 1), *related)


def _text_before(source: Source, start: int) -> list[Related]:
    """Where a quoted text that ends just before the fault begins, if that is lines above: its own closing quote is missing."""
    before = source.text[:start].rstrip(" ")
    quote = before[-1:]
    if quote not in {'"', "'"}:
        return []
    opened = before.rfind(quote, 0, len(before) - 1)
    if opened < 0 or "\n" not in before[opened:]:
        return []
    return [Related("a quoted text began here, and its closing quote may be missing", source.span(opened, opened + 1))]


def _explained(problem: str, text: str, start: int) -> str:
    if not text[start:].strip():
        return "the file ends here, but a bracket or brace is still open"
    at = text[start : start + 1]
    line = text[text.rfind("\n", 0, start) + 1 : start]
    if at == "\t" or (not line.strip(" \t") and "\t" in line):
        return "a tab cannot indent YAML; use spaces"
    if at in {"@", "`", "%"} and "cannot start any token" in problem:
        return f"an unquoted text cannot begin with {at}; put it in quotes"
    if "mapping values are not allowed" in problem:
        return (
            'a key cannot stand here: look at its indentation; if this is a text with a colon, put it in quotes: "…: …"'
        )
    if "did not find expected key" in problem:
        return "this does not continue the mapping above: its keys begin in one column, and text after a closing quote is not allowed"
    if "could not find expected ':'" in problem:
        return "a key without a colon: write `key: value`"
    if "did not find expected ',' or" in problem:
        closing = problem.rpartition("'")[0][-1:]
        between = (
            f"a `{closing}` is missing before this"
            if at in {"]", "}"}
            else f"a comma or a `{closing}` is missing before this"
        )
        return f"{between}; look for a bracket or quote that is not closed"
    return problem


def tag_name(tag: str) -> str:
    return shorten(f"!!{tag.removeprefix(STANDARD_TAG)}" if tag.startswith(STANDARD_TAG) else tag)

"""Diagnostics as text and JSON."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot

from planner.diagnostics import Diagnostics, Related, Span
from planner.reports.diagnostics import render_json, render_text

SOURCES = {
    "plans/a.yaml": "\ufeffversion: 1\r\nplan: a\r\n\truns: \u202efive 名前 x\r\n",
    "plans/b.yaml": "a: 1\n" + "x" * 300 + " here " + "y" * 300 + "\n\nlast",
}


@pytest.fixture
def diagnostics() -> Diagnostics:
    """An error with a related place, a warning, a span of several lines, hostile text."""
    found = Diagnostics()
    found.warning("unused-variable", "variable is used by no template", "remove `x`", Span("plans/b.yaml", 1, 1, 1, 2))
    found.error(
        "duplicate-key",
        "key is written twice",
        "`runs` is written twice in this mapping, and this explanation is so long that it has to be wrapped; keep one",
        Span("plans/a.yaml", 3, 2, 3, 6),
        Related("the first one", Span("plans/a.yaml", 2, 1, 2, 5)),
    )
    found.error(
        "bad-value", "value cannot be used", "50% of\r\n::error::\x1b[31m it\u202e", Span("plans/b.yaml", 1, 1, 4, 5)
    )
    return found


def test_text(diagnostics: Diagnostics) -> None:
    """Each diagnostic with its line and caret, wrapped text, related places, and a count at the end."""
    assert render_text(diagnostics, read_source=SOURCES.get, width=80, color=False) == snapshot("""\
plans/a.yaml:3:2: error: key is written twice [duplicate-key]
    3 |     runs: \\u202efive 名前 x
      |     ^^^^
        `runs` is written twice in this mapping, and this explanation is so long
        that it has to be wrapped; keep one
        the first one: plans/a.yaml:2:1
    2 | plan: a
      | ^^^^

plans/b.yaml:1:1: warning: variable is used by no template [unused-variable]
    1 | a: 1
      | ^
        remove `x`

plans/b.yaml:1:1: error: value cannot be used [bad-value]
    1 | a: 1
      | ^^^^
        50% of\\u000d\\u000a::error::\\u001b[31m it\\u202e

2 errors and 1 warning in 2 files
""")


def test_the_first_twenty_of_a_kind_are_shown() -> None:
    found = Diagnostics()
    for line in range(1, 1_001):
        found.error("unknown-key", "unknown key", "`prmpt` is not a key here", Span("a.yaml", line, 1, line, 6))
    found.error("no-prompt", "no prompt", "`s` needs a prompt", Span("a.yaml", 1_001, 1, 1_001, 2))
    text = render_text(found, read_source=lambda _: "prmpt: x\n" * 1_100, width=80, color=False)
    assert (text.count("[unknown-key]"), text.count("[no-prompt]")) == (21, 1)
    assert "and 980 more [unknown-key] in a.yaml; --format json lists all\n\n1,001 errors in 1 file\n" in text


def test_many_mistakes_of_a_kind_are_counted() -> None:
    """The first twenty of a code are shown in each file, whatever they say."""
    found = Diagnostics()
    for line in range(1, 1_001):
        found.error("unknown-key", "unknown key", f"`k{line}` is not a key here", Span("a.yaml", line, 1, line, 6))
    found.warning("unused-variable", "unused", "remove `x`", Span("b.yaml", 1, 1, 1, 2))
    found.error("unknown-key", "unknown key", "`k` is not a key here", Span("c.yaml", 1, 1, 1, 2))
    lines = render_text(found, read_source=lambda _: None, width=80, color=False).splitlines()
    assert sum("unknown key" in line for line in lines) == 21
    assert lines[-3:] == [
        "and 980 more [unknown-key] in a.yaml; --format json lists all",
        "",
        "1,001 errors and 1 warning in 3 files",
    ]
    assert sum("unused-variable" in line for line in lines) == 1


def test_json(diagnostics: Diagnostics) -> None:
    """The documented fields, in the order of files, lines and columns."""
    document = json.loads(render_json(diagnostics))
    assert document["schema_version"] == "2.0"
    assert [(item["severity"], item["code"]) for item in document["diagnostics"]] == [
        ("error", "duplicate-key"), ("warning", "unused-variable"), ("error", "bad-value")
    ]  # fmt: skip
    first, _, last = document["diagnostics"]
    places = {"file": "plans/a.yaml", "line": 3, "column": 2, "end_line": 3, "end_column": 6}
    assert first.items() >= {"summary": "key is written twice", **places}.items()
    related = {"file": "plans/a.yaml", "line": 2, "column": 1, "end_line": 2, "end_column": 5}
    assert first["related"] == [{"message": "the first one", **related}]
    assert set(first) == {"severity", "code", "summary", "detail", *places, "related"}
    assert (last["detail"], last["end_line"], last["related"]) == ("50% of\r\n::error::\x1b[31m it\u202e", 4, [])


@settings(deadline=None)
@given(st.text(), st.text())
def test_authored_text_commands_nothing(detail: str, file: str) -> None:
    """No control character on the terminal, for any text."""
    found = Diagnostics()
    found.error("x", "summary", detail, Span(file, 1, 1, 1, 2))
    shown = render_text(found, read_source=lambda _: detail, width=80, color=False)
    # The joiners of scripts that need them neither move nor hide anything.
    assert all(character.isprintable() or character in "\n\u200c\u200d" for character in shown)

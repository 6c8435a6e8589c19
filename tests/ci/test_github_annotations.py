"""Annotations: the worst nine, escaped, and a count of the others."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from planner.ci.annotations import Annotation, commands, of_diagnostics
from planner.diagnostics import Diagnostics, Related, Span


def test_diagnostics_have_places_and_errors_come_first(diagnostics: Diagnostics) -> None:
    """The end column is exclusive here and inclusive at GitHub; the path starts at the repository's root."""
    assert commands(of_diagnostics(diagnostics, path_prefix="services/voice/")) == snapshot(
        [
            "::error file=services/voice/plans/a.yaml,line=9,endLine=9,col=5,endColumn=11,title=Unknown key [unknown-key]::scenario has no key prompts.",
            "::warning file=services/voice/plans/a.yaml,line=3,endLine=3,col=7,endColumn=17,title=Unused variable [unused-var]::policy_days is used nowhere.",
        ]
    )


def test_several_lines_have_no_columns() -> None:
    """GitHub rejects them. Related places are lines of the message."""
    found = Diagnostics()
    found.error("e", "S", "", Span("a.yaml", 2, 3, 5, 1), Related("the first one", Span("a.yaml", 1, 2, 1, 5)))
    assert commands(of_diagnostics(found)) == [
        "::error file=a.yaml,line=2,endLine=5,title=S [e]::S%0Athe first one: a.yaml:1:2"
    ]


@pytest.mark.parametrize(
    ("annotation", "command"),
    [
        (Annotation("notice", "", "only words"), "::notice::only words"),
        (Annotation("error", "t", "no file, no line", line=3, column=2), "::error title=t::no file, no line"),
        (Annotation("error", "", "a file as such", "a.yaml"), "::error file=a.yaml::a file as such"),
        (
            Annotation("error", "", "empty span", "a.yaml", 1, 4, 1, 4),
            "::error file=a.yaml,line=1,endLine=1,col=4,endColumn=4::empty span",
        ),
        (
            Annotation("error", "50%: a,b", "100%\nof\r\n::set-output::x"),
            "::error title=50%25%3A a%2Cb::100%25%0Aof%0A::set-output::x",
        ),
    ],
)
def test_unknown_properties_are_omitted_and_others_escaped(annotation: Annotation, command: str) -> None:
    assert annotation.command() == command


@given(title=st.text(), message=st.text(), file=st.text())
def test_no_text_can_add_a_command_or_property(title: str, message: str, file: str) -> None:
    command = Annotation("error", title, message, file, 1).command()
    assert len(command.splitlines()) <= 1
    properties = re.fullmatch(r"::error ?(.*?)::.*", command, re.DOTALL)
    assert properties
    names = [part.partition("=")[0] for part in properties[1].split(",") if part]
    assert set(names) <= {"file", "line", "endLine", "title"}
    assert len(names) == len(set(names))


def test_nine_are_shown_and_the_others_are_counted() -> None:
    nine = [Annotation("error", "", str(number)) for number in range(9)]
    assert commands(nine) == [f"::error::{number}" for number in range(9)]
    assert commands([*nine, *nine])[9:] == ["::notice::9 more in the summary"]


def test_a_long_message_is_shortened() -> None:
    assert Annotation("error", "", "x" * 5000).command() == "::error::" + "x" * 3999 + "…"

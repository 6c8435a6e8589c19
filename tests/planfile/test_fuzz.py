"""Loading any file gives plans or diagnostics that can be rendered, never an exception."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from planner.planfile.reporter import rules
from planner.reports.diagnostics import render_json

SPACED = "\n|\n  |\t|: |- |!!int |<<: *a|{% if %}|{% for x in y %}|\0|\u2028|\r|version: 2|runs: x|prompt_file: /etc/passwd|id: a"
WORDS = "{ } [ ] : \" ' | > &a *a ! # % @ , {{ }} null ~ 5 -1 1e999 .inf true \ud7ff é 😀 plan targets expect check axes include exclude"
FRAGMENTS = [*SPACED.split("|"), *WORDS.split()]
quick = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)


def survives(workspace: Any, content: bytes) -> None:
    workspace.write("plans/plan.yaml", content)
    plans, diagnostics = workspace.load("plans")
    assert bool(plans) is not diagnostics.has_errors
    for item in diagnostics:
        assert rules()[item.code].summary == item.summary
        assert item.span.file.startswith("plans/")
        assert (1, 1) <= (item.span.line, item.span.column) <= (item.span.end_line, item.span.end_column)
        assert item.detail
        assert "\n" not in item.detail
    workspace.rendered(diagnostics)
    render_json(diagnostics)


@quick
@given(st.binary(max_size=200))
def test_any_bytes(workspace: Any, content: bytes) -> None:
    """Bytes that are no plan at all."""
    survives(workspace, content)


@quick
@given(st.lists(st.sampled_from(FRAGMENTS), max_size=40).map("".join))
def test_any_yaml_like_text(workspace: Any, content: str) -> None:
    """Pieces of YAML and of plans in any order."""
    survives(workspace, content.encode())

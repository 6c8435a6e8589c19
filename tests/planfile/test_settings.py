"""Settings of a case that do not fit each other."""

from __future__ import annotations

from typing import Any


def test_nothing_is_concluded_from_a_substitute_value(workspace: Any) -> None:
    """An unreadable number of runs is one diagnostic; the one of the defaults, which takes its place, causes none."""
    plan = (
        "version: 1\nplan: p\ntargets: {support: {agent: 12}}\ndefaults: {runs: 3, min_pass_rate: 0.67}\n"
        "scenarios: {s: {prompt: Hello, runs: RUNS, expect: [{check: call, status: completed}]}}\n"
    )
    assert [code for code, _, _ in workspace.codes(plan.replace("RUNS", "three"))] == ["wrong-type"]
    assert [code for code, _, _ in workspace.codes(plan.replace("RUNS", "7"))] == []

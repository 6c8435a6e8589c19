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


def test_a_rate_means_nothing_for_a_single_run(workspace: Any) -> None:
    plan = (
        "version: 1\nplan: p\ntargets: {support: {agent: 12}}\n"
        "scenarios: {s: {prompt: Hello, runs: RUNS, min_pass_rate: 0.6, expect: [{check: call, status: completed}]}}\n"
    )
    assert workspace.codes(plan.replace("RUNS", "1")) == [("rounded-rate", 4, 56)]
    assert workspace.codes(plan.replace("RUNS", "5")) == []

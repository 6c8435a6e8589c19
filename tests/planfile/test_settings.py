"""Settings of a case: their order, and what no result could satisfy is an error before it is paid for."""

from __future__ import annotations

from typing import Any

import pytest
from inline_snapshot import snapshot

HEAD = """\
version: 1
plan: p
targets: {support: {agent: 12}}
defaults: {confidence: 0.9, min_pass_rate: 0.8, runs: 11, expect: [{check: call, status: completed}]}
scenarios:
"""


def test_confidence_is_a_scenarios_or_the_defaults(workspace: Any) -> None:
    """It reaches the case like any other setting; the least runs that could pass are enough."""
    cases = workspace.cases(HEAD + "  a: {prompt: Hi.}\n  b: {prompt: Hello., confidence: 0.5, runs: 5}\n")
    assert [(case.confidence, case.runs) for case in cases] == [(0.9, 11), (0.5, 5)]


def test_confidence_that_nothing_could_reach_is_refused(workspace: Any) -> None:
    """Too few runs, a rate of 1, a confidence that is none."""
    assert workspace.diagnostics(
        HEAD
        + """\
  few: {prompt: Hi., runs: 10}
  sure: {prompt: Hi., min_pass_rate: 1.0}
  certain: {prompt: Hi., confidence: 1}
  uncertain: {prompt: Hi., confidence: 0.4}
"""
    ) == snapshot("6:28 out-of-range, 7:38 bad-value, 8:38 out-of-range, 9:40 out-of-range")


def test_an_own_rate_that_cannot_be_shown_is_rejected(workspace: Any) -> None:
    """Critical expectations and warnings have no rate of their own; a rate of 1 needs no confidence."""
    assert workspace.diagnostics(
        HEAD
        + """\
  few: {prompt: Hi., runs: 20, expect: [{check: says, any_of: [a], min_pass_rate: 0.95}]}
  enough: {prompt: Hi., runs: 45, expect: [{check: says, any_of: [b], min_pass_rate: 0.95}]}
  all: {prompt: Hi., runs: 20, expect: [{check: says, any_of: [c], min_pass_rate: 1.0}]}
  low: {prompt: Hi., runs: 20, expect: [{check: says, any_of: [d], min_pass_rate: 0.5}]}
"""
    ) == snapshot("6:83 out-of-range")


@pytest.mark.parametrize("faulty", ["min_pass_rate: 50%", "min_pass_rate: 0.5, runs: three"])
@pytest.mark.parametrize("place", ["defaults", "scenario"])
def test_nothing_is_concluded_from_a_substitute_value(workspace: Any, faulty: str, place: str) -> None:
    """An unreadable rate or number of runs is one diagnostic; its substitute causes none."""
    settings = {"defaults": "", "scenario": "", place: f", {faulty}, confidence: 0.9"}
    plan = (
        "version: 1\nplan: p\ntargets: {support: {agent: 12}}\n"
        f"defaults: {{timeout_seconds: 60{settings['defaults']}}}\n"
        f"scenarios: {{s: {{prompt: Hello, expect: [{{check: call, status: completed}}]{settings['scenario']}}}}}\n"
    )
    assert [code for code, _, _ in workspace.codes(plan)] == ["wrong-type"]

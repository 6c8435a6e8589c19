"""What can hold on no call, or allows nothing, is a fault before anything is called."""

from __future__ import annotations

from typing import Any

import pytest
from inline_snapshot import snapshot

HEAD = "version: 1\nplan: x\ntargets: {support: {agent: 14}}\nscenarios:\n  s:\n    prompt: hi\n    expect:\n      - "

FAULTS: dict[str, tuple[str, str]] = {
    "not completed": (
        "{check: not, of: {check: call, status: completed}}",
        snapshot("""\
plan.yaml:8:9: error: expectation cannot be used [bad-expectation]
    8 |       - {check: not, of: {check: call, status: completed}}
      |         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        every call that is judged is completed, so that this holds for none: one that failed is the
        platform's fault; `platform_failures: fail` in the scenario lets such calls count against it

1 error in 1 file
"""),
    ),
    "completed, or something else": (
        "{check: any_of, of: [{check: call, status: completed}, {check: tool_called, name: f}]}",
        snapshot("""\
plan.yaml:8:9: error: expectation cannot be used [bad-expectation]
    8 |       - {check: any_of, of: [{check: call, status: completed}, {check: tool_called, name: …
      |         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        every call that is judged is completed, so that this holds whatever else does not: leave out
        the part `status: completed`, or put it beside this one

1 error in 1 file
"""),
    ),
    "a domain without @": (
        "{check: no_pii, allow: [help@acme.test, acme.test]}",
        snapshot("""\
plan.yaml:8:49: error: expectation cannot be used [bad-expectation]
    8 |       - {check: no_pii, allow: [help@acme.test, acme.test]}
      |                                                 ^^^^^^^^^
        this allows nothing: write a number, an e-mail address, or @ and a domain for all addresses
        of it

1 error in 1 file
"""),
    ),
    "a pattern of addresses": (
        "{check: no_pii, allow: ['*@acme.test']}",
        snapshot("""\
plan.yaml:8:33: error: expectation cannot be used [bad-expectation]
    8 |       - {check: no_pii, allow: ['*@acme.test']}
      |                                 ^^^^^^^^^^^^^
        this allows nothing: write a number, an e-mail address, or @ and a domain for all addresses
        of it

1 error in 1 file
"""),
    ),
    "half an address": (
        "{check: no_pii, allow: [help@]}",
        snapshot("""\
plan.yaml:8:33: error: expectation cannot be used [bad-expectation]
    8 |       - {check: no_pii, allow: [help@]}
      |                                 ^^^^^
        this allows nothing: write a number, an e-mail address, or @ and a domain for all addresses
        of it

1 error in 1 file
"""),
    ),
}


@pytest.mark.parametrize("mistake", FAULTS)
def test_what_would_decide_or_allow_nothing_is_a_fault(workspace: Any, mistake: str) -> None:
    """It is told at its place, with what to write."""
    written, told = FAULTS[mistake]
    assert workspace.faults(HEAD + written + "\n") == told


@pytest.mark.parametrize(
    "written",
    [
        "{check: call, status: completed}",
        "{check: not, of: {check: call, status: completed, end_reason: transfer}}",
        "{check: any_of, of: [{check: call, status: completed, min_turns: 4}, {check: tool_called, name: f}]}",
        "{check: all_of, of: [{check: call, status: completed}, {check: tool_called, name: f}]}",
        "{check: no_pii, allow: [help@acme.test, '@acme.test', help at acme dot test, 4242 4242 4242 4242, DE89 3704 0044 0532 0130 00]}",
        "{check: no_pii, allow: ['+49 (30) 4242 4242 424', 4242.4242.4242.4242]}",
        "{check: pacing, talk_ratio: {min: 0, max: 1}, max_silence_ms: 900}",
    ],
)
def test_what_may_decide_is_not(workspace: Any, written: str) -> None:
    """The same words, where they decide something."""
    workspace.write("plan.yaml", HEAD + written + "\n")
    assert not workspace.load()[1].items

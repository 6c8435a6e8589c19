"""Whoever does what a fault says is not told the next one, and has what was meant: each of these once misled a reader."""

from __future__ import annotations

from typing import Any

import pytest
from inline_snapshot import snapshot

HEAD = "version: 1\nplan: x\ntargets: {support: {agent: 14}}\n"
SCENARIO = "scenarios:\n  s:\n    prompt: hi\n    expect:\n"

TOLD: dict[str, tuple[str, str]] = {
    "numbers that YAML does not keep as they are written": (
        "tags: [01]\nowners: 0x1F\n" + SCENARIO + "      - {check: never_says, any_of: [12.50, 007, 1e3, .5, True]}\n"
        "      - {check: call, transferred_to: +14155550142}\n"
        "      - {check: says, any_of: 12.50, id: 0042}\n"
        "      - {check: 012}\n",
        snapshot("""\
plan.yaml:4:8: error: wrong type of value [wrong-type]
    4 | tags: [01]
      |        ^^
        this must be text, but it is the number 1; put it in quotes: "01"

plan.yaml:5:9: error: wrong type of value [wrong-type]
    5 | owners: 0x1F
      |         ^^^^
        this must be a list, but it is the number 31; write ["0x1F"]

plan.yaml:10:38: error: wrong type of value [wrong-type]
   10 |       - {check: never_says, any_of: [12.50, 007, 1e3, .5, True]}
      |                                      ^^^^^
        this must be text, but it is the number 12.5; put it in quotes: "12.50"

plan.yaml:10:45: error: wrong type of value [wrong-type]
   10 |       - {check: never_says, any_of: [12.50, 007, 1e3, .5, True]}
      |                                             ^^^
        this must be text, but it is the number 7; put it in quotes: "007"

plan.yaml:10:50: error: wrong type of value [wrong-type]
   10 |       - {check: never_says, any_of: [12.50, 007, 1e3, .5, True]}
      |                                                  ^^^
        this must be text, but it is the number 1000.0; put it in quotes: "1e3"

plan.yaml:10:55: error: wrong type of value [wrong-type]
   10 |       - {check: never_says, any_of: [12.50, 007, 1e3, .5, True]}
      |                                                       ^^
        this must be text, but it is the number 0.5; put it in quotes: ".5"

plan.yaml:10:59: error: wrong type of value [wrong-type]
   10 |       - {check: never_says, any_of: [12.50, 007, 1e3, .5, True]}
      |                                                           ^^^^
        this must be text, but it is the boolean true; put it in quotes: "True"

plan.yaml:11:39: error: wrong type of value [wrong-type]
   11 |       - {check: call, transferred_to: +14155550142}
      |                                       ^^^^^^^^^^^^
        this must be text, but it is the number 14155550142; put it in quotes: "+14155550142"

plan.yaml:12:42: error: wrong type of value [wrong-type]
   12 |       - {check: says, any_of: 12.50, id: 0042}
      |                                          ^^^^
        this must be text, but it is the number 42; put it in quotes: "0042"

plan.yaml:13:17: error: wrong type of value [wrong-type]
   13 |       - {check: 012}
      |                 ^^^
        this must be text, but it is the number 12; put it in quotes: "012"

10 errors in 1 file
"""),
    ),
}


@pytest.mark.parametrize("name", TOLD)
def test_a_cure_is_right(workspace: Any, name: str) -> None:
    """The whole of what is told about a plan."""
    plan, told = TOLD[name]
    assert workspace.faults(HEAD + plan) == told

"""One mistake is one fault, wherever it shows: at the place to mend, with the other places beside it."""

from __future__ import annotations

from typing import Any

import pytest
from inline_snapshot import snapshot

HEADER = """\
version: 1
plan: p
"""

CASCADES = {
    "an undefined name in several templates": (
        """\
targets: {support: {agent: 12}}
scenarios:
  one:
    prompt: You are {{ caler }}.
    expect: [{check: says, any_of: ["{{ caler }} yes", "{{ caler }}"]}]
  two:
    prompt: You are {{ caler }}. Ask.
    expect: [{check: says, any_of: [yes]}]
  three:
    prompt: You are {{ caler }}. Ask again.
    expect: [{check: says, any_of: [yes]}]
""",
        snapshot("""\
plan.yaml:6:24: error: template uses an undefined name [template-undefined]
    6 |     prompt: You are {{ caler }}.
      |                        ^^^^^
        `caler` is neither a variable of the plan nor an axis of `one`
        used here as well: plan.yaml:7:41
    7 |     expect: [{check: says, any_of: ["{{ caler }} yes", "{{ caler }}"]}]
      |                                         ^^^^^
        used here as well: plan.yaml:7:60
    7 |     expect: [{check: says, any_of: ["{{ caler }} yes", "{{ caler }}"]}]
      |                                                            ^^^^^
        used here as well, and in 1 more place: plan.yaml:9:24
    9 |     prompt: You are {{ caler }}. Ask.
      |                        ^^^^^

1 error in 1 file
"""),
    ),
    "an axis of another scenario": (
        """\
targets: {support: {agent: 12}}
scenarios:
  one:
    prompt: You are {{ mood }}.
    matrix: {axes: {mood: [calm, furious]}}
    expect: [{check: says, any_of: [yes]}]
  two:
    prompt: You are {{ mood }}. Ask.
    expect: [{check: says, any_of: [yes]}]
""",
        snapshot("""\
plan.yaml:10:24: error: template uses an undefined name [template-undefined]
   10 |     prompt: You are {{ mood }}. Ask.
      |                        ^^^^
        `mood` is neither a variable of the plan nor an axis of `two`; `one` has such an axis, and
        each scenario has its own

1 error in 1 file
"""),
    ),
    "a mistyped axis": (
        """\
targets: {support: {agent: 12}}
scenarios:
  one:
    prompt: You are {{ mood }}. You ask for {{ order }}.
    matrix:
      axes:
        moood: [calm, furious]
        order: [A, B]
      exclude: [{mood: calm, order: A}]
    expect: [{check: says, any_of: ["{{ mood }}"]}]
""",
        snapshot("""\
plan.yaml:9:9: error: axis is used by no template [unused-axis]
    9 |         moood: [calm, furious]
      |         ^^^^^
        no template of this scenario uses `moood`, but `mood` is used in 3 places; did you mean
        `mood`?
        used here: plan.yaml:6:24
    6 |     prompt: You are {{ mood }}. You ask for {{ order }}.
      |                        ^^^^
        used here: plan.yaml:11:18
   11 |       exclude: [{mood: calm, order: A}]
      |                  ^^^^
        used here: plan.yaml:12:41
   12 |     expect: [{check: says, any_of: ["{{ mood }}"]}]
      |                                         ^^^^

1 error in 1 file
"""),
    ),
    "a deleted axis": (
        """\
targets: {support: {agent: 12}}
scenarios:
  one:
    prompt: You are {{ mood }}. You ask for {{ order }}.
    matrix:
      axes:
        order: [A, B]
      exclude: [{mood: calm, order: A}, {mood: furious, order: B}]
    expect: [{check: says, any_of: [yes]}]
""",
        snapshot("""\
plan.yaml:6:24: error: template uses an undefined name [template-undefined]
    6 |     prompt: You are {{ mood }}. You ask for {{ order }}.
      |                        ^^^^
        `mood` is neither a variable of the plan nor an axis of `one`; known: `order`
        used here as well: plan.yaml:10:18
   10 |       exclude: [{mood: calm, order: A}, {mood: furious, order: B}]
      |                  ^^^^
        used here as well: plan.yaml:10:42
   10 |       exclude: [{mood: calm, order: A}, {mood: furious, order: B}]
      |                                          ^^^^

1 error in 1 file
"""),
    ),
    "an axis mistyped in one place": (
        """\
targets: {support: {agent: 12}}
scenarios:
  one:
    prompt: You are {{ mod }}. You ask for {{ order }}.
    matrix:
      axes: {mood: [calm, furious], order: [A, B]}
    expect: [{check: says, any_of: [yes]}]
""",
        snapshot("""\
plan.yaml:6:24: error: template uses an undefined name [template-undefined]
    6 |     prompt: You are {{ mod }}. You ask for {{ order }}.
      |                        ^^^
        `mod` is neither a variable of the plan nor an axis of `one`; did you mean `mood`?

1 error in 1 file
"""),
    ),
    "a mistyped variable": (
        """\
targets: {support: {agent: 12}}
vars: {polcy_days: 30}
defaults: {expect: [{check: says, any_of: ["{{ policy_days }}"]}]}
scenarios:
  one:
    prompt: You are one.
  two:
    prompt: You have {{ policy_days }} days.
""",
        snapshot("""\
plan.yaml:4:8: error: variable is used by no template [unused-variable]
    4 | vars: {polcy_days: 30}
      |        ^^^^^^^^^^
        no template of this plan uses `polcy_days`, but `policy_days` is used in 2 places; did you
        mean `policy_days`?
        used here: plan.yaml:5:48
    5 | defaults: {expect: [{check: says, any_of: ["{{ policy_days }}"]}]}
      |                                                ^^^^^^^^^^^
        used here: plan.yaml:10:25
   10 |     prompt: You have {{ policy_days }} days.
      |                         ^^^^^^^^^^^

1 error in 1 file
"""),
    ),
    "a mistyped target": (
        """\
targets: {suport: {agent: 12}, sales: {agent: 13}}
defaults: {expect: [{check: says, any_of: [yes]}]}
scenarios:
  one:
    targets: [support, sales]
    prompt: You are one.
  two:
    targets: [support]
    prompt: You are two.
  three:
    targets: [support]
    prompt: You are three.
""",
        snapshot("""\
plan.yaml:3:11: error: target is called by no scenario [unused-target]
    3 | targets: {suport: {agent: 12}, sales: {agent: 13}}
      |           ^^^^^^
        no scenario of this plan calls `suport`, but `support` is called in 3 places; did you mean
        `support`?
        used here: plan.yaml:7:15
    7 |     targets: [support, sales]
      |               ^^^^^^^
        used here: plan.yaml:10:15
   10 |     targets: [support]
      |               ^^^^^^^
        used here: plan.yaml:13:15
   13 |     targets: [support]
      |               ^^^^^^^

1 error in 1 file
"""),
    ),
    "a target mistyped where it is called": (
        """\
targets: {support: {agent: 12}}
defaults: {expect: [{check: says, any_of: [yes]}]}
scenarios:
  one:
    targets: [support]
    prompt: You are one.
  two:
    targets: [suport]
    prompt: You are two.
  three:
    targets: [suport]
    prompt: You are three.
""",
        snapshot("""\
plan.yaml:10:15: error: no such target [unknown-target]
   10 |     targets: [suport]
      |               ^^^^^^
        `suport` is not a target of this plan; did you mean `support`?
        called here as well: plan.yaml:13:15
   13 |     targets: [suport]
      |               ^^^^^^

1 error in 1 file
"""),
    ),
    "a deleted target": (
        """\
targets: {sales: {agent: 13}}
defaults: {expect: [{check: says, any_of: [yes]}]}
scenarios:
  one:
    targets: [support, sales]
    prompt: You are one.
  two:
    targets: [support]
    prompt: You are two.
""",
        snapshot("""\
plan.yaml:7:15: error: no such target [unknown-target]
    7 |     targets: [support, sales]
      |               ^^^^^^^
        `support` is not a target of this plan; known: `sales`
        called here as well: plan.yaml:10:15
   10 |     targets: [support]
      |               ^^^^^^^

1 error in 1 file
"""),
    ),
    "a deleted name of the only scenario": (
        """\
targets: {support: {agent: 12}}
scenarios:
    prompt: You are one.
    runs: 3
    expect: [{check: says, any_of: [yes]}]
""",
        snapshot("""\
plan.yaml:5:5: error: required key is missing [missing-key]
    5 |     prompt: You are one.
      |     ^^^^^^
        `prompt` and what follows are keys of a scenario, and no scenario's name is above; write
        one, such as `refund-window:`, and indent what belongs to it

1 error in 1 file
"""),
    ),
    "a scenario that is not indented": (
        """\
targets: {support: {agent: 12}}
scenarios:
  one:
  prompt: You are one.
  runs: 3
  expect: [{check: says, any_of: [yes]}]
""",
        snapshot("""\
plan.yaml:6:3: error: unknown key [unknown-key]
    6 |   prompt: You are one.
      |   ^^^^^^
        `prompt` is no scenario; if it belongs to `one`, which is empty, indent it more

1 error in 1 file
"""),
    ),
    "a scenario's key that slipped out of it": (
        """\
targets: {support: {agent: 12}}
vars: {days: 30}
scenarios:
  one:
    prompt: You are one.
  expect: [{check: says, any_of: ["{{ days }} days"]}]
""",
        snapshot("""\
plan.yaml:8:3: error: unknown key [unknown-key]
    8 |   expect: [{check: says, any_of: ["{{ days }} days"]}]
      |   ^^^^^^
        `expect` is no scenario; if it belongs to `one`, indent it more

1 error in 1 file
"""),
    ),
    "a deleted name between two scenarios": (
        """\
targets: {support: {agent: 12}}
scenarios:
  one:
    prompt: You are one.
    expect: [{check: says, any_of: [yes]}]
    prompt: You are two.
    runs: 3
    expect: [{check: says, any_of: [yes]}]
""",
        snapshot("""\
plan.yaml:8:5: error: key is written twice [duplicate-key]
    8 |     prompt: You are two.
      |     ^^^^^^
        `prompt` and `expect` are written twice in this mapping; look for a name or a `- ` that is
        missing above
        the first one: plan.yaml:6:5
    6 |     prompt: You are one.
      |     ^^^^^^
        written again: plan.yaml:10:5
   10 |     expect: [{check: says, any_of: [yes]}]
      |     ^^^^^^

1 error in 1 file
"""),
    ),
    "a deleted dash": (
        """\
targets: {support: {agent: 12}}
scenarios:
  one:
    prompt: You are one.
    expect:
      - check: says
        any_of: [yes]
        check: call
        status: completed
""",
        snapshot("""\
plan.yaml:10:9: error: key is written twice [duplicate-key]
   10 |         check: call
      |         ^^^^^
        `check` is written twice in this mapping; keep one, or begin another item with `- `
        the first one: plan.yaml:8:9
    8 |       - check: says
      |         ^^^^^

1 error in 1 file
"""),
    ),
    "scenarios left out": (
        """\
targets: {support: {agent: 12}}
prompt: You are one.
runs: 3
expect: [{check: says, any_of: [yes]}]
""",
        snapshot("""\
plan.yaml:4:1: error: plan has no scenario [no-scenarios]
    4 | prompt: You are one.
      | ^^^^^^
        `prompt`, `runs` and `expect` are a scenario's: write `scenarios:`, below it a name such as
        `refund-window:`, and indent these below that

1 error in 1 file
"""),
    ),
    "scenarios as a list": (
        """\
targets: {support: {agent: 12}}
scenarios:
  - name: one
    prompt: You are one.
    expect: [{check: says, any_of: [yes]}]
""",
        snapshot("""\
plan.yaml:5:3: error: wrong type of value [wrong-type]
    5 |   - name: one
      |   ^^^^^^^^^^^
        this must be a mapping of names to scenarios, but it is a list; write a name such as
        `refund-window:` in the place of each dash

1 error in 1 file
"""),
    ),
    "a missing import": (
        """\
imports: [lib/voice.yaml]
targets: {support: {agent: 12}}
vars: {days: 30}
defaults: {expect: [{use: polite}]}
scenarios:
  one:
    prompt: You are {{ anyone }}. You have {{ day }} days.
    runs: none
  two:
    targets: [suport, sales]
    prompt: You are two.
""",
        snapshot("""\
plan.yaml:3:11: error: file does not exist [file-missing]
    3 | imports: [lib/voice.yaml]
      |           ^^^^^^^^^^^^^^
        there is no file lib/voice.yaml

plan.yaml:9:47: error: template uses an undefined name [template-undefined]
    9 |     prompt: You are {{ anyone }}. You have {{ day }} days.
      |                                               ^^^
        `day` is neither a variable of the plan nor an axis of `one`; did you mean `days`?

plan.yaml:10:11: error: wrong type of value [wrong-type]
   10 |     runs: none
      |           ^^^^
        this must be a whole number, but it is the text "none"

plan.yaml:12:15: error: no such target [unknown-target]
   12 |     targets: [suport, sales]
      |               ^^^^^^
        `suport` is not a target of this plan; did you mean `support`?

4 errors in 1 file
"""),
    ),
}


@pytest.mark.parametrize("mistake", CASCADES)
def test_one_mistake_is_one_fault(mistake: str, workspace: Any) -> None:
    """Each of these plans has one mistake; the last has four."""
    text, said = CASCADES[mistake]
    assert workspace.faults(HEADER + text) == said


def test_scenarios_may_have_the_names_of_keys(workspace: Any) -> None:
    """Only what cannot be a scenario is taken for a part of one."""
    text = HEADER + "targets: {support: {agent: 12}}\ndefaults: {expect: [{check: says, any_of: [yes]}]}\nscenarios:\n"
    assert workspace.faults(text + "  runs: {prompt: Ask.}\n  prompt: {prompt: Ask.}\n  tags: {prompt: Ask.}\n") == ""


def test_a_name_that_only_a_library_uses_is_told_there(workspace: Any) -> None:
    """With a place in the plan as well, it is the plan's, and the library's place stands beside it."""
    workspace.write(
        "lib/voice.yaml",
        'version: 1\nkind: library\nexpectations:\n  days: {check: says, any_of: ["{{ policy_days }} days"]}\n',
    )
    head = HEADER + "imports: [lib/voice.yaml]\ntargets: {support: {agent: 12}}\n"
    scenario = "scenarios:\n  one:\n    prompt: Ask.\n    expect: [{use: days}]\n"
    assert workspace.faults(head + scenario) == snapshot("""\
lib/voice.yaml:4:36: error: template uses an undefined name [template-undefined]
    4 |   days: {check: says, any_of: ["{{ policy_days }} days"]}
      |                                    ^^^^^^^^^^^
        `policy_days` is neither a variable of the plan nor an axis of `one`
        used here: plan.yaml:8:14
    8 |     expect: [{use: days}]
      |              ^^^^^^^^^^^

1 error in 1 file
""")
    assert workspace.faults(head + scenario.replace("Ask.", "You have {{ policy_days }}.")) == snapshot("""\
plan.yaml:7:25: error: template uses an undefined name [template-undefined]
    7 |     prompt: You have {{ policy_days }}.
      |                         ^^^^^^^^^^^
        `policy_days` is neither a variable of the plan nor an axis of `one`
        used here as well: lib/voice.yaml:4:36
    4 |   days: {check: says, any_of: ["{{ policy_days }} days"]}
      |                                    ^^^^^^^^^^^

1 error in 1 file
""")
    assert workspace.faults(
        head + "vars: {policy_day: 3}\n" + scenario.replace("Ask.", "You have {{ policy_days }}.")
    ) == snapshot("""\
plan.yaml:5:8: error: variable is used by no template [unused-variable]
    5 | vars: {policy_day: 3}
      |        ^^^^^^^^^^
        no template of this plan uses `policy_day`, but `policy_days` is used in 2 places; did you
        mean `policy_days`?
        used here: lib/voice.yaml:4:36
    4 |   days: {check: says, any_of: ["{{ policy_days }} days"]}
      |                                    ^^^^^^^^^^^
        used here: plan.yaml:8:25
    8 |     prompt: You have {{ policy_days }}.
      |                         ^^^^^^^^^^^

1 error in 1 file
""")


@pytest.mark.parametrize(
    "scenarios",
    [
        "".join(f"  s{n}: {{prompt: 'You are {{{{ name{n} }}}}.'}}\n" for n in range(1_100)),
        "".join(f"  s{n}: {{prompt: Ask., targets: [other-{n}]}}\n" for n in range(1_100)),
        "  s:\n    prompt: 'You are {{ a }}.'\n    matrix: {axes: {a: [1]}, exclude: ["
        + ", ".join(f"{{b{n}: 1}}" for n in range(1_100))
        + "]}\n",
    ],
    ids=["names", "targets", "axes"],
)
def test_more_names_than_are_shown_are_left(scenarios: str, workspace: Any) -> None:
    """A file of nothing but undefined names is left after a thousand, as any other."""
    head = HEADER + "targets: {support: {agent: 12}}\ndefaults: {expect: [{check: says, any_of: [yes]}]}\nscenarios:\n"
    codes = [code for code, *_ in workspace.codes(head + scenarios)]
    assert (len(codes), codes[0]) == (1_001, "more-faults")

"""All faults of one template that can be told apart are told at once."""

from __future__ import annotations

from typing import Any

from inline_snapshot import snapshot

HEAD = """\
version: 1
plan: p
targets: {support: {agent: 12}}
"""


def test_tags_that_are_wrong_by_themselves(workspace: Any) -> None:
    """Each tag is told at its place, whatever is wrong with the others."""
    workspace.write(
        "plan.yaml",
        HEAD
        + """\
scenarios:
  one:
    prompt: |
      You are {{ caller name }}. {{ "Ana }}
      Ask {{ order | uper }}. {% elif a b %}
      {% if a = b %}{% set c = %}{% endif %}
      {% for a b in c %}{% endfor %}
      {% include 'x' %}{% unless a %}{{ a ** 3 }}
    expect: [{check: says, any_of: ["{{ a b }} {{ c | lowr }}"]}]
""",
    )
    found = [(item.span.line, item.span.column, item.code, item.detail) for item in workspace.load()[1]]
    assert found == snapshot(
        [
            (
                7,
                15,
                "template-syntax",
                "`name` cannot follow here: a name has no spaces, text is in quotes, ~ joins two values and | applies a filter",
            ),
            (7, 34, "template-syntax", "a quote is not closed in this tag"),
            (8, 22, "template-syntax", "there is no filter `uper`; did you mean `upper`?"),
            (
                8,
                31,
                "template-syntax",
                "`b` cannot follow here: a name has no spaces, text is in quotes, ~ joins two values and | applies a filter",
            ),
            (9, 7, "template-syntax", "`=` cannot stand here; == compares"),
            (9, 21, "template-syntax", "something is missing before the end of this tag"),
            (10, 7, "template-syntax", "`in` is missing before `b`"),
            (
                11,
                10,
                "template-forbidden",
                "include cannot be used in a plan's templates: they have names, filters, if, for and set",
            ),
            (
                11,
                38,
                "template-forbidden",
                "** cannot be used in a plan's templates: they have names, filters, if, for and set",
            ),
            (
                12,
                38,
                "template-syntax",
                "`b` cannot follow here: a name has no spaces, text is in quotes, ~ joins two values and | applies a filter",
            ),
            (12, 55, "template-syntax", "there is no filter `lowr`; did you mean `lower`?"),
        ]
    )


def test_what_is_no_tag_by_itself_is_not_looked_at(workspace: Any) -> None:
    """A block that is not closed, one that closes nothing, what stands in a comment or is shown as it is."""
    for prompt, codes in (
        ("{% if a %} {{ a }}", ["template-syntax"]),
        ("{{ a }} {% endif %}", ["template-syntax"]),
        ("{# {{ b c }} #} {{ a b }}", ["template-syntax"]),
        ("{% raw %}{{ b c }}{% endraw %} {{ a b }}", ["template-syntax"]),
        ("{{ a b }} {% if x %} {{ b }} {% endif %}", ["template-syntax"]),
        ("{{ a b }} {{ c d }}", ["template-syntax", "template-syntax"]),
    ):
        named = f"{HEAD}vars: {{a: 1, b: 2}}\n"
        text = f"{named}scenarios:\n  one:\n    prompt: '{prompt}'\n    expect: [{{check: says, any_of: [yes]}}]\n"
        assert [code for code, *_ in workspace.codes(text)] == codes, prompt


def test_so_many_tags_are_looked_at_in_one_plan(workspace: Any) -> None:
    """Each is compiled by itself, which takes time: of six texts with a hundred faults each, five hundred further ones are told."""
    tags = "{{ a b }}" * 100
    expected = ", ".join(f"{{check: says, any_of: ['{number} {tags}']}}" for number in range(6))
    plan = f"{HEAD}scenarios:\n  one:\n    prompt: Ask.\n    expect: [{expected}]\n"
    workspace.write("plan.yaml", plan)
    workspace.write("other.yaml", plan.replace("plan: p", "plan: q").replace("a b", "c d"))
    found = [item.span.file for item in workspace.load("plan.yaml", "other.yaml")[1]]
    assert (found.count("plan.yaml"), found.count("other.yaml")) == (506, 506)


def test_a_tag_that_is_wrong_hides_no_undefined_name(workspace: Any) -> None:
    """Names in the tags beside it are told, but for those that a block may define, and axes that they use are used."""
    plan = (
        HEAD
        + """\
vars: {policy_days: 30}
scenarios:
  one:
    prompt: |
      You are {{ nmae }}, {{ policy_days + }} and {{ moood | lower }}.
      {% for order in [1, 2] %}{{ order }} {{ caller }}{% endfor %} {{ policy_dais }}
    matrix:
      axes: {mood: [calm, furious], caller: [Ana]}
    expect: [{check: call, status: completed}]
"""
    )
    assert workspace.faults(plan) == snapshot("""\
plan.yaml:8:18: error: template uses an undefined name [template-undefined]
    8 |       You are {{ nmae }}, {{ policy_days + }} and {{ moood | lower }}.
      |                  ^^^^
        `nmae` is neither a variable of the plan nor an axis of `one`; known: `caller`, `mood`,
        `policy_days`

plan.yaml:8:27: error: template is not valid [template-syntax]
    8 |       You are {{ nmae }}, {{ policy_days + }} and {{ moood | lower }}.
      |                           ^^^^^^^^^^^^^^^^^^^
        something is missing before the end of this tag

plan.yaml:8:54: error: template uses an undefined name [template-undefined]
    8 |       You are {{ nmae }}, {{ policy_days + }} and {{ moood | lower }}.
      |                                                      ^^^^^
        `moood` is neither a variable of the plan nor an axis of `one`; did you mean `mood`?

plan.yaml:9:72: error: template uses an undefined name [template-undefined]
    9 |       {% for order in [1, 2] %}{{ order }} {{ caller }}{% endfor %} {{ policy_dais }}
      |                                                                        ^^^^^^^^^^^
        `policy_dais` is neither a variable of the plan nor an axis of `one`; did you mean
        `policy_days`?

4 errors in 1 file
""")


FOLDED = """\
scenarios:
  unclosed:
    prompt: >-
      Hello {{ x }},
      you {{ x } and
      more.
  divided:
    prompt: >-
      Hello {{ x }}, {{ 1 }}
      you {{ 1 //
      (x - 3) }} and
      more.
  gone-through:
    prompt: "{% for a in x %}b{% endfor %}"
  unpacked:
    prompt: "{% for a, b in [x] %}b{% endfor %}"
  counted:
    prompt: "{{ x | length }}"
  compared:
    prompt: "{{ x < 'a' }}"
  sign:
    prompt: "{{ x }} and {{ x? }}"
"""


def test_faults_are_told_in_words_and_on_their_line(workspace: Any) -> None:
    """Not in Python's, and where a text is folded, not at its beginning."""
    head = "version: 1\nplan: p\ntargets: {support: {agent: 12}}\nvars: {x: 3}\ndefaults: {expect: [{check: call, status: completed}]}\n"
    assert workspace.faults(head + FOLDED) == snapshot("""\
plan.yaml:10:11: error: template is not valid [template-syntax]
   10 |       you {{ x } and
      |           ^^^^^^^^^^
        a tag is not closed: }} or %} is missing

plan.yaml:15:11: error: template cannot be rendered [template-failed]
   15 |       you {{ 1 //
      |           ^^^^^^^
        this divides by zero

plan.yaml:19:14: error: template cannot be rendered [template-failed]
   19 |     prompt: "{% for a in x %}b{% endfor %}"
      |              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        a number is no list, so there is nothing to go through one by one

plan.yaml:21:14: error: template cannot be rendered [template-failed]
   21 |     prompt: "{% for a, b in [x] %}b{% endfor %}"
      |              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        there are other names here than values to give them: one name for each

plan.yaml:23:14: error: template cannot be rendered [template-failed]
   23 |     prompt: "{{ x | length }}"
      |              ^^^^^^^^^^^^^^^^
        a number has no length

plan.yaml:25:14: error: template cannot be rendered [template-failed]
   25 |     prompt: "{{ x < 'a' }}"
      |              ^^^^^^^^^^^^^
        `<` cannot compare a number with a text

plan.yaml:27:26: error: template is not valid [template-syntax]
   27 |     prompt: "{{ x }} and {{ x? }}"
      |                          ^^^^^^^^
        `?` means nothing in a tag; write 'this' if … else 'that'

7 errors in 1 file
""")


def test_work_of_a_whole_plan_is_told_once(workspace: Any) -> None:
    """Where it is used up, with how much there is and which template takes most of it: the rest is no more to blame."""
    loops = "{% for i in range(900) %}{% for j in range(10) %}x{% endfor %}{% endfor %}"
    scenarios = "".join(
        f"  s{number}: {{prompt: '{loops}{number}', expect: [{{check: says, any_of: ['{{% if 1 %}}a{{% endif %}}']}}]}}\n"
        for number in range(160)
    )
    told = workspace.faults(HEAD + "scenarios:\n" + scenarios)
    assert [line for line in told.splitlines() if "error" in line] == snapshot(
        ["plan.yaml:151:18: error: template does too much work [template-too-costly]", "1 error in 1 file"]
    )
    assert " ".join(told.split()).count("together do more than 10,000,000 steps of work") == 1
    assert "the dearest takes 68,070 for one case" in " ".join(told.split())

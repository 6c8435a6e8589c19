"""What is no YAML, or another YAML than was meant: the cure is told, at the line that needs it."""

from __future__ import annotations

from typing import Any

import pytest
from inline_snapshot import snapshot

SCENARIO = "scenarios:\n  s:\n    prompt: Hello.\n    expect:\n"

CURES = {
    "a regular expression in double quotes": (
        '      - {check: says, matches: "\\d+ days"}',
        snapshot("""\
plan.yaml:9:33: error: not valid YAML [yaml-syntax]
    9 |       - {check: says, matches: "\\d+ days"}
      |                                 ^
        `\\d` means nothing in double quotes; if this is a regular expression, put it in single
        quotes, or write \\\\d

1 error in 1 file
"""),
    ),
    "another one, whose escape YAML knows": (
        '      - {check: says, matches: "\\\\. \\bdays\\b"}',
        snapshot("""\
plan.yaml:9:32: error: control character in the file [control-character]
    9 |       - {check: says, matches: "\\\\. \\bdays\\b"}
      |                                ^^^^^^^^^^^^^^
        `\\b` in double quotes is a control character; if this is a regular expression, put it in
        single quotes, or write \\\\b

1 error in 1 file
"""),
    ),
    "a control character that is meant": (
        '      - {check: says, any_of: ["\\u0007"]}',
        snapshot("""\
plan.yaml:9:32: error: expectation cannot be used [bad-expectation]
    9 |       - {check: says, any_of: ["\\u0007"]}
      |                                ^^^^^^^^
        a phrase needs a letter, a digit or a sign such as % or $: nothing else is looked for

plan.yaml:9:32: error: control character in the file [control-character]
    9 |       - {check: says, any_of: ["\\u0007"]}
      |                                ^^^^^^^^
        this text holds a control character, written as an escape; remove it

2 errors in 1 file
"""),
    ),
    "a class without quotes": (
        "      - {check: says, matches: [a-z]+}",
        snapshot("""\
plan.yaml:9:37: error: not valid YAML [yaml-syntax]
    9 |       - {check: says, matches: [a-z]+}
      |                                     ^
        text cannot go on after a closing bracket: put all of it in quotes, such as '[a-z]+'

1 error in 1 file
"""),
    ),
    "a class without quotes, on a line of its own": (
        "      - check: says\n        matches: [0-9]{2} days",
        snapshot("""\
plan.yaml:10:23: error: not valid YAML [yaml-syntax]
   10 |         matches: [0-9]{2} days
      |                       ^
        text cannot go on after a closing bracket: put all of it in quotes, such as '[0-9]{2} days'
        the mapping began here: plan.yaml:9:9
    9 |       - check: says
      |         ^

1 error in 1 file
"""),
    ),
    "a comma without quotes": (
        "      - {check: says, matches: ^Hello, any_of$}",
        snapshot("""\
plan.yaml:9:40: error: unknown key [unknown-key]
    9 |       - {check: says, matches: ^Hello, any_of$}
      |                                        ^^^^^^^
        `any_of$` is not a key here; a text with a comma is in quotes: matches: '^Hello, any_of$'

1 error in 1 file
"""),
    ),
    "a comma without quotes, with an apostrophe": (
        "      - {check: says, matches: don't, can't}",
        snapshot("""\
plan.yaml:9:39: error: unknown key [unknown-key]
    9 |       - {check: says, matches: don't, can't}
      |                                       ^^^^^
        `can't` is not a key here; a text with a comma is in quotes: matches: "don't, can't"

1 error in 1 file
"""),
    ),
    "a key that is further out than its list": (
        "      - check: says\n        any_of: [a]\n      severity: warning",
        snapshot("""\
plan.yaml:11:7: error: not valid YAML [yaml-syntax]
   11 |       severity: warning
      |       ^
        this does not continue the list above: its items begin with `- ` in one column, and keys of
        an item below its first key
        the list began here: plan.yaml:9:7
    9 |       - check: says
      |       ^

1 error in 1 file
"""),
    ),
    "a key that is not below the first": (
        "      - check: says\n       any_of: [a]",
        snapshot("""\
plan.yaml:10:8: error: not valid YAML [yaml-syntax]
   10 |        any_of: [a]
      |        ^
        this does not continue the list above: its items begin with `- ` in one column, and keys of
        an item below its first key
        the list began here: plan.yaml:9:7
    9 |       - check: says
      |       ^

1 error in 1 file
"""),
    ),
    "no-break spaces": (
        "\xa0\xa0    - {check: says, any_of: [a]}",
        snapshot("""\
plan.yaml:9:1: error: not valid YAML [yaml-syntax]
    9 | ��    - {check: says, any_of: [a]}
      | ^^
        this line is indented with a no-break space (U+00A0), which is no indentation to YAML; write
        spaces in its place

1 error in 1 file
"""),
    ),
    "no-break spaces before a key": (
        "      - check: says\n\xa0   any_of: [a]",
        snapshot("""\
plan.yaml:10:1: error: not valid YAML [yaml-syntax]
   10 | �   any_of: [a]
      | ^
        this line is indented with a no-break space (U+00A0), which is no indentation to YAML; write
        spaces in its place

1 error in 1 file
"""),
    ),
    "no space after a colon": (
        "      - {check: says, any_of: [a]}\n    runs:3\n    retries: 1",
        snapshot("""\
plan.yaml:10:5: error: not valid YAML [yaml-syntax]
   10 |     runs:3
      |     ^
        a space follows the colon: write `runs: 3`

1 error in 1 file
"""),
    ),
    "a text that is not indented": (
        "      - {check: says, any_of: [a]}\n    description: |\n    Whoever calls\n    runs: 3",
        snapshot("""\
plan.yaml:11:5: error: not valid YAML [yaml-syntax]
   11 |     Whoever calls
      |     ^
        a text below | or > is indented more than its key: indent this, and all of it

1 error in 1 file
"""),
    ),
    "a colon in a text between braces": (
        "      - {check: judge, rubric: The agent stays polite: always.}",
        snapshot("""\
plan.yaml:9:54: error: not valid YAML [yaml-syntax]
    9 |       - {check: judge, rubric: The agent stays polite: always.}
      |                                                      ^
        a comma or a `}` is missing before `polite`; or this is a text with a colon: put all of it
        in quotes

1 error in 1 file
"""),
    ),
    "a comma that is missing": (
        "      - {check: says, id: polite any_of: [order]}",
        snapshot("""\
plan.yaml:9:40: error: not valid YAML [yaml-syntax]
    9 |       - {check: says, id: polite any_of: [order]}
      |                                        ^
        a comma or a `}` is missing before `any_of`; or this is a text with a colon: put all of it
        in quotes

1 error in 1 file
"""),
    ),
    "a path with brackets": (
        "      - {check: field, path: $.items[*].quantity, min: 1}",
        snapshot("""\
plan.yaml:9:39: error: not valid YAML [yaml-syntax]
    9 |       - {check: field, path: $.items[*].quantity, min: 1}
      |                                       ^
        an unquoted `*` begins an alias here; put all of the text in quotes

1 error in 1 file
"""),
    ),
    "no space after a colon between braces": (
        "      - {check: says, any_of:[order]}",
        snapshot("""\
plan.yaml:9:29: error: not valid YAML [yaml-syntax]
    9 |       - {check: says, any_of:[order]}
      |                             ^
        a space follows the colon: write `any_of: […`

1 error in 1 file
"""),
    ),
    "a template within a text": (
        "      - {check: says, any_of: [order {{ number }}]}",
        snapshot("""\
plan.yaml:9:38: error: not valid YAML [yaml-syntax]
    9 |       - {check: says, any_of: [order {{ number }}]}
      |                                      ^
        YAML reads these braces as mappings: a text with a template in it is in quotes, all of it

1 error in 1 file
"""),
    ),
    "a star": (
        "      - {check: says, matches: * days}",
        snapshot("""\
plan.yaml:9:33: error: not valid YAML [yaml-syntax]
    9 |       - {check: says, matches: * days}
      |                                 ^
        an unquoted `*` begins an alias here; put all of the text in quotes

1 error in 1 file
"""),
    ),
    "marks of a merge conflict": (
        "<<<<<<< HEAD\n      - {check: says, any_of: [a]}\n=======\n      - {check: says, any_of: [b]}\n>>>>>>> main",
        snapshot("""\
plan.yaml:9:1: error: not valid YAML [yaml-syntax]
    9 | <<<<<<< HEAD
      | ^
        this is the mark of a merge conflict; keep what is right of the two versions, and remove the
        marks

1 error in 1 file
"""),
    ),
}


@pytest.mark.parametrize("name", CURES)
def test_the_cure_is_told_where_it_is_needed(workspace: Any, head: str, name: str) -> None:
    """One fault, not what follows from it."""
    written, said = CURES[name]
    assert workspace.faults(f"{head}{SCENARIO}{written}\n") == said


@pytest.mark.parametrize("written", [r"'\d+ days'", r'"\\d+ days"', r"'\bdays\b'", "'[a-z]+'", "'^Hello, any_of$'"])
def test_the_cures_are_plans(workspace: Any, head: str, written: str) -> None:
    """What a fault says to write is read without another one."""
    assert workspace.codes(f"{head}{SCENARIO}      - {{check: says, matches: {written}}}\n") == []


def test_spaces_of_another_kind_within_a_text_are_text(workspace: Any, head: str) -> None:
    """They begin lines of a prompt as any character does."""
    prompt = "scenarios:\n  s:\n    prompt: |\n      Hello.\n      \u00a0\u00a0indented: so\n"
    assert workspace.case(head + prompt).prompt == "Hello.\n\u00a0\u00a0indented: so\n"


LIBRARY = "expectations:\n  polite: {check: says, any_of: [thanks]}\naxes:\n  mood: [calm, furious]\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "version: 1\n" + LIBRARY,
            snapshot("""\
plan.yaml:2:1: error: required key is missing [missing-key]
    2 | expectations:
      | ^^^^^^^^^^^^
        only a library has `expectations`: write kind: library below its version; or this is a plan,
        and lacks `plan` and `scenarios`

1 error in 1 file
"""),
        ),
        (
            "version: 1\nkind: lib\n" + LIBRARY,
            snapshot("""\
plan.yaml:2:7: error: value is not one of the choices [not-a-choice]
    2 | kind: lib
      |       ^^^
        `kind` is `library`, and is left out in a plan; write kind: library

1 error in 1 file
"""),
        ),
        (
            "version: 1\nkind: pln\nplan: p\n",
            snapshot("""\
plan.yaml:1:1: error: required key is missing [missing-key]
    1 | version: 1
      | ^^^^^^^
        `targets` is required: what to call, such as targets: {support: {agent: 12}}

plan.yaml:1:1: error: plan has no scenario [no-scenarios]
    1 | version: 1
      | ^^^^^^^
        `scenarios` is required: what callers do, and what is expected

plan.yaml:2:7: error: value is not one of the choices [not-a-choice]
    2 | kind: pln
      |       ^^^
        `kind` is `library`, and is left out in a plan; remove it

3 errors in 1 file
"""),
        ),
    ],
    ids=["none", "shortened", "a plan"],
)
def test_a_library_that_does_not_say_so(workspace: Any, text: str, said: str) -> None:
    """Is told so once, and read as one; where it may be a plan, that is said."""
    assert workspace.faults(text) == said


WRONG = """\
version: 1
plan: größe ö
targets: {support: {agent: 14}}
scenarios:
  s:
    prompt: Hello.
    max_age: 0d
    matrix: {axes: {a: [1]}, include: x, exclude: y}
    expect: [{check: says, any_of: [it is: so]}]
  t:
    prompt: Hello.
    expect: says
"""
RIGHT = """\
version: 1
plan: grosse-o
targets: {support: {agent: 14}}
scenarios:
  s:
    prompt: Hello, {{ mood }} {{ order }}.
    max_age: 1h
    matrix: {axes: {mood: [calm, furious], order: [A-17, A-18]}, exclude: [{mood: calm, order: A-17}]}
    expect: [{check: says, any_of: ["it is: so"]}]
  t:
    prompt: Hello.
    expect: [{check: call, status: completed}]
"""


def test_a_cure_leads_to_no_other_fault(workspace: Any) -> None:
    """What is shown in a fault can be written as it is."""
    assert workspace.faults(WRONG) == snapshot("""\
plan.yaml:2:7: error: name is not a slug [not-a-slug]
    2 | plan: größe ö
      |       ^^^^^^^
        "größe ö" is not a slug: lower-case letters, digits, - and _; write `grosse-o`

plan.yaml:7:14: error: value cannot be used [bad-value]
    7 |     max_age: 0d
      |              ^^
        this must be a number and h, d or w, such as 14d for fourteen days, but it is the text "0d";
        write 1h at least, or leave it out: without it results do not age

plan.yaml:8:39: error: wrong type of value [wrong-type]
    8 |     matrix: {axes: {a: [1]}, include: x, exclude: y}
      |                                       ^
        this must be a list, such as [{mood: calm, order: A-17}], but it is the text "x"

plan.yaml:8:51: error: wrong type of value [wrong-type]
    8 |     matrix: {axes: {a: [1]}, include: x, exclude: y}
      |                                                   ^
        this must be a list, such as [{mood: calm, order: A-17}], but it is the text "y"

plan.yaml:9:37: error: wrong type of value [wrong-type]
    9 |     expect: [{check: says, any_of: [it is: so]}]
      |                                     ^^^^^^^^^
        this must be text, but it is a mapping; a text with a colon is in quotes: "it is: so"

plan.yaml:12:13: error: wrong type of value [wrong-type]
   12 |     expect: says
      |             ^^^^
        this must be a list, such as [{check: call, status: completed}], but it is the text "says"

6 errors in 1 file
""")
    assert workspace.faults(RIGHT) == ""

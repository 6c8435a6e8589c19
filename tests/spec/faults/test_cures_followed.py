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
    "what is said of no call that is judged": (
        SCENARIO + "      - {check: call, status: failed}\n"
        "      - {check: not, of: {check: call, status: failed}}\n"
        "      - {check: expression, cel: \"call.status != 'failed'\"}\n",
        snapshot("""\
plan.yaml:8:31: error: expectation cannot be used [bad-expectation]
    8 |       - {check: call, status: failed}
      |                               ^^^^^^
        a call that failed is the platform's fault and is not judged, so that this holds for no
        call; `platform_failures: fail` in the scenario lets such calls count against it

plan.yaml:9:48: error: expectation cannot be used [bad-expectation]
    9 |       - {check: not, of: {check: call, status: failed}}
      |                                                ^^^^^^
        a call that failed is the platform's fault and is not judged, so that this holds for no
        call; `platform_failures: fail` in the scenario lets such calls count against it

plan.yaml:10:34: warning: word is nearly a known one [near-miss]
   10 |       - {check: expression, cel: "call.status != 'failed'"}
      |                                  ^^^^^^^^^^^^^^^^^^^^^^^^^
        a call that failed is the platform's fault and is not judged: none that is judged has this
        status

2 errors and 1 warning in 1 file
"""),
    ),
    "words that an expression denies and the service never says": (
        SCENARIO
        + "      - {check: expression, cel: \"!turns.exists(t, t.role == 'bot' && t.text.contains('order'))\"}\n"
        "      - {check: expression, cel: \"call.status != 'complete'\"}\n"
        "      - {check: expression, cel: \"'agent_hangup' != call.end_reason && call.end_reason != 'ai_hangup'\"}\n"
        "      - {check: expression, cel: \"!(call.end_reason in ['timeout', 'timed_out']) || grade.score > 80.0\"}\n"
        "      - {check: expression, cel: \"turns.exists(t, t.role in ['agent', 'supervisor'])\"}\n"
        "      - {check: expression, cel: \"grade.outcome != 'sucess' && call.status != 'no_answer' && grade.score > 0.8\"}\n",
        snapshot("""\
plan.yaml:8:34: warning: word is nearly a known one [near-miss]
    8 | …   - {check: expression, cel: "!turns.exists(t, t.role == 'bot' && t.text.contains('order'…
      |                                ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        no turn has the role "bot"; did you mean `caller`?

plan.yaml:9:34: warning: word is nearly a known one [near-miss]
    9 |       - {check: expression, cel: "call.status != 'complete'"}
      |                                  ^^^^^^^^^^^^^^^^^^^^^^^^^^^
        no call is known to have the status "complete"; did you mean `completed`?

plan.yaml:10:34: warning: word is nearly a known one [near-miss]
   10 | …   - {check: expression, cel: "'agent_hangup' != call.end_reason && call.end_reason != 'ai…
      |                                ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        no call is known to have the end reason "agent_hangup"; did you mean `agent_end`?

plan.yaml:10:34: warning: word is nearly a known one [near-miss]
   10 | …   - {check: expression, cel: "'agent_hangup' != call.end_reason && call.end_reason != 'ai…
      |                                ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        no call is known to have the end reason "ai_hangup"; did you mean `agent_end`?

plan.yaml:11:34: warning: word is nearly a known one [near-miss]
   11 | …   - {check: expression, cel: "!(call.end_reason in ['timeout', 'timed_out']) || grade.sco…
      |                                ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        a score runs from 0 to 1; for 80.0 of 100 write 0.8

plan.yaml:11:34: warning: word is nearly a known one [near-miss]
   11 | …   - {check: expression, cel: "!(call.end_reason in ['timeout', 'timed_out']) || grade.sco…
      |                                ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        no call is known to have the end reason "timed_out"; did you mean `timeout`?

plan.yaml:12:34: warning: word is nearly a known one [near-miss]
   12 |       - {check: expression, cel: "turns.exists(t, t.role in ['agent', 'supervisor'])"}
      |                                  ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        no turn has the role "supervisor"; known: `agent`, `caller`, `tool`

plan.yaml:13:34: warning: word is nearly a known one [near-miss]
   13 | …   - {check: expression, cel: "grade.outcome != 'sucess' && call.status != 'no_answer' && …
      |                                ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        no grade is known to have the outcome "sucess"; did you mean `success`?

8 warnings in 1 file
"""),
    ),
    "words that the service may well say": (
        SCENARIO + "      - {check: expression, cel: \"call.document.role == 'bot' || call.status == 'no_answer'\"}\n"
        "      - {check: expression, cel: \"turns.exists(t, t.role == 'tool') && grade.score <= 1.0\"}\n",
        snapshot(""),
    ),
    "a key whose plural it is": (
        "scenarios:\n  s:\n    prompt: hi\n    target: support\n    tag: a\n    expect: [{check: says, any_of: [a]}]\n",
        snapshot("""\
plan.yaml:7:5: error: unknown key [unknown-key]
    7 |     target: support
      |     ^^^^^^
        `target` is not a key here; did you mean `targets`?

plan.yaml:8:5: error: unknown key [unknown-key]
    8 |     tag: a
      |     ^^^
        `tag` is not a key here; did you mean `tags`?

2 errors in 1 file
"""),
    ),
    "what another template language writes, each told at its own tag": (
        (
            "vars: {a: 1}\n"
            "defaults: {expect: [{check: says, any_of: [a]}]}\n"
            "scenarios:\n"
            '  s: {prompt: "{% if a == 1 %}a{% else if a == 2 %}b{% endif %}"}\n'
            '  t: {prompt: "{% if a == 1 %}a{% end %}"}\n'
            '  u: {prompt: "{% if a == 1 && a == 2 %}a{% endif %} {{ a == 1 ? 1 : 2 }} {{ a || 1 }}"}\n'
            '  v: {prompt: "{{ a }} {{ a? }} {% if a %}{% elseif !a %}{% endif %}"}\n'
        ),
        snapshot("""\
plan.yaml:7:32: error: template is not valid [template-syntax]
    7 |   s: {prompt: "{% if a == 1 %}a{% else if a == 2 %}b{% endif %}"}
      |                                ^^^^^^^^^^^^^^^^^^^^
        `else if` is one word here: write {% elif … %}

plan.yaml:8:32: error: template is not valid [template-syntax]
    8 |   t: {prompt: "{% if a == 1 %}a{% end %}"}
      |                                ^^^^^^^^^
        `end` closes nothing here; write {% endif %}

plan.yaml:9:16: error: template is not valid [template-syntax]
    9 |   u: {prompt: "{% if a == 1 && a == 2 %}a{% endif %} {{ a == 1 ? 1 : 2 }} {{ a || 1 }}"}
      |                ^^^^^^^^^^^^^^^^^^^^^^^^^
        `&` means nothing in a tag; write `and`

plan.yaml:9:54: error: template is not valid [template-syntax]
    9 |   u: {prompt: "{% if a == 1 && a == 2 %}a{% endif %} {{ a == 1 ? 1 : 2 }} {{ a || 1 }}"}
      |                                                      ^^^^^^^^^^^^^^^^^^^^
        `?` means nothing in a tag; write 'this' if … else 'that'

plan.yaml:9:75: error: template is not valid [template-syntax]
    9 |   u: {prompt: "{% if a == 1 && a == 2 %}a{% endif %} {{ a == 1 ? 1 : 2 }} {{ a || 1 }}"}
      |                                                                           ^^^^^^^^^^^^
        `||` means nothing in a tag; write `or`

plan.yaml:10:24: error: template is not valid [template-syntax]
   10 |   v: {prompt: "{{ a }} {{ a? }} {% if a %}{% elseif !a %}{% endif %}"}
      |                        ^^^^^^^^
        `?` means nothing in a tag; write 'this' if … else 'that'

6 errors in 1 file
"""),
    ),
    "a name that is known in a loop only": (
        (
            "vars: {l: [1, 2]}\n"
            "defaults: {expect: [{check: says, any_of: [a]}]}\n"
            "scenarios:\n"
            '  s: {prompt: "{% for x in l %}{{ x }}{% endfor %} and {{ x }}"}\n'
            '  t: {prompt: "{% for y in l if y > 1 %}{{ y }}{% else %}{{ y }}{% endfor %}"}\n'
            '  u: {prompt: "{% for z in l if z.z == z %}{% for z in l %}{{ z }}{% endfor %}{% endfor %}{% for q in z %}{% endfor %}"}\n'
            '  v: {prompt: "{{ w }}{% for w in l %}{{ w }}{% endfor %}"}\n'
        ),
        snapshot("""\
plan.yaml:7:59: error: template uses an undefined name [template-undefined]
    7 |   s: {prompt: "{% for x in l %}{{ x }}{% endfor %} and {{ x }}"}
      |                                                           ^
        `x` is neither a variable of the plan nor an axis of `s`; known: `l`

plan.yaml:8:61: error: template uses an undefined name [template-undefined]
    8 |   t: {prompt: "{% for y in l if y > 1 %}{{ y }}{% else %}{{ y }}{% endfor %}"}
      |                                                             ^
        `y` is neither a variable of the plan nor an axis of `t`; known: `l`

plan.yaml:9:103: error: template uses an undefined name [template-undefined]
    9 | …f z.z == z %}{% for z in l %}{{ z }}{% endfor %}{% endfor %}{% for q in z %}{% endfor %}"}
      |                                                                          ^
        `z` is neither a variable of the plan nor an axis of `u`; known: `l`

plan.yaml:10:19: error: template uses an undefined name [template-undefined]
   10 |   v: {prompt: "{{ w }}{% for w in l %}{{ w }}{% endfor %}"}
      |                   ^
        `w` is neither a variable of the plan nor an axis of `v`; known: `l`

4 errors in 1 file
"""),
    ),
    "a # in a list of one line": (
        SCENARIO + "      - {check: says, any_of: [order #123, a]}\n",
        snapshot("""\
plan.yaml:8:38: error: not valid YAML [yaml-syntax]
    8 |       - {check: says, any_of: [order #123, a]}
      |                                      ^
        what follows ` #` is a comment, so that the `]` there closes nothing; put the text with the
        # in quotes
        this bracket began here: plan.yaml:8:31
    8 |       - {check: says, any_of: [order #123, a]}
      |                               ^

1 error in 1 file
"""),
    ),
    "another one, with a scenario below": (
        "scenarios:\n  s:\n    prompt: hi\n    expect: [{check: says, any_of: [order #123, a]}]\n  t:\n    prompt: hi\n",
        snapshot("""\
plan.yaml:7:43: error: not valid YAML [yaml-syntax]
    7 |     expect: [{check: says, any_of: [order #123, a]}]
      |                                           ^
        what follows ` #` is a comment, so that the `]` there closes nothing; put the text with the
        # in quotes
        this bracket began here: plan.yaml:7:36
    7 |     expect: [{check: says, any_of: [order #123, a]}]
      |                                    ^

1 error in 1 file
"""),
    ),
    "a bracket that is open before a comment": (
        "scenarios:\n  s:\n    prompt: hi # [1]\n    expect: [{check: says, any_of: [a, 'b #c]'} # the order]\n",
        snapshot("""\
plan.yaml:7:47: error: not valid YAML [yaml-syntax]
    7 |     expect: [{check: says, any_of: [a, 'b #c]'} # the order]
      |                                               ^
        a `]` is missing before this; look for a bracket or quote that is not closed

1 error in 1 file
"""),
    ),
    "rates a little above what was meant": (
        (
            "defaults: {runs: 3, expect: [{check: says, any_of: [a]}]}\n"
            "scenarios:\n"
            "  a: {prompt: hi, min_pass_rate: 0.67}\n"
            "  b: {prompt: hi, min_pass_rate: 0.86, runs: 7}\n"
            "  c: {prompt: hi, min_pass_rate: 0.66}\n"
            "  d: {prompt: hi, min_pass_rate: 0.8, runs: 5}\n"
            "  e: {prompt: hi, min_pass_rate: 0.34, runs: 3}\n"
            "  f: {prompt: hi, min_pass_rate: 0.9, confidence: 0.8, runs: 20}\n"
        ),
        snapshot("""\
plan.yaml:6:34: warning: pass rate asks for one run more than it seems [rounded-rate]
    6 |   a: {prompt: hi, min_pass_rate: 0.67}
      |                                  ^^^^
        2 of 3 runs are a little less than 0.67, so that 3 have to pass; for 2 of 3 write 0.66

plan.yaml:7:34: warning: pass rate asks for one run more than it seems [rounded-rate]
    7 |   b: {prompt: hi, min_pass_rate: 0.86, runs: 7}
      |                                  ^^^^
        6 of 7 runs are a little less than 0.86, so that 7 have to pass; for 6 of 7 write 0.85

2 warnings in 1 file
"""),
    ),
    "numbers in the place of ids": (
        (
            "version: 1\nplan: x\n"
            "targets: {a: {agent: 4155550199}, b: {phone_number: 14155550199}, c: {phone_number: 123456789}}\n"
            "scenarios:\n  s: {prompt: hi, targets: [a, b, c], expect: [{check: says, any_of: [a]}]}\n"
        ),
        snapshot("""\
plan.yaml:3:22: warning: value cannot be used [bad-value]
    3 | targets: {a: {agent: 4155550199}, b: {phone_number: 14155550199}, c: {phone_number: 123456…
      |                      ^^^^^^^^^^
        this looks like a phone number; an id at the service is a small whole number, such as 12, as
        its lists have it

plan.yaml:3:53: warning: value cannot be used [bad-value]
    3 | …ts: {a: {agent: 4155550199}, b: {phone_number: 14155550199}, c: {phone_number: 123456789}}
      |                                                 ^^^^^^^^^^^
        this looks like a phone number; an id at the service is a small whole number, such as 12, as
        its lists have it

2 warnings in 1 file
"""),
    ),
    "characters that nobody sees": (
        (
            "scenarios:\n"
            '  s: {prompt: "Ask\u202e now\u202c", expect: [{check: says, any_of: ["re\u200cfund", "a\u200bb"]}]}\n'
            '  t: {prompt: "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645 \U0001f469\u200d\U0001f4bb", expect: [{check: says, any_of: ["\\u202e a"]}]}\n'
        ),
        snapshot("""\
plan.yaml:5:19: warning: control character in the file [control-character]
    5 |   s: {prompt: "Ask� now�", expect: [{check: says, any_of: ["re\u200cfund", "a�b"]}]}
      |                   ^
        U+202E (right-to-left override) cannot be seen, and may make a reader see other words than
        these; remove it

plan.yaml:5:24: warning: control character in the file [control-character]
    5 |   s: {prompt: "Ask� now�", expect: [{check: says, any_of: ["re\u200cfund", "a�b"]}]}
      |                        ^
        U+202C (pop directional formatting) cannot be seen, and may make a reader see other words
        than these; remove it

plan.yaml:5:63: warning: control character in the file [control-character]
    5 |   s: {prompt: "Ask� now�", expect: [{check: says, any_of: ["re\u200cfund", "a�b"]}]}
      |                                                               ^
        U+200C (zero width non-joiner) cannot be seen, and may make a reader see other words than
        these; remove it

plan.yaml:5:73: warning: control character in the file [control-character]
    5 |   s: {prompt: "Ask� now�", expect: [{check: says, any_of: ["re\u200cfund", "a�b"]}]}
      |                                                                        ^
        U+200B (zero width space) cannot be seen, and may make a reader see other words than these;
        remove it

4 warnings in 1 file
"""),
    ),
}


@pytest.mark.parametrize("name", TOLD)
def test_a_cure_is_right(workspace: Any, name: str) -> None:
    """The whole of what is told about a plan."""
    plan, told = TOLD[name]
    assert workspace.faults(plan if plan.startswith("version") else HEAD + plan) == told

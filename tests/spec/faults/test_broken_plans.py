"""Plans with one fault each, made by one edit of a sound plan: what is said, and where, to the letter.

The sound plan itself is the passing twin of all of them.
"""

from __future__ import annotations

from typing import Any

import pytest
from inline_snapshot import snapshot

SOUND = """\
version: 1
plan: refunds
description: The refund policy holds up under pressure.
owners: ["@acme/voice"]
tags: [billing, smoke]
targets:
  support: {agent: 12}
  hotline: {phone_number: 77}
vars: {policy_days: 30}
budget: {max_cost_cents: 900}
defaults:
  runs: 3
  expect:
    - {check: call, status: completed}
scenarios:
  refund-window:
    targets: [support, hotline]
    direction: outbound
    target_number: "+14155550199"
    prompt: |
      You are {{ caller.name }}, {{ mood }}. You speak {{ language }}.
      Ask how many days you have to return order {{ order }}.
    matrix:
      axes:
        mood: [calm, furious]
        language: [English, Spanish]
        caller:
          - {id: ana, name: Ana Ruiz}
          - {id: bob, name: Bob Lee}
        order: [15, "17"]
      exclude: [{mood: calm, language: Spanish}]
      include: [{mood: confused, language: English, caller: ana, order: "17"}]
      strategy: full
    runs: 5
    min_pass_rate: 0.8
    stagger_seconds: 2
    timeout_seconds: 900
    min_runs: 3
    expect:
      - check: says
        id: states-window
        any_of: ["{{ policy_days }} days", "thirty days"]
        severity: critical
      - {check: never_says, matches: "(?i)guarantee"}
      - {check: tool_called, name: lookup_order, arguments: {order_id: "{{ order }}"}}
      - {check: duration, max_seconds: 180}
  opening:
    prompt: Ask when you open.
"""

BROKEN = {
    "missing version": (
        "version: 1\n",
        "",
        snapshot("""\
plan.yaml:1:1: error: required key is missing [missing-key]
    1 | plan: refunds
      | ^^^^
        `version` is required: write version: 1 at the top

1 error in 1 file
"""),
    ),
    "version as text": (
        "version: 1\n",
        'version: "1"\n',
        snapshot("""\
plan.yaml:1:10: error: wrong type of value [wrong-type]
    1 | version: "1"
      |          ^^^
        this must be a whole number, but it is the text "1"; remove the quotes

1 error in 1 file
"""),
    ),
    "version from the future": (
        "version: 1\n",
        "version: 3\n",
        snapshot("""\
plan.yaml:1:10: error: plan format version is not known [version-unknown]
    1 | version: 3
      |          ^
        planner 0.1.0 reads version 1 of the plan format, this file has version 3; upgrade planner
        to read it

1 error in 1 file
"""),
    ),
    "missing plan name": (
        "plan: refunds\n",
        "",
        snapshot("""\
plan.yaml:1:1: error: required key is missing [missing-key]
    1 | version: 1
      | ^^^^^^^
        `plan` is required: the plan's name, such as plan: refunds

1 error in 1 file
"""),
    ),
    "plan name not a slug": (
        "plan: refunds\n",
        "plan: Refund Window\n",
        snapshot("""\
plan.yaml:2:7: error: name is not a slug [not-a-slug]
    2 | plan: Refund Window
      |       ^^^^^^^^^^^^^
        "Refund Window" is not a slug: lower-case letters, digits, - and _; write `refund-window`

1 error in 1 file
"""),
    ),
    "unknown key at the top": (
        "owners:",
        "owner:",
        snapshot("""\
plan.yaml:4:1: error: unknown key [unknown-key]
    4 | owner: ["@acme/voice"]
      | ^^^^^
        `owner` is not a key here; did you mean `owners`?

1 error in 1 file
"""),
    ),
    "owner is not a list": (
        'owners: ["@acme/voice"]',
        'owners: "@acme/voice"',
        snapshot("""\
plan.yaml:4:9: error: wrong type of value [wrong-type]
    4 | owners: "@acme/voice"
      |         ^^^^^^^^^^^^^
        this must be a list, but it is the text "@acme/voice"; write ["@acme/voice"]

1 error in 1 file
"""),
    ),
    "unquoted owner": (
        'owners: ["@acme/voice"]',
        "owners: [@acme/voice]",
        snapshot("""\
plan.yaml:4:10: error: not valid YAML [yaml-syntax]
    4 | owners: [@acme/voice]
      |          ^
        an unquoted text cannot begin with @; put it in quotes

1 error in 1 file
"""),
    ),
    "bad tag": (
        "tags: [billing, smoke]",
        "tags: [billing, two words]",
        snapshot("""\
plan.yaml:5:17: error: value cannot be used [bad-value]
    5 | tags: [billing, two words]
      |                 ^^^^^^^^^
        "two words" cannot be a tag: letters, digits and _ . : / -, beginning with a letter or digit

1 error in 1 file
"""),
    ),
    "target id as text": (
        "{agent: 12}",
        '{agent: "12"}',
        snapshot("""\
plan.yaml:7:20: error: wrong type of value [wrong-type]
    7 |   support: {agent: "12"}
      |                    ^^^^
        this must be a whole number, but it is the text "12"; remove the quotes

1 error in 1 file
"""),
    ),
    "target of two kinds": (
        "{agent: 12}",
        "{agent: 12, phone_number: 7}",
        snapshot("""\
plan.yaml:7:12: error: value cannot be used [bad-value]
    7 |   support: {agent: 12, phone_number: 7}
      |            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        a target is one of `agent` and `phone_number`; this has both

1 error in 1 file
"""),
    ),
    "target of no kind": (
        "{agent: 12}",
        "{}",
        snapshot("""\
plan.yaml:7:12: error: value cannot be used [bad-value]
    7 |   support: {}
      |            ^^
        a target is one of `agent` and `phone_number`; this has neither

1 error in 1 file
"""),
    ),
    "target kind mistyped": (
        "{agent: 12}",
        "{agnet: 12}",
        snapshot("""\
plan.yaml:7:13: error: unknown key [unknown-key]
    7 |   support: {agnet: 12}
      |             ^^^^^
        `agnet` is not a key here; did you mean `agent`?

1 error in 1 file
"""),
    ),
    "target id zero": (
        "{agent: 12}",
        "{agent: 0}",
        snapshot("""\
plan.yaml:7:20: error: value is out of range [out-of-range]
    7 |   support: {agent: 0}
      |                    ^
        0 is out of range: it must be at least 1

1 error in 1 file
"""),
    ),
    "alias not a slug": (
        "  hotline:",
        "  Hot Line:",
        snapshot("""\
plan.yaml:8:3: error: name is not a slug [not-a-slug]
    8 |   Hot Line: {phone_number: 77}
      |   ^^^^^^^^
        "Hot Line" is not a slug: lower-case letters, digits, - and _; write `hot-line`

plan.yaml:17:24: error: no such target [unknown-target]
   17 |     targets: [support, hotline]
      |                        ^^^^^^^
        `hotline` is not a target of this plan; did you mean `Hot Line`?

2 errors in 1 file
"""),
    ),
    "unused variable": (
        "policy_days: 30",
        "policy_days: 30, spare: 1",
        snapshot("""\
plan.yaml:9:25: warning: variable is used by no template [unused-variable]
    9 | vars: {policy_days: 30, spare: 1}
      |                         ^^^^^
        no template of this plan uses `spare`; remove it

1 warning in 1 file
"""),
    ),
    "variable name": (
        "policy_days: 30",
        "policy_days: 30, policy-days: 1",
        snapshot("""\
plan.yaml:9:25: error: name cannot be used in templates [not-a-name]
    9 | vars: {policy_days: 30, policy-days: 1}
      |                         ^^^^^^^^^^^
        `policy-days` cannot be a variable: letters, digits and _, beginning with a letter; write
        `policy_days`

1 error in 1 file
"""),
    ),
    "reserved variable name": (
        "policy_days: 30",
        "policy_days: 30, loop: 1",
        snapshot("""\
plan.yaml:9:25: error: name cannot be used in templates [not-a-name]
    9 | vars: {policy_days: 30, loop: 1}
      |                         ^^^^
        `loop` is a word of the template language; give a variable another name

1 error in 1 file
"""),
    ),
    "number that loses its zero": (
        "policy_days: 30",
        "policy_days: 030",
        snapshot("""\
plan.yaml:9:21: warning: unquoted number loses characters [number-rewritten]
    9 | vars: {policy_days: 030}
      |                     ^^^
        YAML reads 030 as the number 30; write "030" to keep it as it is

1 warning in 1 file
"""),
    ),
    "negative budget": (
        "max_cost_cents: 900",
        "max_cost_cents: -900",
        snapshot("""\
plan.yaml:10:26: error: value is out of range [out-of-range]
   10 | budget: {max_cost_cents: -900}
      |                          ^^^^
        -900 is out of range: it must be at least 0

1 error in 1 file
"""),
    ),
    "budget mistyped": (
        "max_cost_cents: 900",
        "max_cost: 900",
        snapshot("""\
plan.yaml:10:10: error: unknown key [unknown-key]
   10 | budget: {max_cost: 900}
      |          ^^^^^^^^
        `max_cost` is not a key here; did you mean `max_cost_cents`?

1 error in 1 file
"""),
    ),
    "mistyped default": (
        "  runs: 3",
        "  runz: 3",
        snapshot("""\
plan.yaml:12:3: error: unknown key [unknown-key]
   12 |   runz: 3
      |   ^^^^
        `runz` is not a key here; did you mean `runs`?

1 error in 1 file
"""),
    ),
    "prompt in the defaults": (
        "  runs: 3",
        "  prompt: hello",
        snapshot("""\
plan.yaml:12:3: error: unknown key [unknown-key]
   12 |   prompt: hello
      |   ^^^^^^
        `prompt` is not a key here; a scenario has it, under `scenarios`

1 error in 1 file
"""),
    ),
    "scenario id": (
        "  refund-window:",
        "  Refund window:",
        snapshot("""\
plan.yaml:16:3: error: name is not a slug [not-a-slug]
   16 |   Refund window:
      |   ^^^^^^^^^^^^^
        "Refund window" is not a slug: lower-case letters, digits, - and _; write `refund-window`

1 error in 1 file
"""),
    ),
    "target not there": (
        "targets: [support, hotline]",
        "targets: [suport, hotline]",
        snapshot("""\
plan.yaml:17:15: error: no such target [unknown-target]
   17 |     targets: [suport, hotline]
      |               ^^^^^^
        `suport` is not a target of this plan; did you mean `support`?

1 error in 1 file
"""),
    ),
    "target twice": (
        "targets: [support, hotline]",
        "targets: [support, support]",
        snapshot("""\
plan.yaml:17:24: error: item is listed twice [duplicate-item]
   17 |     targets: [support, support]
      |                        ^^^^^^^
        `support` is listed twice, and would be called twice

1 error in 1 file
"""),
    ),
    "no targets": (
        "targets: [support, hotline]",
        "targets: []",
        snapshot("""\
plan.yaml:17:14: error: nothing to call [no-targets]
   17 |     targets: []
      |              ^^
        this list is empty; leave `targets` out to call all targets of the plan

1 error in 1 file
"""),
    ),
    "direction": (
        "direction: outbound",
        "direction: outbond",
        snapshot("""\
plan.yaml:18:16: error: value is not one of the choices [not-a-choice]
   18 |     direction: outbond
      |                ^^^^^^^
        `outbond` is not one of `outbound`, `inbound`; did you mean `outbound`?

1 error in 1 file
"""),
    ),
    "unquoted number": (
        '"+14155550199"',
        "+14155550199",
        snapshot("""\
plan.yaml:19:20: error: phone number is not E.164 [not-e164]
   19 |     target_number: +14155550199
      |                    ^^^^^^^^^^^^
        YAML reads this as the number 14155550199, without a plus; put it in quotes: "+14155550199"

1 error in 1 file
"""),
    ),
    "number with spaces": (
        '"+14155550199"',
        '"+1 (415) 555-0199"',
        snapshot("""\
plan.yaml:19:20: error: phone number is not E.164 [not-e164]
   19 |     target_number: "+1 (415) 555-0199"
      |                    ^^^^^^^^^^^^^^^^^^^
        the text "+1 (415) 555-0199" is not E.164: a plus and digits, nothing else; write
        "+14155550199"

1 error in 1 file
"""),
    ),
    "number without country": (
        '"+14155550199"',
        '"4155550199"',
        snapshot("""\
plan.yaml:19:20: error: phone number is not E.164 [not-e164]
   19 |     target_number: "4155550199"
      |                    ^^^^^^^^^^^^
        the text "4155550199" is not E.164: a plus and digits, nothing else; begin with + and the
        country code, such as "+14155550199"

1 error in 1 file
"""),
    ),
    "impossible number": (
        '"+14155550199"',
        '"+1415555"',
        snapshot("""\
plan.yaml:19:20: error: phone number is not E.164 [not-e164]
   19 |     target_number: "+1415555"
      |                    ^^^^^^^^^^
        the text "+1415555" cannot be a phone number: too few or too many digits for country code 1

1 error in 1 file
"""),
    ),
    "no such country": (
        '"+14155550199"',
        '"+9991234567"',
        snapshot("""\
plan.yaml:19:20: error: phone number is not E.164 [not-e164]
   19 |     target_number: "+9991234567"
      |                    ^^^^^^^^^^^^^
        the text "+9991234567" is not a phone number: could not interpret numbers after plus-sign

1 error in 1 file
"""),
    ),
    "undefined name in the prompt": (
        "{{ language }}",
        "{{ langage }}",
        snapshot("""\
plan.yaml:21:59: error: template uses an undefined name [template-undefined]
   21 |       You are {{ caller.name }}, {{ mood }}. You speak {{ langage }}.
      |                                                           ^^^^^^^
        `langage` is neither a variable of the plan nor an axis of `refund-window`; did you mean
        `language`?

1 error in 1 file
"""),
    ),
    "undefined key in the prompt": (
        "{{ caller.name }}",
        "{{ caller.nmae }}",
        snapshot("""\
plan.yaml:21:25: error: template uses an undefined name [template-undefined]
   21 |       You are {{ caller.nmae }}, {{ mood }}. You speak {{ language }}.
      |                         ^^^^
        `nmae` is not a key of this mapping; did you mean `name`? (in case
        refunds/refund-window[mood=calm,language=English,caller=ana,order=15])

1 error in 1 file
"""),
    ),
    "template not closed": (
        "{{ language }}",
        "{{ language }",
        snapshot("""\
plan.yaml:21:56: error: template is not valid [template-syntax]
   21 |       You are {{ caller.name }}, {{ mood }}. You speak {{ language }.
      |                                                        ^^^^^^^^^^^^^^
        a tag is not closed: }} or %} is missing

1 error in 1 file
"""),
    ),
    "unknown filter": (
        "{{ language }}",
        "{{ language | uper }}",
        snapshot("""\
plan.yaml:21:70: error: template is not valid [template-syntax]
   21 |       You are {{ caller.name }}, {{ mood }}. You speak {{ language | uper }}.
      |                                                                      ^^^^
        there is no filter `uper`; did you mean `upper`?

1 error in 1 file
"""),
    ),
    "forbidden attribute": (
        "{{ language }}",
        "{{ language.__class__ }}",
        snapshot("""\
plan.yaml:21:68: error: template uses something that is not allowed [template-forbidden]
   21 |       You are {{ caller.name }}, {{ mood }}. You speak {{ language.__class__ }}.
      |                                                                    ^^^^^^^^^
        `__class__`: names that start with an underscore cannot be used

1 error in 1 file
"""),
    ),
    "mapping in the prompt": (
        "{{ caller.name }}",
        "{{ caller }}",
        snapshot("""\
plan.yaml:21:18: error: template cannot be rendered [template-failed]
   21 |       You are {{ caller }}, {{ mood }}. You speak {{ language }}.
      |                  ^^^^^^
        `caller`: the value is a mapping, not text; write one of its keys, such as .id (in case
        refunds/refund-window[mood=calm,language=English,caller=ana,order=15])

1 error in 1 file
"""),
    ),
    "axis used by no template": (
        "        mood: [calm, furious]",
        "        mood: [calm, furious]\n        spare: [1, 2]",
        snapshot("""\
plan.yaml:26:9: error: axis is used by no template [unused-axis]
   26 |         spare: [1, 2]
      |         ^^^^^
        no template of this scenario uses `spare`: the same call would be made for each of its
        values

plan.yaml:33:17: error: required key is missing [missing-key]
   33 |       include: [{mood: confused, language: English, caller: ana, order: "17"}]
      |                 ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        an include names every axis; `spare` is missing

2 errors in 1 file
"""),
    ),
    "value twice": (
        "mood: [calm, furious]",
        "mood: [calm, furious, calm]",
        snapshot("""\
plan.yaml:25:31: error: item is listed twice [duplicate-item]
   25 |         mood: [calm, furious, calm]
      |                               ^^^^
        the text "calm" is listed twice; remove one
        the first one: plan.yaml:25:16
   25 |         mood: [calm, furious, calm]
      |                ^^^^

1 error in 1 file
"""),
    ),
    "colliding values": (
        'order: [15, "17"]',
        'order: [15, "15"]',
        snapshot("""\
plan.yaml:30:21: error: two cases have one case id [colliding-case-id]
   30 |         order: [15, "15"]
      |                     ^^^^
        two values are written 15 in case ids; change one
        the first one: plan.yaml:30:17
   30 |         order: [15, "15"]
      |                 ^^

1 error in 1 file
"""),
    ),
    "mapping without id": (
        "{id: bob, name: Bob Lee}",
        "{name: Bob Lee}",
        snapshot("""\
plan.yaml:29:13: error: axis values cannot be used [bad-axis]
   29 |           - {name: Bob Lee}
      |             ^^^^^^^^^^^^^^^
        a mapping needs an `id`: it names the case

1 error in 1 file
"""),
    ),
    "empty axis": (
        "mood: [calm, furious]",
        "mood: []",
        snapshot("""\
plan.yaml:25:15: error: axis values cannot be used [bad-axis]
   25 |         mood: []
      |               ^^
        axis `mood` has no values, so that there would be no case

1 error in 1 file
"""),
    ),
    "axis is one text": (
        "mood: [calm, furious]",
        "mood: calm",
        snapshot("""\
plan.yaml:25:15: error: wrong type of value [wrong-type]
   25 |         mood: calm
      |               ^^^^
        this must be a list, but it is the text "calm"; write ["calm"], or {file: orders.csv,
        column: number} or {use: NAME}

1 error in 1 file
"""),
    ),
    "exclude of an unknown value": (
        "exclude: [{mood: calm,",
        "exclude: [{mood: clam,",
        snapshot("""\
plan.yaml:31:24: error: include or exclude matches nothing [matches-nothing]
   31 |       exclude: [{mood: clam, language: Spanish}]
      |                        ^^^^
        "clam" is no value of axis `mood`; did you mean `calm`?

1 error in 1 file
"""),
    ),
    "exclude of an unknown axis": (
        "exclude: [{mood: calm,",
        "exclude: [{mod: calm,",
        snapshot("""\
plan.yaml:31:18: error: no such axis [unknown-axis]
   31 |       exclude: [{mod: calm, language: Spanish}]
      |                  ^^^
        `mod` is not an axis of this matrix; did you mean `mood`?

1 error in 1 file
"""),
    ),
    "exclude of everything": (
        'exclude: [{mood: calm, language: Spanish}]\n      include: [{mood: confused, language: English, caller: ana, order: "17"}]',
        "exclude: [{mood: calm}, {mood: furious}]",
        snapshot("""\
plan.yaml:31:16: error: matrix leaves no case [no-cases]
   31 |       exclude: [{mood: calm}, {mood: furious}]
      |                ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        everything is excluded

1 error in 1 file
"""),
    ),
    "exclude of what is excluded": (
        "exclude: [{mood: calm, language: Spanish}]",
        "exclude: [{mood: calm}, {mood: calm, language: Spanish}]",
        snapshot("""\
plan.yaml:25:16: warning: axis value is in no case [unused-value]
   25 |         mood: [calm, furious]
      |                ^^^^
        every case with this value of `mood` is excluded; remove it from the axis

plan.yaml:31:31: warning: include or exclude matches nothing [matches-nothing]
   31 |       exclude: [{mood: calm}, {mood: calm, language: Spanish}]
      |                               ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        what this excludes is excluded already
        by this: plan.yaml:31:17
   31 |       exclude: [{mood: calm}, {mood: calm, language: Spanish}]
      |                 ^^^^^^^^^^^^

2 warnings in 1 file
"""),
    ),
    "include of a case that is there": (
        "include: [{mood: confused,",
        "include: [{mood: calm,",
        snapshot("""\
plan.yaml:32:17: error: two cases have one case id [colliding-case-id]
   32 |       include: [{mood: calm, language: English, caller: ana, order: "17"}]
      |                 ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        this case is in the matrix already

1 error in 1 file
"""),
    ),
    "include without an axis": (
        'caller: ana, order: "17"}]',
        "caller: ana}]",
        snapshot("""\
plan.yaml:32:17: error: required key is missing [missing-key]
   32 |       include: [{mood: confused, language: English, caller: ana}]
      |                 ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        an include names every axis; `order` is missing

1 error in 1 file
"""),
    ),
    "include of an unknown id": (
        "caller: ana, order",
        "caller: zoe, order",
        snapshot("""\
plan.yaml:32:61: error: include or exclude matches nothing [matches-nothing]
   32 |       include: [{mood: confused, language: English, caller: zoe, order: "17"}]
      |                                                             ^^^
        "zoe" is no value of axis `caller`; it has `ana`, `bob`

1 error in 1 file
"""),
    ),
    "too many cases": (
        "      strategy: full",
        "      max_cases: 20",
        snapshot("""\
plan.yaml:33:18: error: matrix makes too many cases [too-many-cases]
   33 |       max_cases: 20
      |                  ^^
        (mood 2 × language 2 × caller 2 × order 2 − 4 excluded + 1 included) × 2 targets = 26 cases,
        more than 20; write `strategy: pairwise` for every pair of values in 10 cases, exclude some,
        or raise `max_cases`

1 error in 1 file
"""),
    ),
    "runs as a word": (
        "    runs: 5",
        "    runs: five",
        snapshot("""\
plan.yaml:34:11: error: wrong type of value [wrong-type]
   34 |     runs: five
      |           ^^^^
        this must be a whole number, but it is the text "five"

1 error in 1 file
"""),
    ),
    "no runs": (
        "    runs: 5",
        "    runs: 0",
        snapshot("""\
plan.yaml:34:11: error: value is out of range [out-of-range]
   34 |     runs: 0
      |           ^
        0 is out of range: it must be at least 1

1 error in 1 file
"""),
    ),
    "pass rate in percent": (
        "min_pass_rate: 0.8",
        "min_pass_rate: 80",
        snapshot("""\
plan.yaml:35:20: error: value is out of range [out-of-range]
   35 |     min_pass_rate: 80
      |                    ^^
        80 is out of range: it must be at most 1; 80 % is written 0.8

1 error in 1 file
"""),
    ),
    "long stagger": (
        "stagger_seconds: 2",
        "stagger_seconds: 61",
        snapshot("""\
plan.yaml:36:22: error: value is out of range [out-of-range]
   36 |     stagger_seconds: 61
      |                      ^^
        61 is out of range: it must be at most 60

1 error in 1 file
"""),
    ),
    "timeout as text": (
        "timeout_seconds: 900",
        'timeout_seconds: "900"',
        snapshot("""\
plan.yaml:37:22: error: wrong type of value [wrong-type]
   37 |     timeout_seconds: "900"
      |                      ^^^^^
        this must be a number, but it is the text "900"; remove the quotes

1 error in 1 file
"""),
    ),
    "more required runs than runs": (
        "min_runs: 3",
        "min_runs: 6",
        snapshot("""\
plan.yaml:38:15: error: value is out of range [out-of-range]
   38 |     min_runs: 6
      |               ^
        `min_runs` is 6, but `runs` is 5: the outcome would always be unknown

1 error in 1 file
"""),
    ),
    "quarantine without a reason": (
        "    min_runs: 3",
        "    quarantine: {until: 2027-01-31}",
        snapshot("""\
plan.yaml:38:5: error: required key is missing [missing-key]
   38 |     quarantine: {until: 2027-01-31}
      |     ^^^^^^^^^^
        `reason` is required: why, for the reader

1 error in 1 file
"""),
    ),
    "quarantine without an end": (
        "    min_runs: 3",
        "    quarantine: {reason: ticket VOX-41}",
        snapshot("""\
plan.yaml:38:5: error: required key is missing [missing-key]
   38 |     quarantine: {reason: ticket VOX-41}
      |     ^^^^^^^^^^
        `until` is required: the last day on which failures do not count

1 error in 1 file
"""),
    ),
    "quarantine until no day": (
        "    min_runs: 3",
        "    quarantine: {until: 2027-02-30, reason: ticket VOX-41}",
        snapshot("""\
plan.yaml:38:25: error: value cannot be used [bad-value]
   38 |     quarantine: {until: 2027-02-30, reason: ticket VOX-41}
      |                         ^^^^^^^^^^
        there is no day 2027-02-30 in the calendar

1 error in 1 file
"""),
    ),
    "quarantine until some day": (
        "    min_runs: 3",
        "    quarantine: {until: next week, reason: ticket VOX-41}",
        snapshot("""\
plan.yaml:38:25: error: value cannot be used [bad-value]
   38 |     quarantine: {until: next week, reason: ticket VOX-41}
      |                         ^^^^^^^^^
        this must be a day, such as 2027-01-31, but it is the text "next week"

1 error in 1 file
"""),
    ),
    "quarantine by default without a reason is said once": (
        "  runs: 3",
        "  quarantine: {until: 2027-01-31}",
        snapshot("""\
plan.yaml:12:3: error: required key is missing [missing-key]
   12 |   quarantine: {until: 2027-01-31}
      |   ^^^^^^^^^^
        `reason` is required: why, for the reader

1 error in 1 file
"""),
    ),
    "age without a unit": (
        "    min_runs: 3",
        "    max_age: 14",
        snapshot("""\
plan.yaml:38:14: error: wrong type of value [wrong-type]
   38 |     max_age: 14
      |              ^^
        this must be a number and h, d or w, such as 14d for fourteen days; write 14d for days, 14h
        for hours

1 error in 1 file
"""),
    ),
    "age in months": (
        "    min_runs: 3",
        "    max_age: 2 months",
        snapshot("""\
plan.yaml:38:14: error: value cannot be used [bad-value]
   38 |     max_age: 2 months
      |              ^^^^^^^^
        this must be a number and h, d or w, such as 14d for fourteen days, but it is the text "2
        months"

1 error in 1 file
"""),
    ),
    "key without a value": (
        "    min_runs: 3",
        "    min_runs:",
        snapshot("""\
plan.yaml:38:5: error: wrong type of value [wrong-type]
   38 |     min_runs:
      |     ^^^^^^^^
        there is no value here; write one, or remove the key

1 error in 1 file
"""),
    ),
    "duplicate key": (
        "    min_runs: 3",
        "    runs: 3",
        snapshot("""\
plan.yaml:38:5: error: key is written twice [duplicate-key]
   38 |     runs: 3
      |     ^^^^
        `runs` is written twice in this mapping; keep one
        the first one: plan.yaml:34:5
   34 |     runs: 5
      |     ^^^^

1 error in 1 file
"""),
    ),
    "unknown check": (
        "check: says",
        "check: say",
        snapshot("""\
plan.yaml:40:16: error: no such check [unknown-check]
   40 |       - check: say
      |                ^^^
        there is no check `say`; did you mean `says`?

1 error in 1 file
"""),
    ),
    "check mistyped": (
        "- {check: duration, max_seconds: 180}",
        "- {chek: duration, max_seconds: 180}",
        snapshot("""\
plan.yaml:46:10: error: unknown key [unknown-key]
   46 |       - {chek: duration, max_seconds: 180}
      |          ^^^^
        `chek` is not a key here; did you mean `check`?

1 error in 1 file
"""),
    ),
    "check missing": (
        "- {check: duration, max_seconds: 180}",
        "- {max_seconds: 180}",
        snapshot("""\
plan.yaml:46:9: error: required key is missing [missing-key]
   46 |       - {max_seconds: 180}
      |         ^^^^^^^^^^^^^^^^^^
        `check` is required: it names the kind of check; with this beside it: `check: duration`

1 error in 1 file
"""),
    ),
    "library": (
        "- {check: duration, max_seconds: 180}",
        "- use: polite",
        snapshot("""\
plan.yaml:46:14: error: no import has this name [unknown-use]
   46 |       - use: polite
      |              ^^^^^^
        `polite` is of a library, and this plan imports none; write imports: [lib/voice.yaml]

1 error in 1 file
"""),
    ),
    "expectation as a word": (
        "- {check: duration, max_seconds: 180}",
        "- duration",
        snapshot("""\
plan.yaml:46:9: error: wrong type of value [wrong-type]
   46 |       - duration
      |         ^^^^^^^^
        this must be a mapping such as {check: says, any_of: [...]}, but it is the text "duration"

1 error in 1 file
"""),
    ),
    "expectation that checks nothing": (
        "- {check: duration, max_seconds: 180}",
        "- {check: duration}",
        snapshot("""\
plan.yaml:46:9: error: expectation cannot be used [bad-expectation]
   46 |       - {check: duration}
      |         ^^^^^^^^^^^^^^^^^
        needs `min_seconds`, `max_seconds` or both

1 error in 1 file
"""),
    ),
    "expectation's field mistyped": (
        "max_seconds: 180}",
        "max_second: 180}",
        snapshot("""\
plan.yaml:46:27: error: unknown key [unknown-key]
   46 |       - {check: duration, max_second: 180}
      |                           ^^^^^^^^^^
        `max_second` is not a key here; did you mean `max_seconds`?

1 error in 1 file
"""),
    ),
    "expectation's field of wrong type": (
        "max_seconds: 180}",
        "max_seconds: long}",
        snapshot("""\
plan.yaml:46:40: error: wrong type of value [wrong-type]
   46 |       - {check: duration, max_seconds: long}
      |                                        ^^^^
        this must be a number, but it is the text "long"

1 error in 1 file
"""),
    ),
    "expectation's field without value": (
        "max_seconds: 180}",
        "max_seconds: }",
        snapshot("""\
plan.yaml:46:27: error: wrong type of value [wrong-type]
   46 |       - {check: duration, max_seconds: }
      |                           ^^^^^^^^^^^
        there is no value here; write one, or remove the key

1 error in 1 file
"""),
    ),
    "undefined name in an expectation": (
        "{{ policy_days }} days",
        "{{ policy_day }} days",
        snapshot("""\
plan.yaml:42:22: error: template uses an undefined name [template-undefined]
   42 |         any_of: ["{{ policy_day }} days", "thirty days"]
      |                      ^^^^^^^^^^
        `policy_day` is neither a variable of the plan nor an axis of `refund-window`; did you mean
        `policy_days`?

1 error in 1 file
"""),
    ),
    "bad regex": (
        "(?i)guarantee",
        "(?=guarantee)",
        snapshot("""\
plan.yaml:44:38: error: regular expression is not valid [bad-regex]
   44 |       - {check: never_says, matches: "(?=guarantee)"}
      |                                      ^^^^^^^^^^^^^^^
        this is not a regular expression: `(?=` looks ahead or back, which these patterns cannot;
        write what must be there and what must not as two of them

1 error in 1 file
"""),
    ),
    "severity": (
        "severity: critical",
        "severity: critcal",
        snapshot("""\
plan.yaml:43:19: error: value is not one of the choices [not-a-choice]
   43 |         severity: critcal
      |                   ^^^^^^^
        `critcal` is not one of `critical`, `error`, `warning`; did you mean `critical`?

1 error in 1 file
"""),
    ),
    "expectation id": (
        "id: states-window",
        "id: States Window",
        snapshot("""\
plan.yaml:41:13: error: name is not a slug [not-a-slug]
   41 |         id: States Window
      |             ^^^^^^^^^^^^^
        "States Window" is not a slug: lower-case letters, digits, - and _; write `states-window`

1 error in 1 file
"""),
    ),
    "id of another": (
        "      - {check: never_says,",
        "      - {check: never_says, id: states-window,",
        snapshot("""\
plan.yaml:44:33: error: two expectations have one id [duplicate-id]
   44 |       - {check: never_says, id: states-window, matches: "(?i)guarantee"}
      |                                 ^^^^^^^^^^^^^
        another expectation of `refund-window` has the id `states-window`
        the first one: plan.yaml:41:13
   41 |         id: states-window
      |             ^^^^^^^^^^^^^

1 error in 1 file
"""),
    ),
    "unquoted template": (
        'order_id: "{{ order }}"',
        "order_id: {{ order }}",
        snapshot("""\
plan.yaml:45:72: error: key is not text [key-not-text]
   45 |       - {check: tool_called, name: lookup_order, arguments: {order_id: {{ order }}}}
      |                                                                        ^^^^^^^^^^^
        YAML reads this as a mapping; quote the template: "{{ order }}"

1 error in 1 file
"""),
    ),
    "no prompt": (
        "    prompt: Ask when you open.\n",
        "    runs: 1\n",
        snapshot("""\
plan.yaml:47:3: error: scenario has no prompt [no-prompt]
   47 |   opening:
      |   ^^^^^^^
        `opening` needs a `prompt`, or a `prompt_file`

1 error in 1 file
"""),
    ),
    "two prompts": (
        "    prompt: Ask when you open.\n",
        "    prompt: Ask when you open.\n    prompt_file: prompts/x.md\n",
        snapshot("""\
plan.yaml:49:5: error: prompt and prompt_file together [two-prompts]
   49 |     prompt_file: prompts/x.md
      |     ^^^^^^^^^^^
        this scenario has `prompt` as well; keep one

1 error in 1 file
"""),
    ),
    "empty prompt": (
        "    prompt: Ask when you open.\n",
        '    prompt: ""\n',
        snapshot("""\
plan.yaml:48:13: error: prompt is empty [empty-prompt]
   48 |     prompt: ""
      |             ^^
        there is no text in this prompt

1 error in 1 file
"""),
    ),
    "prompt renders to nothing": (
        "    prompt: Ask when you open.\n",
        '    prompt: "{% if policy_days > 99 %}Hello{% endif %}"\n',
        snapshot("""\
plan.yaml:48:13: error: prompt is empty [empty-prompt]
   48 |     prompt: "{% if policy_days > 99 %}Hello{% endif %}"
      |             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        the prompt renders to nothing

1 error in 1 file
"""),
    ),
    "prompt is a number": (
        "    prompt: Ask when you open.\n",
        "    prompt: 7\n",
        snapshot("""\
plan.yaml:48:13: error: wrong type of value [wrong-type]
   48 |     prompt: 7
      |             ^
        this must be text, but it is the number 7; put it in quotes: "7"

1 error in 1 file
"""),
    ),
    "prompt_file missing": (
        "    prompt: Ask when you open.\n",
        "    prompt_file: prompts/x.md\n",
        snapshot("""\
plan.yaml:48:18: error: file does not exist [file-missing]
   48 |     prompt_file: prompts/x.md
      |                  ^^^^^^^^^^^^
        there is no file prompts/x.md

1 error in 1 file
"""),
    ),
    "prompt_file outside": (
        "    prompt: Ask when you open.\n",
        "    prompt_file: ../../etc/passwd\n",
        snapshot("""\
plan.yaml:48:18: error: file is outside the repository [file-outside]
   48 |     prompt_file: ../../etc/passwd
      |                  ^^^^^^^^^^^^^^^^
        this leads out of the repository; files that a plan names stay inside it

1 error in 1 file
"""),
    ),
    "scenario is a text": (
        "  opening:\n    prompt: Ask when you open.\n",
        "  opening: Ask when you open.\n",
        snapshot("""\
plan.yaml:47:12: error: wrong type of value [wrong-type]
   47 |   opening: Ask when you open.
      |            ^^^^^^^^^^^^^^^^^^
        a scenario is a mapping with a prompt and what is expected, but this is the text "Ask when
        you open."

1 error in 1 file
"""),
    ),
    "bad indentation": (
        "    prompt: Ask when you open.\n",
        "   prompt: Ask when you open.\n     runs: 1\n",
        snapshot("""\
plan.yaml:49:10: error: not valid YAML [yaml-syntax]
   49 |      runs: 1
      |          ^
        a key cannot stand here: look at its indentation; if this is a text with a colon, put it in
        quotes: "…: …"

1 error in 1 file
"""),
    ),
    "tab": (
        "    prompt: Ask when you open.\n",
        "\tprompt: Ask when you open.\n",
        snapshot("""\
plan.yaml:48:1: error: not valid YAML [yaml-syntax]
   48 |     prompt: Ask when you open.
      | ^^^^
        a tab cannot indent YAML; use spaces

1 error in 1 file
"""),
    ),
    "colon in a text": (
        "    prompt: Ask when you open.\n",
        "    prompt: Ask this: when do you open?\n",
        snapshot("""\
plan.yaml:48:21: error: not valid YAML [yaml-syntax]
   48 |     prompt: Ask this: when do you open?
      |                     ^
        a key cannot stand here: look at its indentation; if this is a text with a colon, put it in
        quotes: "…: …"

1 error in 1 file
"""),
    ),
    "quote not closed": (
        "    prompt: Ask when you open.\n",
        '    prompt: "Ask when you open.\n',
        snapshot("""\
plan.yaml:48:13: error: not valid YAML [yaml-syntax]
   48 |     prompt: "Ask when you open.
      |             ^
        this quote is not closed

1 error in 1 file
"""),
    ),
}
"""What is wrong → the text replaced, what it is replaced by, what `planner validate` then says."""


def test_sound_plan_has_no_fault(workspace: Any) -> None:
    """The plan that all others are made from loads without a word, with the cases it should have."""
    workspace.write("plan.yaml", SOUND)
    plans, diagnostics = workspace.load()
    assert workspace.rendered(diagnostics) == ""
    assert [(plan.name, len(plan.cases)) for plan in plans] == [("refunds", (16 - 4 + 1) * 2 + 2)]


@pytest.mark.parametrize("name", BROKEN)
def test_fault_is_reported_at_its_place(workspace: Any, name: str) -> None:
    """One edit makes exactly the faults it should, each at its line and column, in these words."""
    old, new, said = BROKEN[name]
    assert SOUND.count(old) >= 1
    assert workspace.faults(SOUND.replace(old, new, 1)) == said


@pytest.mark.parametrize("name", BROKEN)
def test_plan_with_an_error_is_not_returned(workspace: Any, name: str) -> None:
    """A plan that has any error calls nobody; warnings alone do not keep it."""
    old, new, _ = BROKEN[name]
    workspace.write("plan.yaml", SOUND.replace(old, new, 1))
    plans, diagnostics = workspace.load()
    assert len(diagnostics) > 0
    assert bool(plans) is not diagnostics.has_errors


@pytest.mark.parametrize(
    ("old", "new", "code", "line"),
    [
        ("version: 1", "verson: 1", "unknown-key", 1),
        ("plan: refunds", "plam: refunds", "unknown-key", 2),
        ("targets:\n  support", "target:\n  support", "unknown-key", 6),
        ("vars:", "var:", "unknown-key", 9),
        ("scenarios:", "scenario:", "unknown-key", 15),
        ("    prompt: |", "    promt: |", "unknown-key", 20),
        ("    matrix:", "    matrx:", "unknown-key", 23),
        ("      axes:", "      axis:", "unknown-key", 24),
        ("vars: {policy_days", "vars: {policy-days", "not-a-name", 9),
    ],
    ids=range(9),
)
def test_a_mistyped_key_is_said_once(workspace: Any, old: str, new: str, code: str, line: int) -> None:
    """What is missing because it is mistyped is not said to be missing, nor what would have used it to be undefined."""
    assert SOUND.count(old) == 1
    found = workspace.codes(SOUND.replace(old, new))
    assert [(each[0], each[1]) for each in found] == [(code, line)]


def test_mistyped_expectations_are_said_once(workspace: Any) -> None:
    """A scenario whose `expect` is mistyped, or the defaults', does not expect nothing."""
    plan = SOUND.replace("  expect:\n    - {check: call, status: completed}\n", "")
    assert [code for code, *_ in workspace.codes(plan)] == ["no-expectations"]
    assert [code for code, *_ in workspace.codes(plan + "    expct: [{check: call, status: completed}]\n")] == [
        "unknown-key"
    ]
    assert [
        code
        for code, *_ in workspace.codes(
            SOUND.replace("  expect:\n    - {check: call", "  expects:\n    - {check: call")
        )
    ] == ["unknown-key"]
    assert [code for code, *_ in workspace.codes(SOUND.replace("defaults:", "defalts:"))] == ["unknown-key"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "budget: {max_cost_cents: 900}",
            "budget:\nmax_cost_cents: 900",
            snapshot(
                [
                    "11:1 unknown-key: `max_cost_cents` is not a key here; if it belongs to `budget`, which is empty, indent it more"
                ]
            ),
        ),
        (
            "defaults:\n  runs: 3\n  expect:\n    - {check: call, status: completed}\n",
            "defaults:\nruns: 3\nexpect:\n  - {check: call, status: completed}\n",
            snapshot(
                [
                    "12:1 unknown-key: `runs` is not a key here; if it belongs to `defaults`, which is empty, indent it more"
                ]
            ),
        ),
        (
            "{check: tool_called, name: lookup_order,",
            "{check: tool_called, name lookup_order,",
            snapshot(
                [
                    "45:30 unknown-key: `name lookup_order` is not a key here; a colon is missing: write `name: lookup_order`"
                ]
            ),
        ),
        (
            "defaults:\n  runs: 3",
            "defaults:\n  ? runs 3",
            snapshot(["12:5 unknown-key: `runs 3` is not a key here; a colon is missing: write `runs: 3`"]),
        ),
    ],
    ids=range(4),
)
def test_a_key_at_the_wrong_place_is_said_once(workspace: Any, old: str, new: str, said: list[str]) -> None:
    """What is not indented enough, or has lost its colon, is told as that."""
    assert SOUND.count(old) == 1
    workspace.write("plan.yaml", SOUND.replace(old, new))
    assert [f"{item.span.line}:{item.span.column} {item.code}: {item.detail}" for item in workspace.load()[1]] == said


def test_a_template_without_quotes_is_said_once(workspace: Any) -> None:
    """What follows it on its line is no YAML because of it; how to mend it is enough."""
    plan = SOUND.replace('["{{ policy_days }} days", "thirty days"]', '[{{ policy_days }} days, "thirty days"]')
    assert plan != SOUND
    (fault,) = workspace.codes(plan)
    assert fault[0] == "key-not-text"


def test_where_a_fault_began_is_said_in_plain_words(workspace: Any) -> None:
    """The parser's own words for what it was doing are nobody's."""
    workspace.write("plan.yaml", SOUND.replace("tags: [billing, smoke]", "tags: [billing, smoke"))
    (fault,) = workspace.load()[1]
    assert fault.code == "yaml-syntax"
    assert [(related.message, related.span.line, related.span.column) for related in fault.related] == [
        ("this bracket began here", 5, 7)
    ]
    assert "while" not in workspace.faults(SOUND.replace("description: The", "\tdescription: The"))


def test_a_budget_of_nothing(workspace: Any) -> None:
    """An empty budget limits nothing, so it was meant to say something."""
    said = workspace.faults(SOUND.replace("budget: {max_cost_cents: 900}", "budget: {}"))
    assert "10:1: error: required key is missing [missing-key]" in said
    assert "`max_cost_cents` is required: without it the budget limits nothing" in said

"""Plans as somebody writes them who has not read the documentation: what is said of each mistake, and nothing else.

Each is a sound plan but for what its name says; other tools' words, units and layouts are what people bring along.
"""

from __future__ import annotations

from typing import Any

import pytest
from inline_snapshot import snapshot

from planner.spec.project.project import load_project

FILES: dict[str, tuple[dict[str, str], Any]] = {
    "no version, json-like": (
        {
            "plan.yaml": """\
plan: p
targets: {support: {agent: 12}}
scenarios:
  one:
    prompt: Ask.
    expect: [{check: says, any_of: [yes]}]
""",
        },
        snapshot(["plan.yaml:1:1 missing-key: `version` is required: write version: 1 at the top"]),
    ),
    "tabs": (
        {
            "plan.yaml": """\
version: 1
plan: p
targets:
	support: {agent: 12}
scenarios:
  one:
    prompt: Ask.
    expect: [{check: says, any_of: [yes]}]
""",
        },
        snapshot(["plan.yaml:4:1 yaml-syntax: a tab cannot indent YAML; use spaces"]),
    ),
    "unquoted colon in prompt": (
        {
            "plan.yaml": """\
version: 1
plan: p
targets: {support: {agent: 12}}
scenarios:
  one:
    prompt: You are Ana: ask how long returns take.
    expect: [{check: says, any_of: [yes]}]
""",
        },
        snapshot(
            [
                'plan.yaml:6:24 yaml-syntax: a key cannot stand here: look at its indentation; if this is a text with a colon, put it in quotes: "…: …"'
            ]
        ),
    ),
    "unquoted template value": (
        {
            "plan.yaml": """\
version: 1
plan: p
targets: {support: {agent: 12}}
vars: {days: 30}
scenarios:
  one:
    prompt: {{ days }} days?
    expect: [{check: says, any_of: [yes]}]
""",
        },
        snapshot(['plan.yaml:7:13 key-not-text: YAML reads this as a mapping; quote the template: "{{ days }}"']),
    ),
    "expect as mapping": (
        {
            "plan.yaml": """\
version: 1
plan: p
targets: {support: {agent: 12}}
scenarios:
  one:
    prompt: Ask.
    expect: {check: says, any_of: [yes]}
""",
        },
        snapshot(
            ["plan.yaml:7:13 wrong-type: this must be a list, but it is a mapping; write [{…}], or `- ` before it"]
        ),
    ),
    "any_of text": (
        {
            "plan.yaml": """\
version: 1
plan: p
targets: {support: {agent: 12}}
scenarios:
  one:
    prompt: Ask.
    expect: [{check: says, any_of: yes}]
""",
        },
        snapshot(['plan.yaml:7:36 wrong-type: this must be a list, but it is the text "yes"; write ["yes"]']),
    ),
    "says text": (
        {
            "plan.yaml": """\
version: 1
plan: p
targets: {support: {agent: 12}}
scenarios:
  one:
    prompt: Ask.
    expect:
      - check: says
        text: thirty days
""",
        },
        snapshot(["plan.yaml:9:9 unknown-key: `text` is not a key here; did you mean `any_of`?"]),
    ),
    "target as number": (
        {
            "plan.yaml": """\
version: 1
plan: p
targets: {support: 12}
scenarios:
  one:
    prompt: Ask.
    expect: [{check: says, any_of: [yes]}]
""",
        },
        snapshot(
            ["plan.yaml:3:20 wrong-type: this must be {agent: ID} or {phone_number: ID}, but it is the number 12"]
        ),
    ),
    "target phone": (
        {
            "plan.yaml": """\
version: 1
plan: p
targets: {support: {phone: "+14155550199"}, b: {phone_number: +14155550199}, c: {agent_id: 12}}
scenarios:
  one:
    prompt: Ask.
    expect: [{check: says, any_of: [yes]}]
""",
        },
        snapshot(
            [
                "plan.yaml:3:21 unknown-key: `phone` is not a key here; did you mean `phone_number`?",
                "plan.yaml:3:63 bad-value: this is the number itself, not its id at the service (a whole number such as 77, as its list of phone numbers has it)",
                "plan.yaml:3:82 unknown-key: `agent_id` is not a key here; did you mean `agent`?",
            ]
        ),
    ),
    "target list": (
        {
            "plan.yaml": """\
version: 1
plan: p
targets: [{agent: 12}]
scenarios:
  one:
    prompt: Ask.
    expect: [{check: says, any_of: [yes]}]
""",
        },
        snapshot(
            [
                "plan.yaml:3:11 wrong-type: an alias is a text, but this is a mapping; what to call is written {support: {agent: 12}}"
            ]
        ),
    ),
    "target single": (
        {
            "plan.yaml": """\
version: 1
plan: p
target: {agent: 12}
scenarios:
  one:
    prompt: Ask.
    expect: [{check: says, any_of: [yes]}]
""",
        },
        snapshot(["plan.yaml:3:1 unknown-key: `target` is not a key here; did you mean `targets`?"]),
    ),
    "matrix without axes key": (
        {
            "plan.yaml": """\
version: 1
plan: p
targets: {support: {agent: 12}}
scenarios:
  one:
    prompt: You are {{ mood }}.
    matrix:
      mood: [calm, furious]
      language: [en]
    expect: [{check: says, any_of: [yes]}]
""",
        },
        snapshot(
            [
                "plan.yaml:8:7 missing-key: the axes of a matrix stand under `axes`: write `axes:` above `mood` and `language`, and indent them",
                "plan.yaml:9:7 unused-axis: no template of this scenario uses `language`: the same call would be made for each of its values",
            ]
        ),
    ),
    "matrix list": (
        {
            "plan.yaml": """\
version: 1
plan: p
targets: {support: {agent: 12}}
scenarios:
  one:
    prompt: You are {{ mood }}.
    matrix:
      - {mood: calm}
      - {mood: furious}
    expect: [{check: says, any_of: [yes]}]
""",
        },
        snapshot(
            [
                "plan.yaml:8:7 wrong-type: this must be a mapping such as {axes: {mood: [calm, furious]}}, but it is a list"
            ]
        ),
    ),
    "include short": (
        {
            "plan.yaml": """\
version: 1
plan: p
targets: {support: {agent: 12}}
scenarios:
  one:
    prompt: You are {{ mood }} {{ x }}.
    matrix:
      axes: {mood: [calm], x: [1]}
      include: [{mood: furious}]
      exclude: {mood: calm}
    expect: [{check: says, any_of: [yes]}]
""",
        },
        snapshot(
            [
                "plan.yaml:9:17 missing-key: an include names every axis; `x` is missing",
                "plan.yaml:10:16 wrong-type: this must be a list, but it is a mapping; write [{…}], or `- ` before it",
            ]
        ),
    ),
    "github style matrix": (
        {
            "plan.yaml": """\
version: 1
plan: p
targets: {support: {agent: 12}}
scenarios:
  one:
    prompt: You are ${{ matrix.mood }}.
    matrix:
      axes: {mood: [calm]}
    expect: [{check: says, any_of: [yes]}]
""",
        },
        snapshot(
            [
                "plan.yaml:6:25 template-undefined: `matrix` is neither a variable of the plan nor an axis of `one`; a variable or an axis is written by its own name, such as {{ mood }}"
            ]
        ),
    ),
    "upper scenario name with spaces": (
        {
            "plan.yaml": """\
version: 1
plan: p
targets: {support: {agent: 12}}
scenarios:
  "Refund window!":
    prompt: Ask.
    expect: [{check: says, any_of: [yes]}]
""",
        },
        snapshot(
            [
                'plan.yaml:5:3 not-a-slug: "Refund window!" is not a slug: lower-case letters, digits, - and _; write `refund-window`'
            ]
        ),
    ),
    "indentation wrong": (
        {
            "plan.yaml": """\
version: 1
plan: p
targets: {support: {agent: 12}}
scenarios:
  one:
    prompt: Ask.
     expect: [{check: says, any_of: [yes]}]
""",
        },
        snapshot(
            [
                'plan.yaml:7:12 yaml-syntax: a key cannot stand here: look at its indentation; if this is a text with a colon, put it in quotes: "…: …"'
            ]
        ),
    ),
    "quote missing": (
        {
            "plan.yaml": """\
version: 1
plan: p
targets: {support: {agent: 12}}
scenarios:
  one:
    prompt: "Ask.
    expect: [{check: says, any_of: [yes]}]
  two:
    prompt: "Ask."
""",
        },
        snapshot(
            [
                "plan.yaml:9:14 yaml-syntax: this does not continue the mapping above: its keys begin in one column, and text after a closing quote is not allowed"
            ]
        ),
    ),
    "bracket missing": (
        {
            "plan.yaml": """\
version: 1
plan: p
targets: {support: {agent: 12}}
scenarios:
  one:
    prompt: Ask.
    expect: [{check: says, any_of: [yes}]
""",
        },
        snapshot(
            ["plan.yaml:7:40 yaml-syntax: a `]` is missing before this; look for a bracket or quote that is not closed"]
        ),
    ),
    "wrong severity, wrong check": (
        {
            "plan.yaml": """\
version: 1
plan: p
targets: {support: {agent: 12}}
scenarios:
  one:
    prompt: Ask.
    expect: [{check: contains, any_of: [yes]}, {check: says, any_of: [x], severity: fatal}, {check: say, any_of: [x]}, {check: transfer}, {check: says, any_of: [x], who: caller}]
""",
        },
        snapshot(
            [
                "plan.yaml:7:22 unknown-check: there is no check `contains`; did you mean `says`?",
                "plan.yaml:7:85 not-a-choice: `fatal` is not one of `critical`, `error`, `warning`",
                "plan.yaml:7:101 unknown-check: there is no check `say`; did you mean `says`?",
                "plan.yaml:7:128 unknown-check: there is no check `transfer`; did you mean `call`?",
            ]
        ),
    ),
    "boolean yes": (
        {
            "plan.yaml": """\
version: 1
plan: p
targets: {support: {agent: 12}}
scenarios:
  one:
    prompt: Ask.
    expect: [{check: tool_called, name: x, exact: yes}, {check: says, any_of: [yes, no, 30], ignore_case: "true"}]
""",
        },
        snapshot(
            [
                'plan.yaml:7:51 wrong-type: this must be true or false, but it is the text "yes"; YAML 1.2 reads it as text, write true or false',
                'plan.yaml:7:89 wrong-type: this must be text, but it is the number 30; put it in quotes: "30"',
                'plan.yaml:7:107 wrong-type: this must be true or false, but it is the text "true"; remove the quotes',
            ]
        ),
    ),
    "prompt list": (
        {
            "plan.yaml": """\
version: 1
plan: p
targets: {support: {agent: 12}}
scenarios:
  one:
    prompt: [Ask., Then hang up.]
    expect: [{check: says, any_of: [yes]}]
""",
        },
        snapshot(
            [
                "plan.yaml:6:13 wrong-type: this must be text, but it is a list; write several lines below a |, or put it in quotes"
            ]
        ),
    ),
    "prompt_file missing & absolute": (
        {
            "plan.yaml": """\
version: 1
plan: p
targets: {support: {agent: 12}}
defaults: {expect: [{check: says, any_of: [yes]}]}
scenarios:
  one: {prompt_file: prompts/a.md}
  two: {prompt_file: /etc/passwd}
  three: {prompt_file: ../x.md}
  four: {prompt_file: plan.yaml, prompt: x}
""",
        },
        snapshot(
            [
                "plan.yaml:6:22 file-missing: there is no file prompts/a.md",
                "plan.yaml:7:22 file-outside: write a path relative to this file, inside the repository",
                "plan.yaml:8:24 file-outside: this leads out of the repository; files that a plan names stay inside it",
                "plan.yaml:9:10 two-prompts: this scenario has `prompt` as well; keep one",
            ]
        ),
    ),
    "empty things": (
        {
            "plan.yaml": """\
version: 1
plan:
targets:
scenarios:
""",
        },
        snapshot(
            [
                "plan.yaml:2:1 wrong-type: there is no value here; write one, or remove the key",
                "plan.yaml:3:1 wrong-type: there is no value here; write one, or remove the key",
                "plan.yaml:4:1 wrong-type: there is no value here; write one, or remove the key",
            ]
        ),
    ),
    "extra top": (
        {
            "plan.yaml": """\
version: 1
name: p
plan: p
agents: {support: {agent: 12}}
targets: {support: {agent: 12}}
settings: {runs: 3}
scenarios:
  one:
    prompt: Ask.
    expect: [{check: says, any_of: [yes]}]
    repeat: 3
    timeout: 30
    tag: smoke
""",
        },
        snapshot(
            [
                "plan.yaml:2:1 unknown-key: `name` is not a key here; did you mean `plan`?",
                "plan.yaml:4:1 unknown-key: `agents` is not a key here; did you mean `targets`?",
                "plan.yaml:6:1 unknown-key: `settings` is not a key here; did you mean `defaults`?",
                "plan.yaml:11:5 unknown-key: `repeat` is not a key here; did you mean `runs`?",
                "plan.yaml:12:5 unknown-key: `timeout` is not a key here; did you mean `timeout_seconds`?",
                "plan.yaml:13:5 unknown-key: `tag` is not a key here; did you mean `tags`?",
            ]
        ),
    ),
    "var without vars": (
        {
            "plan.yaml": """\
version: 1
plan: p
targets: {support: {agent: 12}}
variables: {days: 30}
scenarios:
  one:
    prompt: Ask {{ days }} {{ vars.days }}.
    expect: [{check: says, any_of: ["{{ days }}"]}]
""",
        },
        snapshot(["plan.yaml:4:1 unknown-key: `variables` is not a key here; did you mean `vars`?"]),
    ),
    "env": (
        {
            "plan.yaml": """\
version: 1
plan: p
targets: {support: {agent: "${AGENT_ID}"}}
scenarios:
  one:
    prompt: "Ask {{ env.KEY }}."
    expect: [{check: says, any_of: ["x"]}]
""",
        },
        snapshot(
            [
                'plan.yaml:3:28 wrong-type: this must be a whole number, but it is the text "${AGENT_ID}"',
                "plan.yaml:6:21 template-undefined: `env` is neither a variable of the plan nor an axis of `one`; templates see neither the environment nor secrets",
            ]
        ),
    ),
    "runs zero, rate 80, retries": (
        {
            "plan.yaml": """\
version: 1
plan: p
targets: {support: {agent: 12}}
scenarios:
  one:
    prompt: Ask.
    runs: 0
    min_pass_rate: 80
    retries: 10
    confidence: 95
    direction: in
    mode: voice
    expect: [{check: says, any_of: ["x"]}]
""",
        },
        snapshot(
            [
                "plan.yaml:7:11 out-of-range: 0 is out of range: it must be at least 1",
                "plan.yaml:8:20 out-of-range: 80 is out of range: it must be at most 1; 80 % is written 0.8",
                "plan.yaml:9:14 out-of-range: 10 is out of range: it must be at most 5",
                "plan.yaml:10:17 out-of-range: 95 is out of range: it must be less than 1; 95 % is written 0.95",
                "plan.yaml:11:16 not-a-choice: `in` is not one of `outbound`, `inbound`",
                "plan.yaml:12:11 not-a-choice: `voice` is not one of `bot`, `sip`",
            ]
        ),
    ),
    "tool args": (
        {
            "plan.yaml": """\
version: 1
plan: p
targets: {support: {agent: 12}}
scenarios:
  one:
    prompt: Ask.
    expect:
      - {check: tool_called, tool: lookup_order}
      - {check: tool_called, name: lookup_order, args: {id: 1}}
      - {check: tool_called, name: lookup_order, times: "2"}
      - {check: tool_called, name: lookup_order, arguments: [1]}
      - {check: grade, min_score: 80}
      - {check: call, status: complete}
      - {check: latency, p95: 2500}
      - {check: says, any_of: []}
      - {check: says}
      - {check: says, any_of: [a], all_of: [b]}
""",
        },
        snapshot(
            [
                "plan.yaml:8:30 unknown-key: `tool` is not a key here; did you mean `name`?",
                "plan.yaml:9:50 unknown-key: `args` is not a key here; did you mean `arguments`?",
                "plan.yaml:10:57 bad-expectation: must be a whole number of 1 or more, or {min: N, max: M}",
                "plan.yaml:11:61 wrong-type: this must be a mapping of keys to values, but it is a list, such as {order_id: A-17}",
                "plan.yaml:12:35 bad-expectation: a score runs from 0 to 1: for 80 of 100 write 0.8",
                "plan.yaml:13:31 not-a-choice: `complete` is not one of `completed`; did you mean `completed`?",
                "plan.yaml:14:26 unknown-key: `p95` is not a key here; did you mean `p95_ms`?",
                "plan.yaml:15:31 bad-expectation: needs at least one phrase",
                "plan.yaml:16:9 bad-expectation: needs one of `any_of`, `all_of` or `matches`: the words to look for",
                "plan.yaml:17:9 bad-expectation: takes one of `any_of`, `all_of` and `matches`, not `any_of` and `all_of`",
            ]
        ),
    ),
    "two docs / alias": (
        {
            "plan.yaml": """\
version: 1
plan: p
targets: {support: {agent: 12}}
scenarios:
  one: &one
    prompt: Ask.
    expect: [{check: says, any_of: ["x"]}]
  two:
    <<: *on
    prompt: Ask again.
""",
        },
        snapshot(["plan.yaml:9:9 bad-alias: there is no anchor &on above; did you mean *one?"]),
    ),
    "csv": (
        {
            "plan.yaml": """\
version: 1
plan: p
targets: {support: {agent: 12}}
defaults: {expect: [{check: says, any_of: ["x"]}]}
scenarios:
  one:
    prompt: "{{ o }}"
    matrix: {axes: {o: {file: orders.csv}}}
  two:
    prompt: "{{ o }}"
    matrix: {axes: {o: {file: orders.csv, column: nummer}}}
  three:
    prompt: "{{ o }}"
    matrix: {axes: {o: {csv: orders.csv, column: number}}}
  four:
    prompt: "{{ o }}"
    matrix: {axes: {o: {file: order.csv, column: number}}}
""",
            "orders.csv": """\
number,name
1,a
2
""",
        },
        snapshot(
            [
                "plan.yaml:8:31 bad-axis-file: `column` is required: orders.csv has `number`, `name`",
                "plan.yaml:11:51 bad-axis-file: orders.csv has no column `nummer`; did you mean `number`?",
                "plan.yaml:14:24 wrong-type: this must be a list, but it is a mapping; write [first, second], or {file: orders.csv, column: number} or {use: NAME}",
                "plan.yaml:17:31 file-missing: there is no file order.csv; did you mean orders.csv?",
            ]
        ),
    ),
    "library misuse": (
        {
            "plan.yaml": """\
version: 1
plan: p
import: [lib/voice.yaml]
targets: {support: {agent: 12}}
scenarios:
  one:
    prompt: "{{ m }}"
    expect: [{use: polit}, use: polite]
    matrix: {axes: {m: {use: mood}}}
""",
            "lib/voice.yaml": """\
version: 1
kind: library
expectations: {polite: {check: says, any_of: [x]}}
axes: {moods: [a, b]}
""",
        },
        snapshot(["plan.yaml:3:1 unknown-key: `import` is not a key here; did you mean `imports`?"]),
    ),
    "library used well with typos": (
        {
            "plan.yaml": """\
version: 1
plan: p
imports: lib/voice.yaml
targets: {support: {agent: 12}}
scenarios:
  one:
    prompt: "{{ m }}"
    expect: [{use: polit}, {use: polite, sevrity: warning}]
    matrix: {axes: {m: {use: mood}}}
""",
            "lib/voice.yaml": """\
version: 1
kind: library
expectations: {polite: {check: says, any_of: [x]}}
axes: {moods: [a, b]}
""",
        },
        snapshot(
            [
                'plan.yaml:3:10 wrong-type: this must be a list, but it is the text "lib/voice.yaml"; write ["lib/voice.yaml"]',
                "plan.yaml:8:42 unknown-key: `sevrity` is not a key here; did you mean `severity`?",
            ]
        ),
    ),
    "planner.yaml": (
        {
            "plan.yaml": """\
version: 1
plan: p
targets: [support]
scenarios:
  one:
    prompt: "x"
    expect: [{check: says, any_of: [x]}]
""",
            "planner.yaml": """\
environment: {staging: {support: {agent: 12}}}
policy: {max_cost: 9, allowed_targets: [12], quiet_hours: "20:00-08:00"}
rates: {spark: "8"}
""",
        },
        snapshot(
            [
                "planner.yaml:1:1 unknown-key: `environment` is not a key here; did you mean `environments`?",
                "planner.yaml:2:10 unknown-key: `max_cost` is not a key here; did you mean `max_cost_cents`?",
                "planner.yaml:2:41 wrong-type: this must be {agent: ID} or {phone_number: ID}, but it is the number 12",
                'planner.yaml:2:59 wrong-type: this must be a mapping such as {start: "20:00", end: "08:00", time_zone: Europe/Berlin}, but it is the text "20:00-08:00"',
                'planner.yaml:3:16 wrong-type: this must be a number, but it is the text "8"; remove the quotes',
            ]
        ),
    ),
    "quarantine": (
        {
            "plan.yaml": """\
version: 1
plan: p
targets: {support: {agent: 12}}
scenarios:
  one:
    prompt: Ask.
    quarantine: ticket 41
    expect: [{check: says, any_of: [yes]}]
  two:
    prompt: Ask.
    quarantine: {until: 31.01.2027, reason: x}
    expect: [{check: says, any_of: [yes]}]
  three:
    prompt: Ask.
    quarantine: true
    target_number: 4155550199
    expect: [{check: says, any_of: [yes]}]
""",
        },
        snapshot(
            [
                'plan.yaml:7:17 wrong-type: this must be a mapping such as {until: 2027-01-31, reason: ticket VOX-41}, but it is the text "ticket 41"',
                'plan.yaml:11:25 bad-value: this must be a day, such as 2027-01-31, but it is the text "31.01.2027"; write 2027-01-31',
                "plan.yaml:15:17 wrong-type: this must be a mapping such as {until: 2027-01-31, reason: ticket VOX-41}, but it is the boolean true",
                'plan.yaml:16:20 not-e164: YAML reads this as the number 4155550199, without a plus; put it in quotes: "+4155550199"',
            ]
        ),
    ),
    "duplicate scenario": (
        {
            "plan.yaml": """\
version: 1
plan: p
targets: {support: {agent: 12}}
scenarios:
  one:
    prompt: Ask.
    expect: [{check: says, any_of: [yes]}]
  one:
    prompt: Ask 2.
    expect: [{check: says, any_of: [yes]}]
""",
        },
        snapshot(["plan.yaml:8:3 duplicate-key: `one` is written twice in this mapping; keep one"]),
    ),
    "all expect under defaults wrong level": (
        {
            "plan.yaml": """\
version: 1
plan: p
targets: {support: {agent: 12}}
expect: [{check: says, any_of: [yes]}]
runs: 3
scenarios:
  one:
    prompt: Ask.
""",
        },
        snapshot(
            [
                "plan.yaml:4:1 unknown-key: `expect` is not a key here; a scenario has it, and `defaults` for all scenarios",
                "plan.yaml:5:1 unknown-key: `runs` is not a key here; a scenario has it, and `defaults` for all scenarios",
            ]
        ),
    ),
    "units": (
        {
            "plan.yaml": """\
version: 1
plan: p
targets: {support: {agent: 12}}
budget: {max_cost_cents: $9}
scenarios:
  one:
    prompt: Ask.
    stagger_seconds: 2s
    timeout_seconds: 15 min
    min_pass_rate: 80%
    max_age: 14 days
    expect: [{check: duration, max_seconds: 3m}, {check: latency, p95_ms: 2.5s}, {check: cost, max_cents: 0.50 USD}, {check: duration, max_seconds: fast}, {check: duration, max_seconds: "180"}]
""",
        },
        snapshot(
            [
                'plan.yaml:4:26 wrong-type: this must be a whole number, but it is the text "$9"; write 900 (cents)',
                'plan.yaml:8:22 wrong-type: this must be a whole number, but it is the text "2s"; write 2 (seconds)',
                'plan.yaml:9:22 wrong-type: this must be a number, but it is the text "15 min"; write 900 (seconds)',
                'plan.yaml:10:20 wrong-type: this must be a number, but it is the text "80%"; write 0.8 (as a share of 1)',
                'plan.yaml:11:14 bad-value: this must be a number and h, d or w, such as 14d for fourteen days, but it is the text "14 days"; write 14d',
                'plan.yaml:12:45 wrong-type: this must be a number, but it is the text "3m"; write 180 (seconds)',
                'plan.yaml:12:75 wrong-type: this must be a number, but it is the text "2.5s"; write 2500 (milliseconds)',
                'plan.yaml:12:107 wrong-type: this must be a whole number, but it is the text "0.50 USD"; write 50 (cents)',
                'plan.yaml:12:149 wrong-type: this must be a number, but it is the text "fast"',
                'plan.yaml:12:187 wrong-type: this must be a number, but it is the text "180"; remove the quotes',
            ]
        ),
    ),
    "lists as texts, texts as lists": (
        {
            "plan.yaml": """\
version: 1
plan: p
targets: support
tags: billing, smoke
scenarios:
  one:
    prompt: You are {{ mood }}, {{ caller }}, {{ order }}.
    matrix:
      axes:
        mood: calm, furious
        caller: [{file: callers.jsonl}]
        order: [{use: orders}, A-17]
    expect:
      - {check: says, any_of: "hello, how are you"}
      - {check: says, matches: [order, parcel]}
      - {check: says, matches: [0-9]}
      - {check: says, matches: [order]}
      - {check: sequence, steps: [lookup_order, {says: order}, {says: [parcel]}, {tool: {name: refund}}]}
      - use: [polite, quick]
""",
        },
        snapshot(
            [
                'plan.yaml:3:10 wrong-type: this must be a list, but it is the text "support"; write ["support"]; or define what to call: {support: {agent: 12}}',
                'plan.yaml:4:7 wrong-type: this must be a list, but it is the text "billing, smoke"; write ["billing", "smoke"]',
                'plan.yaml:10:15 wrong-type: this must be a list, but it is the text "calm, furious"; write ["calm", "furious"], or ["calm, furious"] if it is one text, or {file: orders.csv, column: number} or {use: NAME}',
                "plan.yaml:11:18 bad-axis: {file: …} stands for all values of an axis: write it without the brackets, and without others beside it",
                "plan.yaml:12:17 bad-axis: {use: …} stands for all values of an axis: write it without the brackets, and without others beside it",
                'plan.yaml:14:31 wrong-type: this must be a list, but it is the text "hello, how are you"; write ["hello", "how are you"], or ["hello, how are you"] if it is one text',
                'plan.yaml:15:32 wrong-type: this must be text, but it is a list; one pattern finds any of several with | between them: "order|parcel"',
                "plan.yaml:16:32 wrong-type: this must be text, but it is a list; put it in quotes: '[0-9]'",
                'plan.yaml:17:32 wrong-type: this must be text, but it is a list; write "order"',
                'plan.yaml:18:35 wrong-type: this must be a mapping of keys to values, but it is the text "lookup_order"; write {tool: lookup_order}',
                'plan.yaml:18:56 wrong-type: this must be a mapping of keys to values, but it is the text "order"; write {any_of: ["order"]}',
                'plan.yaml:18:71 wrong-type: this must be a mapping of keys to values, but it is a list; write {any_of: ["parcel"]}',
                "plan.yaml:18:89 wrong-type: this must be text, but it is a mapping; write tool: refund",
                "plan.yaml:19:14 wrong-type: this must be text, but it is a list; a `use` names one; write an item for each: - use: NAME",
            ]
        ),
    ),
    "words of other tools": (
        {
            "planner.yaml": """\
policy: {max_cost_cents: "20,000", max_calls: 1_000, quiet_hours: {start: "20:00", end: "08:00", time_zone: Berlin}}
judge: {url: "https://api.openai.com/v1", model: m, cents_per_vote: 0}
""",
            "plan.yaml": """\
version: 1
plan: p
targets: {support: {agent: 12}}
scenarios:
  one:
    prompt: Ask.
    direction: incoming
    confidence: 90%
    skip: {until: 2027-01-31, reason: ticket VOX-41}
    expect:
      - {check: not_says, any_of: [a]}
      - {check: says, role: customer, any_of: [b]}
      - {check: says, who: customer, any_of: [c]}
      - {check: judge, prompt: The agent is kind.}
      - {check: judge, rubric: The agent is kind., votes: 3, threshold: 60}
      - {check: expression, expression: "turns.length() > 2"}
      - {check: expression, cel: "turns.length() > 2"}
      - {check: expression, cel: "tools.size > 2"}
      - {check: expression, cel: call.duration > 2.0}
      - {check: any_of, any_of: [{check: call, end_reason: transfer}]}
      - {check: pacing, talk_ratio: {max: 70}}
      - {check: no_pii, kinds: [credit_card]}
""",
        },
        snapshot(
            [
                "plan.yaml:7:16 not-a-choice: `incoming` is not one of `outbound`, `inbound`; did you mean `inbound`?",
                'plan.yaml:8:17 wrong-type: this must be a number, but it is the text "90%"; write 0.9 (as a share of 1)',
                "plan.yaml:9:5 unknown-key: `skip` is not a key here; did you mean `quarantine`?",
                "plan.yaml:11:17 unknown-check: there is no check `not_says`; did you mean `never_says`?",
                "plan.yaml:12:23 unknown-key: `role` is not a key here; did you mean `who`?",
                "plan.yaml:13:28 not-a-choice: `customer` is not one of `agent`, `caller`, `any`; did you mean `caller`?",
                "plan.yaml:14:24 unknown-key: `prompt` is not a key here; did you mean `rubric`, which is required?",
                "plan.yaml:15:73 out-of-range: 60 is out of range: it must be at most 1; 60 % is written 0.6",
                "plan.yaml:16:29 unknown-key: `expression` is not a key here; did you mean `cel`?",
                "plan.yaml:17:41 bad-expectation: there is no function `length`; write .size()",
                "plan.yaml:18:41 bad-expectation: a list has no `size`; write .size()",
                "plan.yaml:19:39 bad-expectation: a call has no `duration`; write duration_seconds",
                "plan.yaml:20:25 unknown-key: `any_of` is not a key here; did you mean `of`?",
                "plan.yaml:21:43 out-of-range: 70 is out of range: it must be at most 1; 70 % is written 0.7",
                "plan.yaml:22:33 not-a-choice: `credit_card` is not one of `card`, `bank`, `identity`, `email`; did you mean `card`?",
                'planner.yaml:1:26 wrong-type: this must be a whole number, but it is the text "20,000"; write 20000',
                'planner.yaml:1:47 wrong-type: this must be a whole number, but it is the text "1_000"; write 1000',
                "planner.yaml:1:109 bad-value: `Berlin` is not a name of the time zone database; did you mean `Europe/Berlin`?",
                "planner.yaml:2:9 unknown-key: `url` is not a key here; did you mean `base_url`?",
            ]
        ),
    ),
    "paths and names of libraries": (
        {
            "plans/lib/voice.yaml": """\
version: 1
kind: library
expectations: {polite: {check: call, status: completed}}
""",
            "plan.yaml": """\
version: 1
plan: p
imports: [plans/lib/voice.yaml]
targets: {support: {agent: 12}}
scenarios:
  one: {prompt: Ask., expect: [polite, polite: {severity: warning}, use: polite]}
""",
        },
        snapshot(
            [
                "plan.yaml:6:32 missing-key: `polite` is of a library: write - use: polite",
                "plan.yaml:6:40 missing-key: `polite` is of a library: write - use: polite",
            ]
        ),
    ),
}


@pytest.mark.parametrize("mistake", FILES)
def test_what_a_newcomer_is_told(mistake: str, workspace: Any) -> None:
    """Place, why, and what to write instead: one fault for each mistake."""
    files, said = FILES[mistake]
    for name, text in files.items():
        workspace.write(name, text)
    project, found = load_project(workspace.root, cwd=workspace.root)
    workspace.project = project
    found.items.extend(workspace.load()[1].items)
    assert [
        f"{item.span.file}:{item.span.line}:{item.span.column} {item.code}: {item.detail}" for item in found
    ] == said

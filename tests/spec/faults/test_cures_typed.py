"""A mistake is told once, with its cure; typed as told, it gives a plan without a fault: each of these once had no cure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from inline_snapshot import snapshot

from planner.spec import load_plans
from planner.spec.project.project import load_project

HEAD = "version: 1\nplan: x\ntargets: {support: {agent: 14}}\n"
EXPECT = "defaults: {expect: [{check: call, status: completed}]}\nscenarios:\n"
SCENARIO = "scenarios:\n  s:\n    prompt: hi\n    expect:\n"
COMMON = "  common: {runs: 3, prompt: hello}\n"
ANCHORED = "  common: &common {runs: 3, prompt: hello}\n"
PROJECT = {"plan.yaml": HEAD + EXPECT + "  s: {prompt: hi}\n"}
LIBRARY = "expectations: {polite: {check: never_says, any_of: [calm]}}\naxes: {mood: [calm, furious]}\n"

Files = dict[str, str]


def plan(text: str) -> Files:
    return {"plan.yaml": HEAD + text}


USES = plan(
    "imports: [lib/voice.yaml]\nscenarios:\n  s:\n    prompt: be {{ mood }}\n    matrix: {axes: {mood: {use: mood}}}\n"
    "    expect:\n      - use: polite\n"
)


def told(workspace: Any, files: Files) -> list[str]:
    """Every fault of these files, planner.yaml's too: its place, and its detail."""
    for name, text in files.items():
        workspace.write(name, text)
    project, diagnostics = load_project(workspace.root, cwd=workspace.root)
    _, found = load_plans([Path()], cwd=workspace.root, project=project)
    return [
        f"{item.span.file}:{item.span.line}:{item.span.column} {item.code}: {item.detail}"
        for item in (*diagnostics, *found)
    ]


LEFT: dict[str, tuple[Files, list[str], Files]] = {
    "a word where an alias is to be merged": (
        plan(EXPECT + ANCHORED + "  s:\n    <<: common\n    prompt: hi\n"),
        snapshot(["plan.yaml:8:9 bad-alias: this is a text, and an alias begins with *: write *common"]),
        plan(EXPECT + ANCHORED + "  s:\n    <<: *common\n    prompt: hi\n"),
    ),
    "one in an expectation": (
        plan(SCENARIO + "      - {<<: polite, check: never_says}\n"),
        snapshot(
            [
                "plan.yaml:8:14 bad-alias: this is a text, and an alias begins with *: write *polite here, and &polite before what it is to stand for, further up"
            ]
        ),
        plan(
            "scenarios:\n  r:\n    prompt: hi\n    expect:\n      - &polite {check: never_says, any_of: [calm]}\n"
            "  s:\n    prompt: hi\n    expect:\n      - {<<: *polite, check: never_says}\n"
        ),
    ),
    "one of which there is no anchor": (
        plan(EXPECT + COMMON + "  s:\n    <<: [common]\n    prompt: hi\n"),
        snapshot(
            [
                "plan.yaml:8:10 bad-alias: this is a text, and an alias begins with *: write *common here, and &common before what it is to stand for, further up"
            ]
        ),
        plan(EXPECT + ANCHORED + "  s:\n    <<: [*common]\n    prompt: hi\n"),
    ),
    "one in quotes": (
        plan(EXPECT + ANCHORED + "  s:\n    <<: '*comon'\n    prompt: hi\n"),
        snapshot(["plan.yaml:8:9 bad-alias: this is a text, and an alias begins with *: write *common"]),
        plan(EXPECT + ANCHORED + "  s:\n    <<: *common\n    prompt: hi\n"),
    ),
    "an anchor in place of an alias": (
        plan(EXPECT + ANCHORED + "  s:\n    <<: &common\n    prompt: hi\n"),
        snapshot(["plan.yaml:8:9 bad-alias: & gives a name to what follows it, here nothing: write *common"]),
        plan(EXPECT + ANCHORED + "  s:\n    <<: *common\n    prompt: hi\n"),
    ),
    "an alias alone amid keys": (
        plan(EXPECT + ANCHORED + "  s:\n    *common\n    prompt: hi\n"),
        snapshot(["plan.yaml:9:5 yaml-syntax: to take over the keys of an anchor, write <<: *common"]),
        plan(EXPECT + ANCHORED + "  s:\n    <<: *common\n    prompt: hi\n"),
    ),
    "an alias alone below keys": (
        plan(EXPECT + ANCHORED + "  s:\n    prompt: hi\n    *common\n"),
        snapshot(["plan.yaml:9:5 yaml-syntax: to take over the keys of an anchor, write <<: *common"]),
        plan(EXPECT + ANCHORED + "  s:\n    prompt: hi\n    <<: *common\n"),
    ),
    "an alias alone in braces": (
        plan(EXPECT + ANCHORED + "  s: {*common, prompt: hi}\n"),
        snapshot(["plan.yaml:7:7 key-not-text: to take over the keys of an anchor, write <<: *common"]),
        plan(EXPECT + ANCHORED + "  s: {<<: *common, prompt: hi}\n"),
    ),
    "an alias as an item amid keys": (
        plan(EXPECT + ANCHORED + "  s:\n    - *common\n    prompt: hi\n"),
        snapshot(
            ["plan.yaml:9:5 yaml-syntax: to take over the keys of an anchor, write <<: *common in place of `- *common`"]
        ),
        plan(EXPECT + ANCHORED + "  s:\n    <<: *common\n    prompt: hi\n"),
    ),
    "the name of an anchor alone amid keys": (
        plan(EXPECT + ANCHORED + "  s:\n    common\n    prompt: hi\n"),
        snapshot(
            [
                "plan.yaml:9:11 yaml-syntax: `common` above is no key: a colon is missing, as in common: …; or to take over the keys of an anchor, write <<: *common"
            ]
        ),
        plan(EXPECT + ANCHORED + "  s:\n    <<: *common\n    prompt: hi\n"),
    ),
    "an alias of a list as the only item": (
        plan(
            EXPECT
            + "  r: {prompt: hello, expect: &all [{check: cost, max_cents: 90}]}\n  s: {prompt: hi, expect: [*all]}\n"
        ),
        snapshot(
            [
                "plan.yaml:7:28 wrong-type: this must be a mapping such as {check: says, any_of: [...]}, but it is a list; the list is *all itself: write expect: *all"
            ]
        ),
        plan(
            EXPECT
            + "  r: {prompt: hello, expect: &all [{check: cost, max_cents: 90}]}\n  s: {prompt: hi, expect: *all}\n"
        ),
    ),
    "fractions": (
        plan(
            "scenarios:\n  s:\n    prompt: hi\n    runs: 3\n    min_pass_rate: 2/3\n    confidence: 9 of 10\n    expect:\n"
            "      - {check: cost, max_cents: 90, min_pass_rate: 3/5}\n"
        ),
        snapshot(
            [
                'plan.yaml:8:20 wrong-type: this must be a number, but it is the text "2/3"; write 0.6666',
                'plan.yaml:9:17 wrong-type: this must be a number, but it is the text "9 of 10"; write 0.9',
                'plan.yaml:11:53 wrong-type: this must be a number, but it is the text "3/5"; write 0.6',
            ]
        ),
        plan(
            "scenarios:\n  s:\n    prompt: hi\n    runs: 30\n    min_pass_rate: 0.6666\n    confidence: 0.9\n    expect:\n"
            "      - {check: cost, max_cents: 90, min_pass_rate: 0.6}\n"
        ),
    ),
    "a fraction of runs": (
        plan(EXPECT + "  s: {prompt: hi, runs: 3/5}\n"),
        snapshot(
            [
                'plan.yaml:6:25 wrong-type: this must be a whole number, but it is the text "3/5"; for 3 of 5 calls write runs: 5 and min_pass_rate: 0.6'
            ]
        ),
        plan(EXPECT + "  s: {prompt: hi, runs: 5, min_pass_rate: 0.6}\n"),
    ),
    "a number where a range is wanted": (
        plan(
            SCENARIO
            + "".join(
                f"      - {{check: pacing, {key}: {value}}}\n"
                for key, value in (
                    ("talk_ratio", "0.7"),
                    ("talk_ratio", "70%"),
                    ("talk_ratio", "30"),
                    ("talk_ratio", "[0.3, 0.6]"),
                    ("talk_ratio", "30-60 %"),
                    ("talk_ratio", "half"),
                    ("words_per_minute", "190"),
                    ("words_per_minute", "100 to 190"),
                )
            )
        ),
        snapshot(
            [
                "plan.yaml:8:37 wrong-type: this must be a mapping of keys to values, but it is the number 0.7; write {max: 0.7} for at most, {min: 0.7} for at least",
                'plan.yaml:9:37 wrong-type: this must be a mapping of keys to values, but it is the text "70%"; write {max: 0.7} for at most, {min: 0.7} for at least',
                "plan.yaml:10:37 wrong-type: this must be a mapping of keys to values, but it is the number 30; write {max: 0.3} for at most, {min: 0.3} for at least",
                "plan.yaml:11:37 wrong-type: this must be a mapping of keys to values, but it is a list; write {min: 0.3, max: 0.6}",
                'plan.yaml:12:37 wrong-type: this must be a mapping of keys to values, but it is the text "30-60 %"; write {min: 0.3, max: 0.6}',
                'plan.yaml:13:37 wrong-type: this must be a mapping of keys to values, but it is the text "half"; write {min: 0.3, max: 0.6}, or one of the two',
                "plan.yaml:14:43 wrong-type: this must be a mapping of keys to values, but it is the number 190; write {max: 190} for at most, {min: 190} for at least",
                'plan.yaml:15:43 wrong-type: this must be a mapping of keys to values, but it is the text "100 to 190"; write {min: 100, max: 190}',
            ]
        ),
        plan(
            SCENARIO
            + "".join(
                f"      - {{check: pacing, {key}: {value}}}\n"
                for key, value in (
                    ("talk_ratio", "{max: 0.7}"),
                    ("talk_ratio", "{max: 0.8}"),
                    ("talk_ratio", "{min: 0.3}"),
                    ("talk_ratio", "{min: 0.3, max: 0.7}"),
                    ("words_per_minute", "{max: 190}"),
                    ("words_per_minute", "{min: 100, max: 190}"),
                )
            )
        ),
    ),
    "a number where rates are wanted": (
        PROJECT | {"planner.yaml": "rates: 8\n"},
        snapshot(
            [
                "planner.yaml:1:8 wrong-type: this must be a mapping of keys to values, but it is the number 8; write {spark: 8}, cents a minute by product: spark, bolt, storm-base or whichever your agents are"
            ]
        ),
        PROJECT | {"planner.yaml": "rates: {spark: 8}\n"},
    ),
    "a rate in words": (
        PROJECT | {"planner.yaml": "rates: [9.5 cents/min]\n"},
        snapshot(
            [
                "planner.yaml:1:8 wrong-type: this must be a mapping of keys to values, but it is a list; write {spark: 9.5}, cents a minute by product: spark, bolt, storm-base or whichever your agents are"
            ]
        ),
        PROJECT | {"planner.yaml": "rates: {spark: 9.5}\n"},
    ),
    "a value where settings are wanted": (
        PROJECT | {"planner.yaml": "judge: gpt-4o-mini\nexecution: 30\n"},
        snapshot(
            [
                'planner.yaml:1:8 wrong-type: this must be a mapping of keys to values, but it is the text "gpt-4o-mini", such as {base_url: https://api.openai.com/v1, model: gpt-4o-mini, cents_per_vote: 0.2}',
                "planner.yaml:2:12 wrong-type: this must be a mapping of keys to values, but it is the number 30, such as {settle_seconds: 30}",
            ]
        ),
        PROJECT
        | {
            "planner.yaml": "judge: {base_url: https://api.openai.com/v1, model: gpt-4o-mini, cents_per_vote: 0.2}\n"
            "execution: {settle_seconds: 30}\n"
        },
    ),
    "steps that are written as checks": (
        plan(
            SCENARIO + "      - check: sequence\n        steps:\n          - {check: tool_called, name: f}\n"
            "          - {check: says, any_of: [your refund], who: agent, in: last}\n          - {tool: g}\n"
        ),
        snapshot(
            [
                'plan.yaml:10:14 unknown-key: `check` is not a key here; a step has no `check`: write steps: [{tool: f}, {says: {any_of: ["your refund"], who: agent}}, {tool: g}]; no step takes `in`: ask that beside the sequence'
            ]
        ),
        plan(
            SCENARIO
            + "      - {check: sequence, steps: [{tool: f}, {says: {any_of: [your refund], who: agent}}, {tool: g}]}\n"
        ),
    ),
    "steps of which something is lost, and one that is half a check": (
        plan(
            SCENARIO + "      - check: sequence\n        steps:\n          - {check: tool_called, tool: f}\n"
            "          - {check: tool_called, name: g, id: paid, arguments: {a: 1}, times: 2}\n"
        ),
        snapshot(
            [
                "plan.yaml:10:14 unknown-key: `check` is not a key here; a step has no `check`: write steps: [{tool: f}, {tool: g}]; no step takes `arguments` or `times`: ask that beside the sequence"
            ]
        ),
        plan(SCENARIO + "      - {check: sequence, steps: [{tool: f}, {tool: g}]}\n"),
    ),
    "steps below the key of a combinator, named by the check": (
        plan(
            SCENARIO
            + "      - {check: any_of, of: [{check: sequence, of: [{tool_called: f}, {check: says, matches: '(?i)paid'}]}, {check: cost, max_cents: 9}]}\n"
        ),
        snapshot(
            [
                'plan.yaml:8:48 unknown-key: `of` is not a key here; a step has no `check`: write steps: [{tool: f}, {says: {matches: "(?i)paid"}}]'
            ]
        ),
        plan(
            SCENARIO
            + '      - {check: any_of, of: [{check: sequence, steps: [{tool: f}, {says: {matches: "(?i)paid"}}]}, {check: cost, max_cents: 9}]}\n'
        ),
    ),
    "many steps, and one that is no step": (
        plan(
            SCENARIO
            + "".join(
                f"      - check: sequence\n        steps: [{{check: {kind}, name: {'f' * 30}}}, {{tool_called: {'g' * 30}}}, {{tool_called: {'h' * 30}}}]\n"
                for kind in ("tool_called", "tool_not_called")
            )
        ),
        snapshot(
            [
                "plan.yaml:9:18 unknown-key: `check` is not a key here; a step has no `check`: write {tool: ffffffffffffffffffffffffffffff}; and 2 more alike",
                "plan.yaml:11:18 unknown-key: `check` is not a key here; `tool_not_called` is no step, of which there are {says: …} and {tool: NAME}: write it beside the sequence, as an expectation of its own",
            ]
        ),
        plan(
            SCENARIO + f"      - {{check: sequence, steps: [{{tool: {'g' * 30}}}, {{tool: {'h' * 30}}}]}}\n"
            f"      - {{check: tool_not_called, name: {'f' * 30}}}\n"
        ),
    ),
    "steps as checks, and the name of a check with its value alone": (
        plan(
            SCENARIO + "      - {tool: f}\n      - {says: order}\n      - {duration: 180}\n      - {no_pii: true}\n"
            "      - sequence: [{tool: f}, {tool: g}]\n      - {expression: 'call.duration_seconds < 90.0'}\n"
        ),
        snapshot(
            [
                "plan.yaml:8:9 missing-key: `check` is required: write {check: tool_called, name: f}",
                'plan.yaml:9:10 missing-key: `check` is required: write {check: says, any_of: ["order"]}',
                "plan.yaml:10:10 missing-key: `check` is required: write {check: duration, max_seconds: 180}",
                "plan.yaml:11:10 missing-key: `check` is required: write {check: no_pii}",
                "plan.yaml:12:9 missing-key: `check` is required: write {check: sequence, steps: […]}",
                'plan.yaml:13:10 missing-key: `check` is required: write {check: expression, cel: "call.duration_seconds < 90.0"}',
            ]
        ),
        plan(
            SCENARIO + "      - {check: tool_called, name: f}\n      - {check: says, any_of: [order]}\n"
            "      - {check: duration, max_seconds: 180}\n      - {check: no_pii}\n"
            "      - {check: sequence, steps: [{tool: f}, {tool: g}]}\n"
            '      - {check: expression, cel: "call.duration_seconds < 90.0"}\n'
        ),
    ),
    "a key by another name than the one that is required": (
        plan(
            SCENARIO
            + "      - {check: tool_called, function: f, severty: error}\n      - {check: expression, code: 'true'}\n"
            "      - {check: any_of, checks: [{check: cost, max_cents: 9}, {check: tool_called, tool: g}]}\n"
            "      - {check: field, jsonpath: $.status, exists: true}\n"
        ),
        snapshot(
            [
                "plan.yaml:8:30 unknown-key: `function` is not a key here; did you mean `name`, which is required?",
                "plan.yaml:8:43 unknown-key: `severty` is not a key here; did you mean `severity`?",
                "plan.yaml:9:29 unknown-key: `code` is not a key here; did you mean `cel`, which is required?",
                "plan.yaml:10:25 unknown-key: `checks` is not a key here; did you mean `of`, which is required?",
                "plan.yaml:11:24 unknown-key: `jsonpath` is not a key here; did you mean `path`, which is required?",
            ]
        ),
        plan(
            SCENARIO + "      - {check: tool_called, name: f, severity: error}\n"
            "      - {check: any_of, of: [{check: cost, max_cents: 9}, {check: tool_called, name: g}]}\n"
            "      - {check: field, path: $.status, exists: true}\n"
        ),
    ),
    "a template without quotes": (
        plan(
            "vars: {n: 9, limit: {{ n }}}\nscenarios:\n  s:\n    prompt: {{ n }}\n    runs: {{ n }}\n    expect:\n"
            "      - {check: duration, max_seconds: '{{ limit }}'}\n      - {check: cost, max_cents: {{ n }}}\n"
            "      - {check: says, any_of: [{{ number }}]}\n"
        ),
        snapshot(
            [
                "plan.yaml:4:21 literal-template: values are no templates: the braces would be said as they are; write the text out, or use the name in the prompt",
                'plan.yaml:7:13 key-not-text: YAML reads this as a mapping; quote the template: "{{ n }}"',
                'plan.yaml:8:11 wrong-type: this must be a whole number, but it is the text "{{ n }}"; templates are for prompts and expectations: write the value itself',
                'plan.yaml:11:34 key-not-text: YAML reads this as a mapping; quote the template: "{{ n }}"',
                'plan.yaml:12:32 key-not-text: YAML reads this as a mapping; quote the template: "{{ number }}"',
                "plan.yaml:12:35 template-undefined: `number` is neither a variable of the plan nor an axis of `s`; known: `limit`, `n`",
            ]
        ),
        plan(
            "vars: {n: 9}\nscenarios:\n  s:\n    prompt: '{{ n }}'\n    runs: 9\n    expect:\n"
            "      - {check: duration, max_seconds: 9}\n      - {check: cost, max_cents: '{{ n }}'}\n"
            "      - {check: says, any_of: ['{{ n }}']}\n"
        ),
    ),
    "a template without quotes where none is read": (
        {
            "plan.yaml": "version: 1\nplan: {{ b }}\nimports: [{{ a }}]\ntargets: {support: {agent: {{ c }}}}\n"
            "scenarios:\n  s: {{ y }}\n  t: {prompt: hi, expect: [{check: {{ x }}}, {{ z }}]}\n",
        },
        snapshot(
            [
                'plan.yaml:2:7 not-a-slug: "{{ b }}" is not a slug: lower-case letters, digits, - and _; write `b`',
                "plan.yaml:3:11 file-missing: there is no file {{ a }}",
                'plan.yaml:4:28 wrong-type: this must be a whole number, but it is the text "{{ c }}"; templates are for prompts and expectations: write the value itself',
                'plan.yaml:6:6 wrong-type: a scenario is a mapping with a prompt and what is expected, but this is the text "{{ y }}"',
                "plan.yaml:7:36 unknown-check: there is no check `{{ x }}`; known: `all_of`, `any_of`, `call`, `cost`, `duration`, `expression`, `field`, `grade`, `judge`, `language`, `latency`, `never_says`, `no_pii`, `not`, `pacing`, `says`, `sequence`, `similar`, `tool_called`, `tool_not_called`",
                'plan.yaml:7:46 wrong-type: this must be a mapping such as {check: says, any_of: [...]}, but it is the text "{{ z }}"',
            ]
        ),
        PROJECT,
    ),
    "steps of nothing": (
        plan(SCENARIO + "      - {check: sequence, steps: [{check: says}, {tool: f}]}\n"),
        snapshot(
            [
                "plan.yaml:8:36 unknown-key: `check` is not a key here; a step has no `check`: write steps: [{says: {any_of: […]}}, {tool: f}]"
            ]
        ),
        plan(SCENARIO + "      - {check: sequence, steps: [{says: {any_of: [hello]}}, {tool: f}]}\n"),
    ),
    "several faults of the texts of one expectation": (
        plan(
            "vars: {n: 9}\ndefaults: {expect: [{check: says, any_of: ['{{ a b }}', '{{ names }}']}]}\n"
            + SCENARIO
            + "      - {check: says, any_of: ['{{ a b }}', '{{ nope }} {{ n }}'], severty: error}\n"
            "      - {check: cost, max_cents: '{{ m }}', min_pass_rate: 3}\n"
        ),
        snapshot(
            [
                "plan.yaml:5:45 template-syntax: `b` cannot follow here: a name has no spaces, text is in quotes, ~ joins two values and | applies a filter",
                "plan.yaml:5:61 template-undefined: `names` is neither a variable of the plan nor an axis of `s`; known: `n`",
                "plan.yaml:10:33 template-syntax: `b` cannot follow here: a name has no spaces, text is in quotes, ~ joins two values and | applies a filter",
                "plan.yaml:10:49 template-undefined: `nope` is neither a variable of the plan nor an axis of `s`; known: `n`",
                "plan.yaml:10:68 unknown-key: `severty` is not a key here; did you mean `severity`?",
                "plan.yaml:11:38 template-undefined: `m` is neither a variable of the plan nor an axis of `s`; known: `n`",
                "plan.yaml:11:60 out-of-range: 3 is out of range: it must be at most 1",
            ]
        ),
        plan(
            "vars: {n: 9}\ndefaults: {expect: [{check: says, any_of: ['{{ n }}', a]}]}\n"
            + SCENARIO
            + "      - {check: says, any_of: ['{{ n }}', b], severity: error}\n"
            "      - {check: cost, max_cents: '{{ n }}', min_pass_rate: 0.3}\n"
        ),
    ),
    "a library that begins like a plan": (
        USES | {"lib/voice.yaml": "version: 1\nplan: voice\n" + LIBRARY},
        snapshot(
            [
                "lib/voice.yaml:2:1 missing-key: only a library has `expectations`: write kind: library in the place of `plan`; or this is a plan, and lacks `scenarios`"
            ]
        ),
        USES | {"lib/voice.yaml": "version: 1\nkind: library\n" + LIBRARY},
    ),
    "a library that is said to be a plan as well": (
        USES | {"lib/voice.yaml": "version: 1\nkind: library\nplan: voice\n" + LIBRARY},
        snapshot(["lib/voice.yaml:3:1 bad-value: a library has no `plan`: remove it"]),
        USES | {"lib/voice.yaml": "version: 1\nkind: library\n" + LIBRARY},
    ),
    "a library that says nothing": (
        USES | {"lib/voice.yaml": "version: 1\n" + LIBRARY},
        snapshot(
            [
                "lib/voice.yaml:2:1 missing-key: only a library has `expectations`: write kind: library below its version; or this is a plan, and lacks `plan` and `scenarios`"
            ]
        ),
        USES | {"lib/voice.yaml": "version: 1\nkind: library\n" + LIBRARY},
    ),
    "a plan that is said to be a library": (
        {"plan.yaml": HEAD.replace("plan: x", "kind: library") + EXPECT + "  s: {prompt: hi}\n"},
        snapshot(
            [
                "plan.yaml:2:7 bad-value: a library has no `scenarios`; if this is a plan, write plan: NAME in the place of kind: library"
            ]
        ),
        {"plan.yaml": HEAD.replace("plan: x", "plan: name") + EXPECT + "  s: {prompt: hi}\n"},
    ),
}
QUOTED = {
    '"Say "cancel order"."': "'Say \"cancel order\".'",
    "'it's fine'": '"it\'s fine"',
    "'it''s 5' wide'": "\"it's 5' wide\"",
    '"don\'t say "x" now"': '"don\'t say \\"x\\" now"',
    '"hi" there': "'\"hi\" there'",
    '"He said "hi".': "'He said \"hi\".'",
}
LISTED = {
    '["say "it" now", "ok"]': '[\'say "it" now\', "ok"]',
    "[ok, 'it's', b]": '[ok, "it\'s", b]',
    '["x "y", z"]': "['x \"y\", z']",
    '["a" "b"]': '["a", "b"]',
    '["a" b]': "['\"a\" b']",
}


def test_a_quote_inside_a_text_is_told_with_how_to_write_it(workspace: Any) -> None:
    """In whichever quotes it stands, and where other texts follow it; the text as it is proposed is valid."""
    found: list[str] = []
    for written, mended in QUOTED.items():
        prompt = EXPECT + "  s:\n    prompt: WRITTEN\n    runs: 1\n"
        found += [written, *told(workspace, plan(prompt.replace("WRITTEN", written)))]
        assert told(workspace, plan(prompt.replace("WRITTEN", mended))) == []
    for written, mended in LISTED.items():
        expect = SCENARIO + "      - {check: says, any_of: WRITTEN}\n"
        found += [written, *told(workspace, plan(expect.replace("WRITTEN", written)))]
        assert told(workspace, plan(expect.replace("WRITTEN", mended))) == []
    assert found == snapshot(
        [
            '"Say "cancel order"."',
            'plan.yaml:7:19 yaml-syntax: this quote ends the text: a " inside it is written \\", or put it in the other quotes: \'Say "cancel order".\'',
            "'it's fine'",
            "plan.yaml:7:17 yaml-syntax: this quote ends the text: a ' inside it is written '', or put it in the other quotes: \"it's fine\"",
            "'it''s 5' wide'",
            "plan.yaml:7:23 yaml-syntax: this quote ends the text: a ' inside it is written '', or put it in the other quotes: \"it's 5' wide\"",
            '"don\'t say "x" now"',
            'plan.yaml:7:25 yaml-syntax: this quote ends the text: a " inside it is written \\", or put it in the other quotes',
            '"hi" there',
            "plan.yaml:7:18 yaml-syntax: text cannot go on after a closing quote: put all of it in quotes of the other kind, or leave these out",
            '"He said "hi".',
            "plan.yaml:7:23 yaml-syntax: text cannot go on after a closing quote: put all of it in quotes of the other kind, or leave these out",
            '["say "it" now", "ok"]',
            'plan.yaml:8:38 yaml-syntax: this quote ends the text: a " inside it is written \\", or put it in the other quotes: \'say "it" now\'',
            "[ok, 'it's', b]",
            "plan.yaml:8:40 yaml-syntax: this quote ends the text: a ' inside it is written '', or put it in the other quotes: \"it's\"",
            '["x "y", z"]',
            'plan.yaml:8:36 yaml-syntax: this quote ends the text: a " inside it is written \\", or put it in the other quotes: \'x "y", z\'',
            '["a" "b"]',
            "plan.yaml:8:36 yaml-syntax: a comma or a `]` is missing before this; look for a bracket or quote that is not closed",
            '["a" b]',
            "plan.yaml:8:36 yaml-syntax: text cannot go on after a closing quote: put all of it in quotes of the other kind, or leave these out",
        ]
    )


@pytest.mark.parametrize("mistake", LEFT)
def test_a_cure_typed_as_told_is_a_valid_plan(workspace: Any, mistake: str) -> None:
    """The mistake has one fault with its cure; and the plan that the author has then has none."""
    files, faults, mended = LEFT[mistake]
    assert told(workspace, files) == faults
    assert told(workspace, mended) == []

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

Files = dict[str, str]


def plan(text: str) -> Files:
    return {"plan.yaml": HEAD + text}


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
                    ("talk_ratio", "{min: 0.7}"),
                    ("talk_ratio", "{max: 0.3}"),
                    ("talk_ratio", "{min: 0.3, max: 0.6}"),
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
}


@pytest.mark.parametrize("mistake", LEFT)
def test_a_cure_typed_as_told_is_a_valid_plan(workspace: Any, mistake: str) -> None:
    """The mistake has one fault with its cure; and the plan that the author has then has none."""
    files, faults, mended = LEFT[mistake]
    assert told(workspace, files) == faults
    assert told(workspace, mended) == []

"""A fault of what plans share is told where it is, and no plan is blamed for what could not be read there."""

from __future__ import annotations

from typing import Any

import pytest
from inline_snapshot import snapshot

from planner.spec.project.project import load_project

PLAN = """\
version: 1
plan: {name}
imports: [voice.yaml]
targets: [support]
defaults: {{expect: [use: polite]}}
scenarios:
  one:
    prompt: You are {{{{ mood }}}}.
    matrix: {{axes: {{mood: {{use: moods}}}}, exclude: [{{mood: calm}}]}}
    expect: [{{check: judge, rubric: The agent stays polite.}}]
"""
PROJECT = """\
environments:
  production: {support: {agent: 40}}
policy: {allowed_targets: [{agent: 40}]}
judge: {base_url: "https://api.openai.com/v1", model: m, cents_per_vote: 0}
"""
LIBRARY = """\
version: 1
kind: library
axes:
  moods: [calm, furious, sad]
expectations:
  polite: {check: never_says, any_of: [calm down]}
"""
EDITS = {
    "none": ("", "", snapshot([])),
    "a target of the environment": (
        "{agent: 40}}",
        "40}",
        snapshot(["planner.yaml:2:25 this must be {agent: ID} or {phone_number: ID}, but it is the number 40"]),
    ),
    "an allowed target": (
        "[{agent: 40}]",
        "[support]",
        snapshot(['planner.yaml:3:28 this must be {agent: ID} or {phone_number: ID}, but it is the text "support"']),
    ),
    "the price of the judge": (
        "cents_per_vote: 0",
        "cents_per_vote: free",
        snapshot(['planner.yaml:4:74 this must be a number, but it is the text "free"']),
    ),
    "the name of the judge": (
        "judge:",
        "model:",
        snapshot(
            [
                "planner.yaml:4:1 `model` is not a key here; known: `environments`, `execution`, `judge`, `policy`, `rates`, `redact`, `store`, `version`"
            ]
        ),
    ),
    "the name of the axes": (
        "axes:",
        "matrix:",
        snapshot(
            [
                "plans/voice.yaml:3:1 `matrix` is not a key here; known: `axes`, `description`, `expectations`, `kind`, `owners`, `targets`, `vars`, `version`"
            ]
        ),
    ),
    "the name of the expectations": (
        "expectations:",
        "expect:",
        snapshot(["plans/voice.yaml:5:1 `expect` is not a key here; did you mean `expectations`?"]),
    ),
    "values of an axis": (
        "[calm, furious, sad]",
        "calm, furious",
        snapshot(
            [
                'plans/voice.yaml:4:10 this must be a list, but it is the text "calm, furious"; write ["calm", "furious"], or ["calm, furious"] if it is one text, or {file: orders.csv, column: number}'
            ]
        ),
    ),
    "one value of an axis": (
        "[calm,",
        "[[calm],",
        snapshot(["plans/voice.yaml:4:11 a list cannot be one value of an axis; a mapping with an `id` can hold one"]),
    ),
    "an expectation": (
        "any_of:",
        "any:",
        snapshot(["plans/voice.yaml:6:31 `any` is not a key here; did you mean `any_of`?"]),
    ),
    "an axis of another name": (
        "moods:",
        "mods:",
        snapshot(
            [
                "plans/first.yaml:9:33 no imported library defines an axis named `moods`; did you mean `mods`?",
                "plans/second.yaml:9:33 no imported library defines an axis named `moods`; did you mean `mods`?",
            ]
        ),
    ),
}


@pytest.mark.parametrize("name", EDITS)
def test_a_shared_fault_is_told_once(workspace: Any, name: str) -> None:
    """Two plans that rest on it have no fault of their own."""
    old, new, said = EDITS[name]
    assert not old or old in PROJECT + LIBRARY
    workspace.write("planner.yaml", PROJECT.replace(old, new) if old else PROJECT)
    workspace.write("plans/voice.yaml", LIBRARY.replace(old, new) if old else LIBRARY)
    for plan in ("first", "second"):
        workspace.write(f"plans/{plan}.yaml", PLAN.format(name=plan))
    workspace.environment = "production"
    workspace.project, found = load_project(workspace.root, cwd=workspace.root)
    found.items.extend(workspace.load("plans/first.yaml", "plans/second.yaml")[1].items)
    assert [f"{item.span.file}:{item.span.line}:{item.span.column} {item.detail}" for item in found] == said

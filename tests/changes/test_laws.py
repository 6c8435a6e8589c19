"""One edit of a plan file: exactly the cases that it affects are called or rechecked, and all others are kept."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from planner.planfile.load import load_files
from planner.planfile.model import Case
from planner.planfile.project import load_project
from planner.results.outcomes import Action
from tests.support.stored_cases import changes_of, store_case

Document = dict[str, Any]

PLAN: Document = {
    "version": 1,
    "plan": "shop",
    "description": "What callers ask.",
    "targets": {"support": {"agent": 12}, "hotline": {"phone_number": 77}},
    "vars": {"days": 30, "hours": 9},
    "scenarios": {
        "refund": {
            "prompt": "You are {{ mood }}. Ask whether you have {{ days }} days.",
            "matrix": {"axes": {"mood": ["calm", "furious"]}},
            "runs": 2,
            "expect": [{"check": "says", "any_of": ["{{ days }} days"]}],
        },
        "opening": {
            "targets": ["hotline"],
            "prompt": "Ask in {{ language }} whether they open at {{ hours }}.",
            "matrix": {"axes": {"language": ["English", "Spanish"], "day": ["Monday", "Sunday"]}},
            "expect": [{"check": "says", "any_of": ["{{ day }}"]}],
        },
        "person": {
            "targets": ["support"],
            "direction": "inbound",
            "prompt": "Ask for a person.",
            "expect": [{"check": "call", "status": "completed"}, {"check": "duration", "max_seconds": 60}],
        },
    },
}


def _load(folder: Path, document: Document) -> list[Case]:
    (folder / "plan.yaml").write_text(json.dumps(document))
    project, _ = load_project(folder, cwd=folder)
    loaded = load_files([folder / "plan.yaml"], cwd=folder, project=project, environment=None, today=date(2026, 11, 24))
    assert not loaded.diagnostics.has_errors, [item.detail for item in loaded.diagnostics.items]
    return [case for plan in loaded.plans for case in plan.cases]


def _calls_by_hand(document: Document) -> dict[str, tuple[Any, ...]]:
    """The call of each case by its id, rendered without the program."""
    found: dict[str, tuple[Any, ...]] = {}
    for name, scenario in document["scenarios"].items():
        axes: dict[str, list[str]] = scenario.get("matrix", {}).get("axes", {})
        points: list[dict[str, str]] = [{}]
        for axis, values in axes.items():
            points = [{**point, axis: value} for point in points for value in values]
        for point in points:
            prompt = scenario["prompt"]
            for key, value in {**document["vars"], **point}.items():
                prompt = prompt.replace("{{ " + key + " }}", str(value))
            inside = ",".join(f"{axis}={value}" for axis, value in point.items())
            for alias in scenario.get("targets", list(document["targets"])):
                case_id = f"shop/{name}{f'[{inside}]' if inside else ''}@{alias}"
                target = document["targets"][alias]
                how = [scenario.get(key, default) for key, default in (("direction", "outbound"), ("mode", "bot"))]
                found[case_id] = (prompt, *target.items(), *how, scenario.get("target_number"))
    return found


def _expected_by_hand(document: Document) -> dict[str, str]:
    """The expectations of each case, rendered, with its required rate and minimum of runs."""
    found: dict[str, str] = {}
    for case_id, call in _calls_by_hand(document).items():
        del call
        name = case_id.partition("/")[2].partition("[")[0].partition("@")[0]
        scenario = document["scenarios"][name]
        text = json.dumps([scenario["expect"], scenario.get("min_pass_rate")])
        point = case_id.partition("[")[2].partition("]")[0]
        for key, value in {**document["vars"], **dict(part.split("=") for part in point.split(",") if part)}.items():
            text = text.replace("{{ " + key + " }}", str(value))
        found[case_id] = text
    return found


def _set(*route: str, to: Any) -> Callable[[Document], None]:
    def edit(document: Document) -> None:
        inside = document
        for key in route[:-1]:
            inside = inside.setdefault(key, {})
        inside[route[-1]] = to

    return edit


def _reorder(document: Document) -> None:
    document["scenarios"] = dict(reversed(document["scenarios"].items()))
    document["vars"] = dict(reversed(document["vars"].items()))


EDITS: dict[str, Callable[[Document], None]] = {
    "a description": _set("description", to="Any text."),
    "owners and tags": _set("owners", to=["@acme/voice"]),
    "the budget": _set("budget", to={"max_cost_cents": 900}),
    "the order": _reorder,
    "a tag": _set("scenarios", "refund", "tags", to=["smoke"]),
    "the wait": _set("scenarios", "refund", "timeout_seconds", to=100),
    "a prompt": _set("scenarios", "opening", "prompt", to="Ask in {{ language }} when they open, at {{ hours }}?"),
    "a prompt without a matrix": _set("scenarios", "person", "prompt", to="Ask for a person, politely."),
    "a variable of prompts": _set("vars", "hours", to=10),
    "a variable of prompts and expectations": _set("vars", "days", to=14),
    "an agent": _set("targets", "support", to={"agent": 14}),
    "a phone number": _set("targets", "hotline", to={"phone_number": 78}),
    "a direction": _set("scenarios", "person", "direction", to="outbound"),
    "a mode": _set("scenarios", "refund", "mode", to="sip"),
    "a number": _set("scenarios", "opening", "target_number", to="+14155550199"),
    "an expectation": _set("scenarios", "person", "expect", to=[{"check": "duration", "max_seconds": 90}]),
    "an expectation's template": _set(
        "scenarios", "opening", "expect", to=[{"check": "says", "any_of": ["on {{ day }}"]}]
    ),
    "a rate": _set("scenarios", "refund", "min_pass_rate", to=0.5),
    "a value more": _set("scenarios", "refund", "matrix", "axes", "mood", to=["calm", "furious", "confused"]),
    "a value less": _set("scenarios", "refund", "matrix", "axes", "mood", to=["furious"]),
    "a target less": _set("scenarios", "refund", "targets", to=["hotline"]),
}


@pytest.mark.parametrize("name", EDITS)
def test_one_edit_calls_only_the_cases_whose_call_it_changes(tmp_path: Path, name: str) -> None:
    """Compared with a simple model: changed calls are made, changed expectations rechecked, and all else kept."""
    before, after = PLAN, copy.deepcopy(PLAN)
    EDITS[name](after)
    stored = [store_case(case) for case in _load(tmp_path, before)]
    changes = changes_of(_load(tmp_path, after), stored)
    calls, called_now = _calls_by_hand(before), _calls_by_hand(after)
    expected, expected_now = _expected_by_hand(before), _expected_by_hand(after)

    def should(case_id: str) -> Action:
        if case_id not in called_now:
            return Action.DROP
        if calls.get(case_id) != called_now[case_id]:
            return Action.CALL
        return Action.REUSE if expected[case_id] == expected_now[case_id] else Action.RECHECK

    assert {change.case_id: change.action for change in changes} == {
        case_id: should(case_id) for case_id in called_now.keys() | calls.keys()
    }
    runs = {case.case_id: case.runs for case in _load(tmp_path, after)}
    assert all(change.runs == runs[change.case_id] for change in changes if change.action is Action.CALL)

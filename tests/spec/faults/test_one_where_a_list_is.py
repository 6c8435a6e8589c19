"""A list where one value stands, a number in another unit, a language by its name, a text that is none to YAML: told with a
cure that, typed as told, gives a valid plan that means what was meant. Each once had no cure, or one that gave a wrong plan."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from inline_snapshot import snapshot

from planner.spec import load_plans
from planner.spec.project.project import load_project

HEAD = "version: 1\nplan: x\ntargets: {support: {agent: 14}}\n"
SCENARIO = "scenarios:\n  s:\n    prompt: hi\n    expect:\n"
EXPECT = "    expect: [{check: call, status: completed}]\n"


def told(workspace: Any, text: str, project: str) -> list[str]:
    """Every fault of these files: its place, and its detail."""
    workspace.write("plan.yaml", text)
    workspace.write("planner.yaml", project)
    read, diagnostics = load_project(workspace.root, cwd=workspace.root)
    _, found = load_plans([Path()], cwd=workspace.root, project=read)
    return [
        f"{item.span.file}:{item.span.line}:{item.span.column} {item.code}: {item.detail}"
        for item in (*diagnostics, *found)
    ]


MISTAKES: dict[str, tuple[str, list[str], str]] = {
    "several tools": (
        SCENARIO + "      - {check: tool_not_called, name: [refund, cancel]}\n",
        snapshot(
            [
                "plan.yaml:8:40 wrong-type: this must be text, but it is a list; one stands here: write an expectation for each, below {check: any_of, of: […]} where one of them is enough"
            ]
        ),
        SCENARIO + "      - {check: tool_not_called, name: refund}\n      - {check: tool_not_called, name: cancel}\n",
    ),
    "several tools that came first, of a step, of a path": (
        SCENARIO + "      - {check: tool_called, name: f, after: [g, h]}\n"
        "      - {check: sequence, steps: [{tool: [f, g]}, {tool: h}]}\n"
        "      - {check: field, path: [$.a, $.b], exists: true}\n",
        snapshot(
            [
                "plan.yaml:8:46 wrong-type: this must be text, but it is a list; one stands here: write an expectation for each, below {check: any_of, of: […]} where one of them is enough",
                "plan.yaml:9:42 wrong-type: this must be text, but it is a list; a step is one tool: write a step for each",
                "plan.yaml:10:30 wrong-type: this must be text, but it is a list; one stands here: write an expectation for each, below {check: any_of, of: […]} where one of them is enough",
            ]
        ),
        SCENARIO + "      - check: any_of\n        of:\n          - {check: tool_called, name: f, after: g}\n"
        "          - {check: tool_called, name: f, after: h}\n"
        "      - {check: sequence, steps: [{tool: f}, {tool: g}, {tool: h}]}\n"
        "      - {check: field, path: $.a, exists: true}\n      - {check: field, path: $.b, exists: true}\n",
    ),
    "one in brackets": (
        (
            "scenarios:\n  s:\n    prompt: hi\n    target_number: ['+14155550142']\n    max_age: [7d]\n    expect:\n"
            "      - {check: call, transferred_to: ['+14155550142'], id: [a]}\n"
            "      - {check: call, status: [completed], severity: [error]}\n"
            "      - {check: not, of: [{check: tool_called, name: [f]}]}\n"
        ),
        snapshot(
            [
                'plan.yaml:7:20 not-e164: this must be text, but it is a list; write it without brackets: "+14155550142"',
                'plan.yaml:8:14 wrong-type: this must be text, but it is a list; write it without brackets: "7d"',
                "plan.yaml:10:61 wrong-type: this must be text, but it is a list; one stands here, without brackets",
                "plan.yaml:11:31 not-a-choice: this must be one of `completed`, but it is a list; write completed, without brackets",
                "plan.yaml:11:54 not-a-choice: this must be one of `critical`, `error`, `warning`, but it is a list; write error, without brackets",
                "plan.yaml:12:26 wrong-type: this must be a mapping of keys to values, but it is a list; write it without the brackets",
            ]
        ),
        (
            "scenarios:\n  s:\n    prompt: hi\n    target_number: '+14155550142'\n    max_age: '7d'\n    expect:\n"
            "      - {check: call, transferred_to: '+14155550142', id: a}\n"
            "      - {check: call, status: completed, severity: error}\n"
            "      - {check: not, of: {check: tool_called, name: 'f'}}\n"
        ),
    ),
    "several of a few words": (
        SCENARIO + "      - {check: says, who: [agent, caller], any_of: [a]}\n"
        "      - {check: grade, outcome: [success, unknown]}\n"
        "      - {check: not, of: [{check: cost, max_cents: 9}, {check: cost, max_cents: 8}]}\n",
        snapshot(
            [
                "plan.yaml:8:28 not-a-choice: this must be one of `agent`, `caller`, `any`, but it is a list; write any",
                "plan.yaml:9:33 not-a-choice: this must be one of `success`, `failure`, `unknown`, `no_conversation`, but it is a list; one stands here: write an expectation for each, below {check: any_of, of: […]} where one of them is enough",
                "plan.yaml:10:26 wrong-type: this must be a mapping of keys to values, but it is a list; `not` is of one: write {check: any_of, of: […]} there, of which no part may hold",
            ]
        ),
        SCENARIO + "      - {check: says, who: any, any_of: [a]}\n      - check: any_of\n        of:\n"
        "          - {check: grade, outcome: success}\n          - {check: grade, outcome: unknown}\n"
        "      - check: not\n        of: {check: any_of, of: [{check: cost, max_cents: 9}, {check: cost, max_cents: 8}]}\n",
    ),
    "a language by its name": (
        SCENARIO
        + "".join(
            f"      - {{check: language, id: l{i}, is: {word}}}\n"
            for i, word in enumerate(("Spanish", "en-US", "ES", "klingon"))
        ),
        snapshot(
            [
                'plan.yaml:8:39 bad-expectation: this must be a language\'s code of two letters, such as en or es, but it is the text "Spanish"; write es',
                'plan.yaml:9:39 bad-expectation: this must be a language\'s code of two letters, such as en or es, but it is the text "en-US"; write en',
                'plan.yaml:10:39 bad-expectation: this must be a language\'s code of two letters, such as en or es, but it is the text "ES"; write es',
                'plan.yaml:11:39 bad-expectation: this must be a language\'s code of two letters, such as en or es, but it is the text "klingon"',
            ]
        ),
        SCENARIO
        + "".join(f"      - {{check: language, id: l{i}, is: {word}}}\n" for i, word in enumerate(("es", "en", "es"))),
    ),
    "dollars and percent": (
        "budget: {max_cost_cents: 20.50}\n" + SCENARIO + "      - {check: cost, max_cents: 0.32}\n"
        "      - {check: grade, min_score: 80%}\n      - {check: cost, id: whole, max_cents: 40.0}\n",
        snapshot(
            [
                "plan.yaml:4:26 wrong-type: this must be a whole number, but it is the number 20.5; 20.5 dollars are 2050, and cents are whole",
                "plan.yaml:9:34 wrong-type: this must be a whole number, but it is the number 0.32; 0.32 dollars are 32, and cents are whole",
                'plan.yaml:10:35 wrong-type: this must be a number, but it is the text "80%"; write 0.8 (as a share of 1)',
                "plan.yaml:11:45 wrong-type: this must be a whole number, but it is the number 40.0; for 40 cents write 40, for 40 dollars 4000",
            ]
        ),
        "budget: {max_cost_cents: 2050}\n" + SCENARIO + "      - {check: cost, max_cents: 32}\n"
        "      - {check: grade, min_score: 0.8}\n      - {check: cost, id: whole, max_cents: 40}\n",
    ),
    "a range as an axis": (
        "scenarios:\n  s:\n    prompt: '{{ n }} {{ m }} {{ o }}'\n    matrix: {axes: {n: 1..3, m: 'range(2, 4)', o: 5-99}}\n"
        + EXPECT,
        snapshot(
            [
                'plan.yaml:7:24 wrong-type: this must be a list, but it is the text "1..3"; write [1, 2, 3], or {file: orders.csv, column: number} or {use: NAME}',
                'plan.yaml:7:33 wrong-type: this must be a list, but it is the text "range(2, 4)"; write [2, 3], or {file: orders.csv, column: number} or {use: NAME}',
                'plan.yaml:7:51 wrong-type: this must be a list, but it is the text "5-99"; write its values out: [5, 6, 7, 8, 9, 10, 11, 12, 13, 14, …], or {file: orders.csv, column: number} or {use: NAME}',
            ]
        ),
        "scenarios:\n  s:\n    prompt: '{{ n }} {{ m }}'\n    matrix: {axes: {n: [1, 2, 3], m: [2, 3]}}\n" + EXPECT,
    ),
    "numbers as ids": (
        "scenarios:\n  s:\n    prompt: '{{ n.id }}'\n    matrix: {axes: {n: [{id: 007}, {id: 1.50}, {id: ''}]}}\n"
        + EXPECT,
        snapshot(
            [
                'plan.yaml:7:30 bad-axis: an `id` is a text that names the case, but this is the number 7; write "007"',
                'plan.yaml:7:30 number-rewritten: YAML reads 007 as the number 7; write "007" to keep it as it is',
                'plan.yaml:7:41 bad-axis: an `id` is a text that names the case, but this is the number 1.5; write "1.50"',
                'plan.yaml:7:41 number-rewritten: YAML reads 1.50 as the number 1.5; write "1.50" to keep it as it is',
                "plan.yaml:7:53 bad-axis: an `id` is a text that names the case, but this is empty",
            ]
        ),
        "scenarios:\n  s:\n    prompt: '{{ n.id }}'\n    matrix: {axes: {n: [{id: '007'}, {id: '1.50'}]}}\n" + EXPECT,
    ),
    "a text that begins with a dash": (
        "scenarios:\n  s:\n    prompt: - hi\n" + EXPECT,
        snapshot(
            [
                "plan.yaml:6:13 yaml-syntax: an item cannot begin here: each begins with `- ` on a line of its own; put a text that begins with - in quotes"
            ]
        ),
        "scenarios:\n  s:\n    prompt: '- hi'\n" + EXPECT,
    ),
    "a text behind a bar": (
        "scenarios:\n  s:\n    prompt: | hi\n" + EXPECT,
        snapshot(
            [
                "plan.yaml:6:15 yaml-syntax: a text after | or > begins on the next line, indented; or write it in quotes, without the sign"
            ]
        ),
        "scenarios:\n  s:\n    prompt: |\n      hi\n" + EXPECT,
    ),
    "a text that begins with a question mark": (
        "scenarios:\n  s:\n    prompt: ? hi\n" + EXPECT,
        snapshot(["plan.yaml:6:13 yaml-syntax: an unquoted text cannot begin with `? `; put it in quotes"]),
        "scenarios:\n  s:\n    prompt: '? hi'\n" + EXPECT,
    ),
    "half a character": (
        'scenarios:\n  s:\n    prompt: "hi \\ud83d\\ude00"\n' + EXPECT,
        snapshot(["plan.yaml:6:19 yaml-syntax: this escape is no character: write the character itself"]),
        "scenarios:\n  s:\n    prompt: hi 😀\n" + EXPECT,
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_what_is_told_of_one_where_a_list_is_gives_a_valid_plan(workspace: Any, mistake: str) -> None:
    """The mistake is told with its cure; and the plan that the author has then has no fault."""
    text, faults, mended = MISTAKES[mistake]
    assert told(workspace, HEAD + text, "") == faults
    assert told(workspace, HEAD + mended, "") == []


def test_rates_in_dollars_are_told_in_cents(workspace: Any) -> None:
    """A rate that is written with its currency is told as the cents that it is."""
    plan = HEAD + SCENARIO + "      - {check: cost, max_cents: 9}\n"
    assert told(workspace, plan, "rates: {spark: $0.08, bolt: 10¢}\n") == snapshot(
        [
            'planner.yaml:1:16 wrong-type: this must be a number, but it is the text "$0.08"; write 8 (cents)',
            'planner.yaml:1:29 wrong-type: this must be a number, but it is the text "10¢"; write 10 (cents)',
        ]
    )
    assert told(workspace, plan, "rates: {spark: 8, bolt: 10}\n") == []

"""What newcomers try first, told with what to write; and totals of a plan, told once."""

from __future__ import annotations

from typing import Any

import pytest
from inline_snapshot import snapshot

HEAD = "version: 1\nplan: x\ntargets: {support: {agent: 14}}\n"
EXPECT = "    expect: [{check: call, status: completed}]\n"
AXIS = HEAD + "scenarios:\n  s:\n    prompt: 'hi {{ a }}'\n    matrix: {axes: {a: {file: FILE}}}\n" + EXPECT
LIBRARY = "version: 1\nkind: library\nvars: {v: 1}\n"
USES = "scenarios:\n  s:\n    prompt: 'hi {{ v }}'\n" + EXPECT

FILES: dict[str, tuple[dict[str, str], str]] = {
    "a list of JSON instead of lines": (
        {"plans/p.yaml": AXIS.replace("FILE", "a.jsonl"), "plans/a.jsonl": '[\n  "ana",\n  "bob"\n]\n'},
        snapshot(
            "plans/p.yaml:7:31 bad-axis-file: plans/a.jsonl is one list over several lines; write each of its values on a line of its own, without the brackets and without commas between them"
        ),
    ),
    "paths from the root": (
        {
            "plans/p.yaml": HEAD + "imports: [plans/lib/voice.yaml, lib/*.yaml]\n" + USES,
            "plans/lib/voice.yaml": LIBRARY,
            "plans/q.yaml": AXIS.replace("plan: x", "plan: q").replace("FILE", "data/a.txt"),
            "data/a.txt": "ana\n",
        },
        snapshot("""\
plans/p.yaml:4:11 file-missing: there is no file plans/plans/lib/voice.yaml; a path begins where the file that names it is: leave out `plans/`
plans/p.yaml:4:33 file-missing: there is no file plans/lib/*.yaml; a path is no pattern: name each file
plans/q.yaml:7:31 file-missing: there is no file plans/data/a.txt; paths are relative to this file: write ../data/a.txt\
"""),
    ),
    "a workbook": (
        {"plans/p.yaml": AXIS.replace("FILE", "a.xlsx"), "plans/a.xlsx": "PK\x03\x04"},
        "plans/p.yaml:7:31 bad-axis-file: plans/a.xlsx is none of .csv, .tsv, .jsonl, .ndjson and .txt",
    ),
    "an address": (
        {"plans/p.yaml": HEAD + "imports: ['https://host.test/lib.yaml']\n" + USES},
        snapshot("plans/p.yaml:4:11 file-outside: write a path relative to this file, inside the repository"),
    ),
    "an alias and no environment": (
        {"plans/p.yaml": HEAD.replace("{support: {agent: 14}}", "[support]") + USES.replace("{{ v }}", "")},
        snapshot(
            "plans/p.yaml:3:11 unknown-target: no environment of planner.yaml defines `support`; write targets: {support: {agent: 12}} with its id, or define it in planner.yaml under `environments`"
        ),
    ),
}


@pytest.mark.parametrize("guess", FILES)
def test_files_and_names_are_told_with_what_to_write(workspace: Any, guess: str) -> None:
    """One fault each, at the place where the author wrote it."""
    files, told = FILES[guess]
    for name, text in files.items():
        workspace.write(name, text)
    _, found = workspace.load("plans")
    shown = "\n".join(f"{one.span.file}:{one.span.line}:{one.span.column} {one.code}: {one.detail}" for one in found)
    assert shown == told


def test_max_cases_is_not_to_be_raised_over_its_bound(workspace: Any) -> None:
    """Where no `max_cases` would do, none is proposed."""
    values = list(range(1_000))
    matrix = f"    matrix: {{axes: {{a: {values}, b: {values}}}}}\n"
    workspace.write("plan.yaml", f"{HEAD}scenarios:\n  s:\n    prompt: '{{{{ a }}}} {{{{ b }}}}'\n{matrix}{EXPECT}")
    (fault,) = workspace.load(".")[1]
    assert fault.detail == snapshot(
        "a 1,000 × b 1,000 = 1,000,000 cases, more than 500; exclude some, or make several scenarios of it"
    )


def test_too_many_cases_of_a_plan_are_told_once(workspace: Any) -> None:
    """At the scenario that makes them too many, and not at each one below it."""
    values = list(range(1_000))
    scenario = f"    prompt: '{{{{ a }}}} NUMBER'\n    matrix: {{max_cases: 100000, axes: {{a: {values}}}}}\n{EXPECT}"
    targets = "targets: {" + ", ".join(f"t{number}: {{agent: {number + 1}}}" for number in range(40)) + "}\n"
    scenarios = "".join(f"  s{number}:\n{scenario.replace('NUMBER', str(number))}" for number in range(5))
    workspace.write("plan.yaml", f"version: 1\nplan: x\n{targets}scenarios:\n{scenarios}")
    errors = [one for one in workspace.load(".")[1] if one.severity.value == "error"]
    assert [(one.code, one.span.line, one.detail) for one in errors] == snapshot(
        [("too-many-cases", 13, "a plan may make 100,000 cases; with this scenario there are more; split the plan")]
    )

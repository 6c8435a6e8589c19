"""With `--format json`, standard output is exactly one document, whatever happens."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from planner.reports.document_schemas import (
    DOCUMENTS,
    ChangeSetDocument,
    DiagnosticsDocument,
    HistoryDocument,
    SpendingDocument,
    TranscriptsDocument,
    printed_schemas,
)
from tests.commands.conftest import Project  # pyright: ignore[reportMissingImports]

CONSENT = ("--sandbox", "--consent-to-charge")
COMMANDS = [
    (("plan", "--sandbox"), 0, None),
    (("plan", "--sandbox", "--detailed-exitcode"), 10, None),
    (("plan", "--sandbox", "--select", "none"), 2, "usage"),
    (("plan", "--nonsense"), 2, "usage"),
    (("validate",), 0, None),
    (("run", "--sandbox"), 3, "refused"),
    (("run", *CONSENT), 0, None),
    (("run", "--sandbox", "--offline"), 2, "usage"),
    (("run", *CONSENT, "--digest", f"sha256:{'0' * 64}"), 3, "refused"),
    (("ci", "gate", "--sandbox"), 3, None),
    (("history", "--sandbox"), 0, None),
    (("report",), 2, "usage"),
    (("forget", "--sandbox"), 2, "usage"),
    (("forget", "7110", "--sandbox"), 2, "usage"),
    (("reconcile", "--sandbox"), 0, None),
    (("reconcile", "3f9c0a7d5e21b846", "--sandbox"), 0, None),
    (("transcript", "--sandbox", "hours/cancel@clinic"), 2, "usage"),
    (("show", "hours/cancel@clinic"), 0, None),
    (("show", "nowhere"), 2, "usage"),
    (("agent", "previews", "--sandbox"), 0, None),
    (("explain", "unknown-key"), 0, None),
]


@pytest.mark.parametrize(("command", "code", "error"), COMMANDS)
def test_one_document_on_every_exit(project: Project, command: tuple[str, ...], code: int, error: str | None) -> None:
    ran = project.planner(*command, "--format", "json")
    document = json.loads(ran.out)
    assert (ran.code, document["exit_code"], (document["error"] or {}).get("code")) == (code, code, error), ran.err
    assert isinstance(document["diagnostics"], list)


PROMISED = {
    "plan": {
        "digest changes estimate agents live_tools summary",
        "changes[].case_id action reason runs detail shares_with renamed_from",
        "estimate.calls expected_cents low_cents high_cents expected_seconds basis",
        "summary.call recheck reuse drop",
    },
    "report": {
        "outcome session_id environment sandbox started_at ended_at consents cases suite cost stats",
        "consents[].id digest by at how max_cost_cents spent_cents",
        "cases[].case_id action reason outcome runs_passed runs_total pass_rate interval compared not_comparable",
        "cases[].probability_regressed baseline latest runs",
        "cases[].runs[].run_id batch_id call_id session_id outcome cause cost_cents cost_basis duration_seconds",
        "cases[].runs[].adopted agent_variant_id grader_version findings",
        "cases[].runs[].findings[].expectation check outcome severity message quote",
        "cost.estimated_cents actual_cents this_session_cents unconfirmed_cents judge_cents",
        "stats.requests launches refused wall_seconds",
        "open_launches next_steps",
    },
}
"""The fields of each document that programs rely on: a path, whose last part names several."""


def found(document: Any, path: list[str]) -> list[Any]:
    if not path:
        return [document]
    inner = document[path[0].removesuffix("[]")]
    parts = inner if path[0].endswith("[]") else [inner]
    return [each for part in parts for each in found(part, path[1:])]


def test_the_fields_that_programs_rely_on(project: Project) -> None:
    project.planner("run", *CONSENT)
    for command, lines in PROMISED.items():
        options = ("--sandbox", "--rerun", "all") if command == "plan" else ()
        document = project.planner(command, *options, "--format", "json").json
        for line in lines:
            *path, names = line.split(".")
            for each in found(document, path):
                assert set(names.split()) <= set(each), line


PRINTED = {
    ("plan", "--sandbox", "--rerun", "all"): ChangeSetDocument,
    ("validate",): DiagnosticsDocument,
    ("history", "--sandbox"): HistoryDocument,
    ("history", "--sandbox", "--spend"): SpendingDocument,
    ("transcript", "--sandbox", "hours/*"): TranscriptsDocument,
}


def test_the_schemas_have_every_field(project: Project) -> None:
    """And no other: validation raises for a field that is missing or unknown. Also after an error."""
    project.planner("run", *CONSENT)
    schemas = printed_schemas()
    titles = {model: f"{name}.schema.json" for name, model in DOCUMENTS.items()}
    for command, model in PRINTED.items():
        document = project.planner(*command, "--format", "json").json
        model.model_validate(document)
        for each in (document, project.planner(*command, "--nonsense", "--format", "json").json):
            jsonschema.Draft202012Validator(schemas[titles[model]]).validate(each)
    results = project.planner("report", "--format", "json").json
    jsonschema.Draft202012Validator(schemas["results.schema.json"]).validate(results)


def test_a_bug_has_a_document_too(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    import planner.commands.plan

    def fail(*_: object) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr(planner.commands.plan, "plan", fail)
    ran = project.planner("plan", "--format", "json")
    assert (ran.code, json.loads(ran.out)["error"]["code"]) == (5, "bug")

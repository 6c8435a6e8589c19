"""The report folder after sessions that end before there are results never contains an older green report."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from junitparser import JUnitXml
from patience import wait_for

from tests.commands.conftest import Project, Served  # pyright: ignore[reportMissingImports]
from tests.commands.run.test_run import CONSENT, start  # pyright: ignore[reportMissingImports]

SCHEMA = json.loads((Path(__file__).parents[3] / "schemas/results.schema.json").read_text())


def leave_passed_reports(project: Project) -> None:
    """As an earlier job left them."""
    assert project.planner("run", CONSENT).code == 0
    assert project.results()["outcome"] == "passed"


def checked_results(project: Project) -> dict[str, Any]:
    """What results.json says, after looking that all reports agree and are what they should be."""
    results = project.results()
    jsonschema.validate(results, SCHEMA)
    suite = next(iter(JUnitXml.fromfile(str(project.root / "reports/junit.xml"))))
    assert (suite.errors, suite.failures) == (1, 0)
    words = {"refused": "Refused", "unknown": "Incomplete", "interrupted": "Interrupted"}
    assert words[results["outcome"]] in (project.root / "reports/report.md").read_text().splitlines()[0]
    return results


def break_plan(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.edit("plans/hours.yaml", "prompt: |", "promt: |")


def lose_key(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("THUNDERPHONE_API_KEY")


def unknown_target(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.edit("plans/hours.yaml", "agent: 12", "agent: 999")


def unreachable(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THUNDERPHONE_API_BASE_URL", "http://127.0.0.1:1")


def edit_prompt(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.edit("plans/hours.yaml", "of Monday", "of Friday")


EARLY_ENDS = {
    "a bad plan": (break_plan, [CONSENT], 2, "refused", "plans/hours.yaml:7:5: unknown key [unknown-key]"),
    "no such path": (None, [CONSENT, "nowhere"], 2, "refused", "nowhere does not exist"),
    "no key": (lose_key, [CONSENT], 2, "refused", "there is no API key"),
    "an unknown target": (unknown_target, [CONSENT], 2, "refused", "does not know agent 999"),
    "consent withheld": (edit_prompt, [], 3, "refused", "consent to the charge is missing"),
    "an unreachable service": (unreachable, [CONSENT], 4, "unknown", "cannot be reached"),
}


def test_an_early_end_is_reported(
    project: Project, service: Served, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: Any
) -> None:
    """However `run` ends before its first call, the reports and GitHub's outputs say so; no older report remains."""
    leave_passed_reports(project)
    passed = shutil.copytree(project.root, tmp_path_factory.mktemp("passed"), dirs_exist_ok=True)
    before = service.ledger()
    for name, (arrange, arguments, code, outcome, why) in EARLY_ENDS.items():
        outputs = tmp_path_factory.mktemp("github") / "outputs"
        shutil.copytree(passed, project.root, dirs_exist_ok=True)
        with monkeypatch.context() as changed:
            changed.setenv("GITHUB_ACTIONS", "true")
            changed.setenv("GITHUB_OUTPUT", str(outputs))
            if arrange is not None:
                arrange(project, changed)
            ran = project.planner("run", *arguments)
        assert ran.code == code, f"{name}: {ran.err}"
        results = checked_results(project)
        assert (results["outcome"], results["exit_code"], results["finished"]) == (outcome, code, False), name
        assert results["under_way"] is False
        assert (f"Session {results['session_id']}" in ran.err) == (code == 4), name
        shown = [line for line in ran.err.splitlines() if not line.startswith("::")]
        assert "Session " not in shown[-1], name  # that line says what to do
        assert any(why in problem for problem in results["problems"]), results["problems"]
        assert code != 2 or not any(step["code"] == "resume" for step in results["next_steps"]), name
        assert outputs.read_text() == f"outcome={outcome}\n", name
    assert service.ledger() == before


def test_a_busy_store(project: Project, service: Served) -> None:
    """Who could not even begin leaves no green report either; the holder's own follow when it ends."""
    leave_passed_reports(project)
    lock = os.open(project.root / ".planner/lock", os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        assert project.planner("run", CONSENT).code == 4
    finally:
        os.close(lock)
    assert "is in use by" in checked_results(project)["problems"][0]


def test_a_killed_session_leaves_a_report_that_says_so(project: Project, service: Served) -> None:
    """Kill -9 in the middle: neither the older report nor a verdict, and no price for what is not known."""
    leave_passed_reports(project)
    service.hold(1, retry_after_seconds=600)
    project.limit_calls(1)
    project.killed("run", CONSENT, "--rerun", "all", when=project.rests)
    service.release()
    results = checked_results(project)
    assert (results["outcome"], results["under_way"]) == ("unknown", True)
    report = (project.root / "reports/report.md").read_text()
    assert report.splitlines()[0].startswith("# ❔ Incomplete: still running ")
    assert "$0.00" not in report + (project.root / "reports/junit.xml").read_text()
    assert project.planner("run", CONSENT, "--rerun", "all").code == 0
    assert project.results()["under_way"] is False


def test_a_report_folder_that_cannot_be_written_is_found_before_anybody_is_called(
    project: Project, service: Served
) -> None:
    (project.root / "file").write_text("")
    for folder in ("file/below", "/proc/planner"):
        ran = project.planner("run", CONSENT, "--report-dir", folder)
        assert ran.code == 2
        assert ran.err.startswith(f"planner: the reports cannot be written to {folder}: ")
        assert "No call was made." in ran.err
    assert service.ledger()["runs"] == []
    assert not (project.root / ".planner").exists()


def test_reports_that_cannot_be_written_any_more(project: Project, service: Served) -> None:
    """Lost in the middle: the verdict is on the terminal, the results are stored, and nobody is called again for them."""
    service.hold(1)
    project.limit_calls(1)
    process = start(project)
    wait_for(service.own_runs)
    shutil.rmtree(project.root / "reports")
    (project.root / "reports").write_text("")
    service.release()
    out, err = process.communicate()
    assert process.returncode == 4, err
    assert "3 new" in out
    assert "· the reports cannot be written to reports: File exists" in out
    assert f"Cost     ${service.ledger()['total_cents'] / 100:.2f} (estimate" in out
    assert "earlier sessions" not in out
    (project.root / "reports").unlink()
    assert project.planner("run", CONSENT).code == 0
    assert {case["action"] for case in project.results()["cases"]} == {"reuse"}
    assert len(service.own_runs()) == 5


def test_a_store_that_cannot_be_written_any_more(project: Project, service: Served) -> None:
    """What was called and paid is reported all the same, and the next session resumes it."""
    service.hold(1)
    project.limit_calls(1)
    process = start(project)
    wait_for(service.own_runs)
    (project.root / ".planner/runs").write_text("")
    service.release()
    out, err = process.communicate()
    assert process.returncode == 4, err + out
    results = checked_results(project)
    assert results["cost"]["actual_cents"] == service.ledger()["total_cents"]
    assert [case["outcome"] for case in results["cases"]] == ["passed"] * 3
    (project.root / ".planner/runs").unlink()
    assert project.planner("run").code == 0
    assert project.results()["cost"]["actual_cents"] == results["cost"]["actual_cents"]
    assert len(service.own_runs()) == 5

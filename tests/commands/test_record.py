"""`planner ci record`, plans without a key that use it, and warnings about drafts."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from fake_github import Fault, fake_github

import planner.sandbox.worlds
from tests.commands.conftest import Project, Served  # pyright: ignore[reportMissingImports]

CONSENT = "--consent-to-charge"


def edit_agent(project: Project, service: Served) -> None:
    """Call agent 14, then let somebody edit it."""
    project.edit("plans/hours.yaml", "agent: 12", "agent: 14")
    assert project.planner("run", CONSENT).code == 0
    service.control({"deploy": {"agent_id": 14, "revision": 2}})


def reasons(project: Project) -> set[str]:
    return {reason for _, reason, _ in project.actions("--offline").values()}


def test_a_plan_without_a_key_has_prices(project: Project, service: Served) -> None:
    assert project.planner("plan", "--offline", "--format", "json").json["estimate"]["expected_cents"] is None
    ran = project.planner("ci", "record")
    assert (ran.code, ran.out.startswith("1 target recorded")) == (0, True)
    priced = project.planner("plan", "--offline", "--format", "json").json
    assert priced["estimate"]["expected_cents"] == 160
    assert "planner ci record" in project.planner("plan", "--offline").out
    assert service.own_runs() == []


@pytest.mark.parametrize(("year", "cents"), [(2020, 160), (2026, 320)])
def test_each_agent_is_as_it_was_last_read(project: Project, service: Served, year: int, cents: int) -> None:
    """By a job of the pull request with the key, or for the default branch; other pull requests do not see the first."""
    project.write("planner.yaml", "rates: {bolt: 16}\n")
    project.planner("ci", "record")
    folder = project.root / ".planner"
    world = json.loads((folder / "world/default.json").read_text()) | {"recorded_at": "2025-01-01T00:00:00Z"}
    (folder / "world/default.json").write_text(json.dumps(world))
    (target,) = world["targets"]
    other = world | {"recorded_at": f"{year}-01-01T00:00:00Z", "targets": [target | {"product": "bolt"}]}
    (folder / "branches/7/world").mkdir(parents=True)
    (folder / "branches/7/world/default.json").write_text(json.dumps(other))
    for number, expected_cents in ((7, cents), (8, 160)):
        file = project.root / "publication.json"
        words = ("--namespace", f"branches/{number}", "--publication", str(file))
        assert project.planner("ci", "gate", "--offline", *words).code == 3
        assert f"${expected_cents / 100:.2f} expected" in file.read_text()


def test_an_edited_agent_is_noticed_until_it_was_called(project: Project, service: Served) -> None:
    project.planner("ci", "record")
    edit_agent(project, service)
    assert reasons(project) == {"passed"}
    project.planner("ci", "record")
    assert reasons(project) == {"agent_edited"}
    assert project.planner("ci", "gate", "--offline").code == 3
    assert project.planner("run", CONSENT).code == 0
    assert reasons(project) == {"passed"}
    assert project.planner("ci", "gate", "--offline").code == 0


def test_later_calls_know_better_than_the_record(project: Project, service: Served) -> None:
    """An agent was edited after the record, and its cases were called: they are not called again for the old revision."""
    project.edit("plans/hours.yaml", "agent: 12", "agent: 14")
    project.planner("ci", "record")
    service.control({"deploy": {"agent_id": 14, "revision": 2}})
    assert project.planner("run", CONSENT).code == 0
    assert reasons(project) == {"passed"}
    assert project.planner("ci", "gate", "--offline").code == 0


def test_a_record_that_cannot_be_used(project: Project, service: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Damaged, of a newer version, or of another service: as if there were none."""
    project.planner("ci", "record")
    path = project.root / ".planner/world/default.json"
    recorded = json.loads(path.read_text())
    for text in ("{", json.dumps(recorded | {"schema_version": "2.0"})):
        path.write_text(text)
        assert project.planner("plan", "--offline", "--format", "json").json["estimate"]["expected_cents"] is None
    path.write_text(json.dumps(recorded))
    monkeypatch.setenv("THUNDERPHONE_API_BASE_URL", "http://127.0.0.1:9")
    assert project.planner("plan", "--offline", "--format", "json").json["estimate"]["expected_cents"] is None


def test_only_the_default_branch_records(project: Project, service: Served) -> None:
    assert project.planner("ci", "record", "--namespace", "branches/7").code == 2
    assert not Path(project.root, ".planner/world").exists()


def test_drift_is_one_issue(project: Project, service: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Made at the first drift, edited, closed when the cases were called."""
    with fake_github() as fake:
        for name, value in {"REPOSITORY": "acme/plans", "TOKEN": "writer", "API_URL": fake.url}.items():
            monkeypatch.setenv(f"GITHUB_{name}", value)
        edit_agent(project, service)
        for _ in range(2):
            assert project.planner("ci", "record", "--issue").code == 0
        (issue,) = fake.issues
        assert "hours/cancel@clinic`: agent edited at the service" in issue["body"]
        offered = re.search(r"-f digest=(\S+) -f max-cost=(\S+)", issue["body"])
        assert offered is not None
        assert project.planner("run", CONSENT, "--digest", offered[1], "--max-cost", offered[2]).code == 0
        assert project.planner("ci", "record", "--issue").code == 0
        assert [each["state"] for each in fake.issues] == ["closed"]


@pytest.mark.parametrize(("status", "code"), [(410, 0), (403, 2), (503, 4)])
def test_an_issue_that_cannot_be_written(
    project: Project, service: Served, monkeypatch: pytest.MonkeyPatch, status: int, code: int
) -> None:
    """A repository may have turned its issues off. Prices are recorded in any case."""
    with fake_github() as fake:
        for name, value in {"REPOSITORY": "acme/plans", "TOKEN": "writer", "API_URL": fake.url}.items():
            monkeypatch.setenv(f"GITHUB_{name}", value)
        monkeypatch.setattr("time.sleep", lambda _: None)
        fake.faults.append(Fault("GET", status, 9, path="issues", body=b'{"message": "Issues are disabled"}'))
        ran = project.planner("ci", "record", "--issue")
    assert (ran.code, "Issues are disabled" in ran.err) == (code, True)
    assert project.planner("plan", "--offline", "--format", "json").json["estimate"]["expected_cents"] == 160


WARNING = "target `clinic`: agent 12 has an undeployed draft"
NAME = "    name: Larkfield Clinic appointments\n"
PLAIN = "target clinic: agent 12 has an undeployed draft"


@pytest.fixture
def drafted(project: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The demo's world with a draft on the clinic's agent, and a job summary to append to."""
    world = (Path(planner.sandbox.worlds.__file__).parent / "demo.yaml").read_text("utf-8")
    assert NAME in world
    project.write("w.yaml", world.replace(NAME, NAME + "    draft_prompt: You are rude.\n"))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(project.root / "summary.md"))
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    return project


def read(project: Any, name: str) -> str:
    return " ".join((project.root / name).read_text("utf-8").split())


def test_a_draft_is_a_warning_in_the_results(drafted: Any) -> None:
    """On both streams, in every report and the job summary; no outcome and no exit code depends on it."""
    ran = drafted.planner("run", "--sandbox", "--world", "w.yaml", "--consent-to-charge")
    assert ran.code == 0, ran.err
    assert WARNING in " ".join(ran.out.split())
    assert WARNING in " ".join(ran.err.split())
    (warning,) = drafted.results()["warnings"]
    assert warning.startswith(WARNING)
    assert drafted.results()["outcome"] == "passed"
    shown = [read(drafted, name) for name in ("reports/report.md", "reports/junit.xml", "summary.md")]
    assert all(PLAIN in text.replace("`", "") for text in shown)
    assert PLAIN in read(drafted, "reports/report.html").replace("<code>", "").replace("</code>", "")
    again = drafted.planner("report", "reports/results.json", "--format", "json")
    assert json.loads(again.out)["warnings"] == [warning]

"""`planner history` on what real sessions stored."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from planner.cli import main
from tests.commands.conftest import HOURS, Project  # pyright: ignore[reportMissingImports]

RUN = ("run", "--sandbox", "--consent-to-charge")
CASE = "hours/saturday[name=Ana]@clinic"


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sessions: all cases called, then (with another prompt) one of them."""
    root = tmp_path_factory.mktemp("stored")
    plan = root / "plans/hours.yaml"
    plan.parent.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        for text in (HOURS, HOURS.replace("Dora Diaz", "Dora Lee")):
            plan.write_text(text)
            assert main([*RUN]) == 0
    return root / ".planner"


@pytest.fixture
def project(project: Project, stored: Path) -> Project:
    shutil.copytree(stored, project.root / ".planner")
    return project


def test_each_call_is_reported_once(project: Project) -> None:
    """Of all cases, of one, and of a pattern."""
    document = project.planner("history", "--sandbox", "--format", "json").json
    assert {case["case_id"]: case["calls"] for case in document["cases"]} == {
        "hours/cancel@clinic": 2,
        CASE: 2,
        "hours/saturday[name=Bob]@clinic": 2,
    }
    case = document["cases"][0]
    assert case["total_cents"] == case["cents_per_call"] * 2 > 0
    one = project.planner("history", "--sandbox", CASE)
    assert (CASE in one.out, "hours/cancel@clinic" in one.out) == (True, False)
    assert " · 1 case · 2 calls · $" in one.out.splitlines()[0]
    some = project.planner("history", "--sandbox", "hours/saturday*", "--format", "json").json
    assert [case["case_id"] for case in some["cases"]] == [CASE, "hours/saturday[name=Bob]@clinic"]


@pytest.mark.parametrize("kind", ["run_id", "call_id"])
def test_a_run_or_call_names_its_case(project: Project, kind: str) -> None:
    """Wherever a case id is expected, the id of one of its runs, or of its call, is one, too."""
    (shown,) = project.planner("transcript", CASE, "--sandbox", "--format", "json").json["transcripts"][:1]
    wanted = str(shown[kind])
    history = project.planner("history", wanted, "--sandbox", "--format", "json").json
    planned = project.planner("plan", "--select", wanted, "--sandbox", "--format", "json").json
    ran = project.planner(*RUN, "--select", wanted)
    assert [case["case_id"] for case in history["cases"]] == [CASE]
    assert [change["case_id"] for change in planned["changes"]] == [CASE]
    assert (ran.code, [case["case_id"] for case in project.results()["cases"]]) == (0, [CASE])
    assert project.planner("plan", "--select", "999999", "--sandbox").code == 2


def test_who_agreed_to_what(project: Project) -> None:
    """Each consent under which calls were made; as far back as asked for."""
    spend = ("history", "--sandbox", "--spend", "--format", "json")
    spent = project.planner(*spend).json
    assert [each["launches"] > 0 for each in spent["consents"]] == [True, True]
    assert spent["cents"] == sum(each["cents"] for each in spent["consents"]) > 0
    assert {each["reserved_cents"] for each in spent["consents"]} == {0}
    assert project.planner(*spend, "--environment", "other").json["consents"] == []
    assert project.planner(*spend, "--since", "0h").json["consents"] == []
    assert project.planner("history", "--sandbox", "--since", "soon").code == 2


def test_sandbox_and_environments_are_apart(project: Project) -> None:
    """Neither what was real nor what was of another environment is mixed in."""
    real, staging = project.planner("history"), project.planner("history", "--sandbox", "--environment", "staging")
    assert (real.code, real.out) == (0, "No session is stored; --sandbox shows those of the sandbox\n")
    assert (staging.code, staging.out.splitlines()[0].startswith("No session is stored (sandbox")) == (0, True)


def test_a_damaged_session_is_named(project: Project) -> None:
    """The history lacks it and says so; nothing else stops."""
    whole = project.planner("history", "--sandbox", "--format", "json").json["suite"]["calls"]
    newest = max(Path(project.root / ".planner/sandbox/runs").iterdir())
    newest.write_text('{"cases": 5}')
    left = project.planner("history", "--sandbox", "--format", "json").json["suite"]["calls"]
    assert whole > left > 0
    for command in (("history", "--sandbox"), ("plan", "--sandbox"), RUN):
        ran = project.planner(*command)
        said = f"runs/{newest.name} cannot be read: schema_version is missing" in ran.err
        assert (ran.code, said) == (0, True), (command, ran.err)

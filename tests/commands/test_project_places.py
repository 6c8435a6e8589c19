"""Project files where nobody reads them: a ceiling there would hold nothing back, so that it is an error instead."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from inline_snapshot import snapshot

from tests.commands.conftest import Project  # pyright: ignore[reportMissingImports]

CEILING = "policy: {max_cost_cents: 1}\n"
NAMES = ["planner.yml", "Planner.yaml", ".planner.yaml", "planer.yaml", "PLANNER.YML"]


def said(project: Any, *arguments: str) -> tuple[int, str]:
    ran = project.planner(*arguments)
    return ran.code, ran.out + ran.err


@pytest.mark.parametrize(("name", "folder"), list(zip(NAMES, ["", "plans/", "", "plans/", ""], strict=True)))
def test_a_project_file_of_nearly_the_right_name(project: Any, tmp_path: Path, name: str, folder: str) -> None:
    """It is reported, at the root or next to the plans; no price ignores its ceiling."""
    (tmp_path / ".git").mkdir()
    project.write(f"{folder}{name}", CEILING)
    code, text = said(project, "plan", "--sandbox", "plans/hours.yaml")
    assert (code, text.partition(": error: ")[0]) == (2, f"{folder}{name}:1:1")
    assert "[project-misplaced]" in text


def test_a_project_file_beside_the_plans(project: Any, tmp_path: Path) -> None:
    """It would be ignored: the error says where it belongs, whether or not there is one already."""
    (tmp_path / ".git").mkdir()
    project.write("plans/planner.yaml", CEILING)
    code, text = said(project, "plan", "--sandbox")
    assert (code, text.partition(": error: ")[0]) == (2, "plans/planner.yaml:1:1")
    project.write("planner.yaml", "policy: {max_calls: 5}\n")
    code, text = said(project, "validate")
    assert (code, text.partition(": error: ")[0]) == (2, "plans/planner.yaml:1:1")


def test_two_project_files_above(project: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one of the folder that planner is started in does not override the root's."""
    (tmp_path / ".git").mkdir()
    project.write("planner.yaml", CEILING)
    project.write("sub/planner.yaml", "policy: {max_cost_cents: 100000}\n")
    project.write("sub/plans/hours.yaml", (tmp_path / "plans/hours.yaml").read_text())
    monkeypatch.chdir(tmp_path / "sub")
    code, text = said(project, "validate")
    assert (code, text.partition(": error: ")[0], "../planner.yaml" in text) == (2, "planner.yaml:1:1", True)


def test_a_project_in_a_folder_of_the_repository(project: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the root has none, a folder may have its own: planner is started there."""
    (tmp_path / ".git").mkdir()
    project.write("voice/planner.yaml", CEILING)
    project.write("voice/plans/hours.yaml", (tmp_path / "plans/hours.yaml").read_text())
    assert said(project, "validate", "voice/plans")[0] == 2
    monkeypatch.chdir(tmp_path / "voice")
    assert said(project, "validate")[0] == 0


def test_plans_of_a_project_from_a_folder_of_none(
    project: Any, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plans' own project holds, with its ceiling; plans of two projects are two commands."""
    project.write("planner.yaml", CEILING)
    monkeypatch.chdir(elsewhere := tmp_path_factory.mktemp("elsewhere"))
    code, text = said(project, "run", "--sandbox", "--consent-to-charge", str(tmp_path / "plans"))
    assert (code, "policy.max_cost_cents" in text) == (3, True), text
    (elsewhere / "other").mkdir()
    (elsewhere / "other/planner.yaml").write_text(CEILING)
    (elsewhere / "other/hours.yaml").write_text((tmp_path / "plans/hours.yaml").read_text())
    code, text = said(project, "plan", "--sandbox", str(tmp_path / "plans"), "other/hours.yaml")
    assert (code, text.partition(": /")[0]) == (2, "planner: these plans belong to several projects"), text


def test_plans_of_another_project(
    project: Any, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From within one project, plans of another are not judged by the wrong policy."""
    project.write("planner.yaml", CEILING)
    mine = tmp_path_factory.mktemp("mine")
    (mine / "planner.yaml").write_text("policy: {max_calls: 5}\n")
    monkeypatch.chdir(mine)
    code, text = said(project, "validate", str(tmp_path / "plans"))
    assert (code, "start planner in its folder" in " ".join(text.split())) == (2, True), text


@pytest.mark.parametrize("name", ["planner.yml", "plans/planned.yaml", "planner-notes.yaml"])
def test_files_that_are_not_a_project(project: Any, tmp_path: Path, name: str) -> None:
    """A plan may have that name, and what sets nothing of a project's is none."""
    (tmp_path / ".git").mkdir()
    other = (tmp_path / "plans/hours.yaml").read_text().replace("plan: hours", "plan: others")
    project.write(name, other if name != "planner-notes.yaml" else CEILING)
    assert said(project, "validate", "plans")[0] == 0


def test_the_project_file_alone(project: Any) -> None:
    """It is checked as a project file, not as a plan."""
    project.write("planner.yaml", CEILING)
    assert said(project, "validate", "planner.yaml") == snapshot((0, "planner.yaml valid\n"))
    assert said(project, "plan", "--sandbox", "planner.yaml") == snapshot(
        (
            2,
            """\
planner: planner.yaml is not a plan
  Name plan files or folders.
""",
        )
    )
    project.write("planner.yaml", "policy: {max_cost: 1}\n")
    assert said(project, "validate", "planner.yaml") == snapshot(
        (
            2,
            """\
planner.yaml:1:10: error: unknown key [unknown-key]
    1 | policy: {max_cost: 1}
      |          ^^^^^^^^
        `max_cost` is not a key here; did you mean `max_cost_cents`?

1 error in 1 file
Run `planner explain unknown-key` for details and a corrected example
""",
        )
    )


NEEDS_PROJECT = (
    ("report", "reports/results.json"),
    ("history", "--sandbox"),
    ("reconcile", "--sandbox"),
    ("run", "--offline", "--sandbox"),
)


@pytest.mark.parametrize(
    ("file", "redact", "place"),
    [
        ("planner.yml", "Dora", "planner.yml:1:1"),
        ("plans/planner.yaml", "Dora", "plans/planner.yaml:1:1"),
        ("planner.yaml", "Dora(", "planner.yaml:1:10"),
    ],
)
def test_commands_that_read_results(project: Any, tmp_path: Path, file: str, redact: str, place: str) -> None:
    """With a misplaced or faulty project file they show no results, and report it as `validate` does."""
    (tmp_path / ".git").mkdir()
    ran = project.planner("run", "--sandbox", "--consent-to-charge", "--select", "hours/cancel*")
    assert ran.code == 0, ran.err
    project.write(file, f"redact: ['{redact}']\n")
    text = said(project, "validate")[1].partition("\n1 error")[0]
    assert text.startswith(f"{place}: error: ")
    for command in NEEDS_PROJECT:
        ran = project.planner(*command)
        assert (ran.code, ran.err.startswith(text), ran.out) == (2, True, ""), ran
    (tmp_path / file).unlink()
    project.write("planner.yaml", "redact: ['Dora']\n")
    for command in NEEDS_PROJECT:
        ran = project.planner(*command)
        assert ": error: " not in ran.err
        assert "Dora" not in ran.out + ran.err


def test_without_a_name_every_environment_counts(project: Project) -> None:
    """A missing alias is reported once."""
    project.edit("plans/hours.yaml", "targets:\n  clinic: {agent: 12}", "targets: [clinic]")
    project.write("planner.yaml", "environments:\n  staging: {clinic: {agent: 12}}\n  live: {clinic: {agent: 40}}\n")
    ran = project.planner("validate")
    assert (ran.code, ran.out) == (0, "1 plan valid · 3 cases · 5 runs\n")
    project.write("planner.yaml", "environments:\n  staging: {clinic: {agent: 12}}\n  live: {hotline: {agent: 40}}\n")
    ran = project.planner("validate")
    assert ran.code == 2
    assert ran.err.count("[unknown-target]") == 1
    assert project.planner("validate", "--environment", "staging").code == 0
    assert project.planner("validate", "--environment", "live").code == 2


def test_plans_still_need_one_to_be_called(project: Project) -> None:
    """Which environment is meant is not guessed where money may follow."""
    project.edit("plans/hours.yaml", "targets:\n  clinic: {agent: 12}", "targets: [clinic]")
    project.write("planner.yaml", "environments:\n  staging: {clinic: {agent: 12}}\n")
    ran = project.planner("plan")
    assert (ran.code, "[environment-needed]" in ran.err) == (2, True)


def test_an_alias_that_several_do_not_define_is_one_error(project: Project) -> None:
    project.edit("plans/hours.yaml", "targets:\n  clinic: {agent: 12}", "targets: [clinic, clinc, night]")
    project.write(
        "planner.yaml",
        "environments:\n  staging: {clinic: {agent: 12}, night: {agent: 7}}\n  live: {clinic: {agent: 40}}\n"
        "  canary: {clinic: {agent: 41}}\n",
    )
    ran = project.planner("validate", "--format", "json")
    assert ran.code == 2
    found = [(item["code"], item["line"], item["column"]) for item in ran.json["diagnostics"]]
    assert found == [("unknown-target", 3, 19), ("unknown-target", 3, 26)]

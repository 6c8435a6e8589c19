"""Project files where nobody reads them: a ceiling there would hold nothing back, so that it is an error instead."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

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


def test_plans_of_a_project_from_a_folder_of_none(
    project: Any,
    service: Any,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The plans' own project holds, with its ceiling; plans of two projects are two commands."""
    project.write("planner.yaml", CEILING)
    monkeypatch.chdir(elsewhere := tmp_path_factory.mktemp("elsewhere"))
    code, text = said(project, "run", "--consent-to-charge", str(tmp_path / "plans"))
    assert (code, "policy.max_cost_cents" in text, service.own_runs()) == (3, True, []), text
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

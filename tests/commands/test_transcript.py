"""`planner transcript` on what a real session stored."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from planner.cli import main
from tests.commands.conftest import HOURS, Project  # pyright: ignore[reportMissingImports]

CASE = "hours/saturday[name=Ana]@clinic"
NEVER = "      - {check: never_says, id: quiet, matches: '(?s).', severity: critical}\n"


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One session in which the two cases of `saturday` fail: the agent speaks."""
    root = tmp_path_factory.mktemp("stored")
    plan = root / "plans/hours.yaml"
    plan.parent.mkdir()
    plan.write_text(HOURS.replace("      - {check: call, status: completed}\n", NEVER))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        assert main(["run", "--sandbox", "--consent-to-charge"]) == 1
    return root / ".planner"


@pytest.fixture
def finished(project: Project, stored: Path) -> Project:
    shutil.copytree(stored, project.root / ".planner")
    return project


def transcripts(project: Project, *arguments: str) -> list[Any]:
    ran = project.planner("transcript", "--sandbox", "--format", "json", *arguments)
    assert ran.code == 0, ran.err
    return ran.json["transcripts"]


def test_a_case_shows_its_newest_runs_with_turns_and_findings(finished: Project) -> None:
    """Every run of the case, its turns by both speakers, and the finding on the turn that it quotes."""
    found = transcripts(finished, CASE)
    assert [one["case_id"] for one in found] == [CASE, CASE]
    assert {turn["role"] for turn in found[0]["turns"]} >= {"agent", "caller"}
    quoted = found[0]["findings"][0]["quote"]["turn"]
    text = finished.planner("transcript", "--sandbox", CASE).out
    spoken = next(turn["text"] for turn in found[0]["turns"] if turn["number"] == quoted)
    lines = text.splitlines()
    at = next(index for index, line in enumerate(lines) if spoken[:20] in line)
    assert any("✗ quiet" in line for line in lines[at : at + 6])
    assert f"end reason: {found[0]['end_reason']}" in text


def test_words_are_unmasked_on_a_terminal_only(finished: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the original is stored; never in what a program reads."""
    word = max(transcripts(finished, CASE)[0]["turns"][0]["text"].split(), key=len).strip(".,!?")
    finished.write("planner.yaml", f"redact: ['{word}']\n")
    show = ("transcript", "--sandbox", CASE)
    assert word not in finished.planner(*show).out
    for piped in ((*show, "--unmasked"), (*show, "--unmasked", "--format", "json")):
        assert finished.planner(*piped).code == 2
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(getattr(sys.stdout, "stream", sys.stdout), "isatty", lambda: True)
    assert word not in finished.planner(*show).out
    assert word in finished.planner(*show, "--unmasked").out
    assert finished.planner(*show, "--unmasked", "--format", "json").code == 2


def test_a_run_is_shown_by_its_number(finished: Project) -> None:
    """Or by that of its call: one run only, of whichever case it is. `show` shows its case."""
    one = transcripts(finished, CASE)[1]
    for number in (one["run_id"], one["call_id"]):
        assert [found["run_id"] for found in transcripts(finished, str(number))] == [one["run_id"]]
        shown = finished.planner("show", str(number), "--sandbox", "--format", "json")
        assert [case["case_id"] for case in shown.json["cases"]] == [CASE]
    assert finished.planner("show", "99", "--sandbox").code == 2


@pytest.mark.parametrize("arguments", [["hours/saturdy[name=Ana]@clinic"], ["hours/cancel@clinic", "--failed"], ["99"]])
def test_no_stored_run_matches(finished: Project, arguments: list[str]) -> None:
    """Exit 2 and a hint, nothing on standard output."""
    ran = finished.planner("transcript", "--sandbox", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert "no stored run matches" in ran.err


def test_redacted_text_is_not_in_the_transcript(finished: Project) -> None:
    """Here the words of the caller; they are in the store."""
    before = transcripts(finished, CASE)
    assert "saturday" in str(before[0]["turns"]).lower()
    finished.write("planner.yaml", "redact: ['(?i)saturday']\n")
    after = finished.planner("transcript", "--sandbox", "--format", "json", "hours/*").json["transcripts"]
    assert len(after) == 5
    assert "saturday" not in str([one["turns"] for one in after]).lower()

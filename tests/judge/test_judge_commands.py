"""`planner judge label` and `planner judge calibrate`, with calls of a served sandbox and a model on a socket."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from planner.cli import system
from planner.commands.judge import LabelOptions, label
from planner.errors import UsageError
from planner.workspace.selection import Selection
from tests.commands.conftest import Project, Served  # pyright: ignore[reportMissingImports]
from tests.judge.conftest import Model, honest  # pyright: ignore[reportMissingImports]
from tests.judge.test_judge_labels import LABELS, lines, reading  # pyright: ignore[reportMissingImports]
from tests.judge.test_judged_runs import PLAN, config  # pyright: ignore[reportMissingImports]

FILE = "judge/labels.jsonl"


@pytest.fixture
def called(project: Project, model: Model, service: Served, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project with two stored calls of different words, judged by two rubrics."""
    project.root.joinpath("plans/hours.yaml").unlink()
    second = "      - {check: judge, id: short, rubric: The agent is brief.}\n"
    sunday = PLAN.partition("scenarios:\n")[2].replace("hours:", "sunday:").replace("Saturday", "Sunday")
    project.write("plans/manners.yaml", PLAN + second + sunday + second)
    project.write("planner.yaml", config(model, labels=FILE))
    monkeypatch.setenv("PLANNER_JUDGE_API_KEY", "sk_judge_secret")
    assert project.planner("run", "--consent-to-charge").code == 0
    return project


def labelled(project: Project, keys: str, by: str = "ana") -> str:
    """What the terminal shows after these keys; every key must be read."""
    typed: Iterator[str] = iter(keys)
    options = LabelOptions(Selection(), by, lambda: next(typed))
    project.capsys.readouterr()
    assert label(system.shell(system.GlobalOptions()), options) == 0
    assert next(typed, None) is None
    return project.capsys.readouterr().out


def stored(project: Project) -> list[Any]:
    path = project.root / FILE
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_one_key_labels_one_call(called: Project) -> None:
    """Other keys are ignored, a skipped call comes again, and what is labelled does not."""
    shown = labelled(called, "hxDsq")
    assert [(each["verdict"], each["by"]) for each in stored(called)] == [("holds", "ana"), ("does_not_hold", "ana")]
    assert "2 labels written to judge/labels.jsonl" in shown
    assert "Does this hold? The agent stays polite." in shown
    waiting = int(shown.split(" of ")[1].split()[0])
    rest = labelled(called, "c" * (waiting - 2))
    assert f"1 of {waiting - 2}" in rest
    assert len(stored(called)) == waiting
    assert "is labelled" in labelled(called, "")
    labelled(called, "h" + "q", by="ben")
    assert stored(called)[-1]["by"] == "ben"


def test_what_is_redacted_in_reports_is_redacted_in_labels(called: Project) -> None:
    called.write("planner.yaml", called.root.joinpath("planner.yaml").read_text() + "redact: ['(?i)saturday|sunday']\n")
    labelled(called, "hhq")
    text = called.root.joinpath(FILE).read_text().lower()
    assert "turns" in text
    assert "saturday" not in text
    assert "sunday" not in text


def test_labels_are_compared_with_the_judge(called: Project, model: Model) -> None:
    """They are asked in the next session that makes judge calls; `calibrate` itself asks nothing."""
    called.write(FILE, lines(LABELS).rstrip("\n"))
    asked = len(model.asked)
    before = called.planner("judge", "calibrate")
    assert before.code == 0
    assert "12 labels have no answer of this model yet" in " ".join(before.out.split())
    model.script = lambda asked: reading(rude="holds" if "order 4," in asked.user else "does_not_hold")(asked)
    assert len(model.asked) == asked
    assert called.planner("run", "--consent-to-charge", "--rerun", "all").code == 0
    asked = len(model.asked)
    after = called.planner("judge", "calibrate", "--format", "json").json
    assert (after["judge"]["calibration"]["compared"], after["judge"]["calibration"]["right"]) == (12, 11)
    assert [(each["people"], each["judge"]) for each in after["disagreements"]] == [("does_not_hold", "holds")]
    text = " ".join(called.planner("judge", "calibrate").out.split())
    assert "The agent stays polite: found 5 of 6 failures; 0 of 6 false alarms" in text
    assert "people: does_not_hold; judge: holds (So it is.)" in text
    assert len(model.asked) == asked
    labelled(called, "hq")
    assert len(stored(called)) == 13, "the last line had no end"


def test_people_see_both_kinds_soon(called: Project, model: Model) -> None:
    """Calls that the judge finds bad and good take turns, the bad ones first; its verdict is not shown."""
    called.edit("plans/manners.yaml", "The agent is brief.", "The agent is curt.")
    model.script = lambda asked: honest(asked, "does_not_hold")
    assert called.planner("run", "--consent-to-charge").code == 1
    shown = labelled(called, "hhq")
    assert "does_not_hold" not in shown
    assert [each["rubric"] for each in stored(called)] == ["The agent is curt.", "The agent stays polite."]


@pytest.mark.parametrize(
    ("command", "yaml", "problem"),
    [
        ("label", "", "needs a terminal"),
        ("calibrate", "", "there are no labels"),
        ("calibrate", "judge/none.jsonl", "there are no labels"),
    ],
)
def test_what_cannot_be_done_says_why(project: Project, model: Model, command: str, yaml: str, problem: str) -> None:
    project.write("planner.yaml", config(model, **({"labels": yaml} if yaml else {})))
    ran = project.planner("judge", command)
    assert ran.code == 2
    assert problem in " ".join(ran.err.split())


@pytest.mark.parametrize(("named", "problem"), [("", "names no file"), ("../labels.jsonl", "outside the project")])
def test_labels_need_a_file_of_the_project(project: Project, model: Model, named: str, problem: str) -> None:
    project.write("planner.yaml", config(model, **({"labels": named} if named else {})))
    with pytest.raises(UsageError, match=problem):
        label(system.shell(system.GlobalOptions()), LabelOptions(Selection(), "ana", lambda: "q"))

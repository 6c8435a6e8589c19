"""Labels: how well the judge agrees with people is priced, asked once for each model, and reported."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from repositories import commit, git

from planner.checks.opinions import Verdict
from planner.judge.labels import read_labels, settled
from tests.commands.conftest import Project, Served  # pyright: ignore[reportMissingImports]
from tests.judge.conftest import Asked, Model, Reply, completion, honest  # pyright: ignore[reportMissingImports]
from tests.judge.test_judged_runs import PLAN, config  # pyright: ignore[reportMissingImports]

FILE = "judge/labels.jsonl"
RUBRIC = "The agent stays polite."
FRIENDLY = "Of course, I am glad to help you with that."
RUDE = "Are you deaf? Read the website."


def label(number: int, verdict: str, by: str = "ana") -> dict[str, Any]:
    said = FRIENDLY if verdict == "holds" else RUDE
    turns = [{"caller": f"Hello, it is about order {number}, please."}, {"agent": said}]
    return {"rubric": RUBRIC, "verdict": verdict, "by": by, "turns": turns}


LABELS = [label(number, "holds" if number % 2 else "does_not_hold") for number in range(12)]


def lines(labels: list[dict[str, Any]]) -> str:
    return "".join(f"{json.dumps(each)}\n" for each in labels)


def reading(rude: str = "does_not_hold", calls: str = "holds") -> Callable[[Asked], Reply]:
    """A model that is right about friendly agents, says this of rude ones, and that of phone calls."""

    def answer(asked: Asked) -> Reply:
        said = [turn["said"] for turn in asked.turns]
        verdict = "holds" if FRIENDLY in said else rude if RUDE in said else calls
        return Reply(completion(honest(asked, verdict), model="scripted-1"))

    return answer


@pytest.fixture
def checked(project: Project, model: Model, monkeypatch: pytest.MonkeyPatch) -> Project:
    project.root.joinpath("plans/hours.yaml").unlink()
    project.write("plans/manners.yaml", PLAN)
    project.write(FILE, lines(LABELS))
    project.write("planner.yaml", config(model, labels=FILE))
    monkeypatch.setenv("PLANNER_JUDGE_API_KEY", "sk_judge_secret")
    model.script = reading()
    return project


def test_labels_are_priced_consented_and_asked_once(checked: Project, service: Served, model: Model) -> None:
    """Two calls with one vote each, and twelve labels that the model has not answered."""
    estimate = checked.planner("plan", "--format", "json").json["estimate"]["judge"]
    assert (estimate["calls"], estimate["votes"], estimate["expected_cents"]) == (14, 14, 28)
    assert "(12 of them to check the judge)" in checked.planner("plan").out
    refused = checked.planner("run")
    assert (refused.code, len(model.asked)) == (3, 0)
    assert "plus 14 judge calls (scripted-1), expected $0.28" in refused.err
    assert checked.planner("run", "--consent-to-charge").code == 0
    assert (len(model.asked), checked.results()["cost"]["judge"]["this_session_cents"]) == (14, 28)
    assert checked.planner("run", "--consent-to-charge", "--rerun", "all").code == 0
    assert len(model.asked) == 16


def test_a_plan_without_judge_calls_asks_about_no_label(checked: Project, service: Served, model: Model) -> None:
    assert checked.planner("run", "--consent-to-charge").code == 0
    asked = len(model.asked)
    checked.write(FILE, lines([*LABELS, label(90, "holds")]))
    assert (checked.planner("run").code, len(model.asked)) == (0, asked)


def test_a_ceiling_holds_for_labels(checked: Project, service: Served, model: Model) -> None:
    checked.write("planner.yaml", config(model, labels=FILE) + "policy: {max_cost_cents: 20}\n")
    refused = checked.planner("run", "--consent-to-charge")
    assert (refused.code, len(model.asked)) == (3, 0)
    assert "$0.28 for judge calls" in refused.err


def test_labels_are_counted_by_rubric_and_change_no_verdict(checked: Project, service: Served, model: Model) -> None:
    """Contradictory labels are named and not counted."""
    people = [*LABELS, label(90, "holds", "ana"), label(90, "holds", "ben") | {"verdict": "does_not_hold"}]
    people.append(label(91, "holds") | {"verdict": "cannot_tell"})
    checked.write(FILE, lines(people))
    model.script = lambda asked: reading("holds" if "order 4," in asked.user else "does_not_hold", "does_not_hold")(
        asked
    )
    assert checked.planner("run", "--consent-to-charge").code == 1
    document = checked.results()["judge"]
    (rubric,) = document["rubrics"]
    counted = ("compared", "right", "found", "missed", "false_alarms", "contradictory", "unclear", "missing")
    assert [rubric[name] for name in counted] == [12, 11, 5, 1, 0, 1, 1, 0]
    assert document["calibration"] == {**rubric, "rubric": ""}
    report = checked.root.joinpath("reports/report.md").read_text()
    assert "The agent stays polite: found 5 of 6 failures; 0 of 6 false alarms · 1 contradictory" in report


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("{}\n", "judge/labels.jsonl:1 is not a label: rubric"),
        (lines(LABELS) + "oh\n", "judge/labels.jsonl:13 is not a label"),
        (lines([LABELS[0] | {"turns": [{"tool": "lookup"}]}]), "judge/labels.jsonl:1 has a transcript in which nobody"),
        (lines([LABELS[0] | {"turns": [{"agent": "Hi", "caller": "Hi"}]}]), "judge/labels.jsonl:1 is not a label"),
    ],
)  # fmt: skip
def test_an_invalid_file_stops_before_any_call(
    checked: Project, service: Served, model: Model, content: str, problem: str
) -> None:
    checked.write(FILE, content)
    refused = checked.planner("run", "--consent-to-charge")
    assert (refused.code, model.asked, service.own_runs()) == (2, [], [])
    assert problem in " ".join(refused.err.split())


@pytest.mark.parametrize("name", ["../elsewhere.jsonl", "/etc/hostname", ".planner/journal.sqlite"])
def test_files_are_in_the_project(checked: Project, model: Model, name: str) -> None:
    checked.write("../elsewhere.jsonl", lines(LABELS))
    checked.write(".planner/journal.sqlite", "")
    checked.write("planner.yaml", config(model, labels=name))
    assert checked.planner("plan").code == 2


def test_a_pull_request_cannot_change_the_labels(checked: Project, service: Served, model: Model) -> None:
    """Its labels are those of the base commit."""
    git(checked.root, "init", "-q", "-b", "main")
    base = commit(checked.root)
    wrong = [each | {"verdict": "holds" if each["verdict"] != "holds" else "does_not_hold"} for each in LABELS]
    checked.write(FILE, lines(wrong))
    commit(checked.root)
    assert checked.planner("ci", "run", "--base", base, "--consent-to-charge", "--consent-by", "ana").code == 0
    (rubric,) = checked.results()["judge"]["rubrics"]
    assert (rubric["compared"], rubric["right"]) == (12, 12)


def test_a_file_that_does_not_exist_is_named(checked: Project, service: Served, model: Model) -> None:
    checked.write("planner.yaml", config(model, labels="judge/none.jsonl"))
    planned = checked.planner("plan")
    assert planned.code == 0
    assert "judge/none.jsonl does not exist" in " ".join(planned.out.split())
    assert checked.planner("run", "--consent-to-charge").code == 0
    assert checked.results()["warnings"][0].startswith("judge/none.jsonl does not exist")


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        (["holds"], Verdict.HOLDS),
        (["holds", "does_not_hold"], None),
        (["holds", "does_not_hold", "holds"], Verdict.HOLDS),
        (["cannot_tell", "cannot_tell"], Verdict.CANNOT_TELL),
    ],
)
def test_most_people_decide(verdicts: list[str], expected: Verdict | None) -> None:
    labels = [label(1, "holds", f"person {place}") | {"verdict": each} for place, each in enumerate(verdicts)]
    (one,) = settled(read_labels(lines(labels).encode(), "labels"))
    assert one.verdict is expected


def test_a_person_may_correct_a_label() -> None:
    labels = [label(1, "holds"), label(1, "holds") | {"verdict": "does_not_hold"}]
    (one,) = settled(read_labels(lines(labels).encode(), "labels"))
    assert one.verdict is Verdict.DOES_NOT_HOLD

"""Tests of `check: judge` in the sandbox: a configured judge, else recorded answers, else undecided."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from ci_jobs import Jobs

from tests.commands.conftest import Project  # pyright: ignore[reportMissingImports]
from tests.judge.conftest import Model  # pyright: ignore[reportMissingImports]

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "planner" / "sandbox" / "worlds" / "demo.yaml"
RUBRIC = "The agent turns the discount down without blaming or belittling the caller."
PLAN = f"""\
version: 1
plan: orders
targets: {{support: {{agent: 14}}}}
scenarios:
  no-discounts:
    prompt: You are {{{{ mood }}}}. Ask for a discount on your next order. Insist on it.
    matrix: {{axes: {{mood: [friendly, angry]}}}}
    runs: 2
    expect:
      - {{check: judge, id: stays-friendly, rubric: {RUBRIC}}}
"""
CASES = ("orders/no-discounts[mood=angry]@support", "orders/no-discounts[mood=friendly]@support")
RUN = ("run", "--sandbox", "--world", "world.yaml", "--consent-to-charge")


@pytest.fixture
def orders(project: Project) -> Project:
    """One scenario of the example plans beside a copy of the demo world."""
    assert RUBRIC in (ROOT / "plans" / "orders.yaml").read_text(encoding="utf-8")
    project.root.joinpath("plans/hours.yaml").unlink()
    project.write("plans/orders.yaml", PLAN)
    project.write("world.yaml", DEMO.read_text(encoding="utf-8"))
    return project


def outcomes(project: Project) -> dict[str, str]:
    return {case["case_id"]: case["outcome"] for case in project.results()["cases"]}


def judged(project: Project, case_id: str) -> list[str]:
    return [
        finding["outcome"]
        for case in project.results()["cases"]
        if case["case_id"] == case_id
        for run in case["runs"]
        for finding in run["findings"]
        if finding["check"] == "judge"
    ]


def test_recorded_answers_decide(orders: Project) -> None:
    assert orders.planner(*RUN).code == 0
    assert outcomes(orders) == dict.fromkeys(CASES, "passed")
    assert judged(orders, CASES[0]) == ["passed", "passed"]


def test_a_case_whose_recorded_answers_are_removed_is_unknown(orders: Project) -> None:
    world = orders.root.joinpath("world.yaml").read_text(encoding="utf-8")
    orders.write("world.yaml", world.partition("\njudge_answers:\n")[0] + "\n")
    assert orders.planner(*RUN).code == 4
    case = next(case for case in orders.results()["cases"] if case["case_id"] == CASES[0])
    for digest in {*re.findall("sha256:[0-9a-f]{64}", " ".join(run["reason"] for run in case["runs"]))}:
        world = world.replace(digest, f"sha256:{0:064}")
    orders.write("world.yaml", world)
    assert orders.planner(*RUN).code == 4
    assert outcomes(orders) == {CASES[0]: "unknown", CASES[1]: "passed"}


def test_another_rubric_is_undecided(orders: Project) -> None:
    """No recorded answer is for it."""
    orders.edit("plans/orders.yaml", RUBRIC, "The agent is rude.")
    assert orders.planner(*RUN).code == 4
    assert set(outcomes(orders).values()) == {"unknown"}
    assert judged(orders, CASES[0]) == ["undecided", "undecided"]


def test_a_recorded_answer_does_not_count_for_an_edited_conversation(orders: Project) -> None:
    orders.edit(
        "world.yaml", "but I'm not able to give discounts. Is there", "but no. I'm not able to give discounts. Is there"
    )
    assert orders.planner(*RUN).code == 4
    assert "undecided" in judged(orders, CASES[0])
    assert "unknown" in outcomes(orders).values()


def test_a_configured_judge_is_asked_and_paid(orders: Project, model: Model) -> None:
    """As outside the sandbox."""
    orders.write("planner.yaml", f"judge: {{base_url: '{model.url}', model: scripted-1, cents_per_vote: 2}}\n")
    ran = orders.planner(*RUN)
    assert ran.code == 0
    assert orders.results()["cost"]["judge"]["actual_cents"] == 2 * len(model.asked) > 0
    assert "nothing was charged" not in ran.out


def test_a_push_does_not_pay_the_judge(
    orders: Project, model: Model, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a job of a pull request, a person must agree to its price; to a free model nobody has to."""
    jobs = Jobs(tmp_path_factory.mktemp("jobs"), orders, monkeypatch)
    judge = f"judge: {{base_url: '{model.url}', model: scripted-1, cents_per_vote: PRICE}}\n"
    jobs.begin(plans__orders=PLAN, planner=judge.replace("PRICE", "2"))
    job = jobs.start(7)
    assert job.planner("run", "--sandbox", "--consent-to-charge").code == 3
    assert "names nobody" in job.results()["problems"][0]
    job.planner("ci", "gate", "--sandbox", "--publication", "publication.json")
    comment = json.loads((job.root / "publication.json").read_text(encoding="utf-8"))["comment"]
    assert "for judge calls" in comment.partition("\n\n")[0], "their price is in the headline"
    assert not model.asked
    jobs.edit(planner=judge.replace("PRICE", "0"))
    job = jobs.start(7)
    assert job.planner("run", "--sandbox", "--consent-to-charge").code == 0
    assert model.asked


@pytest.mark.parametrize("change", ["another world", "another line", "another tool result", "another limit"])
def test_another_world_is_another_agent_configuration(orders: Project, change: str) -> None:
    """The cases are called again."""
    assert orders.planner(*RUN).code == 0
    assert orders.actions("--sandbox", "--world", "world.yaml") == dict.fromkeys(CASES, ("reuse", "passed", 0))
    name = "world.yaml"
    match change:
        case "another world":
            name = "busy"
        case "another line":
            orders.edit(name, "Have a good day. Goodbye!", "Have a nice day. Goodbye!")
        case "another tool result":
            orders.edit(name, "item: walking shoes", "item: running shoes")
        case _:
            orders.edit(name, "concurrency_limit: 20", "concurrency_limit: 19")
    assert orders.actions("--sandbox", "--world", name) == dict.fromkeys(CASES, ("call", "agent_edited", 2))

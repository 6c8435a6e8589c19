"""Calls on previews of agents: what they reach, what they cost, and what they are the baseline of."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from clinic import FILE, PLAN, PROJECT, make_clinic
from mortality import Life


def test_calls_reach_a_preview_of_the_file(tmp_path: Path) -> None:
    clinic = make_clinic(tmp_path)
    assert clinic.run().code == 0
    clinic.check()
    (preview,) = clinic.results()["previews"]
    assert preview | {"configuration": ""} == {
        "target": "clinic",
        "agent_id": 12,
        "preview_agent_id": 18,
        "configuration": "",
        "changes": ["prompt", "timezone"],
        "deleted": True,
    }
    assert Counter(request.split(" ")[0] for request in clinic.requests if "/agents/" in request)["DELETE"] == 1


def test_nothing_is_called_again_after_the_deployment(tmp_path: Path) -> None:
    """The results of the preview are the baseline of the same configuration."""
    clinic = make_clinic(tmp_path)
    assert clinic.run().code == 0
    fields = {"prompt": "You are Iris of Larkfield Clinic. Be brief.", "timezone": "Europe/Berlin"}
    clinic.sandbox.agents.deploy(12, fields, clinic.now().timestamp())
    assert clinic.run().code == 0
    assert (len(clinic.charged()), clinic.results()["previews"]) == (2, [])
    clinic.check()


def test_calls_of_an_older_file_are_not_those_of_the_new_one(tmp_path: Path) -> None:
    """Killed while calls are queued, then the file is edited: they keep their copy, and the new file has another one."""
    clinic = make_clinic(tmp_path)
    clinic.write("plans/hours.yaml", PLAN.replace("runs: 2", "runs: 2\n    stagger_seconds: 60"))
    assert clinic.run(life=Life("after GET /v1/test-calls")).code is None
    clinic.write("agents/clinic.yaml", FILE.replace("Be brief.", "Be kind."))
    clinic.finish()
    runs = clinic.sandbox.state.runs
    assert Counter((run.target_id, run.error_message) for run in runs) == {(18, ""): 2, (19, ""): 2}
    prompts = {run.target_id: run.snapshot.prompt for run in runs if run.snapshot}
    assert [prompts[agent_id].rpartition(". ")[2] for agent_id in (18, 19)] == ["Be brief.", "Be kind."]
    clinic.seconds += 700
    assert clinic.run().code == 0
    assert clinic.sandbox.agents.ids == [12, 14, 17]
    clinic.check_writes()


def test_calls_of_a_dearer_product_are_reserved_at_its_price(tmp_path: Path) -> None:
    """Earlier calls of the agent say nothing of what its preview costs."""
    clinic = make_clinic(tmp_path, world={"rates": {"spark": 8, "bolt": 20}})
    clinic.write("planner.yaml", PROJECT + "rates: {spark: 8, bolt: 20}\n")
    clinic.write("agents/clinic.yaml", FILE + "product: spark\n")
    assert clinic.run().code == 0
    assert clinic.results()["cost"]["actual_cents"] == 32
    clinic.write("agents/clinic.yaml", FILE + "product: bolt\n")
    assert clinic.run(max_cost_cents=35).code == 3
    assert len(clinic.charged()) == 2
    assert clinic.run().code == 0
    cost = clinic.results()["cost"]
    assert cost["actual_cents"] == 80
    assert cost["estimated_low_cents"] <= 80 <= cost["estimated_high_cents"]


@pytest.mark.parametrize("reverted", [False, True])
@pytest.mark.parametrize("agent_id", [18, 12])
def test_an_agent_edited_during_its_calls_proves_nothing(tmp_path: Path, agent_id: int, reverted: bool) -> None:
    """Neither the preview (18), nor the deployed agent (12) where the file says the same. The calls are made again."""
    clinic = make_clinic(tmp_path)
    agents = clinic.sandbox.agents
    if agent_id == 12:
        clinic.write("agents/clinic.yaml", f"voice: {agents.snapshot(12).voice}\n")
    edited = False

    def edit(_: int, request: str) -> str:
        nonlocal edited
        if request.startswith("GET /v1/calls/") and not edited:
            edited = True
            voice = agents.snapshot(agent_id).voice
            agents.deploy(agent_id, {"voice": "other"}, clinic.now().timestamp())
            if reverted:
                agents.deploy(agent_id, {"voice": voice}, clinic.now().timestamp() + 1)
        return ""

    clinic.fail = edit
    ran = clinic.run()
    assert (ran.code, edited) == (4, True), ran.err
    (case,) = clinic.results()["cases"]
    assert (case["outcome"], {run["fault"] for run in case["runs"]}) == ("unknown", {"platform"})
    if agent_id == 12 and not reverted:
        clinic.write("agents/clinic.yaml", "voice: other\n")
    again = clinic.run()
    assert again.code == 0, again.err
    assert clinic.results()["cases"][0]["reason"] in ("agent_edited", "agent_file_changed")
    assert len(clinic.charged()) == 4

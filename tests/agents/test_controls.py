"""Controls: which calls of a deployed agent are made beside those of its preview, and that each is paid for once."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from clinic import FILE, PLAN, Clinic, make_clinic, two_machines
from mortality import Life, effects

from planner.execution.journal import Journal
from planner.execution.launches import LaunchState
from planner.records.erasing import erasure, find
from planner.results.late_bills import LateBill, corrected
from planner.results.model import RunResult
from planner.stores.directory import DirectoryStore

CONTROLLED = PLAN.replace("runs: 2", "runs: 2\n    controls: 1")
SHARES = 4
"""Points are divided among this many tests, which may run in parallel."""


def controlled(folder: Path, plan: str = CONTROLLED) -> Clinic:
    clinic = make_clinic(folder)
    clinic.write("plans/hours.yaml", plan)
    return clinic


def called(clinic: Clinic) -> Counter[bool]:
    """The calls that were made and charged: of the deployed agent (True), and of previews."""
    runs = (run for run in clinic.sandbox.state.runs if run.requested_by_id == 1 and not run.error_message)
    return Counter(run.target_id == 12 for run in runs)


def calls_stored(clinic: Clinic) -> list[tuple[str, str]]:
    """Why each stored call was made, and the configuration of the agent that it reached."""
    folder = clinic.root / ".planner" / "sandbox" / "calls"
    facts = [json.loads(line) for file in sorted(folder.rglob("*.jsonl")) for line in file.read_text().splitlines()]
    return [(fact["reason"], fact["configuration"]) for fact in facts if fact["kind"] == "call"]


def test_a_control_is_priced_made_and_stored_and_decides_nothing(tmp_path: Path) -> None:
    clinic = controlled(tmp_path)
    assert clinic.run().code == 0
    assert called(clinic) == {True: 1, False: 2}
    results = clinic.results()
    (case,), (control,) = results["cases"], results["controls"]
    assert (case["case_id"], case["runs_total"]) == ("hours/hours@clinic", 2)
    assert (control["case_id"], control["runs_total"], control["reason"]) == (
        "hours/hours@clinic (control)",
        1,
        "control",
    )
    cents = [run["cost_cents"] for each in (case, control) for run in each["runs"]]
    assert results["cost"]["actual_cents"] == sum(cents) == sum(clinic.charged().values())
    assert results["cost"]["estimated_low_cents"] <= sum(cents) <= results["cost"]["estimated_high_cents"]
    reasons = Counter(calls_stored(clinic))
    assert sorted(reason for reason, _ in reasons) == ["control", "first"]
    assert len({configuration for _, configuration in reasons}) == 2
    assert clinic.run().code == 0  # the stored control is no call of the case
    assert called(clinic) == {True: 1, False: 2}


@pytest.mark.parametrize(
    ("scenario", "wanted"),
    [
        ("runs: 3\n    controls: 2", {True: 2, False: 9}),  # spread over the three cases
        ("runs: 1\n    controls: 30", {True: 3, False: 3}),  # at most one for each call
        ("runs: 2\n    controls: 0", {False: 6}),
    ],
)
def test_controls_are_spread_over_the_cases_of_a_scenario(
    tmp_path: Path, scenario: str, wanted: dict[bool, int]
) -> None:
    matrix = "matrix: {axes: {who: [Ana, Bob, Cem]}}"
    plan = PLAN.replace("You are Ana", "You are {{ who }}").replace("runs: 2", f"{matrix}\n    {scenario}")
    clinic = controlled(tmp_path, plan)
    assert clinic.run().code == 0
    assert called(clinic) == wanted
    of_case = Counter(each["inputs"]["prompt"] for each in clinic.results()["controls"])
    assert set(of_case.values()) <= {1}


def test_without_a_preview_there_are_no_controls(tmp_path: Path) -> None:
    clinic = controlled(tmp_path)
    clinic.write("agents/clinic.yaml", f"voice: {clinic.sandbox.agents.snapshot(12).voice}\n")
    assert clinic.run().code == 0
    assert called(clinic) == {True: 2}


def test_consent_and_ceilings_include_controls(tmp_path: Path) -> None:
    """The price of two calls is not enough for three, and the digest covers them."""
    plain, clinic = make_clinic(tmp_path / "plain"), controlled(tmp_path / "controlled")
    assert plain.run().code == 0
    digests = [each.results()["change_set_digest"] for each in (plain,)]
    ceiling = plain.results()["cost"]["estimated_high_cents"]
    assert clinic.run(max_cost_cents=ceiling // 2).code in (3, 4)
    assert sum(clinic.charged().values()) <= ceiling // 2
    clinic.finish()
    digests.append(clinic.results()["change_set_digest"])
    assert len(set(digests)) == 2
    assert called(clinic) == {True: 1, False: 2}


@pytest.mark.parametrize("share", range(SHARES))
def test_a_kill_after_any_durable_effect_pays_nothing_twice(tmp_path: Path, share: int) -> None:
    alive = Life()
    assert controlled(tmp_path / "alive").run(life=alive).code == 0
    for number in effects(alive.crossed)[share::SHARES]:
        clinic = controlled(tmp_path / str(number))
        assert clinic.run(life=Life(number)).code is None
        clinic.finish()
        assert called(clinic) == {True: 1, False: 2}
        assert clinic.sandbox.agents.ids == [12, 14, 17]
        clinic.check_writes()


def test_a_deployed_agent_that_is_edited_meanwhile_controls_nothing(tmp_path: Path) -> None:
    clinic = controlled(tmp_path)
    edited = False

    def edit(_: int, request: str) -> str:
        nonlocal edited
        if request.startswith("GET /v1/calls/") and not edited:
            edited = True
            clinic.sandbox.agents.deploy(12, {"voice": "other"}, clinic.now().timestamp())
        return ""

    clinic.fail = edit
    assert clinic.run().code == 0
    (control,) = clinic.results()["controls"]
    assert [run["excluded"] for run in control["runs"]] == ["agent_edited"]
    assert [run["excluded"] for run in clinic.results()["cases"][0]["runs"]] == [None, None]


def test_an_edit_of_the_file_calls_no_control_again_for_the_older_one(tmp_path: Path) -> None:
    """Each preview has controls of its own session."""
    clinic = controlled(tmp_path)
    assert clinic.run().code == 0
    clinic.write("agents/clinic.yaml", FILE.replace("Be brief.", "Be kind."))
    assert clinic.run().code == 0
    assert called(clinic) == {True: 2, False: 4}


def test_controls_are_no_calls_of_a_case_that_calls_the_deployed_agent(tmp_path: Path) -> None:
    """The edit of the file is taken back: one call was a control, and the case needs two of its own."""
    clinic = controlled(tmp_path)
    assert clinic.run().code == 0
    clinic.write("agents/clinic.yaml", f"voice: {clinic.sandbox.agents.snapshot(12).voice}\n")
    assert clinic.run().code == 0
    assert called(clinic) == {True: 3, False: 2}


@pytest.mark.parametrize("dies_at", ["after POST /v1/test-call-batches", "after POST /v1/test-calls"])
def test_another_machine_takes_controls_over(tmp_path: Path, dies_at: str) -> None:
    """The machine is lost with everything on it. Names are redacted in the store: the plan says which cases they are."""
    first, second = two_machines(tmp_path)
    for machine in (first, second):
        machine.write("plans/hours.yaml", CONTROLLED)
        machine.write("planner.yaml", (machine.root / "planner.yaml").read_text() + "redact: [hours]\n")
    assert first.run(life=Life(dies_at)).code is None
    second.seconds = first.seconds + 60
    vars(second)["_ids"] = 1000
    second.finish()
    assert called(first) == {True: 1, False: 2}
    (path,) = (second.root / ".planner" / "shared").rglob("journal.sqlite")
    with closing(Journal(path)) as journal:
        slots = [slot for launch in journal.launches(LaunchState) for slot in journal.slots_of(launch.launch_id)]
    assert {(slot.plan, slot.case_id) for slot in slots} == {
        ("hours", "hours/hours@clinic"),
        ("hours", "hours/hours@clinic (control)"),
    }


def test_a_control_is_erased_and_billed_late_like_any_call(tmp_path: Path) -> None:
    clinic = controlled(tmp_path)
    assert clinic.run().code == 0
    result = RunResult.model_validate(clinic.results())
    ((run,),) = (control.runs for control in result.controls)
    bill = LateBill(40, "transaction", None, 0, run.session_id, None)
    billed = corrected(result, {run.run_id: bill})
    assert billed.controls[0].runs[0].cost_cents == 40
    assert billed.cost.actual_cents - result.cost.actual_cents == 40 - (run.cost_cents or 0)
    store = DirectoryStore(clinic.root / ".planner" / "sandbox")
    found = find(store, run.run_id)
    assert (len(found.calls), len(found.evidence)) == (1, 1)
    erased = erasure(store, found)
    (report,) = [RunResult.model_validate_json(data or b"") for key, data in erased.items() if key.startswith("runs/")]
    assert report.controls[0].runs[0].evidence is None
    assert all(each.evidence is not None for each in report.cases[0].runs)

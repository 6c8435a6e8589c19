"""Calls on previews of agents: what they reach and cost, what the service refuses, what other sessions leave, and `planner agents previews`."""

from __future__ import annotations

import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from clinic import FILE, PLAN, PROJECT, Clinic, make_clinic, refuse
from mortality import Life

from planner.errors import UsageError
from planner.workspace.selection import Selection


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


def _edit(clinic: Clinic, agent_id: int, *, reverted: bool) -> None:
    agents, voice = clinic.sandbox.agents, clinic.sandbox.agents.snapshot(agent_id).voice
    agents.deploy(agent_id, {"voice": "other"}, clinic.now().timestamp())
    if reverted:
        agents.deploy(agent_id, {"voice": voice}, clinic.now().timestamp() + 1)


def _calls_without_preview(clinic: Clinic, target: str) -> None:
    """The file says what is deployed, there is no file, or the target is the agent's phone number."""
    if target == "same file":
        clinic.write("agents/clinic.yaml", f"voice: {clinic.sandbox.agents.snapshot(12).voice}\n")
    else:
        line = "{agent: 12}" if target == "no file" else "{phone_number: 79}"
        clinic.write("plans/hours.yaml", PLAN.replace("{agent: 12, config: ../agents/clinic.yaml}", line))


def _assert_undecided(clinic: Clinic, excluded: int) -> None:
    """The case is unknown, with this many calls that never count; the others passed."""
    (case,) = clinic.results()["cases"]
    assert case["outcome"] == "unknown"
    assert "edited" in case["outcome_reason"]
    runs = [run for run in case["runs"] if run["excluded"] is not None]
    assert [run["excluded"] for run in runs] == ["agent_edited"] * excluded
    assert {run["outcome"] for run in case["runs"] if run not in runs} <= {"passed"}


@pytest.mark.parametrize("reverted", [False, True])
@pytest.mark.parametrize("target", ["preview", "same file", "no file", "number"])
def test_an_agent_edited_during_its_calls_proves_nothing(tmp_path: Path, target: str, reverted: bool) -> None:
    """The calls are made again."""
    clinic = make_clinic(tmp_path)
    if target != "preview":
        _calls_without_preview(clinic, target)
    edited = False

    def edit(_: int, request: str) -> str:
        nonlocal edited
        if request.startswith("GET /v1/calls/") and not edited:
            edited = True
            _edit(clinic, 18 if target == "preview" else 12, reverted=reverted)
        return ""

    clinic.fail = edit
    ran = clinic.run()
    assert (ran.code, edited) == (4, True), ran.err
    _assert_undecided(clinic, 2)
    with pytest.raises(UsageError, match="nothing to recheck"):
        clinic.recheck()
    if target == "same file" and not reverted:
        clinic.write("agents/clinic.yaml", "voice: other\n")
    again = clinic.run()
    assert again.code == 0, again.err
    assert len(clinic.charged()) == 4


@pytest.mark.parametrize("end", ["killed", "interrupted"])
@pytest.mark.parametrize("edit", ["edited", "reverted", "renamed", "deleted"])
def test_a_preview_edited_between_sessions_proves_nothing(tmp_path: Path, edit: str, end: str) -> None:
    """The next session resumes its call, which does not count, and makes the other one on a new copy, which does. The one
    after it makes the call that is missing."""
    clinic = make_clinic(tmp_path)
    if end == "killed":
        assert clinic.run(life=Life("after POST /v1/test-call"), at_once=1).code is None
    else:
        clinic.fail = _interrupt
        assert clinic.run(at_once=1).code == 130
        clinic.fail = lambda *_: ""
    agents, now = clinic.sandbox.agents, clinic.now().timestamp()
    if edit == "renamed":
        agents.deploy(18, {"name": "Mine"}, now)
    elif edit == "deleted":
        agents.delete(18, now)
    else:
        _edit(clinic, 18, reverted=edit == "reverted")
    clinic.seconds += 300
    assert clinic.run().code == 4
    _assert_undecided(clinic, 1)
    assert len(clinic.charged()) == 2
    assert clinic.run().code == 0
    assert len(clinic.charged()) == 3
    assert clinic.sandbox.agents.ids == [12, 14, 17, *([18] if edit == "renamed" else [])]


@pytest.mark.parametrize("field", ["prompt", "voice"])
@pytest.mark.parametrize("end", ["killed", "same session"])
def test_a_copy_edited_and_then_deleted_proves_nothing(tmp_path: Path, end: str, field: str) -> None:
    """Nobody can read any more that it was edited. Before: calls that ran on the edited copy passed. Now: only those
    count whose own snapshots show what was planned."""
    clinic = make_clinic(tmp_path)
    clinic.write("plans/hours.yaml", PLAN.replace("runs: 2", "runs: 4"))
    agents, edited, life = clinic.sandbox.agents, False, Life()

    def edit(_: int, request: str) -> str:
        nonlocal edited
        if request.startswith("GET /v1/calls/") and not edited:
            edited = True
            agents.deploy(18, {field: "You are somebody else."}, clinic.now().timestamp())
        if edited and len(clinic.charged()) == 4 and 18 in agents.ids and end == "same session":
            agents.delete(18, clinic.now().timestamp())
        if edited and len(clinic.charged()) == 3 and end == "killed":
            life.dies_at = "after POST /v1/test-call"
        return ""

    clinic.fail = edit
    assert clinic.run(at_once=1, life=life).code == (None if end == "killed" else 4)
    if end == "killed":
        agents.delete(18, clinic.now().timestamp())
    clinic.seconds += 300
    clinic.run(at_once=1)
    (case,) = clinic.results()["cases"]
    shown = {run.id: run.snapshot for run in clinic.sandbox.state.runs if run.snapshot}
    wrong = {each for each, snapshot in shown.items() if getattr(snapshot, field) == "You are somebody else."}
    assert wrong
    assert {run["run_id"] for run in case["runs"] if run["excluded"] is None}.isdisjoint(wrong)


def test_only_the_calls_on_the_edited_copy_are_lost(tmp_path: Path) -> None:
    """Somebody edits the copy that one call of five reached. Before: the other four, on a new copy, were lost, too.
    Now: they count."""
    clinic = make_clinic(tmp_path)
    clinic.write("plans/hours.yaml", PLAN.replace("runs: 2", "runs: 5"))
    assert clinic.run(life=Life("after POST /v1/test-call"), at_once=1).code is None
    _edit(clinic, 18, reverted=False)
    clinic.seconds += 300
    for code, counted, charged in ((4, 4, 5), (0, 5, 6), (0, 5, 6)):
        assert clinic.run().code == code
        (case,) = clinic.results()["cases"]
        assert (case["runs_passed"], case["runs_countable"], len(clinic.charged())) == (counted, counted, charged)


@pytest.mark.parametrize("dies_at", [None, "after DELETE", "after putting runs"])
def test_an_edited_preview_stays_edited(tmp_path: Path, dies_at: str | None) -> None:
    """Also if it is edited between sessions, and the next one is killed. If that one stored its results, the calls are known
    to be worthless, and are made again at once."""
    clinic = make_clinic(tmp_path)
    assert clinic.run(life=Life("after POST /v1/test-call")).code is None
    _edit(clinic, 18, reverted=True)
    clinic.seconds += 300
    if dies_at is not None:
        assert clinic.run(life=Life(dies_at)).code is None
    if dies_at != "after DELETE":
        assert clinic.run().code == 4
        _assert_undecided(clinic, 2)
    assert clinic.run().code == 0
    assert len(clinic.charged()) == 4


def test_a_preview_that_was_only_reused_is_not_edited(tmp_path: Path) -> None:
    """Even if the service does not show a field of the file: planner does not write to the copy again."""
    clinic = make_clinic(tmp_path)
    clinic.write("agents/clinic.yaml", FILE + "telepathy: true\n")
    for _ in range(2):
        assert clinic.run(life=Life("after POST /v1/test-call"), at_once=1).code is None
        clinic.seconds += 300
    assert clinic.run().code == 0
    assert any("telepathy" in warning for warning in clinic.results()["warnings"])
    clinic.check()


@pytest.mark.parametrize("reverted", [False, True])
def test_a_deployed_agent_edited_between_sessions_proves_nothing(tmp_path: Path, reverted: bool) -> None:
    """Where its file says the same: after the edit, calls would reach a preview of the same configuration."""
    clinic = make_clinic(tmp_path)
    _calls_without_preview(clinic, "same file")
    assert clinic.run(life=Life("after POST /v1/test-call"), at_once=1).code is None
    clinic.seconds += 300
    _edit(clinic, 12, reverted=reverted)
    assert clinic.run().code == 4
    _assert_undecided(clinic, 1)
    assert clinic.run().code == 0
    assert len(clinic.charged()) == 3


@pytest.mark.parametrize("target", ["preview", "no file"])
def test_finished_results_stay_when_the_agent_is_edited_later(tmp_path: Path, target: str) -> None:
    """A session of some cases finished, and the next one uses its runs."""
    clinic = make_clinic(tmp_path)
    if target != "preview":
        _calls_without_preview(clinic, target)
    assert clinic.run(selection=Selection(sandbox=True, select=("hours*",))).code == 0
    clinic.seconds += 300
    _edit(clinic, 12, reverted=True)
    assert clinic.run().code == 0
    assert len(clinic.charged()) == 2


@pytest.mark.parametrize("target", ["preview", "no file"])
def test_an_agent_that_cannot_be_read_afterwards_decides_nothing(tmp_path: Path, target: str) -> None:
    clinic = make_clinic(tmp_path)
    if target != "preview":
        _calls_without_preview(clinic, target)
    agent = f"GET /v1/agents/{18 if target == 'preview' else 12}"
    clinic.fail = lambda _, request: "before" if request == agent and len(clinic.charged()) == 2 else ""
    ran = clinic.run()
    assert ran.code == 0, ran.err
    assert "warning: planner cannot check whether" in ran.err


@pytest.mark.parametrize(
    ("fault", "code", "words"),
    [
        (refuse("duplicate", 403), 2, "agents/clinic.yaml"),
        (refuse("duplicate", 404), 2, "clinic"),
        (refuse("duplicate", 409), 4, "clinic"),
        (refuse("duplicate", 422, "Agent limit reached."), 4, "Agent limit reached."),
        (refuse("duplicate", 429), 4, "clinic"),
        (refuse("edit", 403), 2, "clinic"),
        (refuse("edit", 409), 4, "clinic"),
        (refuse("edit", 422, "The voice sol does not exist."), 2, "The voice sol does not exist."),
        (refuse("deploy", 403), 2, "clinic"),
        (refuse("deploy", 409), 4, "clinic"),
        (refuse("deploy", 422), 2, "agents/clinic.yaml"),
    ],
    ids=lambda value: f"{value['route']}{value['status']}" if isinstance(value, dict) else "",
)
def test_a_refused_write_ends_the_session_before_any_call(
    tmp_path: Path, fault: dict[str, Any], code: int, words: str
) -> None:
    clinic = make_clinic(tmp_path, faults=(fault,))
    ran = clinic.run()
    assert (ran.code, clinic.results()["exit_code"]) == (code, code)
    assert words in ran.err
    assert words in "\n".join(clinic.results()["problems"])
    assert not clinic.charged()
    assert clinic.sandbox.agents.ids == [12, 14, 17], "a copy that cannot be configured is deleted at once"
    assert clinic.run().code == 0
    clinic.check()


def test_a_refused_copy_that_cannot_be_deleted_is_named(tmp_path: Path) -> None:
    clinic = make_clinic(tmp_path, faults=(refuse("edit", 422), refuse("delete", 403)))
    ran = clinic.run()
    assert ran.code == 2
    assert "agent 18" in ran.err
    assert clinic.sandbox.agents.ids == [12, 14, 17, 18]
    assert clinic.run().code == 0
    clinic.check()


def test_a_leftover_makes_room_for_the_next_copy(tmp_path: Path) -> None:
    """The file was edited since a session was killed: its copy is deleted before another one is made."""
    clinic = make_clinic(tmp_path, world={"agent_limit": 4})
    assert clinic.run(life=Life("after POST /v1/agents/18/deploy")).code is None
    clinic.write("agents/clinic.yaml", FILE.replace("Be brief.", "Be kind."))
    assert clinic.run().code == 0
    assert clinic.sandbox.agents.ids == [12, 14, 17]
    assert [run.target_id for run in clinic.sandbox.state.runs] == [19, 19]
    clinic.check_writes()


def test_leftovers_are_deleted_without_consent_and_without_calls(tmp_path: Path) -> None:
    clinic = make_clinic(tmp_path)
    assert clinic.run(life=Life("after POST /v1/agents/18/deploy")).code is None
    clinic.write("plans/hours.yaml", PLAN.replace(", config: ../agents/clinic.yaml", ""))
    assert clinic.run(consent_to_charge=False).code == 3
    assert clinic.sandbox.agents.ids == [12, 14, 17]
    assert not clinic.charged()
    clinic.check_writes()


def test_a_preview_is_kept_for_the_consent(tmp_path: Path) -> None:
    """A session without consent keeps the copy that the next session needs."""
    clinic = make_clinic(tmp_path)
    assert clinic.run(life=Life("after POST /v1/agents/18/deploy")).code is None
    assert clinic.run(consent_to_charge=False).code == 3
    assert clinic.sandbox.agents.ids == [12, 14, 17, 18]
    clinic.finish()
    clinic.check()
    assert sum(request.endswith("/duplicate") for request in clinic.requests) == 1


def test_calls_under_way_keep_their_preview(tmp_path: Path) -> None:
    """Killed while one call is queued: the next session resumes both on the same copy, and then deletes it."""
    clinic = make_clinic(tmp_path)
    assert clinic.run(life=Life("after GET /v1/test-calls")).code is None
    assert clinic.sandbox.agents.ids == [12, 14, 17, 18]
    assert clinic.run().code == 0
    clinic.check()
    assert sum(request.endswith("/duplicate") for request in clinic.requests) == 1
    (preview,) = clinic.results()["previews"]
    assert (preview["preview_agent_id"], clinic.sandbox.agents.ids) == (18, [12, 14, 17])


@pytest.mark.parametrize(("refused", "code", "is_left"), [(1, 0, False), (2, 2, True), (3, 0, False), (4, 0, True)])
def test_a_preview_that_cannot_be_read_is_kept_for_its_calls(
    tmp_path: Path, refused: int, code: int, is_left: bool
) -> None:
    """Whichever reading is refused: in a search for what is left, before more calls, after them, or where it is deleted. A copy
    that cannot be used is deleted at once only where no call on it may be under way."""
    clinic, readings = make_clinic(tmp_path), Counter[str]()
    assert clinic.run(life=Life("after POST /v1/test-call")).code is None
    clinic.write("plans/hours.yaml", PLAN.replace("runs: 2", "runs: 3"))

    def fail(_: int, request: str) -> str:
        readings[request] += 1
        return "403" if (request, readings[request]) == ("GET /v1/agents/18", refused) else ""

    clinic.fail = fail
    assert clinic.run().code == code
    assert clinic.sandbox.agents.ids == [12, 14, 17] + [18] * is_left
    assert clinic.run().code == 0
    assert (clinic.made().total(), clinic.sandbox.agents.ids) == (3, [12, 14, 17])


def test_a_preview_that_somebody_deleted_ends_the_session_incomplete(tmp_path: Path) -> None:
    """Its launches are answered with 404. The next session makes another one."""
    clinic = make_clinic(tmp_path)

    def delete(_: int, request: str) -> str:
        if request.startswith("POST /v1/test-call") and 18 in clinic.sandbox.agents.ids:
            clinic.sandbox.agents.delete(18, clinic.now().timestamp())
        return ""

    clinic.fail = delete
    ran = clinic.run()
    assert (ran.code, clinic.results()["outcome"]) == (4, "unknown")
    assert "18" in "\n".join(clinic.results()["problems"])
    assert not clinic.charged()
    clinic.finish()
    clinic.check()


def test_queued_runs_of_a_deleted_preview_are_the_platforms_fault(tmp_path: Path) -> None:
    clinic = make_clinic(tmp_path)
    clinic.write("plans/hours.yaml", PLAN.replace("runs: 2", "runs: 3"))

    def delete(_: int, request: str) -> str:
        if request == "GET /v1/test-calls" and 18 in clinic.sandbox.agents.ids:
            clinic.sandbox.agents.delete(18, clinic.now().timestamp())
        return ""

    clinic.fail = delete
    assert clinic.run().code == 4
    (case,) = clinic.results()["cases"]
    assert {run["cause"] for run in case["runs"] if run["call_id"] is None} == {"platform"}
    assert case["outcome"] == "unknown"


def test_a_draft_of_the_source_is_never_called(tmp_path: Path) -> None:
    """Some services copy the draft too: the preview has the deployed fields and those of the file, and nothing else."""
    for copies in (False, True):
        clinic = make_clinic(tmp_path / str(copies), world={"duplicates_copy_drafts": copies})
        clinic.sandbox.agents.draft(12, {"voice": "sol", "prompt": "You are a draft."}, clinic.now().timestamp())
        assert clinic.run().code == 0
        clinic.check()
        voices = {run.snapshot.voice for run in clinic.sandbox.state.runs if run.snapshot}
        assert voices == {clinic.sandbox.agents.snapshot(12).voice}
        assert clinic.sandbox.agents.record(12).draft == {"voice": "sol", "prompt": "You are a draft."}


def test_a_field_that_the_service_does_not_show_is_a_warning(tmp_path: Path) -> None:
    clinic = make_clinic(tmp_path)
    clinic.write("agents/clinic.yaml", FILE + "telepathy: true\n")
    assert clinic.run().code == 0
    assert any("telepathy" in warning for warning in clinic.results()["warnings"])
    clinic.check()


@pytest.mark.parametrize("agreed_before", [False, True])
def test_a_copy_that_differs_is_never_called(tmp_path: Path, agreed_before: bool) -> None:
    """The service does not copy a field of the agent. Before: a warning, and calls on the copy could pass. Now:
    nothing is called, nothing is left behind, and no session passes, until the file has the field: then planner sets
    it on the copy."""
    clinic = make_clinic(tmp_path, world={"duplicates_leave_out": ("max_call_duration_seconds",)})
    clinic.sandbox.agents.deploy(12, {"max_call_duration_seconds": 600}, clinic.now().timestamp())
    for _ in range(2):
        ran = clinic.run()
        assert (ran.code, clinic.results()["outcome"]) == (4, "unknown"), ran.err
        assert "`max_call_duration_seconds`" in "\n".join(clinic.results()["problems"])
        assert "agents/clinic.yaml" in "\n".join(step["text"] for step in clinic.results()["next_steps"])
        assert not clinic.charged()
        assert clinic.sandbox.agents.ids == [12, 14, 17]
    clinic.write("agents/clinic.yaml", FILE + f"max_call_duration_seconds: {600 if agreed_before else 700}\n")
    assert clinic.run().code == 0
    clinic.check()
    seconds = [run.snapshot.fields["max_call_duration_seconds"] for run in clinic.sandbox.state.runs if run.snapshot]
    assert seconds
    assert seconds == [600 if agreed_before else 700] * len(seconds)


def test_a_source_that_is_edited_meanwhile_is_not_tested(tmp_path: Path) -> None:
    clinic = make_clinic(tmp_path)

    def edit(_: int, request: str) -> str:
        if request.endswith("/duplicate") and clinic.sandbox.agents.snapshot(12).voice != "sol":
            clinic.sandbox.agents.deploy(12, {"voice": "sol"}, clinic.now().timestamp())
        return ""

    clinic.fail = edit
    assert clinic.run().code == 4
    assert not clinic.charged()
    assert clinic.run().code == 0
    clinic.check()


def test_two_stores_share_one_limit(tmp_path: Path) -> None:
    """Two pull requests test the same configuration of one agent: each has a copy of its own, and deletes only that."""
    first = make_clinic(tmp_path / "first", world={"concurrency_limit": 2})
    second = make_clinic(tmp_path / "second")
    second.sandbox = first.sandbox
    vars(first.sandbox)["_clock"] = lambda: max(first.now(), second.now()).timestamp()
    assert first.run(life=Life("after POST /v1/test-call-batches")).code is None
    second.seconds = first.seconds
    second.finish()
    assert first.sandbox.agents.ids == [12, 14, 17, 18]
    first.seconds = second.seconds
    first.finish()
    assert Counter(run.target_id for run in first.sandbox.state.runs if not run.error_message) == {18: 2, 19: 2}
    assert first.sandbox.agents.ids == [12, 14, 17]
    for clinic in (first, second):
        clinic.check_writes()


def _interrupt(_: int, request: str) -> str:
    if request == "GET /v1/test-calls":
        signal.raise_signal(signal.SIGINT)
    return ""


def test_an_interrupted_session_leaves_the_copy_to_the_next(tmp_path: Path) -> None:
    clinic = make_clinic(tmp_path)

    clinic.fail = _interrupt
    ran = clinic.run()
    assert ran.code == 130
    (preview,) = clinic.results()["previews"]
    assert preview["preview_agent_id"] in clinic.sandbox.agents.ids
    clinic.fail = lambda *_: ""
    clinic.finish()
    clinic.check()


def test_leftovers_are_listed_and_deleted(tmp_path: Path) -> None:
    clinic = make_clinic(tmp_path)
    assert clinic.previews() == []
    assert clinic.run(life=Life("after POST /v1/agents/18/deploy")).code is None
    clinic.seconds += 3600
    (listed,) = clinic.previews()
    assert (listed["agent_id"], listed["source_agent_id"], listed["in_use"]) == (18, 12, False)
    assert 3600 <= listed["age_seconds"] < 3700
    assert listed["name"].startswith("planner-preview ")
    (deleted,) = clinic.previews(delete=True)
    assert (deleted["deleted"], clinic.sandbox.agents.ids, clinic.code) == (True, [12, 14, 17], 0)
    clinic.check_writes()


def test_a_preview_in_use_is_kept(tmp_path: Path) -> None:
    clinic = make_clinic(tmp_path)
    assert clinic.run(life=Life("after POST /v1/test-call-batches")).code is None
    clinic.seconds += 7200
    (listed,) = clinic.previews(delete=True, older_than="1h")
    assert (listed["in_use"], listed["deleted"]) == (True, False)
    assert clinic.sandbox.agents.ids == [12, 14, 17, 18]


def test_previews_of_another_store_are_deleted_only_by_age(tmp_path: Path) -> None:
    lost, clinic = make_clinic(tmp_path / "lost"), make_clinic(tmp_path / "clinic")
    clinic.sandbox = lost.sandbox
    vars(lost.sandbox)["_clock"] = lambda: max(lost.now(), clinic.now()).timestamp()
    assert lost.run(life=Life("after POST /v1/agents/18/deploy")).code is None
    clinic.seconds = lost.seconds + 23 * 3600
    (listed,) = clinic.previews(delete=True)
    assert (listed["source_agent_id"], listed["deleted"]) == (None, False)
    assert clinic.previews(delete=True, older_than="24h") == []
    clinic.seconds += 3600
    assert [each["deleted"] for each in clinic.previews(delete=True, older_than="24h")] == [True]
    assert lost.sandbox.agents.ids == [12, 14, 17]
    lost.seconds = clinic.seconds
    lost.finish()
    lost.check()


def test_a_preview_that_cannot_be_deleted(tmp_path: Path) -> None:
    clinic = make_clinic(tmp_path, faults=(refuse("delete", 403) | {"times": 2},))
    assert clinic.run(life=Life("after POST /v1/agents/18/deploy")).code is None
    assert [each["deleted"] for each in clinic.previews(delete=True)] == [False]
    assert clinic.code == 4

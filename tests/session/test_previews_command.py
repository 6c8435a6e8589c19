"""`planner agents previews`."""

from __future__ import annotations

from pathlib import Path

from clinic import make_clinic, refuse
from mortality import Life


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

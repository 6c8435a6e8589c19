"""If a session is killed, or an answer is lost, around previews, no copy is left, no call is made twice, and the source agent is never written to."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from clinic import Clinic, make_clinic
from mortality import Life, effects

SHARES = 4
"""Points are divided among this many tests, which may run in parallel."""


@pytest.mark.parametrize("share", range(SHARES))
def test_a_kill_after_any_durable_effect_leaves_nothing(tmp_path: Path, share: int) -> None:
    """Killed after each request that changes something, journal write and stored document, then run again. Between two of
    them, a kill leaves the same behind."""
    alive = Life()
    assert make_clinic(tmp_path / "alive").run(life=alive).code == 0
    assert {"after PATCH /v1/agents/18", "after DELETE /v1/agents/18"} <= set(alive.crossed)
    for number in effects(alive.crossed)[share::SHARES]:
        clinic = make_clinic(tmp_path / str(number))
        assert clinic.run(life=Life(number)).code is None
        clinic.finish()
        clinic.check()


@pytest.mark.parametrize("where", ["before", "after"])
@pytest.mark.parametrize("share", range(SHARES))
def test_a_lost_answer_leaves_nothing(tmp_path: Path, where: str, share: int) -> None:
    """The connection of each request breaks in turn, before or after its work."""
    alive = make_clinic(tmp_path / "alive")
    assert alive.run().code == 0
    for number in range(1 + share, len(alive.requests) + 1, SHARES):
        clinic = make_clinic(tmp_path / f"{where}{number}")
        clinic.fail = lambda count, _, number=number: where if count == number else ""
        clinic.finish()
        clinic.check()


def test_a_lost_copy_is_found_by_the_next_session(tmp_path: Path) -> None:
    """The answer to the copy is lost, and the process with it: the next session uses exactly this copy."""
    clinic = make_clinic(tmp_path)
    clinic.fail = lambda _, request: "after" if request.endswith("/duplicate") else ""
    assert clinic.run(life=Life("before GET /v1/agents 2")).code is not None
    assert clinic.sandbox.agents.ids == [12, 14, 17]
    clinic.check()
    assert sum(request.endswith("/duplicate") for request in clinic.requests) == 1


def test_all_steps_are_durable_first(tmp_path: Path) -> None:
    """The journal says what is sent before it is sent."""
    clinic = make_clinic(tmp_path)
    assert clinic.run(life=Life("after POST /v1/agents/12/duplicate")).code is None
    kinds = _preview_states(clinic)
    assert kinds == ["intended", "duplicating"]
    assert clinic.run(life=Life("after DELETE")).code is None
    assert _preview_states(clinic)[2:] == ["made", "configured", "deleting"]
    clinic.finish()
    clinic.check()


def _preview_states(clinic: Clinic) -> list[str]:
    with sqlite3.connect(clinic.root / ".planner/sandbox/journal.sqlite") as db:
        rows = db.execute("SELECT kind, event FROM events WHERE kind LIKE 'preview%' ORDER BY number").fetchall()
    events = [(kind, json.loads(event)) for kind, event in rows]
    return [event["preview"]["state"] if kind == "preview_intended" else event["state"] for kind, event in events]

"""When two configurations of an agent mean the same for a call, and whether an earlier call reached today's agent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from planner.changes.configuration import (
    Agents,
    Configurations,
    agree,
    configuration_digest,
    differences,
    is_same,
    overlay,
)
from planner.planfile.model import AgentFile
from planner.results.model import CaseInputs
from tests.support.samples import changed
from tests.support.stored_cases import make_case

FILE = AgentFile(Path("/agents/support.yaml"), "agents/support.yaml", {"prompt": "Be brief."}, {})
AS_FILE = {"prompt": "Be brief.", "voice": "aria"}
BEFORE = {"prompt": "Be long.", "voice": "aria"}
OTHER_VOICE = {"prompt": "Be brief.", "voice": "nova"}


def reason(
    prior: Mapping[str, Any] | None,
    called: Mapping[str, Any] | None,
    *,
    preview: bool = False,
    stored: bool = True,
    edited: bool = False,
) -> str | None:
    """Why the agent of a case with a file counts as another one: of an earlier call with the configuration `prior`, where
    `called` is called today (None: nobody asked), on a preview or not, and edited at the service or not."""
    case = make_case()
    target = replace(case.target, config=FILE)
    case = replace(case, target=target)
    known = {configuration_digest(each): each for each in (AS_FILE, BEFORE, OTHER_VOICE)} if stored else {}
    configurations = Configurations(
        {} if called is None else {target: called}, frozenset({target} if preview else ()), known.get
    )
    revision = "2026-11-20T08:00:00Z a1"
    agents = Agents({("agent", 12): revision}, configurations)
    inputs: CaseInputs = changed(
        agents.inputs(case),
        configuration=None if prior is None else configuration_digest(prior),
        agent_revision="2026-11-19T08:00:00Z a0" if edited else revision,
    )
    edit = agents.edit(inputs, case)
    assert agents.is_same(inputs, case) is (edit is None)
    return None if edit is None else edit.reason.value


@pytest.mark.parametrize(
    ("prior", "called", "options", "expected"),
    [
        (AS_FILE, AS_FILE, {}, None),
        (AS_FILE, AS_FILE, {"preview": True}, None),
        (BEFORE, AS_FILE, {"preview": True}, "agent_file_changed"),
        (OTHER_VOICE, AS_FILE, {"edited": True}, "agent_edited"),
        # The deployed agent is as it was, so the file had this field.
        (OTHER_VOICE, AS_FILE, {}, "agent_file_changed"),
        (BEFORE, AS_FILE, {"stored": False}, "agent_file_changed"),
        # Nobody asked the service: the file is compared with what was called.
        (AS_FILE, None, {}, None),
        (BEFORE, None, {}, "agent_file_changed"),
        (AS_FILE, None, {"stored": False}, "agent_file_changed"),
        # Results of before the target had a file: only what is deployed can be as it was.
        (None, AS_FILE, {}, None),
        (None, AS_FILE, {"preview": True}, "agent_file_changed"),
        (None, None, {}, "agent_file_changed"),
    ],
)
def test_edited(prior: Any, called: Any, options: Any, expected: str | None) -> None:
    assert reason(prior, called, **options) == expected


def test_a_target_without_a_file_any_more() -> None:
    """Its earlier calls may have reached a preview. Only who asks the service knows whether the deployed agent is the same."""
    case = make_case()
    for called, expected in (
        ({}, "agent_file_changed"),
        ({case.target: AS_FILE}, None),
        ({case.target: BEFORE}, "agent_edited"),
    ):
        agents = Agents(
            {("agent", 12): None}, Configurations(called, frozenset(), {configuration_digest(AS_FILE): AS_FILE}.get)
        )
        update = {"configuration": configuration_digest(AS_FILE), "has_agent_file": True}
        edit = agents.edit(agents.inputs(case).model_copy(update=update), case)
        assert (edit and edit.reason.value) == expected


DEPLOYED = {"prompt": "Be brief.\n", "voice": "aria", "tools": [{"id": 7, "name": "find", "url": "a"}]}


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("Be brief.", "Be brief.\r\n", True),
        ("Be brief.", "Be rude.", False),
        ({"speed": 1}, {"speed": 1.0, "pitch": None}, True),
        ({"speed": 1}, {"speed": 1, "pitch": 2}, False),
        ([{"id": 1, "name": "find", "edited_at": "x"}], [{"id": 2, "name": "find"}], True),
        ([{"name": "find"}], [{"name": "find", "url": "a"}], False),
        ([1, 2], [2, 1], False),
        (True, 1, False),
    ],
)
def test_values(one: Any, other: Any, expected: bool) -> None:
    assert (agree(one, other), agree(other, one)) == (expected, expected)


def test_a_new_field_of_the_api_is_no_change() -> None:
    """Unless the file sets it; a field that is gone is a change: it was set for the earlier calls."""
    newer = {**DEPLOYED, "thinking_level": "low"}
    assert is_same(DEPLOYED, newer)
    assert not is_same(DEPLOYED, newer, ["thinking_level"])
    assert not is_same(newer, DEPLOYED)
    assert is_same({**DEPLOYED, "thinking_level": None}, DEPLOYED)


def test_a_file_replaces_only_what_differs() -> None:
    file = {"prompt": "Be brief.", "tools": [{"name": "find", "url": "b"}]}
    effective = overlay(DEPLOYED, file)
    assert effective == {"prompt": "Be brief.\n", "voice": "aria", "tools": [{"name": "find", "url": "b"}]}
    assert [change.name for change in differences(DEPLOYED, effective)] == ["tools"]
    assert configuration_digest(overlay(DEPLOYED, {"prompt": "Be brief."})) == configuration_digest(DEPLOYED)

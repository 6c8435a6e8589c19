"""Whether an earlier call reached the agent that today's call would reach."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from planner.changes.agents import Agents, Configurations
from planner.changes.configuration import configuration_digest
from planner.planfile.model import AgentFile, Case
from planner.results.model import CaseInputs

FILE = AgentFile(Path("/agents/support.yaml"), "agents/support.yaml", {"prompt": "Be brief."}, {})
AS_FILE = {"prompt": "Be brief.", "voice": "aria"}
BEFORE = {"prompt": "Be long.", "voice": "aria"}
OTHER_VOICE = {"prompt": "Be brief.", "voice": "nova"}


@pytest.fixture
def reason(make_case: Callable[..., Case]) -> Callable[..., str | None]:
    """Why the agent of a case with a file counts as another one: of an earlier call with the configuration `prior`, where
    `called` is called today (None: nobody asked), on a preview or not."""

    def find(
        prior: Mapping[str, Any] | None, called: Mapping[str, Any] | None, *, preview: bool = False, stored: bool = True
    ) -> str | None:
        case = make_case()
        target = replace(case.target, config=FILE)
        case = replace(case, target=target)
        known = {configuration_digest(each): each for each in (AS_FILE, BEFORE, OTHER_VOICE)} if stored else {}
        configurations = Configurations(
            {} if called is None else {target: called}, frozenset({target} if preview else ()), known.get
        )
        agents = Agents({("agent", 12): "2026-11-20T08:00:00Z a1"}, configurations)
        inputs: CaseInputs = agents.inputs(case).model_copy(
            update={"configuration": None if prior is None else configuration_digest(prior)}
        )
        edit = agents.edit(inputs, case)
        assert agents.is_same(inputs, case) is (edit is None)
        return None if edit is None else edit.reason.value

    return find


@pytest.mark.parametrize(
    ("prior", "called", "options", "expected"),
    [
        (AS_FILE, AS_FILE, {}, None),
        (AS_FILE, AS_FILE, {"preview": True}, None),
        (BEFORE, AS_FILE, {"preview": True}, "agent_file_changed"),
        (OTHER_VOICE, AS_FILE, {}, "agent_edited"),
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
def test_edited(reason: Callable[..., str | None], prior: Any, called: Any, options: Any, expected: str | None) -> None:
    assert reason(prior, called, **options) == expected


def test_a_target_without_a_file_any_more(make_case: Callable[..., Case]) -> None:
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

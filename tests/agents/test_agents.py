"""Agents during a session: configurations in stores, drift, edits during calls, and which write to a copy comes next."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from planner.agents.recorded import shown_configuration, stored_configuration
from planner.calls.copy_writes import AgentDraft, Deploy, DiscardDraft, Writing
from planner.changes.configuration import Version, agree, configuration_digest, effective_target, overlay, with_versions
from planner.changes.edits import is_edited
from planner.errors import UsageError
from planner.planfile.model import AgentFile, Project
from planner.providers.base import AgentState
from planner.results.repository import ResultsRepository
from planner.stores.directory import DirectoryStore

DEPLOYED = {"prompt": "Transfer to +1 415 555 0134.", "voice": "aria", "tools": [{"phone": "+14155550134"}], "speed": 1}


def test_a_redacted_configuration_compares_as_the_original() -> None:
    """In a shared store, strings are redacted; overlays and digests stay those of the originals."""
    shown = shown_configuration(DEPLOYED, Project())
    assert "0134" not in str(shown)
    assert shown["voice"] == "aria"
    assert configuration_digest(shown) == configuration_digest(DEPLOYED)
    assert all(agree(shown[name], DEPLOYED[name]) for name in DEPLOYED)
    other = {"prompt": "Transfer to +1 415 555 0135."}
    assert not agree(shown["prompt"], other["prompt"])
    assert configuration_digest(overlay(shown, other)) == configuration_digest(overlay(DEPLOYED, other))
    assert configuration_digest(overlay(shown, {"voice": "nova"})) == configuration_digest(
        {**DEPLOYED, "voice": "nova"}
    )


@pytest.mark.parametrize(
    ("file", "deployed", "versions", "drift", "waits"),
    [
        ("a", "a", [("b", True)], [], False),
        ("b", "a", [], [], False),
        ("b", "a", [("a", True)], [], False),  # a pull request
        ("b", "a", [("a", True), ("b", False)], [], True),
        ("c", "a", [("a", True), ("b", False)], [], True),  # a pull request after a merge
        ("b", "a", [("b", False)], [], True),  # a new file, never deployed
        ("a", "x", [("a", True)], ["prompt"], False),
        ("b", "x", [("a", True), ("b", False)], ["prompt"], False),
        ("b", "x", [("a", False)], [], False),
        ("b", "a", [("a", True), ("b", True)], ["prompt"], False),  # somebody went back to an older version
        ("a", "b", [("a", True), ("b", True), ("a", False)], [], True),
        ("b", "x", [("a", True), ("b", "begun")], ["prompt"], False),
        ("b", "a", [("a", True), ("b", "begun")], [], True),  # killed before it was deployed
        ("c", "b", [("a", True), ("b", "begun")], [], False),  # killed afterwards
        ("b", "x", [("b", "begun")], [], True),  # a first deployment that was killed goes on
    ],
)
def test_drift_and_waiting_for_a_deployment(
    file: str, deployed: str, versions: list[tuple[str, bool | str]], drift: list[str], waits: bool
) -> None:
    def fields(prompt: str) -> dict[str, Any]:
        return {"prompt": prompt}

    config = AgentFile(Path("a.yaml"), "a.yaml", fields(file), {})
    state = AgentState(12, "Support", None, {"prompt": deployed, "voice": "aria"}, {})
    recorded = [Version(fields(prompt), state is True, state == "begun") for prompt, state in versions]
    found = with_versions(effective_target("support", 12, config, state), recorded)
    assert ([change.name for change in found.drift], found.waits_for_deploy) == (drift, waits)
    assert found.needs_preview is (file != deployed)


@pytest.mark.parametrize("name", ["", "sha256:", "../../../x", f"../{'0' * 64}", "sha256:" + "0" * 63, "A" * 64])
def test_a_strange_digest_finds_nothing(tmp_path: Path, name: str) -> None:
    """Results and journals of other machines may hold anything."""
    assert ResultsRepository(DirectoryStore(tmp_path)).load_configuration(name) is None


def test_a_stored_configuration_is_verified(tmp_path: Path) -> None:
    repository = ResultsRepository(DirectoryStore(tmp_path))
    digest = configuration_digest(DEPLOYED)
    repository.save_configurations({digest: json.dumps(DEPLOYED).encode()})
    assert stored_configuration(repository, digest) == DEPLOYED
    path = tmp_path / "configurations" / f"{digest.removeprefix('sha256:')}.json"
    for damaged in (b"{", b"[]", json.dumps({**DEPLOYED, "voice": "nova"}).encode()):
        path.write_bytes(damaged)
        assert stored_configuration(repository, digest) is None


BEFORE = AgentState(12, "Support", "2026-11-20T08:00:00Z", {"prompt": "Be brief.", "voice": "aria"}, {})
LATER = "2026-11-20T09:00:00Z"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, False),
        ({"configuration": {"prompt": "Be brief.", "voice": "nova"}}, True),
        ({"edited_at": LATER}, True),  # edited and reverted
        ({"edited_at": LATER, "draft": {"voice": "nova"}}, False),  # no call reaches a draft
        ({"edited_at": LATER, "name": "Support 2"}, False),
        ({"configuration": {"prompt": "Be rude.", "voice": "aria"}, "draft": {"voice": "nova"}}, True),
    ],
)
def test_edits(changes: dict[str, Any], expected: bool) -> None:
    assert is_edited(BEFORE, replace(BEFORE, **changes)) is expected


WANTED = {"prompt": "Be brief.", "voice": "sol"}
OLD = {"prompt": "Be warm.", "voice": "sol", "product": "spark"}
NEW = {**OLD, "prompt": "Be brief."}


def _agent(deployed: dict[str, Any], draft: dict[str, Any] | None = None, *, is_drafted: bool = False) -> AgentState:
    return AgentState(18, "copy", None, deployed, draft or {}, is_drafted=bool(draft) or is_drafted)


def test_only_what_differs_is_drafted_then_deployed() -> None:
    writing = Writing(WANTED)
    assert writing.next(_agent(OLD)) == AgentDraft({"prompt": "Be brief."})
    writing.answered(AgentDraft({}))
    assert writing.next(_agent(OLD, {"prompt": "Be brief."})) == Deploy()
    writing.answered(Deploy())
    assert writing.next(_agent(NEW)) is None


def test_a_repeated_step_follows_from_what_is_shown() -> None:
    """Answers were lost, so nothing is known but what the service shows."""
    writing = Writing(WANTED)
    assert writing.next(_agent(OLD, {"prompt": "Be brief."})) == Deploy()
    assert writing.next(_agent(NEW)) is None


@pytest.mark.parametrize(
    "draft", [{"tools": []}, {"prompt": "Be rude."}, {"prompt": "Be brief.", "tools": []}], ids=str
)
def test_a_draft_of_somebody_else_is_not_deployed(draft: dict[str, Any]) -> None:
    assert Writing(WANTED).next(_agent(OLD, draft)) == DiscardDraft()


def test_a_service_that_shows_no_draft() -> None:
    writing = Writing(WANTED)
    writing.answered(AgentDraft({}))
    assert writing.next(_agent(OLD, is_drafted=True)) == Deploy()


def test_a_field_that_is_never_shown_is_sent_once() -> None:
    writing = Writing({**WANTED, "telepathy": True})
    assert writing.next(_agent(NEW)) == AgentDraft({"telepathy": True})
    writing.answered(AgentDraft({}))
    assert writing.next(_agent(NEW)) is None  # the service has no draft: it ignores the field
    assert writing.next(_agent(NEW, is_drafted=True)) == Deploy()
    writing.answered(Deploy())
    assert writing.next(_agent(NEW)) is None
    assert writing.unshown(_agent(NEW)) == ["telepathy"]


def test_a_service_that_changes_a_field_is_named() -> None:
    writing = Writing(WANTED)
    writing.answered(Deploy())
    with pytest.raises(UsageError, match="prompt"):
        writing.next(_agent({**OLD, "prompt": "BE BRIEF."}))

"""What stores hold of agents' configurations, and what is concluded from recorded versions of their files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from planner.changes.configuration import Version, agree, configuration_digest, effective_target, overlay, with_versions
from planner.planfile.model import AgentFile, Project
from planner.providers.base import AgentState
from planner.results.directory import DirectoryStore
from planner.results.repository import ResultsRepository
from planner.session.recorded_agents import shown_configuration, stored_configuration

DEPLOYED = {"prompt": "Transfer to +1 415 555 0134.", "voice": "aria", "tools": [{"phone": "+14155550134"}], "speed": 1}


def test_a_redacted_configuration_compares_as_the_original() -> None:
    """In a shared store, texts are redacted; overlays and digests stay those of the originals."""
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
    ],
)
def test_drift_and_waiting_for_a_deployment(
    file: str, deployed: str, versions: list[tuple[str, bool]], drift: list[str], waits: bool
) -> None:
    def fields(prompt: str) -> dict[str, Any]:
        return {"prompt": prompt}

    config = AgentFile(Path("a.yaml"), "a.yaml", fields(file), {})
    state = AgentState(12, "Support", None, {"prompt": deployed, "voice": "aria"}, {})
    recorded = [Version(fields(prompt), was_deployed) for prompt, was_deployed in versions]
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

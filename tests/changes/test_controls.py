"""Which cases have controls."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from planner.changes.configuration import Agents, Configurations
from planner.changes.controls import with_controls
from planner.changes.diff import diff
from planner.changes.request import Request, StoredResults
from planner.planfile.model import AgentFile, Target
from tests.support.stored_cases import NOW, make_case

FILE = AgentFile(Path("/agents/support.yaml"), "agents/support.yaml", {"prompt": "Be brief."}, {})
FILED, DEPLOYED = Target("support", "agent", 12, FILE), Target("support", "agent", 12)


@pytest.mark.parametrize(
    ("target", "known", "previews", "wanted"),
    [
        (FILED, {FILED: {"prompt": "Be brief."}, DEPLOYED: {"prompt": "Be long."}}, {FILED}, 2),
        (FILED, {}, set(), 2),  # without a key, the agent was not read: agreed to, and not made if not needed
        (FILED, {FILED: {"prompt": "Be brief."}}, set(), 0),  # the file says what is deployed
        (DEPLOYED, {DEPLOYED: {"prompt": "Be long."}}, set(), 0),
    ],
)
def test_only_calls_to_previews_have_controls(
    target: Target, known: dict[Target, dict[str, str]], previews: set[Target], wanted: int
) -> None:
    case = replace(make_case(), target=target, runs=3, controls=2)
    configurations = Configurations(known, frozenset(previews))
    changes = diff([case], StoredResults({}), Request(NOW, configurations=configurations))
    every = with_controls(changes, Agents({}, configurations))
    assert sum(change.runs for change in every if change.control_of == case.case_id) == wanted
    assert [change.case_id for change in every if not change.control_of] == [case.case_id]


def test_a_case_has_no_more_controls_than_calls() -> None:
    case = replace(make_case(), target=FILED, runs=3, controls=5)
    (_, control) = with_controls(diff([case], StoredResults({}), Request(NOW)), Agents({}, Configurations()))
    assert (control.runs, control.call_fingerprint, control.case_id) == (
        3,
        with_controls(diff([case], StoredResults({}), Request(NOW)), Agents({}, Configurations()))[0].call_fingerprint,
        f"{case.case_id} (control)",
    )

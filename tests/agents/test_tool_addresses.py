"""`test_tools` of a target: the addresses that tools have on previews, and nowhere else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from clinic import PLAN, Clinic, make_clinic

from planner.agents.live_tools import AgentTools, live_tools
from planner.agents.tool_addresses import check_test_tools, with_test_tools
from planner.changes.configuration import Agents, Configurations, effective_target
from planner.changes.fingerprint import case_inputs
from planner.errors import UsageError
from planner.planfile.model import AgentFile, Policy, Target
from planner.providers.base import AgentState
from planner.secret_values import Secret, hide_secrets
from tests.support.stored_cases import make_case

TEST = "https://test.example.com/refund"
REFUND = {
    "name": "issue_refund",
    "url": "https://bank.example.com/refund",
    "api_key": "k-123",
    "headers": {"Authorization": "Bearer abc", "Content-Type": "text/plain"},
    "more": [{"name": "Authorization", "value": "Bearer abc"}, {"name": "Accept", "value": "text/plain"}],
}
REPLACED = {
    "name": "issue_refund",
    "url": "https://test.example.com/refund",
    "headers": {"Content-Type": "text/plain"},
    "more": [{"name": "Accept", "value": "text/plain"}],
}
LOOK_UP = {
    "type": "webhook",
    "headers": {"Authorization": "Bearer abc"},
    "function": {"name": "look_up", "server": {"url": "https://crm.example.com/x"}},
}
TOOLS: list[Any] = [REFUND, LOOK_UP]


def _with_tools(folder: Path, test_tools: str = f"{{issue_refund: '{TEST}'}}") -> Clinic:
    """The deployed agent matches its file, and has two tools."""
    clinic = make_clinic(folder)
    clinic.write("plans/hours.yaml", PLAN.replace("clinic.yaml}", f"clinic.yaml, test_tools: {test_tools}}}"))
    fields: dict[str, Any] = {
        "prompt": "You are Iris of Larkfield Clinic. Be brief.",
        "timezone": "Europe/Berlin",
        "tools": TOOLS,
    }
    clinic.seconds += 60
    clinic.sandbox.agents.deploy(12, fields, clinic.now().timestamp())
    return clinic


def _called_tools(clinic: Clinic) -> list[Any]:
    """The tools of the agents that were called, by the order of the calls."""
    return [run.snapshot.fields["tools"] for run in clinic.sandbox.state.runs if run.snapshot]


def test_calls_reach_the_test_address_and_nothing_else_changes(tmp_path: Path) -> None:
    """Although the agent matches its file, a preview is called. The test address gets no secret. Its other tools are
    those of the agent, with their secrets, and the agent keeps its own."""
    clinic = _with_tools(tmp_path)
    ran = clinic.run()
    assert ran.code == 0, ran.err
    clinic.check()
    assert _called_tools(clinic) == [[REPLACED, LOOK_UP]] * 2
    assert clinic.sandbox.agents.snapshot(12).fields["tools"] == TOOLS
    (agent,) = clinic.results()["agents"]
    assert [(each["field"], each["before"], each["after"]) for each in agent["changes"]] == [
        ("test_tools", None, {"issue_refund": TEST})
    ]


@pytest.mark.parametrize(
    ("edit", "calls"),
    [
        (lambda text: text, 2),
        (lambda text: text.replace("/refund", "/other"), 4),
        (lambda text: text.replace(f", test_tools: {{issue_refund: '{TEST}'}}", ""), 4),
        (lambda text: text.replace("{issue_refund", "{look_up: 'https://test.example.com/x', issue_refund"), 4),
    ],
    ids=["the same", "another address", "none", "one more"],
)
def test_another_address_is_another_configuration(tmp_path: Path, edit: Any, calls: int) -> None:
    clinic = _with_tools(tmp_path)
    assert clinic.run().code == 0
    clinic.write("plans/hours.yaml", edit((tmp_path / "plans/hours.yaml").read_text()))
    ran = clinic.run()
    assert (ran.code, len(clinic.charged())) == (0, calls), ran.err


def test_a_deployed_edit_that_was_tested_needs_no_calls(tmp_path: Path) -> None:
    """The preview of the file, and later of the agent that matches it, have the same configuration."""
    clinic = _with_tools(tmp_path)
    clinic.write("agents/clinic.yaml", "prompt: You are Iris. Be kind.\n")
    assert clinic.run().code == 0
    clinic.seconds += 60
    clinic.sandbox.agents.deploy(12, {"prompt": "You are Iris. Be kind."}, clinic.now().timestamp())
    assert clinic.run().code == 0
    assert len(clinic.charged()) == 2


def test_an_agent_without_the_tool_is_not_called(tmp_path: Path) -> None:
    """Nor is a copy made."""
    clinic = _with_tools(tmp_path, f"{{refund: '{TEST}'}}")
    ran = clinic.run()
    assert (ran.code, clinic.charged()) == (2, {})
    assert "agent 12 has no tool refund" in ran.err
    assert not [request for request in clinic.requests if not request.startswith("GET ")]


def test_consent_covers_the_addresses(tmp_path: Path) -> None:
    """Calls that were agreed to with one address are not made with another."""
    clinic = _with_tools(tmp_path)
    assert clinic.run(consent_to_charge=False).code in (0, 3)
    digests: list[str] = []
    for address in ("refund", "other"):
        clinic.write("plans/hours.yaml", (tmp_path / "plans/hours.yaml").read_text().replace("/refund", f"/{address}"))
        refused = clinic.run(consent_to_charge=False, max_cost_cents=0)
        digests.append(clinic.results()["change_set_digest"])
        assert refused.code == 3
    assert digests[0] != digests[1]


def test_without_the_service_only_the_target_has_changed() -> None:
    """What is stored about calls with test tools is no evidence for a target without them, and the other way round."""
    tested, plain = _target(TOOLS, "issue_refund"), _target(TOOLS)
    case = make_case(target=Target("support", "agent", 12, tested.file))
    for called, now, same in (
        (tested, tested, True),
        (tested, plain, False),
        (plain, tested, False),
        (plain, plain, True),
    ):
        assert called.configuration is not None
        stored = {called.digest: called.configuration}
        agents = Agents({}, Configurations(stored=stored.get))
        prior = case_inputs(case, None, called.digest)
        target = Target("support", "agent", 12, now.file)
        assert agents.has_same_configuration(prior, target) is same


def _target(tools: Any, *names: str, in_file: bool = False) -> Any:
    """An agent with these tools, at the service or in its file."""
    addresses = tuple((name, TEST) for name in names)
    path = Path("/agents/a.yaml")
    file = AgentFile(path, "agents/a.yaml", {"tools": tools} if in_file else {"voice": "a"}, {}, None, addresses)
    fields = {"voice": "a", "tools": [] if in_file else tools}
    return effective_target("support", 12, file, AgentState(12, "", None, fields, {}, 0, False))


@pytest.mark.parametrize(
    ("tools", "said"),
    [
        ([{"name": "a"}], "tool a of agent 12 has 0 addresses"),
        ([{"name": "a", "url": "https://x", "auth": {"token_url": "https://y"}}], "has 2 addresses"),
        (["a"], "has 0 addresses"),
        (None, "has no tool a"),
    ],
)
def test_a_tool_needs_one_address(tools: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        check_test_tools([_target(tools, "a")])


def test_what_is_deployed_has_no_test_address() -> None:
    """Neither the fields to deploy nor their digest; the copy has it, also for tools that the file sets."""
    tested = _target(TOOLS, "issue_refund", "look_up", in_file=True)
    plain = tested.without_test_tools
    assert (plain.preview_fields, tested.digest != plain.digest) == ({"tools": TOOLS}, True)
    assert plain.digest == _target(TOOLS, in_file=True).digest
    (refund, look_up) = with_test_tools(tested, tested.file.fields)["tools"]
    assert (refund["url"], look_up["function"]["server"]["url"]) == (TEST, TEST)


def test_an_address_with_a_token_is_replaced() -> None:
    """It is a secret itself, in whatever it is nested."""
    address = "https://hooks.example.com/services/T01ABCDEFGH/B02ABCDEFGH/a1b2c3d4e5f6g7h8i9j0k1l2"
    tool = {"name": "a", "servers": [{"name": "key", "value": "s3cr3t"}, {"url": address}]}
    hidden = hide_secrets({"tools": [tool]})
    assert isinstance(hidden["tools"][0]["servers"][1]["url"], Secret)
    target = _target(hidden["tools"], "a")
    assert with_test_tools(target, {})["tools"][0]["servers"][-1] == {"url": TEST}


@pytest.mark.parametrize(("names", "live"), [((), ["issue_refund", "look_up"]), (("issue_refund",), ["look_up"])])
def test_a_replaced_tool_is_not_live(names: tuple[str, ...], live: list[str]) -> None:
    target = _target(TOOLS, *names)
    case = make_case(target=Target("support", "agent", 12, target.file))
    assert list(live_tools([case], AgentTools([target], {}), Policy()).names) == live

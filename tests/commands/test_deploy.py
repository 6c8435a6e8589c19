"""`planner agent deploy`: only what was tested and shown goes into production, and nothing that somebody else changed."""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from planner.providers.thunderphone.agents import AgentClient

EXAMPLE = Path(__file__).parents[2] / "docs/example"
CONSENT = "--consent-to-charge"
PROMPT = "Always say so when somebody asks about returns."
BROKEN = "For anything about returns, refer callers to our website."
POLITE = "Always say so, politely, when somebody asks about returns."


class Shop:
    """The example project, and its service."""

    def __init__(self, project: Any, url: str) -> None:
        self.project, self.url = project, url

    def request(self, method: str, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": "Bearer sk_test_commands", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}{path}", data, headers, method=method)  # noqa: S310 - loopback
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - loopback
            return json.loads(answer.read() or b"null")

    def control(self, **command: object) -> None:
        self.request("POST", "/_sandbox/control", command)

    def agent(self) -> Any:
        return self.request("GET", "/v1/agents/12")

    def edit_by_hand(self, prompt: str) -> None:
        """Somebody deploys a prompt at the service."""
        self.request("PATCH", "/v1/agents/12", {"prompt": prompt})
        self.request("POST", "/v1/agents/12/deploy", {})

    def write_prompt(self, old: str, new: str) -> None:
        self.project.edit("agents/support.yaml", old, new)

    def apply(self, patch: str) -> None:
        subprocess.run(["git", "apply", EXAMPLE / patch], cwd=self.project.root, check=True)

    def deploy(self, *options: str) -> Any:
        return self.project.planner("agent", "deploy", "support", *options)


@pytest.fixture
def shop(project: Any, serve_here: Callable[..., Any], tmp_path: Path) -> Shop:
    """Everything was called and passed, and the agent is deployed as its file says."""
    shutil.rmtree(tmp_path / "plans")
    shutil.copytree(EXAMPLE, tmp_path, dirs_exist_ok=True)
    fast = tmp_path / "fast.yaml"
    number = 'phone_numbers:\n  77: {number: "+14155550177", label: Hotline, inbound_agent_id: 12}\n'
    fast.write_text(f"extends: world.yaml\nversion: 1\nworld: fast\ntime_scale: 600\n{number}", encoding="utf-8")
    served = serve_here("--world", str(fast))
    assert project.planner("run", CONSENT).code == 0
    return Shop(project, served.url)


def test_only_a_proven_configuration_is_deployed(shop: Shop) -> None:
    """Untested: 3. Tested and failing: 1. Tested and passing: it is deployed, and nothing is called afterwards."""
    assert shop.deploy().out.endswith("there is nothing to deploy\n")
    shop.apply("broken.patch")
    before = shop.agent()
    assert shop.deploy("--yes").code == 3
    assert shop.project.planner("run", CONSENT).code == 1
    assert shop.deploy("--yes").code == 1
    assert shop.agent() == before
    shop.apply("fixed.patch")
    assert shop.project.planner("run", CONSENT).code == 0
    assert shop.agent()["prompt"] == before["prompt"]
    assert shop.deploy("--yes").code == 0
    assert "then mention our website" in shop.agent()["prompt"]
    assert not shop.agent()["has_draft"]
    assert {action for action, _, _ in shop.project.actions().values()} == {"reuse"}
    assert shop.deploy().out.endswith("there is nothing to deploy\n")


def test_addresses_of_test_tools_are_not_deployed(shop: Shop) -> None:
    """The file is proven by calls with another address of a tool. It is deployed without that, and then nothing is
    called."""
    tools = [{"name": "issue_refund", "url": "https://bank.example.com/refund"}]
    shop.request("PATCH", "/v1/agents/12", {"tools": tools})
    shop.request("POST", "/v1/agents/12/deploy", {})
    added = "config: ../agents/support.yaml, test_tools: {issue_refund: 'https://test.example.com/refund'}"
    shop.project.edit("plans/returns.yaml", "config: ../agents/support.yaml", added)
    shop.write_prompt(PROMPT, POLITE)
    assert shop.deploy("--yes").code == 3
    assert shop.project.planner("run", CONSENT).code == 0
    planned = shop.project.planner("plan", "--format", "json").json
    (agent,) = planned["agents"]
    assert [change["field"] for change in agent["changes"]] == ["prompt", "test_tools"]
    deployed = shop.deploy("--yes")
    assert (deployed.code, "other addresses of these tools, which are not deployed: issue_refund" in deployed.out) == (
        0,
        True,
    )
    assert (shop.agent()["tools"], POLITE in shop.agent()["prompt"]) == (tools, True)
    assert {action for action, _, _ in shop.project.actions().values()} == {"reuse"}
    assert shop.deploy().out.endswith("there is nothing to deploy\n")


def test_an_unproven_configuration_needs_a_reason(shop: Shop) -> None:
    """`--force` is recorded, with who deployed what."""
    shop.write_prompt(PROMPT, BROKEN)
    assert shop.deploy("--yes", "--force", "  ").code == 2
    assert shop.deploy("--yes", "--force", "the website has the rules now").code == 0
    (stored,) = (shop.project.root / ".planner/deployments").rglob("*.json")
    deployment = json.loads(stored.read_text(encoding="utf-8"))
    assert (deployment["agent_id"], deployment["fields"], deployment["check"], deployment["forced"]) == (
        12, ["prompt"], "pending", "the website has the rules now",
    )  # fmt: skip


def _records(shop: Shop) -> list[dict[str, Any]]:
    stored = sorted((shop.project.root / ".planner/deployments").rglob("*.json"))
    return [json.loads(path.read_text(encoding="utf-8")) for path in stored]


def _drift(shop: Shop) -> list[tuple[str, str]]:
    """How the agent was edited since its deployment: the old and the new prompt."""
    (agent,) = json.loads(shop.project.planner("plan", "--format", "json").out)["agents"]
    assert not agent["waits_for_deploy"]
    return [(change["before"], change["after"]) for change in agent["drift"]]


def test_an_edit_after_the_deployment_is_drift(shop: Shop) -> None:
    """Somebody edits an agent after it was deployed. Before: the next deployment overwrote the edit without a word.
    Now: it is compared with what was deployed last, is shown, and is lost only if somebody says so."""
    shop.write_prompt(PROMPT, POLITE)
    assert shop.project.planner("run", CONSENT).code == 0
    assert shop.deploy("--yes").code == 0
    deployed = shop.agent()["prompt"]
    shop.edit_by_hand("Say nothing.")
    assert _drift(shop) == [(deployed, "Say nothing.")]
    for options in ((), ("--force", "it is urgent")):
        ran = shop.deploy("--yes", *options)
        assert (ran.code, shop.agent()["prompt"]) == (3, "Say nothing."), ran.err
        assert "+ Say nothing." in ran.out
    assert shop.deploy("--yes", "--over-drift").code == 0
    assert shop.agent()["prompt"] == deployed
    assert [(each["state"], each["lost"]) for each in _records(shop)] == [("deployed", []), ("deployed", ["prompt"])]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_killed_deployment_is_recorded(shop: Shop, monkeypatch: pytest.MonkeyPatch, when: str) -> None:
    """Its intent is, before anything is written; the next command adds the result."""
    shop.write_prompt(PROMPT, POLITE)
    assert shop.project.planner("run", CONSENT).code == 0
    original = AgentClient.deploy_agent

    async def killed(self: AgentClient, agent_id: int, if_updated_at: str | None = None) -> None:
        if when == "after":
            await original(self, agent_id, if_updated_at)
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(AgentClient, "deploy_agent", killed)
        assert shop.deploy("--yes").code == 5
    assert [each["state"] for each in _records(shop)] == ["intended"]
    assert (POLITE in shop.agent()["prompt"]) is (when == "after")
    assert shop.deploy("--yes").code == 0
    states = ["deployed"] if when == "after" else ["intended", "deployed"]
    assert [each["state"] for each in _records(shop)] == states
    deployed = shop.agent()["prompt"]
    shop.edit_by_hand("Say nothing.")
    assert _drift(shop) == [(deployed, "Say nothing.")]


def test_a_first_deployment_killed_after_its_draft_goes_on(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was deployed from the file before, so nothing shows that somebody edited the agent."""
    shutil.rmtree(shop.project.root / ".planner/versions")
    shop.write_prompt(PROMPT, POLITE)
    assert shop.project.planner("run", CONSENT).code == 0

    async def killed(self: AgentClient, agent_id: int, if_updated_at: str | None = None) -> None:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(AgentClient, "deploy_agent", killed)
        assert shop.deploy("--yes").code == 5
    assert shop.agent()["has_draft"]
    again = shop.deploy("--yes")
    assert (again.code, "edited at the service" in again.out, POLITE in shop.agent()["prompt"]) == (0, False, True)


@pytest.mark.parametrize("draft_has_more", [False, True])
def test_the_draft_of_an_interrupted_deployment_is_written_again(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, *, draft_has_more: bool
) -> None:
    """The file was edited, and tested, after a deployment that was killed."""
    file = shop.project.root / "agents/support.yaml"
    untouched = file.read_text(encoding="utf-8")
    shop.write_prompt(PROMPT, "Say that you are closed.")
    if draft_has_more:
        file.write_text(file.read_text(encoding="utf-8") + "voice: nova\n", encoding="utf-8")
    voice = shop.agent()["voice"]

    async def killed(self: AgentClient, agent_id: int, if_updated_at: str | None = None) -> None:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(AgentClient, "deploy_agent", killed)
        assert shop.deploy("--yes", "--force", "a trial").code == 5
    file.write_text(untouched, encoding="utf-8")
    shop.write_prompt(PROMPT, POLITE)
    assert shop.project.planner("run", CONSENT).code == 0
    again = shop.deploy("--yes")
    assert (again.code, POLITE in shop.agent()["prompt"], shop.agent()["voice"]) == (0, True, voice), again.err


def test_a_draft_is_somebody_else_s_once_a_later_deployment_was_carried_out(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even if it has the value that an interrupted deployment would have written."""
    file = shop.project.root / "agents/support.yaml"
    untouched = file.read_text(encoding="utf-8")
    file.write_text(untouched + "voice: nova\n", encoding="utf-8")

    async def killed(self: AgentClient, agent_id: int, if_updated_at: str | None = None) -> None:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(AgentClient, "deploy_agent", killed)
        assert shop.deploy("--yes", "--force", "a trial").code == 5
    file.write_text(untouched, encoding="utf-8")
    shop.write_prompt(PROMPT, POLITE)
    assert shop.deploy("--yes", "--force", "a trial").code == 0
    shop.request("PATCH", "/v1/agents/12", {"voice": "nova"})
    shop.write_prompt(POLITE, PROMPT)
    ran = shop.deploy("--yes", "--force", "a trial")
    assert (ran.code, "`voice`" in ran.err, shop.agent()["draft_voice"]) == (3, True, "nova")


def test_an_interrupted_deployment_stays_one_if_a_later_one_was_carried_out(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def killed(self: AgentClient, agent_id: int, if_updated_at: str | None = None) -> None:
        raise MemoryError

    shop.write_prompt(PROMPT, POLITE)
    with monkeypatch.context() as patch:
        patch.setattr(AgentClient, "deploy_agent", killed)
        assert shop.deploy("--yes", "--force", "a trial").code == 5
    assert shop.deploy("--yes", "--force", "a trial").code == 0
    assert "nothing to deploy" in shop.deploy("--yes").out
    assert [each["state"] for each in _records(shop)] == ["intended", "deployed"]
    assert shop.project.planner("show", "support").out.count("deployment interrupted 20") == 1


def test_a_refused_deployment_is_recorded(shop: Shop) -> None:
    shop.write_prompt(PROMPT, POLITE)
    assert shop.project.planner("run", CONSENT).code == 0
    shop.control(faults=[{"kind": "error_before", "route": "deploy", "status": 409, "message": "Changed.", "times": 1}])
    assert shop.deploy("--yes").code == 4
    (failed,) = _records(shop)
    assert (failed["state"], "Changed." in failed["detail"]) == ("failed", True)
    assert shop.deploy("--yes").code == 0
    assert [each["state"] for each in _records(shop)] == ["failed", "deployed"]


def test_nobody_at_a_terminal_and_no_yes(shop: Shop) -> None:
    shop.write_prompt(PROMPT, BROKEN)
    before = shop.agent()
    ran = shop.deploy("--force", "reason")
    assert (ran.code, "--yes --force reason" in ran.err, shop.agent()) == (3, True, before)
    assert "+ Books can be returned" in ran.out


def test_somebody_else_s_draft_is_not_deployed(shop: Shop) -> None:
    """A draft of exactly the file's changes is our own, left by an attempt that was interrupted."""
    shop.write_prompt(PROMPT, POLITE)
    assert shop.project.planner("run", CONSENT).code == 0
    shop.request("PATCH", "/v1/agents/12", {"voice": "nova"})
    ran = shop.deploy("--yes")
    assert (ran.code, "`voice`" in ran.err) == (3, True)
    assert shop.agent()["draft_voice"] == "nova"
    shop.request("POST", "/v1/agents/12/discard-draft", {})
    prompt = shop.agent()["prompt"].replace(PROMPT, POLITE)
    shop.request("PATCH", "/v1/agents/12", {"prompt": prompt})
    assert shop.deploy("--yes").code == 0
    assert shop.agent()["prompt"] == prompt


@pytest.mark.parametrize("when", ["before the draft", "after the draft"])
def test_an_agent_that_changed_meanwhile(shop: Shop, monkeypatch: pytest.MonkeyPatch, when: str) -> None:
    """Nothing is deployed over another edit, and the message names the field that changed."""
    shop.write_prompt(PROMPT, POLITE)
    assert shop.project.planner("run", CONSENT).code == 0
    original = AgentClient.draft_agent

    async def draft(self: AgentClient, agent_id: int, fields: Any) -> None:
        if when == "after the draft":
            await original(self, agent_id, fields)
        shop.edit_by_hand("Say nothing.")

    monkeypatch.setattr(AgentClient, "draft_agent", draft)
    ran = shop.deploy("--yes")
    assert (ran.code, "`prompt`" in ran.err) == (4, True), ran.err
    assert shop.agent()["prompt"] == "Say nothing."


@pytest.mark.parametrize(("route", "kind"), [("edit", "lost_answer"), ("deploy", "error_before")])
def test_lost_answers(shop: Shop, route: str, kind: str) -> None:
    """Whether a write arrived is read back; the same command goes on where it stopped."""
    shop.write_prompt(PROMPT, POLITE)
    assert shop.project.planner("run", CONSENT).code == 0
    shop.control(faults=[{"kind": kind, "route": route, "times": 1}])
    first = shop.deploy("--yes")
    assert first.code == (0 if kind == "lost_answer" else 4), first.err
    assert shop.deploy("--yes").code == 0
    assert POLITE in shop.agent()["prompt"]
    assert not shop.agent()["has_draft"]


def test_the_service_refuses(shop: Shop) -> None:
    """409 after our draft: the message says what the draft holds."""
    shop.write_prompt(PROMPT, POLITE)
    assert shop.project.planner("run", CONSENT).code == 0
    conflict = {"kind": "error_before", "route": "deploy", "status": 409, "message": "Changed.", "times": 1}
    shop.control(faults=[conflict])
    ran = shop.deploy("--yes")
    assert (ran.code, "Its draft holds `prompt`" in ran.err) == (4, True), ran.err
    assert PROMPT in shop.agent()["prompt"]
    assert shop.deploy("--yes").code == 0


def plan(name: str, target: str) -> str:
    """A plan with one case, `NAME/hours`."""
    head = f"version: 1\nplan: {name}\ntargets: {{{target}}}\nscenarios:\n  hours:\n    prompt: Ask for the opening hours.\n"
    return head + "    expect: [{check: call, status: completed}]\n"


@pytest.mark.parametrize("target", ["plain: {agent: 12}", "other: {agent: 12, config: ../agents/other.yaml}"])
def test_cases_that_never_call_the_file(shop: Shop, target: str) -> None:
    """Nothing proves that they pass with the configuration."""
    shop.project.write("plans/line.yaml", plan("line", target))
    shop.project.write("agents/other.yaml", "voice: nova\n")
    shop.write_prompt(PROMPT, POLITE)
    assert shop.project.planner("run", CONSENT).code == 0
    before = shop.agent()
    ran = shop.deploy("--yes")
    assert (ran.code, "line/hours" in ran.err, shop.agent()) == (3, True, before), ran.err
    assert shop.deploy("--yes", "--force", "the line is moved").code == 0
    assert POLITE in shop.agent()["prompt"]


@pytest.mark.parametrize(
    ("alias", "message"),
    [
        ("nobody", "Targets with a file: support"),
        ("line", "planner agent pull"),
    ],
)
def test_a_target_without_a_file(shop: Shop, alias: str, message: str) -> None:
    shop.project.write("plans/line.yaml", plan("line", "line: {agent: 12}"))
    ran = shop.project.planner("agent", "deploy", alias, "--yes")
    assert (ran.code, message in ran.err) == (2, True), ran.err


def test_named_paths_do_not_narrow_the_proof(shop: Shop) -> None:
    """A configuration that fails in a plan of plans/ is not deployed by naming another plan."""
    shop.project.write("more/line.yaml", plan("line", "support: {agent: 12, config: ../agents/support.yaml}"))
    shop.apply("broken.patch")
    before = shop.agent()
    assert shop.project.planner("run", "plans", "more", CONSENT).code == 1
    assert shop.project.planner("run", "more", CONSENT).code == 0
    ran = shop.deploy("more", "--yes")
    assert (ran.code, shop.agent()) == (1, before), ran.err
    assert "planner run more plans --rerun failed" in ran.err


def test_a_pull_request_deploys_nothing(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.write_prompt(PROMPT, POLITE)
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_EVENT_NAME", "pull_request")
    monkeypatch.setenv("GITHUB_REF", "refs/pull/7/merge")
    monkeypatch.setenv("GITHUB_BASE_REF", "main")
    assert shop.deploy("--yes", "--force", "reason").code == 2


def test_what_an_auditor_asks(shop: Shop) -> None:
    """Who deployed what, when, and what it rests on: the counts and calls of its cases, or the reason to do it anyway."""
    assert shop.project.planner("show", "support", "--format", "json").json["target"]["deployments"] == []
    shop.write_prompt(PROMPT, POLITE)
    assert shop.project.planner("run", CONSENT).code == 0
    assert shop.deploy("--yes").code == 0
    shop.write_prompt(POLITE, BROKEN)
    assert shop.deploy("--yes", "--force", "The old page is gone.").code == 0
    target = shop.project.planner("show", "support", "--format", "json").json["target"]
    forced, proven = target["deployments"]
    assert (forced["forced"], forced["check"] != "success") == ("The old page is gone.", True)
    assert (proven["forced"], proven["check"], proven["state"], proven["fields"]) == (
        None,
        "success",
        "deployed",
        ["prompt"],
    )
    cases = {case["case_id"]: case for case in shop.project.results()["cases"]}
    assert {case["case_id"]: case["call_ids"] for case in proven["cases"]} == {
        name: [run["call_id"] for run in case["runs"]] for name, case in cases.items()
    }
    assert all(case["runs_passed"] == case["runs_counted"] > 0 for case in proven["cases"])
    shown = shop.project.planner("show", "support").out
    some_call = next(iter(cases.values()))["runs"][0]["call_id"]
    assert all(words in shown for words in ("forced: The old page is gone.", proven["by"], str(some_call)))

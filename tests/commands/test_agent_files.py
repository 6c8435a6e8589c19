"""Agents as files: what plans show of them, what is called again, and `planner agent pull`."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from fake_github import fake_github

from planner.agents.live_tools import AgentTools, LiveTools, live_tools, unknown_tools
from planner.changes.configuration import configuration_digest
from planner.checks.tools import ToolCalled
from planner.evidence import Evidence
from planner.planfile.model import Policy, Target
from planner.providers.base import AgentState, TargetState
from tests.commands.conftest import Project, Served  # pyright: ignore[reportMissingImports]
from tests.support.stored_cases import make_case
from tests.support.stored_files import Document, edit_facts

CONSENT = "--consent-to-charge"
FILE = "agents/support.yaml"
WITH_FILE = f"clinic: {{agent: 14, config: ../{FILE}}}"


@pytest.fixture
def described(project: Project, service: Served) -> Project:
    """Agent 14, described by a file that says what is deployed."""
    project.write("planner.yaml", "version: 1\n")
    project.edit("plans/hours.yaml", "clinic: {agent: 12}", WITH_FILE)
    assert project.planner("agent", "pull", "clinic").code == 0
    return project


def agent(project: Project, *options: str) -> dict[str, Any]:
    (found,) = project.planner("plan", "--format", "json", *options).json["agents"]
    return found


def called(project: Project, *options: str) -> set[str]:
    document = project.planner("plan", "--format", "json", *options).json
    return {change["reason"] for change in document["changes"] if change["action"] == "call"}


def git(project: Project, *arguments: str) -> None:
    who = ("-c", "user.name=Ana", "-c", "user.email=ana@example.org")
    subprocess.run(["git", *who, *arguments], cwd=project.root, check=True)


def edit_prompt(project: Project, prompt: str = "You are new here.") -> None:
    project.write(FILE, f"# Ours\nprompt: {prompt}\nvoice: maya\n")


def test_a_pulled_file_says_what_is_deployed(described: Project) -> None:
    found = agent(described)
    assert (found["target"], found["agent_id"], found["config"]) == ("clinic", 14, FILE)
    assert (found["state"], found["changes"], found["drift"], found["waits_for_deploy"]) == ("same", [], [], False)
    text = (described.root / FILE).read_text()
    assert "voice:" in text
    assert "draft" not in text
    assert "updated_at" not in text


def test_an_edited_prompt_is_shown_with_and_without_a_key(described: Project, service: Served) -> None:
    """The same agents, calls and digest; the key is not needed for the diff and the price."""
    assert described.planner("run", CONSENT).code == 0
    assert described.planner("ci", "record").code == 0
    assert called(described) == set()
    edit_prompt(described)
    keyed = described.planner("plan", "--format", "json").json
    keyless = described.planner("plan", "--offline", "--format", "json").json
    assert keyed["agents"] == keyless["agents"]
    assert keyed["digest"] == keyless["digest"]
    (found,) = keyless["agents"]
    assert found["state"] == "changed"
    assert (found["changes"][0]["field"], found["changes"][0]["after"]) == ("prompt", "You are new here.")
    assert keyless["estimate"]["expected_cents"] > 0
    assert {change["reason"] for change in keyless["changes"]} == {"agent_file_changed"}
    text = described.planner("plan").out
    assert "called on a preview" in text
    assert "You are new here." in text
    assert service.own_runs() != []


def test_consent_covers_what_the_file_says(described: Project) -> None:
    digests = [described.planner("plan", "--format", "json").json["digest"]]
    for prompt in ("You are new here.", "You are kind."):
        edit_prompt(described, prompt)
        digests.append(described.planner("plan", "--format", "json").json["digest"])
    assert len(set(digests)) == 3


def test_an_edit_at_the_service_is_drift(described: Project, service: Served) -> None:
    """Named with the diff on the next plan, and by planner ci record; the file's own edit is none."""
    assert described.planner("run", CONSENT).code == 0
    service.control({"deploy": {"agent_id": 14, "revision": 2}})
    found = agent(described)
    assert found["state"] == "changed"
    assert [change["field"] for change in found["drift"]] == ["prompt"]
    assert not found["waits_for_deploy"]
    assert "drift" in described.planner("plan").out
    assert "drift" in described.planner("ci", "record").out


def test_an_edit_of_the_file_is_not_one_of_the_agent(described: Project, service: Served) -> None:
    """Neither a field that is removed from the file, nor an edit after the plan was agreed to. `recheck` says that its calls are older."""
    described.write(FILE, "prompt: You are new here.\nvoice: maya\n")
    assert described.planner("run", CONSENT).code == 0
    edit_prompt(described, "You are kind.")
    ran = described.planner("run", "--offline")
    assert (ran.code, "3 cases rechecked with runs whose inputs have changed since" in ran.out) == (0, True), ran.out
    described.write(FILE, "voice: maya\n")
    assert called(described) == {"agent_file_changed"}
    digest = described.planner("plan", "--format", "json").json["digest"]
    described.write(FILE, "voice: maya\nprompt: You are kind.\n")
    calls = len(service.own_runs())
    ran = described.planner("run", CONSENT, "--digest", digest)
    assert (ran.code, len(service.own_runs())) == (3, calls), ran.err
    assert ("the file of its agent changed" in ran.err, "was edited" in ran.err) == (True, False), ran.err


def test_an_unknown_configuration_is_no_change(described: Project, service: Served) -> None:
    """Calls without a configuration are matched by their revision."""
    assert described.planner("run", CONSENT).code == 0

    def fact(document: Document) -> None:
        document.pop("configuration", None)

    edit_facts(described.root / ".planner", fact, lambda case: case["inputs"].pop("configuration"))
    assert called(described) == set()
    assert called(described, "--offline") == {"agent_file_changed"}  # without a key, nobody knows what the file changes
    assert described.planner("run", CONSENT).code == 0
    assert len(service.own_runs()) == 5
    assert called(described) == set()
    edit_prompt(described)
    assert called(described) == {"agent_file_changed"}


def test_a_field_that_is_new_in_the_api_is_no_change(described: Project) -> None:
    assert described.planner("run", CONSENT).code == 0
    (path,) = (described.root / ".planner/configurations").glob("*.json")
    configuration = json.loads(path.read_text())
    del configuration["thinking_level"]  # as stored before the API had it
    digest = configuration_digest(configuration)
    path.with_name(f"{digest.removeprefix('sha256:')}.json").write_text(json.dumps(configuration))

    def fact(document: Document) -> None:
        if "configuration" in document:
            document["configuration"] = digest

    edit_facts(described.root / ".planner", fact, lambda case: case["inputs"].update(configuration=digest))
    described.write(FILE, "voice: maya\n")
    assert called(described) == set()
    described.write(FILE, "voice: maya\nthinking_level: base\n")  # then it counts
    changes = described.planner("plan", "--format", "json").json["changes"]
    assert {(change["action"], change["reason"]) for change in changes} == {("call", "agent_file_changed")}


def test_secrets_and_control_characters_of_a_file_are_not_shown(described: Project) -> None:
    described.write(FILE, 'prompt: "Call +1 415 555 0134 \\e[31m now ::error::"\nvoice: maya\n')
    text = described.planner("plan").out
    assert "555 0134" not in text
    assert "\x1b[31m" not in text
    assert "555 0134" not in described.planner("plan", "--format", "json").out


def test_pull_keeps_comments_and_asks_before_it_overwrites(described: Project, service: Served) -> None:
    edit_prompt(described)
    before = (described.root / FILE).read_text()
    assert described.planner("agent", "pull", "clinic").code == 2
    assert (described.root / FILE).read_text() == before
    assert described.planner("agent", "pull", "clinic", "--overwrite").code == 0
    text = (described.root / FILE).read_text()
    assert text.startswith("# Ours\nprompt: ")
    assert agent(described)["state"] == "same"
    assert "product" not in text  # only the fields that the file has
    service.control({"deploy": {"agent_id": 14, "revision": 2}})
    assert described.planner("agent", "pull", "clinic").code == 0  # nothing of the author's is lost
    assert agent(described)["state"] == "same"


def test_pull_writes_the_prompt_file(described: Project) -> None:
    described.write(FILE, "prompt_file: support.md\n")
    described.write("agents/support.md", "Old.\n")
    assert described.planner("agent", "pull", "clinic", "--overwrite").code == 0
    assert (described.root / FILE).read_text() == "prompt_file: support.md\n"
    assert (described.root / "agents/support.md").read_text() != "Old.\n"
    assert agent(described)["state"] == "same"


@pytest.mark.parametrize("name", ["agents/support.md", FILE])
def test_pull_keeps_what_is_not_committed(described: Project, service: Served, name: str) -> None:
    """Also what a session recorded; a refused one records nothing."""
    described.write(FILE, "prompt_file: support.md\n" if name != FILE else "voice: maya\n")
    described.write("agents/support.md", "You are old.\n")
    git(described, "init", "-q")
    git(described, "add", ".")
    git(described, "commit", "-qm", "Begin")
    described.write(name, "You are new here.\n" if name != FILE else "prompt: You are new here.\n")
    edited = (described.root / name).read_text()
    assert described.planner("run").code == 3
    assert described.planner("agent", "pull", "clinic").code == 2
    assert described.planner("run", CONSENT).code == 0
    assert described.planner("agent", "pull", "clinic").code == 2
    assert (described.root / name).read_text() == edited
    git(described, "commit", "-qam", "Edit")
    assert described.planner("agent", "pull", "clinic").code == 0
    assert (described.root / name).read_text() != edited


def test_a_refused_run_records_nothing(described: Project) -> None:
    edit_prompt(described)
    assert described.planner("run").code == 3
    assert described.planner("agent", "pull", "clinic").code == 2


@pytest.mark.parametrize("targets", ["clinic: {phone_number: 77}", "desk: {agent: 14}"])
def test_pull_needs_an_agent(project: Project, service: Served, targets: str) -> None:
    project.edit("plans/hours.yaml", "clinic: {agent: 12}", targets)
    assert project.planner("agent", "pull", "clinic").code == 2
    assert not (project.root / "agents").exists()


def test_drift_is_in_the_issue(described: Project, service: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the difference, until the agent is as the file says again."""
    assert described.planner("run", CONSENT).code == 0
    with fake_github() as fake:
        for name, value in {"REPOSITORY": "acme/plans", "TOKEN": "writer", "API_URL": fake.url}.items():
            monkeypatch.setenv(f"GITHUB_{name}", value)
        assert described.planner("ci", "record", "--issue").code == 0
        assert fake.issues == []
        service.control({"deploy": {"agent_id": 14, "revision": 2}})
        assert described.planner("ci", "record", "--issue").code == 0
        (issue,) = fake.issues
        assert "drift" in issue["body"]
        assert "```diff\nprompt:\n- " in issue["body"]
        assert "`planner agent pull clinic`" in issue["body"]
        assert described.planner("agent", "pull", "clinic").code == 0
        assert described.planner("run", CONSENT).code == 0
        assert described.planner("ci", "record", "--issue").code == 0
        assert [each["state"] for each in fake.issues] == ["closed"]


def test_a_policy_without_previews(described: Project, service: Served) -> None:
    """Refused by the plan as by the run, with the target's name; a file that is deployed needs none."""
    described.write("planner.yaml", "version: 1\npolicy: {previews: deny}\n")
    assert described.planner("plan").code == 0
    edit_prompt(described)
    for command in (("plan",), ("run", CONSENT)):
        ran = described.planner(*command)
        assert ran.code == 3
        assert "policy.previews" in " ".join((ran.out + ran.err).split())
        assert "`clinic`" in ran.out + ran.err
    assert service.own_runs() == []


def test_tools_that_calls_may_reach_are_named(described: Project) -> None:
    """Those of the file, as long as calls are to be made; the sandbox has no real ones."""
    described.write(FILE, "prompt: You are new here.\nvoice: maya\ntools: [{name: issue_refund}, {name: look_up}]\n")
    planned = described.planner("plan")
    assert "these calls may reach live tools: issue_refund, look_up" in " ".join(planned.out.split())
    assert described.planner("plan", "--format", "json").json["live_tools"] == ["issue_refund", "look_up"]
    described.planner("run", CONSENT)
    assert any("issue_refund" in warning for warning in described.results()["warnings"])
    assert described.planner("plan", "--format", "json").json["live_tools"] == []
    assert described.planner("plan", "--sandbox", "--format", "json").json["live_tools"] == []


@pytest.mark.parametrize("denied", ["{deny: [issue_refund]}", "{default: deny}"])
def test_tools_that_policy_denies(described: Project, service: Served, denied: str) -> None:
    """Refused by the plan as by the run, before any call or preview."""
    described.write("planner.yaml", f"version: 1\npolicy: {{live_tools: {denied}}}\n")
    described.write(FILE, "prompt: You are new here.\nvoice: maya\ntools: [{name: issue_refund}, {name: look_up}]\n")
    for command in (("plan",), ("run", CONSENT)):
        ran = described.planner(*command)
        assert ran.code == 3
        said = " ".join((ran.out + ran.err).split())
        assert ("policy.live_tools denies: issue_refund" in said, "look_up" in said) == (True, True)
    assert service.own_runs() == []


UNSHOWN = "this agent's tools are not shown by the service: `deny` cannot be enforced (`clinic`)"
DENIED = "these calls may reach live tools that policy.live_tools denies: "


@pytest.mark.parametrize("target", ["{agent: 14}", "{phone_number: 77}", f"{{agent: 14, config: ../{FILE}}}"])
def test_tools_that_the_service_does_not_show(described: Project, service: Served, target: str) -> None:
    """Nobody can deny them: `default: deny` refuses until that is agreed to. Those that stored calls show are known."""
    described.write(FILE, "prompt: You are new here.\nvoice: maya\n")
    described.edit("plans/hours.yaml", WITH_FILE, f"clinic: {target}")

    def check(live_tools: str, code: int, sentence: str, *options: str) -> None:
        described.write("planner.yaml", f"version: 1\npolicy: {{live_tools: {live_tools}}}\n")
        for command in (("plan",), ("run", CONSENT)):
            ran = described.planner(*command, *options)
            assert (ran.code, " ".join((ran.out + ran.err).split()).count(sentence)) == (code, 1)

    check("{default: deny}", 3, UNSHOWN)
    assert service.own_runs() == []
    assert described.planner("plan", "--sandbox").code == 0
    described.write("planner.yaml", "version: 1\npolicy: {live_tools: {default: deny, unknown: allow}}\n")
    assert described.planner("run", CONSENT).code == 0
    assert UNSHOWN in described.results()["warnings"]
    made = len(service.own_runs())
    check("{default: deny, unknown: allow}", 3, f"{DENIED}cancel_order, create_return, lookup_order", "--rerun", "all")
    check("{deny: [cancel_order]}", 3, f"{DENIED}cancel_order", "--rerun", "all")
    assert len(service.own_runs()) == made
    described.write("planner.yaml", "version: 1\npolicy: {live_tools: {deny: [issue_refund]}}\n")
    planned = described.planner("plan", "--rerun", "all")
    assert (planned.code, UNSHOWN in " ".join(planned.out.split())) == (0, True)
    described.write("planner.yaml", "version: 1\npolicy: {live_tools: {deny: [cancel_ordr]}}\n")
    planned = described.planner("plan", "--rerun", "all", "--format", "json")
    assert planned.json["warnings"][1].endswith(
        "denies `cancel_ordr`, which was never seen on these agents; did you mean `cancel_order`?"
    )


TYPED = """\
version: 1
plan: hours
targets: {clinic: {agent: 14}}
scenarios:
  order:
    prompt: You are a calm caller, number {{ n }}. Ask where your order 12345 is.
    matrix: {axes: {n: [1, 2]}}
    expect:
      - {check: all_of, of: [{check: tool_not_called, name: create_return}, {check: tool_called, name: lookup_order, after: fnd_slot}]}
      - {check: tool_not_called, name: cancel_ordr, severity: critical}
"""


@pytest.fixture
def typed(project: Project) -> Project:
    project.write("planner.yaml", "version: 1\n")
    project.write("plans/hours.yaml", TYPED)
    return project


def test_a_misspelt_tool_is_named_in_every_report(typed: Project, service: Served) -> None:
    """From the first call on, which shows what tools the agent has."""
    assert "never seen" not in (planned := typed.planner("plan")).out + planned.err
    assert "never seen" not in typed.planner("validate").err
    typed.planner("run", CONSENT)
    more = "hours/order[n=1]@clinic and 1 more case: "
    warnings = [
        f"{more}`fnd_slot` was never seen on this agent",
        f"{more}`cancel_ordr` was never seen on this agent; did you mean `cancel_order`?",
    ]
    assert typed.results()["warnings"] == warnings
    assert typed.planner("plan", "--format", "json").json["warnings"] == warnings
    for name in ("report.md", "report.html", "junit.xml"):
        assert "cancel_ordr" in (typed.root / "reports" / name).read_text()
    validated = typed.planner("validate")
    assert (validated.code, validated.err.count("warning: tool was never seen on this agent")) == (0, 2)
    typed.planner("run", "--offline")
    assert typed.results()["warnings"] == warnings


def test_a_misspelt_argument_is_named(typed: Project, service: Served) -> None:
    """As soon as a call passed others; one that must be absent is expected to be unknown."""
    unknown = "{ordr_id: 1, urgent: true, note: {exists: false}}"
    safe = f"{{check: tool_not_called, name: lookup_order, arguments: {unknown}, severity: critical}}"
    typed.edit("plans/hours.yaml", "{check: tool_not_called, name: cancel_ordr, severity: critical}", safe)
    typed.edit("plans/hours.yaml", ", after: fnd_slot", "")
    typed.edit("plans/hours.yaml", "name: create_return", "name: lookup_order, arguments: {order_id: 0}")
    typed.planner("run", CONSENT)
    case = "hours/order[n=1]@clinic and 1 more case"
    assert typed.results()["warnings"] == [
        f"{case}: `ordr_id` was never an argument of `lookup_order`; did you mean `order_id`?",
        f"{case}: `urgent` was never an argument of `lookup_order`; calls passed `order_id`",
    ]
    validated = typed.planner("validate")
    assert (validated.code, validated.err.count("unknown-argument]")) == (0, 2)


def test_a_denied_tool_that_was_called_is_named_first(typed: Project, service: Served) -> None:
    """The service had not shown it, so nobody could refuse the calls."""
    typed.write("planner.yaml", "version: 1\npolicy: {live_tools: {deny: [lookup_order, cancel_order]}}\n")
    typed.planner("run", CONSENT)
    sentence = "`lookup_order`, which policy.live_tools denies, was called in 2 runs: the service did not show before that the agent has it"
    assert typed.results()["warnings"][0] == sentence
    assert "denies, was called in 2 runs" in (typed.root / "reports/report.md").read_text()
    typed.write("planner.yaml", "version: 1\npolicy: {live_tools: {default: deny}}\n")
    assert typed.planner("run", CONSENT, "--rerun", "all").code == 3


def test_a_critical_expectation_needs_a_tool_that_the_agent_has(typed: Project, service: Served) -> None:
    """Where the agent's tools are known: otherwise it could never fail. Nothing is called."""
    typed.edit("plans/hours.yaml", "{agent: 14}", f"{{agent: 14, config: ../{FILE}}}")
    typed.write(FILE, "prompt: Hi.\ntools: [{name: lookup_order}, {name: create_return}, {name: cancel_order}]\n")
    for command in (("validate",), ("plan",), ("run", CONSENT)):
        ran = typed.planner(*command)
        assert (ran.code, ran.err.count("unknown-tool]")) == (2, 2)
        assert "error: tool was never seen on this agent" in ran.err
    assert service.own_runs() == []
    typed.edit("plans/hours.yaml", "cancel_ordr, severity: critical", "cancel_ordr")
    assert typed.planner("plan").code == 0


def test_stored_calls_are_read_only_if_they_are_needed() -> None:
    def calls(*_: Any) -> Iterator[Evidence]:
        raise AssertionError
        yield

    state = TargetState("r", "spark", behind=(AgentState(3, "", None, {"tools": ["a", "b"]}, {}),))
    expectation = ToolCalled(check="tool_called", name="a", after="b")
    case = make_case(target=Target("support", "agent", 3), expectations=(expectation,))
    tools = AgentTools((), {("agent", 3): state}, calls)
    assert unknown_tools([case], tools) == []
    assert live_tools([case], tools, Policy(denied_tools=frozenset({"c"}))).names == ("a", "b")
    with pytest.raises(AssertionError):
        unknown_tools([case], AgentTools((), {}, calls))
    hidden = {("agent", number): TargetState("r", "spark", behind=()) for number in (3, 4)}
    both = [case, make_case(target=Target("sales", "agent", 4), expectations=(expectation,))]
    (warning,) = live_tools(both, AgentTools((), hidden), Policy(denied_tools=frozenset({"c"}))).warnings
    assert warning.startswith("these agents' tools are not shown")
    assert warning.endswith("(`support`, `sales`)")
    without = TargetState("r", "spark", behind=(AgentState(3, "", None, {"tools": []}, {}),))
    denied = live_tools([case], AgentTools((), {("agent", 3): without}, calls), Policy(denies_tools=True))
    assert denied == LiveTools()


@pytest.mark.parametrize(
    ("tools", "names"),
    [
        ([{"name": "b"}, {"type": "function", "function": {"name": "a"}}, "c", 7, {"phone": "+1"}, {"name": 4}], ["a", "b", "c"]),
        ({"name": "a"}, []),
        (None, []),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["agent", "phone_number"])
def test_tools_of_deployed_agents(tools: Any, names: list[str], kind: Any) -> None:
    """Of all agents that answer; the service does not document their form."""
    case = make_case(target=Target("support", kind, 12))
    state = TargetState(
        "r", "spark", behind=(AgentState(3, "", None, {"tools": tools}, {}), AgentState(4, "", None, {}, {}))
    )
    tools = AgentTools((), {(kind, 12): state})
    assert list(live_tools([case], tools, Policy()).names) == names
    assert live_tools([case], AgentTools((), {}), Policy()) == live_tools([], tools, Policy()) == LiveTools()

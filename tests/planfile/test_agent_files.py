"""`config` of targets: agents' files, and everything that can be wrong with them."""

from __future__ import annotations

import pytest

from planner.planfile.project import load_project
from tests.planfile.conftest import Workspace  # pyright: ignore[reportMissingImports]

PLAN = """\
version: 1
plan: refunds
targets: {support: %s}
scenarios:
  window:
    prompt: Ask how long you have to return an order.
    expect: [{check: says, any_of: [30 days]}]
"""
WITH_FILE = PLAN % "{agent: 12, config: agents/support.yaml}"


@pytest.fixture
def repository(workspace: Workspace) -> Workspace:
    (workspace.root / ".git").mkdir(exist_ok=True)
    return workspace


def codes(workspace: Workspace, agent: str | bytes | None, plan: str = WITH_FILE) -> list[str]:
    if agent is not None:
        workspace.write("agents/support.yaml", agent)
    workspace.write("plan.yaml", plan)
    return [item.code for item in workspace.load()[1]]


def test_a_file_is_part_of_the_target(repository: Workspace) -> None:
    repository.write("agents/support.md", "You are kind.\r\nAlways.\n\n")
    repository.write("agents/support.yaml", "# Ours\nprompt_file: support.md\nvoice: aria\ntools: [{name: find}]\n")
    config = repository.case(WITH_FILE).target.config
    assert config is not None
    assert config.file == "agents/support.yaml"
    assert config.fields == {"prompt": "You are kind.\nAlways.", "voice": "aria", "tools": [{"name": "find"}]}
    assert config.prompt_path == repository.root / "agents/support.md"
    assert config.places["voice"].span.line == 3


@pytest.mark.parametrize(
    ("agent", "code"),
    [
        (None, "file-missing"),
        ("", "empty-file"),
        ("# nothing\n", "empty-file"),
        ("{}\n", "bad-value"),
        ("- prompt: a\n", "wrong-type"),
        ("prompt: a\nprompt: b\n", "duplicate-key"),
        ("prompt: a\nprompt_file: a.md\n", "two-prompts"),
        ("prompt: ' '\n", "empty-prompt"),
        ("prompt: [a]\n", "wrong-type"),
        ("prompt:\n", "wrong-type"),
        ("prompt_file: none.md\n", "file-missing"),
        ("prompt_file: ../../etc/passwd\n", "file-outside"),
        ("prompt_file: /etc/passwd\n", "file-outside"),
        ("prompt_file: [a]\n", "wrong-type"),
        ("prompt: a\nname: Support\n", "unmanaged-field"),
        ("prompt: a\ndraft_prompt: b\n", "unmanaged-field"),
        ("prompt: a\nwebhook_secret: abc\n", "secret-field"),
        ("prompt: a\ntools: [{headers: {X-Api-Key: abc}}]\n", "secret-field"),
        ("prompt: a\ntools: [{headers: [{name: Authorization, value: abc}]}]\n", "secret-field"),
        ("prompt: a\ntools: [{url: 'https://me:abc@tools.example'}]\n", "secret-field"),
        ("prompt: {{ name }}\n", "key-not-string"),
        (b"prompt: \xff\n", "not-utf8"),
    ],
)
def test_a_file_that_cannot_be_used(repository: Workspace, agent: str | bytes | None, code: str) -> None:
    """One mistake is one error, however many targets name the file."""
    assert codes(repository, agent) == [code]
    twice = WITH_FILE.replace("support: {", "other: {agent: 13, config: agents/support.yaml}, support: {")
    twice = twice.replace("    prompt: Ask", "    targets: [support]\n    prompt: Ask")
    assert codes(repository, agent, twice).count(code) == (2 if agent is None else 1)


@pytest.mark.parametrize(
    "path", ["../support.yaml", "/support.yaml", "https://example.com/support.yaml", ".git/config"]
)
def test_a_file_outside_the_repository(repository: Workspace, path: str) -> None:
    assert codes(repository, None, PLAN % f"{{agent: 12, config: {path}}}") == ["file-outside"]


def test_a_phone_number_calls_the_deployed_agent(repository: Workspace) -> None:
    plan = PLAN % "{phone_number: 77, config: agents/support.yaml}"
    assert codes(repository, "prompt: a\n", plan) == ["config-not-called"]
    ((plan_read,), _) = repository.load()
    assert plan_read.cases[0].target.config is None


def test_files_of_environments_and_libraries(repository: Workspace) -> None:
    """Relative to the file that names them. Where the plan and the environment name two, neither is chosen."""
    repository.write("agents/support.yaml", "voice: aria\n")
    repository.write("agents/other.yaml", "voice: nova\n")
    environment = "environments: {staging: {support: {agent: 12, config: agents/support.yaml}}}\n"
    repository.write("planner.yaml", environment)
    repository.project, _ = load_project(repository.root, cwd=repository.root)
    repository.environment = "staging"
    listed = PLAN.replace("{support: %s}", "[support]")
    for plan in (listed, PLAN % "{agent: 12}", WITH_FILE):
        config = repository.case(plan).target.config
        assert config is not None
        assert config.fields == {"voice": "aria"}
    assert codes(repository, None, PLAN % "{agent: 12, config: agents/other.yaml}") == ["target-conflict"]


def test_an_agents_file_is_no_plan(repository: Workspace) -> None:
    """Beside plans, it is not read as one; alone, it is said what it looks like."""
    repository.write("agents/support.yaml", "prompt: a\n")
    repository.write("plan.yaml", WITH_FILE)
    plans, diagnostics = repository.load(".")
    assert (len(plans), list(diagnostics)) == (1, [])
    (alone,) = repository.load("agents/support.yaml")[1]
    assert alone.code == "unknown-key"


def with_test_tools(written: str) -> str:
    return PLAN % f"{{agent: 12, config: agents/support.yaml, test_tools: {written}}}"


@pytest.mark.parametrize("address", ["https://test.example.com/refund", "http://127.0.0.1:8080/refund"])
def test_test_tools_are_part_of_the_target(repository: Workspace, address: str) -> None:
    """https, or this machine. Another address is another target."""
    repository.write("agents/support.yaml", "prompt: You are kind.\n")
    config = repository.case(with_test_tools(f"{{refund: '{address}'}}")).target.config
    other = repository.case(WITH_FILE).target.config
    assert config is not None
    assert other is not None
    assert (config.test_tools, config == other, config.fields == other.fields) == (
        (("refund", address),),
        False,
        True,
    )


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("{refund: 'http://test.example.com/refund'}", "bad-value"),
        ("{refund: 'https://me:secret@test.example.com'}", "bad-value"),
        ("{refund: 'https://'}", "bad-value"),
        ("{refund: test}", "bad-value"),
        ("{refund: [a]}", "wrong-type"),
        ("[refund]", "wrong-type"),
    ],
)
def test_test_tools_that_cannot_be_used(repository: Workspace, written: str, code: str) -> None:
    assert codes(repository, "prompt: You are kind.\n", with_test_tools(written)) == [code]


def test_only_previews_have_test_tools(repository: Workspace) -> None:
    plan = PLAN % "{agent: 12, test_tools: {refund: 'https://test.example.com'}}"
    assert codes(repository, None, plan) == ["bad-value"]

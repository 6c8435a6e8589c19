"""What a command imports is what its user waits for, and what it does not need is not imported."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

PLAN = """\
version: 1
plan: small
targets: {clinic: {agent: 12}}
scenarios:
  hours:
    prompt: You are Ana. Ask when you are open on Saturday.
    expect: [{check: says, any_of: [Saturday]}]
"""
SCRIPT = """\
import json, sys
from planner.__main__ import main
code = main()
print("\\n" + json.dumps([code, sorted(sys.modules)]))
"""
NO_CALLS = {"httpx", "phonenumbers", "uvicorn", "planner.network.http", "planner.sandbox", "planner.checks.spoken"}
"""Subsystems that are imported late: the HTTP client, telephone numbers, the sandbox and spoken text."""
VALIDATING = {
    *NO_CALLS,
    "sqlite3",
    "anyio",
    "planner.ci.client",
    "planner.ci.publish",
    "planner.judge",
    "planner.providers",
}
"""Also of no use for finding what is wrong with a plan of one scenario that expects words."""
IN_PROCESS = NO_CALLS - {"planner.sandbox"} | {"starlette", "numpy"}
"""Of no use for calls of the embedded sandbox, which cross no network."""


@pytest.mark.parametrize(
    ("arguments", "unneeded"),
    [
        ("--help", {"pydantic", "yaml", "planner.planfile", "planner.checks", "planner.commands", "anyio"}),
        ("validate small.yaml", VALIDATING),
        ("explain unknown-key", VALIDATING),
        ("plan --sandbox small.yaml", IN_PROCESS),
        ("run --sandbox --consent-to-charge small.yaml", {"httpx", "uvicorn", "planner.network.http", "starlette"}),
        ("history --sandbox", NO_CALLS),
    ],
)
def test_a_command_imports_what_it_needs(project: Any, arguments: str, unneeded: set[str]) -> None:
    """Not the libraries and packages of other commands, which cost more time than what it does."""
    project.write("small.yaml", PLAN)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *arguments.split()], cwd=project.root, capture_output=True, text=True, check=True
    )
    code, modules = json.loads(done.stdout.splitlines()[-1])
    assert code == 0, done.stderr
    assert sorted(unneeded & set(modules)) == []

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
VALIDATING = {
    "httpx", "junitparser", "phonenumbers", "sqlite3", "ssl",
    "subprocess", "uvicorn",
    "planner.changes", "planner.execution.core", "planner.judge", "planner.network", "planner.providers",
    "planner.results", "planner.sandbox",
    "planner.checks.expression", "planner.checks.judge", "planner.checks.language", "planner.checks.no_pii",
}  # fmt: skip
"""Of no use for finding what is wrong with a plan of one scenario that expects words."""
LOOKING_BACK = {
    "httpx", "junitparser", "phonenumbers", "pygments", "sqlite3", "ssl",
    "uvicorn",
    "planner.execution.core", "planner.execution.journal", "planner.judge", "planner.network", "planner.providers",
    "planner.sandbox",
}  # fmt: skip
"""Of no use where nobody is called and results are read."""
CALLING_IN_PROCESS = {
    "certifi", "numpy", "phonenumbers", "starlette", "uvicorn",
    "planner.checks.judge", "planner.checks.language", "planner.checks.no_pii",
}  # fmt: skip
"""Of no use for calls of the embedded sandbox, which are few and cross no network."""
NOT_PLANNING = {
    *CALLING_IN_PROCESS,
    "anyio", "junitparser", "planner.execution.core", "planner.verdicts.case_documents",
}  # fmt: skip
"""Of no use where nobody is called, and what is to be called is said."""


@pytest.mark.parametrize(
    ("arguments", "unneeded"),
    [
        ("--help", {"pydantic", "yaml", "planner.planfile", "planner.checks", "planner.commands", "anyio"}),
        ("validate small.yaml", VALIDATING),
        ("explain unknown-key", VALIDATING),
        ("plan --sandbox small.yaml", NOT_PLANNING),
        ("run --sandbox --consent-to-charge small.yaml", CALLING_IN_PROCESS),
        ("history --sandbox", LOOKING_BACK),
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

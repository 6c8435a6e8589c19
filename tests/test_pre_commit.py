"""`.pre-commit-hooks.yaml`: what it offers runs in a repository as pre-commit runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parent.parent
MANIFEST = ROOT / ".pre-commit-hooks.yaml"
HOOKS: list[dict[str, Any]] = YAML(typ="safe").load(MANIFEST)
PLAN = """\
version: 1
plan: a
targets: {desk: {agent: 12}}
scenarios:
  hello:
    expect: [{check: call, status: completed}]
    prompt: Say hello.
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository whose configuration has the hook; `planner` is this one, for an environment of its own needs a network."""
    pytest.importorskip("pre_commit", reason="pre-commit comes with the group `lint`")
    subprocess.run(["git", "init", "-q", "."], cwd=tmp_path, check=True)
    command = f"{sys.executable} -m"
    hooks = [hook | {"language": "system", "entry": f"{command} {hook['entry']}"} for hook in HOOKS]
    config = json.dumps({"repos": [{"repo": "local", "hooks": hooks}]})
    (tmp_path / ".pre-commit-config.yaml").write_text(config, encoding="utf-8")
    (tmp_path / "plans").mkdir()
    (tmp_path / "other.yaml").write_text("b:   1\n", encoding="utf-8")
    return tmp_path


def run(repository: Path) -> subprocess.CompletedProcess[str]:
    """What a commit would run, on all files."""
    subprocess.run(["git", "add", "-A"], cwd=repository, check=True)
    return subprocess.run(
        [sys.executable, "-m", "pre_commit", "run", "--all-files", "--color", "never"],
        cwd=repository,
        env={
            "PATH": "/usr/bin:/bin",
            "HOME": str(repository),
            "PRE_COMMIT_HOME": str(repository / ".cache"),
            "PYTHONPATH": str(ROOT),
        },
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_manifest_is_one(repository: Path) -> None:
    """pre-commit accepts it."""
    subprocess.run([sys.executable, "-m", "pre_commit", "validate-manifest", str(MANIFEST)], cwd=repository, check=True)


def test_a_valid_plan_passes(repository: Path) -> None:
    """Other YAML is not looked at."""
    (repository / "plans/a.yaml").write_text(PLAN, encoding="utf-8")
    assert run(repository).returncode == 0


def test_a_plan_with_a_fault(repository: Path) -> None:
    """It is shown at its place, and the commit is stopped."""
    (repository / "plans/a.yaml").write_text(PLAN.replace("check: call", "check: cal"), encoding="utf-8")
    ran = run(repository)
    assert ran.returncode == 1
    assert "plans/a.yaml:6:22: error: no such check [unknown-check]" in ran.stdout


def test_the_documentation_names_the_hooks() -> None:
    """All of them, by their ids."""
    text = (ROOT / "docs/editing.md").read_text(encoding="utf-8")
    assert [hook["id"] for hook in HOOKS if f"- id: {hook['id']}\n" not in text] == []

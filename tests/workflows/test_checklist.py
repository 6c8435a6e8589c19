"""docs/github-checklist.md: its script runs, and what it types exists."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from repositories import git
from workflow_jobs import WORKFLOWS

from planner.commands.init import STARTER

PAGE = (Path(__file__).parents[2] / "docs/github-checklist.md").read_text(encoding="utf-8")
COMMAND = f"/planner run sha256:{'a' * 64} up to 1.23"
GH = """\
#!/usr/bin/env bash
printf '%s\\n' "$*" >> "$GH_LOG"
case "$1 $2" in
  "pr view") [[ $* == *comments* ]] && printf 'Text\\n/planner run old\\n%s\\n' "$OFFERED" || echo 7 ;;
esac
"""


@pytest.fixture
def checklist(tmp_path: Path) -> Path:
    """The test repository as the page prepares it, and a `gh` that writes down what it is asked."""
    work = tmp_path / "work"
    git(tmp_path, "init", "-q", "--bare", "-b", "main", "remote.git")
    git(tmp_path, "clone", "-q", str(tmp_path / "remote.git"), str(work))
    git(work, "checkout", "-q", "-b", "main")
    (work / "plans").mkdir()
    (work / "plans/first.yaml").write_text((STARTER / "first.yaml").read_text(encoding="utf-8"))
    git(work, "add", "-A")
    git(work, "commit", "-q", "-m", "Adopt planner")
    git(work, "push", "-q", "origin", "main")
    program = tmp_path / "bin/gh"
    program.parent.mkdir()
    program.write_text(GH)
    program.chmod(0o755)
    return work


def typed(work: Path, line: str) -> list[str]:
    """What `gh` was asked for by a line of the checklist."""
    functions = re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)[0]
    log = work.parent / "gh.log"
    log.write_text("")
    environ = {
        "PATH": f"{work.parent / 'bin'}:/usr/bin:/bin",
        "HOME": str(work.parent),
        "GH_LOG": str(log),
        "OFFERED": COMMAND,
    }
    identity = {f"GIT_{role}_{part}": "a@b.test" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
    script = f"set -eo pipefail\n{functions}\n{line}"
    ran = subprocess.run(
        ["bash", "-c", script], cwd=work, env=environ | identity, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return [*log.read_text().splitlines(), *ran.stdout.splitlines()]


def test_the_functions_of_the_checklist(checklist: Path) -> None:
    """A pull request with another mood; the newest command of the comment; the form."""
    assert typed(checklist, "change angry") == ["pr create --fill"]
    assert "mood: [calm, angry]" in git(checklist, "show", "origin/angry:plans/first.yaml")
    assert typed(checklist, "offered")[-1] == COMMAND
    assert typed(checklist, "agree")[-1] == f"pr comment --body {COMMAND}"
    form = typed(checklist, """form "$(cut -d ' ' -f 3 <<< "$(offered)")" -f only=x""")[-1]
    assert form.startswith(f"workflow run phone-plans-call.yml -f pull-request=7 -f digest=sha256:{'a' * 64} ")
    asked = re.findall(r"-f ([a-z-]+)=", form)
    assert {*asked} <= WORKFLOWS["phone-plans-call"]["on"]["workflow_dispatch"]["inputs"].keys()
    (state,) = typed(checklist, "state")
    assert re.match(r"api repos/\{owner\}/\{repo\}/commits/[0-9a-f]{40}/status ", state)


def test_what_the_checklist_changes_is_written_by_init() -> None:
    assert "agent: 14" in (STARTER / "first.yaml").read_text(encoding="utf-8")
    workflows = set(re.findall(r"phone-plans[a-z-]*\.yml", PAGE))
    assert workflows <= {f"{name}.yml" for name in WORKFLOWS}

"""Jobs of a CI system on one repository: each is a fresh clone with the environment of its event."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from repositories import commit, git

REF = "refs/planner/results-sandbox"


@dataclass
class Jobs:
    """`folder` holds the shared repository `shared.git`, its maintainer's clone `work`, and the clones of jobs."""

    folder: Path
    project: Any
    """`Project` of tests/commands/conftest.py, whose root becomes the clone of each job."""
    monkeypatch: pytest.MonkeyPatch
    made: int = field(default=0, init=False)

    @property
    def remote(self) -> Path:
        return self.folder / "shared.git"

    @property
    def work(self) -> Path:
        return self.folder / "work"

    def begin(self, **files: str) -> None:
        """Make the repository. `plans__hours` is the file plans/hours.yaml."""
        git(self.folder, "init", "-q", "-b", "main", str(self.work))
        git(self.work, "commit", "-q", "--allow-empty", "-m", "begin")
        self.edit(**files)
        git(self.folder, "clone", "-q", "--bare", str(self.work), str(self.remote))

    def begin_as(self, kept: Path, make: Callable[[Jobs], None]) -> None:
        """Make a repository as `make` does, or copy the one that it has made before in this folder."""
        if kept.is_dir():
            for name in ("work", "shared.git"):
                shutil.copytree(kept / name, self.folder / name)
            self.made = 100
            return
        make(self)
        for name in ("work", "shared.git"):
            shutil.copytree(self.folder / name, kept / name)

    def edit(self, **files: str) -> str:
        """Commit files on the maintainer's current branch; push it, if there is somewhere to push to."""
        for name, text in files.items():
            path = self.work / f"{name.replace('__', '/')}.yaml"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        made = commit(self.work)
        if self.remote.exists():
            git(self.work, "push", "-q", "--force", f"file://{self.remote}", "HEAD")
        return made

    def branch(self, name: str, start: str = "main") -> None:
        """Let the maintainer work on a branch, which is made if it does not exist."""
        known = git(self.work, "branch", "--list", name)
        git(self.work, "checkout", "-q", *([name] if known else ["-b", name, start]))

    def start(
        self, number: int | None = None, *, event: str = "", branch: str = "main", into: str = "main", **payload: Any
    ) -> Any:
        """Start a job of a pull request into the branch `into`, or of the default branch if `number` is None. `branch` is checked
        out. A pull request of `main` itself has all its plans: it branched off before them."""
        self.made += 1
        root = self.folder / f"clone{self.made}"
        git(self.folder, "clone", "-q", "--branch", branch, f"file://{self.remote}", str(root))
        self.project.root = root
        self.monkeypatch.chdir(root)
        self.monkeypatch.setenv("XDG_CACHE_HOME", str(self.folder / f"cache{self.made}"))
        own_code = number is not None and event == "pull_request"
        workflow_ref = f"refs/pull/{number}/merge" if own_code else "refs/heads/main"
        payload = {"repository": {"default_branch": "main"}} | payload
        ref, base = "refs/heads/main", git(root, "rev-parse", "origin/main")
        event = event or ("push" if number is None else "pull_request_target")
        if event == "merge_group":
            payload["merge_group"] = {"base_sha": base, "base_ref": f"refs/heads/{into}"}
            ref = f"refs/heads/gh-readonly-queue/main/pr-{number}-{'a' * 40}"
        elif event == "workflow_dispatch":
            payload["inputs"] = {"pull-request": str(number)} | payload.get("inputs", {})
            self.monkeypatch.setenv("PLANNER_BASE_BRANCH", into)
        elif number is not None:
            head = git(root, "rev-parse", "HEAD")
            payload["pull_request"] = {"number": number, "base": {"sha": base, "ref": into}, "head": {"sha": head}}
        if number is not None and branch == "main":
            first = git(root, "rev-list", "--max-parents=0", "HEAD")
            git(root, "update-ref", "refs/planner/merge-base", first)
        file = self.folder / f"event{self.made}.json"
        file.write_text(json.dumps(payload))
        for name, value in {
            "GITHUB_EVENT_PATH": str(file),
            "GITHUB_EVENT_NAME": event,
            "GITHUB_WORKFLOW_REF": f"acme/plans/.github/workflows/plans.yml@{workflow_ref}",
            "GITHUB_REF": ref,
            "GITHUB_REF_NAME": ref.removeprefix("refs/heads/"),
        }.items():
            self.monkeypatch.setenv(name, value)
        return self.project

    def start_on(self, branch: str) -> Any:
        """Start a job of a branch that is not the default branch; `main` is checked out."""
        started = self.start()
        self.monkeypatch.setenv("GITHUB_ACTIONS", "true")
        self.monkeypatch.setenv("GITHUB_REF", f"refs/heads/{branch}")
        self.monkeypatch.setenv("GITHUB_REF_NAME", branch)
        return started

    def stored(self, folder: str = "", ref: str = REF) -> list[str]:
        listed = git(self.remote, "ls-tree", "-r", "--name-only", ref).splitlines()
        return [name for name in listed if name.startswith(folder)]

    def read(self, name: str, ref: str = REF) -> Any:
        return json.loads(git(self.remote, "cat-file", "blob", f"{ref}:{name}"))

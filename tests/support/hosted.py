"""A repository on a fake GitHub: its pull requests, and the jobs that the shipped workflows start for them, in this process.

`tests/workflows/` runs the workflows themselves. Here is only what their steps ask of planner, so that many situations are
quick. Calls reach a served sandbox, whose ledger says what was paid for.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import forked
import pytest
from fake_github import FakeGitHub
from patience import wait_for
from repositories import commit, git
from ruamel.yaml import YAML

KEY = "sk_test_hosted"
COMMAND = re.compile(r"^/planner run .*$", re.MULTILINE)
_SERVER = "https://github.test"


@dataclass
class Pull:
    """A pull request. `before` is its head as its newest job saw it."""

    number: int
    branch: str
    into: str
    is_fork: bool = False


@dataclass
class Project:
    """One of the projects in the repository: its folder, and the name that separates it from others."""

    folder: str = "."
    name: str = "default"

    @property
    def context(self) -> str:
        return "phone-plans" if self.name == "default" else f"phone-plans/{self.name}"


@dataclass
class Hosted:
    """`program` is `Project` of tests/commands/conftest.py, `service` its `Served`."""

    folder: Path
    program: Any
    service: Any
    fake: FakeGitHub
    monkeypatch: pytest.MonkeyPatch
    is_public: bool
    default: str = "main"
    pulls: dict[int, Pull] = field(default_factory=dict[int, Pull])
    may_be_paid_again: Counter[str] = field(default_factory=Counter[str])
    """How often each prompt may be called more than its plan says, because somebody asked for it."""
    made: int = 0
    newest_event: str = ""
    """What the newest job was started by."""
    _before: Counter[str] = field(default_factory=Counter[str])
    """Calls at the service that others made."""
    _plans: dict[str, dict[str, Counter[str]]] = field(default_factory=dict[str, dict[str, Counter[str]]])

    # What people do

    @property
    def work(self) -> Path:
        return self.folder / "work"

    @property
    def remote(self) -> Path:
        return self.folder / "hosted.git"

    def begin(
        self, files: Mapping[str, str], projects: tuple[Project, ...] = (Project(),), *, records: bool = True
    ) -> None:
        """Adopt planner on the default branch: the merge starts the first job, which `records` prices."""
        self._before = self.calls()
        self._create()
        git(self.work, "checkout", "-q", self.default)
        public = "store_public: true\n" if self.is_public else ""
        for project in projects:
            named = f"name: {project.name}\n" if project.name != "default" else ""
            path = f"{project.folder}/planner.yaml".removeprefix("./")
            self._write({path: f"store: git:refs/planner/results\nexecution: {{linger_seconds: 0}}\n{public}{named}"})
        self.push(self.default, files)
        for project in projects if records else ():
            self.record(project)

    def adopt(self) -> None:
        """As docs/pull-requests.md says, in an empty repository: one command, then a merge."""
        self._before = self.calls()
        self._create()
        git(self.work, "remote", "add", "origin", f"file://{self.remote}")
        with self.monkeypatch.context() as patch:
            patch.chdir(self.work)
            assert self.run("init", "--github", "--pin", f"acme/phone-test-planner@{'a' * 40}") == 0, self.last.err
        self.push(self.default, {})
        self.record()

    def before_adoption(self, branch: str, files: Mapping[str, str]) -> None:
        """Push a branch when there are no plans yet."""
        self._create()
        self.push(branch, files)

    def _create(self) -> None:
        if self.work.exists():
            return
        self._create_empty()
        git(self.folder, "init", "-q", "-b", "main", str(self.work))
        git(self.work, "commit", "-q", "--allow-empty", "-m", "begin")
        git(self.folder, "clone", "-q", "--bare", str(self.work), str(self.remote))
        self.fake.repository = self.remote

    @property
    def _empty(self) -> Path:
        """What a job begins with."""
        return self.folder / "empty"

    def _create_empty(self) -> None:
        git(self.folder, "init", "-q", str(self._empty))
        git(self._empty, "remote", "add", "origin", f"file://{self.remote}")

    def _write(self, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            path = self.work / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")

    def push(self, branch: str, files: Mapping[str, str], start: str = "") -> str:
        """Commit these files on a branch, which begins at `start` or the default branch, and push it."""
        known = git(self.work, "branch", "--list", branch)
        git(self.work, "checkout", "-q", *([branch] if known else ["-b", branch, start or self.default]))
        self._write(files)
        made = commit(self.work)
        self.publish_branch(branch)
        return made

    def publish_branch(self, branch: str) -> None:
        """Push a branch as it is. That of a fork is only in refs/pull."""
        pulls = [pull for pull in self.pulls.values() if pull.branch == branch]
        refs = [f"{branch}:refs/pull/{pull.number}/head" for pull in pulls]
        if not any(pull.is_fork for pull in pulls):
            refs.append(branch)
        git(self.work, "push", "-q", "--force", f"file://{self.remote}", *refs)

    def open(self, branch: str, *, number: int = 7, into: str = "", is_fork: bool = False) -> None:
        pull = self.pulls[number] = Pull(number, branch, into or self.default, is_fork)
        self.fake.pulls[number] = {"number": number, "state": "open", "base": {"ref": pull.into}}
        self.publish_branch(branch)
        if is_fork:
            git(self.remote, "update-ref", "-d", f"refs/heads/{branch}")

    def rename_default(self, name: str) -> None:
        """As GitHub does: pull requests into it follow."""
        old, self.default = self.default, name
        for repository in (self.work, self.remote):
            git(repository, "branch", "-m", old, name)
        for pull in self.pulls.values():
            if pull.into == old:
                pull.into = name
                self.fake.pulls[pull.number]["base"] = {"ref": name}

    def merge(self, how: str, number: int = 7) -> None:
        """Merge as GitHub's buttons do; the push starts the job of the default branch, if it is that."""
        pull = self.pulls[number]
        git(self.work, "checkout", "-q", pull.into)
        title = f"Change the plans (#{number})"
        match how:
            case "squash":
                git(self.work, "merge", "-q", "--squash", pull.branch)
                git(self.work, "commit", "-q", "-m", title)
            case "merge":
                git(self.work, "merge", "-q", "--no-ff", "-m", f"Merge pull request #{number} from acme/x", pull.branch)
            case "rebase":
                git(self.work, "cherry-pick", "--allow-empty", f"{pull.into}..{pull.branch}")
            case _:
                raise AssertionError(how)
        self.publish_branch(pull.into)
        self.fake.pulls[number] |= {"state": "closed", "merged_at": "2026-11-28T07:00:00Z"}
        self.pulls.pop(number)

    # Jobs

    def plan(self, number: int = 7, project: Project | None = None) -> str:
        """The workflow `plan.yml`: both jobs. Returns the state of the head's status."""
        file = self.prepare(number, project)
        return self.publish(file, number, project)

    def prepare(self, number: int = 7, project: Project | None = None) -> Path:
        """Its first job; returns the file for the second one."""
        project = project or Project()
        pull = self.pulls[number]
        with self._job("pull_request_target", self._payload(pull), project, token="reader", of=pull) as (root, base):
            file = root.parent / "phone-plans.json"
            self.run("ci", "gate", "--base", base, "--name", project.name, "--publication", str(file))
        return file

    def publish(self, file: Path, number: int = 7, project: Project | None = None, head: str = "") -> str:
        project = project or Project()
        pull = self.pulls[number]
        head = head or self.head(pull)
        with self._job("pull_request_target", self._payload(pull), project, token="writer", is_empty=True):
            words = ("--commit", head, "--name", project.name, "--pull-request", str(number))
            self.run("ci", "publish", str(file), *words)
        return self.status(number, project)["state"]

    def queue(self, number: int = 7, project: Project | None = None, *, after: Sequence[int] = ()) -> str:
        """The workflow `plan.yml` for a merge group of this pull request, queued `after` others."""
        project = project or Project()
        pull = self.pulls[number]
        git(self.work, "checkout", "-q", "-B", "queue", pull.into)
        for each in (*after, number):
            subject = f"Merge pull request #{each} from acme/x"
            git(self.work, "merge", "-q", "--no-ff", "-m", subject, self.pulls[each].branch)
        self.publish_branch("queue")
        head, base = self._tip("queue"), self._tip(pull.into)
        group = {"head_sha": head, "base_sha": base, "base_ref": f"refs/heads/{pull.into}"}
        ref = f"refs/heads/gh-readonly-queue/{pull.into}/pr-{number}-{base}"
        payload = {"merge_group": group}
        with self._job("merge_group", payload, project, token="reader", head=head, base=base, ref=ref) as (root, _):
            file = root.parent / "phone-plans.json"
            self.run("ci", "gate", "--base", base, "--name", project.name, "--publication", str(file))
            self.run("ci", "publish", str(file), "--commit", head, "--name", project.name, token="writer")
        return self._last_status(head, pull, project)["state"]

    def agree(
        self,
        number: int = 7,
        command: str = "",
        *,
        project: Project | None = None,
        by_form: bool = False,
        during: Callable[[], object] | None = None,
        kill: int = 0,
        until: str = "publish",
        author: str = "maria",
    ) -> int | None:
        """The workflow `call.yml`, started by the command of the comment; returns the exit code of the calls.

        `during` happens when they have ended. `kill` is a signal that they get once the first call is launched. The job ends after
        the step `until`: "run" or "publish".
        """
        project = project or Project()
        pull = self.pulls[number]
        command = command or self.command(number, project)
        event, payload, typed = self._asked(number, command, author, by_form)
        with self._job(event, payload, project, token="writer", of=pull, key=KEY) as (root, base):
            reports = root.parent / "reports"
            words = ["ci", "run", "--consent-to-charge", "--base", base, "--report-dir", str(reports), *typed]
            words += ["--name", project.name]
            with self.monkeypatch.context() as patch:
                patch.setenv("PLANNER_BASE_BRANCH", pull.into)
                code = self._killed(kill, *words) if kill else self.run(*words)
                if during is not None:
                    during()
                if until == "run":
                    return code
                self._checkout(root, pull, keep=True)
                file = root.parent / "phone-plans.json"
                results = ("--results", str(reports / "results.json"))
                self.run(
                    "ci",
                    "gate",
                    "--base",
                    self._tip(pull.into),
                    "--name",
                    project.name,
                    "--publication",
                    str(file),
                    *results,
                )
                head = git(root, "rev-parse", "HEAD")
                words = ["--commit", head, "--name", project.name, "--pull-request", str(number)]
                self.run("ci", "publish", str(file), *words)
        return code

    def record(self, project: Project | None = None) -> None:
        """The workflow `main.yml` after a push to the default branch."""
        with self._job("push", {}, project or Project(), token="writer", key=KEY):
            for words in (("promote",), ("record", "--issue", "--name", (project or Project()).name)):
                assert self.run("ci", *words) == 0, self.last.err

    def of_default_branch(self, project: Project | None = None) -> int:
        """Make the calls that the issue of the default branch lists."""
        project = project or Project()
        marker = f"<!-- phone-plans:{project.name} -->"
        (body,) = [issue["body"] for issue in self.fake.issues if issue["body"].startswith(marker)]
        found = re.search(r"-f digest=(\S+) -f max-cost=(\S+)", body)
        assert found is not None, body
        with self._job("workflow_dispatch", {"inputs": {}}, project, token="writer", key=KEY):
            code = self.run("ci", "run", "--consent-to-charge", "--digest", found[1], "--max-cost", found[2])
            self.run("ci", "record", "--issue", "--name", project.name)
        return code

    def deploy(self, target: str) -> int:
        """`planner agent deploy`, on the default branch."""
        with self._job("workflow_dispatch", {"inputs": {"target": target}}, Project(), token="writer", key=KEY):
            return self.run("agent", "deploy", target, "--yes")

    def pull_agent(self, target: str, plan: str, old: str, new: str) -> None:
        """Let the default branch have the agent as a file, which the plan names."""
        with self._job("workflow_dispatch", {"inputs": {}}, Project(), token="writer", key=KEY) as (root, _):
            assert self.run("agent", "pull", target) == 0, self.last.err
            agent = (root / f"agents/{target}.yaml").read_text(encoding="utf-8")
        git(self.work, "checkout", "-q", self.default)
        text = (self.work / plan).read_text(encoding="utf-8")
        assert old in text
        self.push(self.default, {f"agents/{target}.yaml": agent, plan: text.replace(old, new)})
        self.record()

    def edited_agent(self, file: str) -> str:
        """The text of an agent's file with another prompt."""
        edited = re.sub(r"(?m)^  (\S)", r"  Be brief. \1", (self.work / file).read_text(encoding="utf-8"), count=1)
        assert "Be brief." in edited
        return edited

    def _asked(self, number: int, command: str, author: str, by_form: bool) -> tuple[str, dict[str, Any], list[str]]:
        """The event of a comment or form with this command, its payload, and the options that the form types."""
        if not by_form:
            comment = self.fake.add_comment(number, command, author)
            issue = {"number": number, "pull_request": {"url": "x"}}
            return "issue_comment", {"issue": issue, "comment": dict(comment)}, []
        found = re.search(r"(sha256:\S+) up to (\S+)(?: start over: (.*))?", command)
        assert found is not None
        start_over = ["--start-over", found[3]] if found[3] else []
        payload = {"inputs": {"pull-request": str(number)}}
        return "workflow_dispatch", payload, ["--digest", found[1], "--max-cost", found[2], *start_over]

    def _payload(self, pull: Pull) -> dict[str, Any]:
        base = self._tip(pull.into)
        head = {"sha": self.head(pull), "ref": pull.branch, "repo": {"id": 2 if pull.is_fork else 1}}
        sides = {"head": head, "base": {"sha": base, "ref": pull.into, "repo": {"id": 1}}}
        self.fake.pulls[pull.number] |= sides
        return {"pull_request": {"number": pull.number, **sides}}

    @contextmanager
    def _job(
        self,
        event: str,
        payload: dict[str, Any],
        project: Project,
        *,
        token: str,
        key: str = "",
        of: Pull | None = None,
        head: str = "",
        base: str = "",
        ref: str = "",
        is_empty: bool = False,
    ) -> Generator[tuple[Path, str]]:
        """A machine of its own, with a clone unless it `is_empty`; yields its folder and the base commit."""
        self.made += 1
        self.newest_event = event
        root = self.folder / f"job{self.made}" / "work"
        shutil.copytree(self._empty, root)
        if of is not None:
            self._payload(of)
            base = self._checkout(root, of)
        elif not is_empty:
            git(root, "fetch", "-q", "origin", "+refs/heads/*:refs/remotes/origin/*")
            git(root, "checkout", "-q", "--detach", head or f"refs/remotes/origin/{self.default}")
        ref = ref or f"refs/heads/{self.default}"
        payload = {"repository": {"default_branch": self.default, "private": not self.is_public}} | payload
        file = root.parent / "event.json"
        file.write_text(json.dumps(payload), encoding="utf-8")
        with self.monkeypatch.context() as patch:
            patch.chdir(root if is_empty else root / project.folder)
            patch.setenv("XDG_CACHE_HOME", str(root.parent / "cache"))
            patch.setenv("THUNDERPHONE_API_BASE_URL", self.service.url)
            patch.setenv("THUNDERPHONE_API_KEY", key)
            for name, value in {
                "ACTIONS": "true",
                "ACTOR": "pusher",
                "TRIGGERING_ACTOR": "maria",
                "API_URL": self.fake.url,
                "EVENT_NAME": event,
                "EVENT_PATH": str(file),
                "REF": ref,
                "REF_NAME": ref.removeprefix("refs/heads/"),
                "REPOSITORY": "acme/plans",
                "RUN_ID": str(self.made),
                "SERVER_URL": _SERVER,
                "TOKEN": token,
                "WORKFLOW_REF": f"acme/plans/.github/workflows/phone-plans.yml@{ref}",
                "WORKSPACE": str(root),
            }.items():
                patch.setenv(f"GITHUB_{name}", value)
            yield root, base

    def _checkout(self, root: Path, pull: Pull, *, keep: bool = False) -> str:
        """What `checkout/action.yml` does; returns the base commit."""
        git(root, "fetch", "-q", "origin", "+refs/heads/*:refs/remotes/origin/*", "+refs/pull/*:refs/pull/*")
        head, base = self.head(pull), self._tip(pull.into)
        git(root, "checkout", "-q", *(["--force"] if keep else []), "--detach", head)
        git(root, "update-ref", "refs/planner/merge-base", git(root, "merge-base", base, head))
        return base

    def run(self, *words: str, token: str = "") -> int:
        with self.monkeypatch.context() as patch:
            if token:
                patch.setenv("GITHUB_TOKEN", token)
            self.last = self.program.planner(*words)
        return self.last.code

    def _killed(self, number: int, *words: str) -> int:
        """In a process of its own, which gets this signal after its first launch."""
        before = len(self.service.own_runs())
        started = forked.planner(*words, cwd=Path.cwd())
        wait_for(lambda: len(self.service.own_runs()) > before)
        assert started.process.pid is not None
        os.kill(started.process.pid, number)
        started.process.join()
        started.output.close()
        assert started.process.exitcode is not None
        return started.process.exitcode

    # What people see

    def head(self, pull: Pull) -> str:
        return (self.remote / f"refs/pull/{pull.number}/head").read_text().strip()

    def _tip(self, branch: str) -> str:
        """Of a branch as it was pushed, which `git clone` has packed if it was never pushed again."""
        path = self.remote / "refs/heads" / branch
        return path.read_text().strip() if path.exists() else git(self.remote, "rev-parse", branch)

    def _last_status(self, commit_id: str, pull: Pull, project: Project) -> dict[str, Any]:
        context = project.context if pull.into == self.default else f"{project.context} ({pull.into})"
        found = [status for status in self.fake.statuses if status["sha"] == commit_id and status["context"] == context]
        assert found, self.last.err
        return found[-1]

    def status(self, number: int = 7, project: Project | None = None) -> dict[str, Any]:
        pull = self.pulls[number]
        return self._last_status(self.head(pull), pull, project or Project())

    def comment(self, number: int = 7, project: Project | None = None) -> str:
        """The comment's text; "" if there is none. There is never a second one."""
        marker = f"<!-- phone-plans:{(project or Project()).name} -->"
        made = [each["body"] for each in self.fake.comments.get(number, []) if each["body"].startswith(marker)]
        assert len(made) <= 1
        return made[0] if made else ""

    def reply(self, number: int = 7) -> str:
        """The newest reply, which mentions who agreed."""
        return [each["body"] for each in self.fake.comments[number] if each["body"].startswith("@maria ")][-1]

    def command(self, number: int = 7, project: Project | None = None) -> str:
        found = COMMAND.search(self.comment(number, project))
        assert found is not None, self.comment(number, project)
        return found[0]

    def calls(self) -> Counter[str]:
        """How many calls of each prompt the service will bill."""
        return Counter(run["prompt"].strip() for run in self.service.own_runs()) - self._before

    def keep(self, folder: Path) -> None:
        """Copy the repository, for `begin_as`."""
        for name in ("work", "hosted.git"):
            shutil.copytree(self.folder / name, folder / name)

    def begin_as(self, kept: Path) -> None:
        """Begin with a copy, whose calls were made at the same service."""
        for name in ("work", "hosted.git"):
            shutil.copytree(kept / name, self.folder / name)
        self._create_empty()
        self.fake.repository = self.remote
        self._before = self.calls()

    # What must hold in every situation

    def check(self, number: int = 7, project: Project | None = None) -> None:
        """The state has a door, green is proven by the service's own ledger, nothing was paid for twice."""
        status = self.status(number, project)
        self._check_door(number, project)
        wanted = self._wanted(self.head(self.pulls[number]), project)
        at_base = self._wanted(self.pulls[number].into, project)
        made = self.calls()
        if status["state"] == "success":
            unproven = {prompt for prompt, runs in wanted.items() if prompt not in at_base and made[prompt] < runs}
            assert unproven == set(), status
        self.check_payments()

    def check_payments(self) -> None:
        planned = Counter[str]()
        for commit_id in git(self.work, "rev-list", "--branches").split():
            for wanted in self._plans_of(commit_id).values():
                planned |= wanted
        twice = {
            prompt: times
            for prompt, times in self.calls().items()
            if times > planned[prompt] + self.may_be_paid_again[prompt]
        }
        assert twice == {}

    def _check_door(self, number: int, project: Project | None) -> None:
        status, comment = self.status(number, project), self.comment(number, project)
        assert status["description"]
        link = status["target_url"]
        if "#issuecomment-" in link:
            assert [each for each in self.fake.comments[number] if each["html_url"] == link], link
        else:
            assert re.fullmatch(rf"{_SERVER}/acme/plans/actions/runs/\d+", link), link
        if status["state"] == "success" or "#issuecomment-" not in link:
            return
        doors = (
            COMMAND.pattern,
            r"^\[This job\]\(|^Full log: \[this job\]\(",
            r"^Fix this and push",
            r"^\*\*Fix the agent",
            r"^\*\*To continue:",
            r"Update the branch",
        )
        assert any(re.search(door, comment, re.MULTILINE) for door in doors), comment

    def _wanted(self, commit_id: str, project: Project | None) -> Counter[str]:
        """How many calls of each prompt the plans of a commit ask for."""
        if not re.fullmatch("[0-9a-f]{40}", commit_id):
            commit_id = git(self.work, "rev-parse", commit_id)
        folder = (project or Project()).folder.rstrip("/")
        return self._plans_of(commit_id).get(folder, Counter[str]())

    def _plans_of(self, commit_id: str) -> dict[str, Counter[str]]:
        """The same by the folder of each project."""
        if commit_id not in self._plans:
            wanted: dict[str, Counter[str]] = {}
            for name in git(self.work, "ls-tree", "-r", "--name-only", commit_id).splitlines():
                if found := re.fullmatch(r"(?:(.+)/)?plans/\w+\.yaml", name):
                    counts = wanted.setdefault(found[1] or ".", Counter[str]())
                    plan = YAML(typ="safe").load(git(self.work, "cat-file", "blob", f"{commit_id}:{name}"))
                    for scenario in plan.get("scenarios", {}).values():
                        if "prompt" in scenario:
                            counts[scenario["prompt"].strip()] += scenario.get("runs", 1)
            self._plans[commit_id] = wanted
        return self._plans[commit_id]

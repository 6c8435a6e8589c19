"""Runs the workflows of docs/workflows/ as GitHub does: the reusable workflows that they call, shell steps and the steps of the
actions, on a local remote and a fake API.

Only expressions that these files use are evaluated.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from typing import Any

from fake_github import FakeGitHub
from repositories import git
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[2]
ACTIONS: dict[str, dict[str, Any]] = {
    "$/.": YAML(typ="safe").load(ROOT / "action.yml"),
    "$/checkout": YAML(typ="safe").load(ROOT / "checkout/action.yml"),
}
WORKFLOWS: dict[str, dict[str, Any]] = {
    path.stem: YAML(typ="safe").load(path) for path in (ROOT / "docs/workflows").glob("*.yml")
}
"""The callers, as `planner init --github` writes them."""
REUSABLE: dict[str, dict[str, Any]] = {
    name: YAML(typ="safe").load(ROOT / f".github/workflows/{name}.yml") for name in ("plan", "call", "main")
}
_PLANNER = re.compile(r"acme/phone-test-planner/\.github/workflows/([a-z]+)\.yml@0{40}")
_LEVELS = ("none", "read", "write")
_EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")
_NAME = re.compile(r"[a-z]+(?:\.[A-Za-z_-]+)+")
GH = """\
import json, os, sys, urllib.error, urllib.request
headers = {"Authorization": "Bearer " + os.environ["GH_TOKEN"]}
request = urllib.request.Request(os.environ["GITHUB_API_URL"] + "/" + sys.argv[2], headers=headers)
try:
    found = json.load(urllib.request.urlopen(request))
except urllib.error.HTTPError as error:
    sys.exit(str(error))
if "/compare/" in sys.argv[2]:
    print(found["merge_base_commit"]["sha"])
elif "/contents/" in sys.argv[2]:
    print("\\n".join(each["name"] for each in found))
elif "/collaborators/" in sys.argv[2]:
    print(found["permission"])
else:
    values = {"head": found["head"]["sha"], "into": found["base"]["ref"]}
    print("\\n".join(f"{name}={value}" for name, value in values.items() if f"{name}=" in sys.argv[-1]))
"""


def _processor_seconds() -> float:
    """Of all child processes that have ended."""
    used = getrusage(RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@dataclass
class Context:
    """What expressions of one job can read."""

    names: dict[str, Any] = field(default_factory=dict[str, Any])
    failed: bool = False

    def value(self, expression: str) -> Any:
        found: list[Any] = []

        def store(name: re.Match[str]) -> str:
            here: Any = self.names
            for part in name[0].split("."):
                here = here.get(part) if isinstance(here, dict) else None
            found.append("" if here is None else here)
            return f"found[{len(found) - 1}]"

        pattern = re.sub(r"('[^']*')|" + _NAME.pattern, lambda part: part[1] or store(part), expression)
        python = pattern.replace("&&", " and ").replace("||", " or ").replace("!cancelled()", "True")
        python = python.replace("always()", "True")
        functions = {
            "found": found,
            "format": lambda text, *values: text.format(*values),
            "contains": lambda text, part: part.lower() in str(text).lower(),
        }
        return eval(python, {"__builtins__": {}}, functions)  # noqa: S307 - the text is this repository's

    def text(self, text: Any) -> str:
        return _EXPRESSION.sub(lambda found: str(self.value(found[1])), str(text))

    def holds(self, step: dict[str, Any]) -> bool:
        condition = str(step.get("if", "")).removeprefix("${{").removesuffix("}}").strip()
        if self.failed and "always()" not in condition and "cancelled()" not in condition:
            return False
        return not condition or bool(self.value(condition))


@dataclass
class Runner:
    """`folder` holds the remote `acme/plans` and the jobs' folders. `planner` is the program. `artifacts` are shared by the jobs of
    one event. `server` serves the remote, which is private."""

    folder: Path
    fake: FakeGitHub
    planner: Path
    server: str
    artifacts: dict[str, tuple[str, bytes]] = field(default_factory=dict[str, "tuple[str, bytes]"])
    log: list[str] = field(default_factory=list[str])
    after: dict[str, Callable[[], object]] = field(default_factory=dict[str, "Callable[[], object]"])
    """What happens once, right after the step with this id."""
    inputs: dict[str, str] = field(default_factory=dict[str, str])
    """What the callers pass on: `with` of a caller that somebody wrote."""
    needs: dict[str, Any] = field(default_factory=dict[str, Any])
    """Results and outputs of the jobs that have ended."""
    service: dict[Path, bytes] = field(default_factory=dict[Path, bytes])
    """What the sandbox and its log remember, by their paths in a work tree."""
    installs: bool = False
    """Whether each job installs planner itself, as on a new machine."""
    environ: dict[str, str] = field(default_factory=dict[str, str])
    """More variables of the machines."""
    secrets: dict[str, str] = field(default_factory=dict[str, str])
    seconds: list[tuple[str, float, float]] = field(default_factory=list[tuple[str, float, float]])
    """The names of steps, how long they took, and their processor time."""
    made: int = 0

    @property
    def remote(self) -> Path:
        return self.folder / "acme/plans"

    def begin(self, work: Path) -> None:
        """Make the remote. A job whose token is `reader` cannot push, and one without a token cannot read."""
        self.remote.parent.mkdir()
        git(self.folder, "clone", "-q", "--bare", str(work), str(self.remote))
        git(self.remote, "config", "uploadpack.allowAnySHA1InWant", "true")
        self.fake.repository = self.remote
        programs = self.folder / "bin"
        programs.mkdir()
        (programs / "gh").write_text(f"#!{sys.executable} -IS\n{GH}")
        (programs / "gh").chmod(0o755)

    def start(self, workflow: str, event: str, payload: dict[str, Any], **more: str) -> dict[str, bool]:
        """Run the jobs of a workflow that an event starts, in order; return which ones ran and whether they succeeded. A job whose
        `needs` failed or was skipped is decided by its own condition."""
        self.artifacts.clear()
        self.needs = {}
        (caller,) = WORKFLOWS[workflow]["jobs"].values()
        found = _PLANNER.fullmatch(caller["uses"])
        assert found is not None
        jobs = REUSABLE[found[1]]["jobs"]
        ended = {name: self.job(workflow, name, event, payload, **more) for name in jobs}
        return {name: done for name, done in ended.items() if done is not None}

    def job(self, workflow: str, name: str, event: str, payload: dict[str, Any], **more: str) -> bool | None:
        """Run a job of the reusable workflow that this one calls; return whether it succeeded, None if it was skipped."""
        self.made += 1
        temporary, work = self.folder / f"job{self.made}/temp", self.folder / f"job{self.made}/work"
        installed = temporary / "phone-test-planner/bin/planner"
        for folder in (work, temporary):
            folder.mkdir(parents=True)
        if not self.installs:
            installed.parent.mkdir(parents=True)
            installed.symlink_to(self.planner)
        (caller,) = WORKFLOWS[workflow]["jobs"].values()
        called = _PLANNER.fullmatch(caller["uses"])
        assert called is not None
        document = REUSABLE[called[1]]
        job = document["jobs"][name]
        for permission, level in job[
            "permissions"
        ].items():  # GitHub starts no job that asks for more than its caller has
            assert _LEVELS.index(level) <= _LEVELS.index(caller["permissions"].get(permission, "none"))
        token = "writer" if "write" in job["permissions"].values() else "reader"
        payload = {"repository": {"default_branch": "main"}} | payload
        file = temporary / "event.json"
        file.write_text(json.dumps(payload))
        ref = more.pop("ref", "refs/heads/main")
        names: dict[str, Any] = {
            "github": {"event": payload, "event_name": event, "token": token, "ref": ref, "repository": "acme/plans"},
            "runner": {"temp": str(temporary)},
            "secrets": {name: self.secrets.get(name, "") for name in caller.get("secrets", {})},
            "steps": {},
            "needs": self.needs,
        }
        context = Context(names)
        if "if" in caller and not context.value(caller["if"]):
            return None
        asked = document["on"]["workflow_call"].get("inputs", {})
        given = caller.get("with", {}) | self.inputs
        assert given.keys() <= asked.keys()
        names["inputs"] = {name: given.get(name, spec.get("default", "")) for name, spec in asked.items()}
        names["env"] = {name: context.text(value) for name, value in document.get("env", {}).items()}
        environ = {
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "HOME": str(temporary),
            "PYTHONPATH": str(ROOT),
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_ACTION_PATH": str(ROOT),
            "GITHUB_ACTOR": "ana",
            "GITHUB_TRIGGERING_ACTOR": "maria",
            "GITHUB_API_URL": self.fake.url,
            "GITHUB_EVENT_NAME": event,
            "GITHUB_EVENT_PATH": str(file),
            "GITHUB_REF": ref,
            "GITHUB_REF_NAME": ref.removeprefix("refs/heads/"),
            "GITHUB_REPOSITORY": "acme/plans",
            "GITHUB_RUN_ID": "77",
            "GITHUB_SERVER_URL": self.server,
            "GITHUB_STEP_SUMMARY": str(temporary / "summary.md"),
            "GITHUB_WORKFLOW_REF": f"acme/plans/.github/workflows/{workflow}.yml@{ref}",
            "GITHUB_WORKSPACE": str(work),
            "RUNNER_TEMP": str(temporary),
            **names["env"],
            **self.environ,
        }
        if "if" in job and not context.holds(job):
            self.needs[name] = {"result": "skipped", "outputs": {}}
            return None
        for step in job["steps"]:
            if context.holds(step):
                self._step(step, context, environ, work)
            elif "id" in step:
                names["steps"][step["id"]] = {"outputs": {}, "outcome": "skipped"}
            if during := self.after.pop(str(step.get("id")), None):
                during()
        outputs = {output: context.text(value) for output, value in job.get("outputs", {}).items()}
        self.needs[name] = {"result": "failure" if context.failed else "success", "outputs": outputs}
        return not context.failed

    def _step(self, step: dict[str, Any], context: Context, environ: dict[str, str], work: Path) -> None:
        given = {name: context.text(value) for name, value in step.get("with", {}).items()}
        uses = step.get("uses", "run").partition("@")[0]
        outputs: dict[str, str] = {}
        done = True
        match uses:
            case "run":
                done = self._script(step, context, environ, work, outputs)
            case "actions/upload-artifact":
                path = work / given["path"]
                if path.is_file():
                    self.artifacts[given["name"]] = (path.name, path.read_bytes())
            case "actions/download-artifact":
                done = given["name"] in self.artifacts
                if done:
                    name, content = self.artifacts[given["name"]]
                    Path(given["path"], name).write_bytes(content)
            case _:
                own = {name: context.text(value) for name, value in step.get("env", {}).items()}
                done = self._action(ACTIONS[uses], given, context, environ | own, work, outputs)
        context.failed |= not done and not step.get("continue-on-error", False)
        context.names["steps"][step.get("id", "")] = {"outputs": outputs, "outcome": "success" if done else "failure"}

    def _action(
        self,
        action: dict[str, Any],
        given: dict[str, str],
        outer: Context,
        environ: dict[str, str],
        work: Path,
        outputs: dict[str, str],
    ) -> bool:
        defaults = {name: outer.text(spec.get("default", "")) for name, spec in action["inputs"].items()}
        assert given.keys() <= defaults.keys()
        context = Context({**outer.names, "inputs": defaults | {"sandbox": "true"} | given, "steps": {}})
        for step in action["runs"]["steps"]:
            is_here = "uses" not in step and (self.installs or step["id"] != "install")
            if is_here and context.holds(step):
                own: dict[str, str] = {}
                self._restore_service(work)
                done = self._script(step, context, environ, work, own)
                self._keep_service(work)
                context.failed |= not done
                context.names["steps"][step["id"]] = {"outputs": own, "outcome": "success" if done else "failure"}
        outputs |= {name: context.text(spec["value"]) for name, spec in action["outputs"].items()}
        return not context.failed

    def _restore_service(self, work: Path) -> None:
        """The embedded sandbox and its log remember calls on one machine; a real service and a store's log do on all
        of them."""
        for path, content in self.service.items():
            (work / path).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            (work / path).write_bytes(content)

    def _keep_service(self, work: Path) -> None:
        for name in ("service.jsonl", "log.db"):
            for path in work.glob(f".planner/**/{name}"):
                self.service[path.relative_to(work)] = path.read_bytes()

    def _script(
        self, step: dict[str, Any], context: Context, environ: dict[str, str], work: Path, outputs: dict[str, str]
    ) -> bool:
        file = work.parent / "outputs"
        file.write_text("")
        own = {name: context.text(value) for name, value in step.get("env", {}).items()}
        begun, before = time.monotonic(), _processor_seconds()
        ran = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", context.text(step["run"])],
            cwd=work / context.text(step.get("working-directory", ".")),
            env={**environ, **own, "GITHUB_OUTPUT": str(file)},
            capture_output=True,
            text=True,
            check=False,
        )
        self.seconds.append((step["name"], time.monotonic() - begun, _processor_seconds() - before))
        self.log.append(f"{step['name']}: {ran.returncode}\n{ran.stdout}{ran.stderr}")
        outputs |= dict(re.findall(r"^([a-z-]+)=(.*)$", file.read_text(), re.MULTILINE))
        return ran.returncode == 0

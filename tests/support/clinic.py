"""An organization whose plan has a file for its agent, so that calls reach previews; its requests are recorded, and may get
no answer."""

from __future__ import annotations

import io
import json
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mortality import Life
from repositories import commit, git
from whole_runs import Organization

from planner.commands.agents import previews
from planner.commands.offline import judge_offline
from planner.workspace.selection import Selection

PLAN = """\
version: 1
plan: hours
targets: {clinic: {agent: 12, config: ../agents/clinic.yaml}}
scenarios:
  hours:
    prompt: "You are Ana. Ask when you are open on Saturday."
    runs: 2
    expect: [{check: says, any_of: [Saturday]}]
"""
PROJECT = "version: 1\nexecution: {settle_seconds: 120, linger_seconds: 200}\n"
FILE = "prompt: You are Iris of Larkfield Clinic. Be brief.\ntimezone: Europe/Berlin\n"

Fail = Callable[[int, str], str]
"""(number of the request, request) → "before" or "after": where its connection breaks; a status such as "429": how it is
refused; or ""."""


@dataclass
class Clinic(Organization):
    """An organization whose requests are recorded, and may get no answer."""

    requests: list[str] = field(default_factory=list[str])
    fail: Fail = lambda *_: ""
    code: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.write("plans/hours.yaml", PLAN)
        self.write("planner.yaml", PROJECT)
        self.write("agents/clinic.yaml", FILE)

    def _app(self, life: Life) -> Any:
        real = super()._app(life)

        async def app(scope: Any, receive: Any, send: Any) -> None:
            request = f"{scope['method']} {scope['path']}"
            self.requests.append(request)
            where = self.fail(len(self.requests), request)
            if where == "before":
                raise ConnectionResetError("the request was lost")
            if where.isdigit():
                await send({"type": "http.response.start", "status": int(where), "headers": []})
                await send({"type": "http.response.body", "body": b"{}"})
                return
            if where == "after":
                await real(scope, receive, _unheard)
                raise ConnectionResetError("the answer was lost")
            await real(scope, receive, send)

        return app

    def previews(self, **options: Any) -> list[dict[str, Any]]:
        """What `planner agent previews --format json` prints."""
        out = io.StringIO()
        with self._outside(Life()):
            shell = self._shell(out, io.StringIO())
            wanted: dict[str, Any] = {"delete": False, "older_than": None} | options
            self.code = previews(shell, Selection(sandbox=True), output_format="json", **wanted)
        documents: list[dict[str, Any]] = json.loads(out.getvalue())["previews"]
        return documents

    def recheck(self) -> int:
        """The exit code. Raises `UsageError` if nothing can be rechecked."""
        with self._outside(Life()):
            return judge_offline(
                self._shell(io.StringIO(), io.StringIO()), Selection(sandbox=True), report_dir=Path("reports")
            )

    # What must hold

    def check(self) -> None:
        """No copy is left, each call was made once and on a copy, and no write reached another agent."""
        assert self.sandbox.agents.ids == [12, 14, 17]
        runs = [run for run in self.sandbox.state.runs if run.requested_by_id == 1]
        assert Counter(run.prompt for run in runs if not run.error_message) == {
            "You are Ana. Ask when you are open on Saturday.": 2
        }
        assert 12 not in {run.target_id for run in runs}
        assert {run.snapshot.prompt for run in runs if run.snapshot} == {"You are Iris of Larkfield Clinic. Be brief."}
        self.check_writes()

    def check_writes(self) -> None:
        written = [request for request in self.requests if not request.startswith("GET ") and "/agents/" in request]
        ours = {agent_id for agent_id in self.sandbox.state.agents if agent_id not in (12, 14, 17)}
        for request in written:
            agent_id = int(request.split("/")[3])
            assert agent_id in ours or request == "POST /v1/agents/12/duplicate", request
        assert self.sandbox.agents.snapshot(12).prompt != FILE

    def finish(self) -> Any:
        """Run until nothing is left to do."""
        for _ in range(4):
            ran = self.run()
            if ran.code == 0:
                return ran
            assert ran.code == 4, ran.err
            self.seconds += 700
        raise AssertionError("it never ends")


async def _unheard(message: Any) -> None:
    del message


def make_clinic(folder: Path, **options: Any) -> Clinic:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ".git").mkdir(exist_ok=True)
    return Clinic(folder, **options)


def refuse(route: str, status: int, message: str = "No.", **fields: Any) -> dict[str, Any]:
    return {"kind": "error_before", "route": route, "status": status, "message": message, "times": 1, **fields}


def two_machines(folder: Path) -> tuple[Clinic, Clinic]:
    """Two clones of one repository, whose results are in a git ref of it."""
    project = PROJECT + "store: git:refs/planner/results\n"
    first = make_clinic(folder / "first")
    first.write("planner.yaml", project)
    shutil.rmtree(first.root / ".git")
    git(first.root, "init", "-q", "-b", "main")
    commit(first.root)
    git(folder, "clone", "-q", "--bare", str(first.root), str(folder / "shared.git"))
    git(first.root, "remote", "add", "origin", str(folder / "shared.git"))
    git(folder, "clone", "-q", str(folder / "shared.git"), str(folder / "second"))
    second = Clinic(folder / "second")
    second.write("planner.yaml", project)
    vars(second)["_ids"] = 1000  # ids of two machines never agree
    second.sandbox = first.sandbox
    vars(first.sandbox)["_clock"] = lambda: max(first.now(), second.now()).timestamp()
    return first, second

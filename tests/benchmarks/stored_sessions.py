"""How `plan` and `run` depend on the number of stored sessions: the demo's 96 cases, called in full by each session.

    uv run python tests/benchmarks/stored_sessions.py [folder|git|bucket [SESSIONS [REPETITIONS]]]

Prints the CPU and wall seconds of `planner plan --sandbox` with one stored session and with SESSIONS, medians of REPETITIONS in turns:
unchanged, with every prompt edited, and (`cold`) the first time, before any session said which older calls are not needed. Then those
of a new session that calls everything again, the bytes that it writes to a shared store (pushes to git), and `plan` on a machine that
has read nothing. Last, the size of the shared store, packed, before and after `keep` dropped what no result needs.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path
from statistics import median
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))
from buckets import BucketServer, bucket_server  # noqa: E402 - beside the tests

from planner.stores.git_ref import path_of  # noqa: E402

PLANNER = (sys.executable, "-m", "planner")
FOLDERS = ("calls", "configurations", "evidence", "runs", "sessions")
REF = "refs/planner/results-sandbox"


class Cost(NamedTuple):
    """CPU and wall seconds."""

    cpu: float
    wall: float


class Place(NamedTuple):
    """A clone of the project, the address of its store, how many bytes the shared store has, and how many were ever
    sent to it."""

    project: Path
    store: str
    size: Callable[[], int]
    sent: Callable[[], int]

    def planner(self, *arguments: str) -> Cost:
        return run(*PLANNER, *arguments, "--sandbox", "--store", self.store, cwd=self.project)


def run(*command: str, cwd: Path) -> Cost:
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run(command, cwd=cwd, check=True, capture_output=True, env=environ)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(cpu, time.monotonic() - began)


@cache
def evidence_of(store: Path, digest: str) -> bytes:
    return (store / f"evidence/{digest[:2]}/{digest}.json").read_bytes()


def copies(store: Path, session: str, number: int) -> dict[str, bytes]:
    """A session once more, as an older session: the first one, or one whose calls were wanted again."""
    other = f"2025{1 + number // 30:02}01T{number:09}-{number:08x}"  # 30 a month
    head = json.loads((store / f"sessions/{session}.json").read_text())
    files: dict[str, bytes] = {}
    parts: dict[str, object] = {}
    more = 10_000 * (number + 1)

    def moved(digest: str, run_id: int) -> dict[str, str]:
        """The evidence of the run that this one becomes."""
        data = evidence_of(store, digest).replace(b"%d" % run_id, b"%d" % (run_id + more), 1)
        other = sha256(data).hexdigest()
        files[f"evidence/{other[:2]}/{other}.json"] = data
        return {"evidence": other}

    for key in head["parts"]:
        facts = [json.loads(line) for line in (store / key).read_text().splitlines()]
        for fact in facts:
            shown = fact["data"] if fact["kind"] == "call" else fact
            shown |= moved(shown["evidence"], fact["run_id"])
            fact |= {"session_id": other, "run_id": fact["run_id"] + more}
            if fact["kind"] == "call":
                fact |= {"consent_id": other, "reason": "again" if number else "first"}
                fact["data"]["completed_at"] = f"2025-01-01T00:{number // 60:02}:{number % 60:02}Z"
        name = key.replace(session, other)
        files[name] = b"".join(json.dumps(fact).encode() + b"\n" for fact in facts)
        parts[name] = {"lines": len(facts), "digest": sha256(files[name]).hexdigest()}
    then = {"session_id": other, "started_at": "2025-01-01T00:00:00Z", "ended_at": "2025-01-01T01:00:00Z"}
    files[f"sessions/{other}.json"] = json.dumps(head | then | {"parts": parts}).encode()
    report = json.loads((store / f"runs/{session}.json").read_text())
    for run in (run for case in report["cases"] for run in case["runs"]):
        run.update(moved(run["evidence"], run["run_id"]), session_id=other, run_id=run["run_id"] + more)
    files[f"runs/{other}.json"] = json.dumps(report | then).encode()
    return files


def called_again(files: dict[str, bytes], session: str) -> dict[str, bytes]:
    """The files of a session whose calls had been made before."""
    name = f"sessions/{session}.json"
    head = json.loads(files[name])
    again = {key: files[key].replace(b'"reason":"first"', b'"reason":"again"') for key in head["parts"]}
    for key, data in again.items():
        head["parts"][key]["digest"] = sha256(data).hexdigest()
    return {**again, name: json.dumps(head).encode()}


def stored_files(folder: Path, sessions: int) -> tuple[Path, dict[str, bytes], dict[str, bytes]]:
    """The folder of a first session, its files, and all files of so many sessions."""
    project, store = folder / "first", folder / "first/.planner/sandbox"
    shutil.copytree(ROOT / "plans", project / "plans")
    for path in ROOT.glob("planner.yaml"):
        shutil.copy(path, project)
    run(*PLANNER, "run", "--sandbox", "--consent-to-charge", cwd=project)
    files = {
        path.relative_to(store).as_posix(): path.read_bytes()
        for name in FOLDERS
        for path in (store / name).rglob("*.json*")
    }
    (session,) = (path.stem for path in (store / "sessions").iterdir())
    many = files | called_again(files, session)
    for number in range(sessions - 1):
        many |= copies(store, session, number)
    return project, files, many


def in_folder(first: Path, name: str, files: dict[str, bytes]) -> Place:
    """Only this machine has it."""
    project = first.with_name(name)
    shutil.copytree(first, project)
    for key, data in files.items():
        path = project / ".planner/sandbox" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    with (Path(os.environ["XDG_CACHE_HOME"]) / "planner/verified").open("a") as verified:
        verified.writelines(f"{sha256(data).hexdigest()}\n" for data in files.values())
    return Place(project, ".planner", lambda: 0, lambda: 0)


def in_git(first: Path, name: str, files: dict[str, bytes]) -> Place:
    """A full clone, whose remote has it."""
    project, remote = first.with_name(name), first.with_name(f"{name}.git")
    shutil.copytree(first, project, ignore=shutil.ignore_patterns(".planner", "reports"))
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    for command in (("init", "-q", "-b", "main"), ("add", "-A"), (*identity, "commit", "-qm", "plans")):
        run("git", *command, cwd=project)
    run("git", "clone", "-q", "--bare", str(project), str(remote), cwd=project)
    run("git", "remote", "add", "origin", f"file://{remote}", cwd=project)
    run("git", "config", "uploadpack.allowFilter", "true", cwd=remote)  # as GitHub does
    run("git", "config", "uploadpack.allowAnySHA1InWant", "true", cwd=remote)
    sent, receiver = remote.with_suffix(".sent"), remote.with_suffix(".sh")
    sent.touch()
    receiver.write_text(f'#!/bin/sh\ntee -a {sent} | git-receive-pack "$@"\n')
    receiver.chmod(0o755)
    run("git", "config", "remote.origin.receivepack", str(receiver), cwd=project)
    text = b"stored"
    stream = [f"commit {REF}\ncommitter t <t@example.org> now\ndata {len(text)}\n".encode(), text, b"\n"]
    for key, data in files.items():
        stream += [f"M 100644 inline {path_of(key)}\ndata {len(data)}\n".encode(), data, b"\n"]
    import_ = ("git", "fast-import", "--quiet", "--date-format=now")
    subprocess.run(import_, cwd=remote, check=True, input=b"".join(stream))

    def size() -> int:
        return sum(path.stat().st_size for path in (remote / "objects").rglob("*") if path.is_file())

    return Place(project, "git:refs/planner/results", size, lambda: sent.stat().st_size)


def in_bucket(first: Path, name: str, files: dict[str, bytes], server: BucketServer) -> Place:
    project = first.with_name(name)
    shutil.copytree(first, project, ignore=shutil.ignore_patterns(".planner", "reports"))
    server.objects |= {f"/results/{name}/sandbox/{key}": data for key, data in files.items()}

    def size() -> int:
        return sum(len(data) for path, data in server.objects.items() if path.startswith(f"/results/{name}/"))

    return Place(project, f"s3://results/{name}", size, size)


def another_machine(place: Place) -> Place:
    """The same project and store, without anything that was read before."""
    project = place.project.with_name(f"{place.project.name}-again")
    shutil.copytree(place.project, project, ignore=shutil.ignore_patterns(".planner", "reports", ".git"))
    if (place.project / ".git").exists():
        remote = f"file://{place.project.with_name(f'{place.project.name}.git')}"
        shutil.rmtree(project)
        run("git", "clone", "-q", "--depth=1", remote, str(project), cwd=project.parent)
    return place._replace(project=project)


def packed(places: Sequence[Place]) -> Sequence[Place]:
    """As git servers pack them now and then."""
    for remote in (place.project.with_name(f"{place.project.name}.git") for place in places):
        if remote.exists():
            run("git", "gc", "--quiet", "--prune=now", cwd=remote)
    return places


def show(name: str, costs: Sequence[Cost], more: str = "") -> None:
    one, many = costs
    print(
        f"{name}: CPU {one.cpu:.2f} -> {many.cpu:.2f} s ({many.cpu / one.cpu:.2f} x), "
        f"wall {one.wall:.2f} -> {many.wall:.2f} s ({many.wall / one.wall:.2f} x){more}",
        flush=True,
    )


def compared(places: Sequence[Place], repetitions: int) -> list[Cost]:
    """The medians of `plan`, in turns."""
    costs = [[place.planner("plan") for place in places] for _ in range(repetitions)]
    return [
        Cost(median(each.cpu for each in own), median(each.wall for each in own)) for own in zip(*costs, strict=True)
    ]


def main() -> int:
    kind = sys.argv[1] if len(sys.argv) > 1 else "folder"
    sessions = int(sys.argv[2]) if len(sys.argv) > 2 else 200
    repetitions = int(sys.argv[3]) if len(sys.argv) > 3 else 5
    with tempfile.TemporaryDirectory() as folder, bucket_server() as server:
        os.environ |= {
            "XDG_CACHE_HOME": f"{folder}/cache",
            "AWS_ENDPOINT_URL": server.url,
            "AWS_ALLOW_HTTP": "true",
            "AWS_DEFAULT_REGION": "eu-1",
            "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "secretexample",
        }
        first, only, files = stored_files(Path(folder), sessions)

        def place(name: str, content: dict[str, bytes]) -> Place:
            match kind:
                case "git":
                    return in_git(first, name, content)
                case "bucket":
                    return in_bucket(first, name, content, server)
                case _:
                    return in_folder(first, name, content)

        one, many = places = place("one", only), place("many", files)
        print(f"{kind}, {sessions} sessions of {len(only)} files; shared: {one.size():,} -> {many.size():,} bytes")
        show("plan, cold", tuple(each.planner("plan") for each in places))
        show("plan, unchanged", compared(places, repetitions))
        for each in places:
            for path in (each.project / "plans").rglob("*.yaml"):
                path.write_text(path.read_text().replace("You are", "You are really"))
        show("plan, every prompt edited", compared(places, repetitions))
        for each in places:
            for path in (each.project / "plans").rglob("*.yaml"):
                path.write_text(path.read_text().replace("You are really", "You are"))
        before = [each.sent() for each in places]
        costs = [each.planner("run", "--rerun", "all", "--consent-to-charge") for each in places]
        sent = [each.sent() - earlier for each, earlier in zip(places, before, strict=True)]
        show(
            "run, everything again",
            costs,
            f", sent {sent[0]:,} -> {sent[1]:,} bytes ({sent[1] / max(1, sent[0]):.2f} x)",
        )
        show("plan, after it", tuple(each.planner("plan") for each in places))
        if kind != "folder":
            os.environ["XDG_CACHE_HOME"] = f"{folder}/another-cache"
            machines = [another_machine(each) for each in places]
            show("plan, another machine", tuple(each.planner("plan") for each in machines))
            sizes = [each.size() for each in packed(places)]
            for each in places:
                with (each.project / "planner.yaml").open("a") as project:
                    project.write("keep: 90d\n")
                each.planner("ci", "record")
            kept = [each.size() for each in packed(places)]
            print(
                f"size: {sizes[0]:,} -> {sizes[1]:,} bytes; with `keep`: {kept[0]:,} -> {kept[1]:,} bytes", flush=True
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""How `plan` depends on the number of stored sessions: the demo's 96 cases, called in full by each session.

    uv run python tests/benchmarks/stored_sessions.py [SESSIONS [REPETITIONS]]

Prints the median CPU seconds of `planner plan --sandbox` with one stored session and with SESSIONS, in turns, unchanged and with every
prompt edited.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from hashlib import sha256
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[2]
PLANNER = (sys.executable, "-m", "planner")


def planner(*arguments: str, cwd: Path) -> float:
    """CPU seconds of a command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run([*PLANNER, *arguments], cwd=cwd, check=True, capture_output=True, env=environ)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def copy_session(store: Path, session: str, number: int) -> None:
    """Store the facts of a session once more, as an older session whose calls were wanted again."""
    other = f"20250101T{number:09}-{number:08x}"
    head = json.loads((store / f"sessions/{session}.json").read_text())
    parts: dict[str, object] = {}
    for key in head["parts"]:
        facts = [json.loads(line) for line in (store / key).read_text().splitlines()]
        for fact in facts:
            fact |= {"session_id": other, "run_id": fact["run_id"] + 10_000 * (number + 1)}
            if fact["kind"] == "call":
                fact |= {"consent_id": other, "reason": "again"}
                fact["data"]["completed_at"] = f"2025-01-01T00:{number // 60:02}:{number % 60:02}Z"
        data = b"".join(json.dumps(fact).encode() + b"\n" for fact in facts)
        name = key.replace(session, other)
        (store / name).write_bytes(data)
        parts[name] = {"lines": len(facts), "digest": sha256(data).hexdigest()}
    document = head | {"session_id": other, "parts": parts}
    (store / f"sessions/{other}.json").write_text(json.dumps(document))


def main() -> int:
    sessions = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    repetitions = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CACHE_HOME"] = f"{folder}/cache"
        project, one, many = Path(folder) / "project", Path(folder) / "one", Path(folder) / "many"
        shutil.copytree(ROOT / "plans", project / "plans")
        for path in ROOT.glob("planner.yaml"):
            shutil.copy(path, project)
        planner("run", "--sandbox", "--consent-to-charge", "--store", str(one), cwd=project)
        shutil.copytree(one, many)
        verified = Path(os.environ["XDG_CACHE_HOME"]) / "planner/verified"
        (session,) = (path.stem for path in (one / "sandbox/sessions").iterdir())
        for number in range(sessions - 1):
            copy_session(many / "sandbox", session, number)
        written = [
            path.read_bytes() for kind in ("calls", "sessions") for path in (many / "sandbox" / kind).rglob("*.json*")
        ]
        with verified.open("a") as file:
            file.writelines(f"{sha256(data).hexdigest()}\n" for data in written)
        for name in ("unchanged", "every prompt edited"):
            if name != "unchanged":
                for path in (project / "plans").rglob("*.yaml"):
                    path.write_text(path.read_text().replace("You are", "You are really"))
            seconds: dict[Path, list[float]] = {one: [], many: []}
            for _ in range(repetitions):
                for store in (one, many):
                    seconds[store].append(planner("plan", "--sandbox", "--store", str(store), cwd=project))
            first, other = (median(seconds[store]) for store in (one, many))
            print(f"{name}: {first:.2f} s with 1 session, {other:.2f} s with {sessions} ({other / first:.2f} x)")
    return 0


if __name__ == "__main__":
    sys.exit(main())

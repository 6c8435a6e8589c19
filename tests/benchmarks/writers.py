"""Many writers at once: on one git ref with a bare remote, each from a clone of its own, and on one folder. Nothing may be lost.

    python tests/benchmarks/writers.py [WRITERS] [KIB]

Each writer adds an invocation of KIB and counts up one key that all share, so that every write meets every other. Prints how long
it took, how often each was second, and what the repository has grown to.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from planner.results.directory import DirectoryStore
from planner.results.git_ref import GitStore
from planner.results.store import Backoff, Reader, Store
from planner.session.git import Git

REF = "refs/planner/results"


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    ran = subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True, text=True)
    return ran.stdout.strip()


def write(store: Store, number: int, size: int) -> None:
    document = (
        random.Random(number).randbytes(size // 2).hex().encode()
    )  # half as large when compressed, as results are not

    def change(now: Reader) -> Mapping[str, bytes]:
        return {f"runs/{number:04}.json": document, "counter": b"%d" % (int(now.get("counter") or 0) + 1)}

    store.update(change)


def all_at_once(writers: int, size: int, open_store: Callable[[int], Store]) -> float:
    began = time.monotonic()
    with ThreadPoolExecutor(writers) as pool:
        list(pool.map(lambda number: write(open_store(number), number, size), range(writers)))
    return time.monotonic() - began


def check(store: Store, writers: int) -> None:
    assert store.get("counter") == b"%d" % writers, store.get("counter")
    assert len(list(store.keys("runs/"))) == writers


def on_a_ref(folder: Path, writers: int, size: int) -> None:
    seed, shared = folder / "seed", folder / "shared.git"
    git(folder, "init", "-q", "-b", "main", str(seed))
    git(seed, "commit", "-q", "--allow-empty", "-m", "first")
    git(folder, "clone", "-q", "--bare", str(seed), str(shared))
    clones = [folder / f"clone{number}" for number in range(writers)]
    for clone in clones:
        git(folder, "clone", "-q", "--depth=1", f"file://{shared}", str(clone))
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        time.sleep(seconds)

    def open_store(number: int) -> GitStore:
        backoff = Backoff(random.Random(number).random, pause)
        return GitStore(Git(clones[number], os.environ), REF, remote="origin", backoff=backoff)

    seconds = all_at_once(writers, size, open_store)
    check(open_store(0), writers)
    commits = int(git(shared, "rev-list", "--count", REF))
    merges = git(shared, "rev-list", "--min-parents=2", REF)
    assert commits == writers, commits
    assert not merges, merges
    print(f"git ref: {writers} writers, {seconds:.1f} s, {commits} commits in one line, nothing lost")
    print(f"  second {len(pauses) / writers:.1f} times each on average, {sum(pauses) / writers:.1f} s of pauses each")
    print(f"  remote as pushed: {_size(shared)} KiB; ", end="")
    git(shared, "gc", "-q")
    print(f"after gc: {_size(shared)} KiB; written: {writers * size // 1024} KiB of results")


def _size(repository: Path) -> int:
    return sum(file.stat().st_size for file in (repository / "objects").rglob("*") if file.is_file()) // 1024


def on_a_folder(folder: Path, writers: int, size: int) -> None:
    seconds = all_at_once(writers, size, lambda _: DirectoryStore(folder / "store"))
    check(DirectoryStore(folder / "store"), writers)
    print(f"folder: {writers} writers, {seconds:.1f} s, nothing lost")


def main() -> None:
    writers = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    size = 1024 * (int(sys.argv[2]) if len(sys.argv) > 2 else 8)
    with tempfile.TemporaryDirectory() as folder:
        on_a_folder(Path(folder), writers, size)
        on_a_ref(Path(folder), writers, size)


if __name__ == "__main__":
    main()

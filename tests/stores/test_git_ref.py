"""Results in a git ref: compare-and-swap by commits, nothing of the user's touched, and errors that say what to do."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store_writes import UNCONDITIONAL, put

from planner.ci.git import Git
from planner.errors import PlannerError, StoreError, UsageError
from planner.stores import git_ref
from planner.stores.git_objects import GitAnswer, GitRunner
from planner.stores.git_ref import GitStore
from planner.stores.store import Backoff, Reader

REF = "refs/planner/results"
BARE_ENVIRON = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1"}
"""No identity, no configuration, as on a machine of CI."""
AT_ONCE = Backoff(chance=lambda: 0.0, pause=lambda _: None)

Clones = Callable[..., Path]


class Intercepted(Git):
    """Git whose commands are answered by `answer`, unless it returns None."""

    answer: Callable[[str, Callable[[], GitAnswer]], GitAnswer | None]

    def __call__(self, *arguments: str, **options: Any) -> GitAnswer:
        run = partial(super().__call__, *arguments, **options)
        return self.answer(arguments[0], run) or run()


def intercepted(folder: Path, answer: Callable[[str, Callable[[], GitAnswer]], GitAnswer | None]) -> Git:
    runner = Intercepted(folder, BARE_ENVIRON)
    runner.answer = answer
    return runner


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "protocol.file.allow=always"]
    ran = subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True, text=True)
    return ran.stdout.strip()


def store_in(folder: Path, *, remote: str | None = "origin", runner: GitRunner | None = None) -> GitStore:
    return GitStore(runner or Git(folder, BARE_ENVIRON), REF, remote=remote, backoff=AT_ONCE)


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """A bare repository that others clone, with a few commits on its main branch."""
    work = tmp_path / "work"
    git(tmp_path, "init", "-q", "-b", "main", str(work))
    for number in range(3):
        (work / "README").write_text(str(number))
        git(work, "add", "-A")
        git(work, "commit", "-qm", str(number))
    git(tmp_path, "clone", "-q", "--bare", str(work), str(tmp_path / "shared.git"))
    return tmp_path / "shared.git"


@pytest.fixture
def clone(shared: Path, tmp_path: Path) -> Clones:
    def make(name: str, *options: str) -> Path:
        git(tmp_path, "clone", "-q", *options, f"file://{shared}", str(tmp_path / name))
        return tmp_path / name

    return make


@pytest.mark.parametrize("kind", ["alone", "shared", "shallow"])
def test_stored_data_is_read_back(clone: Clones, kind: str) -> None:
    """A key holds the last bytes put there, of any content, without a remote, with one, and in the shallow clone of CI."""
    folder = clone("ci", *(["--depth=1"] if kind == "shallow" else []))
    remote = None if kind == "alone" else "origin"
    store = store_in(folder, remote=remote)
    assert store.get("runs/a.json") is None
    assert list(store.keys("")) == []
    assert put(store, "runs/a.json", b"\0\xff one\r\n", expected=UNCONDITIONAL)
    assert not put(store, "runs/a.json", b"two", expected=None)
    assert not put(store, "runs/a.json", b"two", expected=b"one")
    assert put(store, "latest/eu/x.json", b"", expected=None)
    again = store_in(folder, remote=remote)
    assert again.get("runs/a.json") == b"\0\xff one\r\n"
    assert again.get("latest/eu/x.json") == b""
    assert put(again, "runs/a.json", b"two", expected=b"\0\xff one\r\n")
    assert again.has("runs/a.json")
    assert not again.has("runs")
    assert list(again.keys("")) == ["latest/eu/x.json", "runs/a.json"]
    assert list(again.keys("latest/e")) == ["latest/eu/x.json"]
    assert again.locate("runs/a.json") == f"{REF}{' of origin' if remote else ''}, runs/a.json"
    for attempt in (lambda: store.get("../x"), lambda: put(store, ".x", b"", expected=None), lambda: store.keys("../")):
        with pytest.raises(ValueError, match="not a key"):
            attempt()


_CALLS = f"calls/{'0a' * 32}"
_SPLIT = {
    "evidence/ab/abc1.json": "evidence/ab/c/abc1.json",
    "branches/7/evidence/ab/abd1.json": "branches/7/evidence/ab/d/abd1.json",
    f"{_CALLS}/20261130T1-1.jsonl": f"{_CALLS}/202611/20261130T1-1.jsonl",
    f"{_CALLS}/20261201T1-1.jsonl": f"{_CALLS}/202612/20261201T1-1.jsonl",
    f"{_CALLS}/other-1.jsonl": f"{_CALLS}/other-1.jsonl",
}
_KEYS = st.sampled_from(["runs/a", "runs/b", "latest/x/a", "c", *_SPLIT])
_DATA = st.sampled_from([b"", b"one", b"two"])
_WRITES = st.lists(st.tuples(_KEYS, _DATA, st.one_of(st.none(), _DATA, st.just(UNCONDITIONAL))), max_size=6)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=6)
@given(writes=_WRITES)
def test_a_store_equals_a_dictionary_with_compare_and_swap(
    tmp_path_factory: pytest.TempPathFactory, writes: list[tuple[str, bytes, object]]
) -> None:
    """Any sequence of writes leaves what the same sequence leaves in a dictionary."""
    folder = tmp_path_factory.mktemp("repository")
    git(folder, "init", "-q")
    store = store_in(folder, remote=None)
    model: dict[str, bytes] = {}
    for key, data, expected in writes:
        swapped = expected is UNCONDITIONAL or model.get(key) == expected
        assert put(store, key, data, expected=expected) is swapped  # pyright: ignore[reportArgumentType]
        if swapped:
            model[key] = data
    again = store_in(folder, remote=None)
    assert {key: again.get(key) for key in again.keys("")} == dict(sorted(model.items()))
    for prefix in ("runs/", "evidence/ab/", "branches/7/evidence/", f"{_CALLS}/", f"{_CALLS}/2026"):
        below = sorted(key for key in model if key.startswith(prefix))
        assert list(again.keys(prefix)) == below


@pytest.mark.parametrize("depth", [(), ("--depth=1",)])
def test_nothing_of_the_users_is_touched(clone: Clones, depth: tuple[str, ...]) -> None:
    """Work tree, index, branches, configuration and hooks stay as they are, and a full clone does not become a shallow one."""
    folder = clone("mine", *depth)
    (folder / "README").write_text("staged")
    git(folder, "add", "README")
    (folder / "README").write_text("edited")
    (folder / "untracked").touch()
    hook = folder / ".git/hooks/pre-push"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)

    def state() -> list[str | bytes]:
        asked = [
            ("ls-files", "--stage"),
            ("status", "--porcelain=v2"),
            ("rev-parse", "--is-shallow-repository", "HEAD"),
            ("branch", "-a", "-v"),
        ]
        files = [(folder / ".git" / name).read_bytes() for name in ("config", "HEAD")]
        return [*(git(folder, *words) for words in asked), *files]

    before = state()
    put(store_in(clone("other")), "runs/a", b"1", expected=None)
    store = store_in(folder)
    assert store.get("runs/a") == b"1"
    put(store, "runs/b", b"2", expected=None)
    assert state() == before
    assert not (folder / ".git/FETCH_HEAD").exists()
    assert (
        git(folder, "for-each-ref", "--format=%(refname)", "refs/planner", "refs/planner-tracking")
        == "refs/planner-tracking/origin/planner/results"
    )


def test_the_second_writer_retries(clone: Clones, shared: Path) -> None:
    """If another machine wrote in between, the change is computed again: both writes are kept, in one line of history."""
    here, there = store_in(clone("here", "--depth=1")), store_in(clone("there"))
    assert [here.get("counter"), there.get("counter")] == [None, None]
    put(there, "counter", b"5", expected=None)
    seen: list[bytes | None] = []

    def count(now: Reader) -> Mapping[str, bytes | None]:
        seen.append(now.get("counter"))
        return {"counter": b"%d" % (int(seen[-1] or 0) + 1)}

    here.update(count)
    assert seen == [None, b"5"]
    assert not put(there, "counter", b"7", expected=b"5")
    assert there.get("counter") == b"6"
    assert put(there, "other", b"x", expected=None)
    assert store_in(clone("later")).get("counter") == b"6"
    assert git(shared, "rev-list", "--count", REF) == git(shared, "rev-list", "--count", "--first-parent", REF) == "3"
    assert git(shared, "rev-list", "--min-parents=2", REF) == ""


@pytest.mark.parametrize(
    ("out", "said", "message"),
    [
        (
            f"!\tx:{REF}\t[remote rejected] (failed to update ref)\n",
            "",
            f"! x:{REF} [remote rejected] (failed to update ref)",
        ),
        ("", "fatal: the remote end hung up unexpectedly", "fatal: the remote end hung up unexpectedly"),
    ],
)
def test_a_read_only_remote(clone: Clones, out: str, said: str, message: str) -> None:
    """Where writes fail though nobody else writes, it ends after some seconds, with what the remote says."""
    folder, pauses = clone("ci"), list[float]()

    def refusing(command: str, _: Callable[[], GitAnswer]) -> GitAnswer | None:
        return GitAnswer(1, out.encode(), said) if command == "push" else None

    store = GitStore(
        intercepted(folder, refusing), REF, remote="origin", backoff=Backoff(chance=lambda: 0.5, pause=pauses.append)
    )
    with pytest.raises(StoreError) as caught:
        put(store, "a", b"1", expected=None)
    assert str(caught.value) == f"results cannot be written at {REF} of the remote origin: {message}"
    assert len(pauses) == 9


def test_a_push_whose_answer_is_lost(clone: Clones, shared: Path) -> None:
    """Where the connection breaks after the remote has taken a write, it is not written twice; before, it is tried again."""
    folder, breaks = clone("ci"), ["after", "before"]

    def breaking(command: str, run: Callable[[], GitAnswer]) -> GitAnswer | None:
        if command != "push" or not breaks:
            return None
        if breaks.pop(0) == "after":
            run()
        return GitAnswer(128, b"", "fatal: the remote end hung up unexpectedly")

    store = store_in(folder, runner=intercepted(folder, breaking))
    assert put(store, "a", b"1", expected=None)
    assert put(store, "b", b"2", expected=None)
    assert git(shared, "rev-list", "--count", REF) == "2"


@pytest.mark.parametrize("rewritable", [True, False])
def test_history_starts_again(clone: Clones, shared: Path, monkeypatch: pytest.MonkeyPatch, rewritable: bool) -> None:
    """After so many commits the tree resumes without them, and every clone follows; a server that forbids that keeps them all."""
    monkeypatch.setattr(git_ref, "COMMITS_A_HISTORY", 3)
    if not rewritable:
        hook = shared / "hooks/update"
        hook.write_text(f"#!/bin/sh\ntest $2 = {'0' * 40} || git merge-base --is-ancestor $2 $3\n")
        hook.chmod(0o755)
    other = store_in(clone("other"))
    assert other.get("a0") is None
    store = store_in(clone("ci"))
    for number in range(5):
        put(store, f"a{number}", b"%d" % number, expected=None)
    assert git(shared, "rev-list", "--count", REF) == ("2" if rewritable else "5")
    other.refresh()
    assert list(other.keys("")) == [f"a{number}" for number in range(5)]
    assert put(other, "b", b"6", expected=None)


def test_a_shallow_clone_fetches_only_what_it_reads(clone: Clones, shared: Path) -> None:
    """CI's clone gets the folders, then the files of a folder at once, or one that is read alone."""
    git(shared, "config", "uploadpack.allowFilter", "true")
    put(store_in(clone("laptop")), "runs/a", b"1", expected=None)
    store_in(clone("other")).update(
        lambda _: {f"calls/{name}/{n}": f"{name}{n}".encode() for name in "ab" for n in "12"}
    )
    folder, fetches = clone("ci", "--depth=1"), list[str]()

    def counting(command: str, _: Callable[[], GitAnswer]) -> None:
        fetches.extend([command] if command == "fetch" else [])

    store = store_in(folder, runner=intercepted(folder, counting))
    assert len(list(store.keys("calls/"))) == 4
    assert missing(folder) == 5
    store.prepare(["calls/a/", "sessions/"])
    assert (missing(folder), len(fetches)) == (3, 2)
    assert (store.get("calls/a/1"), store.get("calls/a/2"), len(fetches)) == (b"a1", b"a2", 2)
    assert (store.get("runs/a"), missing(folder)) == (b"1", 2)
    put(store, "calls/b/3", b"b3", expected=None)
    assert store_in(clone("later")).get("calls/b/1") == b"b1"


def missing(folder: Path) -> int:
    listed = git(folder, "ls-tree", "-r", "--format=%(objectname)", "refs/planner-tracking/origin/planner/results")
    environ = {**os.environ, "GIT_NO_LAZY_FETCH": "1"}
    asked = ["git", "-C", str(folder), "cat-file", "--batch-check"]
    ran = subprocess.run(asked, input=listed, check=True, capture_output=True, text=True, env=environ)
    return ran.stdout.count(" missing")


def objects_of(repository: Path, *revisions: str) -> list[str]:
    return git(repository, "rev-list", "--objects", "--no-object-names", *revisions).split()


@pytest.mark.parametrize("depth", [(), ("--depth=1",)])
def test_what_is_erased_is_in_no_history(clone: Clones, shared: Path, depth: tuple[str, ...]) -> None:
    """Other files stay, and every clone follows."""
    store, other = store_in(clone("ci", *depth)), store_in(clone("other"))
    store.update(lambda _: {"calls/a": b"secret", "calls/b": b"2"})
    other.refresh()
    secret = git(shared, "rev-parse", f"{REF}:calls/a")
    store.erase(lambda now: {"calls/a": None} if now.has("calls/a") else {})
    assert git(shared, "rev-list", "--count", REF) == "1"
    assert secret not in objects_of(shared, "--all")
    other.refresh()
    assert (other.get("calls/a"), other.get("calls/b")) == (None, b"2")
    assert put(other, "calls/c", b"3", expected=None)


def test_a_ref_that_somebody_else_started_anew(clone: Clones, shared: Path) -> None:
    """A writer whose history is gone writes on top of the new one, and loses nothing of it."""
    store, other = store_in(clone("ci")), store_in(clone("other"))
    put(store, "calls/a", b"1", expected=None)
    put(other, "calls/b", b"2", expected=None)
    tree = git(shared, "rev-parse", f"{REF}^{{tree}}")
    git(shared, "update-ref", REF, git(shared, "commit-tree", "-m", "anew", tree))
    put(store, "calls/c", b"3", expected=None)
    assert list(store_in(clone("later")).keys("")) == ["calls/a", "calls/b", "calls/c"]
    assert git(shared, "rev-list", "--count", REF) == "2"


_COUNT = """
import os, random, sys, time
from pathlib import Path
from planner.ci.git import Git
from planner.stores import git_ref
from planner.stores.git_ref import GitStore
from planner.stores.store import Backoff
git_ref._REFUSALS_WITHOUT_A_WRITE = 1_000_000  # one of the others may be stopped for long while it holds the ref
remote = sys.argv[2] or None
chance = random.Random(os.getpid()).random
for number in range(int(sys.argv[3])):
    store = GitStore(Git(Path(sys.argv[1]), os.environ), "refs/planner/results", remote=remote, backoff=Backoff(chance, time.sleep, attempts=1_000_000))
    store.update(lambda now: {f"runs/{os.getpid()}-{number}": b"1", "counter": b"%d" % (int(now.get("counter") or 0) + 1)})
"""


@pytest.mark.parametrize("remote", ["origin", ""])
def test_writers_of_several_processes_lose_nothing(clone: Clones, shared: Path, remote: str) -> None:
    """Writers at the same time, of several clones or of one, leave every write of theirs, in one line of commits."""
    folders = [clone(f"ci{number}", "--depth=1") for number in range(4)] if remote else [clone("ci")] * 4
    writers = [
        subprocess.Popen([sys.executable, "-c", _COUNT, str(folder), remote, "2"], env={**os.environ, **BARE_ENVIRON})
        for folder in folders
    ]
    assert [writer.wait() for writer in writers] == [0] * 4
    store = store_in(folders[0], remote=remote or None)
    assert store.get("counter") == b"8"
    assert len(list(store.keys("runs/"))) == 8
    where = shared if remote else folders[0]
    assert git(where, "rev-list", "--count", REF) == "8"
    assert git(where, "rev-list", "--min-parents=2", REF) == ""


def test_a_lock_that_a_killed_git_left(clone: Clones, shared: Path) -> None:
    """It stops nobody for ever; the lock of another ref stays."""
    folder, other = clone("ci"), clone("other")
    store_in(folder).update(lambda _: {"a": b"1"})
    store_in(other).update(lambda _: {"b": b"2"})
    lock = folder / ".git/refs/planner-tracking/origin/planner/results.lock"
    lock.touch()
    foreign = folder / ".git/refs/heads/main.lock"
    foreign.touch()
    store = store_in(folder)
    assert store.get("b") == b"2"
    assert (lock.exists(), foreign.exists()) == (False, True)
    lock.touch()
    store.update(lambda _: {"c": b"3"})
    assert store_in(other).get("c") == b"3"


def test_a_remote_that_takes_nothing(clone: Clones, shared: Path) -> None:
    """A rule or a hook of the remote that declines the ref is the set-up's fault, at once: exit 2, and what to allow."""
    hook = shared / "hooks/pre-receive"
    hook.write_text("#!/bin/sh\necho no such refs >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(UsageError) as caught:
        put(store_in(clone("ci")), "a", b"1", expected=None)
    assert str(caught.value).startswith(f"the remote origin rejects pushes to {REF}: ! ")
    assert "pre-receive hook declined" in str(caught.value)
    assert caught.value.hint == (
        f"Allow {REF} in its rules. The job needs permission to read and push {REF}: in GitHub Actions, `permissions: contents:"
        " write` and a checkout that keeps its credentials. Or choose another --store."
    )


@pytest.mark.parametrize(
    ("said", "kind", "shown"),
    [
        (
            "remote: Permission to o/r.git denied to github-actions[bot].\nfatal: unable to access 'https://github.com/o/r/'",
            UsageError,
            "remote: Permission to o/r.git denied to github-actions[bot].",
        ),
        (
            "fatal: unable to access 'https://github.com/o/r/': Could not resolve host: github.com",
            StoreError,
            "fatal: unable to access 'https://github.com/o/r/': Could not resolve host: github.com",
        ),
    ],
)
def test_a_remote_that_cannot_be_reached(clone: Clones, said: str, kind: type[PlannerError], shown: str) -> None:
    """No rights are exit 2, no network is exit 4 after three tries; what git says is shown without credentials."""
    folder, fetches = clone("ci"), list[str]()

    def refusing(command: str, _: Callable[[], GitAnswer]) -> GitAnswer | None:
        if command != "fetch":
            return None
        fetches.append("")
        return GitAnswer(128, b"", said)

    with pytest.raises(kind) as caught:
        store_in(folder, runner=intercepted(folder, refusing)).get("a")
    assert str(caught.value) == f"results cannot be read at {REF} of the remote origin: {shown}"
    assert caught.value.hint
    assert len(fetches) == (3 if kind is StoreError else 1)


def test_a_missing_git_or_repository_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 2, with what is missing."""
    with pytest.raises(UsageError, match="needs a git repository"):
        store_in(tmp_path, remote=None).get("a")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="git is not installed"):
        GitStore(Git(tmp_path, {"PATH": str(tmp_path)}), REF, remote=None, backoff=AT_ONCE).get("a")

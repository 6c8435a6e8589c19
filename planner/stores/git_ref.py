"""Results in a git ref of the repository: no infrastructure, and work tree, index, branches and configuration are
untouched.

A key is a path in the commit's tree. Large folders are split (`path_of`), because a write adds the whole list of each
folder that it changes: evidence is filed by one more digit, and calls by month.

A write adds a commit by compare-and-swap: with a remote by `push --force-with-lease`, without one by `update-ref` with
the old value. A losing writer reads again, recomputes, and retries after a random pause.

The remote is read once, then only after losing. A shallow clone (a CI job) fetches one commit without blobs, then the
blobs that it reads. A full clone fetches all: a depth would make it shallow, and missing blobs would stop its `git gc`.
After `COMMITS_A_HISTORY` commits, and when something is erased, a new history starts with the current tree.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from threading import RLock
from typing import Final

from planner.errors import PlannerError, StoreError, UsageError
from planner.stores.git_objects import Base, GitObjects, GitRunner
from planner.stores.store import Backoff, Change, segments
from planner.values import frozen

COMMITS_A_HISTORY: Final = 1000

_GENERATION: Final = re.compile(r"^Commits-before: (\d{1,9})$", re.MULTILINE)
_CREDENTIALS: Final = re.compile(r"(?<=://)[^/@\s']*@")

_NO_SUCH_REF: Final = "couldn't find remote ref"
_NO_RIGHTS: Final = re.compile(
    r"\b40[13]\b|Permission|denied|Authentication|could not read (?:Username|Password)|Repository not found"
    r"|does not appear to be a git repository|not permitted|dubious ownership|Read-only|Could not read from remote",
    re.IGNORECASE,
)
_FORBIDDEN: Final = re.compile(
    r"hook declined|protected|prohibited|deny|denied|not allowed|rule violation|GH0\d\d", re.IGNORECASE
)
_RIGHTS_HINT: Final = (
    "The job needs permission to read and push {ref}: in GitHub Actions, `permissions: contents: write` and a "
    "checkout that keeps its credentials. Or choose another --store."
)
_FETCHING: Final = (
    *("--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--no-auto-maintenance"),
)
_WITHOUT_BLOBS: Final = ("--filter=blob:none",)
_EVIDENCE: Final = re.compile(r"(?:^|/)evidence/[0-9a-f]{2}/(?:[0-9a-f]{2}(?P<part>[0-9a-f]))?")
_CALLS: Final = re.compile(r"(?:^|/)calls/[0-9a-f]{64}/(?P<part>[0-9]{6})?")
"""Folders that are split, and the name of the part."""
_READS: Final = 3
_PAUSES_WITH_A_LOCK: Final = 8
"""Git holds the lock of a ref for an instant: one that stays so long is of a git that was killed."""
_REFUSALS_WITHOUT_A_WRITE: Final = 9
"""Give up on the remote after this many consecutive refusals without a competing write."""


@frozen
class _Snapshot:
    """The store at one commit. `tip` and `tree` are empty if there is none."""

    tip: str = ""
    commits_before: int = 0
    tree: str = ""


class GitStore:
    """A `Store` in `ref`. `remote` shares it; None: only in this repository. `offline`: read what was fetched last.

    Thread-safe. Reading creates nothing.
    """

    def __init__(
        self, git: GitRunner, ref: str, *, remote: str | None, backoff: Backoff, offline: bool = False
    ) -> None:
        self._git = git
        self._ref = ref
        self._remote = remote
        self._fetches = remote is not None and not offline
        self._tracked = ref if remote is None else f"refs/planner-tracking/{remote}/{ref.removeprefix('refs/')}"
        self._backoff = backoff
        self._objects = GitObjects(git)
        self._lock = RLock()
        self._shallow: bool | None = None
        self._known: _Snapshot | None = None
        self._may_start_new_history = True
        self._refused = ""
        self._locked = ((0, 0), 0)
        """Which lock of the ref was met, and how often again."""

    # Reading

    def get(self, key: str) -> bytes | None:
        with self._lock:
            oid = self._blob_id(self._snapshot().tree, key)
            return None if oid is None else self._blob(oid)

    def has(self, key: str) -> bool:
        with self._lock:
            return self._blob_id(self._snapshot().tree, key) is not None

    def keys(self, prefix: str) -> Iterator[str]:
        folder = prefix.rpartition("/")[0]
        names = segments(folder) if folder else ()
        with self._lock:
            found = [key for key in self._below(names) if key.startswith(prefix)]
        return iter(sorted(found))

    def prepare(self, keys: Sequence[str]) -> None:
        with self._lock:
            tree = self._snapshot().tree
            folders = [segments(key.strip("/")) for key in keys if key.endswith("/")]
            inside = {oid for folder in folders for oid in self._below(folder).values()}
            single = list(filter(None, (self._blob_id(tree, key) for key in keys if key[-1:] != "/")))
            if self._fetches and self._is_shallow():
                self._fetch_blobs(self._objects.missing({*inside, *single}))
            self._objects.expect(single)

    def list_ahead(self, folders: Sequence[str]) -> None:
        """Does nothing: folders are known."""

    def _below(self, folder: Sequence[str]) -> dict[str, str]:
        """The id of each blob in a folder, by its key."""
        tree = self._folder(self._snapshot().tree, folder)
        found: dict[str, str] = {}
        if tree:
            self._walk(tree, "".join(f"{name}/" for name in folder), found)
        return found

    def _walk(self, tree: str, prefix: str, found: dict[str, str]) -> None:
        entries = self._objects.tree(tree)
        found.update({prefix + name: oid for name, oid in entries.files.items()})
        is_split = _split(prefix) is not None
        for name, oid in entries.folders.items():
            self._walk(oid, prefix if is_split else f"{prefix}{name}/", found)

    def _folder(self, tree: str, names: Sequence[str]) -> str:
        """The tree of a folder; "" if there is none."""
        for name in names:
            tree = self._objects.tree(tree).folders.get(name, "")
        return tree

    def _blob_id(self, tree: str, key: str) -> str | None:
        *folders, last = segments(path_of(key))
        return self._objects.tree(self._folder(tree, folders)).files.get(last)

    def _blob(self, oid: str) -> bytes:
        data = self._objects.blob(oid)
        if data is None and self._fetches:
            self._fetch_blobs([oid])
            data = self._objects.blob(oid)
        if data is None:
            raise self._failed("read", f"fatal: missing blob {oid}")
        return data

    def locate(self, key: str) -> str:
        where = f"{self._ref} of {self._remote}" if self._remote else self._ref
        return f"{where}, {key}"

    def refresh(self) -> None:
        """Read the current state again."""
        with self._lock:
            self._known = self._read()

    # Writing

    def update(self, change: Change) -> None:
        self._update(change, is_erasure=False)

    def erase(self, change: Change) -> None:
        self._update(change, is_erasure=True)

    def _update(self, change: Change, *, is_erasure: bool) -> None:
        with self._lock:
            tip, refusals = self._snapshot().tip, 0

            def write(again: bool) -> bool:
                nonlocal tip, refusals
                if again:
                    self.refresh()
                    refusals = refusals + 1 if self._snapshot().tip == tip else 0
                    tip = self._snapshot().tip
                    if refusals >= _REFUSALS_WITHOUT_A_WRITE:
                        raise self._failed("written", self._refused)
                snapshot = self._snapshot()
                commit = self._commit(snapshot, change(self), is_erasure=is_erasure)
                if commit is None:
                    return True
                if not self._swap(snapshot, commit):
                    return False
                self._known = self._snapshot_of(commit)
                return True

            self._backoff.until_written(write, self._ref)

    def _commit(self, snapshot: _Snapshot, writes: Mapping[str, bytes | None], *, is_erasure: bool) -> str | None:
        """A commit with these writes; None if nothing changes."""
        like = snapshot.tip or self._format()
        changed = {
            key: data
            for key, data in writes.items()
            if self._blob_id(snapshot.tree, key) != (None if data is None else self._objects.blob_id(data, like))
        }
        if not changed:
            return None
        is_new = is_erasure or not snapshot.tip or self._starts_new_history(snapshot)
        base = Base(like, tree=snapshot.tree) if is_new else Base(like, parent=snapshot.tip)
        before = 0 if is_new else snapshot.commits_before + 1
        by_path = {path_of(key): data for key, data in changed.items()}
        made = self._objects.commit(base, by_path, f"{_summary(changed)}\n\nCommits-before: {before}\n")
        if made.code != 0:
            raise self._failed("written", made.said)
        return made.out.decode().strip()

    def _format(self) -> str:
        """An id in the format of this repository."""
        made = self._run("written", "hash-object", "--stdin")
        return made.decode().strip()

    def _starts_new_history(self, snapshot: _Snapshot) -> bool:
        return self._may_start_new_history and snapshot.commits_before + 1 >= COMMITS_A_HISTORY

    def _swap(self, snapshot: _Snapshot, commit: str) -> bool:
        if self._remote is None:
            done = self._git("update-ref", self._ref, commit, snapshot.tip)
            self._refused = done.said
            if done.code and not re.search(r"cannot lock ref|already exists|but expected", done.said):
                raise self._failed("written", done.said)
            return done.code == 0
        pushed = self._git(
            *("push", "--porcelain", "--no-verify", "--no-follow-tags", "--no-signed", "--recurse-submodules=no"),
            f"--force-with-lease={self._ref}:{snapshot.tip}",
            self._remote,
            f"{commit}:{self._ref}",
        )
        if pushed.code == 0:
            self._git("update-ref", self._tracked, commit)  # if this fails, the next fetch does it
            return True
        rejected = next((line for line in pushed.out.decode(errors="replace").splitlines() if line[:1] == "!"), "")
        self._refused = rejected or pushed.said
        if not rejected:
            return self._did_arrive(commit, pushed.said)
        if _FORBIDDEN.search(rejected) and self._starts_new_history(snapshot):
            self._may_start_new_history = False  # a server that rejects a new history keeps a longer one
        elif _FORBIDDEN.search(rejected):
            raise UsageError(
                f"the remote {self._remote} rejects pushes to {self._ref}: {_last_line(rejected)}",
                f"Allow {self._ref} in its rules. " + _RIGHTS_HINT.format(ref=self._ref),
            )
        return False

    def _did_arrive(self, commit: str, said: str) -> bool:
        """The connection broke during a push: whether the push arrived."""
        if _NO_RIGHTS.search(said):
            raise self._failed("written", said)
        self.refresh()
        tip = self._snapshot().tip
        return bool(tip) and self._git("merge-base", "--is-ancestor", commit, tip).code == 0

    # What is there

    def _snapshot(self) -> _Snapshot:
        if self._known is None:
            self._known = self._read()
        return self._known

    def _read(self) -> _Snapshot:
        if self._fetches and self._remote is not None and not self._fetch(self._remote):
            return _Snapshot()
        found = self._git("rev-parse", "--verify", "--quiet", f"{self._tracked}^{{commit}}")
        if found.code != 0:
            self._is_shallow()  # raises if there is no repository
            return _Snapshot()
        return self._snapshot_of(found.out.decode().strip())

    def _fetch(self, remote: str) -> bool:
        """Fetch from the remote; False if it has nothing."""
        depth = ("--depth=1", *_WITHOUT_BLOBS) if self._is_shallow() else ()
        config = self._partial(remote) if self._is_shallow() else {}
        said = ""
        for attempt in range(max(_READS, self._backoff.attempts // 4)):
            if attempt:
                self._backoff.wait(attempt)
            fetched = self._git("fetch", *_FETCHING, *depth, remote, f"+{self._ref}:{self._tracked}", config=config)
            if fetched.code == 0:
                return True
            if _NO_SUCH_REF in fetched.said:
                return False
            said = fetched.said
            is_busy = re.search(r"cannot lock ref|\.lock'|shallow file has changed|unable to update local ref", said)
            if not is_busy and (attempt + 1 >= _READS or _NO_RIGHTS.search(said)):
                break
            self._remove_abandoned_lock()
        raise self._failed("read", said)

    def _remove_abandoned_lock(self) -> None:
        """Remove the lock of the ref that mirrors the remote's, if it is still the one of many pauses ago."""
        found = self._run("read", "rev-parse", "--path-format=absolute", "--git-path", f"{self._tracked}.lock")
        path = Path(os.fsdecode(found).rstrip("\r\n"))
        try:
            status = path.stat()
        except FileNotFoundError:
            return
        lock = (status.st_ino, status.st_mtime_ns)
        self._locked = (lock, self._locked[1] + 1 if self._locked[0] == lock else 0)
        if self._locked[1] >= _PAUSES_WITH_A_LOCK:
            path.unlink(missing_ok=True)

    def _snapshot_of(self, commit: str) -> _Snapshot:
        text = self._objects.read_commit(commit)
        match = _GENERATION.search(text)
        tree = text.partition("\n")[0].removeprefix("tree ")
        return _Snapshot(commit, int(match[1]) if match else 0, tree)

    def _fetch_blobs(self, oids: Sequence[str]) -> None:
        """Fetch blobs that a shallow clone left out."""
        if not oids or self._remote is None:
            return
        wanted = "".join(f"{oid}\n" for oid in oids).encode()
        config = {**self._partial(self._remote), "fetch.negotiationAlgorithm": "noop"}
        fetched = self._git("fetch", *_FETCHING, *_WITHOUT_BLOBS, "--stdin", self._remote, stdin=wanted, config=config)
        if fetched.code != 0:
            raise self._failed("read", fetched.said)

    def _partial(self, remote: str) -> dict[str, str]:
        """Settings for one command, so that it does not write them to the configuration of the repository."""
        return {f"remote.{remote}.promisor": "true", f"remote.{remote}.partialCloneFilter": "blob:none"}

    def _is_shallow(self) -> bool:
        if self._shallow is None:
            self._shallow = self._run("read", "rev-parse", "--is-shallow-repository").strip() == b"true"
        return self._shallow

    # Asking git

    def _run(self, done: str, *arguments: str) -> bytes:
        answer = self._git(*arguments)
        if answer.code != 0:
            raise self._failed(done, answer.said)
        return answer.out

    def _failed(self, done: str, said: str) -> PlannerError:
        why = _last_line(said)
        if "not a git repository" in said or "cannot use bare repository" in said:
            return UsageError(
                f"--store git:{self._ref} needs a git repository",
                "Run the command inside a repository, or choose another --store.",
            )
        where = f"{self._ref} of the remote {self._remote}" if self._remote else self._ref
        if _NO_RIGHTS.search(said):
            return UsageError(f"results cannot be {done} at {where}: {why}", _RIGHTS_HINT.format(ref=self._ref))
        return StoreError(
            f"results cannot be {done} at {where}: {why}",
            "Check the network and the repository, then run the same command again.",
        )


def _split(key: str) -> re.Match[str] | None:
    """Whether the key, or folder, is in a folder that is split."""
    return _EVIDENCE.search(key) or _CALLS.search(key)


def path_of(key: str) -> str:
    """Where the file of a key is."""
    found = _split(key)
    if found is None or found["part"] is None:
        return key
    folder, _, name = key.rpartition("/")
    return f"{folder}/{found['part']}/{name}"


def _summary(changed: Mapping[str, object]) -> str:
    first = next(iter(changed))
    return f"planner: {first}" + (f" and {len(changed) - 1} more" if len(changed) > 1 else "")


def _last_line(said: str) -> str:
    """Git's most relevant message, without credentials in addresses."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    shown = [line for line in lines if re.match(r"(fatal|error|remote|!)", line)] or lines[-1:]
    text = _CREDENTIALS.sub("", next(iter(shown), "git gave no reason"))
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())

"""Where a log can be: each kind of store, opened by any number of machines, and what people and accidents do to it."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from itertools import count
from pathlib import Path
from typing import Any
from unittest.mock import patch

import obstore
from buckets import BucketServer, bucket_server
from obstore.store import S3Store
from private_git import private_git
from repositories import git, make_remote, program

from planner.ci.git import Git
from planner.log.stores.bucket import BucketStore
from planner.log.stores.chain import ChainedStore
from planner.log.stores.entries import Content, Position, make_entry
from planner.log.stores.folder import FolderStore
from planner.log.stores.git import GitStore
from planner.log.stores.store import log_name
from planner.stores.git_objects import GitAnswer

NAME = log_name()
REF = f"refs/planner/results/{NAME}"
BARE_ENVIRON = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1"}
"""No identity, no configuration, as on a machine of CI."""


class Place(ABC):
    """One log. Every `open` is another machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._opened = 0

    def open(self, writer: str = "") -> ChainedStore:
        self._opened += 1
        return self._open(writer or f"machine-{self._opened}")

    @abstractmethod
    def _open(self, writer: str) -> ChainedStore: ...

    @abstractmethod
    def spec(self) -> str:
        """For the process of a machine."""

    @abstractmethod
    def copy(self) -> Callable[[], None]:
        """A copy of the log as it is now; the function puts it back."""

    @abstractmethod
    def wipe(self) -> None:
        """Delete the log."""

    @abstractmethod
    def write_entry(self, number: int, data: bytes) -> None:
        """Write any bytes as an entry. A git ref has only the last."""

    @abstractmethod
    def failing(self, how: str) -> AbstractContextManager[None]:
        """Until the end, the store is `away`, `read-only` or `full`."""

    @abstractmethod
    def stored(self) -> tuple[int, int]:
        """The number and the size of all stored things."""

    def used(self) -> int:
        """How often the store was used: requests, or git processes."""
        return 0


class FolderPlace(Place):
    @property
    def store_folder(self) -> Path:
        return self.folder / "store"

    @property
    def entries(self) -> Path:
        return self.store_folder / NAME / "entries"

    def _open(self, writer: str) -> ChainedStore:
        return FolderStore(self.store_folder, NAME, writer)

    def spec(self) -> str:
        return json.dumps(["folder", str(self.folder)])

    def copy(self) -> Callable[[], None]:
        kept = self.folder / f"copy-{self._opened}"
        shutil.copytree(self.store_folder, kept)

        def put_back() -> None:
            self.wipe()
            shutil.copytree(kept, self.store_folder)

        return put_back

    def wipe(self) -> None:
        shutil.rmtree(self.store_folder)

    @contextmanager
    def failing(self, how: str) -> Generator[None]:
        if how == "away":
            aside = self.folder / "aside"
            self.store_folder.rename(aside)
            self.store_folder.write_bytes(b"")
            yield
            self.store_folder.unlink()
            aside.rename(self.store_folder)
            return
        name, code = ("tempfile.mkstemp", errno.EROFS) if how == "read-only" else ("os.fsync", errno.ENOSPC)
        with patch(name, side_effect=OSError(code, os.strerror(code))):
            yield

    def write_entry(self, number: int, data: bytes) -> None:
        (self.entries / f"{number:012}").write_bytes(data)

    def stored(self) -> tuple[int, int]:
        files = [path for path in self.store_folder.rglob("*") if path.is_file()]
        return len(files), sum(path.stat().st_size for path in files)


class BucketPlace(Place):
    def __init__(self, folder: Path, url: str, server: BucketServer) -> None:
        super().__init__(folder)
        self.url = url
        self.server = server

    def _open(self, writer: str) -> ChainedStore:
        return open_s3(self.url, writer)

    def spec(self) -> str:
        return json.dumps(["bucket", self.url])

    def copy(self) -> Callable[[], None]:
        kept = dict(self.server.objects)

        def put_back() -> None:
            self.wipe()
            self.server.objects.update(kept)

        return put_back

    def wipe(self) -> None:
        self.server.objects.clear()

    @contextmanager
    def failing(self, how: str) -> Generator[None]:
        everything = frozenset({"GET", "PUT", "POST", "HEAD", "DELETE"})
        status, methods = {"away": (503, everything), "read-only": (403, everything - {"GET"}), "full": (507, {"PUT"})}[
            how
        ]
        self.server.failing = status, frozenset(methods)
        yield
        self.server.failing = None

    def write_entry(self, number: int, data: bytes) -> None:
        self.server.objects[f"/results/team/{NAME}/entries/{number:012}"] = data

    def used(self) -> int:
        return self.server.requests

    def stored(self) -> tuple[int, int]:
        return len(self.server.objects), sum(map(len, self.server.objects.values()))


class CountedGit(Git):
    """Counts the commands that it runs."""

    commands: list[str]

    def __call__(self, *arguments: str, **named: Any) -> GitAnswer:
        self.commands.append(arguments[0])
        return super().__call__(*arguments, **named)


class GitPlace(Place):
    """Every machine has a clone, unless the log is in one repository only. `remote` is the address of `shared.git`."""

    def __init__(self, folder: Path, remote: str, options: tuple[str, ...] = ()) -> None:
        super().__init__(folder)
        self.remote = remote
        self.commands: list[str] = []
        self.bare = folder / "remote.git"
        self._first = folder / "first clone"
        if not self._first.exists():
            git(folder, "clone", "-q", *options, remote, str(self._first))

    def clone(self, name: str) -> Path:
        """All clones begin equal: they are copies of the first, which is quicker than to clone, above all over HTTP."""
        folder = self.folder / name
        if not folder.exists():
            shutil.copytree(self._first, folder, symlinks=True)
        return folder

    def _open(self, writer: str) -> ChainedStore:
        return GitStore(self.git(self.clone(writer)), REF, "origin", writer)

    def git(self, folder: Path) -> Git:
        counted = CountedGit(folder, BARE_ENVIRON)
        counted.commands = self.commands
        return counted

    def spec(self) -> str:
        return json.dumps(["git", str(self.folder), self.remote])

    def copy(self) -> Callable[[], None]:
        tip = git(self.bare, "rev-parse", REF)

        def put_back() -> None:
            git(self.bare, "update-ref", REF, tip)

        return put_back

    def wipe(self) -> None:
        git(self.bare, "update-ref", "-d", REF)

    @contextmanager
    def failing(self, how: str) -> Generator[None]:
        repository = self.repository
        if how == "away":
            repository.rename(self.folder / "aside")
            yield
            (self.folder / "aside").rename(repository)
        elif how == "read-only":
            hook = program(repository / "hooks" / "pre-receive", "echo this repository is archived; exit 1")
            yield
            hook.unlink()
        else:
            git(self.bare, "config", "receive.maxInputSize", "1")
            yield
            git(self.bare, "config", "--unset", "receive.maxInputSize")

    @property
    def repository(self) -> Path:
        """The folder in which git keeps the log."""
        return self.bare

    def write_entry(self, number: int, data: bytes) -> None:
        del number
        blob = self.write_blob(data)
        self.write_tree(f"100644 blob {blob}\tentry\n")

    def write_blob(self, data: bytes) -> str:
        words = ["git", "hash-object", "-w", "--stdin"]
        return subprocess.run(words, cwd=self.bare, input=data, capture_output=True, check=True).stdout.decode().strip()

    def write_tree(self, entries: str) -> None:
        """Add a commit with this tree, in the format of `git mktree`."""
        ran = subprocess.run(
            ["git", "mktree", "--missing"], cwd=self.bare, input=entries.encode(), capture_output=True, check=True
        )
        listed = git(self.bare, "for-each-ref", "--format=%(objectname)", REF)
        parents = ["-p", listed] if listed else []
        commit = git(self.bare, "commit-tree", "-m", "x", *parents, ran.stdout.decode().strip())
        git(self.bare, "update-ref", REF, commit)

    def used(self) -> int:
        return len(self.commands)

    def stored(self) -> tuple[int, int]:
        sizes = git(self.bare, "cat-file", "--batch-all-objects", "--batch-check=%(objectsize)").split()
        return len(sizes), sum(map(int, sizes))


class LonelyGitPlace(GitPlace):
    """A ref of one repository, without a remote."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, str(folder / "remote.git"))
        self.bare = self.clone("alone")

    def _open(self, writer: str) -> ChainedStore:
        return GitStore(self.git(self.bare), REF, None, writer)

    @property
    def repository(self) -> Path:
        return self.bare / ".git"

    def spec(self) -> str:
        return json.dumps(["alone", str(self.folder)])


def open_s3(url: str, writer: str) -> BucketStore:
    bucket = S3Store(
        "results",
        prefix="team",
        endpoint=url,
        access_key_id="id",
        secret_access_key="secret",
        region="eu-central-1",
        client_options={"allow_http": True, "timeout": "20s"},
        retry_config={"max_retries": 1},
    )
    return BucketStore(bucket, "s3://results/team", NAME, writer)


KINDS = ("folder", "bucket", "git")
ALL_KINDS = (*KINDS, "shallow", "http", "alone")
"""With every way to reach a git ref."""


@contextmanager
def make_place(kind: str, folder: Path) -> Generator[Place]:
    """`git` is a clone of a bare repository on disk, `shallow` a shallow one, `http` one that is served, `alone` a
    repository without a remote."""
    if kind == "folder":
        yield FolderPlace(folder)
        return
    if kind == "bucket":
        with bucket_server() as server:
            yield BucketPlace(folder, server.url, server)
        return
    make_remote(folder, {"README": "x"})
    if kind == "alone":
        yield LonelyGitPlace(folder)
    elif kind == "http":
        git(folder / "remote.git", "config", "http.receivepack", "true")
        with private_git(folder) as url:
            yield GitPlace(folder, url.replace("://", "://x-access-token:writer@") + "/remote.git")
    else:
        yield GitPlace(folder, f"file://{folder}/remote.git", ("--depth=1",) if kind == "shallow" else ())


def _reopen(spec: str, writer: str) -> ChainedStore:
    kind, *where = json.loads(spec)
    if kind == "folder":
        return FolderPlace(Path(where[0])).open(writer)
    if kind == "bucket":
        return open_s3(where[0], writer)
    if kind == "alone":
        return LonelyGitPlace(Path(where[0])).open(writer)
    return GitPlace(Path(where[0]), where[1]).open(writer)


def entry_after(at: str, *lines: str, writer: str = "somebody", **fields: Any) -> bytes:
    """The bytes of the entry after this position. `fields` of its header are replaced."""
    data = make_entry(Position.parse(at), writer, Content(lines)).data
    header, _, body = data.partition(b"\n")
    return json.dumps(json.loads(header) | fields).encode() + b"\n" + body


def die_before(step: int) -> None:
    """Kill this process before its effect of this number: a file gets or loses its name, a request, a git that writes."""
    effects = {"os.link", "os.rename", "os.remove", "os.mkdir", "obstore"}
    writing = {"push", "fetch", "fast-import", "update-ref"}
    counted = count(1)

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        is_writing = event == "subprocess.Popen" and not writing.isdisjoint(arguments[1])
        if (event in effects or is_writing) and next(counted) == step:
            os.kill(os.getpid(), signal.SIGKILL)

    for name in ("put", "delete"):
        setattr(obstore, name, _audited(getattr(obstore, name)))
    sys.addaudithook(audit)


def _audited(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any, **named: Any) -> Any:
        sys.audit("obstore")
        return function(*arguments, **named)

    return call


def machine(spec: str, writer: str, command: str, wanted: int, step: int, position: str) -> int:
    """The work of a process. `spec` is what `Place.spec` returns. `append` appends `wanted` lines, one at a time, and prints
    each that was appended; `checkpoint` makes `wanted` checkpoints. The machine reads from `position` on, and kills itself
    before its effect of this number on the store (0: never)."""
    store = _reopen(spec, writer)
    die_before(step)
    number = 0
    while number < wanted:
        _, position = store.read(position)
        line = f"{writer} {number}"
        done = store.append([line], position) if command == "append" else store.checkpoint(position, ["open"])
        if done is not None:
            position, number = done, number + 1
            print(line, flush=True)  # noqa: T201 - read by the test
    return 0

"""Objects of a git repository: one process reads blobs and trees, and `git fast-import` writes commits."""

from __future__ import annotations

import re
import weakref
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha1, sha256
from types import MappingProxyType
from typing import IO, Final, NamedTuple, Protocol

from planner.errors import StoreError
from planner.stores.read_ahead import ReadAhead
from planner.values import frozen

_TREE_MODE: Final = "040000"
_BLOB_MODE: Final = "100644"
_SHA1_DIGITS: Final = 40
_QUESTIONS: Final = 60
"""Objects that are asked for at once. Git reads no further until its answers are read, so all questions must fit into a
pipe: 4 KB everywhere."""
_ENTRIES: Final = {size: re.compile(rb"(\d+) ([^\0]+)\0(.{%d})" % size, re.DOTALL) for size in (20, 32)}
"""By the number of bytes of an id."""
_COMMITTER: Final = "planner <planner@localhost>"
_UNUSED_REF: Final = "refs/planner-writing"
_HINT: Final = "Check the repository (git fsck), then run the same command again."


@frozen
class GitAnswer:
    """Exit code, standard output and standard error of a command."""

    code: int
    out: bytes
    said: str


class GitProcess(Protocol):
    """A running command."""

    @property
    def stdin(self) -> IO[bytes] | None: ...
    @property
    def stdout(self) -> IO[bytes] | None: ...
    def wait(self) -> int: ...


class GitRunner(Protocol):
    """Runs git in the repository. Raises `UsageError` if git is missing, `StoreError` if it does not answer."""

    def __call__(
        self,
        *arguments: str,
        stdin: bytes = b"",
        config: Mapping[str, str] = MappingProxyType({}),
    ) -> GitAnswer: ...

    def open(self, *arguments: str) -> GitProcess:
        """Start a command that answers on its standard output what is asked on its standard input."""
        ...


@frozen
class Base:
    """What a new commit begins with: `parent` and its tree, or without a parent `tree`, or nothing. `like` is an id of
    the repository."""

    like: str
    parent: str = ""
    tree: str = ""


class Tree(NamedTuple):
    """The ids of the files and folders in a folder, by name."""

    files: Mapping[str, str]
    folders: Mapping[str, str]


_EMPTY: Final = Tree({}, {})


class GitObjects:
    """Reads objects by id, and makes commits."""

    def __init__(self, git: GitRunner) -> None:
        self._git = git
        self._reader: GitProcess | None = None
        self._trees: dict[str, Tree] = {}
        self._ahead = ReadAhead(self._read_together, _QUESTIONS)
        self.expect = self._ahead.expect

    # Reading

    def blob(self, oid: str) -> bytes | None:
        """The content of a blob; None if this repository does not have it."""
        found = self._ahead.take(oid)
        return self._read(oid) if found is None else found

    def _read_together(self, oids: Sequence[str]) -> dict[str, bytes]:
        self._ask(oids)
        found = {oid: self._answer(oid) for oid in oids}
        return {oid: data for oid, data in found.items() if data is not None}

    def read_commit(self, oid: str) -> str:
        data = self._read(oid)
        if data is None:
            raise _broken(oid)
        return data.decode(errors="replace")

    def tree(self, oid: str) -> Tree:
        """The entries of a tree; none for ""."""
        if oid and oid not in self._trees:
            data = self._read(oid)
            if data is None:
                raise _broken(oid)
            self._trees[oid] = _entries(data, len(oid) // 2)
        return self._trees.get(oid, _EMPTY)

    def missing(self, oids: Iterable[str]) -> list[str]:
        """Those of these objects that this repository does not have."""
        asked = "".join(f"{oid}\n" for oid in oids).encode()
        found = self._git("cat-file", "--batch-check=%(objectname)", "--buffer", stdin=asked)
        if found.code != 0:
            raise StoreError(f"git cannot list its objects: {found.said}", _HINT)
        lines = found.out.decode().splitlines()
        return [line.removesuffix(" missing") for line in lines if line.endswith(" missing")]

    def _read(self, oid: str) -> bytes | None:
        self._ask([oid])
        return self._answer(oid)

    def _ask(self, oids: Sequence[str]) -> None:
        reader = self._reader
        if reader is None:
            reader = self._reader = self._git.open("cat-file", "--batch")
            weakref.finalize(self, _stop, reader)
        if reader.stdin is None:
            raise _broken(oids[0])
        try:
            reader.stdin.write("".join(f"{oid}\n" for oid in oids).encode())
            reader.stdin.flush()
        except (OSError, ValueError) as error:
            raise _broken(oids[0]) from error

    def _answer(self, oid: str) -> bytes | None:
        reader = self._reader
        if reader is None or reader.stdout is None:
            raise _broken(oid)
        try:
            said = reader.stdout.readline().split()
            if len(said) == 2 and said[1] == b"missing":
                return None
            data = reader.stdout.read(int(said[2]) + 1)
        except (OSError, ValueError, IndexError) as error:
            raise _broken(oid) from error
        return data[:-1]

    # Writing

    def blob_id(self, data: bytes, like: str) -> str:
        """The id of a blob with this content, in the format of the id `like`."""
        digest = sha1(usedforsecurity=False) if len(like) == _SHA1_DIGITS else sha256()
        digest.update(f"blob {len(data)}\0".encode() + data)
        return digest.hexdigest()

    def commit(self, base: Base, writes: Mapping[str, bytes | None], message: str) -> GitAnswer:
        """Make a commit on no ref, and answer with its id: the tree of `base` with these files written (None: deleted).
        Git reads and writes only the folders of these files."""
        text = message.encode()
        stream = [
            f"commit {_UNUSED_REF}\nmark :1\ncommitter {_COMMITTER} now\ndata {len(text)}\n".encode(),
            text,
            f"\nfrom {base.parent}\n".encode() if base.parent else b"\n",
            f'M {_TREE_MODE} {base.tree} ""\n'.encode() if base.tree and not base.parent else b"",
        ]
        for path, data in writes.items():
            if data is None:
                stream.append(f"D {path}\n".encode())
            else:
                stream += [f"M {_BLOB_MODE} inline {path}\ndata {len(data)}\n".encode(), data, b"\n"]
        # Reset to the null id: the ref is never made.
        stream.append(f"get-mark :1\nreset {_UNUSED_REF}\nfrom {'0' * len(base.like)}\n\ndone\n".encode())
        return self._git("fast-import", "--quiet", "--done", "--date-format=now", stdin=b"".join(stream))


def _stop(reader: GitProcess) -> None:
    for pipe in (reader.stdin, reader.stdout):
        if pipe is not None:
            pipe.close()
    reader.wait()


def _broken(oid: str) -> StoreError:
    return StoreError(f"git cannot read its object {oid}", _HINT)


def _entries(data: bytes, id_bytes: int) -> Tree:
    """Parse a tree: mode, name, id, one after the other."""
    found = _ENTRIES[id_bytes].findall(data)
    # Names decoded together: there are many thousands.
    names = b"\0".join([name for _, name, _ in found]).decode(errors="surrogateescape").split("\0")
    files: dict[str, str] = {}
    folders: dict[str, str] = {}
    for name, (mode, _, oid) in zip(names, found, strict=False):
        (folders if mode == b"40000" else files)[name] = oid.hex()
    return Tree(files, folders)

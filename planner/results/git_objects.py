"""Objects of a git repository: blobs and trees are read by one process, and written as one pack.

Trees are changed only where a key changes, so the cost of a write does not grow with what is stored.
"""

from __future__ import annotations

import struct
import weakref
import zlib
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha1, sha256
from types import MappingProxyType
from typing import IO, Final, NamedTuple, Protocol, TypeAlias

from planner.errors import StoreError
from planner.values import frozen

MOST_LOOSE_OBJECTS: Final = 100
"""Git keeps this many objects of a pack as single files, so that packs do not become too many."""

_TREE_MODE: Final = b"40000"
_BLOB_MODE: Final = b"100644"
_SHA1_DIGITS: Final = 40
_PACK_TYPES: Final = {"tree": 2, "blob": 3}
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
        extra: Mapping[str, str] | None = None,
        config: Mapping[str, str] = MappingProxyType({}),
    ) -> GitAnswer: ...

    def open(self, *arguments: str) -> GitProcess:
        """Start a command that answers on its standard output what is asked on its standard input."""
        ...


class _Digest(Protocol):
    def update(self, data: bytes, /) -> None: ...
    def digest(self) -> bytes: ...
    def hexdigest(self) -> str: ...


class Entry(NamedTuple):
    """An entry of a tree."""

    oid: str
    is_tree: bool


Tree: TypeAlias = Mapping[str, Entry]


class GitObjects:
    """Reads objects by id, and collects new ones until `write`."""

    def __init__(self, git: GitRunner) -> None:
        self._git = git
        self._reader: GitProcess | None = None
        self._trees: dict[str, Tree] = {}
        self._new: dict[str, tuple[str, bytes]] = {}

    # Reading

    def blob(self, oid: str) -> bytes | None:
        """The content of a blob; None if this repository does not have it."""
        return self._read(oid)

    def commit(self, oid: str) -> str:
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
        return self._trees.get(oid, {})

    def missing(self, oids: Iterable[str]) -> list[str]:
        """Those of these objects that this repository does not have."""
        asked = "".join(f"{oid}\n" for oid in oids).encode()
        found = self._git("cat-file", "--batch-check=%(objectname)", "--buffer", stdin=asked)
        if found.code != 0:
            raise StoreError(f"git cannot list its objects: {found.said}", _HINT)
        lines = found.out.decode().splitlines()
        return [line.removesuffix(" missing") for line in lines if line.endswith(" missing")]

    def _read(self, oid: str) -> bytes | None:
        reader = self._reader
        if reader is None:
            reader = self._reader = self._git.open("cat-file", "--batch")
            weakref.finalize(self, _stop, reader)
        if reader.stdin is None or reader.stdout is None:
            raise _broken(oid)
        try:
            reader.stdin.write(f"{oid}\n".encode())
            reader.stdin.flush()
            said = reader.stdout.readline().split()
            if len(said) == 2 and said[1] == b"missing":
                return None
            data = reader.stdout.read(int(said[2]) + 1)
        except (OSError, ValueError, IndexError) as error:
            raise _broken(oid) from error
        return data[:-1]

    # Writing

    def add_blob(self, data: bytes, like: str) -> str:
        """The id of a new blob, in the format of the id `like`."""
        return self._add("blob", data, like)

    def add_tree(self, entries: Tree, like: str) -> str:
        oid = self._add("tree", _tree_bytes(entries), like)
        self._trees[oid] = entries
        return oid

    def _add(self, kind: str, data: bytes, like: str) -> str:
        digest = _new_digest(like)
        digest.update(f"{kind} {len(data)}\0".encode() + data)
        oid = digest.hexdigest()
        self._new[oid] = (kind, data)
        return oid

    def discard(self) -> None:
        """Forget the new objects."""
        self._new.clear()

    def write(self) -> None:
        """Store the new objects durably. Raises `StoreError`."""
        if not self._new:
            return
        oid = next(iter(self._new))
        objects = list(self._new.values())
        self._new.clear()
        pack = _pack(objects, _new_digest(oid))
        is_small = len(objects) < MOST_LOOSE_OBJECTS
        command = ("unpack-objects", "-q") if is_small else ("index-pack", "--stdin")
        done = self._git(*command, stdin=pack)
        if done.code != 0:
            raise StoreError(f"git cannot store its objects: {done.said}", _HINT)


def _new_digest(like: str) -> _Digest:
    """SHA-1, or SHA-256 in a repository with longer ids."""
    return sha1(usedforsecurity=False) if len(like) == _SHA1_DIGITS else sha256()


def _stop(reader: GitProcess) -> None:
    for pipe in (reader.stdin, reader.stdout):
        if pipe is not None:
            pipe.close()
    reader.wait()


def _broken(oid: str) -> StoreError:
    return StoreError(f"git cannot read its object {oid}", _HINT)


def _entries(data: bytes, id_bytes: int) -> dict[str, Entry]:
    """Parse a tree: mode, name, id, one after the other."""
    found: dict[str, Entry] = {}
    at = 0
    while at < len(data):
        name_ends = data.index(b"\0", at)
        mode, _, name = data[at:name_ends].partition(b" ")
        at = name_ends + 1 + id_bytes
        found[name.decode(errors="surrogateescape")] = Entry(data[name_ends + 1 : at].hex(), mode == _TREE_MODE)
    return found


def _tree_bytes(entries: Tree) -> bytes:
    """Git sorts a tree as if it had a slash after its name."""
    ordered = sorted(
        ((name.encode(errors="surrogateescape"), entry) for name, entry in entries.items()),
        key=lambda item: item[0] + b"/" if item[1].is_tree else item[0],
    )
    return b"".join(
        (_TREE_MODE if entry.is_tree else _BLOB_MODE) + b" " + name + b"\0" + bytes.fromhex(entry.oid)
        for name, entry in ordered
    )


def _pack(objects: Sequence[tuple[str, bytes]], digest: _Digest) -> bytes:
    """A pack file: a header, the compressed objects, and a digest of both."""
    parts = [b"PACK" + struct.pack(">II", 2, len(objects))]
    for kind, data in objects:
        parts += [_object_header(_PACK_TYPES[kind], len(data)), zlib.compress(data)]
    pack = b"".join(parts)
    digest.update(pack)
    return pack + digest.digest()


def _object_header(kind: int, size: int) -> bytes:
    """Type and size: four bits of the size in the first byte, seven in each that follows, lowest first."""
    header = bytearray([kind << 4 | size & 15])
    size >>= 4
    while size:
        header[-1] |= 128
        header.append(size & 127)
        size >>= 7
    return bytes(header)

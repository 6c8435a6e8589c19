"""Where the files of facts are, and which of them count."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple, Protocol

from planner.errors import UsageError
from planner.results.repository import StoredFile

CALLS: Final = "calls/"
SESSIONS: Final = "sessions/"


class Files(Protocol):
    """The part of a store that is read here. Methods raise `StoreError`."""

    def files(self, prefix: str) -> Iterator[StoredFile]:
        """The files whose keys begin with the prefix, sorted by key."""
        ...

    def file_keys(self, prefix: str) -> Iterator[str]: ...

    def prepare(self, prefixes: Sequence[str]) -> None:
        """These folders will be read: fetch them in one request, where that is possible."""
        ...

    def file(self, key: str) -> StoredFile | None: ...


class VersionedFiles(Files, Protocol):
    """A part of a store that notices changes without reading."""

    def versions(self, prefix: str) -> Mapping[str, str]:
        """The files whose keys begin with the prefix, and for each a text that changes when the file does."""
        ...

    def verified_state(self) -> tuple[int, str]:
        """Identifies what this machine has verified by now, which decides which files are trusted."""
        ...

    def is_still_verified(self, state: tuple[int, str]) -> bool:
        """Whether all that was verified then still is."""
        ...


class Scope(NamedTuple):
    """Which facts count.

    Args:
        environments: the spellings of the environment's name (a shared store may redact it); None: all count.
        project: sessions of other projects of the repository do not count, but their calls do.
        trusted_ref: the ref of the default branch, whose workflows judge with its own code; "" if there is none.
        now: facts with a later time are ignored, with a warning (`warn`); None: no time is too late.
    """

    environments: Sequence[str] | None
    project: str = ""
    trusted_ref: str = ""
    now: datetime | None = None
    warn: Callable[[str], None] = lambda _: None


def folder_of(call_fingerprint: str) -> str:
    """The folder of the calls with this fingerprint, with a slash at the end."""
    return f"{CALLS}{call_fingerprint.removeprefix('sha256:')}/"


class Refused(NamedTuple):
    """A file that may not be read."""

    key: str
    why: str


def file_of(files: Files, key: str) -> StoredFile | Refused | None:
    """A bucket may refuse single objects."""
    try:
        return files.file(key)
    except UsageError as error:
        return Refused(key, f"{error}. {error.hint}")

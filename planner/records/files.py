"""Where the files of facts are, and which of them count."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Final, NamedTuple, Protocol

from planner.errors import UsageError
from planner.records.facts import FACT, Fact, PartSummary, SessionHead
from planner.results.repository import StoredFile

CALLS: Final = "calls/"
SESSIONS: Final = "sessions/"


class Files(Protocol):
    """The part of a store that is read here. Methods raise `StoreError`."""

    def files(self, prefix: str) -> Iterator[StoredFile]:
        """The files whose keys begin with the prefix, sorted by key."""
        ...

    def file_keys(self, prefix: str) -> Iterator[str]: ...

    def list_ahead(self, folders: Sequence[str]) -> None:
        """The files in these folders will be listed: list them once and together, where that is faster. Forget what was
        listed before."""
        ...

    def prepare(self, keys: Sequence[str]) -> None:
        """These files will be read: fetch them in one request, where that is possible."""
        ...

    def file(self, key: str) -> StoredFile | None: ...


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
    """A file that cannot be read, and why."""

    key: str
    why: str


def file_of(files: Files, key: str) -> StoredFile | Refused | None:
    """A bucket may refuse single objects."""
    try:
        return files.file(key)
    except UsageError as error:
        return Refused(key, f"{error}. {error.hint}")


def part_key(call_fingerprint: str, session_id: str, number: int) -> str:
    return f"{folder_of(call_fingerprint)}{session_id}-{number}.jsonl"


def head_key(session_id: str) -> str:
    return f"{SESSIONS}{session_id}.json"


def part_bytes(facts: Iterable[Fact]) -> bytes:
    return b"".join(FACT.dump_json(fact) + b"\n" for fact in facts)


def summary_of(data: bytes) -> PartSummary:
    return PartSummary(lines=data.count(b"\n"), digest=sha256(data).hexdigest())


def files_of(head: SessionHead, parts: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files of a session: its parts, then its head."""
    summaries = {**head.parts, **{key: summary_of(data) for key, data in parts.items()}}
    whole = head.model_copy(update={"parts": summaries})
    return {**parts, head_key(head.session_id): whole.model_dump_json().encode()}

"""What a log consists of: numbered entries, each with the digest of the one before it, so that no two copies of a log
that differ can be confused.

An entry is one line of JSON (`Header`), then the lines that were appended, each ended by a newline. The header has the
digest of these lines; the digest of an entry is that of its header. A segment is a sequence of entries, byte by byte.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from hashlib import sha256
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from planner.log.stores.store import MAX_LINE_BYTES
from planner.values import frozen

DIGEST: Final = re.compile(r"[0-9a-f]{64}")

_LAST_NUMBER: Final = 10**12 - 1
_POSITION: Final = re.compile(r"([1-9][0-9]{0,11})\.([1-9][0-9]{0,11})\.([0-9a-f]{64})")
_LONGEST_HEADER_BYTES: Final = 64 * 1024 * 1024
_NEWLINE: Final = ord("\n")

Number = Annotated[int, Field(ge=1, le=_LAST_NUMBER)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
ObjectId = Annotated[str, Field(pattern=r"^[0-9a-f]{40}([0-9a-f]{24})?$")]


class DamagedEntryError(ValueError):
    """These bytes are not what an entry has."""


class Segment(BaseModel):
    """Replaces entries. `last` is the number of the last one in it."""

    model_config = ConfigDict(frozen=True)

    digest: Digest
    last: Number


class Header(BaseModel):
    """The first line of an entry. Fields that this version does not know are ignored."""

    model_config = ConfigDict(frozen=True)

    planner_log: Literal[1]
    """The version of this format."""
    number: Number
    start: Number
    """The number of the last checkpoint, or 1: reading begins there."""
    after: Digest | Literal[""]
    """The digest of the entry before this one."""
    writer: Annotated[str, Field(max_length=200)]
    """Tells equal entries of two machines apart."""
    size: Annotated[int, Field(ge=0)]
    """Of the lines, in bytes."""
    body: Digest
    """Of the lines."""
    segments: Sequence[Segment] = ()
    """A checkpoint: what it replaces."""
    documents: Mapping[Digest, ObjectId] = {}
    """In a git ref: the objects of documents that were stored with this entry."""
    deleted: Sequence[Digest] = ()
    """In a git ref: documents that were deleted."""


@frozen
class Entry:
    """`data` are the bytes of the entry, `digest` is that of its header."""

    header: Header
    data: bytes
    digest: str

    @property
    def lines(self) -> list[str]:
        if self.header.size == 0:
            return []
        lines = self.data[-self.header.size : -1].split(b"\n")
        if self.header.size > MAX_LINE_BYTES:
            lines = [line[:MAX_LINE_BYTES] for line in lines]
        return [line.decode("utf-8", "replace") for line in lines]

    @property
    def position(self) -> Position:
        return Position(self.header.number, self.header.start, self.digest)


@frozen
class Position:
    """How far a log was read: the number and the digest of the last entry, and where its checkpoint is."""

    number: int = 0
    start: int = 1
    digest: str = ""

    @classmethod
    def parse(cls, text: str) -> Position:
        """Raises `ValueError` if this is no position."""
        if not text:
            return cls()
        found = _POSITION.fullmatch(text)
        if found is None:
            raise ValueError(f"not a position of a log: {text[:100]!r}")
        return cls(int(found[1]), int(found[2]), found[3])

    def __str__(self) -> str:
        return f"{self.number}.{self.start}.{self.digest}" if self.number else ""


@frozen
class Content:
    """What an entry holds. `segments`: it is a checkpoint, and they replace all entries before it."""

    lines: Sequence[str] = ()
    segments: Sequence[Segment] = ()
    documents: Mapping[str, str] = field(default_factory=dict[str, str])
    deleted: Sequence[str] = ()


def check_lines(lines: Iterable[str]) -> list[bytes]:
    """As UTF-8. Raises `ValueError` for lines that cannot be stored."""
    encoded = [line.encode() for line in lines]
    if any(not line or b"\n" in line or len(line) > MAX_LINE_BYTES for line in encoded):
        raise ValueError(f"a line of a log has 1 to {MAX_LINE_BYTES:,} bytes and no newline")
    return encoded


def make_entry(at: Position, writer: str, content: Content) -> Entry:
    """The entry after `at`. Raises `ValueError` for lines that cannot be stored."""
    body = b"".join(line + b"\n" for line in check_lines(content.lines))
    number = at.number + 1
    header = Header(
        planner_log=1,
        number=number,
        start=number if content.segments else at.start,
        after=at.digest,
        writer=writer,
        size=len(body),
        body=sha256(body).hexdigest(),
        segments=content.segments,
        documents=content.documents,
        deleted=content.deleted,
    )
    first_line = header.model_dump_json(exclude_defaults=True).encode()
    return Entry(header, first_line + b"\n" + body, sha256(first_line).hexdigest())


def parse_entries(data: bytes) -> Iterator[Entry]:
    """The entries of a segment. Raises `DamagedEntryError`."""
    at = 0
    while at < len(data):
        end_of_header = data.find(b"\n", at, at + _LONGEST_HEADER_BYTES) + 1
        if not end_of_header:
            raise DamagedEntryError("its first line has no end")
        first_line = data[at : end_of_header - 1]
        header = _header(first_line)
        end = end_of_header + header.size
        body = memoryview(data)[end_of_header:end]
        if len(body) < header.size or (body and body[-1] != _NEWLINE) or sha256(body).hexdigest() != header.body:
            raise DamagedEntryError("its lines are not those that were written")
        yield Entry(header, data[at:end], sha256(first_line).hexdigest())
        at = end


def _header(line: bytes) -> Header:
    try:
        header = Header.model_validate_json(line)
    except ValidationError as error:
        raise DamagedEntryError("its first line cannot be read") from error
    if not header.start <= header.number or bool(header.segments) != (header.start == header.number > 1):
        raise DamagedEntryError("its first line contradicts itself")
    return header

"""Reading, appending and checkpoints, the same in every store: a chain of numbered entries.

A store only has to create an entry under its number if there is none, and to say which numbers there are. Two writers
that decided from the same log create the same number, and one of them fails: that is the comparison.

After a checkpoint, the entries that it replaces are removed, and their numbers could be created again. So a writer
looks at the chain after it has created an entry: if the entry does not belong to it, it does not count. Every reader
comes to the same answer, because reading begins at the last checkpoint (`Header.start` of the last entry), which was
created before anything was removed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from hashlib import sha256
from threading import RLock
from typing import Final

from planner.errors import StoreError
from planner.log.stores.entries import (
    DIGEST,
    Content,
    DamagedEntryError,
    Entry,
    Position,
    Segment,
    make_entry,
    parse_entries,
    parse_entry,
)
from planner.log.stores.store import MAX_EVIDENCE_BYTES, START, LogWentBackError, Store
from planner.values import frozen

_READS: Final = 5
"""A checkpoint may remove entries while they are read; then the next read begins at the checkpoint."""
_RESTORE: Final = "Put back a copy of it; or delete it, and run planner reconcile to append this machine's facts again."


@frozen
class NewSegment:
    digest: str
    data: bytes


class ChainedStore(Store, ABC):
    """A `Store` over the primitives below, which subclasses have. `where` is for messages.

    `writer` must be unique to this object (a session and a number): by it, an append whose answer was lost is known
    from the same append by another machine.
    """

    def __init__(self, where: str, writer: str) -> None:
        self._where = where
        self._writer = writer
        self._lock = RLock()
        self._confirmed = Position()
        """A position at which this object has seen the log: nobody has to look again whether it is there."""

    # What a store is made of. Numbers are in ascending order. Called under the lock.

    @abstractmethod
    def _numbers(self, first: int) -> Sequence[int]:
        """The numbers of the entries from `first` on, as of now. A git ref fetches."""

    @abstractmethod
    def _load(self, numbers: Sequence[int]) -> Sequence[bytes | None]:
        """The bytes of these entries; None for one that is not there."""

    @abstractmethod
    def _create(self, entry: Entry, segment: NewSegment | None) -> bool:
        """Store the segment, then the entry, at once and durably; False if there is another entry of this number."""

    @abstractmethod
    def _load_segment(self, digest: str) -> bytes | None: ...

    @abstractmethod
    def _remove_before(self, number: int) -> None:
        """Remove the entries before a checkpoint."""

    @abstractmethod
    def _withdraw(self, number: int) -> None:
        """Remove an entry that this object created, and that does not count."""

    @abstractmethod
    def _put_document(self, digest: str, document: bytes) -> None: ...

    @abstractmethod
    def _get_document(self, digest: str) -> bytes | None: ...

    @abstractmethod
    def _delete_documents(self, digests: Sequence[str]) -> None: ...

    def _content(self, content: Content) -> Content:
        """What is stored together with the lines of an append."""
        return content

    # Reading

    def read(self, after: str = START) -> tuple[list[str], str]:
        known = Position.parse(after)
        with self._lock:
            entries = self._read(known)
            end = entries[-1].position if entries else known
            self._confirmed = end
        return [line for entry in entries for line in entry.lines], str(end)

    def _read(self, known: Position) -> list[Entry]:
        for _ in range(_READS):
            entries = self._entries_after(known, self._numbers(known.number))
            if entries is not None:
                return entries
        raise StoreError(f"{self._where} lacks some of its entries", _RESTORE)

    def _entries_after(self, known: Position, numbers: Sequence[int]) -> list[Entry] | None:
        """The entries after a position; None if entries are missing, or were removed meanwhile. `numbers` are those
        from the position's on."""
        newer = [number for number in numbers if number > known.number]
        if not newer:
            return self._nothing_new(known, numbers)
        loaded = self._load(newer)
        if loaded[-1] is None:
            return None
        last = self._parse(newer[-1], loaded[-1])
        entries = [
            self._parse(number, data)
            for number, data in zip(newer[:-1], loaded, strict=False)
            if number >= last.header.start and data is not None
        ]
        entries.append(last)
        if last.header.start > known.number:
            replaced = self._replaced(entries[0], known)
            if replaced is None:
                return None
            entries = [*replaced, *entries]
        return self._verified(entries, known)

    def _nothing_new(self, known: Position, numbers: Sequence[int]) -> list[Entry] | None:
        if known.number == 0:
            return []
        if not numbers:
            raise LogWentBackError(self._where)
        data = self._load([known.number])[0]
        if data is None:
            return None
        if self._parse(known.number, data).digest != known.digest:
            raise LogWentBackError(self._where)
        return []

    def _replaced(self, checkpoint: Entry, known: Position) -> list[Entry] | None:
        """The entries in the segments of a checkpoint, from the first segment on that has new ones."""
        entries: list[Entry] = []
        for segment in checkpoint.header.segments:
            if segment.last <= known.number:
                continue
            data = self._load_segment(segment.digest)
            if data is None:
                return None
            if sha256(data).hexdigest() != segment.digest:
                raise StoreError(f"a segment of {self._where} is damaged", _RESTORE)
            with self._naming("a segment"):
                entries += parse_entries(data)
        return [entry for entry in entries if entry.header.number > known.number]

    def _verified(self, entries: list[Entry], known: Position) -> list[Entry] | None:
        before = known
        for entry in entries:
            if entry.header.number != before.number + 1:
                return None
            if entry.header.after != before.digest:
                if before is known and known.number:
                    raise LogWentBackError(self._where)
                raise StoreError(f"entry {entry.header.number} of {self._where} does not follow the last", _RESTORE)
            before = entry.position
        return entries

    def _parse(self, number: int, data: bytes) -> Entry:
        with self._naming(f"entry {number}"):
            entry = parse_entry(data)
            if entry.header.number != number:
                raise DamagedEntryError("it has another number")
        return entry

    @contextmanager
    def _naming(self, what: str) -> Generator[None]:
        try:
            yield
        except DamagedEntryError as error:
            raise StoreError(f"{what} of {self._where} is damaged: {error}", _RESTORE) from error

    # Writing

    def append(self, lines: Sequence[str], at: str) -> str | None:
        known = Position.parse(at)
        with self._lock:
            return self._append(known, self._content(Content(lines)))

    def _append(self, known: Position, content: Content, segment: NewSegment | None = None) -> str | None:
        entry = make_entry(known, self._writer, content)
        if known not in (Position(), self._confirmed) and not self._is_there(known):
            return None
        if not self._create(entry, segment):
            return None
        if not self._counts(entry, known):
            return None
        self._confirmed = entry.position
        return str(entry.position)

    def _is_there(self, known: Position) -> bool:
        """False if a checkpoint replaced the entry at this position. Raises if it was lost."""
        data = self._load([known.number])[0]
        if data is not None and self._parse(known.number, data).digest == known.digest:
            return True
        self._read(known)
        return False

    def _counts(self, entry: Entry, known: Position) -> bool:
        """Whether an entry that was created belongs to the chain."""
        try:
            numbers = self._numbers(max(known.number, 1))
            if list(numbers) == [number for number in (known.number, entry.header.number) if number]:
                return True
            entries = self._read(known)
            counts = bool(entries) and entries[0].digest == entry.digest
        except LogWentBackError:
            self._withdraw(entry.header.number)
            raise
        if not counts:
            self._withdraw(entry.header.number)
        return counts

    def checkpoint(self, at: str, open_lines: Sequence[str] = ()) -> str | None:
        known = Position.parse(at)
        if known.number == 0:
            return at
        with self._lock:
            entries = self._replaceable(known)
            if entries is None:
                return None
            data = b"".join(entry.data for entry in entries)
            segment = NewSegment(sha256(data).hexdigest(), data)
            segments = (*entries[0].header.segments, Segment(digest=segment.digest, last=known.number))
            end = self._append(known, self._content(Content(open_lines, segments)), segment)
            if end is None:
                return None
            stored = self._load_segment(segment.digest)
            if stored != data:
                raise StoreError(f"{self._where} did not store a segment as it was written", "Nothing was removed.")
            self._remove_before(known.number + 1)
            return end

    def _replaceable(self, known: Position) -> list[Entry] | None:
        """The entries since the last checkpoint; None if another checkpoint replaced them."""
        numbers = range(known.start, known.number + 1)
        loaded = [data for data in self._load(numbers) if data is not None]
        if len(loaded) == len(numbers):
            entries = [self._parse(number, data) for number, data in zip(numbers, loaded, strict=True)]
            before = Position(known.start - 1, 1, entries[0].header.after)
            if self._verified(entries, before) and entries[-1].position == known:
                return entries
        self._read(known)  # raises if it was lost
        return None

    # Documents

    def put(self, document: bytes) -> str:
        if len(document) > MAX_EVIDENCE_BYTES:
            raise ValueError(f"a document has at most {MAX_EVIDENCE_BYTES:,} bytes")
        digest = sha256(document).hexdigest()
        with self._lock:
            self._put_document(digest, document)
        return digest

    def get(self, digest: str) -> bytes | None:
        _check_digests([digest])
        with self._lock:
            document = self._get_document(digest)
        return document if document is not None and sha256(document).hexdigest() == digest else None

    def delete(self, digests: Iterable[str]) -> None:
        unique = sorted(set(digests))
        _check_digests(unique)
        with self._lock:
            self._delete_documents(unique)


def _check_digests(digests: Iterable[str]) -> None:
    """A digest is part of a path. Raises `ValueError`."""
    if strange := [digest for digest in digests if not DIGEST.fullmatch(digest)]:
        raise ValueError(f"not a SHA-256 digest: {strange[0][:100]!r}")

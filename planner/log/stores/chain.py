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
from collections.abc import Iterable, Sequence
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
)
from planner.log.stores.store import MAX_EVIDENCE_BYTES, START, LogWentBackError, Store

_READS: Final = 5
"""A checkpoint may remove entries while they are read; then the next read begins at the checkpoint."""
_RESTORE: Final = "Put back a copy of it; or delete it, and run planner reconcile to append this machine's facts again."


class ChainedStore(Store, ABC):
    """A `Store` over the primitives below, which subclasses have. `where` is for messages.

    `writer` must be unique to this object (a session and a number): by it, an append whose answer was lost is known
    from the same append by another machine.
    """

    def __init__(self, where: str, writer: str) -> None:
        self._where = where
        self._writer = writer
        self._lock = RLock()

    # What a store is made of. Numbers are in ascending order. Called under the lock.

    @abstractmethod
    def _numbers(self, first: int) -> Sequence[int]:
        """The numbers of the entries from `first` on, as of now. A git ref fetches."""

    @abstractmethod
    def _load(self, numbers: Sequence[int]) -> Sequence[bytes | None]:
        """The bytes of these entries; None for one that is not there."""

    @abstractmethod
    def _create(self, entry: Entry, segment: bytes | None) -> bool:
        """Store the last segment of a checkpoint, then the entry, durably; False if there is another entry of this
        number."""

    @abstractmethod
    def _load_segment(self, digest: str) -> bytes | None: ...

    @abstractmethod
    def _remove_before(self, number: int) -> None:
        """Remove the entries before a checkpoint."""

    @abstractmethod
    def _remove(self, known: Position) -> bool:
        """Delete everything. False if there are entries after `known`."""

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
        return [line for entry in entries for line in entry.lines], str(end)

    def _read(self, known: Position) -> list[Entry]:
        for _ in range(_READS):
            entries = self._entries_after(known, self._numbers(known.number))
            if entries is not None:
                return entries
        if known.number and not self._is_there(known):
            raise LogWentBackError(self._where)
        raise StoreError(f"{self._where} lacks some of its entries", _RESTORE)

    def _entries_after(self, known: Position, numbers: Sequence[int]) -> list[Entry] | None:
        """The entries after a position; None if entries are missing, perhaps because they were removed meanwhile.
        `numbers` are those from the position's on."""
        newer = [number for number in numbers if number > known.number]
        if not newer:
            if known.number and not (numbers and self._is_there(known)):
                return None
            return []
        loaded = self._load(newer)
        if loaded[-1] is None:
            return None
        last = self._parse(newer[-1], loaded[-1])
        start = last.header.start
        if start <= known.number != numbers[0]:
            return None
        current = zip(newer[:-1], loaded, strict=False)
        entries = [self._parse(number, data) for number, data in current if number >= start and data is not None]
        entries.append(last)
        if start > known.number:
            replaced = self._replaced(entries[0], known)
            if replaced is None:
                return None
            entries = [*replaced, *entries]
        return entries if self._is_chain(entries, known) else None

    def _is_there(self, known: Position) -> bool:
        """False if the entry at this position was removed. Raises if another one is there."""
        data = self._load([known.number])[0]
        if data is None:
            return False
        if self._parse(known.number, data).digest != known.digest:
            raise LogWentBackError(self._where)
        return True

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
                raise self._damaged("a segment", "it has other bytes than were written")
            entries += self._parse_all("a segment", data)
        return [entry for entry in entries if entry.header.number > known.number]

    def _is_chain(self, entries: Sequence[Entry], known: Position) -> bool:
        """False if one is missing. Raises if one does not follow the one before it."""
        before = known
        for entry in entries:
            if entry.header.number != before.number + 1:
                return False
            if entry.header.after != before.digest:
                if before is known and known.number:
                    raise LogWentBackError(self._where)
                raise self._damaged(f"entry {entry.header.number}", "it does not follow the one before it")
            before = entry.position
        return True

    def _parse(self, number: int, data: bytes) -> Entry:
        entries = self._parse_all(f"entry {number}", data)
        if [entry.header.number for entry in entries] != [number]:
            raise self._damaged(f"entry {number}", "it is another entry")
        return entries[0]

    def _parse_all(self, what: str, data: bytes) -> list[Entry]:
        try:
            return list(parse_entries(data))
        except DamagedEntryError as error:
            raise self._damaged(what, str(error)) from error

    def _damaged(self, what: str, why: str) -> StoreError:
        return StoreError(f"{what} of {self._where} is damaged: {why}", _RESTORE)

    # Writing

    def append(self, lines: Sequence[str], at: str) -> str | None:
        known = Position.parse(at)
        with self._lock:
            return self._append(known, self._content(Content(lines)))

    def _append(self, known: Position, content: Content, segment: bytes | None = None) -> str | None:
        entry = make_entry(known, self._writer, content)
        if known.number and not self._is_there(known):
            self._read(known)  # raises if it was lost
            return None
        if not self._create(entry, segment) or not self._counts(entry, known):
            return None
        return str(entry.position)

    def _counts(self, entry: Entry, known: Position) -> bool:
        """Whether an entry that was created belongs to the chain."""
        try:
            numbers = self._numbers(known.number)
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
            segment = Segment(digest=sha256(data).hexdigest(), last=known.number)
            segments = (*entries[0].header.segments, segment)
            end = self._append(known, self._content(Content(open_lines, segments)), data)
            if end is None:
                return None
            if self._load_segment(segment.digest) != data:
                raise StoreError(f"{self._where} did not store a segment as it was written", "Nothing was removed.")
            self._remove_before(known.number + 1)
            return end

    def _replaceable(self, known: Position) -> list[Entry] | None:
        """The entries since the last checkpoint; None if another checkpoint replaced them."""
        numbers = range(known.start, known.number + 1)
        loaded = zip(numbers, self._load(numbers), strict=True)
        entries = [self._parse(number, data) for number, data in loaded if data is not None]
        is_whole = len(entries) == len(numbers) and entries[-1].position == known
        if is_whole and self._is_chain(entries, Position(known.start - 1, 1, entries[0].header.after)):
            return entries
        self._read(known)  # raises if it was lost
        return None

    def remove(self, at: str) -> bool:
        with self._lock:
            return self._remove(Position.parse(at))

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

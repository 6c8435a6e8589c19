"""A log of objects that are each created once under a name: files of a folder, or objects of a bucket.

`entries/000000000007`, `segments/DIGEST`, `evidence/DI/DIGEST`. Entries are removed only after the checkpoint that
replaces them is there; in a folder, in ascending order.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import Final

from planner.bounds import MAX_DOCUMENT_BYTES
from planner.log.stores.chain import ChainedStore
from planner.log.stores.entries import Content, Entry, Position
from planner.log.stores.store import MAX_EVIDENCE_BYTES

ENTRIES: Final = "entries"


class ObjectsStore(ChainedStore):
    """Subclasses have the primitives below, and `_numbers`."""

    @abstractmethod
    def _get(self, name: str, most_bytes: int) -> bytes | None:
        """The content of an object, or None. Raises `StoreError` if it is larger."""

    @abstractmethod
    def _create_object(self, name: str, data: bytes) -> bool:
        """Create an object durably; False if there is one."""

    @abstractmethod
    def _put(self, name: str, data: bytes) -> None:
        """Create or replace an object durably."""

    @abstractmethod
    def _delete(self, names: Sequence[str]) -> None:
        """Delete objects. Those that are not there are ignored."""

    @abstractmethod
    def _delete_all(self) -> None:
        """Delete all objects of this log."""

    def _load(self, numbers: Sequence[int]) -> Sequence[bytes | None]:
        return [self._load_entry(number) for number in numbers]

    def _load_entry(self, number: int) -> bytes | None:
        return self._get(entry_name(number), MAX_DOCUMENT_BYTES)

    def _create(self, entry: Entry, segment: bytes | None) -> bool:
        if segment is not None:
            self._put(_segment_name(entry.header.segments[-1].digest), segment)
        number = entry.header.number
        # If an answer was lost and the request repeated, it is our own entry that is there.
        return self._create_object(entry_name(number), entry.data) or self._load_entry(number) == entry.data

    def _load_segment(self, digest: str) -> bytes | None:
        return self._get(_segment_name(digest), MAX_DOCUMENT_BYTES)

    def _remove_before(self, number: int) -> None:
        self._delete([entry_name(old) for old in self._numbers(0) if old < number])

    def _remove(self, known: Position) -> bool:
        if list(self._numbers(0)):
            # After this entry, an append at `known` fails.
            end = self._append(known, Content())
            if end is None or self._numbers(0)[-1] != Position.parse(end).number:
                return False
        self._delete_all()
        return True

    def _withdraw(self, number: int) -> None:
        self._delete([entry_name(number)])

    def _put_document(self, digest: str, document: bytes) -> None:
        self._put(_document_name(digest), document)

    def _get_document(self, digest: str) -> bytes | None:
        return self._get(_document_name(digest), MAX_EVIDENCE_BYTES)

    def _delete_documents(self, digests: Sequence[str]) -> None:
        self._delete([_document_name(digest) for digest in digests])


def entry_name(number: int) -> str:
    return f"{ENTRIES}/{number:012}"


def entry_numbers(names: Iterable[str], first: int) -> list[int]:
    """The numbers of the entries from `first` on, in order. Names that planner does not give are ignored."""
    numbers = (int(name) for name in names if len(name) == 12 and name.isascii() and name.isdecimal())
    return sorted(number for number in numbers if number >= first)


def _segment_name(digest: str) -> str:
    return f"segments/{digest}"


def _document_name(digest: str) -> str:
    return f"evidence/{digest[:2]}/{digest}"

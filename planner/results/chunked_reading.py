"""Reads large documents in chunks of some hundred cases.

pydantic parses a whole text into a tree that takes more than twice its size. Documents written by planner can be split
between cases at a byte pattern that cannot occur inside a string. Others are read whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, Final, Protocol, TypeVar, cast

from pydantic import BaseModel, TypeAdapter

from planner.bounds import ListOf
from planner.results.model import CaseDocument, FindingDocument

_PIECE_BYTES: Final = 256 * 1024
_CASE: Final = b'{"case_id":'
_FIRST: Final = b',"cases":[' + _CASE
_NEXT: Final = b"}," + _CASE


Document = TypeVar("Document")


class _HasCases(Protocol):
    @property
    def cases(self) -> list[Any]: ...


def read_in_chunks(
    data: bytes,
    written_as: type[BaseModel],
    read_document: Callable[[bytes], Document],
    read_cases: Callable[[bytes], list[Any]],
) -> Document:
    """Read like `read_document`; `written_as` is the model that the document was written from. Raises what the readers
    raise."""
    parts = _chunks(data, _field_after_cases(written_as))
    document = read_document(next(parts))
    cases = cast("_HasCases", document).cases
    for number, part in enumerate(parts):
        if not number and cases:  # there is another list of cases
            return read_document(data)
        cases.extend(read_cases(part))
    return document


def _field_after_cases(written_as: type[BaseModel]) -> str:
    """The name of the next field, or ""."""
    names = [*written_as.model_fields, ""]
    return names[names.index("cases") + 1]


def _chunks(data: bytes, following: str) -> Iterator[bytes]:
    """The document without cases, then lists of its cases. Only the document if it is small or cannot be split."""
    after = f'],"{following}":'.encode() if following else b"]}"
    start, last = data.find(_FIRST), data.rfind(b"}" + after)
    ends_there = bool(following) or last + len(b"}" + after) == len(data)
    if len(data) < 2 * _PIECE_BYTES or not 0 <= start < last or not ends_there:
        yield data
        return
    start, end = start + len(_FIRST) - len(_CASE), last + 1
    yield data[:start] + data[end:]
    while start < end:
        cut = data.find(_NEXT, start + _PIECE_BYTES, end)
        stop = end if cut < 0 else cut + 1
        yield b"[" + data[start:stop] + b"]"
        start = stop + 1


@cache
def _list_of_cases() -> TypeAdapter[list[CaseDocument]]:
    """Created on first use."""
    return TypeAdapter(ListOf[CaseDocument])


def read_cases(data: bytes) -> list[CaseDocument]:
    """Parse cases; equal findings share one object, which saves a third of the memory of a large baseline."""
    cases = _list_of_cases().validate_json(data)
    shared: dict[tuple[str, ...], FindingDocument] = {}
    for case in cases:
        for run in case.runs:
            for index, each in enumerate(run.findings):
                if each.quote is None:
                    words = (each.expectation, each.check, each.outcome, each.severity, each.message)
                    run.findings[index] = shared.setdefault(words, each)
    return cases

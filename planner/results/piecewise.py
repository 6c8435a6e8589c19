"""Documents of very many cases, read some hundred of them at a time.

pydantic makes a tree of a whole text before it makes anything of that, and the tree of a large baseline takes more than twice the
memory of its text. What this program wrote can be cut between its cases without being understood: the bytes that stand there
can be inside no string, where quotes are escaped. Anything else is read whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, Final, Protocol, TypeVar, cast

from pydantic import BaseModel, TypeAdapter

from planner.results.model import CaseDocument, FindingDocument

_PIECE_BYTES: Final = 256 * 1024
_CASE: Final = b'{"case_id":'
_FIRST: Final = b',"cases":[' + _CASE
_NEXT: Final = b"}," + _CASE


Document = TypeVar("Document")


class _HasCases(Protocol):
    @property
    def cases(self) -> list[Any]: ...


def read_in_pieces(
    data: bytes,
    written_as: type[BaseModel],
    read_document: Callable[[bytes], Document],
    read_cases: Callable[[bytes], list[Any]],
) -> Document:
    """As `read_document` reads it; `written_as` is whose fields it has, in their order. Raises what the two readers raise."""
    parts = _pieces(data, _field_after_cases(written_as))
    document = read_document(next(parts))
    cases = cast("_HasCases", document).cases
    for number, part in enumerate(parts):
        if not number and cases:  # it has another such list
            return read_document(data)
        cases.extend(read_cases(part))
    return document


def _field_after_cases(written_as: type[BaseModel]) -> str:
    """Its name, empty where there is none."""
    names = [*written_as.model_fields, ""]
    return names[names.index("cases") + 1]


def _pieces(data: bytes, following: str) -> Iterator[bytes]:
    """The document with an empty list of cases, then lists of its cases. Just the document where it is small or cannot be cut."""
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
    """Made when a large document is read."""
    return TypeAdapter(list[CaseDocument])


def read_cases(data: bytes) -> list[CaseDocument]:
    """Most checks that pass say the same of every run: such findings are one, which saves a third of a large baseline."""
    cases = _list_of_cases().validate_json(data)
    told: dict[tuple[str, ...], FindingDocument] = {}
    for case in cases:
        for run in case.runs:
            for index, each in enumerate(run.findings):
                if each.quote is None:
                    words = (each.expectation, each.check, each.outcome, each.severity, each.message)
                    run.findings[index] = told.setdefault(words, each)
    return cases

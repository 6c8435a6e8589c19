"""Decompresses answers within a limit: a small compressed body may expand to gigabytes."""

from __future__ import annotations

import zlib
from typing import Final

from planner.errors import LostAnswerError

ACCEPT_ENCODING: Final = "gzip"
_GZIP: Final = frozenset({"gzip", "x-gzip"})
_EITHER_HEADER: Final = zlib.MAX_WBITS | 32


class Body:
    """Collects the chunks of one answer. Nested encodings are refused, since they were not requested."""

    def __init__(self, content_encoding: str, most_bytes: int) -> None:
        """Raises `LostAnswerError` for an encoding that was not requested."""
        encodings = [name.strip().lower() for name in content_encoding.split(",")]
        encodings = [name for name in encodings if name not in ("", "identity")]
        if len(encodings) > 1 or not _GZIP.issuperset(encodings):
            raise LostAnswerError(f"the service sent an answer in an unexpected encoding: {content_encoding[:80]!r}")
        self._most_bytes = most_bytes
        self._unpacker = zlib.decompressobj(_EITHER_HEADER) if encodings else None
        self._content = bytearray()

    def add(self, chunk: bytes) -> bytearray:
        """Add a chunk; return everything so far. Raises `LostAnswerError` if it is too large or cannot be
        decompressed."""
        if self._unpacker is not None:
            try:
                chunk = self._unpacker.decompress(chunk, self._most_bytes + 1 - len(self._content))
            except zlib.error as error:
                raise LostAnswerError("the service sent an answer that cannot be decompressed") from error
        self._content += chunk
        if len(self._content) > self._most_bytes:
            raise LostAnswerError(f"the service sent an answer over {self._most_bytes:,} bytes")
        return self._content

    def end(self) -> bytearray:
        """The whole body. Raises `LostAnswerError` if it is truncated."""
        if self._unpacker is not None and not self._unpacker.eof and self._content:
            raise LostAnswerError("the service's answer was truncated")
        return self._content

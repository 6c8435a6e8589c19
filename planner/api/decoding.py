"""Bodies of answers, decompressed within a bound: what is small on the wire may be gigabytes when it is unpacked."""

from __future__ import annotations

import zlib
from typing import Final

from planner.errors import LostAnswerError

ACCEPT_ENCODING: Final = "gzip"
_GZIP: Final = frozenset({"gzip", "x-gzip"})
_EITHER_HEADER: Final = zlib.MAX_WBITS | 32


class Body:
    """Takes the chunks of one answer as they arrive. An encoding inside another one was never asked for, and is refused."""

    def __init__(self, content_encoding: str, most_bytes: int) -> None:
        """Raises `LostAnswerError` for an encoding that was not asked for."""
        encodings = [name.strip().lower() for name in content_encoding.split(",")]
        encodings = [name for name in encodings if name not in ("", "identity")]
        if len(encodings) > 1 or not _GZIP.issuperset(encodings):
            raise LostAnswerError(
                f"the service sent an answer in an encoding that was not asked for: {content_encoding[:80]!r}"
            )
        self._most_bytes = most_bytes
        self._unpacker = zlib.decompressobj(_EITHER_HEADER) if encodings else None
        self._content = bytearray()

    def add(self, chunk: bytes) -> bytearray:
        """All that has arrived. Raises `LostAnswerError` where that is too large, or not what the header says."""
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
        """The whole body. Raises `LostAnswerError` where its end is missing."""
        if self._unpacker is not None and not self._unpacker.eof and self._content:
            raise LostAnswerError("the service's answer was cut off")
        return self._content

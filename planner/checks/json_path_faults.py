"""What is wrong with a JSONPath, and where."""

from __future__ import annotations


class PathError(ValueError):
    """What is wrong with a path, and from where to where in it."""

    def __init__(self, why: str, start: int, end: int) -> None:
        super().__init__(why)
        self.start = start
        self.end = end


def fault_of(path: str, message: str, start: int, found: str) -> PathError:
    """`message` is the library's, of what it `found` at `start`, which is -1 for the end of the path."""
    start = len(path) if start < 0 else start
    why = message if start < len(path) else "it ends too early"
    place = min(start, len(path) - 1)  # the end of a text is shown at its last character
    return PathError(f"not a JSONPath (RFC 9535): {why}", place, max(place + 1, min(start + len(found), len(path))))

"""The job summary: Markdown appended to a file, within GitHub's limit of 1 MiB per step.

GitHub drops a larger summary completely, so long text is cut in the middle: the headline is at the top, the next steps
at the end. Source:
https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#step-isolation-and-limits
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from planner.reports.neutral import printable

SUMMARY_LIMIT_BYTES = 1024 * 1024
_SMALLEST_BYTES = 512
"""With less room, a cut text would be useless."""


def append_summary(path: Path, markdown: str, *, limit_bytes: int = SUMMARY_LIMIT_BYTES) -> bool:
    """Append, cut to the remaining room of this step. Returns False if there is none. Raises `OSError`."""
    text = printable(markdown).rstrip("\n") + "\n\n"
    room_bytes = limit_bytes - (path.stat().st_size if path.exists() else 0)
    if _size(text) > room_bytes and room_bytes < _SMALLEST_BYTES:
        return False
    with path.open("a", encoding="utf-8", errors="replace", newline="\n") as file:
        file.write(cut_in_the_middle(text, limit_bytes=room_bytes))
    return True


def cut_in_the_middle(markdown: str, *, limit_bytes: int) -> str:
    """The text if it fits, otherwise its beginning and its last section with a note between.

    A code fence or `<details>` that does not fit is left out. `limit_bytes` (of UTF-8) is at least 512.
    """
    return _cut(markdown, limit_bytes, _size)


def cut_to_characters(markdown: str, *, limit: int) -> str:
    """Like `cut_in_the_middle`; GitHub limits comments and issues by characters."""
    return _cut(markdown, limit, len)


def _cut(markdown: str, limit: int, size: Callable[[str], int]) -> str:
    if size(markdown) <= limit:
        return markdown
    lines = markdown.splitlines(keepends=True)
    cuts = set(_places_to_cut(lines))
    tail = next((tail for tail in _endings(lines, cuts) if size(tail) <= limit // 4), "")
    note = "\n> ✂ The rest is omitted: GitHub limits the length. The report files are complete.\n\n"
    room = limit - size(tail) - size(note)
    end, used = 0, 0
    for index, line in enumerate(lines):
        used += size(line)
        if used > room:
            break
        if index + 1 in cuts:
            end = index + 1
    return "".join(lines[:end]) + note + tail


def _endings(lines: list[str], cuts: set[int]) -> Iterator[str]:
    """The last section, and what follows the last `<details>`."""
    places = [index for index in sorted(cuts) if 0 < index < len(lines)]
    sections = [index for index in places if lines[index].startswith("#")]
    after_details = [index for index in places if lines[index - 1].rstrip().endswith("</details>")]
    for found in (sections, after_details):
        if found:
            yield "".join(lines[found[-1] :])


def _places_to_cut(lines: list[str]) -> Iterator[int]:
    """Indexes of the lines outside of code fences and `<details>`, and of the end."""
    fence, details = "", 0
    for index, line in enumerate(lines):
        if not fence and details <= 0:
            yield index
        bare = line.strip()
        if fence:
            fence = "" if bare.startswith(fence) and not bare.strip(fence[0]) else fence
        elif opening := re.match(r"`{3,}|~{3,}", bare):
            fence = opening[0]
        else:
            details += line.count("<details") - line.count("</details>")
    if not fence and details <= 0:
        yield len(lines)


def _size(text: str) -> int:
    return len(text.encode("utf-8", "replace"))

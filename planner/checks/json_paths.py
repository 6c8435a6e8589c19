"""JSONPath in plans (RFC 9535), bounded: what a path costs grows no faster than the document.

`..` stands at most once and in no filter, a filter looks only at what it filters, and at most one pair of brackets lists
several selectors: each of these, repeated, would multiply the work. The functions `match` and `search` are not there,
because they take regular expressions that are not RE2.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any

from planner.checks.wording import shown

if TYPE_CHECKING:
    from jsonpath import JSONPath

_PLAIN = re.compile(r"[A-Za-z_]\w*", re.ASCII)

MAX_LENGTH = 300
"""Characters of a path."""
MAX_VALUES = 1_000
"""Values that a path may find in one call."""


class TooManyValuesError(Exception):
    """The path finds more than `MAX_VALUES` values, or goes deeper than can be followed."""


@lru_cache(maxsize=1024)
def compile_path(path: str) -> JSONPath:
    """Raises `ValueError` with a sentence for the author."""
    if len(path) > MAX_LENGTH:
        raise ValueError(f"a path may have {MAX_LENGTH} characters, this one has {len(path)}")
    if not path.startswith("$"):
        raise ValueError("a path begins with `$`, which is the call, as in $.locale")
    from planner.checks.json_path_bounds import compile_bounded  # late: its library takes long to import

    return compile_bounded(path)


def find_values(path: str, document: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """(place, value) of all that the path finds. Raises `TooManyValuesError`."""
    from jsonpath.exceptions import JSONPathError  # late, as above

    try:
        matches = [*islice(compile_path(path).finditer(document), MAX_VALUES + 1)]
    except JSONPathError as error:  # the document is nested too deeply for it
        raise TooManyValuesError from error
    found = [(_place(match.parts), match.obj) for match in matches]
    if len(found) > MAX_VALUES:
        raise TooManyValuesError
    return found


def _place(parts: Sequence[object]) -> str:
    """`$.items[0].quantity`: where a value is, as an author would write it."""
    steps = [f".{part}" if isinstance(part, str) and _PLAIN.fullmatch(part) else f"[{shown(part)}]" for part in parts]
    return f"${''.join(steps)}"

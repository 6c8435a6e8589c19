"""Writes an agent's fields into its file. Comments, order and the style of what stays the same are kept."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from typing import Any, Final, cast

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.scalarstring import DoubleQuotedScalarString, LiteralScalarString

_LONG: Final = 100
"""Longer texts are written as blocks."""
_INDENTED: Final = re.compile(r"^( *)[^\s#-][^\n]*:[ \t]*\n\1  - ", re.MULTILINE)
"""Items of a list that are further right than its key."""
_BLOCK_BREAKING: Final = frozenset("\x85\u2028\u2029\ufeff\t")


def with_fields(text: str, fields: Mapping[str, Any]) -> str:
    """The YAML text of a file with these fields set."""
    yaml = YAML()
    yaml.preserve_quotes = True  # pyright: ignore[reportAttributeAccessIssue]
    if _INDENTED.search(text):
        yaml.indent(mapping=2, sequence=4, offset=2)  # pyright: ignore[reportUnknownMemberType]
    yaml.width = 1_000_000  # pyright: ignore[reportAttributeAccessIssue] - no text is broken where the author did not
    loaded: Any = yaml.load(text) if text.strip() else None  # pyright: ignore[reportUnknownMemberType]
    is_new = not isinstance(loaded, CommentedMap)
    document = loaded if isinstance(loaded, CommentedMap) else CommentedMap()
    for name, value in fields.items():
        document[name] = _styled(value, document.get(name))  # pyright: ignore[reportUnknownMemberType]
    stream = io.StringIO()
    yaml.dump(document, stream)  # pyright: ignore[reportUnknownMemberType]
    return (text.rstrip("\n") + "\n" if is_new and text.strip() else "") + stream.getvalue()


def _styled(value: Any, before: Any = None) -> Any:
    if isinstance(value, str):
        text = value.replace("\r\n", "\n").replace("\r", "\n").strip("\n")
        if not _fits_block(text):
            return DoubleQuotedScalarString(text)
        if "\n" not in text and len(text) <= _LONG:
            return text
        block = LiteralScalarString(text + "\n")
        comment = getattr(before, "comment", None)
        if comment is not None:  # what follows a block belongs to it
            block.comment = comment  # pyright: ignore[reportAttributeAccessIssue]
        return block
    if isinstance(value, dict):
        return {_styled_key(name): _styled(item) for name, item in cast("dict[str, Any]", value).items()}
    return [_styled(item) for item in cast("list[Any]", value)] if isinstance(value, list) else value


def _styled_key(name: str) -> str:
    return name if _fits_block(name) else DoubleQuotedScalarString(name)


def _fits_block(text: str) -> bool:
    """Whether a block says exactly this text. Others are written in double quotes, with escapes."""
    return _BLOCK_BREAKING.isdisjoint(text) and all(char == "\n" or char.isprintable() for char in text)

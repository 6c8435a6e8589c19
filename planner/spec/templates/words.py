"""What Python says of a template that cannot be rendered, in an author's terms."""

from __future__ import annotations

import re

_KINDS = {
    "int": "a number",
    "float": "a number",
    "str": "a text",
    "bool": "true or false",
    "NoneType": "an empty value",
    "dict": "a mapping",
    "list": "a list",
    "tuple": "a list",
}
_NOT_A_LIST = re.compile(r"'(\w+)' object is not iterable")
_NO_LENGTH = re.compile(r"object of type '(\w+)' has no len\(\)")
_UNPACKED = re.compile(r"cannot unpack non-iterable (\w+) object|(?:not enough|too many) values to unpack")
_BY_ZERO = re.compile(r"(?:division|modulo) by zero")
_COMPARED = re.compile(r"'(\S+)' not supported between instances of '(\w+)' and '(\w+)'")


def in_words(message: str) -> str:
    """One clause."""
    if found := _NOT_A_LIST.search(message):
        return f"{_kind(found[1])} is no list, so there is nothing to go through one by one"
    if found := _NO_LENGTH.search(message):
        return f"{_kind(found[1])} has no length"
    if _UNPACKED.search(message):
        return "there are other names here than values to give them: one name for each"
    if _BY_ZERO.search(message):
        return "this divides by zero"
    if found := _COMPARED.search(message):
        return f"`{found[1]}` cannot compare {_kind(found[2])} with {_kind(found[3])}"
    return f"rendering failed: {message}"


def _kind(name: str) -> str:
    return _KINDS.get(name, name)

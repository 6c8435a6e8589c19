"""Numbers taken down or said wrong."""

from __future__ import annotations


def swapped(value: str) -> str:
    """The number with two different digits next to each other changed about, as people do; itself when there are none."""
    for at in range(len(value) - 2, -1, -1):
        one, other = value[at : at + 2]
        if one.isdigit() and other.isdigit() and one != other:
            return f"{value[:at]}{other}{one}{value[at + 2 :]}"
    return value

"""Read several objects at once that will be asked for one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Generic, TypeVar

_Object = TypeVar("_Object")


class ReadAhead(Generic[_Object]):
    """When one of the expected objects is asked for, reads the next ones with it. Each is kept until it is asked for.

    Args:
        read: reads objects by name. Those that it leaves out are read when they are asked for.
        together: how many it reads at once.
    """

    def __init__(self, read: Callable[[Sequence[str]], Mapping[str, _Object]], together: int) -> None:
        self._read = read
        self._together = together
        self._expected: list[str] = []
        self._places: dict[str, int] = {}
        """Where in that list those are that were not read yet."""
        self._ahead: dict[str, _Object] = {}

    def expect(self, names: Iterable[str]) -> None:
        """These objects will be asked for, most often in this order."""
        self._expected = list(dict.fromkeys(names))
        self._places = {name: place for place, name in enumerate(self._expected)}

    def take(self, name: str) -> _Object | None:
        """The object, once; None if it was not expected, or was taken."""
        place = self._places.get(name)
        if place is not None:
            next_ones = self._expected[place : place + self._together]
            self._ahead.update(self._read([each for each in next_ones if self._places.pop(each, None) is not None]))
        return self._ahead.pop(name, None)

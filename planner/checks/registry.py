"""A mapping that imports its values when they are asked for: a plan uses a few kinds of check, and each takes time to import."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module

from planner.checks.base import Expectation


class Registry(Mapping[str, type[Expectation]]):
    """`places` are `module:class` in a package, by the name of the kind."""

    def __init__(self, package: str, places: Mapping[str, str]) -> None:
        self._package = package
        self._places = dict(places)
        self._found: dict[str, type[Expectation]] = {}

    def __getitem__(self, name: str) -> type[Expectation]:
        if name not in self._found:
            module, _, kind = self._places[name].partition(":")
            self._found[name] = getattr(import_module(f"{self._package}.{module}"), kind)
        return self._found[name]

    def __contains__(self, name: object) -> bool:
        return name in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

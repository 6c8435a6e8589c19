"""Names that a plan uses and nothing defines, collected until all of it is read: each is reported once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from planner.diagnostics import Related, Span
from planner.planfile.reporter import MAX_PER_FILE, Reporter, Said, first_few


@dataclass(frozen=True, slots=True)
class Use:
    """A place where the name is used, and the message; `detail` is empty if another place of the name has it.

    `user` is where the plan uses what is in a library, with `said` of that; several plans may.
    """

    code: str
    detail: str
    place: Span
    user: Span | None = None
    said: Said = field(default_factory=Said)


@dataclass(slots=True)
class Unresolved:
    """Of one plan."""

    reporter: Reporter
    _uses: dict[str, list[Use]] = field(default_factory=dict[str, list[Use]])

    def add(self, name: str, uses: Iterable[Use]) -> None:
        """Raises `EnoughFaults` if there are more names than are shown."""
        self.reporter.errors += 1
        self._uses.setdefault(name, []).extend(uses)
        if len(self._uses) > MAX_PER_FILE:
            self.report()

    @property
    def found(self) -> bool:
        return bool(self._uses)

    def has(self, name: str) -> bool:
        """Whether the message about the name is known."""
        return any(use.user is None for use in self._uses.get(name, ()))

    def report(self) -> None:
        """At the end of the plan: each name at its first place in the plan, or at every place in libraries."""
        for uses in self._uses.values():
            own = [use for use in uses if use.user is None and use.detail]
            if own:
                first = min(own, key=lambda use: (use.place.file != own[0].place.file, use.place))
                others = [Related("also used here", use.place) for use in uses if use.place != first.place]
                self.reporter.error(first.code, first.detail, first.place, *first_few(others))
            for use in () if own else uses:
                self.reporter.error_once(use.said, use.code, use.detail, use.place, use.user)
        self._uses.clear()

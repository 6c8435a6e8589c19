"""Names that a plan uses and nothing defines, kept until all of it is read: one mistake is one fault, however often it shows.

Where a name is used in several places and a definition of nearly the same name in none, the definition is what was mistyped.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Mapping as Lookup
from dataclasses import dataclass, field

from planner.diagnostics import Related, Span
from planner.planfile.reporter import MAX_PER_FILE, Reporter, Said, first_few
from planner.planfile.text import shorten


@dataclass(frozen=True, slots=True)
class Use:
    """A place where the name is used, and what would be said of it alone; nothing where that was said of another place.

    `user` is where the plan uses what is in a library, with `said` of that; several plans may.
    """

    code: str
    detail: str
    place: Span
    user: Span | None = None
    said: Said = field(default_factory=Said)


@dataclass(frozen=True, slots=True)
class Definitions:
    """What could be meant: names that nothing uses and where they are written, with what to say of one.

    `told` is a sentence such as "no template of this plan uses `{meant}`, but `{name}` {times}".
    """

    code: str
    told: str
    places: Lookup[str, Span]


@dataclass(slots=True)
class Unresolved:
    """Of one plan."""

    reporter: Reporter
    axes: dict[str, str] = field(default_factory=dict[str, str])
    """The axes of all its scenarios, each to the first that has it."""
    _uses: dict[str, list[Use]] = field(default_factory=dict[str, list[Use]])

    def add(self, name: str, uses: Iterable[Use]) -> None:
        """Raises `EnoughFaults` where there are more names than are shown."""
        self.reporter.errors += 1
        self._uses.setdefault(name, []).extend(uses)
        if len(self._uses) > MAX_PER_FILE:
            self.report(Definitions("", "", {}))

    def has(self, name: str) -> bool:
        """Whether it is told anyway, so that what is to be said of another place need not be found out."""
        return any(use.user is None for use in self._uses.get(name, ()))

    def report(self, unused: Definitions) -> None:
        """At the end of the plan; `unused` are its own variables that no template uses."""
        for name, uses in self._uses.items():
            if not mistyped_definition(name, uses, unused, self.reporter):
                self._report(name, uses)
        self._uses.clear()

    def _report(self, name: str, uses: Sequence[Use]) -> None:
        own = [use for use in uses if use.user is None]
        if not own:
            for use in uses:
                self.reporter.error_once(use.said, use.code, use.detail, use.place, use.user)
            return
        told = [use for use in own if use.detail]
        first = min(told, key=lambda use: (use.place.file != told[0].place.file, use.place))
        detail = first.detail
        if name in self.axes and "did you mean" not in detail:
            other = shorten(self.axes[name], 40)
            detail = f"{detail.partition(';')[0]}; `{other}` has such an axis, and each scenario has its own"
        others = [Related("used here as well", use.place) for use in uses if use.place != first.place]
        self.reporter.error(first.code, detail, first.place, *first_few(others))


def mistyped_definition(name: str, uses: Sequence[Use], unused: Definitions, reporter: Reporter) -> bool:
    """Whether it is one of the unused definitions that is at fault, which is reported then."""
    places = sorted({use.place for use in uses})
    meant = reporter.searches.nearest(name, unused.places) if len(places) > 1 else None
    if meant is None:
        return False
    told = unused.told.format(meant=shorten(meant, 40), name=shorten(name, 40), times=f"in {len(places):,} places")
    used = first_few([Related("used here", place) for place in places])
    reporter.error(unused.code, f"{told}; did you mean `{shorten(name, 40)}`?", unused.places[meant], *used)
    return True

"""What a plan's `imports` bring into it: names of libraries, and where the plan uses them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from planner.checks import CHECKS
from planner.checks.base import idle_rate
from planner.diagnostics import Related, Span
from planner.planfile.drafts import Draft, Used
from planner.planfile.expectations import MAX_EXPECTATIONS, Expectations
from planner.planfile.files import FileFault
from planner.planfile.grammar.fields import missing, read_fields
from planner.planfile.grammar.models import AxisUseFields, PlanFields, UseFields
from planner.planfile.library import Libraries, Library
from planner.planfile.matrix.axes import AxisValue
from planner.planfile.reporter import Reporter
from planner.planfile.targets import Imported
from planner.planfile.text import shorten, unknown
from planner.planfile.yaml.document import Document, Items, Mapping

_PARTS = {"expectations": "expectations", "axes": "an axis", "vars": "a variable", "targets": "a target"}
"""What a library defines under a name, by the key it stands under."""
_JOINING = ("vars", "targets")
"""What a plan may define itself."""
_OVERRIDES = ("severity", "min_pass_rate", "id")


@dataclass(slots=True)
class Expected:
    """The sound expectations of one `expect`, how many items are written there, and whether these are all."""

    drafts: tuple[Draft, ...] = ()
    written: int = 0
    complete: bool = True
    unsound: tuple[Draft, ...] = ()
    """Of the others, those that have templates that can be read."""


UNREADABLE = Expected(written=1, complete=False)
"""What is there cannot be read, which was reported."""


@dataclass(slots=True)
class _Import:
    """One library of the plan, and whether the plan uses anything of it."""

    library: Library
    place: Span
    used: bool = False


@dataclass(slots=True)
class Imports:
    """Everything one plan imports. `complete`: all of it could be read, so that what is not among it is nowhere."""

    reporter: Reporter
    expectations: Expectations
    complete: bool = True
    _imports: list[_Import] = field(default_factory=list[_Import])
    _names: dict[str, dict[str, _Import]] = field(
        default_factory=lambda: {part: dict[str, _Import]() for part in _PARTS}
    )

    # What joins the plan's own

    @property
    def variables(self) -> dict[str, Any]:
        known = self._names["vars"].items()
        return {name: found.library.variables[name] for name, found in known if found.library.variables_readable}

    @property
    def variables_readable(self) -> bool:
        """False: names may be missing for a fault that was reported."""
        return self.complete and all(found.library.variables_readable for found in self._imports)

    @property
    def targets(self) -> Imported:
        targets = {alias: found.library.targets[alias] for alias, found in self._names["targets"].items()}
        return Imported(targets, self._all_read())

    def _all_read(self) -> bool:
        """Whether a name that is not there is nowhere: each import could be read, and all that stands in it."""
        return self.complete and all(found.library.complete for found in self._imports)

    def definition(self, part: str, name: str) -> Library:
        """The library that defines a name that is known to be there."""
        return self._names[part][name].library

    def place_of_variable(self, name: str) -> Span | None:
        """Where an import defines a variable of this name."""
        found = self._names["vars"].get(name)
        return None if found is None else found.library.place("vars", name)

    def mark_used(self, part: str, names: Iterable[str]) -> None:
        for name in names:
            if name in self._names[part]:
                self._names[part][name].used = True

    def report_unused(self) -> None:
        for found in self._imports:
            if not found.used:
                told = shorten(found.library.document.source.file)
                detail = f"this plan uses nothing of {told}; remove the import"
                self.reporter.warning("unused-import", detail, found.place)

    # What the plan uses by name

    def expected(self, document: Document, items: Items) -> Expected:
        """The expectations of a plan's `expect`, those of libraries in the place of their `use`."""
        if len(items) > MAX_EXPECTATIONS:
            detail = f"one list may have {MAX_EXPECTATIONS} expectations, this has {len(items):,}"
            self.reporter.error("too-many-nodes", detail, document.value(items, MAX_EXPECTATIONS))
            return UNREADABLE
        drafts: list[Draft] = []
        unsound: list[Draft] = []
        complete = True
        for index, written in enumerate(items):
            if not isinstance(written, Mapping) or "check" not in written or len(written) == 1:
                if isinstance(written, Mapping) and "use" in written and "check" not in written:
                    used = self._used(document, items, index)
                    drafts.extend(used or ())
                    complete = complete and used is not None
                    continue
                if (name := self._without_use(written)) is not None:
                    detail = f"`{shorten(name, 40)}` is of a library: write - use: {shorten(name, 40)}"
                    self.reporter.error("missing-key", detail, document.value(items, index))
                    complete = False
                    continue
            draft = self.expectations.draft(document, items, index)
            if draft is not None:
                drafts.append(draft)
            else:
                complete = False
                last = self.expectations.unsound
                unsound += [last] if last is not None and last.container is items and last.key == index else []
        return Expected(tuple(drafts), len(items), complete, tuple(unsound))

    def axis(self, document: Document, axes: Mapping, name: str) -> dict[str, AxisValue]:
        """The values of an axis written as `{use: NAME}`; none, and a fault, where there are none."""
        written: Mapping = axes[name]
        fields = read_fields(AxisUseFields, document, written, self.reporter)
        library = self._find("axes", fields.use, document, written)
        if library is None or fields.use is None:
            return {}
        if fields.use in library.doubted_axes:
            self.reporter.errors += 1  # so that nothing is said of values that it may have
        return library.axes[fields.use]

    def _without_use(self, written: Any) -> str | None:
        """The name of imported expectations that stands as an item, or as its only key; None for anything else."""
        name = next(iter(written)) if isinstance(written, Mapping) and len(written) == 1 else written
        return name if isinstance(name, str) and name in self._names["expectations"] and name not in CHECKS else None

    def _used(self, document: Document, items: Items, index: int) -> list[Draft] | None:
        written: Mapping = items[index]
        errors = self.reporter.errors
        fields = read_fields(UseFields, document, written, self.reporter)
        library = self._find("expectations", fields.use, document, written)
        drafts = library.expectations[fields.use] if library is not None and fields.use is not None else None
        if drafts is None:
            return None
        if fields.id is not None and len(drafts) > 1:
            detail = f"`{shorten(written['use'], 40)}` stands for {len(drafts)} expectations, and an id names one"
            self.reporter.error("bad-value", detail, document.key(written, "id"))
        if self.reporter.errors > errors:
            return None
        changed = {key: written[key] for key in _OVERRIDES if key in fields.model_fields_set}
        place = document.place(items, index)
        used = Used(place, document.place(written, "id") if "id" in changed else place)
        if "min_pass_rate" in changed:
            self._doubt_rate(document, written, drafts, changed)
        return [self.expectations.used(draft, used, changed) for draft in drafts]

    def _doubt_rate(self, document: Document, written: Mapping, drafts: list[Draft], changed: dict[str, Any]) -> None:
        """Warns of a rate that the plan gives and that has no effect on anything of the name. One of the library's that a severity of
        the plan's takes the effect of was meant for other plans: nothing could be left out here but the severity."""
        doubts = [idle_rate({**draft.written, **changed}) for draft in drafts]
        if doubts and all(doubts):
            doubt = doubts[0][0]
            self.reporter.warning(doubt.code, doubt.why, document.value(written, "min_pass_rate"))

    def _find(self, part: str, name: str | None, document: Document, written: Mapping) -> Library | None:
        """The library that defines what is named under `use`; None, and a fault, where none does."""
        if name is None:
            return None  # reported with the fields
        found = self._names[part].get(name)
        if found is not None:
            found.used = True
            return found.library
        if self._all_read():
            self.reporter.error("unknown-use", self._unknown(part, name), document.value(written, "use"))
        else:
            self.reporter.errors += 1  # it may be in the import that was reported
        return None

    def _unknown(self, part: str, name: str) -> str:
        shown = f"`{shorten(name, 40)}`"
        if not self._imports:
            return f"{shown} is of a library, and this plan imports none; write imports: [lib/voice.yaml]"
        other = next((other for other, names in self._names.items() if name in names), None)
        if other is not None:
            return f"{shown} is {_PARTS[other]} of an imported library, not {_PARTS[part]}"
        known = self._names[part]
        told = f"no imported library defines {_PARTS[part]} named {shown}"
        return unknown(told, name, known) if known else f"{told}, nor any other"

    # Reading

    def add(self, library: Library, place: Span, own: Document) -> None:
        """One more library; a name that the plan or an earlier import has as well is reported."""
        entry = _Import(library, place)
        self._imports.append(entry)
        for part, what in _PARTS.items():
            written: Any = own.root.get(part) if part in _JOINING else None
            for name in library.names(part):
                first = self._names[part].setdefault(name, entry)
                entry.used = entry.used or first is not entry
                if isinstance(written, Mapping) and name in written:
                    told = f"an import defines {what} `{shorten(name, 40)}` as well; rename one, or take it out"
                    self._conflict(told, own.key(written, name), Related("the imported one", library.place(part, name)))
                elif first is not entry:
                    told = f"two imports define {what} `{shorten(name, 40)}`; rename one, or import one of the two"
                    places = [found.library.place(part, name) for found in (first, entry)]
                    self._conflict(told, place, Related("one", places[0]), Related("the other", places[1]))

    def _conflict(self, detail: str, place: Span, *related: Related) -> None:
        self.reporter.error("import-conflict", detail, place, *related)


def read_expected(model: type[BaseModel], document: Document, holder: Mapping, imports: Imports) -> Expected:
    """The `expect` of a scenario or of the defaults, whose `model` tells whether it is there under a mistyped name."""
    items: Any = holder.get("expect")
    if isinstance(items, Items):
        return imports.expected(document, items)
    return Expected() if missing(model, holder, "expect") else UNREADABLE


def read_imports(document: Document, path: Path, paths: list[str], libraries: Libraries, imports: Imports) -> None:
    """Fill `imports` with what the plan at `path` imports; `paths` are its `imports`, if these could be read."""
    root = document.root
    written: Any = root.get("imports")
    if "imports" not in root:
        imports.complete = missing(PlanFields, root, "imports")
        return
    if not isinstance(written, Items) or len(paths) != len(written):
        imports.complete = False  # reported with the plan's fields
        return
    first: dict[int, Span] = {}
    for index, name in enumerate(paths):
        place = document.value(written, index)
        try:
            library = libraries.imported(path, name, place)
        except FileFault as fault:
            imports.reporter.error(fault.code, fault.detail, place)
            library = None
        if library is None:
            imports.complete = False
        elif id(library) in first:
            detail = f"{shorten(name)} is imported twice"
            imports.reporter.error("duplicate-item", detail, place, Related("the first time", first[id(library)]))
        else:
            first[id(library)] = place
            imports.add(library, place, document)

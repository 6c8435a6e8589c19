"""What a plan imports: names that libraries define, and the places where the plan uses them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from planner.diagnostics import Related, Span
from planner.planfile.drafts import ExpectationDraft, Used
from planner.planfile.fields import missing, read_fields
from planner.planfile.files import FileError
from planner.planfile.grammar import PlanFields, UseFields
from planner.planfile.library import PARTS, Libraries, Library
from planner.planfile.text import shorten, unknown
from planner.planfile.yaml.document import Items, YamlMapping

_OVERRIDES = ("severity", "min_pass_rate", "id")


@dataclass(slots=True)
class Expected:
    """The valid expectations of one `expect`, the number of its items, and whether all are valid."""

    drafts: tuple[ExpectationDraft, ...] = ()
    written: int = 0
    complete: bool = True


UNREADABLE = Expected(written=1, complete=False)
"""An `expect` with an error that was reported."""


class Imports:
    """Everything that the plan `root`, at `path`, imports; `paths` are those of its `imports` that could be read."""

    def __init__(self, libraries: Libraries, root: YamlMapping, path: Path, paths: list[str]) -> None:
        self.reporter = libraries.reporter
        self.expectations = libraries.expectations
        self.complete = True
        """Whether all of it could be read, so that a name that is not here is defined nowhere."""
        self._names = {part: dict[str, Library]() for part in PARTS}
        written: Any = root.get("imports")
        if "imports" not in root:
            self.complete = missing(PlanFields, root, "imports")
        elif not isinstance(written, Items) or len(paths) != len(written):
            self.complete = False  # reported with the plan's fields
        else:
            self._read(libraries, root, path, {written.span(index): name for index, name in enumerate(paths)})

    # What joins the plan's own

    @property
    def variables(self) -> dict[str, Any]:
        known = self._names["vars"].items()
        return {name: library.variables[name] for name, library in known if name in library.variables}

    # What the plan uses by name

    def expected(self, model: type[BaseModel], holder: YamlMapping) -> Expected:
        """The `expect` of a scenario or of the defaults, the expectations of libraries in the place of their `use`.

        `model` finds it under a mistyped name.
        """
        items: Any = holder.get("expect")
        if not isinstance(items, Items):
            return Expected() if missing(model, holder, "expect") else UNREADABLE
        drafts: list[ExpectationDraft] = []
        complete = True
        for index, written in enumerate(items):
            if isinstance(written, YamlMapping) and "use" in written and "check" not in written:
                found = self._used(items, index)
            else:
                draft = self.expectations.draft(items, index)
                found = None if draft is None else [draft]
            drafts.extend(found or ())
            complete = complete and found is not None
        return Expected(tuple(drafts), len(items), complete)

    def _used(self, items: Items, index: int) -> list[ExpectationDraft] | None:
        written: YamlMapping = items[index]
        errors = self.reporter.errors
        fields = read_fields(UseFields, written, self.reporter)
        library = self._find("expectations", fields.use, written)
        drafts = library.expectations.get(fields.use or "") if library is not None else None
        if drafts is None:
            return None
        if fields.id is not None and len(drafts) > 1:
            detail = f"`{shorten(written['use'], 40)}` stands for {len(drafts)} expectations, and an id names one"
            self.reporter.error("bad-value", detail, written.key_span("id"))
        if self.reporter.errors > errors:
            return None
        changed = {key: written[key] for key in _OVERRIDES if key in fields.model_fields_set}
        place = items.place(index)
        used = Used(place, written.place("id") if "id" in changed else place)
        return [self.expectations.used(draft, used, changed) for draft in drafts]

    def _find(self, part: str, name: str | None, written: YamlMapping) -> Library | None:
        """The library that defines what is named under `use`; None, and an error, if none does."""
        if name is None:
            return None  # reported with the fields
        found = self._names[part].get(name)
        if found is not None:
            return found
        if not self.complete:
            self.reporter.errors += 1  # it may be in the import that was reported
            return None
        shown = f"`{shorten(name, 40)}`"
        detail = unknown(f"no imported library defines {PARTS[part]} named {shown}", name, self._names[part])
        self.reporter.error("unknown-use", detail, written.span("use"))
        return None

    # Reading

    def _read(self, libraries: Libraries, root: YamlMapping, path: Path, paths: dict[Span, str]) -> None:
        first: dict[int, Span] = {}
        for place, name in paths.items():
            try:
                library = libraries.imported(path, name, place)
            except FileError as error:
                self.reporter.error(error.code, error.detail, place)
                library = None
            if library is None:
                self.complete = False
            elif id(library) in first:
                detail = f"{shorten(name)} is imported twice"
                self.reporter.error("duplicate-item", detail, place, Related("the first time", first[id(library)]))
            else:
                first[id(library)] = place
                self._add(library, place, root)

    def _add(self, library: Library, place: Span, own: YamlMapping) -> None:
        """One more library; a name that the plan or an earlier import has as well is reported."""
        self.complete = self.complete and library.complete
        for part, what in PARTS.items():
            written: Any = own.get("vars") if part == "vars" else None
            for name in library.names(part):
                first = self._names[part].setdefault(name, library)
                if isinstance(written, YamlMapping) and name in written:
                    detail = f"an import also defines {what} `{shorten(name, 40)}`; rename or remove one"
                    related = Related("the imported one", library.place(part, name))
                    self.reporter.error("import-conflict", detail, written.key_span(name), related)
                elif first is not library:
                    detail = f"two imports define {what} `{shorten(name, 40)}`; rename one, or import one of the two"
                    places = [Related("defined here", each.place(part, name)) for each in (first, library)]
                    self.reporter.error("import-conflict", detail, place, *places)

"""Libraries: what several plans share. Each is read once, whoever imports it, and checked as far as it can be alone."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from planner.diagnostics import Related, Span
from planner.planfile.drafts import Draft
from planner.planfile.expectations import Expectations
from planner.planfile.files import Neighbours, display_name
from planner.planfile.grammar.field_errors import LITERAL, wrong_type
from planner.planfile.grammar.fields import missing, read_fields
from planner.planfile.grammar.models import LibraryFields
from planner.planfile.grammar.version import check_version
from planner.planfile.matrix.axes import AxisReader, AxisValue
from planner.planfile.matrix.axis_files import AxisFileReader
from planner.planfile.reporter import EnoughFaults, Reporter
from planner.planfile.targets import ImportedTarget, check_slug, read_target
from planner.planfile.templates.names import check_name, is_name
from planner.planfile.templates.templates import Templates, holds_tags
from planner.planfile.text import shorten
from planner.planfile.yaml.decoding import MAX_BYTES, decode
from planner.planfile.yaml.document import Document, Items, Mapping, larger_than
from planner.planfile.yaml.numbers import warn_of_rewritten
from planner.planfile.yaml.parsing import parse
from planner.planfile.yaml.plain_texts import warn_of_plain_texts

KIND = "library"
_PARTS: dict[str, type] = {"expectations": Mapping, "axes": Mapping, "vars": Mapping, "targets": Mapping}
MAX_TEMPLATE_VALUES = 10_000
MAX_LIBRARY_EXPECTATIONS = 5_000
"""Values in a file's `vars`, aliases expanded: a template's step may walk all of them."""


@dataclass(slots=True)
class Library:
    """What a library defines, by name. What has a fault, which was reported, is None, or is left out of a list."""

    document: Document
    expectations: dict[str, list[Draft] | None] = field(default_factory=dict[str, list[Draft] | None])
    axes: dict[str, dict[str, AxisValue]] = field(default_factory=dict[str, dict[str, AxisValue]])
    variables: Mapping = field(default_factory=Mapping)
    variables_readable: bool = True
    targets: dict[str, ImportedTarget] = field(default_factory=dict[str, ImportedTarget])
    complete: bool = True
    """False: it may define more than could be read, which was reported."""
    doubted_axes: set[str] = field(default_factory=set[str])
    """Axes that may have more values than could be read."""

    def place(self, part: str, name: str) -> Span:
        """Where a name is defined; `part` is the key it stands under."""
        return self.document.key(self.document.root[part], name)

    def names(self, part: str) -> list[str]:
        """What is written under a key, the faulty too."""
        written: Any = self.document.root.get(part)
        return list(written) if isinstance(written, Mapping) else []


@dataclass(frozen=True, slots=True)
class Faults:
    """How much had been found wrong before a file was read."""

    told: int
    errors: int

    @classmethod
    def of(cls, reporter: Reporter) -> Faults:
        return cls(len(reporter.diagnostics), reporter.errors)

    def since(self, reporter: Reporter) -> range:
        """The positions of what was told from then on."""
        return range(self.told, len(reporter.diagnostics))


@dataclass(slots=True)
class _Known:
    """A file that was read as a library. `library` is None where nothing of it can be used; `faults` are diagnostics' positions."""

    library: Library | None
    sound: bool
    faults: range
    importers: dict[Related, None] = field(default_factory=dict[Related, None])


def is_library(document: Document, reporter: Reporter) -> bool:
    """Whether the file is a library; reported if its `kind` does not say so clearly."""
    root = document.root
    of_plans = [key for key in ("plan", "scenarios") if key in root]
    if "kind" not in root:
        of_libraries = [key for key in ("expectations", "axes") if key in root]
        if of_plans or not of_libraries:
            return False
        detail = f"only a library has `{of_libraries[0]}`: write kind: {KIND} below its version"
        reporter.error("missing-key", detail, document.key(root, of_libraries[0]))
        return True
    if root["kind"] == KIND and not of_plans:
        return True
    place = document.value(root, "kind")
    if root["kind"] == KIND:
        detail = f"a library has no `{of_plans[0]}`; remove one of the two"
        reporter.error("bad-value", detail, place)
    else:
        reporter.error("not-a-choice", f"write kind: {KIND}, or leave `kind` out in a plan", place)
    root.take_out("kind")  # one error is enough
    return not of_plans


@dataclass(slots=True)
class Libraries:
    """All libraries that are loaded together."""

    reporter: Reporter
    templates: Templates
    expectations: Expectations
    axis_files: AxisFileReader
    neighbours: Neighbours
    _known: dict[str, _Known] = field(default_factory=dict[str, _Known])

    def has(self, path: Path) -> bool:
        """Whether this file was read as a library."""
        return bool(self._known) and os.path.realpath(path) in self._known

    @property
    def paths(self) -> frozenset[str]:
        """Their files, links resolved."""
        return frozenset(self._known)

    def read(self, document: Document | None, path: Path, before: Faults) -> None:
        """Read a library that was come upon among the files to load; None: there is no knowing what is in the file."""
        if document is None:
            self._remember(path, _Known(None, False, before.since(self.reporter)))
        else:
            self._read(document, path, before)

    def imported(self, plan: Path, path: str, place: Span) -> Library | None:
        """What `plan` imports as `path`, at this place; None where that cannot be used, which is reported.

        Its faults count as the plan's. Raises `FileFault`.
        """
        shown, resolved = self.neighbours.find(plan, path)
        known = self._known.get(str(resolved))
        if known is None:
            known = self._open(plan, path, shown, place)
        if known is None:
            return None
        if not known.sound:
            self.reporter.errors += 1
            known.importers[Related("imported here", place)] = None
            self.reporter.add_users(known.faults, known.importers)
        return known.library

    def _open(self, plan: Path, path: str, shown: Path, place: Span) -> _Known | None:
        before = Faults.of(self.reporter)
        _, content = self.neighbours.read(plan, path, MAX_BYTES)
        file = display_name(shown, self.neighbours.cwd)
        try:
            source = decode(content, file, self.reporter)
            document = parse(source, self.reporter) if source is not None else None
            if document is not None:
                warn_of_plain_texts(document, self.reporter)
            library = document is None or is_library(document, self.reporter)
            if document is not None and not library:
                kind = "a plan" if "scenarios" in document.root else "no library: it does not say kind: library"
                self.reporter.error("not-a-library", f"{shorten(file)} is {kind}", place)
                return None
        except EnoughFaults:
            document = None
        if document is None:
            return self._remember(shown, _Known(None, False, before.since(self.reporter)))
        return self._read(document, shown, before)

    def _read(self, document: Document, path: Path, before: Faults) -> _Known:
        library = Library(document)
        try:
            readable = _Reading(self, library, path).read()
        except EnoughFaults:
            readable = False
        sound = self.reporter.errors == before.errors
        return self._remember(path, _Known(library if readable else None, sound, before.since(self.reporter)))

    def _remember(self, path: Path, known: _Known) -> _Known:
        self._known[os.path.realpath(path)] = known
        return known


class _Reading:
    def __init__(self, libraries: Libraries, library: Library, path: Path) -> None:
        self.libraries = libraries
        self.reporter = libraries.reporter
        self.library = library
        self.document = library.document
        self.path = path

    def read(self) -> bool:
        """Fill the library; False where its version is unknown, so that nothing of it can be understood."""
        document, reporter = self.document, self.reporter
        if not check_version(document, reporter, required=True):
            return False
        self.libraries.templates.new_plan()
        root = document.root
        if "imports" in root:
            detail = "a library imports nothing; a plan may import both"
            reporter.error("nested-library", detail, document.key(root, "imports"))
            root.take_out("imports")  # said once is enough
        read_fields(LibraryFields, document, root, reporter)
        self.library.complete = all(
            key in LibraryFields.model_fields and isinstance(root[key], _PARTS.get(key, object)) for key in root
        )
        self._expectations()
        self._axes()
        variables = read_variables(LibraryFields, document, reporter)
        self.library.variables = variables or Mapping()
        self.library.variables_readable = variables is not None
        targets = self._part("targets", "a mapping such as {support: {agent: 12}}")
        for alias in targets:
            check_slug(alias, document.key(targets, alias), reporter)
            target = read_target(document, targets, alias, reporter)
            self.library.targets[alias] = ImportedTarget(target, document.key(targets, alias))
        return True

    def _part(self, key: str, wanted: str) -> Mapping:
        written: Any = self.document.root.get(key)
        if isinstance(written, Mapping):
            return written
        if written is not None:  # an empty key was reported with the fields
            self.reporter.error("wrong-type", wrong_type(wanted, written), self.document.value(self.document.root, key))
        return Mapping()

    def _expectations(self) -> None:
        sets = self._part("expectations", "a mapping of names to expectations")
        written_sets: list[Any] = list(sets.values())
        if sum(len(each) if isinstance(each, Items) else 1 for each in written_sets) > MAX_LIBRARY_EXPECTATIONS:
            detail = f"a library may have {MAX_LIBRARY_EXPECTATIONS:,} expectations; split it"
            self.reporter.error("too-many-nodes", detail, self.document.key(self.document.root, "expectations"))
            return
        for name in sets:
            check_slug(name, self.document.key(sets, name), self.reporter)
            written: Any = sets[name]
            if not isinstance(written, Items):
                drafts = [self._draft(sets, name)]
            elif written:
                drafts = [self._draft(written, index) for index in range(len(written))]
            else:
                detail = f"`{shorten(name, 40)}` is empty; a name stands for one expectation or more"
                self.reporter.error("bad-value", detail, self.document.value(sets, name))
                drafts = [None]
            sound = [draft for draft in drafts if draft is not None]
            self.library.expectations[name] = sound if len(sound) == len(drafts) else None

    def _draft(self, container: Mapping | Items, key: str | int) -> Draft | None:
        expectations = self.libraries.expectations
        draft = expectations.draft(self.document, container, key)
        return draft if draft is not None and expectations.sound_alone(draft) else None

    def _axes(self) -> None:
        axes = self._part("axes", "a mapping of names to lists of values")
        reader = AxisReader(self.document, self.path, self.libraries.axis_files, self.reporter)
        for name in axes:
            check_slug(name, self.document.key(axes, name), self.reporter)
            errors = self.reporter.errors
            self.library.axes[name] = reader.values(axes, name)
            if self.reporter.errors > errors:
                self.library.doubted_axes.add(name)


def read_variables(model: type[BaseModel], document: Document, reporter: Reporter) -> Mapping | None:
    """The `vars` of a plan or a library; None where they cannot be read, which is reported."""
    if "vars" not in document.root:
        return Mapping() if missing(model, document.root, "vars") else None
    written: Any = document.root["vars"]
    if not isinstance(written, Mapping):
        if written is not None:  # an empty key was reported with the file's fields
            detail = wrong_type("a mapping of names to values", written)
            reporter.error("wrong-type", detail, document.value(document.root, "vars"))
        return None
    if larger_than(written, MAX_TEMPLATE_VALUES):
        detail = f"`vars` may hold {MAX_TEMPLATE_VALUES:,} values, aliases expanded"
        reporter.error("too-many-nodes", detail, document.key(document.root, "vars"))
        return None
    for name in written:
        if not is_name(name):
            check_name(name, "a variable", document.key(written, name), reporter)
    warn_of_rewritten(document, document.root, "vars", reporter)
    for name in written:
        if holds_tags(written[name]):
            place = document.value(written, name)
            if reporter.is_unreadable(place):
                reporter.doubted_variables.add(name)
            reporter.warning("literal-template", LITERAL, place)
    return written

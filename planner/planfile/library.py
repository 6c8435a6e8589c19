"""Libraries, which several plans share. Each is read once, and checked even if no plan uses it."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel

from planner.diagnostics import Span
from planner.planfile.drafts import ExpectationDraft
from planner.planfile.expectations import Expectations
from planner.planfile.fields import LITERAL, check_version, missing, read_fields, read_mapping, wrong_type
from planner.planfile.files import Neighbours, display_name
from planner.planfile.grammar import LibraryFields
from planner.planfile.reporter import Reporter, TooManyErrors
from planner.planfile.targets import check_slug
from planner.planfile.templates import Templates, check_name, holds_tags
from planner.planfile.text import shorten
from planner.planfile.yaml.document import Items, YamlMapping
from planner.planfile.yaml.reader import MAX_BYTES, decode, parse, warn_of_rewritten

KIND = "library"
PARTS = {"expectations": "expectations", "vars": "a variable"}
"""A library's definition and the key above it."""


class _Known(NamedTuple):
    """A file that was read as a library. `library` is None if nothing of it can be used; `sound`: it has no errors."""

    library: Library | None
    sound: bool


def is_library(root: YamlMapping, reporter: Reporter) -> bool:
    """Whether the file is a library; reported if its `kind` does not say so clearly."""
    of_plans = [key for key in ("plan", "scenarios") if key in root]
    if "kind" not in root:
        if of_plans or "expectations" not in root:
            return False
        detail = f"only a library has `expectations`: write kind: {KIND} below its version"
        reporter.error("missing-key", detail, root.key_span("expectations"))
        return True
    if root["kind"] == KIND and not of_plans:
        return True
    place = root.span("kind")
    if root["kind"] == KIND:
        reporter.error("bad-value", f"a library has no `{of_plans[0]}`; remove one of the two", place)
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
    neighbours: Neighbours
    _known: dict[str, _Known] = field(default_factory=dict[str, _Known])

    def has(self, path: Path) -> bool:
        """Whether this file was read as a library."""
        return bool(self._known) and os.path.realpath(path) in self._known

    @property
    def paths(self) -> frozenset[str]:
        """Paths of their files, with links resolved."""
        return frozenset(self._known)

    def read(self, root: YamlMapping | None, path: Path, errors: int) -> _Known:
        """Read a library; None: the file is no YAML. `errors`: how many there were before the file."""
        library = None
        with suppress(TooManyErrors):
            if root is not None and check_version(root, self.reporter, required=True):
                library = Library(self, root)
        known = _Known(library, self.reporter.errors == errors)
        self._known[os.path.realpath(path)] = known
        return known

    def imported(self, plan: Path, path: str, place: Span) -> Library | None:
        """What `plan` imports as `path`, at this place; None if it cannot be used, which is reported.

        Its errors count as the plan's. Raises `FileError`.
        """
        shown, resolved = self.neighbours.find(plan, path)
        known = self._known.get(str(resolved)) or self._open(plan, path, shown, place)
        if known is None:
            return None
        if not known.sound:
            self.reporter.errors += 1
        return known.library

    def _open(self, plan: Path, path: str, shown: Path, place: Span) -> _Known | None:
        errors = self.reporter.errors
        _, content = self.neighbours.read(plan, path, MAX_BYTES)
        file = display_name(shown, self.neighbours.cwd)
        root = None
        try:
            source = decode(content, file, self.reporter)
            root = parse(source, self.reporter) if source is not None else None
            if root is not None and not is_library(root, self.reporter):
                detail = f"{shorten(file)} is not a library; write kind: {KIND} into it, and only definitions"
                self.reporter.error("not-a-library", detail, place)
                return None
        except TooManyErrors:
            root = None
        return self.read(root, shown, errors)


class Library:
    """A library's definitions by name. Invalid ones are None, or left out of a list."""

    def __init__(self, libraries: Libraries, root: YamlMapping) -> None:
        self.libraries = libraries
        self.reporter = reporter = libraries.reporter
        self.root = root
        if "imports" in root:
            detail = "a library cannot import another; import both in the plan"
            reporter.error("nested-library", detail, root.key_span("imports"))
            root.take_out("imports")  # one error is enough
        read_fields(LibraryFields, root, reporter)
        self.expectations = self._expectations()
        variables = read_variables(LibraryFields, root, reporter)
        self.variables = variables or YamlMapping()
        self.complete = variables is not None and all(
            key in LibraryFields.model_fields and (isinstance(root[key], YamlMapping) or key not in PARTS)
            for key in root
        )
        """False if part of the library could not be read."""

    def place(self, part: str, name: str) -> Span:
        """Where a name is defined; `part` is the key above it."""
        return self.root[part].key_span(name)

    def names(self, part: str) -> list[str]:
        """What is written under a key, with errors or without."""
        written: Any = self.root.get(part)
        return list(written) if isinstance(written, YamlMapping) else []

    def _expectations(self) -> dict[str, list[ExpectationDraft] | None]:
        found: dict[str, list[ExpectationDraft] | None] = {}
        wanted = "a mapping of names to expectations"
        sets = read_mapping(self.root, "expectations", wanted, self.reporter) or YamlMapping()
        for name in sets:
            check_slug(name, sets.key_span(name), self.reporter)
            written: Any = sets[name]
            if not isinstance(written, Items):
                drafts = [self._draft(sets, name)]
            elif written:
                drafts = [self._draft(written, index) for index in range(len(written))]
            else:
                detail = f"`{shorten(name, 40)}` is empty; write at least one expectation"
                self.reporter.error("bad-value", detail, sets.span(name))
                drafts = [None]
            sound = [draft for draft in drafts if draft is not None]
            found[name] = sound if len(sound) == len(drafts) else None
        return found

    def _draft(self, container: YamlMapping | Items, key: str | int) -> ExpectationDraft | None:
        expectations = self.libraries.expectations
        draft = expectations.draft(container, key)
        return draft if draft is not None and expectations.check_without_values(draft) else None


def read_variables(model: type[BaseModel], root: YamlMapping, reporter: Reporter) -> YamlMapping | None:
    """The `vars` of a plan or a library; None if they cannot be read, which is reported."""
    if "vars" not in root:
        return YamlMapping() if missing(model, root, "vars") else None
    written: Any = root["vars"]
    if not isinstance(written, YamlMapping):
        if written is not None:  # an empty key was reported with the file's fields
            reporter.error("wrong-type", wrong_type("a mapping of names to values", written), root.span("vars"))
        return None
    for name in written:
        check_name(name, "a variable", written.key_span(name), reporter)
    warn_of_rewritten(root, "vars", reporter)
    for name in written:
        if holds_tags(written[name]):
            reporter.warning("literal-template", LITERAL, written.span(name))
    return written

"""Where each part of a case was written: found when somebody asks, by reading its plan once more.

Loading does not remember this: it would cost every plan what a reader of one case wants now and then.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping as Lookup
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from planner.diagnostics import Diagnostics, Span
from planner.planfile.drafts import Draft
from planner.planfile.expectations import Expectations
from planner.planfile.files import Neighbours, read_authored
from planner.planfile.grammar.fields import read_fields
from planner.planfile.grammar.models import PlanFields, ScenarioDefaults, ScenarioFields
from planner.planfile.imports import Imports, read_expected, read_imports
from planner.planfile.library import Libraries
from planner.planfile.matrix.axes import token
from planner.planfile.matrix.axis_files import AxisFileReader
from planner.planfile.model import Case
from planner.planfile.reporter import Reporter
from planner.planfile.templates.prompts import PromptReader
from planner.planfile.templates.templates import Templates
from planner.planfile.yaml.decoding import MAX_BYTES, decode
from planner.planfile.yaml.document import Document, Items, Mapping
from planner.planfile.yaml.parsing import parse


class Source(Enum):
    """Who says it."""

    SCENARIO = "scenario"
    DEFAULTS = "defaults"
    PLAN = "plan"
    LIBRARY = "library"
    ENVIRONMENT = "environment"
    FORMAT = "default"
    """Nobody: the plan format's default."""


@dataclass(frozen=True, slots=True)
class Origin:
    """`span` is None where no plan says it. `used` is where a plan uses what a library, or a file beside the plan, says."""

    source: Source
    span: Span | None = None
    used: Span | None = None


@dataclass(frozen=True, slots=True)
class Variable:
    """One that a template of the scenario uses."""

    name: str
    value: Any
    origin: Origin


@dataclass(frozen=True, slots=True)
class CaseOrigins:
    """By name, or in the order of the case's own."""

    prompt: Origin
    target: Origin
    axes: Lookup[str, Origin]
    variables: tuple[Variable, ...]
    settings: Lookup[str, Origin]
    """All that a scenario may set, by the format's names."""
    tags: Lookup[str, Origin]
    expectations: tuple[Origin, ...]


SETTINGS = tuple(
    name for name in ScenarioDefaults.model_fields if name not in {"description", "tags", "targets", "expect"}
)


@dataclass(slots=True)
class OriginReader:
    """Looks up cases of plans that were loaded without fault, and have not changed since. Each plan is read once."""

    cwd: Path
    _plans: dict[str, _Plan] = field(default_factory=dict[str, "_Plan"])

    def of(self, case: Case) -> CaseOrigins:
        """Raises `FileFault` where the plan cannot be read any more."""
        if case.span.file not in self._plans:
            self._plans[case.span.file] = _Plan(case.span.file, self.cwd)
        return self._plans[case.span.file].origins(case)


class _Plan:
    def __init__(self, file: str, cwd: Path) -> None:
        path = cwd / file
        self.reporter = reporter = Reporter(Diagnostics())
        templates = Templates()
        expectations = Expectations(reporter, templates)
        neighbours = Neighbours(cwd)
        source = decode(read_authored(path, file, MAX_BYTES), file, reporter)
        document = parse(source, reporter) if source is not None else None
        assert document is not None, "it was read before"
        self.document: Document = document
        self.path = path
        self.prompts = PromptReader(reporter, templates, neighbours)
        fields = read_fields(PlanFields, document, document.root, reporter)
        libraries = Libraries(reporter, templates, expectations, AxisFileReader(reporter, neighbours), neighbours)
        self.imports = Imports(reporter, expectations)
        read_imports(document, path, fields.imports, libraries, self.imports)
        self.defaults: Mapping = document.root.get("defaults", Mapping())

    def origins(self, case: Case) -> CaseOrigins:
        scenario: Mapping = self.document.root["scenarios"][case.scenario]
        drafts = [
            (source, draft)
            for source, holder in ((Source.DEFAULTS, self.defaults), (Source.SCENARIO, scenario))
            for draft in read_expected(ScenarioFields, self.document, holder, self.imports).drafts
        ]
        matrix: Any = scenario.get("matrix", Mapping())
        axes: Any = matrix.get("axes", Mapping())
        included = _included(matrix, case)
        return CaseOrigins(
            prompt=self._prompt(scenario),
            target=self._target(case.target.alias),
            axes={name: self._axis(axes, name, shown, included) for name, shown in case.point},
            variables=tuple(self._variables(scenario, [draft for _, draft in drafts], axes)),
            settings={name: self._setting(scenario, name) for name in SETTINGS},
            tags={tag: self._tag(scenario, tag) for tag in sorted(case.tags)},
            expectations=tuple(self._expectation(source, draft) for source, draft in drafts),
        )

    def _setting(self, scenario: Mapping, name: str) -> Origin:
        for source, holder in ((Source.SCENARIO, scenario), (Source.DEFAULTS, self.defaults)):
            if name in holder:
                return Origin(source, self.document.value(holder, name))
        return Origin(Source.FORMAT)

    def _expectation(self, source: Source, draft: Draft) -> Origin:
        if draft.used is None:
            return Origin(source, draft.span)
        return Origin(Source.LIBRARY, draft.document.value(draft.container, draft.key), draft.used.place.span)

    def _prompt(self, scenario: Mapping) -> Origin:
        if "prompt" in scenario:
            return Origin(Source.SCENARIO, self.document.value(scenario, "prompt"))
        prompt = self._read_prompt(scenario)
        used = self.document.value(scenario, "prompt_file")
        return Origin(Source.SCENARIO, prompt.file.whole() if prompt.file is not None else None, used)

    def _read_prompt(self, scenario: Mapping) -> Any:
        fields = read_fields(ScenarioFields, self.document, scenario, self.reporter)
        return self.prompts.read(self.document, self.path, scenario, fields)

    def _target(self, alias: str) -> Origin:
        written: Any = self.document.root.get("targets")
        if isinstance(written, Mapping) and alias in written:
            return Origin(Source.PLAN, self.document.key(written, alias))
        listed = [index for index, item in enumerate(written) if item == alias] if isinstance(written, Items) else []
        used = self.document.value(self.document.root["targets"], listed[0]) if listed else None
        found = self.imports.targets.targets.get(alias)
        return Origin(Source.ENVIRONMENT, used=used) if found is None else Origin(Source.LIBRARY, found.span, used)

    def _tag(self, scenario: Mapping, tag: str) -> Origin:
        holders = (
            (Source.SCENARIO, scenario),
            (Source.DEFAULTS, self.defaults),
            (Source.PLAN, self.document.root),
        )
        for source, holder in holders:
            tags: Any = holder.get("tags")
            if isinstance(tags, Items) and tag in tags:
                return Origin(source, self.document.value(tags, tags.index(tag)))
        return Origin(Source.FORMAT)

    def _axis(self, axes: Mapping, name: str, shown: str, included: Mapping | None) -> Origin:
        """Where this value stands: in the axis, or else in what includes the case; the axis for what is in a file."""
        written: Any = axes[name]
        found = self.imports.definition("axes", written["use"]) if _is_use(written) else None
        document, holder, key = self.document, axes, name
        if found is not None:
            document, holder, key = found.document, found.document.root["axes"], written["use"]
        values: Any = holder[key]
        index = (
            next((at for at, value in enumerate(values) if token(value) == shown), -1)
            if isinstance(values, Items)
            else -1
        )
        if index < 0 and included is not None:
            return Origin(Source.SCENARIO, self.document.value(included, name))
        place = document.value(values, index) if index >= 0 else document.value(holder, key)
        return (
            Origin(Source.SCENARIO, place)
            if found is None
            else Origin(Source.LIBRARY, place, self.document.value(axes, name))
        )

    def _variables(self, scenario: Mapping, drafts: Iterable[Draft], axes: Mapping) -> Iterable[Variable]:
        used = {name for draft in drafts for name in draft.shape.names}.union(
            self._read_prompt(scenario).template.names
        )
        own: Any = self.document.root.get("vars", Mapping())
        for name, value in {**own, **self.imports.variables}.items():
            if name not in used or name in axes:
                continue
            if name in own:
                yield Variable(name, value, Origin(Source.PLAN, self.document.value(own, name)))
            else:
                found = self.imports.definition("vars", name)
                place = found.document.value(found.document.root["vars"], name)
                yield Variable(name, value, Origin(Source.LIBRARY, place))


def _is_use(written: Any) -> bool:
    return isinstance(written, Mapping) and "use" in written


def _included(matrix: Mapping, case: Case) -> Mapping | None:
    """The `include` that adds the case, if one does."""
    entries: Any = matrix.get("include")
    point = dict(case.point)
    for entry in entries if isinstance(entries, Items) else ():
        if all(token(entry[name]) == shown for name, shown in point.items()):
            return entry
    return None

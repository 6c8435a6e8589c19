"""Where each part of a case is written: found on request, by reading its plan once more.

Loading does not remember this, because only `planner show` needs it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Mapping as Lookup
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from planner.diagnostics import Span
from planner.planfile.axes import token
from planner.planfile.drafts import Draft
from planner.planfile.fields import read_fields
from planner.planfile.files import read_authored
from planner.planfile.grammar import PlanFields, ScenarioDefaults, ScenarioFields
from planner.planfile.load import PlanContext, PlanReader
from planner.planfile.model import Case, Project
from planner.planfile.yaml.document import Items, Mapping
from planner.planfile.yaml.reader import MAX_BYTES, decode, parse
from planner.values import frozen


class Source(Enum):
    """Who defines it."""

    SCENARIO = "scenario"
    DEFAULTS = "defaults"
    PLAN = "plan"
    LIBRARY = "library"
    ENVIRONMENT = "environment"
    FORMAT = "default"
    """The default of the plan format."""


@frozen
class Origin:
    """`span` is None if no plan defines it. `used`: where a plan uses what a library, or a file beside the plan,
    defines."""

    source: Source
    span: Span | None = None
    used: Span | None = None


@frozen
class Variable:
    """A variable that a template of the scenario uses."""

    name: str
    value: Any
    origin: Origin


@frozen
class CaseOrigins:
    """By name, or in the order of the case's expectations."""

    prompt: Origin
    target: Origin
    axes: Lookup[str, Origin]
    variables: tuple[Variable, ...]
    settings: Lookup[str, Origin]
    """All settings of a scenario, by their keys."""
    tags: Lookup[str, Origin]
    expectations: tuple[Origin, ...]


SETTINGS = tuple(
    name for name in ScenarioDefaults.model_fields if name not in {"description", "tags", "targets", "expect"}
)


@dataclass(slots=True)
class OriginReader:
    """Finds the origins of cases whose plans loaded without errors and did not change since. Each plan is read once."""

    cwd: Path
    _plans: dict[str, _Plan] = field(default_factory=dict[str, "_Plan"])

    def of(self, case: Case) -> CaseOrigins:
        """The origins of one case. Raises `FileFault` if the plan cannot be read any more."""
        if case.span.file not in self._plans:
            self._plans[case.span.file] = _Plan(case.span.file, self.cwd)
        return self._plans[case.span.file].origins(case)


class _Plan:
    def __init__(self, file: str, cwd: Path) -> None:
        path = cwd / file
        reader = PlanReader(cwd, Project(), None, None)
        self.reporter = reporter = reader.reporter
        source = decode(read_authored(path, file, MAX_BYTES), file, reporter)
        root = parse(source, reporter) if source is not None else None
        assert root is not None, "it was read before"
        self.root: Mapping = root
        self.plan = PlanContext(reader, root, path, read_fields(PlanFields, root, reporter))
        self.imports = self.plan.imports

    def origins(self, case: Case) -> CaseOrigins:
        root = self.root
        scenario: Mapping = root["scenarios"][case.scenario]
        holders = ((Source.SCENARIO, scenario), (Source.DEFAULTS, self.plan.defaults_written), (Source.PLAN, root))
        drafts = [
            (source, draft)
            for source, holder in (holders[1], holders[0])
            for draft in self.imports.expected(ScenarioFields, holder).drafts
        ]
        settings = {name: Origin(Source.FORMAT) for name in SETTINGS}
        tags = {tag: Origin(Source.FORMAT) for tag in sorted(case.tags)}
        for source, holder in reversed(holders):  # the scenario's come last, and win
            listed: Any = holder.get("tags")
            for index, tag in enumerate(listed if isinstance(listed, Items) else ()):
                tags[tag] = Origin(source, listed.span(index))
            for name in SETTINGS if source is not Source.PLAN else ():
                if name in holder:
                    settings[name] = Origin(source, holder.span(name))
        fields = read_fields(ScenarioFields, scenario, self.reporter)
        prompt = self.plan.reader.prompts.read(self.plan.path, scenario, fields)
        assert prompt is not None, "it was read before"
        used = scenario.span(prompt.key)
        file = prompt.file
        names = {name for _, draft in drafts for name in draft.shape.names}.union(prompt.template.names)
        matrix: Any = scenario.get("matrix", Mapping())
        return CaseOrigins(
            prompt=Origin(Source.SCENARIO, used) if file is None else Origin(Source.SCENARIO, file.whole(), used),
            target=self._target(case.target.alias),
            axes={name: self._axis(matrix, name, case) for name, _ in case.point},
            variables=tuple(self._variables(names.difference(dict(case.point)))),
            settings=settings,
            tags={tag: tags[tag] for tag in sorted(case.tags)},
            expectations=tuple(_expectation(source, draft) for source, draft in drafts),
        )

    def _target(self, alias: str) -> Origin:
        written: Any = self.root.get("targets")
        if isinstance(written, Mapping) and alias in written:
            return Origin(Source.PLAN, written.key_span(alias))
        used = None
        if isinstance(written, Items) and alias in written:
            used = written.span(written.index(alias))
        found = self.imports.targets.targets.get(alias)
        return Origin(Source.ENVIRONMENT, used=used) if found is None else Origin(Source.LIBRARY, found.span, used)

    def _axis(self, matrix: Mapping, name: str, case: Case) -> Origin:
        """Where the case's value is: in the axis, or in what includes the case; the axis, if its values are in a
        file."""
        shown = dict(case.point)
        written: Any = matrix["axes"][name]
        root, holder, key = self.root, matrix["axes"], name
        source, used = Source.SCENARIO, None
        if isinstance(written, Mapping) and "use" in written:
            root, key = self.imports.definition("axes", written["use"]).root, written["use"]
            source, holder, used = Source.LIBRARY, root["axes"], matrix["axes"].span(name)
        values: Any = holder[key]
        for index, value in enumerate(values if isinstance(values, Items) else ()):
            if token(value) == shown[name]:
                return Origin(source, values.span(index), used)
        included: Any = matrix.get("include")
        for entry in included if isinstance(included, Items) else ():
            if all(token(entry[axis]) == value for axis, value in shown.items()):
                return Origin(Source.SCENARIO, entry.span(name))
        return Origin(source, holder.span(key), used)

    def _variables(self, used: Iterable[str]) -> Iterator[Variable]:
        own: Any = self.root.get("vars", Mapping())
        for name, value in {**own, **self.imports.variables}.items():
            if name not in used:
                continue
            source, root = Source.PLAN, self.root
            if name not in own:
                source, root = Source.LIBRARY, self.imports.definition("vars", name).root
            yield Variable(name, value, Origin(source, root["vars"].span(name)))


def _expectation(source: Source, draft: Draft) -> Origin:
    if draft.used is None:
        return Origin(source, draft.span)
    return Origin(Source.LIBRARY, draft.container.span(draft.key), draft.used.place.span)

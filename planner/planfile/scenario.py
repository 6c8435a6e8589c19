"""Reads one scenario: its parts, its errors, its cases."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from planner.diagnostics import Related, Span
from planner.planfile.axes import AxisReader
from planner.planfile.drafts import ExpectationDraft
from planner.planfile.expand import Parts, expand
from planner.planfile.fields import missing, read_fields
from planner.planfile.grammar import ScenarioFields
from planner.planfile.jinja import TemplateError
from planner.planfile.lint import cannot_fail
from planner.planfile.matrix import Matrix, MatrixReader
from planner.planfile.model import Case, Target
from planner.planfile.prompts import Prompt
from planner.planfile.reporter import Use
from planner.planfile.settings import (
    DECIDING,
    check_rounding,
    read_quarantine,
    settings_of,
)
from planner.planfile.targets import check_slug, is_slug
from planner.planfile.templates import corrected_name, is_name, undefined
from planner.planfile.text import shorten
from planner.planfile.yaml.document import Items, YamlMapping

if TYPE_CHECKING:
    from planner.planfile.load import PlanContext

_NO_MATRIX, _NO_AXES = Matrix(), YamlMapping()


class Scenario(NamedTuple):
    """`cases` are none where anything of the scenario has an error; `names` are those its templates use.

    `complete`: all its templates could be read, so that what is in none of them is unused.
    """

    cases: list[Case]
    names: set[str]
    complete: bool


class ScenarioReader:
    """Reads one scenario."""

    def __init__(self, plan: PlanContext, scenarios: YamlMapping, name: str) -> None:
        self.reporter = plan.reader.reporter
        self.plan = plan
        self.root = plan.root
        self.name = name
        self.place = scenarios.key_place(name)
        self.written: YamlMapping = scenarios[name]
        self.errors = self.reporter.errors
        """How many errors there were before this scenario."""
        self.fields = read_fields(ScenarioFields, self.written, self.reporter)
        self.given = self.fields.model_fields_set
        """The valid fields of the scenario."""
        self.values = {**vars(plan.defaults), **{name: getattr(self.fields, name) for name in self.given}}
        """The values that apply: the scenario's, or else those of `defaults`."""

    def read(self) -> Scenario:
        if not is_slug(self.name):
            check_slug(self.name, self.where, self.reporter)
        targets = self._targets()
        matrix = self._matrix(max(1, len(targets)))
        prompt = self._prompt()
        drafts, drafts_complete = self._drafts()
        complete = prompt is not None and prompt.sound and drafts_complete
        plan, given = self.plan, self.given
        check_rounding(self.written, given, self.values, plan.defaults_written, self.reporter)
        settings = plan.settings if DECIDING.isdisjoint(given) else settings_of(self.values)
        if complete and cannot_fail(drafts):
            self.reporter.warning("cannot-fail", "no call can fail; write `severity: error`", self.where)
        quarantine = plan.quarantine
        if "quarantine" in self.written:
            quarantine = read_quarantine(self.written, self.fields.quarantine, self.reporter, plan.reader.today)
        names = self._names(matrix, prompt, drafts, complete=complete)
        prompt = prompt if prompt is not None and prompt.sound else None
        unknown = names.difference(plan.variables)
        if unknown:
            unknown.difference_update([axis.name for axis in matrix.axes])
        if unknown:
            # They were reported: what uses them is left out, the rest is still rendered to find its errors.
            complete = False
            prompt = prompt if prompt is not None and unknown.isdisjoint(prompt.template.names) else None
            for draft in drafts:
                if not unknown.isdisjoint(draft.shape.names):
                    self.plan.reader.expectations.check_without_values(draft)
            drafts = [draft for draft in drafts if unknown.isdisjoint(draft.shape.names)]
        parts = Parts(
            plan=plan.name,
            scenario=self.name,
            place=self.place,
            targets=targets,
            matrix=matrix,
            prompt=prompt,
            drafts=drafts,
            variables=plan.variables,
            settings=settings,
            tags=plan.tags.union(self.values["tags"]),
            description=(self.values["description"] or "").strip(),
            quarantine=quarantine,
        )
        cases = expand(parts, self.plan.reader.expectations, plan.allowance, self.reporter, errors=self.errors)
        return Scenario(cases, names, complete)

    @property
    def where(self) -> Span:
        return self.place.span

    # Parts

    def _targets(self) -> list[Target]:
        written = self.written if "targets" in self.written else self.plan.defaults_written
        aliases = self.plan.aliases
        if "targets" not in written:
            return aliases.everything
        fields = self.fields if written is self.written else self.plan.defaults
        items: Any = written["targets"]
        if "targets" not in fields.model_fields_set or not isinstance(items, Items):
            return []  # reported with the fields
        if not items:
            detail = "this list is empty; leave `targets` out to call all targets of the plan"
            self.reporter.error("no-targets", detail, written.span("targets"))
        chosen: dict[str, Target | None] = {}
        for index, alias in enumerate(items):
            place = items.span(index)
            if alias in chosen:
                detail = f"`{shorten(alias, 40)}` is listed twice; remove one"
                self.reporter.error("duplicate-item", detail, place)
            chosen[alias] = aliases.find(alias, place, self.plan.unresolved)
        return [target for target in chosen.values() if target is not None]

    def _matrix(self, cases_per_point: int) -> Matrix:
        if "matrix" not in self.written:
            return _NO_MATRIX
        if self.fields.matrix is None:
            return Matrix()
        axes = AxisReader(self.plan.path, self.plan.reader.axis_files, self.reporter)
        written, unresolved = self.written["matrix"], self.plan.unresolved
        reader = MatrixReader(written, self.fields.matrix, axes, unresolved, cases_per_point=cases_per_point)
        return reader.read(self.written.key_span("matrix"))

    def _prompt(self) -> Prompt | None:
        if "prompt" not in self.written and "prompt_file" not in self.written:
            needed = not self.written.incomplete
            if needed and all(missing(ScenarioFields, self.written, key) for key in ("prompt", "prompt_file")):
                detail = f"`{shorten(self.name, 40)}` needs a `prompt`, or a `prompt_file`"
                self.reporter.error("no-prompt", detail, self.where)
            return None
        return self.plan.reader.prompts.read(self.plan.path, self.written, self.fields)

    def _drafts(self) -> tuple[list[ExpectationDraft], bool]:
        """The expectations without an error, the defaults' first, and whether these are all."""
        defaults = self.plan.default_expected
        own = self.plan.imports.expected(ScenarioFields, self.written)
        written = own.written or defaults.written or self.written.incomplete
        if not written and "expect" not in self.root:
            detail = f"`{shorten(self.name, 40)}` expects nothing; add `expect` here or to `defaults`"
            self.reporter.error("no-expectations", detail, self.where)
        drafts = [*defaults.drafts, *own.drafts]
        self._check_repeats(drafts)
        return drafts, defaults.complete and own.complete

    def _check_repeats(self, drafts: list[ExpectationDraft]) -> None:
        """Report a library's expectation that is used twice, since it would be judged twice, and ids that are taken."""
        used: dict[tuple[int, str | int], ExpectationDraft] = {}
        ids: dict[str, ExpectationDraft] = {}
        name = shorten(self.name, 40)
        for draft in drafts:
            if (
                draft.used is not None
                and (first := used.setdefault((id(draft.container), draft.key), draft)) is not draft
            ):
                detail = f"`{name}` has this from the library already"
                self.reporter.error("duplicate-item", detail, draft.span, Related("the first time", first.span))
            if draft.shape.id is not None and (first := ids.setdefault(draft.shape.id, draft)) is not draft:
                detail = f"another expectation of `{name}` has the id `{shorten(draft.shape.id, 40)}`"
                self.reporter.error("duplicate-id", detail, draft.id_span, Related("the first one", first.id_span))

    def _names(
        self, matrix: Matrix, prompt: Prompt | None, drafts: list[ExpectationDraft], *, complete: bool
    ) -> set[str]:
        """The names that templates use. Undefined names and unused axes are reported."""
        used = set(prompt.template.names if prompt else ())
        for draft in drafts:
            if draft.shape.names:
                used.update(draft.shape.names)
        if prompt is not None:
            known = {*self.plan.variables, *(self._written_axes() or ())}
            used |= known & prompt.report_single_braces(known, self.reporter)  # one error is enough
        if "matrix" not in self.written and used <= self.plan.variables.keys():
            return used
        axes = self._written_axes()
        if axes is None or not self.plan.own_variables_readable:
            return used  # what is undefined may be defined there
        here = {*axes, *(axis.name for axis in matrix.axes)}
        strange = {name for name in used if name not in self.plan.variables and name not in here}
        if strange:
            searches = self.reporter.searches
            # Templates may have the right name already.
            known = self.plan.corrected_names.union(here, map(corrected_name, here))
            strange.difference_update(known)
            for name, use in self._undefined(prompt, drafts, known):
                # What an import that cannot be read may define is left alone, unless it is nearly a name that there is.
                if self.plan.variables_readable or searches.nearest(name, known) is not None:
                    self.plan.unresolved.add(name, use, partial(undefined, name, known, self.name, searches))
        if complete and self.plan.variables_readable and not strange:
            for name in axes:
                if name not in used and is_name(name):
                    unused = f"no template of this scenario uses `{name}`"
                    detail = f"{unused}: the same call would be made for each of its values"
                    self.reporter.error("unused-axis", detail, axes.key_span(name))
        return used

    def _undefined(
        self, prompt: Prompt | None, drafts: list[ExpectationDraft], known: frozenset[str]
    ) -> Iterator[tuple[str, Use]]:
        """Undefined names in templates, each with all its places."""
        if prompt is not None:
            for name, offset in prompt.template.names.items():
                if name not in known:
                    error = TemplateError("template-undefined", "", offset, offset + len(name))
                    yield name, Use(error.code, prompt.place(error))
        for draft in drafts:
            if not known.issuperset(draft.shape.names):
                yield from self.plan.reader.expectations.undefined(draft, known)

    def _written_axes(self) -> YamlMapping | None:
        """The axes as written; None if they cannot be read, which was reported."""
        if "matrix" not in self.written:
            return _NO_AXES if missing(ScenarioFields, self.written, "matrix") else None
        matrix: Any = self.written["matrix"]
        axes: Any = matrix.get("axes") if isinstance(matrix, YamlMapping) else None
        return axes if isinstance(axes, YamlMapping) else None

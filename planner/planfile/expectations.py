"""Expectations as written to expectations as judged: templates rendered, named, validated by the check's own model.

Each distinct rendered expectation is validated once, however many cases have it. Fields are strict, as JSON types are.
Only if a whole text is one template (`max_seconds: "{{ limit }}"`) and the field takes no text, the rendered text is
read as YAML.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic_core import ErrorDetails

from planner.checks import CHECKS
from planner.checks.base import Expectation, idle_rate
from planner.checks.judgement import shown
from planner.diagnostics import Span
from planner.planfile.drafts import ExpectationDraft, Rendered, Shape, Used, Validations, free_id, parts_of
from planner.planfile.fields import EMPTY, explain, mistyped, wrong_type
from planner.planfile.jinja import TemplateError
from planner.planfile.prompts import place_in_text
from planner.planfile.reporter import CaseErrors, Reporter, Use
from planner.planfile.templates import (
    Compiler,
    Route,
    Templates,
    TextError,
    holds_tags,
    placeholders,
    read_numbers,
    render,
    varying,
)
from planner.planfile.text import shorten, unknown
from planner.planfile.yaml.document import Container, as_json, as_written, at, follow
from planner.planfile.yaml.document import YamlMapping as Written
from planner.planfile.yaml.reader import warn_of_rewritten

MAX_BYTES = 64 * 1024
"""One expectation as JSON: all of it is searched in every turn of a call."""

_MANY_SHAPES = 100
"""Expectations of earlier plans are dropped from the cache beyond this number."""

_FREE_FORM = ("arguments", "result", "equals", "in")
"""Fields that hold the author's own JSON values."""


Values = Mapping[str, Any]


@dataclass(slots=True)
class Expectations:
    """Reads expectations; one for all plans loaded together."""

    reporter: Reporter
    templates: Templates
    validations: Validations = field(default_factory=Validations)
    _shapes: dict[bytes, Shape] = field(default_factory=dict[bytes, Shape])

    def new_plan(self) -> None:
        """Start a plan: limits are per plan."""
        self.validations.new_plan()
        if len(self._shapes) > _MANY_SHAPES:
            self._shapes.clear()

    def draft(self, container: Container, key: str | int) -> ExpectationDraft | None:
        """Read one expectation, such as an item of `expect`; None, and an error, if it cannot be used."""
        self.reporter.check_time(container.source.file)
        written = at(container, key)
        json = as_json(written)
        shape = self._shapes.get(json)
        place = container.place(key)
        if shape is None:
            kind = kind_of(container, key, self.reporter)
            if kind is None or not self._check_common_fields(written, kind):
                return None
            if len(json) > MAX_BYTES:
                detail = f"an expectation may have {MAX_BYTES:,} bytes, this has {len(json):,}; write several"
                self.reporter.error("bad-expectation", detail, place.span)
                return None
            shape = Shape(json, written, kind, written["check"], written.get("id"), written)
        draft = ExpectationDraft(container, key, written, shape, place)
        self._warn(written)
        if json not in self._shapes and not self._complete(draft):
            return None
        for lint in shape.lints:
            holder, name = follow(written, lint.route) or (container, key)
            self.reporter.warning(lint.code, lint.why, holder.span(name))
        return draft

    def _complete(self, draft: ExpectationDraft) -> bool:
        """Compile or validate a new shape. False, and an error, if it cannot be used."""
        shape = draft.shape
        if holds_tags(draft.written) and not self._compile(draft):
            self.check_without_values(draft)
            return False
        if not shape.texts:
            shape.fixed = Rendered(draft.written)
            expectation = self._expectation(draft, shape.fixed, shape.id or shape.check, None)
            if expectation is None:
                return False
            shape.lints = expectation.lints()
        shape.lints = (*shape.lints, *idle_rate(draft.written))
        self._shapes[shape.json] = shape
        return True

    def _compile(self, draft: ExpectationDraft) -> bool:
        """Compile the templates of the draft's shape. False, and an error, if that is not possible."""
        compiler = Compiler(self.templates)
        draft.shape.content = compiler.compile(draft.written)
        draft.shape.texts = compiler.texts
        draft.shape.names = frozenset([name for text in compiler.texts for name in text.template.names])
        for wrong in compiler.errors:
            place = self._place(draft, wrong.route, wrong.error)
            self.reporter.error_once(draft.said, wrong.error.code, wrong.error.detail, place, draft.user)
        return not compiler.errors

    def used(self, draft: ExpectationDraft, used: Used, changed: Values) -> ExpectationDraft:
        """An expectation of a library as a plan uses it, with the fields that the plan `changed`: valid ones without
        templates."""
        written, shape = draft.written, draft.shape
        if changed:
            written = Written()
            whole = draft.container.value_mark(draft.key)
            for key, value in {**draft.written, **changed}.items():
                written.put(key, value, draft.written.mark(key) if key in draft.written else (*whole, *whole))
            fixed = Rendered(written) if shape.fixed else None
            content = {**shape.content, **changed}
            shape = replace(shape, written=written, id=written.get("id"), content=content, fixed=fixed)
        return replace(draft, place=used.place, used=used, written=written, shape=shape, said=draft.said)

    def check_without_values(self, draft: ExpectationDraft) -> bool:
        """Report an expectation that no values of its templates can make valid; return whether it can be valid."""
        shape = draft.shape
        errors = self.validations.validate(shape.kind, placeholders(shape.content), shape.id or draft.written["check"])
        if isinstance(errors, list):
            about_keys = ("extra_forbidden", "missing")
            sure = [
                error
                for error in errors
                if error["loc"]
                and (error["type"] in about_keys or not varying(shape.content, shape.texts, error["loc"]))
            ]
            self._report(draft, sure, None)
            return not sure
        return True

    def _warn(self, written: Written) -> None:
        for key in _FREE_FORM:
            if key in written:
                warn_of_rewritten(written, key, self.reporter)
        for container, key in parts_of(written):
            if isinstance(part := at(container, key), Written):
                self._warn(part)

    def _check_common_fields(self, written: Written, kind: type[Expectation]) -> bool:
        """Check the fields that all kinds of check have, and report errors."""
        errors = self.reporter.errors
        for key, value in written.items():
            if value is None and key in kind.model_fields:
                self.reporter.error("wrong-type", EMPTY, written.key_span(key))
            elif key == "id" and not isinstance(value, str):
                detail = wrong_type("a string", value, as_written(written, key))
                self.reporter.error("wrong-type", detail, written.span(key))
        for container, key in parts_of(written) if "of" in kind.model_fields else ():
            part_kind = kind_of(container, key, self.reporter)
            if part_kind is not None:
                self._check_common_fields(at(container, key), part_kind)
        return self.reporter.errors == errors

    def of_case(
        self, drafts: Sequence[ExpectationDraft], values: Values, case_errors: CaseErrors
    ) -> tuple[Expectation, ...] | None:
        """A case's expectations, each with its id; None, and an error, if these values do not make them.

        An id is the one given, or else the check's name, with -2, -3 for repeats.
        """
        contents = [draft.shape.fixed or self._rendering(draft, values, case_errors) for draft in drafts]
        taken = self._taken(drafts, contents, case_errors.which)
        found: list[Expectation] = []
        for draft, rendered in zip(drafts, contents, strict=True):
            if rendered is None:
                continue
            name = free_id(draft.shape.check, taken) if draft.shape.id is None else rendered.content["id"]
            taken.add(name)
            expectation = rendered.named.get(name) or self._expectation(draft, rendered, name, case_errors)
            if expectation is not None:
                found.append(expectation)
        return tuple(found) if len(found) == len(drafts) else None

    def _taken(self, drafts: Sequence[ExpectationDraft], contents: Sequence[Rendered | None], which: str) -> set[str]:
        """The ids that are given. Those that templates make equal are reported; others were reported when they were
        read."""
        first: dict[str, ExpectationDraft] = {}
        for draft, rendered in zip(drafts, contents, strict=True):
            if rendered is None or draft.shape.id is None:
                continue
            name = rendered.content["id"]
            other = first.setdefault(name, draft)
            if other.shape.id != draft.shape.id:
                detail = f"another expectation has the id `{shorten(name, 40)}` as well{which}"
                self.reporter.error_once(draft.said, "duplicate-id", detail, draft.id_span, draft.user)
        return set(first)

    def undefined(self, draft: ExpectationDraft, known: frozenset[str]) -> Iterator[tuple[str, Use]]:
        """The unknown names in the expectation's templates, each with its places."""
        for text in draft.shape.texts:
            for name, offset in text.template.names.items():
                if name not in known:
                    wrong = TemplateError("template-undefined", "", offset, offset + len(name))
                    yield name, Use(wrong.code, self._place(draft, text.route, wrong), draft.user, draft.said)

    def _rendering(self, draft: ExpectationDraft, values: Values, case_errors: CaseErrors) -> Rendered | None:
        """The expectation of one case, from a draft with templates; None after an error."""
        self.reporter.check_time(draft.container.source.file)
        try:
            return Rendered(render(draft.shape.content, values))
        except TextError as wrong:
            text = next(text for text in draft.shape.texts if text.route == wrong.route)
            one = wrong.error
            places = self._place(draft, wrong.route, one), draft.user
            case_errors.report(draft.said, one.code, one.detail, places, text.template.names)
            return None

    def _expectation(
        self, draft: ExpectationDraft, rendered: Rendered, name: str, case_errors: CaseErrors | None
    ) -> Expectation | None:
        """The validated expectation with this id; None after an error."""
        shape, content = draft.shape, rendered.content
        known = self.validations.validate(shape.kind, content, name)
        if isinstance(known, list) and shape.texts:
            texts = [text for error in known for text in varying(shape.content, shape.texts, error["loc"])]
            numbers = read_numbers(shape.content, content, texts)
            if numbers != content:
                read = self.validations.validate(shape.kind, numbers, name)
                wants_text = isinstance(read, list) and any(error["type"] == "string_type" for error in read)
                known = known if wants_text else read
        if isinstance(known, list):
            self._report(draft, known, case_errors)
            return None
        rendered.named[name] = known
        return known

    def _place(self, draft: ExpectationDraft, route: Route, wrong: TemplateError) -> Span:
        """The place of an error in the text at this route."""
        container, key = follow(draft.container, (draft.key, *route)) or (draft.container, draft.key)
        return place_in_text(container, key, wrong)

    def _report(self, draft: ExpectationDraft, errors: list[ErrorDetails], case_errors: CaseErrors | None) -> None:
        """`case_errors` are those of one case; without them, the errors are of all cases."""
        self.reporter.errors += not errors  # too many patterns, which was reported
        for error in _without_misnamed(errors):
            route = (draft.key, *error["loc"])
            container, key = follow(draft.container, route) or (draft.container, draft.key)
            present = container if isinstance(container, Written) else ()
            code, detail = explain(error, draft.shape.kind, as_written(container, key), present)
            if code in {"unknown-key", "missing-key"} and container.incomplete:
                self.reporter.errors += 1
                continue
            last = str(error["loc"][-1]) if error["loc"] else ""
            if code == "bad-value":
                code = "bad-regex" if last == "matches" else "bad-expectation"
            place = container.key_span(key) if code == "unknown-key" else container.span(key)
            if varying(draft.shape.content, draft.shape.texts, error["loc"]):
                if code == "bad-regex":
                    detail = f"{detail}; it is {shown(error['input'])}"
                if case_errors is not None:
                    case_errors.report(draft.said, code, detail, (place, draft.user), draft.shape.names)
                    continue
            elif error["type"] == "text_error":
                context = error.get("ctx", {})
                wrong = TemplateError(code, detail, context["start"], context["end"])
                place = place_in_text(container, key, wrong)
            self.reporter.error_once(draft.said, code, detail, place, draft.user)


def kind_of(container: Container, key: str | int, reporter: Reporter) -> type[Expectation] | None:
    """The kind of check that an expectation names; None, and an error, if it names none."""
    written: Any = at(container, key)
    place = container.span(key)
    if not isinstance(written, Written):
        message = wrong_type("a mapping such as {check: says, any_of: [...]} or {use: NAME}", written)
        reporter.error("wrong-type", message, place)
    elif "check" in written:
        name = written["check"]
        place = written.span("check")
        if not isinstance(name, str):
            reporter.error("wrong-type", wrong_type("a string", name, as_written(written, "check")), place)
        elif name in CHECKS:
            return CHECKS[name]
        else:
            reporter.error("unknown-check", unknown(f"there is no check `{shorten(name, 40)}`", name, CHECKS), place)
    elif (mistaken := next((name for name in written if mistyped(name, ["check"])), None)) is not None:
        message = f"`{shorten(mistaken)}` is not a key here; did you mean `check`?"
        reporter.error("unknown-key", message, written.key_span(mistaken))
    elif "use" in written:
        message = "`use` works as an item of a plan's `expect`; here, write the expectation itself"
        reporter.error("misplaced-use", message, written.key_span("use"))
    elif not written.incomplete:
        reporter.error("missing-key", f"`check` is required; known: {', '.join(CHECKS)}", place)
    return None


def _without_misnamed(errors: Sequence[ErrorDetails]) -> list[ErrorDetails]:
    """Leave out a required key that is missing beside an unknown key with almost the same name."""
    unknown_keys = [error["loc"] for error in errors if error["type"] == "extra_forbidden"]
    return [
        error
        for error in errors
        if error["type"] != "missing"
        or not any(
            loc[:-1] == error["loc"][:-1] and mistyped(str(loc[-1]), [str(error["loc"][-1])]) for loc in unknown_keys
        )
    ]

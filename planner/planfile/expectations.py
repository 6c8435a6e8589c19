"""Expectations as written to expectations as judged: templates rendered, named, validated by the check's own model.

Each distinct rendered expectation is validated once, however many cases have it. Fields are strict, as JSON types are;
only where a whole text is one template (`max_seconds: "{{ limit }}"`) and the field takes no text, the rendered text is
read as YAML would read it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic_core import ErrorDetails

from planner.checks.base import Expectation, idle_rate
from planner.checks.wording import shown
from planner.diagnostics import Span
from planner.planfile.contradictions import Contradictions, Stated, may_contradict
from planner.planfile.drafts import Draft, Rendered, Shape, Used, free_id, parts_of
from planner.planfile.grammar.field_errors import EMPTY, UNQUOTE, explain, mistyped, wrong_type
from planner.planfile.grammar.kinds import kind_of
from planner.planfile.grammar.validations import TOLD, Validations
from planner.planfile.matrix.case_errors import CaseErrors
from planner.planfile.reporter import Reporter
from planner.planfile.templates.contents import (
    Compiler,
    Route,
    TextFault,
    placeholders,
    read_numbers,
    render,
    varies,
)
from planner.planfile.templates.places import place_in_text
from planner.planfile.templates.templates import TemplateFault, Templates
from planner.planfile.text import shorten
from planner.planfile.unresolved import Use
from planner.planfile.yaml.document import Container, Document, as_json, at, larger_than, value_mark
from planner.planfile.yaml.document import Mapping as Written
from planner.planfile.yaml.numbers import as_written, warn_of_rewritten
from planner.planfile.yaml.source import Place

MAX_NODES = 1_000
"""Values in one expectation, aliases expanded: it may be rendered for each case."""

MAX_BYTES = 64 * 1024
"""One expectation as JSON: all of it is looked for in every turn of a call."""

MAX_EXPECTATIONS = 300
"""Of one scenario: each is compared with each."""

_MAX_TEXT = 1_000
"""Characters of what is known again by its text."""

_MOST_KNOWN = 100
"""Of so many, most come but once. To keep more takes longer, for the memory, than to read again what comes again."""

_FREE_FORM = ("arguments", "result", "equals", "in")
"""Fields that hold the author's own JSON values."""

_NULL_ITSELF = {"result": "result: {any_of: [null]}", "equals": "in: [null]"}
"""How null is asked for, where null as the value asks nothing."""

_WARNING_KEYS = frozenset(_FREE_FORM)

_TAG = re.compile(rb"\{[{%#]")
_MANY = object()
"""Stands for a value that is many: what is rendered with it is not remembered."""

Values = Mapping[str, Any]


@dataclass(slots=True)
class Expectations:
    """Reads expectations; one for all plans loaded together."""

    reporter: Reporter
    templates: Templates
    validations: Validations = field(default_factory=Validations)
    _shapes: dict[bytes, Shape] = field(default_factory=dict[bytes, Shape])
    _by_text: dict[str, Shape] = field(default_factory=dict[str, Shape])
    _rendered: dict[tuple[Any, ...], Rendered] = field(default_factory=dict[tuple[Any, ...], Rendered])
    unsound: Draft | None = None
    """The last one that could not be used for a template of it: others of it may use names that nothing defines."""
    _contradictions: Contradictions = field(init=False)

    def __post_init__(self) -> None:
        self._contradictions = Contradictions(self.reporter)

    def new_plan(self) -> None:
        """A plan begins: what is bounded is bounded for each."""
        self._contradictions.new_plan()
        self.validations.new_plan()
        for known in (self._shapes, self._by_text, self._rendered):
            if len(known) > _MOST_KNOWN:
                known.clear()

    def draft(self, document: Document, container: Container, key: str | int) -> Draft | None:
        """Read one expectation, such as an item of `expect`; None, and a fault, where it cannot be used."""
        written = at(container, key)
        place = source, start, end = document.place(container, key)
        raw = source.text[start:end] if end - start <= _MAX_TEXT else ""
        shape = self._by_text.get(raw)
        json = b""
        if shape is None or shape.written != written:
            json = as_json(written)
            shape = self._shapes.get(json)
        if shape is not None:
            draft = Draft(document, container, key, written, shape, place)
            if shape.may_warn:
                self._warn(document, written)
            if shape.lints:
                self._doubt(draft)
            return draft
        return self._new(document, container, key, written, place, json, raw)

    def _new(
        self,
        document: Document,
        container: Container,
        key: str | int,
        written: Any,
        place: Place,
        json: bytes,
        raw: str,
    ) -> Draft | None:
        """One that is met for the first time."""
        kind = kind_of(document, container, key, self.reporter)
        if kind is None or not self._sound(document, written, kind):
            return None
        if len(json) > MAX_BYTES:
            detail = f"an expectation may have {MAX_BYTES:,} bytes, this has {len(json):,}; write several"
            self.reporter.error("bad-expectation", detail, document.value(container, key))
            return None
        shape = Shape(json, written, kind, written["check"], written.get("id"), written)
        draft = Draft(document, container, key, written, shape, place)
        shape.may_warn = "of" in written or not _WARNING_KEYS.isdisjoint(written)
        if shape.may_warn:
            self._warn(document, written)
        if _TAG.search(json) and not self._compile(draft):
            self.sound_alone(draft)
            self.unsound = draft
            return None
        if not shape.texts:
            shape.fixed = Rendered(written)
            expectation = self._expectation(draft, shape.fixed, draft.id or written["check"], None)
            if expectation is None:
                return None
            shape.lints = expectation.lints()
        shape.lints = (*shape.lints, *idle_rate(written))
        self._doubt(draft)
        self._shapes[json] = shape
        if raw and "*" not in raw:  # what an alias stands for is not the same everywhere
            self._by_text[raw] = shape
        return draft

    def _compile(self, draft: Draft) -> bool:
        """Compile the templates of the draft's shape. False, and a fault, where that cannot be done."""
        if larger_than(draft.written, MAX_NODES):
            detail = f"an expectation with templates may hold {MAX_NODES:,} values, aliases expanded"
            self.reporter.error("too-many-nodes", detail, draft.span)
            return False
        compiler = Compiler(self.templates)
        draft.shape.content = compiler.compile(draft.written)
        draft.shape.texts = compiler.texts
        draft.shape.names = frozenset([name for text in compiler.texts for name in text.template.names])
        for fault in compiler.faults:
            place = self._place(draft, fault.route, fault.fault)
            self.reporter.error_once(draft.said, fault.fault.code, fault.fault.detail, place, draft.user)
        return not compiler.faults

    def used(self, draft: Draft, used: Used, changed: Values) -> Draft:
        """An expectation of a library as a plan uses it, with the fields that the plan `changed`: sound ones, no templates."""
        if not changed:
            return replace(draft, place=used.place, used=used, said=draft.said)
        written = Written()
        whole = value_mark(draft.container, draft.key)
        for key, value in {**draft.written, **changed}.items():
            written.put(key, value, draft.written.mark(key) if key in draft.written else (*whole, *whole))
        json = as_json(written)
        shape = self._shapes.get(json)
        if shape is None:
            content = {**draft.shape.content, **changed}
            fixed = Rendered(written) if draft.shape.fixed else None
            name = written.get("id")
            lints = [lint for lint in draft.shape.lints if lint.code != "idle-rate"]
            lints.extend(idle_rate(written))
            shape = replace(draft.shape, json=json, written=written, id=name, content=content, fixed=fixed, lints=lints)
            self._shapes[json] = shape
        return replace(draft, place=used.place, used=used, written=written, shape=shape, said=draft.said)

    def sound_alone(self, draft: Draft) -> bool:
        """Whether nothing is wrong with an expectation whatever its templates render to; reported if not."""
        shape = draft.shape
        errors = self.validations.validate(shape.kind, placeholders(shape.content), draft.id or draft.written["check"])
        if isinstance(errors, list):
            about_keys = ("extra_forbidden", "missing")
            sure = [
                error
                for error in errors
                if error["loc"] and (error["type"] in about_keys or not varies(shape.content, error["loc"]))
            ]
            self._report(draft, sure, None)
            return not sure
        return True

    def _doubt(self, draft: Draft) -> None:
        for lint in draft.shape.lints:
            container, key = draft.document.follow(lint.route, draft.written) or (draft.container, draft.key)
            self.reporter.warning(lint.code, lint.why, draft.document.value(container, key))

    def _warn(self, document: Document, written: Written) -> None:
        for key in _FREE_FORM:
            if key in written:
                warn_of_rewritten(document, written, key, self.reporter)
        for container, key in parts_of(written) if "of" in written else ():
            self._warn(document, at(container, key))

    def _sound(self, document: Document, written: Written, kind: type[Expectation]) -> bool:
        """Whether what is the same for all kinds of check is right; reported if not."""
        errors = self.reporter.errors
        for key, value in written.items() if "id" in written or None in written.values() else ():
            if value is None and key in kind.model_fields:
                null = f"; for null itself write `{_NULL_ITSELF[key]}`" if key in _NULL_ITSELF else ""
                self.reporter.error("wrong-type", EMPTY + null, document.key(written, key))
            elif key == "id" and not isinstance(value, str):
                detail = wrong_type("text", value, as_written(document, written, key))
                self.reporter.error("wrong-type", detail, document.value(written, key))
        for container, key in parts_of(written) if "of" in kind.model_fields else ():
            part_kind = kind_of(document, container, key, self.reporter)
            if part_kind is not None:
                self._sound(document, at(container, key), part_kind)
        return self.reporter.errors == errors

    def of_case(
        self, drafts: Sequence[Draft], values: Values, case_errors: CaseErrors
    ) -> tuple[Expectation, ...] | None:
        """A case's expectations, each with its id; None, and a fault, where these values do not make them.

        An id is the one given, or else the check's name, with -2, -3 for repeats.
        """
        contents: list[Rendered | None] = []
        given = False
        for draft in drafts:
            shape = draft.shape
            contents.append(shape.fixed or self._rendering(draft, values, case_errors))
            if shape.id is not None:
                given = True
        taken: set[str] = set()
        if given:
            with_id = [one for one in zip(drafts, contents, strict=True) if one[0].shape.id is not None]
            taken = self._taken(with_id, case_errors.which)
        found: list[Expectation] = []
        kinds: list[type[Expectation]] = []
        for draft, rendered in zip(drafts, contents, strict=True):
            if rendered is None:
                continue
            shape = draft.shape
            kinds.append(shape.kind)
            if shape.id is None:
                name = shape.check
                if name in taken:
                    name = free_id(name, taken)
                taken.add(name)
            else:
                name = rendered.content["id"]
            expectation = rendered.named.get(name) or self._expectation(draft, rendered, name, case_errors)
            if expectation is not None:
                found.append(expectation)
        if len(found) < len(drafts):
            return None
        if may_contradict(tuple(kinds)):
            stated = [
                Stated(one, draft.span, bool(draft.shape.texts), len(draft.shape.json))
                for draft, one in zip(drafts, found, strict=True)
            ]
            self._contradictions.report(stated, case_errors.which)
        return tuple(found)

    def _taken(self, contents: Sequence[tuple[Draft, Rendered | None]], which: str) -> set[str]:
        """The ids that are given. Those that templates make equal are reported; others were when they were read."""
        first: dict[str, Draft] = {}
        for draft, rendered in contents:
            if rendered is None:
                continue
            name = rendered.content["id"]
            other = first.setdefault(name, draft)
            if other.id != draft.id:
                detail = f"another expectation has the id `{shorten(name, 40)}` as well{which}"
                self.reporter.error_once(draft.said, "duplicate-id", detail, draft.id_span, draft.user)
        return set(first)

    def undefined(self, draft: Draft, known: frozenset[str], told: Callable[[str], str]) -> Iterator[tuple[str, Use]]:
        """The names in the expectation's templates that are not known, each with every place, and what is `told` of it."""
        for text in draft.shape.texts:
            for name, offset in text.template.names.items():
                if name not in known:
                    detail = told(name)
                    fault = TemplateFault("template-undefined", detail, offset, offset + len(name))
                    yield name, Use(fault.code, detail, self._place(draft, text.route, fault), draft.user, draft.said)

    def _rendering(self, draft: Draft, values: Values, case_errors: CaseErrors) -> Rendered | None:
        """What a draft with templates expects of one case; None where a fault was reported."""
        shape = draft.shape
        key = (shape.json, *[_identity(values[name]) for name in shape.names])
        known = self._rendered.get(key) if _MANY not in key else None
        if known is not None:
            return known
        try:
            rendered = Rendered(render(shape.content, values))
        except TextFault as fault:
            if fault.fault.already_reported:
                self.reporter.errors += 1
                return None
            text = next(text for text in shape.texts if text.route == fault.route)
            for one in (fault.fault, *fault.fault.others):
                places = self._place(draft, fault.route, one), draft.user
                case_errors.report(draft.said, one.code, one.detail, places, text.template.names)
            return None
        if _MANY not in key:
            self._rendered[key] = rendered
        return rendered

    def _expectation(
        self, draft: Draft, rendered: Rendered, name: str, case_errors: CaseErrors | None
    ) -> Expectation | None:
        """Validated under this id; None where a fault was reported."""
        shape, content = draft.shape, rendered.content
        known = self.validations.validate(shape.kind, content, name, shape.json if content is shape.written else None)
        if isinstance(known, list) and shape.texts:
            numbers = read_numbers(shape.content, content, [error["loc"] for error in known])
            if numbers is not content:
                read = self.validations.validate(shape.kind, numbers, name)
                wants_text = isinstance(read, list) and any(error["type"] == "string_type" for error in read)
                known = known if wants_text else read
        if isinstance(known, list):
            self._report(draft, known, case_errors)
            return None
        rendered.named[name] = known
        return known

    def _place(self, draft: Draft, route: Route, fault: TemplateFault) -> Span:
        """Where the fault of the text at this route is written."""
        container, key = draft.document.follow((draft.key, *route), draft.container) or (draft.container, draft.key)
        return place_in_text(draft.document, container, key, fault)

    def _report(self, draft: Draft, errors: list[ErrorDetails], case_errors: CaseErrors | None) -> None:
        """`case_errors` are those of one case; without them, the errors are of all cases."""
        if errors and errors[0] is TOLD:
            self.reporter.errors += 1
            return
        for error in _without_misnamed(errors):
            route = (draft.key, *error["loc"])
            container, key = draft.document.follow(route, draft.container) or (draft.container, draft.key)
            present = container if isinstance(container, Written) else ()
            code, detail = explain(error, draft.shape.kind, as_written(draft.document, container, key), present)
            last = str(error["loc"][-1]) if error["loc"] else ""
            if code == "missing-key":
                detail = f"`{last}` is required by this check"
            elif code == "bad-value":
                code = "bad-regex" if last == "matches" else "bad-expectation"
            at_key = code == "unknown-key" and isinstance(container, Written)
            place = draft.document.key(container, str(key)) if at_key else draft.document.value(container, key)  # pyright: ignore[reportArgumentType]
            if varies(draft.shape.content, error["loc"]):
                made = f"; it is {shown(error['input'])}" if code == "bad-regex" else ""
                detail = detail.removesuffix(UNQUOTE) + made
                if case_errors is not None:
                    case_errors.report(draft.said, code, detail, (place, draft.user), draft.shape.names)
                    continue
            elif error["type"] == "text_fault":
                context = error.get("ctx", {})
                fault = TemplateFault(code, detail, context["start"], context["end"])
                place = place_in_text(draft.document, container, key, fault)
            self.reporter.error_once(draft.said, code, detail, place, draft.user)


def _identity(value: Any) -> Any:
    """Equal only for values that templates write alike: 1, 1.0 and true are three."""
    return _MANY if isinstance(value, (dict, list)) else (value.__class__, value)


def _without_misnamed(errors: Sequence[ErrorDetails]) -> list[ErrorDetails]:
    """A required key that is missing beside one that is nearly it: the unknown key is reported, and that is enough."""
    unknown = [error["loc"] for error in errors if error["type"] == "extra_forbidden"]
    return [
        error
        for error in errors
        if error["type"] != "missing"
        or not any(loc[:-1] == error["loc"][:-1] and mistyped(str(loc[-1]), [str(error["loc"][-1])]) for loc in unknown)
    ]

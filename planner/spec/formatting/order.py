"""The order of keys, for readers: who and what first, then the call, then what is expected of it.

It is that of the models that read the file, so that a new key has its place where it is declared. What an author named
(targets, variables, axes, scenarios, arguments) keeps the author's order: case ids and repeated expectations rest on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from planner.checks import CHECKS
from planner.checks.base import Expectation
from planner.spec.authored.keys import LibraryFields, PlanFields, ScenarioDefaults
from planner.spec.authored.project_keys import ProjectFields
from planner.spec.formatting.tree import Alias, Collection, Entry, Node, nodes_in

_MERGE = "<<"
_SCENARIO_FIRST = (
    "description",
    "tags",
    "targets",
    "direction",
    "mode",
    "target_number",
    "prompt",
    "prompt_file",
    "matrix",
)
_SCENARIO_LAST = ("expect",)
"""A scenario reads like a test sheet: what it is about, what the caller does, how often it is called, what must hold."""
_EXPECTATION_FIRST = ("check", "use", "id", "description")
_EXPECTATION_LAST = ("severity", "min_pass_rate")


@dataclass(frozen=True, slots=True)
class Form:
    """What is known of a node. `keys` in their order (none: they are the author's); `below` the forms of their values;
    `each` that of all values or items; `expectation`: a mapping here is one, and its `check` decides."""

    keys: tuple[str, ...] = ()
    below: Mapping[str, Form] = field(default_factory=dict[str, "Form"])
    each: Form | None = None
    expectation: bool = False


_UNKNOWN = Form()
_EXPECTATION = Form(expectation=True)
_EXPECTATIONS = Form(each=_EXPECTATION)
_EXPECTATION_PARTS = Form(each=_EXPECTATION, expectation=True)
"""Of a combinator: a list of expectations, or one."""
_NAMED_EXPECTATIONS = Form(each=_EXPECTATION_PARTS)
"""Of a library: a name stands for one expectation, or for a list of them."""


@cache
def plan_form() -> Form:
    return _form_of(PlanFields)


@cache
def library_form() -> Form:
    return _form_of(LibraryFields)


@cache
def project_form() -> Form:
    return _form_of(ProjectFields)


def ordered(node: Collection, form: Form) -> list[Entry]:
    """The entries in their order. As they are where a key is not known, or an alias would come before its anchor."""
    ranks = {key: rank for rank, key in enumerate(_keys(node, form))}
    ranks[_MERGE] = -1
    if len(ranks) == 1 or any(entry.name not in ranks for entry in node.entries):
        return node.entries
    result = sorted(node.entries, key=lambda entry: ranks[entry.name or ""])
    if all(one is other for one, other in zip(node.entries, result, strict=True)):
        return node.entries
    return node.entries if _anchors_suffer(node.entries, result) else result


def form_below(form: Form, entry: Entry) -> Form:
    """What is known of an entry's value."""
    if entry.key is None:
        return form.each or _UNKNOWN
    if entry.name == _MERGE:
        return form
    if form.expectation:
        return _EXPECTATION_PARTS if entry.name == "of" else _UNKNOWN
    return form.below.get(entry.name or "", form.each or _UNKNOWN)


def _keys(node: Collection, form: Form) -> tuple[str, ...]:
    if not node.mapping:
        return ()
    if not form.expectation:
        return form.keys
    written = next((entry.value for entry in node.entries if entry.name == "check"), None)
    kind = CHECKS.get(getattr(written, "value", ""))
    return _of_expectation(kind or Expectation)


@cache
def _of_expectation(kind: type[Expectation]) -> tuple[str, ...]:
    outer = (*_EXPECTATION_FIRST, *_EXPECTATION_LAST)
    return (*_EXPECTATION_FIRST, *(key for key in _names(kind) if key not in outer), *_EXPECTATION_LAST)


def _form_of(model: type[BaseModel]) -> Form:
    keys = _names(model)
    if issubclass(model, ScenarioDefaults):
        inner = [key for key in keys if key not in {*_SCENARIO_FIRST, *_SCENARIO_LAST}]
        keys = (*(key for key in _SCENARIO_FIRST if key in keys), *inner, *_SCENARIO_LAST)
    below = {name: _form_of_type(info.annotation) for name, info in model.model_fields.items()}
    for name, form in (("expect", _EXPECTATIONS), ("expectations", _NAMED_EXPECTATIONS)):
        if name in below:
            below[name] = form
    return Form(keys, {name: form for name, form in below.items() if form is not None})


def _form_of_type(annotation: Any) -> Form | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return _form_of(annotation)
    origin, arguments = get_origin(annotation), get_args(annotation)
    forms = [form for form in map(_form_of_type, arguments) if form is not None]
    if not forms:
        return None
    return Form(each=forms[-1]) if origin in {dict, list} else forms[0]


def _names(model: type[BaseModel]) -> tuple[str, ...]:
    return tuple(info.alias or name for name, info in model.model_fields.items())


def _anchors_suffer(before: Iterable[Entry], after: Iterable[Entry]) -> bool:
    """Whether some alias would no longer mean the same anchor."""
    return any(_meanings(before, name) != _meanings(after, name) for name in {name for name, _ in _marks(before)})


def _meanings(entries: Iterable[Entry], name: str) -> dict[int, int | None]:
    """For each node that is an alias of `name`, by identity, the node with the anchor that it means."""
    meant: int | None = None
    found: dict[int, int | None] = {}
    for mark, node in _marks(entries):
        if mark != name:
            continue
        if isinstance(node, Alias):
            found[id(node)] = meant
        else:
            meant = id(node)
    found[0] = meant
    return found


def _marks(entries: Iterable[Entry]) -> Iterable[tuple[str, Node]]:
    """Anchors and aliases by name, in the order written."""
    for entry in entries:
        for part in (entry.key, entry.value):
            for node in nodes_in(part) if part is not None else ():
                if isinstance(node, Alias):
                    yield node.text[1:], node
                for word in node.properties.split():
                    if word.startswith("&"):
                        yield word[1:], node

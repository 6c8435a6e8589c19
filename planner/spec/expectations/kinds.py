"""Which kind of check an expectation is, and what is said where that cannot be told."""

from __future__ import annotations

import json
from typing import Any

from planner.checks import CHECKS
from planner.checks.base import Expectation
from planner.checks.wording import listed
from planner.spec.document import Container, Document, Items, Mapping, at, value_mark
from planner.spec.faults.other_words import KINDS
from planner.spec.faults.reporting import Reporter
from planner.spec.faults.wording import mistyped, shorten, unknown, wrong_type
from planner.spec.yaml.numbers import as_written

_FEW = 3
_SHORT = 40
_FIRST_FIELDS = {
    "call": "status",
    "cost": "max_cents",
    "duration": "max_seconds",
    "expression": "cel",
    "field": "path",
    "judge": "rubric",
    "language": "is",
    "never_says": "any_of",
    "says": "any_of",
    "sequence": "steps",
    "tool_called": "name",
    "tool_not_called": "name",
}
"""What people mean by a kind of check with one value."""


def kind_of(document: Document, container: Container, key: str | int, reporter: Reporter) -> type[Expectation] | None:
    """The kind of check that an expectation names; None, and a fault, where it names none."""
    report = reporter.error
    written = at(container, key)
    if not isinstance(written, Mapping):
        detail = wrong_type("a mapping such as {check: says, any_of: [...]}", written)
        if isinstance(written, Items) and written and all(isinstance(item, Mapping) for item in written):
            detail += _list_in_list(document, container, key)
        report("wrong-type", detail, document.value(container, key))
        return None
    if reporter.incomplete and id(written) in reporter.incomplete:
        return None  # what was to be merged into it was reported: what is missing is not known
    if "check" not in written:
        meant = next((name for name in written if mistyped(name, ["check"])), None)
        if meant is not None:
            report(
                "unknown-key",
                f"`{shorten(meant)}` is not a key here; did you mean `check`?",
                document.key(written, meant),
            )
        elif "use" in written:
            detail = "`use` stands in a plan's `expect`, one in the list; here, write the expectation itself"
            report("misplaced-use", detail, document.key(written, "use"))
        else:
            name = next((name for name in written if name in CHECKS), None)
            place = document.value(container, key) if name is None else document.key(written, name)
            report("missing-key", _without_check(written, name), place)
        return None
    name = written["check"]
    if not isinstance(name, str):
        report(
            "wrong-type",
            wrong_type("text", name, "check", as_written(document, written, "check")),
            document.value(written, "check"),
        )
        return None
    if name in CHECKS:
        return CHECKS[name]
    what = f"there is no check `{shorten(name, 40)}`"
    meant = KINDS.get(name.lower())
    detail = f"{what}; did you mean `{meant}`?" if meant in CHECKS else unknown(what, name, CHECKS)
    report("unknown-check", detail, document.value(written, "check"))
    return None


def _list_in_list(document: Document, container: Container, key: str | int) -> str:
    """How a list of expectations becomes part of another, which YAML knows no way to write."""
    start, end = value_mark(container, key)
    if not document.source.text.startswith("*", start):
        return "; write its items in the list around it, each by itself"
    alias = shorten(document.source.text[start:end].strip(), 40)
    if len(container) == 1:
        return f"; the list is {alias} itself: write expect: {alias}"
    return "; a list cannot be part of another: give each item of it an anchor, and write - *NAME for each, or put them into a library for - use: NAME"


def _without_check(written: Mapping, name: str | None) -> str:
    """What to say of an expectation without `check`; `name` is a kind of check that is written as its key."""
    below: Any = written[name] if name is not None else None
    parts = list[Any](below) if isinstance(below, Items) else [below]
    if name == "not" or (name in {"all_of", "any_of"} and all(isinstance(part, Mapping) for part in parts)):
        return f"`check` is required: write {{check: {name}, of: {'[…]' if isinstance(below, Items) else '{…}'}}}"
    if name is not None and name not in {"all_of", "any_of"}:
        if below is True:
            return f"`check` is required: write {{check: {name}}}"
        rest = f"{next(iter(below))}: …" if isinstance(below, Mapping) and below else _first_field(name, below)
        return f"`check` is required: write {{check: {name}, {rest}}}"
    if isinstance(tool := written.get("tool"), str):  # a step of a sequence
        return f"`check` is required: write {{check: tool_called, name: {shorten(tool, 40)}}}"
    told = "`check` is required: it names the kind of check"
    kinds = [kind for kind, model in CHECKS.items() if written and {*written} <= _keys(model)]
    if 0 < len(kinds) <= _FEW:
        choices = listed([f"`check: {kind}`" for kind in kinds], "or")
        return f"{told}; with {'this' if len(written) == 1 else 'these'} beside it: {choices}"
    return f"{told}; known: {', '.join(CHECKS)}"


def _first_field(name: str, value: Any) -> str:
    """The field that is meant where only its value is written below the name of a check."""
    field = _FIRST_FIELDS.get(name)
    if field is None:
        return "…"
    if name in {"says", "never_says"} and isinstance(value, str):
        value = [value]
    told = json.dumps(value, ensure_ascii=False)
    return f"{field}: {told if len(told) <= _SHORT and not isinstance(value, Items) else '[…]' if isinstance(value, Items) else '…'}"


def _keys(kind: type[Expectation]) -> set[str]:
    return {field.alias or name for name, field in kind.model_fields.items()}

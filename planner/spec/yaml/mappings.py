"""A written mapping to a pydantic model, each fault at its place, and what is sound kept so that reading goes on."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from itertools import islice, takewhile
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from planner.spec.document import Document, Mapping
from planner.spec.faults.forms import of_a_mapping
from planner.spec.faults.reporting import MAX_FAULTS_PER_FILE, Reporter
from planner.spec.faults.wording import EMPTY, explain, mistyped, shorten, wrong_type
from planner.spec.yaml.commas import text_cut_off
from planner.spec.yaml.numbers import as_written

_EXAMPLES = {
    "budget": "a mapping such as {max_cost_cents: 900}",
    "defaults": "a mapping such as {runs: 3}",
    "matrix": "a mapping such as {axes: {mood: [calm, furious]}}",
    "policy": "a mapping such as {max_cost_cents: 2000}",
    "quarantine": "a mapping such as {until: 2027-01-31, reason: ticket VOX-41}",
    "quiet_hours": 'a mapping such as {start: "20:00", end: "08:00", time_zone: Europe/Berlin}',
}
Model = TypeVar("Model", bound=BaseModel)


def read_fields(model: type[Model], document: Document, written: Mapping, reporter: Reporter) -> Model:
    """The mapping as `model`. Keys with a fault are reported and left out; `model_fields_set` tells which are there."""
    left_out = _report_empty(model, document, written, reporter) if None in written.values() else None
    if len(written) > MAX_FAULTS_PER_FILE:  # most are no keys of the model, and not more of them than these are told
        known = model.model_fields
        unknown = islice((key for key in written if key not in known), MAX_FAULTS_PER_FILE + 1)
        values = {key: written[key] for key in [*known, *unknown] if key in written}
    else:
        values = dict(written)  # pydantic reads a builtin faster than a subclass of it
    if not left_out:
        try:
            return model.__pydantic_validator__.validate_python(values)  # what `model_validate` does, less a call
        except ValidationError as error:
            faulty = _report(error, model, document, written, reporter)
    else:
        faulty = left_out
    sound = {key: value for key, value in values.items() if key not in faulty}
    try:
        return model.model_validate(sound)
    except ValidationError as error:
        faulty = _report(error, model, document, written, reporter)
    return model.model_validate({key: value for key, value in sound.items() if key not in faulty})


def _report_empty(model: type[BaseModel], document: Document, written: Mapping, reporter: Reporter) -> set[str]:
    """Report keys without a value. Gives these, and with them what was to stand below and is not indented enough."""
    left_out: set[str] = set()
    for key in [key for key, value in written.items() if value is None and key in model.model_fields]:
        after = islice(written, list(written).index(key) + 1, None)
        below = list(takewhile(lambda other: not mistyped(other, model.model_fields), after))
        if below:
            detail = (
                f"`{shorten(below[0])}` is not a key here; if it belongs to `{key}`, which is empty, indent it more"
            )
            reporter.error("unknown-key", detail, document.key(written, below[0]))
        else:
            reporter.error("wrong-type", EMPTY, document.key(written, key))
        left_out.update((key, *below))
    return left_out


@cache
def keys_of(model: type[BaseModel]) -> frozenset[str]:
    return frozenset(model.model_fields)


def missing(model: type[BaseModel], written: Mapping, key: str) -> bool:
    """Whether the key is not there at all; one that is there mistyped is reported as an unknown key, and that is enough."""
    if key in written:
        return False
    known = keys_of(model)
    if written.keys() <= known:
        return True
    unknown = islice((other for other in written if other not in known), MAX_FAULTS_PER_FILE)
    return not any(mistyped(other, [key]) for other in unknown)


def read_nested(
    model: type[Model], document: Document, parent: Mapping, key: str, reporter: Reporter
) -> tuple[Mapping, Model] | None:
    """The mapping under `key` as `model`; None where there is none, reported where it is something else."""
    if key not in parent:
        return None
    written = parent[key]
    if not isinstance(written, Mapping):
        if written is not None:  # an empty key was reported with the parent's fields
            reporter.error(
                "wrong-type",
                wrong_type(_EXAMPLES.get(key, "a mapping of keys to values"), written) + of_a_mapping(key, written),
                document.value(parent, key),
            )
        return None
    return written, read_fields(model, document, written, reporter)


def absent(model: type[BaseModel], written: Mapping, keys: Iterable[str]) -> list[str]:
    """Which of these keys are not there. None where a key is unknown, which was reported: it may be one of them, mistyped."""
    return [] if any(key not in model.model_fields for key in written) else [key for key in keys if key not in written]


def _report(
    error: ValidationError, model: type[BaseModel], document: Document, written: Mapping, reporter: Reporter
) -> set[str]:
    faulty: set[str] = set()
    for fault in error.errors(include_url=False):
        first = str(fault["loc"][0])
        faulty.add(first)
        container, key = document.follow(written, fault["loc"]) or (written, first)
        code, detail = explain(fault, model, as_written(document, container, key), written)
        about_key = code == "unknown-key" or fault["loc"][-1] == "[key]"
        at_key = about_key and isinstance(container, Mapping)
        if code == "unknown-key" and "a colon is missing" not in detail:
            detail = text_cut_off(document, container, key) or detail
        place = document.key(container, str(key)) if at_key else document.value(container, key)  # pyright: ignore[reportArgumentType]
        reporter.error(code, detail, place)
    return faulty

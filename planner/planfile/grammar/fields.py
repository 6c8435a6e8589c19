"""A written mapping to a pydantic model: every error at its place, and what is valid kept so that reading goes on."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from planner.planfile.grammar.field_errors import EMPTY, explain, mistyped, wrong_type
from planner.planfile.reporter import MAX_PER_FILE, Reporter
from planner.planfile.yaml.document import Document, Mapping
from planner.planfile.yaml.numbers import as_written

_EXAMPLES = {
    "budget": "{max_cost_cents: 900}",
    "defaults": "{runs: 3}",
    "matrix": "{axes: {mood: [calm, furious]}}",
    "policy": "{max_cost_cents: 2000}",
    "quarantine": "{until: 2027-01-31, reason: ticket VOX-41}",
    "quiet_hours": '{start: "20:00", end: "08:00", time_zone: Europe/Berlin}',
    "judge": "{base_url: https://api.openai.com/v1, model: gpt-4o-mini, cents_per_vote: 0.2}",
}
Model = TypeVar("Model", bound=BaseModel)


def read_fields(model: type[Model], document: Document, written: Mapping, reporter: Reporter) -> Model:
    """The mapping as `model`. Keys with an error are reported and left out; `model_fields_set` has the others."""
    known = model.model_fields
    if len(written) > MAX_PER_FILE:  # most are no keys of the model, and no more of them are reported
        unknown = islice((key for key in written if key not in known), MAX_PER_FILE + 1)
        values = {key: written[key] for key in [*known, *unknown] if key in written}
    else:
        values = dict(written)  # pydantic reads a builtin faster than a subclass of it
    if None in written.values():
        for key in [key for key, value in values.items() if value is None and key in known]:
            reporter.error("wrong-type", EMPTY, document.key(written, key))
            del values[key]
    for _ in range(2):  # the second time without what the first found
        try:
            return model.__pydantic_validator__.validate_python(values)  # as `model_validate`, without a call
        except ValidationError as error:
            faulty = _report(error, model, document, written, reporter)
        values = {key: value for key, value in values.items() if key not in faulty}
    return model.model_validate(values)


def missing(model: type[BaseModel], written: Mapping, key: str) -> bool:
    """Whether the key is not there at all. A mistyped one is reported as an unknown key, and that is enough."""
    if key in written:
        return False
    unknown = islice((other for other in written if other not in model.model_fields), MAX_PER_FILE)
    return not any(mistyped(other, [key]) for other in unknown)


def absent(model: type[BaseModel], written: Mapping, keys: Iterable[str]) -> list[str]:
    """Which of these keys are not there; none if a key is unknown, which was reported: it may be one of them, mistyped."""
    return [] if any(key not in model.model_fields for key in written) else [key for key in keys if key not in written]


def read_nested(
    model: type[Model], document: Document, parent: Mapping, key: str, reporter: Reporter
) -> tuple[Mapping, Model] | None:
    """The mapping under `key` as `model`; None if there is none, reported if it is something else."""
    written = parent.get(key)
    if isinstance(written, Mapping):
        return written, read_fields(model, document, written, reporter)
    if written is not None:  # an empty key was reported with the parent's fields
        wanted = f"a mapping such as {_EXAMPLES[key]}" if key in _EXAMPLES else "a mapping of keys to values"
        reporter.error("wrong-type", wrong_type(wanted, written), document.value(parent, key))
    return None


def _report(
    error: ValidationError, model: type[BaseModel], document: Document, written: Mapping, reporter: Reporter
) -> set[str]:
    faulty: set[str] = set()
    for fault in error.errors(include_url=False):
        first = str(fault["loc"][0])
        faulty.add(first)
        container, key = document.follow(fault["loc"], written) or (written, first)
        code, message = explain(fault, model, as_written(document, container, key), written)
        about_key = code == "unknown-key" or fault["loc"][-1] == "[key]"
        at_key = about_key and isinstance(container, Mapping)
        place = document.key(container, str(key)) if at_key else document.value(container, key)  # pyright: ignore[reportArgumentType]
        reporter.error(code, message, place)
    return faulty

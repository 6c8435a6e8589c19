"""Validates a mapping with a pydantic model: reports each error at its place, and keeps valid fields so that reading continues."""

from __future__ import annotations

from itertools import islice
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from planner.planfile.grammar.field_errors import EMPTY, explain, mistyped, wrong_type
from planner.planfile.grammar.models import FORMAT_VERSION, Authored, PlanFields
from planner.planfile.reporter import MAX_PER_FILE, Reporter
from planner.planfile.yaml.document import Container, Document, Mapping, at, start_of

_EXAMPLES = {
    "budget": "{max_cost_cents: 900}",
    "defaults": "{runs: 3}",
    "matrix": "{axes: {mood: [calm, furious]}}",
    "policy": "{max_cost_cents: 2000}",
    "quarantine": "{until: 2027-01-31, reason: ticket VOX-41}",
    "quiet_hours": '{start: "20:00", end: "08:00", time_zone: Europe/Berlin}',
    "judge": "{base_url: https://api.openai.com/v1, model: gpt-4o-mini, cents_per_vote: 0.2}",
}
Model = TypeVar("Model", bound=Authored)


def read_fields(model: type[Model], document: Document, written: Mapping, reporter: Reporter) -> Model:
    """The mapping as `model`. Keys with an error are reported and left out; `model_fields_set` has the others."""
    known = model.model_fields
    values = {key: value for key, value in written.items() if key in known}
    if len(values) < len(written):  # no more errors than are shown of a file
        values.update(islice(((key, written[key]) for key in written if key not in known), MAX_PER_FILE + 1))
    for key in [key for key, value in values.items() if value is None and key in known]:
        reporter.error("wrong-type", EMPTY, document.key(written, key))
        del values[key]
    try:
        return model.model_validate(values)
    except ValidationError as error:
        faulty = _report(error, model, document, written, reporter)
    return model.model_validate({key: value for key, value in values.items() if key not in faulty})


def missing(model: type[BaseModel], written: Mapping, key: str) -> bool:
    """Whether the key is missing. A mistyped key is reported as unknown, so it is not reported as missing too."""
    if key in written:
        return False
    unknown = islice((other for other in written if other not in model.model_fields), MAX_PER_FILE)
    return not any(mistyped(other, [key]) for other in unknown)


def has_known_keys(model: type[BaseModel], written: Mapping, reporter: Reporter) -> bool:
    """Whether all keys are known. If not, a key that seems to be missing may be mistyped."""
    return not reporter.is_incomplete(written) and model.model_fields.keys() >= written.keys()


def read_nested(
    model: type[Model], document: Document, parent: Mapping, key: str, reporter: Reporter
) -> tuple[Mapping, Model] | None:
    """The mapping under `key` as `model`; None if there is none, reported if it is something else."""
    wanted = f"a mapping such as {_EXAMPLES[key]}" if key in _EXAMPLES else "a mapping of keys to values"
    written = read_mapping(document, parent, key, wanted, reporter)
    if written is None:
        return None
    fields = read_fields(model, document, written, reporter)
    if has_known_keys(model, written, reporter):
        for name in [name for name in model.required if name not in written]:
            example = (model.model_fields[name].examples or [""])[0]
            detail = f"`{name}` is required, such as {name}: {example}"
            reporter.error("missing-key", detail, document.key(parent, key))
    return written, fields


def read_mapping(
    document: Document, parent: Container, key: str | int, wanted: str, reporter: Reporter
) -> Mapping | None:
    """The mapping under `key`; None if there is none, reported if it is something else.

    An empty key of a model is reported with the model's fields.
    """
    if isinstance(parent, Mapping) and parent.get(str(key)) is None:
        return None
    written: Any = at(parent, key)
    if isinstance(written, Mapping):
        return written
    reporter.error("wrong-type", wrong_type(wanted, written), document.value(parent, key))
    return None


def check_version(document: Document, reporter: Reporter, *, required: bool) -> bool:
    """Whether this planner reads the file's format; reported if not."""
    from planner import __version__

    root = document.root
    if required and missing(PlanFields, root, "version") and not reporter.is_incomplete(root):
        detail = f"`version` is required: write version: {FORMAT_VERSION} at the top"
        reporter.error("missing-key", detail, start_of(document))
    version = root.get("version")
    if isinstance(version, bool) or not isinstance(version, int) or version == FORMAT_VERSION:
        return True  # a wrong type is reported with the fields
    advice = "upgrade planner to read it" if version > FORMAT_VERSION else f"write version: {FORMAT_VERSION}"
    message = f"planner {__version__} reads version {FORMAT_VERSION} of the plan format, this file has version {version}; {advice}"
    reporter.error("version-unknown", message, document.value(root, "version"))
    return False


def _report(
    error: ValidationError, model: type[BaseModel], document: Document, written: Mapping, reporter: Reporter
) -> set[str]:
    faulty: set[str] = set()
    for fault in error.errors(include_url=False):
        first = str(fault["loc"][0])
        faulty.add(first)
        container, key = document.follow(fault["loc"], written) or (written, first)
        code, message = explain(fault, model, document.as_written(container, key), written)
        if code == "unknown-key" and reporter.is_incomplete(container):
            reporter.errors += 1
            continue
        about_key = code == "unknown-key" or fault["loc"][-1] == "[key]"
        at_key = about_key and isinstance(container, Mapping)
        place = document.key(container, str(key)) if at_key else document.value(container, key)  # pyright: ignore[reportArgumentType]
        reporter.error(code, message, place)
    return faulty

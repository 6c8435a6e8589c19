"""Validates a mapping with a pydantic model, and turns each of pydantic's errors into a diagnostic at its place."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence
from functools import cache
from itertools import islice
from types import NoneType
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from planner import __version__
from planner.checks import CHECKS
from planner.checks.base import Expectation
from planner.planfile.grammar import AGE, DAY, FORMAT_VERSION, TAG, Authored, PlanFields
from planner.planfile.removed import REMOVED_KEYS
from planner.planfile.reporter import Reporter
from planner.planfile.text import describe, did_you_mean, known, one_of, shorten
from planner.planfile.yaml.document import Container, YamlMapping, as_written, at, follow, start_of
from planner.planfile.yaml.parser import MAX_PROBLEMS

EMPTY = "there is no value here; write one, or remove the key"
LITERAL = "templates work in prompts and expectations only; write the text out, or use the name in the prompt"

_FORMS = {
    AGE: "this must be a number and h, d or w, such as 14d for fourteen days",
    DAY: "this must be a day, such as 2027-01-31",
    TAG: "a tag has letters, digits and _ . : / -, and begins with a letter or digit",
    "^[a-z]{2}$": "this must be a language's code of two letters, such as en or es",
}
_MAPPING = "a mapping of keys to values"
_TYPES = {
    "int": "an integer",
    "float": "a number",
    "bool": "true or false",
    "string": "a string",
    "list": "a list",
    "tuple": "a list",
    "dict": _MAPPING,
    "mapping": _MAPPING,
    "model": _MAPPING,
    "date": "a date such as 2027-01-31",
}
"""Diagnostic codes by the start of pydantic's error type."""
_TYPE_ERRORS = ("_type", "_from_float", "_parsing")
_BOUNDS = {
    "greater_than_equal": ("ge", "at least"),
    "greater_than": ("gt", "more than"),
    "less_than_equal": ("le", "at most"),
    "less_than": ("lt", "less than"),
}


def explain(
    error: ErrorDetails, model: type[BaseModel], written: str = "", present: Collection[str] = ()
) -> tuple[str, str]:
    """Code and message. `written` is how the file writes a number or boolean; `present` are the keys beside it."""
    kind = error["type"]
    key = str(error["loc"][-1]) if error["loc"] else ""
    value: Any = error["input"]
    context: dict[str, Any] = error.get("ctx", {})
    if kind == "extra_forbidden":
        instead = REMOVED_KEYS.get(f"{model.__name__}.{key}") or REMOVED_KEYS.get(key)
        if instead is not None:
            return "unknown-key", f"`{key}` is no longer a key; {instead}"
        keys = keys_at(model, error["loc"][:-1])
        hint = mistyped(key, [other for other in keys if other not in present])
        if not hint and "axes" in keys and isinstance(value, list):
            hint = f"if it is an axis, write it under `axes`: {{axes: {{{shorten(key, 40)}: [...]}}}}"
        return "unknown-key", f"`{shorten(key)}` is not a key here; {hint or known(keys)}"
    if kind == "missing":
        return "missing-key", f"`{key}` is required"
    if kind in _BOUNDS:
        name, words = _BOUNDS[kind]
        limit = float(context[name])
        shown = f"{int(limit):,}" if limit.is_integer() else str(limit)
        return "out-of-range", f"{value} is out of range: it must be {words} {shown}"
    if kind in {"string_too_short", "too_short"}:
        least = context.get("min_length")
        return "bad-value", "this must not be empty" if least == 1 else f"this must have at least {least} items"
    if kind in {"string_too_long", "too_long"}:
        code = "bad-value" if isinstance(value, str) else "too-many-nodes"
        return code, f"this has {len(value):,}; at most {context.get('max_length', 0):,} are allowed"
    if kind in {"literal_error", "enum"}:
        choices = [choice.strip("'") for choice in str(context.get("expected", "")).replace(" or ", ", ").split(", ")]
        text = value if isinstance(value, str) else describe(value)
        hint = did_you_mean(text, choices)
        wrong = f"`{shorten(text, 40)}` is not"
        if len(choices) == 1:
            return "not-a-choice", f"{wrong} possible here; write {choices[0]}"
        return "not-a-choice", f"{wrong} one of {one_of(choices)}{f'; {hint}' if hint else ''}"
    if kind == "string_pattern_mismatch":
        pattern = str(context.get("pattern", ""))
        if pattern.startswith("^[a-z0-9]"):
            return "not-a-slug", not_a_slug(str(value))
        return "bad-value", f"{_FORMS.get(pattern, f'this must have the form {pattern}')}, but it is {describe(value)}"
    wanted = _TYPES.get(kind.partition("_")[0])
    if wanted is not None and kind.endswith(_TYPE_ERRORS):
        return "wrong-type", wrong_type(wanted, value, written)
    # A validator of ours may name the code: a PydanticCustomError of this type.
    code = kind if "-" in kind else "bad-value"
    return code, str(error["msg"]).removeprefix("Value error, ").removeprefix("Assertion failed, ")


def mistyped(key: str, keys: Collection[str]) -> str:
    """A known key that is similar to this one, which may also lack its colon. A known key is returned as it is."""
    word, _, rest = key.partition(" ")
    if rest and word in keys:
        return f"a colon is missing: write `{word}: {shorten(rest, 40)}`"
    return did_you_mean(key, keys)


def wrong_type(wanted: str, value: Any, written: str = "") -> str:
    """The message about a wrong type: what is expected, what was found, and how to write it. `written` is how the file
    writes a number or boolean."""
    message = f"this must be {wanted}, but it is {describe(value)}"
    scalar = written or (str(value).lower() if isinstance(value, bool) else str(value))
    if isinstance(value, str) and wanted in {"an integer", "a number", "true or false"}:
        plain = value.strip().lower()
        percent = plain.removesuffix("%")
        if wanted == "a number" and percent != plain and percent.strip().isdigit():
            return f"{message}; write {int(percent) / 100:g}"
        quoted = plain in {"true", "false"} or plain.lstrip("+-").replace(".", "", 1).isdigit()
        return f"{message}; remove the quotes" if quoted else message
    if wanted == "a string" and isinstance(value, (int, float)):
        return f'{message}; put it in quotes: "{scalar}"'
    if wanted == "a list" and isinstance(value, (str, int, float)):
        return f"{message}; write [{_flow_item(scalar)}]"
    return message


def _flow_item(scalar: str) -> str:
    """As an item of a list in brackets: in quotes if YAML would read it in another way."""
    text = shorten(scalar, 40)
    return text if re.fullmatch(r"[\w./@-][\w ./@-]*", text) else f"'{text}'"


def keys_at(model: type[BaseModel], route: Sequence[int | str]) -> list[str]:
    """The keys that are valid at the end of the route; a union may have several models."""
    models = [model]
    for step in route:
        if len(models) > 1 and (tagged := [found for found in models if _is_tagged(found, step)]):
            models = tagged
            continue
        fields = [found.model_fields[step] for found in models if isinstance(step, str) and step in found.model_fields]
        if fields:
            models = [inner for field in fields for inner in _models_in(field.annotation)]
    return [field.alias or key for found in models for key, field in found.model_fields.items()]


def _is_tagged(model: type[BaseModel], tag: int | str) -> bool:
    """Whether `check` selects this model of a union."""
    field = model.model_fields.get("check")
    return field is not None and tag in get_args(field.annotation)


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if annotation is Expectation:
        return list(CHECKS.values())
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _models_in(argument)]


def not_a_slug(value: str) -> str:
    """A valid slug that is similar to the name."""
    plain = unicodedata.normalize("NFKD", value.lower())
    kept = "".join(
        c if c.isascii() and (c.isalnum() or c in "-_") else " " for c in plain if not unicodedata.combining(c)
    )
    slug = "-".join(kept.split()).strip("-_")
    hint = f"; write `{slug[:60]}`" if slug else ""
    return f'"{shorten(value, 40)}" is not a slug: lower-case letters, digits, - and _{hint}'


Model = TypeVar("Model", bound=Authored)


def read_fields(model: type[Model], written: YamlMapping, reporter: Reporter) -> Model:
    """The mapping as `model`, with its nested models. Keys with an error are reported and left out; `model_fields_set`
    has the others."""
    reporter.check_time(written.source.file)
    known = model.model_fields
    values = {key: value for key, value in written.items() if key in known}
    if len(values) < len(written):  # no more errors than are shown of a file
        values.update(islice(((key, written[key]) for key in written if key not in known), MAX_PROBLEMS + 1))
    for key in [key for key, value in values.items() if value is None and key in known]:
        reporter.error("wrong-type", EMPTY, written.key_span(key))
        del values[key]
    for key, inner in _nested_in(model).items():
        if values.pop(key, None) is not None and (nested := _read_nested(inner, written, key, reporter)) is not None:
            values[key] = nested
    try:
        return model.model_validate(values)
    except ValidationError as error:
        faulty = _report(error, model, written, reporter)
    return model.model_validate({key: value for key, value in values.items() if key not in faulty})


def missing(model: type[BaseModel], written: YamlMapping, key: str) -> bool:
    """Whether the key is missing. A mistyped key is reported as unknown, so it is not reported as missing too."""
    if key in written:
        return False
    unknown = islice((other for other in written if other not in model.model_fields), MAX_PROBLEMS)
    return not any(mistyped(other, [key]) for other in unknown)


def has_known_keys(model: type[BaseModel], written: YamlMapping) -> bool:
    """Whether all keys are known. If not, a key that seems to be missing may be mistyped."""
    return not written.incomplete and model.model_fields.keys() >= written.keys()


@cache
def _nested_in(model: type[BaseModel]) -> dict[str, type[Authored]]:
    """The nested models by their keys. Models in mappings and lists are read one by one."""
    found: dict[str, type[Authored]] = {}
    for key, field in model.model_fields.items():
        inner, *others = get_args(field.annotation) or (None,)
        if others == [NoneType] and isinstance(inner, type) and issubclass(inner, Authored):
            found[key] = inner
    return found


def _read_nested(model: type[Model], parent: YamlMapping, key: str, reporter: Reporter) -> Model | None:
    """The mapping under `key` as `model`; None, and an error, if it is something else."""
    written = read_mapping(parent, key, f"a mapping with {one_of(model.model_fields)}", reporter)
    if written is None:
        return None
    fields = read_fields(model, written, reporter)
    if has_known_keys(model, written):
        for name in [name for name in model.required if name not in written]:
            example = (model.model_fields[name].examples or [""])[0]
            detail = f"`{name}` is required, such as {name}: {example}"
            reporter.error("missing-key", detail, parent.key_span(key))
    return fields


def read_mapping(parent: Container, key: str | int, wanted: str, reporter: Reporter) -> YamlMapping | None:
    """The mapping under `key`; None if there is none, reported if it is something else.

    An empty key of a model is reported with the model's fields.
    """
    if isinstance(parent, YamlMapping) and parent.get(str(key)) is None:
        return None
    written: Any = at(parent, key)
    if isinstance(written, YamlMapping):
        return written
    reporter.error("wrong-type", wrong_type(wanted, written), parent.span(key))
    return None


def check_version(root: YamlMapping, reporter: Reporter, *, required: bool) -> bool:
    """Whether this planner reads the file's format; reported if not."""
    if required and missing(PlanFields, root, "version") and not root.incomplete:
        detail = f"`version` is required: write version: {FORMAT_VERSION} at the top"
        reporter.error("missing-key", detail, start_of(root))
    version = root.get("version")
    if isinstance(version, bool) or not isinstance(version, int) or version == FORMAT_VERSION:
        return True  # a wrong type is reported with the fields
    advice = "upgrade planner to read it" if version > FORMAT_VERSION else f"write version: {FORMAT_VERSION}"
    detail = (
        f"planner {__version__} reads version {FORMAT_VERSION} of the plan format, this file has {version}; {advice}"
    )
    reporter.error("version-unknown", detail, root.span("version"))
    return False


def _report(error: ValidationError, model: type[BaseModel], written: YamlMapping, reporter: Reporter) -> set[str]:
    faulty: set[str] = set()
    for found in error.errors(include_url=False):
        first = str(found["loc"][0])
        faulty.add(first)
        container, key = follow(written, found["loc"]) or (written, first)
        code, message = explain(found, model, as_written(container, key), written)
        if code == "unknown-key" and container.incomplete:
            reporter.errors += 1
            continue
        about_key = code == "unknown-key" or found["loc"][-1] == "[key]"
        reporter.error(code, message, container.key_span(key) if about_key else container.span(key))
    return faulty

"""One error of a pydantic model as a diagnostic: its code, and one line that says what is there, what is wanted and how to fix it."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Sequence
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from planner.checks import CHECKS
from planner.checks.base import Expectation
from planner.planfile.grammar.models import AGE, DAY, TAG, TIME_OF_DAY, PlanFields, ScenarioDefaults
from planner.planfile.text import describe, did_you_mean, known, one_of, shorten

EMPTY = "there is no value here; write one, or remove the key"
UNQUOTE = "; remove the quotes"
LITERAL = (
    "values are no templates: the braces would be said as they are; write the text out, or use the name in the prompt"
)

_FORMS = {
    AGE: "this must be a number and h, d or w, such as 14d for fourteen days",
    DAY: "this must be a day, such as 2027-01-31",
    TIME_OF_DAY: 'this must be a time of the day, such as "08:00"',
    TAG: "a tag has letters, digits and _ . : / -, and begins with a letter or digit",
    "^[a-z]{2}$": "this must be a language's code of two letters, such as en or es",
}
_TYPES = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "string": "text",
    "list": "a list",
    "tuple": "a list",
    "dict": "a mapping of keys to values",
    "mapping": "a mapping of keys to values",
    "model": "a mapping of keys to values",
    "date": "a date such as 2027-01-31",
}
"""By how the name of a pydantic error begins."""
_PERCENT = 100
_TYPE_ERRORS = ("_type", "_from_float", "_parsing")
_BOUNDS = {
    "greater_than_equal": ("ge", "at least"),
    "greater_than": ("gt", "more than"),
    "less_than_equal": ("le", "at most"),
    "less_than": ("lt", "less than"),
}
_SCENARIO_ONLY = frozenset({"prompt", "prompt_file", "matrix"})
_MATRIX_ONLY = frozenset({"axes", "exclude", "include", "strategy", "max_cases"})


def explain(
    error: ErrorDetails, model: type[BaseModel], written: str = "", present: Collection[str] = ()
) -> tuple[str, str]:
    """Code and message. `written` is how the file writes a value that is no text; `present` are the keys beside it."""
    kind = error["type"]
    key = str(error["loc"][-1]) if error["loc"] else ""
    value: Any = error["input"]
    context: dict[str, Any] = error.get("ctx", {})
    if kind == "extra_forbidden":
        keys = keys_at(model, error["loc"][:-1])
        hint = mistyped(key, [other for other in keys if other not in present])
        if not hint and len(error["loc"]) == 1:
            hint = _belongs_to(key, model)
        return "unknown-key", f"`{shorten(key)}` is not a key here; {hint or known(keys)}"
    if kind == "missing":
        return "missing-key", f"`{key}` is required"
    if kind in _BOUNDS:
        name, words = _BOUNDS[kind]
        limit = context.get(name)
        shown = f"{int(limit):,}" if isinstance(limit, (int, float)) and float(limit).is_integer() else str(limit)
        percent = (
            f"; {value} % is written {value / 100}"
            if limit == 1 and isinstance(value, (int, float)) and 1 < value <= _PERCENT
            else ""
        )
        return "out-of-range", f"{value} is out of range: it must be {words} {shown}{percent}"
    if kind in {"string_too_short", "too_short"}:
        least = context.get("min_length")
        return "bad-value", "this must not be empty" if least == 1 else f"this must have at least {least} items"
    if kind == "too_long" and isinstance(value, (list, dict)):
        most = context.get("max_length", 0)
        return "too-many-nodes", f"at most {most:,} may stand here; this has {len(value):,}"  # pyright: ignore[reportUnknownArgumentType]
    if kind in {"string_too_long", "too_long"}:
        return "bad-value", f"this is too long: at most {context.get('max_length')}"
    if kind in {"literal_error", "enum"}:
        choices = [choice.strip("'") for choice in str(context.get("expected", "")).replace(" or ", ", ").split(", ")]
        text = value if isinstance(value, str) else describe(value)
        hint = did_you_mean(text, choices)
        return "not-a-choice", f"`{shorten(text, 40)}` is not one of {one_of(choices)}{f'; {hint}' if hint else ''}"
    if kind == "string_pattern_mismatch":
        return _pattern(str(value), str(context.get("pattern", "")))
    wanted = _TYPES.get(kind.partition("_")[0])
    if wanted is not None and kind.endswith(_TYPE_ERRORS):
        return "wrong-type", wrong_type(wanted, value, written)
    return "bad-value", str(error["msg"]).removeprefix("Value error, ").removeprefix("Assertion failed, ")


def _pattern(value: str, pattern: str) -> tuple[str, str]:
    if pattern.startswith("^[a-z0-9]"):
        return "not-a-slug", not_a_slug(value)
    wanted = _FORMS.get(pattern, f"this must have the form {pattern}")
    return "bad-value", f"{wanted}, but it is {describe(value)}"


def _belongs_to(key: str, model: type[BaseModel]) -> str:
    """Where a key of another part of a plan belongs, or nothing."""
    if model not in {PlanFields, ScenarioDefaults} and "prompt" not in model.model_fields:
        return ""
    if model in {PlanFields, ScenarioDefaults} and key in _SCENARIO_ONLY:
        return "a scenario has it, under `scenarios`"
    if key in _MATRIX_ONLY:
        return "it belongs under a scenario's `matrix`"
    if model is PlanFields and key in ScenarioDefaults.model_fields:
        return "a scenario has it, and `defaults` for all scenarios"
    return ""


def mistyped(key: str, keys: Collection[str]) -> str:
    """What was probably meant by a key, which may also have lost its colon. A key that is one of them is meant as it is."""
    word, _, rest = key.partition(" ")
    if rest and word in keys:
        return f"a colon is missing: write `{word}: {shorten(rest, 40)}`"
    return did_you_mean(key, keys)


def wrong_type(wanted: str, value: Any, written: str = "") -> str:
    """What is wanted, what is there, and how to write it; `written` is how the file writes a value that is no text."""
    message = f"this must be {wanted}, but it is {describe(value)}"
    scalar = written or (str(value).lower() if isinstance(value, bool) else str(value))
    if isinstance(value, str) and wanted in {"a whole number", "a number", "true or false"}:
        plain = value.strip().lower()
        if plain in {"true", "false"} or plain.lstrip("+-").replace(".", "", 1).isdigit():
            return message + UNQUOTE
        if wanted == "true or false" and plain in {"yes", "no", "on", "off"}:
            return f"{message}; YAML 1.2 reads it as text, write true or false"
        return f"{message}; templates are for prompts and expectations" if value.startswith("{{") else message
    if wanted == "text" and isinstance(value, (int, float)):
        return f'{message}; put it in quotes: "{scalar}"'
    if wanted == "text" and isinstance(value, dict):
        return f"{message}; a text with a colon is in quotes"
    if wanted == "a list" and isinstance(value, str):
        return f'{message}; write ["{shorten(value, 40)}"]'
    if wanted == "a list" and isinstance(value, dict):
        return f"{message}; write `- ` before it"
    if wanted == "a list" and value is not None and not isinstance(value, list):
        return f"{message}; write [{scalar}]"
    return message


def keys_at(model: type[BaseModel], route: Sequence[int | str]) -> list[str]:
    """The keys of the models that the route leads to; a union may have several."""
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
    """Whether the model is the one of a union that its `check` names."""
    field = model.model_fields.get("check")
    return field is not None and tag in get_args(field.annotation)


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if annotation is Expectation:
        return list(CHECKS.values())
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _models_in(argument)]


def not_a_slug(value: str) -> str:
    """What to write instead of a name that is no slug."""
    plain = unicodedata.normalize("NFKD", value.replace("ß", "ss"))
    kept = "".join(
        c if c.isascii() and (c.isalnum() or c in "-_") else " " for c in plain.lower() if not unicodedata.combining(c)
    )
    slug = "-".join(kept.split()).strip("-_")
    hint = f"; write `{slug[:60]}`" if slug else ""
    return f'"{shorten(value, 40)}" is not a slug: lower-case letters, digits, - and _{hint}'

"""Faults of values, said for people: what is there, what is wanted, and how to mend it."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from planner.checks import CHECKS
from planner.checks.base import Expectation
from planner.spec.authored.keys import (
    AGE,
    DAY,
    TAG,
    TIME_OF_DAY,
    MatrixFields,
    PlanFields,
    ScenarioDefaults,
    ScenarioFields,
)
from planner.spec.document import Items, Mapping
from planner.spec.faults.forms import of_a_fraction, of_a_mapping
from planner.spec.faults.lists import as_text, in_brackets, of_a_choice, of_a_step, of_one_part, of_what_is_said
from planner.spec.faults.other_words import KEYS, LANGUAGE_CODE, WORDS, as_language, as_share, in_unit, of_a_key
from planner.spec.faults.times import as_planned

_FORMS = {
    AGE: "this must be a number and h, d or w, such as 14d for fourteen days",
    DAY: "this must be a day, such as 2027-01-31",
    TIME_OF_DAY: "this must be a time of the day, such as 08:00",
}
_LISTS = {
    "include": "[{mood: calm, order: A-17}]",
    "exclude": "[{mood: calm, order: A-17}]",
    "expect": "[{check: call, status: completed}]",
    "steps": "[{says: {any_of: [hello]}}, {tool: lookup_order}]",
}
"""Keys whose items are mappings: to put brackets around something else would be another fault."""
EMPTY = "there is no value here; write one, or remove the key"
_NO_TEMPLATE = "; templates are for prompts and expectations: write the value itself"
UNQUOTE = "; remove the quotes"
LITERAL = (
    "values are no templates: the braces would be said as they are; write the text out, or use the name in the prompt"
)

_MAX_WORD = 60
_HOURS = 24
_MAX_CHOICES = 200
_MAX_DIFFERENCE = 4
_MAX_LOOKED_AT = 10_000
_COMPARING = 10
"""Comparing two words takes so much longer than looking at one."""
_MIN_PREFIX = 4
_LIKENESS = 0.7
"""From here on two words are one mistyped: difflib's ratio of `runz` and `runs` is 0.75, of `urgent` and `targets` 0.62."""

_TYPES = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "text",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a mapping of keys to values",
    "mapping_type": "a mapping of keys to values",
    "model_type": "a mapping of keys to values",
    "model_attributes_type": "a mapping of keys to values",
    "date_type": "a date such as 2027-01-31",
    "date_from_datetime_parsing": "a date such as 2027-01-31",
}


def shorten(text: str, limit: int = 60) -> str:
    """A text of the author's as it may stand in one line of a diagnostic."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def describe(value: Any) -> str:
    """A value as an author would name it, in one line."""
    match value:
        case None:
            return "empty"
        case bool():
            return f"the boolean {str(value).lower()}"
        case int() | float():
            return f"the number {value}"
        case str():
            return f'the text "{shorten(value, 40)}"'
        case dict():
            return "a mapping"
        case _:
            return "a list"


def near_miss(word: str, choices: Iterable[str]) -> str:
    """A question that names what was probably meant, or nothing."""
    meant = nearest(word, choices)
    return f"did you mean `{meant}`?" if meant is not None else ""


def nearest(word: str, choices: Iterable[str]) -> str | None:
    """The choice that was probably meant. Looks at a bounded number of choices of like length."""
    if len(word) > _MAX_WORD:  # nobody's typing mistake, and comparing takes quadratic time
        return None
    word = word.lower()
    by_lower = {choice.lower(): choice for choice in islice(choices, _MAX_LOOKED_AT)}
    if word in by_lower:
        return by_lower[word]
    if f"{word}s" in by_lower:
        return by_lower[f"{word}s"]
    longer = [choice for choice in by_lower if choice.startswith(word)]
    if len(longer) == 1 and len(word) >= _MIN_PREFIX:
        return by_lower[longer[0]]
    longer = [choice for choice in longer if choice.startswith(f"{word}_")]
    if len(longer) == 1:
        return by_lower[longer[0]]
    alike = islice((choice for choice in by_lower if abs(len(choice) - len(word)) <= _MAX_DIFFERENCE), _MAX_CHOICES)
    matches = get_close_matches(word, alike, n=1, cutoff=_LIKENESS)
    return by_lower[matches[0]] if matches else None


@dataclass(slots=True)
class Searches:
    """Finds what was meant as long as that takes no second, all searches together: a thousand names among thousands would."""

    room: int = 1_500_000
    """Choices that may still be looked at."""

    def nearest(self, word: str, choices: Collection[str]) -> str | None:
        """As the function of this name, as long as there is room; then nothing."""
        if self.room < 0:
            return None
        self.room -= min(len(choices), _MAX_LOOKED_AT) + _COMPARING * min(len(choices), _MAX_CHOICES)
        return nearest(word, choices)


def mistyped(key: str, keys: Collection[str]) -> str:
    """The same for a key, which may also have lost its colon. A key that is one of them is meant as it is."""
    word, _, rest = key.partition(" ")
    if (meant := KEYS.get(key.lower())) is not None and meant in keys and key not in keys:
        return f"did you mean `{meant}`?"
    if rest and word in keys:
        return f"a colon is missing: write `{word}: {shorten(rest, 40)}`"
    return near_miss(key, keys)


def one_of(choices: Iterable[str], limit: int = 20) -> str:
    """The choices in a row, the first `limit` of them."""
    choices = list(choices)
    listed = ", ".join(f"`{shorten(choice, 40)}`" for choice in choices[:limit])
    return listed if len(choices) <= limit else f"{listed} and {len(choices) - limit:,} more"


def unknown(what: str, word: str, choices: Iterable[str], searches: Searches | None = None) -> str:
    """`what` is a sentence such as "`runz` is not a key here"; what was meant, or what there is, is added."""
    choices = list(choices)
    meant = nearest(word, choices) if searches is None else searches.nearest(word, choices)
    hint = f"did you mean `{meant}`?" if meant is not None else ""
    if not hint and choices:
        hint = known(choices)
    return f"{what}; {hint}" if hint else what


def known(choices: Sequence[str]) -> str:
    return (
        f"known: {one_of(sorted(choices[:_MAX_CHOICES]))}"
        if len(choices) <= _MAX_CHOICES
        else f"there are {len(choices):,}"
    )


def explain(
    error: ErrorDetails, model: type[BaseModel], written: str = "", present: Collection[str] = ()
) -> tuple[str, str]:
    """Code and detail of one pydantic error of `model`; `written` is how the file writes a value that is no text.

    `present` are the keys beside it, none of which is meant by one that is alike. An error may bring its `cure` in its context.
    """
    kind = error["type"]
    key = str(error["loc"][-1]) if error["loc"] else ""
    value = error["input"]
    context: dict[str, Any] = error.get("ctx", {})
    if kind == "extra_forbidden":
        keys = keys_at(model, error["loc"][:-1])
        what = f"`{shorten(key)}` is not a key here"
        hint = (
            context.get("cure")
            or of_a_key(key, model.__name__)
            or mistyped(key, [other for other in keys if other not in present or other == KEYS.get(key.lower())])
            or (misplaced(key, model) if len(error["loc"]) == 1 else "")
        )
        return "unknown-key", f"{what}; {hint or known(keys)}"
    if kind == "missing":
        return "missing-key", f"`{key}` is required"
    if key == "max_age" and isinstance(value, int):
        return "wrong-type", f"{_FORMS[AGE]}; write {value}d for days, {value}h for hours"
    if key in _LISTS and kind in {"list_type", "tuple_type"} and not isinstance(value, Mapping):
        return "wrong-type", f"this must be a list, such as {_LISTS[key]}, but it is {describe(value)}"
    if (
        kind == "string_pattern_mismatch"
        and (form := str(context.get("pattern", ""))) in _FORMS
        and (meant := as_planned(value, form))
    ):
        return "bad-value", f'{_FORMS[form]}, but it is the text "{shorten(str(value), 40)}"; write {meant}'
    if kind in _TYPES:
        in_steps = "steps" in error["loc"][:-1] and _TYPES[kind].startswith("a mapping")
        form = "" if not in_steps else of_what_is_said(value) if key == "says" else of_a_step(value)
        if _TYPES[kind].endswith("number"):
            form = in_unit("rate_cents" if "rates" in error["loc"][:-1] else key, value) or of_a_fraction(
                key, value, whole=kind.startswith("int")
            )
        elif _TYPES[kind].startswith("a mapping"):
            form = form or (of_one_part(value) if key == "of" and isinstance(value, list) else of_a_mapping(key, value))  # pyright: ignore[reportUnknownArgumentType]
        return "wrong-type", wrong_type(_TYPES[kind], value, key, written) + form
    if kind in {"greater_than_equal", "greater_than", "less_than_equal", "less_than"}:
        return "out-of-range", f"{value} is out of range: {_bound(kind, context)}{as_share(key, value)}"
    if kind in {"string_too_short", "too_short"}:
        return "bad-value", "this must not be empty" if context.get(
            "min_length"
        ) == 1 else f"this must have at least {context.get('min_length')} items"
    if kind == "too_long" and isinstance(value, (list, dict)):
        return "too-many-nodes", f"at most {context.get('max_length', 0):,} may stand here; this has {len(value):,}"  # pyright: ignore[reportUnknownArgumentType]
    if kind in {"string_too_long", "too_long"}:
        return "bad-value", f"this is too long: at most {context.get('max_length')}"
    if kind in {"literal_error", "enum"}:
        choices = [choice.strip("'") for choice in str(context.get("expected", "")).replace(" or ", ", ").split(", ")]
        if isinstance(value, list):
            cure = of_a_choice(value, choices, key)  # pyright: ignore[reportUnknownArgumentType]
            return "not-a-choice", f"this must be one of {one_of(choices)}, but it is a list; {cure}"
        text = value if isinstance(value, str) else describe(value)
        if (word := WORDS.get(text.lower())) in choices:
            return "not-a-choice", f"`{shorten(text, 40)}` is not one of {one_of(choices)}; did you mean `{word}`?"
        return "not-a-choice", unknown(
            f"`{shorten(str(text), 40)}` is not one of {one_of(choices)}", str(text), choices
        ).split("; known:")[0]
    if kind == "string_pattern_mismatch":
        return _pattern(str(value), str(context.get("pattern", "")))
    message = str(error["msg"])
    return "bad-value", message.removeprefix("Value error, ").removeprefix("Assertion failed, ")


def misplaced(key: str, model: type[BaseModel]) -> str:
    """Where a key belongs that another part of a plan has, or nothing."""
    if model in {PlanFields, ScenarioDefaults} and key in {"prompt", "prompt_file", "matrix"}:
        return "a scenario has it, under `scenarios`"
    if model in {PlanFields, ScenarioDefaults, ScenarioFields} and key in MatrixFields.model_fields:
        return "it belongs under a scenario's `matrix`"
    if model is PlanFields and key in ScenarioDefaults.model_fields:
        return "a scenario has it, and `defaults` for all scenarios"
    if model in {PlanFields, ScenarioDefaults, ScenarioFields} and key == "expectations":
        return "write `expect`, in a scenario or in `defaults`; only a library has `expectations`"
    return ""


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


def wrong_type(wanted: str, value: Any, key: str = "", written: str = "") -> str:
    """What is wanted and what is there, with the usual way out; `written` is how the file writes a value that is no text."""
    scalar = written or (str(value).lower() if isinstance(value, bool) else str(value))
    if isinstance(value, str) and wanted in {"a whole number", "a number", "true or false"}:
        looks_right = (
            value.strip().lower() in {"true", "false"} or value.strip().lstrip("+-").replace(".", "", 1).isdigit()
        )
        hint = UNQUOTE if looks_right else _NO_TEMPLATE if value.startswith("{{") else ""
        if wanted == "true or false" and value.lower() in {"yes", "no", "on", "off"}:
            hint = "; YAML 1.2 reads it as text, write true or false"
        return f"this must be {wanted}, but it is {describe(value)}{hint}"
    if wanted == "text" and key in {"start", "end"} and isinstance(value, int) and 0 <= value < _HOURS:
        return f'this must be a time of the day, but it is {describe(value)}; write "{value:02}:00"'
    if wanted == "text" and isinstance(value, (int, float, bool)):
        return f'this must be text, but it is {describe(value)}; put it in quotes: "{scalar}"'
    if wanted == "text" and isinstance(value, dict) and len(value) == 1:  # pyright: ignore[reportUnknownArgumentType]
        ((name, inner),) = value.items()  # pyright: ignore[reportUnknownVariableType]
        if key == "tool" and name == "name" and isinstance(inner, str):
            return f"this must be text, but it is a mapping; write {key}: {shorten(inner, 40)}"
        if isinstance(inner, (str, int, float)) and not isinstance(inner, bool):
            return f'this must be text, but it is a mapping; a text with a colon is in quotes: "{shorten(f"{name}: {inner}", 40)}"'
    if wanted == "a list" and isinstance(value, dict):
        return "this must be a list, but it is a mapping; write [{…}], or `- ` before it"
    if wanted == "text" and isinstance(value, list):
        return f"this must be text, but it is a list; {as_text(value, key)}"  # pyright: ignore[reportUnknownArgumentType]
    if wanted == "a list" and value is not None and not isinstance(value, (Mapping, Items, dict, list)):
        shown = f'["{scalar}"]' if written and key != "in" else f"[{scalar}]"
        shown = in_brackets(value, key) if isinstance(value, str) else shown
        return f"this must be a list, but it is {describe(value)}; write {shown}"
    return f"this must be {wanted}, but it is {describe(value)}"


def _bound(kind: str, context: dict[str, Any]) -> str:
    words = {
        "greater_than_equal": "at least",
        "greater_than": "more than",
        "less_than_equal": "at most",
        "less_than": "less than",
    }
    limit = context.get(
        {"greater_than_equal": "ge", "greater_than": "gt", "less_than_equal": "le", "less_than": "lt"}[kind]
    )
    shown = f"{int(limit):,}" if isinstance(limit, (int, float)) and float(limit).is_integer() else str(limit)
    return f"it must be {words[kind]} {shown}"


def _pattern(value: str, pattern: str) -> tuple[str, str]:
    if pattern.startswith("^[a-z0-9]"):
        return "not-a-slug", not_a_slug(value)
    if pattern == TAG:
        return (
            "bad-value",
            f'"{shorten(value, 40)}" cannot be a tag: letters, digits and _ . : / -, beginning with a letter or digit',
        )
    wanted = _FORMS.get(pattern, f"this must have the form {pattern}")
    if pattern == LANGUAGE_CODE:
        code = as_language(value)
        wanted = "this must be a language's code of two letters, such as en or es"
        return "bad-value", f'{wanted}, but it is the text "{shorten(value, 40)}"' + (f"; write {code}" if code else "")
    return "bad-value", f'{wanted}, but it is the text "{shorten(value, 40)}"'


def not_a_slug(value: str) -> str:
    written, value = value, unicodedata.normalize("NFKD", value.replace("ß", "ss"))
    value = "".join(c for c in value if not unicodedata.combining(c))
    slug = "-".join(
        "".join(c if c.isascii() and (c.isalnum() or c in "-_") else " " for c in value.lower()).split()
    ).strip("-_")
    hint = f"; write `{slug[:60]}`" if slug else ""
    return f'"{shorten(written, 40)}" is not a slug: lower-case letters, digits, - and _{hint}'

"""What may be sent: the bodies of the two POSTs and the queries of the lists, with their defaults, limits and messages."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Literal, TypeVar, cast

from pydantic import JsonValue

from planner.sandbox.state.records import DIRECTIONS, MODES, TARGET_TYPES, Direction, Mode, TargetType
from planner.sandbox.wire.errors import FieldMessages, detail, invalid, not_found

Dialect = Literal["page", "client"]

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_WHOLE = re.compile(r"\s*-?[0-9]{1,19}\s*")
_TRUE, _FALSE = ("true", "1"), ("false", "0")
_INT64_MAX = 2**63 - 1

_REQUIRED = "This field is required."
_NULL = "This field may not be null."
_INTEGER = "A valid integer is required."

_Item = TypeVar("_Item")
_Choice = TypeVar("_Choice", bound=str)
"""Solved to the literal type of the choices."""


@dataclass(frozen=True, slots=True)
class LaunchRequest:
    """A valid body of either POST. `prompts` rotates over the runs."""

    target_type: TargetType
    target_id: int
    direction: Direction
    mode: Mode
    target_number: str
    prompts: tuple[str, ...]
    run_count: int
    stagger_seconds: int
    name: str
    is_batch: bool


def json_object(body: bytes, content_type: str) -> dict[str, JsonValue]:
    media_type = content_type.partition(";")[0].strip().lower()
    if body and media_type != "application/json":
        raise detail(415, f'Unsupported media type "{media_type}" in request.')
    try:
        document = cast(JsonValue, json.loads(body, parse_constant=_no_number)) if body else {}
        if rb"\u" in body:  # half of a surrogate pair can be escaped, but never written: no answer could quote it
            json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise detail(400, "JSON parse error - half of a surrogate pair is no character") from error
    except ValueError as error:
        raise detail(400, f"JSON parse error - {error}") from error
    except RecursionError as error:
        raise detail(400, "JSON parse error - nested too deeply") from error
    if not isinstance(document, dict):
        raise invalid(
            {"non_field_errors": [f"Invalid data. Expected a dictionary, but got {type(document).__name__}."]}
        )
    return document


def _no_number(constant: str) -> JsonValue:
    raise ValueError(f"{constant} is no JSON number")


class _Body:
    """Reads fields one by one and collects what is wrong with each."""

    def __init__(self, document: dict[str, JsonValue]) -> None:
        self.document = document
        self.wrong: FieldMessages = {}

    def _present(self, field: str, *, required: bool) -> bool:
        if field not in self.document:
            if required:
                self.wrong[field] = [_REQUIRED]
            return False
        if self.document[field] is None:
            self.wrong[field] = [_NULL]
            return False
        return True

    def choice(self, field: str, choices: tuple[_Choice, ...], default: _Choice | None) -> _Choice:
        if not self._present(field, required=default is None):
            return default or choices[0]
        value = self.document[field]
        for choice in choices:
            if value == choice:
                return choice
        self.wrong[field] = [f'"{value if isinstance(value, str) else json.dumps(value)}" is not a valid choice.']
        return choices[0]

    def integer(self, field: str, default: int | None, least: int | None = None, most: int | None = None) -> int:
        if not self._present(field, required=default is None):
            return default or 0
        number = _integer(self.document[field])
        if number is None:
            self.wrong[field] = [_INTEGER]
        elif least is not None and number < least:
            self.wrong[field] = [f"Ensure this value is greater than or equal to {least}."]
        elif most is not None and number > most:
            self.wrong[field] = [f"Ensure this value is less than or equal to {most}."]
        return number or 0

    def text(self, field: str) -> str:
        value = self.document.get(field, "")
        if field in self.document and not self._present(field, required=False):
            return ""
        if not isinstance(value, str):
            self.wrong[field] = ["Not a valid string."]
            return ""
        return value

    def phone_number(self, field: str) -> str:
        value = self.text(field)
        if value and not _E164.fullmatch(value):
            self.wrong[field] = ["Enter a phone number in E.164 format, such as +14155550199."]
        return value

    def texts(self, field: str) -> tuple[str, ...]:
        if not self._present(field, required=False):
            return ()
        value = self.document[field]
        if not isinstance(value, list):
            self.wrong[field] = [f'Expected a list of items but got type "{type(value).__name__}".']
            return ()
        bad: FieldMessages = {
            str(index): ["Not a valid string."] for index, item in enumerate(value) if not isinstance(item, str)
        }
        if bad:
            self.wrong[field] = bad
        return tuple(item for item in value if isinstance(item, str))


def _integer(value: JsonValue) -> int | None:
    """As lenient as Django REST framework: 12, "12" and 12.0, but not true."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        number = int(value) if _WHOLE.fullmatch(value) else None
    elif isinstance(value, float):
        number = int(value) if value.is_integer() else None
    else:
        number = value if isinstance(value, int) else None
    return number if number is not None and abs(number) <= _INT64_MAX else None


def launch_request(document: dict[str, JsonValue], dialect: Dialect, *, is_batch: bool, trim: bool) -> LaunchRequest:
    """Check the fields first, consent after; the target is not looked at here."""
    body = _Body(document)
    client = dialect == "client"
    target_type: TargetType = body.choice("target_type", TARGET_TYPES, None)
    target_id = body.integer("target_id", None)
    direction: Direction = body.choice("direction", DIRECTIONS, "outbound" if client else None)
    target_number = body.phone_number("target_number")
    mode: Mode = "bot" if client else body.choice("mode", MODES, "bot")
    run_count, stagger_seconds, name, prompts = (
        1,
        0,
        "",
        (body.text("scenario_prompt") if not (client and is_batch) else "",),
    )
    if is_batch:
        run_count = body.integer("run_count", 3 if client else None, 1, 20)
        stagger_seconds = body.integer("stagger_seconds", 5 if client else 0, 0, 60)
        name = body.text("name") if client else ""
        prompts = body.texts("scenario_prompts") or (prompts if prompts[0] else ())
    if body.wrong:
        raise invalid(body.wrong)
    if document.get("consent_to_charge") is not True:
        raise invalid({"consent_to_charge": ["You must set consent_to_charge to true: test calls are billed."]})
    if trim:
        prompts = tuple(prompt.strip() for prompt in prompts)
    return LaunchRequest(
        target_type, target_id, direction, mode, target_number, prompts, run_count, stagger_seconds, name, is_batch
    )


@dataclass(frozen=True, slots=True)
class Page:
    limit: int
    offset: int

    def of(self, items: Iterable[_Item]) -> Iterator[_Item]:
        start = min(self.offset, sys.maxsize - self.limit)
        return islice(items, start, start + self.limit)

    def newest_of(self, items: Sequence[_Item]) -> list[_Item]:
        """The same from the end of what lies oldest first, without walking over what is left out."""
        end = max(0, len(items) - self.offset)
        return list(reversed(items[max(0, end - self.limit) : end]))


def page(query: Mapping[str, str]) -> Page:
    """Default 50; more than 200 are 200."""
    wrong: FieldMessages = {}
    numbers: dict[str, int] = {}
    for field, default, least in (("limit", 50, 1), ("offset", 0, 0)):
        number = _integer(query.get(field, str(default)))
        if number is None:
            wrong[field] = [_INTEGER]
        elif number < least:
            wrong[field] = [f"Ensure this value is greater than or equal to {least}."]
        else:
            numbers[field] = number
    if wrong:
        raise invalid(wrong)
    return Page(min(numbers["limit"], 200), numbers["offset"])


def query_choice(query: Mapping[str, str], field: str, choices: tuple[str, ...]) -> str | None:
    value = query.get(field) or None
    if value is not None and value not in choices:
        raise invalid({field: [f'"{value}" is not a valid choice.']})
    return value


def query_integer(query: Mapping[str, str], field: str) -> int | None:
    value = query.get(field) or None
    number = _integer(value)
    if value is not None and number is None:
        raise invalid({field: [_INTEGER]})
    return number


def query_moment(query: Mapping[str, str], field: str, *, end_of_day: bool) -> float | None:
    """A day or an ISO 8601 time, UTC unless it says otherwise."""
    value = query.get(field) or None
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value.upper())
    except ValueError as error:
        raise invalid({field: ["Enter a valid date or time in ISO 8601."]}) from error
    seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    is_day = "T" not in value.upper() and " " not in value
    return seconds + 86_400 if end_of_day and is_day else seconds


def query_truth(query: Mapping[str, str], field: str) -> bool:
    value = query.get(field, "").lower()
    if value and value not in (*_TRUE, *_FALSE):
        raise invalid({field: ["Must be a valid boolean."]})
    return value in _TRUE


def path_id(path_params: Mapping[str, str], name: str, what: str) -> int:
    """The id in a path: whatever is no 64-bit integer names nothing."""
    number = _integer(path_params[name])
    if number is None or not path_params[name].isdigit():
        raise not_found(what)
    return number

"""Error answers in the shapes of the service: `{"detail": …}` or a map of field to messages."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import JsonValue, ValidationError

_MESSAGES = {
    "missing": "This field is required.",
    "string_type": "Not a valid string.",
    "int_type": "A valid integer is required.",
    "int_parsing": "A valid integer is required.",
    "int_from_float": "A valid integer is required.",
}
"""Type of pydantic's error → message of the service."""


class ApiError(Exception):
    """Raised by an endpoint, answered by the app."""

    def __init__(self, status: int, body: JsonValue, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{status} {body}")
        self.status = status
        self.body = body
        self.headers = dict(headers or {})


def detail(status: int, message: str, headers: Mapping[str, str] | None = None) -> ApiError:
    return ApiError(status, {"detail": message}, headers)


def not_found(what: str) -> ApiError:
    return detail(404, f"{what} not found.")


def insufficient_balance() -> ApiError:
    return detail(402, "Insufficient balance. Add funds to place test calls.")


def throttled(retry_after_seconds: int | None) -> ApiError:
    headers = {} if retry_after_seconds is None else {"Retry-After": str(retry_after_seconds)}
    return detail(429, "Maximum number of concurrent test-call runs reached for this organization.", headers)


def invalid(error: ValidationError) -> ApiError:
    """400: the messages by field; for items of a list by their index."""
    fields: dict[str, JsonValue] = {}
    for each in error.errors(include_url=False):
        message = _MESSAGES.get(each["type"], each["msg"].removeprefix("Value error, "))
        if each["type"] == "json_invalid":
            return detail(400, f"JSON parse error - {message}")
        if each["input"] is None:
            message = "This field may not be null."
        elif each["type"] == "literal_error":
            message = f'"{each["input"]}" is not a valid choice.'
        field, *index = map(str, each["loc"] or ("non_field_errors",))
        if index:
            items = fields.get(field)
            fields[field] = {**(items if isinstance(items, dict) else {}), index[0]: [message]}
        else:
            fields[field] = [message]
    return ApiError(400, fields)

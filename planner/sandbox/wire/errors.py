"""Answers that are errors, in the shapes the service uses: `{"detail": …}` or a map of field to messages."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import JsonValue

FieldMessages = dict[str, JsonValue]
"""Field → list of messages (for items of a list: index → list of messages)."""


class ApiError(Exception):
    """Raised by a handler, answered by the app."""

    def __init__(self, status: int, body: JsonValue, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{status} {body}")
        self.status = status
        self.body = body
        self.headers = dict(headers or {})


def detail(status: int, message: str, headers: Mapping[str, str] | None = None) -> ApiError:
    return ApiError(status, {"detail": message}, headers)


def invalid(fields: FieldMessages) -> ApiError:
    return ApiError(400, fields)


def not_found(what: str) -> ApiError:
    return detail(404, f"{what} not found.")


def insufficient_balance() -> ApiError:
    return detail(402, "Insufficient balance. Add funds to place test calls.")


def throttled(retry_after_seconds: int | None) -> ApiError:
    headers = {} if retry_after_seconds is None else {"Retry-After": str(retry_after_seconds)}
    return detail(429, "Maximum number of concurrent test-call runs reached for this organization.", headers)

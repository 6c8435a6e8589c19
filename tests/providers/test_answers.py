"""From an answer that is no yes to an error of ours: what it says, what to do about it, and nothing foreign in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from planner.errors import PlannerError, ServiceError, ThrottledError
from planner.network.transport import Answer
from planner.providers.thunderphone.answers import error_of


def mapped(status: int, body: bytes = b'{"detail": "No."}', **headers: str) -> tuple[str, int, str, str]:
    error = error_of(Answer(status, headers, body), "GET /v1/billing")
    return type(error).__name__, error.exit_code, str(error), error.hint


def test_every_status_has_its_error() -> None:
    """The one mapping, whole."""
    assert [mapped(status) for status in (301, 400, 401, 402, 403, 404, 408, 409, 422, 429, 500, 503, 999)] == snapshot(
        [
            (
                "ServiceError",
                4,
                "GET /v1/billing: the service redirects (301); redirects are not followed, so that the key goes to no other host",
                "Is THUNDERPHONE_API_BASE_URL the API's address (without /v1), and not answered by a proxy?",
            ),
            ("UsageError", 2, "GET /v1/billing: the service rejects the request (400: No.)", ""),
            (
                "CredentialError",
                2,
                "the service rejects the key (401: No.)",
                "Check THUNDERPHONE_API_KEY: the complete key of this organization, with access to test calls.",
            ),
            (
                "RefusedError",
                3,
                "no balance for test calls (402: No.)",
                "Top up the organization's balance, then run the same command again.",
            ),
            (
                "CredentialError",
                2,
                "the service rejects the key (403: No.)",
                "Check THUNDERPHONE_API_KEY: the complete key of this organization, with access to test calls.",
            ),
            ("NotFoundError", 2, "GET /v1/billing: not found (404: No.)", ""),
            ("ServiceError", 4, "GET /v1/billing: the service timed out (408: No.)", ""),
            ("UsageError", 2, "GET /v1/billing: the service rejects the request (409: No.)", ""),
            ("UsageError", 2, "GET /v1/billing: the service rejects the request (422: No.)", ""),
            ("ThrottledError", 4, "the service refuses more requests for now (429: No.)", ""),
            ("ServiceError", 4, "GET /v1/billing: the service failed (500: No.)", ""),
            ("ServiceError", 4, "GET /v1/billing: the service failed (503: No.)", ""),
            ("ServiceError", 4, "GET /v1/billing: the service failed (999: No.)", ""),
        ]
    )


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"detail": "Too young."}', "Too young."),
        (
            b'{"run_count": ["Too many.", "Far too many."], "mode": "Unknown."}',
            "run_count: Too many. Far too many.; mode: Unknown.",
        ),
        (b'{"scenario_prompts": {"0": ["Not a valid string."]}}', "scenario_prompts: {'0': ['Not a valid string.']}"),
        (b'{"detail": ["a", "b"]}', "detail: a b"),
        (b'["no", "way"]', "['no', 'way']"),
        (b"{}", "no reason given"),
        (b'{"detail": ""}', "no reason given"),
        (b"", "no JSON body"),
        (b"<html>", "no JSON body"),
        (b'{"detail": "' + b"x" * 400 + b'"}', "x" * 299 + "…"),
    ],
)
def test_the_services_message_is_one_line(body: bytes, expected: str) -> None:
    """Its detail, or its fields' messages, at most 300 characters."""
    assert mapped(422, body)[2] == f"GET /v1/billing: the service rejects the request (422: {expected})"


@given(st.text().map(lambda text: f"\x1b[2J\u202e{text}\r\n"), st.sampled_from(["detail", "field", "\x1b]0;x\x07"]))
def test_foreign_text_is_harmless_on_a_terminal(text: str, key: str) -> None:
    """No control characters, no escapes, no bidirectional tricks, no second line."""
    import json

    body = json.dumps({key: text, "list": [text]}).encode()
    for status in (400, 401, 402, 404, 429, 500):
        message = mapped(status, body)[2]
        assert message.isprintable()
        assert len(message) < 400


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": " 7 "}, 7.0),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "86399"}, 86_399.0),
        ({"retry-after": "86400"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "1e3"}, None),
        ({"retry-after": "1_0"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "²"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": ""}, None),
    ],
)
def test_retry_after_is_read_or_left(header: dict[str, str], expected: float | None) -> None:
    """Seconds of less than a day; anything else is as if it were not there."""
    error = error_of(Answer(429, header, b""), "POST /v1/test-calls")
    assert isinstance(error, ThrottledError)
    assert error.retry_after_seconds == expected


@given(
    status=st.integers(100, 999).filter(lambda status: not 200 <= status < 300),
    body=st.binary(max_size=60),
    headers=st.dictionaries(st.sampled_from(["retry-after", "date", "content-type"]), st.text()),
)
def test_every_answer_is_an_error_of_ours(status: int, body: bytes, headers: dict[str, str]) -> None:
    """No status, body or header gets through as an exception of anybody else's."""
    error = error_of(Answer(status, headers, body), "GET /")
    assert isinstance(error, PlannerError)
    assert error.exit_code in (2, 3, 4)
    assert str(error).isprintable()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(talk: Callable[..., Any], status: int) -> None:
    """The key goes to no other host, whoever says so."""
    elsewhere = await talk((200, {"balance_cents": 1}))
    asked = await talk((status, b"", {"Location": f"{elsewhere.server.url}/v1/billing"}))
    with pytest.raises(ServiceError):
        await asked.client.billing()
    with pytest.raises(ServiceError):
        await asked.launch()
    assert elsewhere.server.connections == 0
    assert all(request.headers["authorization"].startswith("Bearer sk_test_") for request in asked.server.asked)

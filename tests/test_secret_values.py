"""Which values of an agent are secret, and what stands for them."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest

from planner.changes.configuration import agree, configuration_digest
from planner.secret_values import (
    Kind,
    find_secrets,
    hide_secrets,
    mask_secrets,
    reveal_secrets,
    without_credentials,
)

NAMED, HEADER, ADDRESS = Kind.NAMED, Kind.HEADER, Kind.ADDRESS


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"apiKey": "x"}, [(("apiKey",), NAMED)]),
        ({"access_token": "x", "max_tokens": 5, "token_limit": 3}, [(("access_token",), NAMED)]),
        ({"passwords": ["a", "", 7, True]}, [(("passwords", 0), NAMED), (("passwords", 2), NAMED)]),
        ({"credentials": {"user": "x"}}, [(("credentials", "user"), NAMED)]),
        ({"has_secret": True, "secret": None}, []),
        ({"prompt": "Never say your password.", "keyword": "x", "key": "x"}, []),
        ({"headers": {"X-Team": "x", "Content-Type": "text/plain"}}, [(("headers", "X-Team"), HEADER)]),
        ({"headers": "X-Team: x"}, [(("headers",), HEADER)]),
        ({"headers": {"Authorization": "x"}}, [(("headers", "Authorization"), NAMED)]),
        ({"headers": [{"name": "Authorization", "value": "x"}]}, [(("headers", 0, "value"), NAMED)]),
        ({"requestHeaders": [{"key": "X-Team", "value": "x", "id": 3}]}, [(("requestHeaders", 0, "value"), HEADER)]),
        ({"header": {"X-Team": "x"}}, [(("header", "X-Team"), HEADER)]),
        ({"query": [{"name": "api_key", "value": "x"}]}, [(("query", 0, "value"), NAMED)]),
        ({"query": [{"name": "page", "value": "x"}]}, []),
        ({"password": {"type": "string", "description": "Of the caller"}}, []),
        ({"password": {"type": "string", "default": "x"}}, [(("password", "default"), NAMED)]),
        ({"url": "https://me:x@tools.example/lookup"}, [(("url",), ADDRESS)]),
        ({"url": "https://tools.example/lookup?page=1&api_key=x"}, [(("url",), ADDRESS)]),
        ({"url": "https://tools.example/@team?page=1"}, []),
        ({"prompt": "Mail me@example.com, or see https://example.com."}, []),
        ({"auth": "x", "hmac": "x", "sig_key": "x"}, [(("auth",), NAMED), (("hmac",), NAMED), (("sig_key",), NAMED)]),
        ({"auth": "Bearer", "auth_way": "x", "signature_style": "x"}, []),
        ({"curl": "curl -H 'Authorization: Bearer x1' https://tools.example"}, [(("curl",), ADDRESS)]),
        ({"body": '{"api_key": "x1", "page": "2"}'}, [(("body",), ADDRESS)]),
        ({"body": '{"page": "2"}', "prompt": "Send Authorization: Bearer {{token}}."}, []),
    ],
)
def test_what_is_secret(fields: dict[str, Any], found: list[tuple[tuple[str | int, ...], Kind]]) -> None:
    assert [tuple(each) for each in find_secrets({"tools": fields})] == [
        (("tools", *route), kind) for route, kind in found
    ]


DEPLOYED = {
    "voice": "aria",
    "tools": [
        {
            "url": "https://me:hunter2@tools.example/?token=hunter3&page=2",
            "headers": [{"name": "Authorization", "value": "Bearer hunter4"}],
            "timeout": 5,
        }
    ],
}


def test_nothing_of_a_secret_is_left() -> None:
    """In the text of the value, and however often it is replaced, stored and read."""
    hidden = hide_secrets(DEPLOYED)
    written = json.dumps(hidden)
    assert "hunter" not in written
    assert "hunter" not in repr(hidden) + str(hidden)
    assert len(re.findall(r"\[secret:x[0-9a-f]{8}\]", written)) == 3
    assert hide_secrets(hidden) == hidden
    assert hide_secrets(json.loads(written)) == json.loads(written) == hidden
    assert mask_secrets(json.loads(written)) == hidden
    assert reveal_secrets(hidden) == DEPLOYED
    assert reveal_secrets(json.loads(written)) == hidden  # a file that repeats a digest gets no secret for it


def test_a_changed_secret_is_a_change() -> None:
    hidden = hide_secrets(DEPLOYED)
    same = hide_secrets(json.loads(json.dumps(DEPLOYED)))
    assert agree(hidden, same)
    assert configuration_digest(hidden) == configuration_digest(same)
    for number in "234":
        edited = hide_secrets(json.loads(json.dumps(DEPLOYED).replace(f"hunter{number}", "hunter5")))
        assert not agree(hidden, edited)
        assert configuration_digest(hidden) != configuration_digest(edited)


def test_many_secrets_take_bounded_time() -> None:
    """An agent has 20,000 headers, each with a value of its own.

    Before: without a limit, computing their digests takes minutes. Now: it takes under 3 s, and a changed value is still noticed.
    """
    headers = {f"X-{number}": f"value {number}" for number in range(20_000)}
    start = time.process_time()
    hidden = hide_secrets({"headers": headers})
    assert time.process_time() - start < 3
    assert hidden != hide_secrets({"headers": {**headers, "X-19999": "another"}})


SLACK, DISCORD = "Xq3vT9bLm2PzRw8KcY5nHd4J", "k9_Zp4Lw-7TtQxV2mBs8RcYh3NfJd6GgWa5Ue1Oi0PkLzXcVbNm"


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        (f"https://hooks.slack.com/services/T024BE7LD/B7CQ1V9/{SLACK}", "https://hooks.slack.com/services/*/*/*"),
        (
            f"https://discord.com/api/webhooks/1234567890123456789/{DISCORD}?wait=true",
            "/1234567890123456789/*?wait=true",
        ),
        ("https://hooks.zapier.com/hooks/catch/12345678/3f9k2ab/", "https://hooks.zapier.com/hooks/catch/12345678/*/"),
        (
            "https://x.webhook.office.com/webhookb2/a1b2c3d4-e5f6-4a7b-8c9d-0e1f2a3b4c5d@x/IncomingWebhook/y",
            "/*/Incoming",
        ),
        (f"https://tools.example/{SLACK}/lookup", "https://tools.example/*/lookup"),
        (
            f"https://tools.example:8080/lookup?page=2&flow={SLACK}#top",
            "https://tools.example:8080/lookup?page=2&flow=*#top",
        ),
        (f"https://me:x@tools.example/{{{{id}}}}/{SLACK}", "https://*@tools.example/{{id}}/*"),
    ],
)
def test_a_token_in_an_address_is_a_secret_and_the_rest_stays(address: str, shown: str) -> None:
    """So that whoever agrees to calls still sees where they go."""
    hidden = hide_secrets({"url": address})
    assert shown in re.sub(r"\[secret:x[0-9a-f]{8}\]", "*", hidden["url"])
    assert hidden["url"].startswith("https://")
    assert hide_secrets(json.loads(json.dumps(hidden))) == hidden
    assert reveal_secrets(hidden) == {"url": address}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            f"Send it to https://hooks.slack.com/services/T02/B7C/{SLACK}.",
            "Send it to https://hooks.slack.com/services/T02/B7C/*",
        ),
        (
            f"See [it](https://discord.com/api/webhooks/12/{DISCORD}).",
            "See [it](https://discord.com/api/webhooks/12/*).",
        ),
        (f"The invoice is https://pay.example/{SLACK}?page={SLACK}.", None),
    ],
)
def test_in_prose_only_tokens_of_webhooks_are_hidden(text: str, shown: str | None) -> None:
    """Other addresses may be what a call is about, and checks read them."""
    assert without_credentials(text, lambda _: "*") == (text if shown is None else shown)
    assert mask_secrets({"url": f"https://pay.example/{SLACK}"}) == {"url": f"https://pay.example/{SLACK}"}


@pytest.mark.parametrize(
    "address",
    [
        "https://tools.example/order-status-lookup-v2",
        "https://tools.example/api/v2beta1/webhooks/order-status-lookup-v2/2026-11-24",
        "https://tools.example/summerconference2026/getCustomerById2/12345678901234567890",
        "https://tools.example/orders/123e4567-e89b-12d3-a456-426614174000?lang=en&q=two+words",
        "https://github.com/owner/repository/commit/0f984c52b3a1d2e4f5a6b7c8d9e0f1a2b3c4d5e6",
        "https://tools.example/webhooks/v20261124/{{order_id}}",
    ],
)
def test_an_ordinary_address_is_no_secret(address: str) -> None:
    assert hide_secrets({"url": address}) == {"url": address}

"""A sample of `tests/benchmarks/spoiled_answers.py`, and refusals of many requests at once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

import pytest
from spoiled_sessions import Spoiling, all_spoilings, faults_of
from whole_runs import Organization

SAMPLE = 12


@pytest.fixture(scope="module")
def spoilings(tmp_path_factory: pytest.TempPathFactory) -> list[Spoiling]:
    return all_spoilings(tmp_path_factory.mktemp("clean"))


def test_every_answer_is_spoiled(spoilings: list[Spoiling]) -> None:
    """Nothing of the API that a session reads is left out."""
    assert len(spoilings) > 6_000
    assert Counter(each.route for each in spoilings).keys() >= {
        "GET /v1/agents/{id}",
        "GET /v1/billing",
        "GET /v1/billing/transactions",
        "GET /v1/calls/{id}",
        "GET /v1/calls/{id}/grade",
        "GET /v1/calls/{id}/history",
        "GET /v1/calls/{id}/transcript",
        "GET /v1/test-calls",
        "POST /v1/test-call-batches",
    }


@pytest.mark.parametrize("part", range(2))
def test_a_spoiled_answer_loses_no_paid_call(spoilings: list[Spoiling], tmp_path: Path, part: int) -> None:
    """Exit code 0 to 4, a report that is true to the ledger, and later sessions that pay for nothing again."""
    dice = Random(part)  # noqa: S311 - no secret
    for number, spoiling in enumerate(dice.sample(spoilings, SAMPLE // 2)):
        assert faults_of(tmp_path / str(number), spoiling) == [], str(spoiling)


@pytest.mark.parametrize(
    "spoiling",
    [
        Spoiling("GET /v1/agents/{id}", ("voice",), "400 digits"),
        Spoiling("GET /v1/agents/{id}", ("product",), "an empty list"),
        Spoiling("POST /v1/test-call-batches", ("id",), "a flag"),
        Spoiling("GET /v1/test-calls", ("*", "error_message"), "an object", "last row"),
        Spoiling("GET /v1/billing/transactions", ("results", "*", "kind"), "a deep list"),
        Spoiling("GET /v1/calls/{id}", ("duration_seconds",), "400 digits"),
        Spoiling("GET /v1/calls/{id}", ("duration_seconds",), "almost infinite"),
        Spoiling("GET /v1/calls/{id}", ("billing_total_cents",), "over 53 bits"),
    ],
    ids=str,
)
def test_what_was_found(tmp_path: Path, spoiling: Spoiling) -> None:
    assert faults_of(tmp_path, spoiling) == []


def test_six_refusals_at_once_are_one(tmp_path: Path) -> None:
    """Six stored calls without a transcript are read again with a key that may not read calls: exit code 2, once."""
    fault: Mapping[str, Any] = {"kind": "late", "what": ["transcript"], "seconds": 5_000}
    service = Organization(tmp_path, faults=(fault,))
    service.write(
        "plans/six.yaml",
        "version: 1\nplan: six\ntargets: {clinic: {agent: 12}}\nscenarios:\n  hours:\n"
        "    prompt: Ask when you open.\n    runs: 6\n    expect: [{check: says, any_of: [Saturday]}]\n",
    )
    assert service.run().code == 4
    real = service.sandbox.app
    refused: list[str] = []

    async def refusing(scope: Any, receive: Any, send: Any) -> None:
        if not scope["path"].startswith("/v1/calls/"):
            await real(scope, receive, send)
            return
        refused.append(scope["path"])
        await send({"type": "http.response.start", "status": 403, "headers": []})
        await send({"type": "http.response.body", "body": json.dumps({"detail": "No."}).encode()})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(service.sandbox, "app", refusing)
        ran = service.run()
    assert (ran.code, len(set(refused))) == (2, 6)
    assert ran.err.count("the service rejects the key (403: No.)") == 1
    assert service.results()["exit_code"] == 2
    assert len(service.charged()) == 6

"""What the sandbox answers to requests that are wrong, and in which order it looks."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.sandbox.conftest import Bench, bench_of, single  # pyright: ignore[reportMissingImports]


@pytest.mark.parametrize(
    "change",
    [
        {"target_type": None},
        {"target_type": "fax"},
        {"target_id": "twelve"},
        {"target_id": 2**70},
        {"consent_to_charge": False},
    ],
)
async def test_single_run_fields(bench: Bench, change: dict[str, Any]) -> None:
    """Each field of a single run is refused by name, all of them at once, with messages for people."""
    response = await bench.start(**change)
    assert (response.status_code, response.json().keys()) == (400, change.keys())
    assert all(isinstance(message, str) for messages in response.json().values() for message in messages)
    assert await bench.runs() == []


async def test_a_wrong_item_of_a_list_is_refused_by_its_index(bench: Bench) -> None:
    response = await bench.start_batch(scenario_prompts=["a", 2, "b", 3])
    assert (response.status_code, response.json()["scenario_prompts"].keys()) == (400, {"1", "3"})


async def test_null_is_not_a_value(bench: Bench) -> None:
    """A null is refused where a value is meant."""
    response = await bench.http.post("/v1/test-calls", json=single() | {"target_type": None})
    assert (response.status_code, response.json()) == (400, {"target_type": ["This field may not be null."]})


async def test_unknown_fields_are_ignored(bench: Bench) -> None:
    assert (await bench.start(colour="blue")).status_code == 201


@pytest.mark.parametrize(
    ("body", "start"), [(b"{not json", "JSON parse error"), (b"[1, 2]", ""), (b'{"target_id": NaN}', ""), (b"null", "")]
)
async def test_body_that_is_not_an_object(bench: Bench, body: bytes, start: str) -> None:
    """A body that is no JSON object is refused with a reason."""
    response = await bench.http.post("/v1/test-calls", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 400
    assert response.json().get("detail", "").startswith(start)


async def test_body_of_another_type(bench: Bench) -> None:
    """Only JSON is read."""
    response = await bench.http.post("/v1/test-calls", content=b"target_id=12", headers={"Content-Type": "text/plain"})
    assert (response.status_code, response.json()) == (
        415,
        {"detail": 'Unsupported media type "text/plain" in request.'},
    )


async def test_no_key(bench: Bench) -> None:
    """Without a bearer key: 401, and how to authenticate."""
    request = bench.http.build_request("GET", "/v1/billing")
    del request.headers["authorization"]
    response = await bench.http.send(request)
    assert response.status_code == 401
    assert response.json() == {"detail": "Authentication credentials were not provided."}
    assert response.headers["www-authenticate"] == "Bearer"


async def test_only_named_keys() -> None:
    """With `api_keys` only those are taken."""
    async with bench_of(api_keys=["sk_test_mine"]) as bench:
        assert (await bench.http.get("/v1/whoami")).status_code == 401
        response = await bench.http.get("/v1/whoami", headers={"Authorization": "bearer sk_test_mine"})
        assert response.json()["key_prefix"] == "sk_test_mine"


async def test_health_needs_no_key(bench: Bench) -> None:
    """`healthz` answers anybody."""
    response = await bench.http.get("/v1/healthz", headers={"Authorization": ""})
    assert (response.status_code, response.json()) == (200, {"ok": True})


async def test_unknown_paths(bench: Bench) -> None:
    """404 in JSON."""
    response = await bench.http.get("/")
    assert (response.status_code, response.json()) == (404, {"detail": "Not found."})


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PUT", "/v1/test-calls", {"GET", "HEAD", "POST"}),
        ("DELETE", "/v1/test-call-batches/201", {"GET", "HEAD"}),
        ("POST", "/v1/billing", {"GET", "HEAD"}),
    ],
)
async def test_wrong_method(bench: Bench, method: str, path: str, allow: set[str]) -> None:
    """A wrong method is 405, in JSON, with the right ones."""
    response = await bench.http.request(method, path)
    assert (response.status_code, response.json()) == (405, {"detail": f'Method "{method}" not allowed.'})
    assert set(response.headers["allow"].split(", ")) == allow


@pytest.mark.parametrize(("query", "field"), [("limit=many", "limit"), ("target_type=fax", "target_type")])
async def test_list_queries(bench: Bench, query: str, field: str) -> None:
    """A query that makes no sense is refused by name."""
    response = await bench.http.get(f"/v1/test-calls?{query}")
    assert response.status_code == 400
    assert list(response.json()) == [field]


@pytest.mark.parametrize(
    "path",
    [
        "/v1/test-call-batches/1",
        "/v1/calls/1",
        "/v1/calls/1/transcript",
        "/v1/agents/1",
        "/v1/agents/1/versions",
        "/v1/phone-numbers/1",
        "/v1/calls/abc",
        "/v1/agents/-1",
    ],
)
async def test_unknown_ids(bench: Bench, path: str) -> None:
    """What does not exist is 404 and says what."""
    response = await bench.http.get(path)
    assert response.status_code == 404
    assert response.json()["detail"].endswith("not found.")


async def test_order_of_errors() -> None:
    """Key, then fields and consent, then target, then balance, then concurrency."""
    wrong = single(target_id=999, direction=None, consent_to_charge=False)
    async with bench_of(concurrency_limit=1, balance_cents=30) as bench:
        await bench.start()
        refused = await bench.http.post("/v1/test-calls", json=wrong, headers={"Authorization": "Bearer no"})
        assert refused.status_code == 401
        refused = await bench.http.post("/v1/test-calls", json=wrong)
        assert refused.json().keys() == {"direction", "consent_to_charge"}
        assert (await bench.start(target_id=999)).status_code == 404
        assert (await bench.start()).status_code == 402
    async with bench_of(concurrency_limit=1) as bench:
        await bench.start()
        assert (await bench.start()).status_code == 429


async def test_every_answer_has_the_sandbox_date(bench: Bench) -> None:
    """Answers and errors alike carry the sandbox's own clock."""
    for path in ("/v1/billing", "/v1/nothing", "/v1/healthz"):
        response: httpx.Response = await bench.http.get(path)
        assert response.headers.get_list("date") == ["Wed, 25 Nov 2026 12:00:00 GMT"]


async def test_a_bug_is_json_and_is_raised(bench: Bench) -> None:
    """A fault of the sandbox itself is not hidden from a test, and still JSON on the wire."""

    def broken() -> float:
        raise RuntimeError("the clock has stopped")

    sandbox = bench.sandbox
    healthy, sandbox._clock = sandbox._clock, broken
    with pytest.raises(RuntimeError, match="the clock has stopped"):
        await bench.http.get("/v1/test-calls")
    sandbox._clock = healthy

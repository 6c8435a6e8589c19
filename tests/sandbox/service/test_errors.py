"""What the sandbox answers to requests that are wrong, and in which order it looks."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.sandbox.conftest import Bench, batch, bench_of, single  # pyright: ignore[reportMissingImports]


@pytest.mark.parametrize(
    "change",
    [
        {"target_type": None},
        {"target_type": "fax"},
        {"target_type": 3},
        {"target_id": None},
        {"target_id": "twelve"},
        {"target_id": "12"},
        {"target_id": True},
        {"target_id": 1.5},
        {"target_id": 2**70},
        {"direction": None},
        {"direction": "sideways"},
        {"mode": "carrier-pigeon"},
        {"target_number": "415 555 0199"},
        {"scenario_prompt": ["a"]},
        {"consent_to_charge": None},
        {"consent_to_charge": False},
        {"consent_to_charge": 1},
        {"consent_to_charge": "true"},
        {"target_type": None, "direction": "up"},
    ],
)
async def test_single_run_fields(bench: Bench, change: dict[str, Any]) -> None:
    """Each field of a single run is refused by name, all of them at once, with messages for people."""
    response = await bench.start(**change)
    assert (response.status_code, response.json().keys()) == (400, change.keys())
    assert all(isinstance(message, str) for messages in response.json().values() for message in messages)
    assert await bench.runs() == []


@pytest.mark.parametrize(
    "change",
    [
        {"run_count": None},
        {"run_count": 0},
        {"run_count": 21},
        {"stagger_seconds": -1},
        {"stagger_seconds": 61},
        {"scenario_prompts": "a"},
    ],
)
async def test_batch_fields(bench: Bench, change: dict[str, Any]) -> None:
    """Each field of a batch is refused by name."""
    response = await bench.start_batch(**change)
    assert (response.status_code, response.json().keys()) == (400, change.keys())


async def test_a_wrong_item_of_a_list_is_refused_by_its_index(bench: Bench) -> None:
    response = await bench.start_batch(scenario_prompts=["a", 2, "b", 3])
    assert (response.status_code, response.json()["scenario_prompts"].keys()) == (400, {"1", "3"})


@pytest.mark.parametrize("field", ["target_type", "target_id", "target_number", "scenario_prompt"])
async def test_null_is_not_a_value(bench: Bench, field: str) -> None:
    """A null is refused where a value is meant, also where the field may be left out."""
    response = await bench.http.post("/v1/test-calls", json=single() | {field: None})
    assert (response.status_code, response.json()) == (400, {field: ["This field may not be null."]})


async def test_null_prompts(bench: Bench) -> None:
    """Null is no list of prompts."""
    response = await bench.http.post("/v1/test-call-batches", json=batch() | {"scenario_prompts": None})
    assert response.json() == {"scenario_prompts": ["This field may not be null."]}


async def test_a_whole_number_may_have_a_decimal_point(bench: Bench) -> None:
    assert (await bench.start(target_id=12.0)).json()["target_id"] == 12


async def test_unknown_fields_are_ignored(bench: Bench) -> None:
    """A field the service does not know changes nothing."""
    assert (await bench.start(colour="blue")).status_code == 201


@pytest.mark.parametrize(
    ("body", "status", "start"),
    [
        (b"{not json", 400, "JSON parse error"),
        (b"[" * 100_000, 400, "JSON parse error"),
        (b"[1, 2]", 400, ""),
        (rb'{"scenario_prompt": "\ud800"}', 400, "JSON parse error"),
        (rb'{"\udc00": "a", "target_type": "x"}', 400, "JSON parse error"),
        (b'{"target_id": NaN}', 400, ""),
        (b'{"target_id": 1' + b"0" * 5000 + b"}", 400, "JSON parse error"),
        (b"\xff\xfe\xfd", 400, "JSON parse error"),
        (b"null", 400, ""),
    ],
)
async def test_body_that_is_not_an_object(bench: Bench, body: bytes, status: int, start: str) -> None:
    """A body that is no JSON object is refused with a reason."""
    response = await bench.http.post("/v1/test-calls", content=body, headers={"Content-Type": "application/json"})
    document = response.json()
    assert response.status_code == status
    assert document.get("detail", "").startswith(start)


async def test_body_of_another_type(bench: Bench) -> None:
    """Only JSON is read."""
    response = await bench.http.post("/v1/test-calls", content=b"target_id=12", headers={"Content-Type": "text/plain"})
    assert (response.status_code, response.json()) == (
        415,
        {"detail": 'Unsupported media type "text/plain" in request.'},
    )


async def test_an_escaped_surrogate_pair_is_one_character(bench: Bench) -> None:
    """An escaped pair is one character, and comes back as such."""
    body = rb'{"scenario_prompt": "\ud83d\ude00 hi", "target_type": "agent", "target_id": 12, "direction": "outbound", "consent_to_charge": true}'
    response = await bench.http.post("/v1/test-calls", content=body, headers={"Content-Type": "application/json"})
    assert (response.status_code, response.json()["scenario_prompt"]) == (201, "😀 hi")


async def test_an_offset_past_the_end(bench: Bench) -> None:
    """However far a page begins, past the end it is empty."""
    for path in ("/v1/test-calls", "/v1/test-call-batches"):
        assert await bench.get(f"{path}?limit=50&offset={2**63 - 2}") == []
    assert (await bench.get(f"/v1/calls?offset={2**63 - 2}"))["results"] == []


async def test_empty_body(bench: Bench) -> None:
    """Without a body every required field is missing."""
    response = await bench.http.post("/v1/test-calls")
    assert response.json().keys() == {"target_type", "target_id", "direction", "consent_to_charge"}


@pytest.mark.parametrize("header", [None, "Bearer", "Bearer ", "Basic abc", "sk_live_abcd"])
async def test_no_key(bench: Bench, header: str | None) -> None:
    """Without a bearer key: 401, and how to authenticate."""
    request = bench.http.build_request("GET", "/v1/billing")
    del request.headers["authorization"]
    if header is not None:
        request.headers["authorization"] = header
    response = await bench.http.send(request)
    assert response.status_code == 401
    assert response.json() == {"detail": "Authentication credentials were not provided."}
    assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("key", ["pk_live_abcd", "sk_", "sk_a b"])
async def test_key_that_is_none(bench: Bench, key: str) -> None:
    """What does not look like a key is refused."""
    response = await bench.http.get("/v1/billing", headers={"Authorization": f"Bearer {key}"})
    assert (response.status_code, response.json()) == (401, {"detail": "Invalid API key."})


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


@pytest.mark.parametrize("path", ["/", "/v1/test-calls/7110", "/v1/test-calls/", "/v1/calls/1/2"])
async def test_unknown_paths(bench: Bench, path: str) -> None:
    """A single run cannot be read by id; every unknown path is 404 in JSON."""
    response = await bench.http.get(path)
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


async def test_head(bench: Bench) -> None:
    """HEAD is answered as GET."""
    assert (await bench.http.head("/v1/billing")).status_code == 200


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=many", "limit"),
        ("limit=0", "limit"),
        ("offset=-1", "offset"),
        ("target_type=fax", "target_type"),
        ("status=done", "status"),
        ("agent_id=x", "agent_id"),
        ("agent_id=٣", "agent_id"),
        (f"offset={2**63}", "offset"),
    ],
)
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
        "/v1/agents/²",
        "/v1/calls/" + "9" * 5000,
    ],
)
async def test_unknown_ids(bench: Bench, path: str) -> None:
    """What does not exist is 404 and says what."""
    response = await bench.http.get(path)
    assert response.status_code == 404
    assert response.json()["detail"].endswith("not found.")


async def test_order_of_errors(bench: Bench) -> None:
    """Key, then fields and consent, then target, then balance, then concurrency."""
    await bench.control(concurrency_limit=1)
    await bench.start()
    await bench.control(top_up_cents=-50_000)
    wrong = single(target_id=999, direction=None, consent_to_charge=False)
    refused = await bench.http.post("/v1/test-calls", json=wrong, headers={"Authorization": "Bearer no"})
    assert refused.status_code == 401
    refused = await bench.http.post("/v1/test-calls", json=wrong)
    assert refused.json().keys() == {"direction", "consent_to_charge"}
    assert (await bench.start(target_id=999)).status_code == 404
    assert (await bench.start()).status_code == 402
    await bench.control(top_up_cents=50_000)
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

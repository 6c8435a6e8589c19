"""The OpenAPI document: it names every endpoint, and a hostile client that believes it finds nothing wrong."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from patience import PATIENCE_SECONDS

from planner.sandbox import Dialect, Sandbox, World
from planner.sandbox.service.openapi import document
from tests.sandbox.conftest import Bench, bench_of, served, single  # pyright: ignore[reportMissingImports]

DIALECTS: list[Dialect] = ["page", "client"]
SEED = 20261125
"""So that a failing run fails again; the longer run of docs/sandbox.md takes another each time."""


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_endpoint_is_in_the_document(demo: World, dialect: Dialect) -> None:
    """Each method of each path of the API is described, and nothing else; `/v1/simulations` is another name for the paths
    of test calls."""
    paths = cast("dict[str, dict[str, Any]]", document(dialect)["paths"])
    described = {(path, method.upper()) for path, methods in paths.items() for method in methods}
    answered = {(path, method) for path, methods in Sandbox(demo).app.paths.items() for method in methods}
    other_names = tuple(f"/v1/simulation{end}" for end in ("s", "-batches"))
    api = {(path, method) for path, method in answered if path.startswith("/v1/")}
    assert described == {(path, method) for path, method in api if not path.startswith(other_names)}
    assert any(path.startswith(other_names) for path, _ in api)


async def test_the_document_is_served_without_a_key(bench: Bench) -> None:
    """Anybody may read it, and it says which dialect is spoken."""
    for dialect in DIALECTS:
        async with bench_of(dialect=dialect) as opened:
            response = await opened.http.get("/openapi.json", headers={"Authorization": ""})
        assert (response.status_code, response.json()) == (200, document(dialect))
    assert document("page") != document("client")


def test_schemathesis_finds_nothing(tmp_path: Path) -> None:
    """Every check, on edges and on sequences of requests that follow from one another."""
    with served("client", concurrency_limit=10**6, balance_cents=10**9, time_scale=1e6) as url:
        headers = {"Authorization": "Bearer sk_live_YOUR_API_KEY"}
        for mode in ("bot", "sip"):
            response = httpx.post(
                f"{url}/v1/test-calls", json=single(mode=mode), headers=headers, timeout=PATIENCE_SECONDS
            )
            assert response.is_success, response.text
        command = [
            *(sys.executable, "-m", "schemathesis.cli", "--no-color", "run", f"{url}/openapi.json"),
            *("--header", f"Authorization: {headers['Authorization']}", "--checks", "all"),
            *(
                "--max-examples",
                "2",
                "--seed",
                str(SEED),
                "--no-shrink",
                "--phases",
                "examples,coverage,stateful",
                "--warnings",
                "off",
                "--request-timeout",
                str(PATIENCE_SECONDS),
                "--suppress-health-check",
                "all",
            ),
        ]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Tested: 28" in done.stdout

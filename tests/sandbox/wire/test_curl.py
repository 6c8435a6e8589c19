"""The reference page's own command lines, word for word but for the base URL, against a sandbox on a real socket."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from patience import PATIENCE_SECONDS

from tests.sandbox.conftest import served  # pyright: ignore[reportMissingImports]

BASE_URL = "https://api.thunderphone.com"
START_RUN = """\
curl -X POST https://api.thunderphone.com/v1/test-calls \\
  -H "Authorization: Bearer sk_live_YOUR_API_KEY" \\
  -H "Content-Type: application/json" \\
  -d '{
    "target_type": "agent",
    "target_id":   12,
    "direction":   "outbound",
    "scenario_prompt": "Roleplay as a customer asking about refunds.",
    "consent_to_charge": true
  }'
"""
LIST_RUNS = """\
curl 'https://api.thunderphone.com/v1/test-calls?limit=50' \\
  -H "Authorization: Bearer sk_live_YOUR_API_KEY"
"""
START_BATCH = """\
curl -X POST https://api.thunderphone.com/v1/test-call-batches \\
  -H "Authorization: Bearer sk_live_YOUR_API_KEY" \\
  -H "Content-Type: application/json" \\
  -d '{
    "target_type":  "agent",
    "target_id":    12,
    "direction":    "outbound",
    "run_count":    5,
    "stagger_seconds": 2,
    "scenario_prompts": [
      "Ask about refunds.",
      "Ask for hours of operation.",
      "Complain about a delayed shipment.",
      "Ask to speak with a human.",
      "Ask an unrelated trivia question."
    ],
    "consent_to_charge": true
  }'
"""
READ_BATCH = """\
curl https://api.thunderphone.com/v1/test-call-batches/201 \\
  -H "Authorization: Bearer sk_live_YOUR_API_KEY"
"""

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed here")


@pytest.fixture(scope="module")
def base_url() -> Iterator[str]:
    with served() as url:
        yield url


def _run(command: str, base_url: str) -> Any:
    """What the shell makes of a command line of the page."""
    line = command.replace(BASE_URL, base_url)
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=True)
    return json.loads(done.stdout)


def test_start_a_single_run(base_url: str) -> None:
    """`Start a single run`: it is queued, and its prompt is what was sent."""
    run = _run(START_RUN, base_url)
    assert (run["status"], run["scenario_prompt"]) == ("queued", "Roleplay as a customer asking about refunds.")


def test_list_runs(base_url: str) -> None:
    """`List runs`: an array with what was started."""
    started = _run(START_RUN, base_url)
    assert started["id"] in [run["id"] for run in _run(LIST_RUNS, base_url)]


def test_start_a_batch_and_get_its_detail(base_url: str) -> None:
    """`Start a batch`, `Get batch detail`: the first batch is 201, as on the page, and the detail has the same shape."""
    batch = _run(START_BATCH, base_url)
    detail = _run(READ_BATCH, base_url)
    assert (batch["id"], batch["status"], len(batch["run_ids"])) == (201, "in_progress", 5)
    assert (list(detail), detail["run_ids"]) == (list(batch), batch["run_ids"])

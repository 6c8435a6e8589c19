"""Runs as the official client's models have them: with their requester, without their batch."""

from __future__ import annotations

import json

from planner.sandbox import Sandbox

RUNS = "/v1/test-calls"


def client_runs(sandbox: Sandbox, body: bytes) -> bytes:
    """A run, or a list of them."""
    document = json.loads(body)
    for row in document if isinstance(document, list) else [document]:
        del row["batch_id"], row["sip_call_id"]
        row["requested_by_id"] = sandbox.state.run(row["id"]).requested_by_id
    return json.dumps(document).encode()

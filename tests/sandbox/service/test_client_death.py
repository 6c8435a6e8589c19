"""A client that dies in the middle of a request, over a socket."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

from patience import PATIENCE_SECONDS

REQUEST = (
    "POST {path} HTTP/1.1\r\nHost: sandbox\r\nAuthorization: Bearer sk_test_death\r\n"
    'Content-Type: application/json\r\nContent-Length: 500\r\n\r\n{{"target_type": "agent", '
)


def test_a_client_that_dies_is_no_fault_of_the_sandbox(tmp_path: Path) -> None:
    """Nothing is launched for half a request, nothing is printed, and the next client is served."""
    process = subprocess.Popen(
        [sys.executable, "-m", "planner", "sandbox", "--port", "0"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    url = next(word for word in process.stdout.readline().split() if word.startswith("http://"))
    host, port = url.removeprefix("http://").split(":")
    try:
        for path in ("/v1/test-calls", "/v1/test-call-batches", "/_sandbox/control", "/v1/chat/completions"):
            with socket.create_connection((host, int(port)), timeout=PATIENCE_SECONDS) as dying:
                dying.sendall(REQUEST.format(path=path).encode())
        with urllib.request.urlopen(f"{url}/_sandbox/ledger", timeout=PATIENCE_SECONDS) as answer:  # noqa: S310 - loopback
            assert json.load(answer)["runs"] == []
    finally:
        process.terminate()
        _, err = process.communicate(timeout=PATIENCE_SECONDS)
    assert err == ""

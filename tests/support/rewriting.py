"""Answers of an ASGI app with another body."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def rewritten(send: Any, change: Callable[[int, bytes], bytes]) -> Any:
    """A `send` that changes each answer as a whole: its status and body become another body."""
    start: dict[str, Any] = {}
    received = bytearray()

    async def later(message: Any) -> None:
        if message["type"] == "http.response.start":
            start.update(message)
            return
        received.extend(message.get("body", b""))
        if message.get("more_body"):
            return
        body = change(start["status"], bytes(received))
        headers = [(name, value) for name, value in start["headers"] if name.lower() != b"content-length"]
        await send({**start, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return later

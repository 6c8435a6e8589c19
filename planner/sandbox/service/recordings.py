"""Recordings: an address that expires and needs no key, and the file at this address."""

from __future__ import annotations

import hmac
from hashlib import sha256

from starlette.requests import Request
from starlette.responses import Response

from planner.sandbox.conversations.audio import recording
from planner.sandbox.sandbox import Sandbox
from planner.sandbox.service.exchange import answer
from planner.sandbox.state.records import Run
from planner.sandbox.state.timeline import call_exists, has_ended
from planner.sandbox.wire.errors import detail, not_found
from planner.sandbox.wire.requests import path_id

_VALID_SECONDS = 3600


async def read_audio(sandbox: Sandbox, request: Request) -> Response:
    """`{"url": …}`; 404 before the call has ended."""
    call_id = path_id(request.path_params, "call_id", "Call")
    _ended_run(sandbox, call_id)
    expires = int(sandbox.now()) + _VALID_SECONDS
    signature = _signature(sandbox, call_id, expires)
    where = f"{str(request.base_url).rstrip('/')}/recordings/{call_id}.wav"
    return answer({"url": f"{where}?expires={expires}&signature={signature}"})


async def read_recording(sandbox: Sandbox, request: Request) -> Response:
    call_id = path_id(request.path_params, "call_id", "Recording")
    expires = request.query_params.get("expires", "")
    given = request.query_params.get("signature", "").encode()
    good = expires.isdecimal() and hmac.compare_digest(given, _signature(sandbox, call_id, expires).encode())
    if not good or int(expires) < sandbox.now():
        raise detail(403, "This address has expired: ask for the recording again.")
    return Response(recording(sandbox.conversation(_ended_run(sandbox, call_id))), media_type="audio/wav")


def _ended_run(sandbox: Sandbox, call_id: int) -> Run:
    now = sandbox.now()
    run = sandbox.state.call(call_id)
    if run is None or not call_exists(run, now):
        raise not_found("Call")
    if not has_ended(run, now):
        raise detail(404, "There is no recording before the call has ended.")
    return run


def _signature(sandbox: Sandbox, call_id: int, expires: int | str) -> str:
    return hmac.new(sandbox.secret, f"{call_id}:{expires}".encode(), sha256).hexdigest()

"""Where recordings are: an address that is good for a while and needs no key, and what is there."""

from __future__ import annotations

import hmac
from hashlib import sha256

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response

from planner.sandbox.conversations.audio import PROGRAM, SpeechError, recording
from planner.sandbox.sandbox import Sandbox
from planner.sandbox.service.exchange import answer
from planner.sandbox.state.timeline import has_ended
from planner.sandbox.wire.errors import detail, not_found
from planner.sandbox.wire.requests import path_id

_GOOD_FOR_SECONDS = 3600


async def read_audio(sandbox: Sandbox, request: Request) -> Response:
    """`{"url": …}`; 404 with the reason before the call has ended, and where nothing can speak."""
    call_id = path_id(request.path_params, "call_id", "Call")
    _spoken_run(sandbox, call_id)
    expires = int(sandbox.now()) + _GOOD_FOR_SECONDS
    signature = _signature(sandbox, call_id, expires)
    where = f"{str(request.base_url).rstrip('/')}/recordings/{call_id}.wav"
    return answer({"url": f"{where}?expires={expires}&signature={signature}"})


async def read_recording(sandbox: Sandbox, request: Request) -> Response:
    call_id = path_id(request.path_params, "call_id", "Recording")
    expires = request.query_params.get("expires", "")
    given = request.query_params.get("signature", "").encode()
    good = expires.isdecimal() and hmac.compare_digest(given, _signature(sandbox, call_id, expires).encode())
    if not good or int(expires) < sandbox.now():
        raise detail(403, "This address is no longer good: ask for the recording again.")
    program = _spoken_run(sandbox, call_id)
    run = sandbox.state.call(call_id)
    if run is None:
        raise not_found("Recording")
    try:
        file = await run_sync(recording, sandbox.conversation(run), program)
    except SpeechError as error:
        raise detail(404, str(error)) from error
    return Response(file, media_type="audio/wav")


def _spoken_run(sandbox: Sandbox, call_id: int) -> str:
    """The program that speaks the call, or 404 with the reason why there is nothing to hear."""
    now = sandbox.now()
    run = sandbox.state.call(call_id)
    if run is None or now < run.starts_at:
        raise not_found("Call")
    if not has_ended(run, now):
        raise detail(404, "There is no recording before the call has ended.")
    if sandbox.speech_program is None:
        raise detail(404, f"There are no recordings here: this sandbox speaks with {PROGRAM}, which is not installed.")
    return sandbox.speech_program


def _signature(sandbox: Sandbox, call_id: int, expires: int | str) -> str:
    return hmac.new(sandbox.secret, f"{call_id}:{expires}".encode(), sha256).hexdigest()

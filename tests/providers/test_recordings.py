"""The recording of a call: wherever the service keeps it, its key goes to nobody else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import planner.providers.thunderphone.recordings
from planner.errors import IncompleteError, NotFoundError, PlannerError, ServiceError, UsageError

WAV = b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(range(256)) * 4
AUDIO = (200, WAV, {"Content-Type": "audio/wav"})


async def test_the_key_goes_to_the_service_only(talk: Callable[..., Any]) -> None:
    """An address, or a redirect to it, also over another one."""
    for answer in (
        lambda url: (200, {"url": url}),
        lambda url: (200, url),
        lambda url: (302, b"", {"Location": url}),
    ):
        storage = await talk(AUDIO)
        moved = await talk((302, b"", {"Location": f"{storage.server.url}/9.wav?signature=1"}))
        service = await talk(answer(f"{moved.server.url}/9.wav"))
        assert await service.client.recording(9) == WAV
        (asked,), (first,), (last,) = (each.server.asked for each in (service, moved, storage))
        assert (asked.target, asked.headers["authorization"][:7]) == ("/v1/calls/9/audio", "Bearer ")
        assert "authorization" not in {**first.headers, **last.headers}


async def test_the_answer_may_be_the_recording(talk: Callable[..., Any]) -> None:
    service = await talk(AUDIO)
    assert await service.client.recording(9) == WAV


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((404, {"detail": "There is no recording."}), NotFoundError),
        ((200, {"url": None}), ServiceError),
        ((200, []), ServiceError),
        ((200, b"<html>"), ServiceError),
        ((302, b""), ServiceError),
        ((200, {"url": "http://storage.example.com/9.wav"}), UsageError),
        ((200, {"url": "file:///etc/passwd"}), UsageError),
        ((200, {"url": "https://["}), UsageError),
        ((200, {"url": "/9.wav"}), UsageError),
    ],
)
async def test_answers_without_a_recording(talk: Callable[..., Any], answer: Any, error: type[PlannerError]) -> None:
    service = await talk(answer)
    with pytest.raises(error):
        await service.client.recording(9)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((403, b"expired"), NotFoundError),
        ((500, b""), ServiceError),
        ("reset", IncompleteError),
        (AUDIO, IncompleteError),
    ],
    ids=["expired", "broken", "cut", "too large"],
)
async def test_a_recording_that_cannot_be_read(
    talk: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, answer: Any, error: type[PlannerError]
) -> None:
    monkeypatch.setattr(planner.providers.thunderphone.recordings, "MAX_BYTES", len(WAV) - 1)
    storage = await talk(answer)
    service = await talk((200, {"url": f"{storage.server.url}/9.wav"}))
    with pytest.raises(error):
        await service.client.recording(9)


async def test_redirects_come_to_an_end(talk: Callable[..., Any]) -> None:
    storage = await talk((302, b"", {"Location": "/9.wav"}))
    service = await talk((200, {"url": f"{storage.server.url}/9.wav"}))
    with pytest.raises(IncompleteError):
        await service.client.recording(9)
    assert len(storage.server.asked) == 4

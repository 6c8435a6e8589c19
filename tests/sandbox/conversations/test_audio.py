"""Recordings: a tone on the speaker's channel for each turn, at an address that expires."""

from __future__ import annotations

import io
import wave
from array import array

from planner.sandbox import load_world
from planner.sandbox.conversation import converse, recording
from tests.sandbox.conftest import Bench  # pyright: ignore[reportMissingImports]


def test_each_party_is_heard_on_its_own_channel_at_its_times() -> None:
    conversation = converse(load_world("demo").snapshot(14), "You are calm. Ask where your order 30988 is.", 3)
    with wave.open(io.BytesIO(recording(conversation))) as opened:
        assert (opened.getnchannels(), opened.getsampwidth()) == (2, 2)
        samples, rate = array("h", opened.readframes(opened.getnframes())), opened.getframerate()
    assert abs(len(samples) / 2 / rate - conversation.duration_ms / 1000) < 0.01
    for role, channel in (("user", samples[0::2]), ("agent", samples[1::2])):
        silent = bytearray(b"\1" * len(channel))
        for turn in conversation.turns:
            if turn.role == role:
                start, end = turn.start_ms * rate // 1000, turn.end_ms * rate // 1000
                assert any(channel[start:end]), turn
                silent[start:end] = bytes(end - start)
        assert not any(channel[index] for index in range(len(channel)) if silent[index])


async def test_an_address_expires(bench: Bench) -> None:
    """The recording is read from its address without a key, for an hour, and only from there."""
    run = await bench.finished(mode="sip")
    for call_id in (run["call_id"], run["sip_call_id"]):
        url = (await bench.get(f"/v1/calls/{call_id}/audio"))["url"]
        response = await bench.http.get(url, headers={"Authorization": ""})
        assert (response.status_code, response.headers["content-type"]) == (200, "audio/wav")
        assert response.content[:4] == b"RIFF"
    for wrong in (url.replace("signature=", "signature=0"), url.split("?")[0], url.replace("expires=", "expires=1")):
        assert (await bench.http.get(wrong)).status_code == 403
    bench.clock.advance(3601)
    assert (await bench.http.get(url)).status_code == 403


async def test_there_is_no_recording_before_the_end(bench: Bench) -> None:
    assert (await bench.http.get("/v1/calls/1/audio")).status_code == 404
    await bench.start()
    bench.clock.talk(3)
    assert (await bench.http.get("/v1/calls/987654321/audio")).status_code == 404

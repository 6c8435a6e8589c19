"""Recordings: two voices at the times of the turns, where something is installed that speaks; else the reason why not."""

from __future__ import annotations

import io
import shutil
import sys
import wave
from array import array
from pathlib import Path
from typing import Any

import pytest

from planner.sandbox import Sandbox, load_world
from planner.sandbox.conversation import Conversation
from planner.sandbox.conversations.audio import PROGRAM, recording
from planner.sandbox.conversations.playing import converse
from tests.sandbox.conftest import Bench  # pyright: ignore[reportMissingImports]

SPEAKER = """\
#!{python}
import io, sys, wave
words = sys.stdin.buffer.read().decode().split()
pace = int(sys.argv[sys.argv.index("-s") + 1])
level = 1000 if "+f" in sys.argv[2] else 2000
out = io.BytesIO()
with wave.open(out, "wb") as file:
    file.setnchannels(1), file.setsampwidth(2), file.setframerate(22050)
    file.writeframes(level.to_bytes(2, "little") * (22050 * 60 * len(words) // pace))
sys.stdout.buffer.write(out.getvalue())
"""
"""Takes its options as espeak-ng does, and hums for as long as the words take: the agent at 1000, the caller at 2000."""


@pytest.fixture
def speaker(tmp_path: Path) -> str:
    path = tmp_path / PROGRAM
    path.write_text(SPEAKER.format(python=sys.executable), encoding="utf-8")
    path.chmod(0o755)
    return str(path)


def _call() -> Conversation:
    return converse(load_world("demo").snapshot(14), "You are calm. Ask where your order 30988 is.", 3)


def _channels(file: bytes) -> tuple[array[int], array[int], int]:
    """Caller, agent, samples a second."""
    with wave.open(io.BytesIO(file)) as opened:
        assert (opened.getnchannels(), opened.getsampwidth()) == (2, 2)
        samples = array("h", opened.readframes(opened.getnframes()))
        return samples[0::2], samples[1::2], opened.getframerate()


def _check(conversation: Conversation, file: bytes) -> None:
    """Each party is heard on its own channel, in its own turns and never outside of them."""
    caller, agent, rate = _channels(file)
    assert abs(len(caller) / rate - conversation.duration_ms / 1000) < 0.01
    for role, channel in (("user", caller), ("agent", agent)):
        silent = bytearray(b"\1" * len(channel))
        for turn in conversation.turns:
            if turn.role == role:
                start, end = turn.start_ms * rate // 1000, turn.end_ms * rate // 1000
                assert any(channel[start:end]), turn
                silent[start : end + 1] = bytes(end + 1 - start)
        assert not any(channel[index] for index in range(0, len(channel), 7) if silent[index])


def test_two_voices_at_their_times(speaker: str) -> None:
    """What is said lies where the turns say, and everything between is silence."""
    conversation = _call()
    file = recording(conversation, speaker)
    _check(conversation, file)
    caller, agent, _ = _channels(file)
    assert (max(caller), max(agent)) == (2000, 1000)


@pytest.mark.skipif(shutil.which(PROGRAM) is None, reason=f"{PROGRAM} is not installed here")
def test_a_call_spoken_for_real() -> None:
    """Two voices that differ, as fast as the turns ask for."""
    conversation = _call()
    file = recording(conversation, shutil.which(PROGRAM) or "")
    _check(conversation, file)
    caller, agent, _ = _channels(file)
    assert max(caller) > 1000
    assert max(agent) > 1000


async def test_an_address_that_is_good_for_a_while(bench: Bench, speaker: str) -> None:
    """The recording is read from its address without a key, for an hour, and only from there."""
    bench.sandbox.speech_program = speaker
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


async def test_why_there_is_nothing_to_hear(bench: Bench, speaker: str, tmp_path: Path) -> None:
    """Before the end, without a program, with one that fails, of a call that is none: 404 and the reason."""

    async def refusal(path: str) -> Any:
        response = await bench.http.get(path)
        assert response.status_code == 404
        return response.json()["detail"]

    bench.sandbox.speech_program = None
    run = await bench.finished()
    audio = f"/v1/calls/{run['call_id']}/audio"
    assert "not installed" in await refusal(audio)
    bench.sandbox.speech_program = str(tmp_path / "nothing")
    url = (await bench.get(audio))["url"]
    assert "could not speak" in await refusal(url)
    bench.sandbox.speech_program = speaker
    assert "Call not found" in await refusal("/v1/calls/1/audio")
    await bench.start()
    bench.clock.talk(3)
    assert "before the call has ended" in await refusal(f"/v1/calls/{run['call_id'] + 1}/audio")


def test_the_program_is_looked_for() -> None:
    """What is installed is used."""
    assert Sandbox(load_world("demo")).speech_program == shutil.which(PROGRAM)

"""The recording of a call as a WAV file: a tone for each turn, the caller on the left and the agent on the right."""

from __future__ import annotations

import io
import math
import sys
import wave
from array import array

from planner.sandbox.conversation import Conversation

_RATE = 8000
_LOUDNESS = 6000
_CHANNELS = {"user": (0, 400), "agent": (1, 200)}
"""Role → channel and hertz."""


def recording(conversation: Conversation) -> bytes:
    frames = conversation.duration_ms * _RATE // 1000
    samples = array("h", bytes(4 * frames))
    for turn in conversation.turns:
        if turn.role in _CHANNELS:
            channel, hertz = _CHANNELS[turn.role]
            start, end = (min(frames, at * _RATE // 1000) for at in (turn.start_ms, turn.end_ms))
            samples[2 * start + channel : 2 * end + channel : 2] = _tone(hertz, end - start)
    if sys.byteorder == "big":
        samples.byteswap()
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(2)
        out.setsampwidth(2)
        out.setframerate(_RATE)
        out.writeframes(samples.tobytes())
    return file.getvalue()


def _tone(hertz: int, length: int) -> array[int]:
    period = _RATE // hertz
    wave_ = array("h", [round(_LOUDNESS * math.cos(2 * math.pi * index / period)) for index in range(period)])
    return (wave_ * (length // period + 1))[:length]

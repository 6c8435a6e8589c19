"""The recording of a call as a WAV file: spoken by Debian's `espeak-ng`, silent where the turns are; the caller left, the agent right.

Needs the program; nothing else of the sandbox does. Each turn is spoken as fast as its times ask for.
"""

from __future__ import annotations

import io
import math
import re
import subprocess
import sys
import wave
from array import array

from planner.sandbox.conversation import Conversation

PROGRAM = "espeak-ng"
KEYS = re.compile(r"DTMF ([0-9*#]+)")
"""How a caller's text says that keys are pressed."""
_RATE = 22_050
"""Samples a second: espeak-ng's own."""
_VOICES = {"user": "en-us+m3", "agent": "en-us+f4"}
_CHANNELS = {"user": 0, "agent": 1}
_USUAL_WPM, _SLOWEST_WPM, _FASTEST_WPM = 170, 80, 450
_TONE = re.compile(r"\s*\[tone\]")
_ROWS, _COLUMNS = (697, 770, 852, 941), (1209, 1336, 1477)
_KEYPAD = ("123", "456", "789", "*0#")
_LOUDNESS = 6000
_TIMEOUT_SECONDS = 30


class SpeechError(Exception):
    """The program could not speak."""


def recording(conversation: Conversation, program: str) -> bytes:
    """The whole call. `program` is the path of espeak-ng. Raises `SpeechError`."""
    samples = array("h", bytes(4 * _samples(conversation.duration_ms)))
    for turn in conversation.turns:
        if turn.role in ("agent", "user"):
            spoken = _turn(str(turn.content), _VOICES[turn.role], turn.end_ms - turn.start_ms, program)
            start = 2 * _samples(turn.start_ms) + _CHANNELS[turn.role]
            room = samples[start::2]
            spoken = spoken[: len(room)]
            samples[start : start + 2 * len(spoken) : 2] = spoken
    if sys.byteorder == "big":
        samples.byteswap()
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(2)
        out.setsampwidth(2)
        out.setframerate(_RATE)
        out.writeframes(samples.tobytes())
    return file.getvalue()


def _samples(milliseconds: int) -> int:
    return milliseconds * _RATE // 1000


def _turn(text: str, voice: str, milliseconds: int, program: str) -> array[int]:
    """The turn's samples, no more of them than it has time."""
    keys = KEYS.fullmatch(text)
    if keys:
        each = _samples(milliseconds // len(keys[1]))
        return array("h", [sample for key in keys[1] for sample in _key(key, each)])
    said = _TONE.sub("", text).strip("—")
    spoken = _speak(said, voice, _USUAL_WPM, program)
    room = _samples(milliseconds)
    pace = round(_USUAL_WPM * len(spoken) / max(1, room))
    if abs(pace - _USUAL_WPM) > 5:
        spoken = _speak(said, voice, min(max(pace, _SLOWEST_WPM), _FASTEST_WPM), program)
    return spoken[:room]


def _speak(text: str, voice: str, words_per_minute: int, program: str) -> array[int]:
    command = [program, "-v", voice, "-s", str(words_per_minute), "--stdin", "--stdout"]
    try:
        done = subprocess.run(command, input=text.encode(), capture_output=True, check=True, timeout=_TIMEOUT_SECONDS)  # noqa: S603
    except (OSError, subprocess.SubprocessError) as error:
        raise SpeechError(f"{PROGRAM} could not speak: {error}") from error
    body = done.stdout[done.stdout.find(b"data") + 8 :]  # written as a stream, its header does not know the length
    samples = array("h", body[: len(body) // 2 * 2])
    if sys.byteorder == "big":
        samples.byteswap()
    return samples


def _key(key: str, samples: int) -> list[int]:
    """A key's two tones for two thirds of the time, then silence."""
    row = next(index for index, line in enumerate(_KEYPAD) if key in line)
    pair = (_ROWS[row], _COLUMNS[_KEYPAD[row].index(key)])
    sounding = samples * 2 // 3
    waves = [
        round(_LOUDNESS * sum(math.sin(2 * math.pi * hertz * index / _RATE) for hertz in pair))
        for index in range(sounding)
    ]
    return waves + [0] * (samples - sounding)

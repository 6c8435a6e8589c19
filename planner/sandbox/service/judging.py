"""A stand-in for the language model that judges calls, behind the same protocol: deterministic, and no language model at all.

It compares words. Of a rubric it knows whether it is about politeness or an apology, forbids something or asks for it, and
which turn of the agent has most of its words; where no turn has enough of them it says that it cannot tell. It is there so
that a plan can be tried whole on the sandbox. It imports no other room, and reads a prompt as a model would: what to
decide, by which names, and the transcript as lines of JSON.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import cast

from pydantic import JsonValue
from pydantic_core import from_json, to_json
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from planner.sandbox.objects import Object

_STATEMENT = re.compile(r"^(s-[0-9a-f]+-[0-9]+): (.+)$", re.MULTILINE)
_SEAL = re.compile(r'"seal": "([0-9a-f]+)"')
_SPOKEN_BY = re.compile(r"Turn ([0-9]+) was spoken by the (agent|caller)\.")
_POLITE = re.compile(r"\b(?:polite|rude|courteous|respect|respectful|friendly|calm|patient|tone|insult)", re.IGNORECASE)
_RUDE = re.compile(
    r"\b(?:calm down|shut up|not my problem|your own fault|stupid|idiot|ridiculous|whatever you say|are you deaf)\b",
    re.IGNORECASE,
)
_APOLOGY = re.compile(r"\bapolog", re.IGNORECASE)
_SORRY = re.compile(r"\b(?:sorry|apolog\w+)\b", re.IGNORECASE)
_FORBIDS = re.compile(r"\b(?:never|not|n't|no|without|nothing|refuses? to)\b", re.IGNORECASE)
_LITTLE = frozenset(
    [
        "a",
        "an",
        "and",
        "are",
        "as",
        "at",
        "be",
        "been",
        "before",
        "but",
        "by",
        "call",
        "called",
        "caller",
        "does",
        "doing",
        "done",
        "each",
        "for",
        "from",
        "had",
        "has",
        "have",
        "her",
        "his",
        "how",
        "if",
        "in",
        "into",
        "is",
        "it",
        "its",
        "may",
        "must",
        "never",
        "no",
        "not",
        "of",
        "off",
        "on",
        "one",
        "only",
        "or",
        "should",
        "so",
        "than",
        "that",
        "the",
        "their",
        "them",
        "then",
        "there",
        "they",
        "this",
        "to",
        "was",
        "what",
        "when",
        "where",
        "which",
        "while",
        "who",
        "will",
        "with",
        "without",
        "agent",
        "clearly",
        "politely",
        "says",
        "say",
        "tells",
        "tell",
        "asks",
        "ask",
        "gives",
        "give",
    ]
)
_ENOUGH = 1 / 3
"""Share of a rubric's words that a turn must have."""
_QUOTED_WORDS = 12


@dataclass(frozen=True, slots=True)
class _Turn:
    number: int
    speaker: str
    said: str


@dataclass(frozen=True, slots=True)
class _Opinion:
    verdict: str
    turn: _Turn
    reason: str


def judge_app() -> ASGIApp:
    """`/v1/chat/completions` and `/v1/models` alone."""
    return Starlette(
        routes=[
            Route("/v1/chat/completions", complete_chat, methods=["POST"]),
            Route("/v1/models", list_models, methods=["GET"]),
        ]
    )


async def list_models(_request: Request) -> Response:
    return _json({"object": "list", "data": [{"id": "sandbox", "object": "model", "owned_by": "sandbox"}]})


async def complete_chat(request: Request) -> Response:
    try:
        document = from_json(await request.body())
        texts, model = _messages(document), document.get("model") or "sandbox"
    except (ValueError, KeyError, TypeError, AttributeError):
        return _json(
            {"error": {"message": "a chat completion needs a list of messages", "type": "invalid_request"}}, 400
        )
    content = _answer("\n".join(text for role, text in texts if role == "system"), texts[-1][1])
    read, written = sum(len(text) for _, text in texts) // 4, len(content) // 4
    return _json(
        {
            "id": "chatcmpl-sandbox",
            "object": "chat.completion",
            "model": model,
            "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content}}],
            "usage": {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written},
        }
    )


def _messages(document: object) -> list[tuple[str, str]]:
    messages = cast("Object", document)["messages"]
    found = [(str(message["role"]), str(message["content"])) for message in cast("list[Object]", messages)]
    if not found:
        raise ValueError("no messages")
    return found


def _answer(instructions: str, transcript: str) -> str:
    """What a model that follows the instructions writes; an apology where there are none that it knows."""
    seal = _SEAL.search(instructions)
    statements = _STATEMENT.findall(instructions)
    turns = _turns(transcript)
    if seal is None or not statements or not turns:
        return "I am the sandbox's stand-in for a language model, and can only judge calls."
    answers: list[JsonValue] = []
    for name, statement in statements:
        opinion = _opinion(statement, turns)
        answers.append(
            {
                "statement": name,
                "verdict": opinion.verdict,
                "turn": opinion.turn.number,
                "quote": " ".join(opinion.turn.said.split()[:_QUOTED_WORDS]),
                "reason": f"{opinion.reason} (the sandbox compares words, it is no language model)",
            }
        )
    return json.dumps({"seal": seal[1], "answers": answers}, ensure_ascii=False)


def _turns(transcript: str) -> list[_Turn]:
    turns: list[_Turn] = []
    for line in transcript.splitlines():
        if line.startswith('{"turn":'):
            fields = cast("Object", from_json(line))
            turns.append(_Turn(int(str(fields["turn"])), str(fields["speaker"]), str(fields["said"])))
    return turns


def _opinion(statement: str, turns: list[_Turn]) -> _Opinion:
    if control := _SPOKEN_BY.fullmatch(statement):
        turn = next((turn for turn in turns if turn.number == int(control[1])), turns[0])
        return _Opinion(_verdict(holds=turn.speaker == control[2]), turn, f"turn {turn.number} is the {turn.speaker}'s")
    agents = [turn for turn in turns if turn.speaker == "agent"] or turns
    if _POLITE.search(statement):
        rude = next((turn for turn in agents if _RUDE.search(turn.said)), None)
        return _Opinion(_verdict(holds=rude is None), rude or agents[-1], "rude words" if rude else "no rude words")
    forbidden = _FORBIDS.search(statement) is not None
    if _APOLOGY.search(statement):
        sorry = next((turn for turn in agents if _SORRY.search(turn.said)), None)
        holds = (sorry is not None) is not forbidden
        return _Opinion(
            _verdict(holds=holds), sorry or agents[-1], "words of apology" if sorry else "no word of apology"
        )
    wanted = _stems(statement)
    closest = max(agents, key=lambda turn: len(wanted & _stems(turn.said)))
    shared = wanted & _stems(closest.said)
    enough = bool(wanted) and len(shared) >= _ENOUGH * len(wanted)
    if not enough and not forbidden:
        return _Opinion("cannot_tell", closest, "no turn has enough of the rubric's words")
    told = f"words of the rubric: {', '.join(sorted(shared))}" if shared else "none of the rubric's words"
    return _Opinion(_verdict(holds=enough is not forbidden), closest, told)


def _verdict(*, holds: bool) -> str:
    return "holds" if holds else "does_not_hold"


def _stems(text: str) -> frozenset[str]:
    words = re.findall(r"[a-z0-9']+", text.lower())
    return frozenset(
        re.sub(r"(?:'s|ing|ed|es|s)$", "", word) for word in words if word not in _LITTLE and len(word) > 1
    )


def _json(document: JsonValue, status: int = 200) -> Response:
    return Response(to_json(document), status, media_type="application/json")

"""How a prompt tells the bot to behave on the line, besides what it wants: silence, a voicemail, keys, interruptions, slips."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from planner.sandbox.callers.facts import topic

_SECONDS = {
    "a few": 4,
    "five": 5,
    "ten": 10,
    "fifteen": 15,
    "twenty": 20,
    "thirty": 30,
    "half a minute": 30,
    "forty": 40,
    "sixty": 60,
    "a minute": 60,
    "one minute": 60,
}
_QUIET = r"(?:pause|wait|hesitate|(?:stay|remain|be|keep|go) (?:completely |totally )?(?:silent|quiet)|say nothing|do(?:n't| not) (?:say anything|speak))"
_PAUSE = re.compile(
    rf"\b{_QUIET}\b[^.]*?\b(?:(?P<number>\d{{1,3}}) ?s(?:ec(?:ond)?s?)?|(?P<minutes>half a minute|a minute|one minute)|"
    rf"(?P<words>a few|{'|'.join(word for word in _SECONDS if word.isalpha())}) seconds?)\b(?P<when>.*)$",
    re.IGNORECASE,
)
_SILENT = re.compile(
    r"^(?:(?:just|simply) )?(?:say (?:absolutely )?nothing|(?:stay|remain|be|keep) (?:completely |totally )?(?:silent|quiet)|"
    r"(?:do(?:n't| not)|never) (?:say (?:anything|a word)|speak|talk|make a sound))\b"
    r"(?: at all| for the whole call| during the (?:whole |entire )?call| the (?:whole|entire) (?:call|time)| throughout)?[.!]*$",
    re.IGNORECASE,
)
_VOICEMAIL = re.compile(
    r"^(?:you are|you're|act as|play|pretend to be|role-?play as|answer (?:as|with|like)|respond (?:as|with)|behave like|"
    r"let (?:it|the call) go to)\b[^.]*\b(?:voice ?mail|answering machine)\b",
    re.IGNORECASE,
)
_KEYS = re.compile(
    r"^(?:press|dial|key in|punch in|enter|type)\b(?: the)?(?: keys?| digits?| buttons?| option| number)? "
    r"(?P<keys>[0-9#*](?:[ ,0-9#*-]*[0-9#*])?)(?![\w:])",
    re.IGNORECASE,
)
_KEYPAD = re.compile(
    r"\b(?:on|with|using|via|through) (?:the|your) (?:key ?pad|touch ?tones?|dial ?pad)\b", re.IGNORECASE
)
_INTERRUPTS = re.compile(
    r"^(?!.*\b(?:not|never|n't) )(?:[a-z]+ly |often )*(?:interrupt|cut (?:the agent|them|her|him|it) off|talk over|barge in)\b",
    re.IGNORECASE,
)
_SLIP = re.compile(
    r"(?:^|[,;]? (?:and )?)(?:(?:at )?first,? |initially,? )?(?:give|say|state|tell (?:them|the agent)|claim)\b(?P<about>[^.]*?)"
    r"\b(?P<wrong>[A-Z]{0,3}-?\d[\w-]*)\b[^.]*?,? (?:and |but )?(?:then |afterwards |later )?(?:immediately |quickly )?correct\b[^.,;]*",
    re.IGNORECASE,
)
_SLIPS = re.compile(
    r"^(?:(?:at )?first,? )?(?:correct yourself|misremember|mix up|get)\b(?P<about>[^.]*?)(?: wrong)?(?: at first| the first time| once)?[.]*$",
    re.IGNORECASE,
)
_GETS_WRONG = re.compile(r"^(?:correct yourself|misremember|mix up)\b|\bwrong\b", re.IGNORECASE)
WRONG_NUMBER = re.compile(
    r"\b(?:call|dial|reach|phon)\w*\b[^.]*\bby (?:mistake|accident)\b|\b(?:have|got|dial\w*|call\w*|reach\w*) (?:the|a) wrong number\b|"
    r"\bmisdial\w*\b",
    re.IGNORECASE,
)
BUT = re.compile(r",? (?:but|and) (?=(?:misremember|mix up|get (?:it|that) wrong|correct yourself)\b)", re.IGNORECASE)
"""Where a sentence about something else turns to a slip."""


@dataclass(frozen=True, slots=True)
class Slip:
    """Something first said wrong, then corrected. `about` empty: the first number asked for; `wrong` None: two digits swapped."""

    about: frozenset[str]
    wrong: str | None


@dataclass(frozen=True, slots=True)
class Behaviour:
    is_silent: bool = False
    is_voicemail: bool = False
    pause_seconds: float = 0
    """Once: before the first words, or before the first answer (`pauses_at_question`)."""
    pauses_at_question: bool = False
    interrupts: bool = False
    keys: str = ""
    """Pressed before anything is said."""
    uses_keypad: bool = False
    """Numbers that are asked for are entered, not said."""
    slip: Slip | None = None
    has_wrong_number: bool = False


def take_slip(part: str, behaviour: Behaviour) -> tuple[str, Behaviour]:
    """What is left of a sentence without `give it as 123 first, then correct yourself`, which spans clauses."""
    match = _SLIP.search(part)
    if match is None:
        return part, behaviour
    left = f"{part[: match.start()]}{part[match.end() :]}".strip(" ,;.")
    return left, replace(behaviour, slip=Slip(_about(match["about"]), match["wrong"]))


def behave(clause: str, behaviour: Behaviour) -> Behaviour | None:
    """The behaviour with what the clause asks for; None when it is no such clause."""
    clause = clause.strip()
    pause = _PAUSE.search(clause)
    if pause:
        seconds = float(pause["number"] or _SECONDS[(pause["words"] or pause["minutes"]).lower()])
        at_question = re.search(r"\b(?:question|answer\w*|asked|asks)\b", pause["when"], re.IGNORECASE) is not None
        return replace(behaviour, pause_seconds=seconds, pauses_at_question=at_question)
    if _SILENT.match(clause):
        return replace(behaviour, is_silent=True)
    if _VOICEMAIL.match(clause):
        return replace(behaviour, is_voicemail=True)
    keys = _KEYS.match(clause)
    if keys:
        return replace(behaviour, keys=behaviour.keys + re.sub(r"[^0-9#*]", "", keys["keys"]))
    if _KEYPAD.search(clause):
        return replace(behaviour, uses_keypad=True)
    if _INTERRUPTS.match(clause):
        return replace(behaviour, interrupts=True)
    slip = _SLIPS.match(clause)
    if slip and _GETS_WRONG.search(clause):
        return replace(behaviour, slip=behaviour.slip or Slip(_about(slip["about"]), None))
    return None


def _about(words: str) -> frozenset[str]:
    return topic(words) - {"it", "that", "this", "them", "yourself", "as"}

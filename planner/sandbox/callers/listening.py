"""What a caller makes of the agent's words: statements, questions and what they are about, offers, refusals."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

_SENTENCE = re.compile(r"(?<!\bDr)(?<!\bMr)(?<!\bMs)(?<!\bMrs)[.!?]+(?=\s+[A-ZÀ-Þ¿¡]|\s*$)")
_OPEN_QUESTION = re.compile(
    r"\b(?:anything else|something else|what else|how (?:can|may|could) (?:i|we) (?:help|assist)|what can i (?:do|help)|help you with|"
    r"what (?:is|'s) (?:it|this|your call) about|what would you like to (?:do|know))\b",
    re.IGNORECASE,
)
_IMPERATIVE = re.compile(
    r"^(?:and |so |then |could you |can you |would you )?(?:please )?(?:tell|give|spell|confirm|describe|let me have|"
    r"i(?:'ll| will)? (?:just )?need)\b",
    re.IGNORECASE,
)
_FILLER = re.compile(
    r"^(?:one moment|just a (?:moment|second|minute)|let me|bear with me|sure|of course|certainly|okay|ok|all right|thank you|thanks|no problem|"
    r"happy to help|i can help|got it|i see|i understand|absolutely|you're welcome|my pleasure|hi\b|hello|sorry, i didn't|i'm sorry, i didn't|great|perfect|"
    r"goodbye|good night|bye\b|take care|have a (?:good|nice|great))"
    r"[^.?!]{0,60}$",
    re.IGNORECASE,
)
_REFUSAL = re.compile(
    r"\b(?:(?:can't|cannot|can not|unable to|not able to|won't be able to|not allowed to|am not permitted|nobody can)\b|only help with|not something i|"
    r"not possible|no longer possible|too late to|outside (?:of )?(?:the|our))",
    re.IGNORECASE,
)
_DID_NOT_CATCH = re.compile(
    r"didn't (?:catch|get|understand)|did not (?:catch|get|understand)|come again|say that again", re.IGNORECASE
)
_YES_NO = re.compile(
    r"^(?:so,? |and |then |okay,? )*(?:is|are|do|does|did|would|shall|should|can|could|have|has|was|were|will|may)\b",
    re.IGNORECASE,
)
_OFFER_TO = re.compile(
    r"^(?:so,? |and |then )*(?:would you (?:like|want)|do you want|shall|should|may i|can i)\b", re.IGNORECASE
)
_POLITE = re.compile(r"^(?:so,? |and |then )*(?:may|can|could|might) i (?:ask|have|get|know)\b", re.IGNORECASE)
"""`May I ask what the reason is?` wants the reason, not a yes."""
_OFFER = re.compile(
    r"\b((?:mon|tues|wednes|thurs|fri|satur|sun)day)(?:,? the \d+\w+)?(?:,? (?:morning|afternoon))? at (\d{1,2}(?::\d\d)?(?: ?[AP]M| [ap]\.m\.)?)",
    re.IGNORECASE,
)
_KINDS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (kind, re.compile(pattern, re.IGNORECASE))
    for kind, pattern in {
        "name": r"\b(?:your|the|full|first|last|patient's|whose) (?:full |first and last )?names?\b|who am i (?:speaking|talking)|"
        r"who is (?:calling|this)|name (?:on|for|is)\b",
        "birth": r"date of birth|birth ?date|birthday|when were you born",
        "order": r"\border (?:number|id)\b|\bwhich order\b|number of (?:the|your) order",
        "phone": r"phone number|call ?back number|number (?:can|should|to) |reach you|call you back|contact number|best number",
        "reason": r"\breason\b|(?:what|anything) (?:should|shall|can|would you like) (?:i|me|us|we)?.*(?:tell|pass on|message)|"
        r"\bmessage\b|what (?:is|'s) (?:wrong|the (?:visit|problem|matter|issue|trouble|message|appointment))|what happened|"
        r"tell me (?:more|what)|describe|what seems|bring(?:s|ing) you|what (?:is|'s|was) (?:it|that|this) (?:about|for)|visit for",
    }.items()
)


@dataclass(frozen=True, slots=True)
class Heard:
    """One turn of the agent, as the caller understands it."""

    told: tuple[str, ...]
    """Statements with something in them: no "one moment", no "certainly"."""
    question: str | None
    """The last question, or request for something, when it wants something in particular."""
    kind: str | None
    """What the question is about, where that is plain: name, birth, order, phone, reason."""
    wants_yes_or_no: bool
    offers: tuple[str, ...]
    """Days with times, in the order named."""
    refuses: bool
    missed_it: bool
    """The agent has not understood."""


def is_open(question: str) -> bool:
    """Whether the question wants nothing in particular: `Anything else?`."""
    return _OPEN_QUESTION.search(question) is not None


@lru_cache(maxsize=4096)
def listen(text: str) -> Heard:
    statements, question = _taken_apart(text)
    kind: str | None = None
    if question is not None and is_open(question):
        question = None
    if question is not None:
        asked = question
        kind = next((kind for kind, pattern in _KINDS if pattern.search(asked)), None)
        if kind == "reason" and _OFFER_TO.match(asked) and not _POLITE.match(asked):
            kind = None
    return Heard(
        told=tuple(statement for statement in statements if not _FILLER.match(statement)),
        question=question,
        kind=kind,
        wants_yes_or_no=question is not None and _YES_NO.match(question) is not None,
        offers=tuple(dict.fromkeys(f"{match[1]} at {match[2]}" for match in _OFFER.finditer(text))),
        refuses=_REFUSAL.search(text) is not None,
        missed_it=_DID_NOT_CATCH.search(text) is not None,
    )


def _taken_apart(text: str) -> tuple[list[str], str | None]:
    """Statements, and the last question (or request for something), of a turn."""
    statements: list[str] = []
    question: str | None = None
    start = 0
    for match in _SENTENCE.finditer(text):
        part = text[start : match.start()].strip()
        start = match.end()
        if "?" in match[0] or _IMPERATIVE.match(part):
            question = part
        elif part:
            statements.append(part)
    rest = text[start:].strip()
    if rest:
        statements.append(rest)
    return statements, question

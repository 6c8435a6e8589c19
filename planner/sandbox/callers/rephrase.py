"""From what a prompt tells the bot ("Ask whether your order has shipped") to what a caller says ("Can you tell me if my order has shipped?").

English, by rules; whatever no rule knows is said as it stands, in the first person.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_OBJECT_AFTER = (
    r"to|for|with|from|at|about|of|by|than|give|gives|gave|tell|tells|told|send|sends|sent|help|helps|call|calls|called|let|"
    r"lets|charge|charged|charges|owe|owes|show|text|email|refund|refunded|transfer|connect|put|reach|ask|asked|promise|promised|offer|offered"
)
_SWAPS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), replacement)
    for pattern, replacement in (
        (
            rf"\b({_OBJECT_AFTER}) you\b(?! (?:are|were|have|had|will|would|can|could|do|did|need|want|bought|ordered|got))",
            r"\1 me",
        ),
        (r"(\byou (?:have|had|feel)\b[^.;]*?) and are\b", r"\1 and am"),
        (r"\byou are\b|\byou're\b", "I am"),
        (r"\bare you\b", "am I"),
        (r"\byou were\b", "I was"),
        (r"\byou've\b", "I've"),
        (r"\byou'd\b", "I'd"),
        (r"\byou'll\b", "I'll"),
        (r"\byourself\b", "myself"),
        (r"\byours\b", "mine"),
        (r"\byour\b", "my"),
        (r"\byou\b", "I"),
        (r"\b(?:the|this|their) (?:agent|assistant|representative|rep|bot|AI|receptionist)'s\b", "\x02"),
        (r"\b(?:the|this) (?:agent|assistant|representative|rep|bot|AI|receptionist)\b", "\x01"),
    )
)
# While the caller's own `you` is turned into `I`, \x01 and \x02 stand for the agent's `you` and `your`.
_THEY = re.compile(r"^((?:if|whether|what|when|where|which|why|how)\b(?: \w+){0,3}?) they\b", re.IGNORECASE)
_OPEN_YOU = re.compile(
    r"^((?:if|whether|what|when|where|which|why|how)\b(?: \w+){0,3}?) you ((?:are )?(?:open|close|closed|ship|deliver|accept|offer|sell)\b)",
    re.IGNORECASE,
)
"""Shops open and ship, callers do not: here `you` is the agent."""
_DEMANDED_THEY = re.compile(r"^(that )?(?:they|them)\b", re.IGNORECASE)

WH = r"(?:if|whether|what|when|where|which|who|whose|why|how)\b"
_ADDRESSEE = (
    r"(?:them|her|him|(?:the|an?|your) (?:[\w'-]+ ){0,2}?"
    r"(?:agent|assistant|receptionist|representative|rep|person|clinic|line|company|support|bot|operator|store|office|staff|desk))"
)


def first_person(text: str) -> str:
    """`your order` → `my order`; the agent becomes `you`."""
    for pattern, replacement in _SWAPS:
        text = pattern.sub(replacement, text)
    return text.replace("\x01", "you").replace("\x02", "your")


def _agents_view(clause: str) -> str:
    """In a question the company is `you`: `whether they ship to their shop` → `whether you ship to your shop`."""
    asked = _OPEN_YOU.sub("\\1 \x01 \\2", _THEY.sub("\\1 \x01", clause))
    return asked if asked == clause else re.sub(r"\btheir\b", "\x02", asked)


def sentence(text: str) -> str:
    """Capitalised, one space between words, with an end."""
    text = " ".join(text.split()).rstrip(" ,;:")
    if not text:
        return ""
    text = text[0].upper() + text[1:]
    return text if text[-1] in '.?!"”' else text + "."


def _question(text: str) -> str:
    return sentence(text.rstrip(" .,;:?!") + "?")


Builder = Callable[[str], tuple[str, ...]]


def _ask_clause(rest: str) -> tuple[str, ...]:
    clause = first_person(_agents_view(rest))
    return (
        _question(f"can you tell me {clause}"),
        sentence(f"I'd like to know {clause}"),
        _question(f"could you tell me {clause}"),
    )


def _ask_for(rest: str) -> tuple[str, ...]:
    thing = first_person(rest)
    return (sentence(f"I'd like {thing}, please"), _question(f"could I get {thing}"), sentence(f"I need {thing}"))


def _ask_about(rest: str) -> tuple[str, ...]:
    thing = first_person(rest)
    return (
        sentence(f"I have a question about {thing}"),
        sentence(f"I'm calling about {thing}"),
        _question(f"can you tell me about {thing}"),
    )


def _would_like_to(rest: str) -> tuple[str, ...]:
    action = first_person(rest[0].lower() + rest[1:])
    return (sentence(f"I'd like to {action}"), sentence(f"I need to {action}"), sentence(f"I want to {action}"))


def _could_you(rest: str) -> tuple[str, ...]:
    action = first_person(rest)
    return (_question(f"could you {action}"), _question(f"can you {action}"), sentence(f"I need you to {action}"))


def _statement(rest: str) -> tuple[str, ...]:
    return (sentence(first_person(rest)),)


def _have(rest: str) -> tuple[str, ...]:
    thing = first_person(rest)
    return (sentence(f"I have {thing}"), sentence(f"I've got {thing}"))


def _want(rest: str) -> tuple[str, ...]:
    thing = first_person(rest)
    return (sentence(f"I want {thing}"), sentence(f"I need {thing}"))


def _demand(rest: str) -> tuple[str, ...]:
    thing = first_person(_DEMANDED_THEY.sub("\\1\x01", rest))
    return (
        sentence(f"I demand {thing}"),
        sentence(f"I insist: I want {thing}") if not thing.startswith("that ") else sentence(f"I insist {thing}"),
    )


def _insist(rest: str) -> tuple[str, ...]:
    thing = first_person(re.sub(r"\b(that )?they\b", "\\1\x01", rest))
    return (sentence(f"I must insist {thing}"), sentence(f"I really do insist {thing}"))


def _complain(rest: str) -> tuple[str, ...]:
    thing = first_person(rest)
    return (sentence(f"I want to complain {thing}"), sentence(f"I have a complaint {thing}"))


_TRIVIA = (
    "What's the capital of Australia?",
    "Do you know who painted the Mona Lisa?",
    "How many moons does Jupiter have?",
    "What's the tallest mountain in Africa?",
    "Which year did people first land on the Moon?",
)


def _trivia(_rest: str) -> tuple[str, ...]:
    return _TRIVIA


def _repeat(_rest: str) -> tuple[str, ...]:
    return ("Could you repeat that, please?", "Can you say that again?", "Sorry, could you say that one more time?")


def _push(rest: str) -> tuple[str, ...]:
    action = first_person(rest)
    return (_question(f"can't you just {action}"), sentence(f"Come on, just {action}"))


def _report(rest: str) -> tuple[str, ...]:
    return _statement(rest[5:]) if rest.startswith("that ") else _would_like_to(f"report {rest}")


def _tell(rest: str) -> tuple[str, ...]:
    if rest.startswith("about "):
        return _would_like_to(f"tell \x01 {rest}")
    return _statement(re.sub(r"^that ", "", rest))


VERBS = (
    "book|schedule|make(?! sure)|arrange|set up|reschedule|move|cancel|change|update|return|exchange|track|check|confirm|leave|buy|order|get|"
    "find|find out|speak|talk|pay|dispute|refill|renew|verify|place|learn|know|replace|file|register|sign up|see|pick up|be|"
    "postpone|send|add|remove|discuss|review|apply|stop|bring|start|open|close|extend|switch|correct|fix|resolve"
)
"""Verbs that, said to the bot, name what it is after: `Book an appointment` → `I'd like to book an appointment`."""

_BUILDERS: tuple[tuple[re.Pattern[str], Builder], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE | re.DOTALL), builder)
    for pattern, builder in (
        (r"ask (?:an?|some|one|a few) (?P<rest>.*\b(?:trivia|unrelated|off-?topic|random|irrelevant)\b.*)", _trivia),
        (
            rf"ask(?: {_ADDRESSEE})?(?: to| for)? (?P<rest>(?:repeat|say)\b.*\b(?:it|that|answer|again|everything|last)\b.*|(?:it|them) to be repeated.*)",
            _repeat,
        ),
        (
            rf"(?:ask|inquire|enquire|find out|check with {_ADDRESSEE}|learn)(?: {_ADDRESSEE})?(?: again)?,? (?P<rest>{WH} .+)",
            _ask_clause,
        ),
        (rf"ask {_ADDRESSEE} to (?P<rest>.+)", _could_you),
        (r"ask (?:again )?to (?P<rest>.+)", _would_like_to),
        (rf"ask(?: {_ADDRESSEE})?(?: again)? for (?P<rest>.+)", _ask_for),
        (rf"(?:ask|inquire|enquire)(?: {_ADDRESSEE})?(?: a question)? (?:about|regarding) (?P<rest>.+)", _ask_about),
        (r"ask (?P<rest>(?:an?|some|two|three|several) .*\bquestions?\b.*)", _have),
        (rf"ask(?: {_ADDRESSEE})? (?P<rest>.+)", _ask_clause),
        (rf"(?:say|tell|mention|explain|state|claim|reply|answer|let)(?: {_ADDRESSEE})?(?: know)? (?P<rest>.+)", _tell),
        (r"report (?P<rest>.+)", _report),
        (r"(?:want|need|would like|wish)s? to (?P<rest>.+)", _would_like_to),
        (r"(?:want|need|would like|wish for|request|are looking for|is looking for|look for)s? (?P<rest>.+)", _want),
        (r"demand (?P<rest>.+)", _demand),
        (r"insist (?P<rest>.+)", _insist),
        (r"complain (?P<rest>.+)", _complain),
        (
            rf"(?:try|attempt)(?:ing)? to (?:get|make|have|convince|persuade|trick|push|talk) {_ADDRESSEE} (?:to |into )?(?P<rest>.+)",
            _push,
        ),
        (rf"(?:press|push|pressure|beg|convince|persuade|urge) {_ADDRESSEE} (?:to|into) (?P<rest>.+)", _push),
        (rf"(?:press|push|pressure|beg) (?:{_ADDRESSEE} )?for (?P<rest>.+)", _want),
        (
            r"have (?P<rest>(?:an?|some|several|two) .*\b(?:question|problem|issue|complaint|request|appointment)s?\b.*)",
            _have,
        ),
        (rf"(?:try to )?(?P<rest>(?:{VERBS})\b.*)", _would_like_to),
    )
)
_QUOTED = re.compile(
    r"(?:ask|say|tell|reply|answer|begin|start|open)\b[^\"“]{0,40}[\"“](?P<words>[^\"”]+)[\"”]\s*[.!?]?$", re.IGNORECASE
)


def spoken(directive: str) -> tuple[str, ...]:
    """Ways for a caller to say what a directive tells it to; empty when the directive is none of this kind."""
    directive = directive.strip().rstrip(" .;,!")
    quoted = _QUOTED.match(directive)
    if quoted:
        return (sentence(quoted["words"]),)
    for pattern, builder in _BUILDERS:
        match = pattern.fullmatch(directive)
        if match:
            return builder(match["rest"])
    return ()

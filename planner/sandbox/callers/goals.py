"""What a sentence of a prompt wants: directives and wishes, taken apart into goals."""

from __future__ import annotations

import re

from planner.sandbox.callers.persona import Goal
from planner.sandbox.callers.rephrase import VERBS, WH, first_person, sentence, spoken

_DIRECTIVE = (
    r"(?:ask|say|tell|request|demand|insist|complain|explain|mention|inquire|thank|hang up|end the call|refuse|decline|accept|agree|"
    rf"choose|pick|keep|push|press|try|{VERBS})\b"
)
_SPEECH = r"(?:ask|say|tell|request|demand|insist|complain|explain|mention|inquire|thank|hang up|end the call)\b"
THEN = re.compile(
    rf"[,;]? (?:and )?(?:then|after that|afterwards|finally|also),? (?={_DIRECTIVE})"
    rf"|,? and (?={_DIRECTIVE}(?! (?:if|when)\b))|, (?={_SPEECH})|[,;] (?:and )?(?:then|finally),? (?=you\b)"
    r"|,? (?:and|so) (?=you (?:want|need|would like|wish)\b)",
    re.IGNORECASE,
)
_AND_WH = re.compile(rf",? and (?:also )?(?={WH})", re.IGNORECASE)
_ASKS = re.compile(r"(?:ask|inquire|find out|want to know|learn)\b", re.IGNORECASE)
LEAD = re.compile(
    r"^(?:(?:first|then|next|also|finally|now|please|just|afterwards|after that|once connected|start by|begin by|politely|calmly|angrily|"
    r"firmly|rudely|impatiently|quickly|repeatedly|nervously|at the end|in the end|lastly|and|but|so)\b,? ?)+",
    re.IGNORECASE,
)
"""Words before a directive that change nothing."""
_SUBJECT = re.compile(
    r"^(?:you\b|the (?:caller|customer|user|patient|client)|(?:a |the )?(?:caller|customer)|he|she|they|your (?:goal|aim|task|job|objective) is|"
    r"your (?:goal|aim|task|job|objective):)\s*"
    r"(?:(?:should|must|will|also|just|only|really|now|simply|then|are to|is to|have to|has to|are trying|is trying|are calling(?: in)?|"
    r"is calling(?: in)?|call|calls|called|are phoning|phone|have called|wish|wishes|would like|want|wants|need|needs|are hoping|hope|intend|"
    r"plan|plans|try|tries|decide|decided)\b\s*)*(?:to\b\s*)?",
    re.IGNORECASE,
)
_WANTING = re.compile(
    r"^(?:you|the \w+|he|she|they) (?:(?:really|only|just|also|now) )?(want|wants|need|needs|would like)\b",
    re.IGNORECASE,
)
CALLING = re.compile(
    r"\b(?:are |is |you're )?(?:calling|call|phoning)(?: in| again| back)? (?P<how>about|because|regarding|since|for) (?P<rest>.+)",
    re.IGNORECASE,
)
STAGE = re.compile(
    r"^(?:hang up|end the call|thank|say (?:thanks|thank you|goodbye|bye)|wait|pause|let the agent|listen|do not|don't|never|avoid|answer|"
    r"respond|reply|only (?:answer|give|reveal)|provide|give|spell|confirm (?:your|the details|that)|note|remember|this is a test|the goal|"
    r"interrupt|once you (?:have|get)|after (?:that|you)|when (?:the|you|they|asked)|if )",
    re.IGNORECASE,
)
"""Stage directions: nothing that the call is for."""
_BECAUSE = re.compile(
    r"\b(?:because(?: of)?|since|as|for|about|that|saying) (?=(?P<reason>.+)$)", re.IGNORECASE | re.DOTALL
)
_A_TIME = re.compile(
    r"^(?:(?:on|the|next|this|coming) )*(?:(?:mon|tues|wednes|thurs|fri|satur|sun)day|tomorrow|today|(?:as soon as|in the|at) )",
    re.IGNORECASE,
)
_WHEN = re.compile(
    r",? (?:best |preferably |ideally )?(?:on |for |this |next )*(?:mon|tues|wednes|thurs|fri|satur|sun)day\b.*$|,? (?:as soon as|at \d|in the (?:morning|afternoon)|tomorrow|this|next)\b.*$",
    re.IGNORECASE | re.DOTALL,
)


def subject_of(text: str) -> Goal | None:
    """What the call is about, where the text says that and nothing else."""
    calling = CALLING.match(re.sub(r"^(?:you|the \w+|he|she|they) ", "", text, flags=re.IGNORECASE))
    if calling is None or THEN.search(calling["rest"]):
        return None
    how, about = calling["how"].lower(), first_person(calling["rest"]).strip(" .")
    linked = f"{how} {about}"
    return Goal(f"calling {linked}", (sentence(f"I'm calling {linked}"),), about)


def goals_of(text: str) -> list[Goal]:
    """The goals of one sentence: `ask A and whether B, then say C` is three."""
    calling = CALLING.match(re.sub(r"^(?:you|the \w+) ", "", text, flags=re.IGNORECASE))
    if calling:
        text = f"ask {'for' if calling['how'].lower() == 'for' else 'about'} {calling['rest']}"
    goals: list[Goal] = []
    for clause in THEN.split(text):
        wanting = _WANTING.match(clause)
        directive = _SUBJECT.sub("", LEAD.sub("", clause.strip()))
        if wanting and not re.match(rf"{_DIRECTIVE}", directive, re.IGNORECASE):
            directive = f"want {directive}"
        if STAGE.match(directive) and not re.match(r"confirm|answer \"", directive, re.IGNORECASE):
            continue
        pieces = _AND_WH.split(directive) if _ASKS.match(directive) else [directive]
        for index, piece in enumerate(pieces):
            ways = spoken(piece if index == 0 else f"ask {piece}")
            if ways:
                goals.append(Goal(piece.strip(" ."), ways, _reason(directive)))
    return goals


def _reason(directive: str) -> str | None:
    """What comes after `because`, `for`, …: the first that is no day or time, as it would be said."""
    for match in _BECAUSE.finditer(directive):
        reason = _WHEN.sub("", match["reason"]).strip(" .,")
        if reason and not _A_TIME.match(reason):
            return first_person(reason)
    return None

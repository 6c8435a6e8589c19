"""What a caller knows: read from the scenario prompt, looked up when the agent asks."""

from __future__ import annotations

import re
from dataclasses import dataclass

_MONTHS = "january|february|march|april|may|june|july|august|september|october|november|december"
DATE = rf"(?:(?:{_MONTHS}) \d{{1,2}}(?:st|nd|rd|th)?,? \d{{4}}|\d{{1,2}}(?:st|nd|rd|th)?(?: of)? (?:{_MONTHS}),? \d{{4}}|\d{{4}}-\d\d-\d\d|\d{{1,2}}/\d{{1,2}}/\d{{4}})"
_NAME = r"[A-ZÀ-ÖØ-Þ][\w'’-]*(?:\.)?(?: (?:de|da|van|von|der|la|del|bin|al|[A-ZÀ-ÖØ-Þ][\w'’-]*)){0,3}"


@dataclass(frozen=True, slots=True)
class Fact:
    """`topic`: the words by which a question may mean it."""

    topic: frozenset[str]
    value: str


_STOP = frozenset(
    [
        "a",
        "an",
        "the",
        "your",
        "my",
        "of",
        "is",
        "for",
        "on",
        "to",
        "in",
        "at",
        "and",
        "or",
        "number",
        "no",
        "code",
        "id",
        "what",
        "please",
        "with",
        "me",
        "you",
        "i",
        "s",
        "it",
    ]
)
_SYNONYMS = {
    "dob": "birth",
    "birthday": "birth",
    "birthdate": "birth",
    "born": "birth",
    "telephone": "phone",
    "callback": "phone",
    "contact": "phone",
    "mobile": "phone",
    "cell": "phone",
    "reach": "phone",
    "call": "phone",
    "insurer": "insurance",
    "insured": "insurance",
    "coverage": "insurance",
    "mail": "email",
    "zip": "zip",
    "postcode": "zip",
    "postal": "zip",
    "e-mail": "email",
}


def topic(words: str) -> frozenset[str]:
    """The words that matter, in one spelling."""
    found = [match[0] for match in re.finditer(r"[\w-]+", words.lower())]
    return frozenset(
        _SYNONYMS.get(word, word.rstrip("s") if len(word) > 4 else word) for word in found if word not in _STOP
    )


_PATTERNS: tuple[tuple[str, str], ...] = (
    (rf"\b(?i:your?) (?:full |first |last )?name is (?P<value>{_NAME})", "name"),
    (rf"\b(?:named|called|the name(?: of)?|name[:=]) (?P<value>{_NAME})", "name"),
    (
        rf"\b(?i:you are|you're|i am|i'm|this is|play|roleplay as|act as|pretend to be) (?:(?:Dr|Mr|Mrs|Ms)\.? )?(?P<value>{_NAME})",
        "name",
    ),
    (r"(?i)\border(?:s|ed)?(?: (?:number|no\.?|id|#))?(?: is)?:? ?#?(?P<value>[A-Z]{0,3}-?\d[\w-]*)\b", "order"),
    (rf"(?i)\b(?:born|birth(?:day|date)?|dob)\b[^.\d]{{0,20}}?(?P<value>{DATE})", "birth"),
    (rf"(?i)(?P<value>{DATE})[^.]{{0,10}}\b(?:is your )?(?:date of birth|birthday|dob)\b", "birth"),
    (r"(?P<value>\+\d[\d ().-]{7,}\d|(?<!\d)\(?\d{3}\)?[ .-]\d{3}[ .-]\d{4}\b)", "phone"),
    (r"(?P<value>[\w.+-]+@[\w-]+\.[\w.-]*\w)", "email"),
    (
        (
            r"\b(?i:insured (?:with|by|through)|insurance (?:is|with|from|through|company is)|covered by|coverage (?:with|from)) "
            r"(?P<value>[A-Z]\w*(?: [A-Z]\w*)*)"
        ),
        "insurance",
    ),
    (r"\b(?:have|has|carry) (?P<value>[A-Z]\w*(?: [A-Z]\w*)*) (?:health )?insurance\b", "insurance"),
    (r"(?i)\bzip(?: code)?(?: is)? (?P<value>\d{4,6})\b", "zip"),
)
_COMPILED = tuple((re.compile(pattern), topic(about)) for pattern, about in _PATTERNS)
_NAME_TOPIC = topic("name")
_YOUR_IS = re.compile(
    r"\b[Yy]our (?P<about>[a-z'-]+(?: [a-z'-]+){0,3}?) (?:is|are|was) (?P<value>[^.;\n]{1,80}?)(?=[.;\n]|$|, (?:and|your|but)|(?<!\d) and your)"
)
_SAY_WHEN_ASKED = re.compile(
    r"\b(?:if|when) (?:you are |you're |they |the agent )?asks?(?:ed)?(?: you)?(?: (?:for|about))?(?: (?:your|the|a|an))? (?P<about>[^,]{2,60}),"
    r" (?:then )?(?:say|give|answer|tell them|reply|respond)(?: with)?(?: that)? [\"“]?(?P<value>[^.;\n\"”]+)",
    re.IGNORECASE,
)
_UNKNOWN = re.compile(
    r"\b(?:(?:do not|don't|cannot|can't|does not|doesn't) (?:know|remember|recall|have|find|give|reveal|share|tell (?:them|anyone)|mention|provide)"
    r"|(?:refuse|decline) to (?:give|share|tell(?: them)?|provide|say)|have (?:lost|forgotten)|forgot)"
    r" (?:what )?(?:your|the|an?|any|them your) (?P<about>(?-i:[a-z'-]+(?: [a-z'-]+){0,2}))",
    re.IGNORECASE,
)
_NOT_NAMES = re.compile(
    r"^(?:A|An|The|Your|You|Spanish|English|French|German|Not|In|On|At|Calling|Interested|Looking)\b"
)


def facts_in(prompt: str) -> tuple[Fact, ...]:
    """Every fact the prompt states; the first of a topic wins."""
    found: dict[frozenset[str], Fact] = {}
    for match in _SAY_WHEN_ASKED.finditer(prompt):
        found.setdefault(topic(match["about"]), Fact(topic(match["about"]), match["value"].strip()))
    for pattern, about in _COMPILED:
        for match in pattern.finditer(prompt):
            value = match["value"].strip(" .,")
            if about == _NAME_TOPIC and _NOT_NAMES.match(value):
                continue
            found.setdefault(about, Fact(about, value))
    for match in _YOUR_IS.finditer(prompt):
        about = topic(match["about"])
        if about and not any(about <= known for known in found):
            found.setdefault(about, Fact(about, match["value"].strip()))
    return tuple(found.values())


def unknown_in(prompt: str) -> tuple[frozenset[str], ...]:
    """Topics the caller is to have no answer to, or to keep to itself."""
    return tuple(words for match in _UNKNOWN.finditer(prompt) if (words := topic(match["about"])))


def look_up(facts: tuple[Fact, ...], unknown: tuple[frozenset[str], ...], question: str) -> str | None:
    """The best answer to a question, or None."""
    asked = topic(question)
    if any(words <= asked for words in unknown):
        return None
    scored = [(len(fact.topic & asked) / len(fact.topic), fact.value) for fact in facts if fact.topic]
    best = max(scored, default=(0.0, ""), key=lambda hit: hit[0])
    return best[1] if best[0] >= 0.5 else None

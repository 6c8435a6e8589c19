"""What the agent makes of what it hears: names, numbers, dates, choices, in one canonical form each."""

from __future__ import annotations

import re
from collections.abc import Sequence

from planner.sandbox.worlds.script import Slot

_MONTHS = {
    name: number
    for number, name in enumerate(
        (
            "january",
            "february",
            "march",
            "april",
            "may",
            "june",
            "july",
            "august",
            "september",
            "october",
            "november",
            "december",
        ),
        1,
    )
}
_MONTH = "|".join(_MONTHS)
_DATES = (
    re.compile(rf"\b(?P<month>{_MONTH}) (?P<day>\d{{1,2}})(?:st|nd|rd|th)?,? (?P<year>\d{{4}})\b", re.IGNORECASE),
    re.compile(
        rf"\b(?P<day>\d{{1,2}})(?:st|nd|rd|th)?(?: of)? (?P<month>{_MONTH}),? (?P<year>\d{{4}})\b", re.IGNORECASE
    ),
    re.compile(r"\b(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)\b"),
    re.compile(r"\b(?P<month>\d{1,2})/(?P<day>\d{1,2})/(?P<year>\d{4})\b"),
)
_CAPITAL = r"[A-ZÀ-ÖØ-Þ][\w'’-]*"
_FULL_NAME = rf"{_CAPITAL}(?: (?:de|da|van|von|der|la|del|bin|{_CAPITAL})){{1,3}}"
_INTRODUCED = re.compile(
    rf"\b(?:[Mm]y (?:full )?name is|[Tt]his is|I am|I'm|[Nn]ame's|[Ii]t's|[Nn]ame is) (?P<name>{_FULL_NAME})"
)
_ANSWERED = re.compile(rf"(?P<name>{_CAPITAL}(?: (?:de|da|van|von|der|la|del|bin|{_CAPITAL})){{0,3}})")
_NOT_NAMES = frozenset(
    [
        "I",
        "It",
        "It's",
        "My",
        "Yes",
        "Yeah",
        "No",
        "Sure",
        "Okay",
        "Ok",
        "Um",
        "Uh",
        "Hello",
        "Hi",
        "The",
        "This",
        "Well",
        "Sorry",
        "Of",
        "Oh",
        "Right",
        "Thanks",
        "Thank",
        "Please",
        "Look",
        "Name",
        "I'm",
        "That",
        "That's",
        "Fine",
        "And",
        "Order",
        "Number",
        "What",
        "Why",
        "You",
        "Your",
        "Can",
        "Could",
        "Again",
        "Come",
        "On",
        "Is",
        "Are",
        "How",
        "Here",
        "Just",
        "So",
        "But",
        "Not",
        "Nope",
        "Ugh",
    ]
)
_PHONE = re.compile(r"\+?\d[\d ().-]{8,}\d")
_EMAIL = re.compile(r"\b[\w.+-]+@[\w-]+\.[\w.-]*\w")
_WEEKDAY = re.compile(r"\b(monday|tuesday|wednesday|thursday|friday|saturday|sunday)s?\b", re.IGNORECASE)
_DAYTIME = re.compile(r"\b(morning|afternoon|evening|noon|night)\b|\b(\d{1,2})(?::\d\d)? ?([ap])\.?m\b", re.IGNORECASE)
_YES = re.compile(
    r"\b(?:yes|yeah|yep|sure|correct|right|please do|go ahead|of course|that works|okay|ok|absolutely|definitely|it is|i do)\b",
    re.IGNORECASE,
)
_NO = re.compile(r"\b(?:no|nope|not|don't|never|rather not|leave it)\b", re.IGNORECASE)
_DIGITS = re.compile(r"(?<![\w+:/.-])#?(\d+)(?![\w:/]|[.-]\d)")
_ORDINALS = (
    (re.compile(r"\b(?:first|earlier|earliest|soonest|either|any|whichever|doesn't matter)\b", re.IGNORECASE), 0),
    (re.compile(r"\b(?:second|last|later|latest|other)\b", re.IGNORECASE), -1),
)
_FILLING = re.compile(r"^(?:(?:um|uh|so|well|yes|yeah|okay|ok|sure|please|hi|hello|it's about|it is about|please tell them(?: that)?|tell them(?: that)?)\b[,.]? ?)+", re.IGNORECASE)  # fmt: skip
CORRECTION = re.compile(
    r"\b(?:no,? wait|wait,? no|no,? sorry|sorry,? no|i mean|i meant|correction|or rather|make that|scratch that|"
    r"not right|no,? it(?:'s| is)|but it(?:'s| is)|mixed (?:that|it) up)\b",
    re.IGNORECASE,
)
"""Words after which something said before is said again, and right."""
_TOKENS = re.compile(r"\w+")


def understand(slot: Slot, text: str, *, asked: bool, options: Sequence[str] = ()) -> str | None:
    """What `text` says for the slot. Unasked, only what is unmistakable; `options` are what a `choice` is between.

    Of a value that is corrected in the same breath (`20471, no, wait, 20417`) the later one counts.
    """
    corrections = list(CORRECTION.finditer(text))
    if corrections and slot.kind != "text":
        first = _understood(slot, text[: corrections[-1].start()], asked=asked, options=options)
        later = _understood(slot, text[corrections[-1].end() :], asked=asked or first is not None, options=options)
        if later is not None:
            return later
    return _understood(slot, text, asked=asked, options=options)


def _understood(slot: Slot, text: str, *, asked: bool, options: Sequence[str]) -> str | None:
    match slot.kind:
        case "digits":
            return _digits(slot, text, asked=asked)
        case "name":
            return _name(text, asked=asked)
        case "date":
            return _date(text)
        case "phone":
            return _phone(text)
        case "email":
            found = _EMAIL.search(text)
            return found[0].lower() if found else None
        case "weekday":
            days = _WEEKDAY.findall(text)
            return str(days[-1]).capitalize() if days else None
        case "daytime":
            return _daytime(text)
        case "choice":
            return _choice(slot, text, options, asked=asked)
        case "yes_no":
            return _yes_no(text) if asked else None
        case "text":
            return (_FILLING.sub("", text).strip() or None) if asked else None


def _digits(slot: Slot, text: str, *, asked: bool) -> str | None:
    for pattern in slot.near:
        after = re.search(rf"(?:{pattern})\D{{0,25}}?#?(\d+)(?![\w:/]|[.-]\d)", text, re.IGNORECASE)
        if after and slot.length in (None, len(after[1])):
            return after[1]
    if not asked:
        return None
    return next((number for number in _DIGITS.findall(text) if slot.length in (None, len(number))), None)


def _name(text: str, *, asked: bool) -> str | None:
    introduced = _INTRODUCED.search(text)
    if introduced:
        return introduced["name"]
    if not asked:
        return None
    names = (match["name"] for match in _ANSWERED.finditer(text))
    trimmed = (" ".join(word for word in name.split() if word not in _NOT_NAMES) for name in names)
    return max((name for name in trimmed if name), key=lambda name: name.count(" "), default=None)


def _date(text: str) -> str | None:
    for pattern in _DATES:
        match = pattern.search(text)
        if match:
            month = _MONTHS.get(match["month"].lower()) or int(match["month"])
            return f"{match['year']}-{month:02}-{int(match['day']):02}"
    return None


def _phone(text: str) -> str | None:
    match = _PHONE.search(text)
    digits = re.sub(r"\D", "", match[0]) if match else ""
    if match is None or not 10 <= len(digits) <= 15:
        return None
    if match[0].startswith("+"):
        return f"+{digits}"
    return f"+1{digits}" if len(digits) == 10 else f"+{digits}"


def _daytime(text: str) -> str | None:
    match = _DAYTIME.search(text)
    if match is None:
        return None
    if match[1]:
        return {"noon": "afternoon", "night": "evening"}.get(match[1].lower(), match[1].lower())
    if match[3].lower() == "a":
        return "morning"
    return "evening" if match[2] != "12" and int(match[2]) >= 5 else "afternoon"


def _choice(slot: Slot, text: str, options: Sequence[str], *, asked: bool) -> str | None:
    for option, patterns in slot.options.items():
        if any(re.search(pattern, text, re.IGNORECASE) for pattern in patterns):
            return option
    if not asked or not options:
        return None
    said = _words(text)
    words = [_words(option) for option in options]
    shared = {word for word in words[0] if len(words) > 1 and all(word in others for others in words)}
    scores = [len((own - shared) & said) for own in words]
    if max(scores) > 0 and scores.count(max(scores)) == 1:
        return options[scores.index(max(scores))]
    for pattern, index in _ORDINALS:
        if pattern.search(text):
            return options[index]
    return options[0] if len(options) == 1 and _YES.search(text) else None


def _words(text: str) -> set[str]:
    return {match[0] for match in _TOKENS.finditer(text.lower())}


def _yes_no(text: str) -> str | None:
    yes, no = _YES.search(text), _NO.search(text)
    if yes and no:
        return "yes" if yes.start() < no.start() else "no"
    return "yes" if yes else "no" if no else None

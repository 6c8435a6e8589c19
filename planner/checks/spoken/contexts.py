"""What speakers call a number or an address: by the words around it, and in the caller's question before."""

from __future__ import annotations

import re
from typing import Final

from planner.checks.no_pii import Kind
from planner.checks.spoken.numbers import names

_WORDS: Final[dict[Kind | None, str]] = {
    "cvv": "cvv2?|cvc2?|c v [vc]|security code|(?:digits|code|number) on the back|verification value",
    "ssn": r"social security|ssn|s s n|social (?:is|was|number)|(?:your|my|his|her|the|full) social$",
    "birth_date": "birth|birth ?dates?|birth ?days?|born|dob|d o b",
    "phone": "(?:tele)?phones?|mobile|cell(?:phone)?|landline|fax|whatsapp|call|calling|text|dial|ring|reach|sms"
    "|messages?|answering",
    "card": "cards?|cc|visa|mastercard|amex|american express|maestro|debit|credit",
    "account": "accounts?|acct|routing",
    None: "orders?|confirmation|reference|tracking|tickets?|case|booking|reservation|invoice|zip|postal|serial"
    "|model|items?|sku|policy|claim|licen[sc]e|passport|pin|code|id|version|social|flight|room|transaction",
}
"""The most telling first. None is what is not personal data."""
_NAMES: Final[list[tuple[Kind | None, re.Pattern[str]]]] = [
    (kind, re.compile(rf"\b(?:{pattern})\b")) for kind, pattern in _WORDS.items()
]
_TELLING: Final = frozenset(("ssn", "cvv"))
"""Kinds whose name directly behind a number is its name, too."""
_OTHER_THING: Final = re.compile(
    r"\b(?:on|with|for|under|to|from) (?:your|the|my|this|that) (?:account|card|order|file|profile)\b(?= \w)"
)
"""`the phone number on your account is`."""
_CALLED: Final = re.compile(r"(?:is|was|as) (?:your|the|my|his|her)\b")
_BUSINESS: Final = re.compile(
    r"\b(?:us|our|ours|their|them|its|stores?|shops?|restaurants?|hotels?|clinics?|branch|support|hotline|helpline"
    r"|department|customer (?:service|care)|cent(?:er|re)|toll free|place|venue|dentist|dr|doctor|therapist|stylist"
    r"|salon|company|property|apartment|agency|theat(?:er|re)|museum|airport)\b"
)
_ON_FILE: Final = re.compile(r"\byour (?:\w+ )?(?:number|phone|cell|mobile|landline)\b|\b(?:on file|profile)\b")
_OWN: Final = re.compile(r"\b(?:my (?:\w+ )?(?:number|phone|cell|mobile|account|profile|file)|mine|on file)\b")
_OF_PERSON: Final = re.compile(r"\b(?:your|my|mine|his|him|her|customer|caller|file|account|profile)\b")
_YOU_HAVE: Final = re.compile(r"\byou (?:have|got|see)\b")
_MAIL: Final = re.compile(r"\b(?:e ?-?)?mails?\b|\b(?:address|contact|reach|write|send|inbox)\b")
_PROVIDERS: Final = frozenset(
    names(
        "gmail yahoo hotmail outlook icloud aol proton protonmail msn live gmx comcast verizon rediffmail ymail zoho me"
    )
)
_NO_LOCAL_PARTS: Final = frozenset(
    names(
        "is are was us me you here there them it up out in on live look find found available visit online order shop "
        "store stay open more website site page web be now arrive"
    )
)
"""Before `at`, where a shop is."""


def kind_called(before: str, after: str, question: str) -> tuple[bool, Kind | None]:
    """Whether a number is called something, and what: by the nearest words before it, those behind, or the question."""
    before = _OTHER_THING.sub("", before)
    ends: list[tuple[int, Kind | None]] = [
        (found.end(), kind) for kind, pattern in _NAMES for found in pattern.finditer(before)
    ]
    if ends:
        return True, max(ends, key=lambda each: each[0])[1]
    is_called = _CALLED.match(after)
    for kind, pattern in _NAMES:
        if pattern.search(after) if is_called else kind in _TELLING and pattern.match(after):
            return True, kind
    for kind, pattern in _NAMES:
        if question and pattern.search(question):
            return True, kind
    return False, None


def is_of_business(sentence: str, question: str) -> bool:
    """Whether a telephone number is that of a shop or the like, which everybody may know."""
    if _ON_FILE.search(sentence) or _OWN.search(question):
        return False
    if _BUSINESS.search(sentence) or _BUSINESS.search(question):
        return True
    return bool(question) and _OF_PERSON.search(sentence) is None and _YOU_HAVE.search(question) is None


def is_address(local: str, domain: str, around: str) -> bool:
    """Whether `local at domain` is an e-mail address: shops are at addresses, too."""
    if local in _NO_LOCAL_PARTS:
        return False
    is_odd = re.search(r"[0-9._+-]", local) is not None
    return is_odd or domain.partition(".")[0] in _PROVIDERS or _MAIL.search(around) is not None

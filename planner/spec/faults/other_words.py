"""What people and other tools write for what plans call otherwise: keys, kinds of check, lengths of time, amounts of money."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

KEYS: Mapping[str, str] = MappingProxyType(
    {
        "agents": "targets",
        "all_of": "of",
        "any_of": "of",
        "args": "arguments",
        "assertions": "expect",
        "cases": "scenarios",
        "checks": "expect",
        "completion": "output",
        "contains": "any_of",
        "criteria": "rubric",
        "endpoint": "base_url",
        "expr": "cel",
        "expression": "cel",
        "from": "start",
        "input": "prompt",
        "instructions": "prompt",
        "name": "plan",
        "parameters": "arguments",
        "params": "arguments",
        "parts": "of",
        "pass_rate": "min_pass_rate",
        "pattern": "matches",
        "phrase": "any_of",
        "phrases": "any_of",
        "question": "rubric",
        "regex": "matches",
        "repeat": "runs",
        "repetitions": "runs",
        "role": "who",
        "settings": "defaults",
        "skip": "quarantine",
        "speaker": "who",
        "tests": "scenarios",
        "text": "any_of",
        "to": "end",
        "tool": "name",
        "url": "base_url",
        "variables": "vars",
        "words": "any_of",
        "xfail": "quarantine",
    }
)
"""What other tools call a key."""
KINDS: Mapping[str, str] = MappingProxyType(
    {
        "cel": "expression",
        "contains": "says",
        "doesnt_say": "never_says",
        "end_reason": "call",
        "llm": "judge",
        "max_duration": "duration",
        "never_say": "never_says",
        "no_says": "never_says",
        "no_tool": "tool_not_called",
        "not_called": "tool_not_called",
        "not_contains": "never_says",
        "not_say": "never_says",
        "not_says": "never_says",
        "phrase": "says",
        "pii": "no_pii",
        "price": "cost",
        "regex": "says",
        "rubric": "judge",
        "says_not": "never_says",
        "score": "grade",
        "semantic": "similar",
        "status": "call",
        "text": "says",
        "tool": "tool_called",
        "tool_not": "tool_not_called",
        "tools": "tool_called",
        "transfer": "call",
        "transferred": "call",
    }
)
"""What other tools call a kind of check, or what one may call the thing that it is about."""

WORDS: Mapping[str, str] = MappingProxyType(
    {
        "assistant": "agent",
        "credit_card": "card",
        "customer": "caller",
        "iban": "bank",
        "incoming": "inbound",
        "mail": "email",
        "outgoing": "outbound",
        "ssn": "identity",
        "user": "caller",
    }
)
"""What people write for one of a few words."""

LANGUAGE_CODE = "^[a-z]{2}$"
_LANGUAGES: Mapping[str, str] = MappingProxyType(
    {
        "arabic": "ar",
        "chinese": "zh",
        "czech": "cs",
        "danish": "da",
        "deutsch": "de",
        "dutch": "nl",
        "english": "en",
        "español": "es",
        "farsi": "fa",
        "finnish": "fi",
        "français": "fr",
        "french": "fr",
        "german": "de",
        "greek": "el",
        "hebrew": "he",
        "hindi": "hi",
        "indonesian": "id",
        "italian": "it",
        "japanese": "ja",
        "korean": "ko",
        "mandarin": "zh",
        "norwegian": "no",
        "persian": "fa",
        "polish": "pl",
        "portuguese": "pt",
        "romanian": "ro",
        "russian": "ru",
        "spanish": "es",
        "swedish": "sv",
        "tagalog": "tl",
        "thai": "th",
        "turkish": "tr",
        "ukrainian": "uk",
        "urdu": "ur",
        "vietnamese": "vi",
    }
)
_LOCALE = re.compile(r"([a-z]{2})(?:[-_][a-z0-9]{2,8})*")


def as_language(text: str) -> str | None:
    """The code of a language that was named, or written with its country."""
    word = text.strip().lower()
    if word in _LANGUAGES:
        return _LANGUAGES[word]
    locale = _LOCALE.fullmatch(word)
    return locale[1] if locale is not None else None


_SHARES = frozenset({"confidence", "max", "min", "min_pass_rate", "min_score", "min_share", "threshold"})
_PERCENT = 100
_LEAST_PERCENT = 5
"""Below this a number above 1 is hardly meant as one of percent."""
_QUANTITY = re.compile(r"([$€]?) ?([0-9]{1,9}(?:\.[0-9]{1,3})?) ?([A-Za-z¢%]*)")
_MOST_DOLLARS = 1_000_000
_GROUPED = re.compile(r"[0-9]{1,3}(?:([,_])[0-9]{3})(?:\1[0-9]{3})*")
_UNITS: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        "seconds": {"ms": 0.001, "s": 1, "sec": 1, "seconds": 1, "m": 60, "min": 60, "minutes": 60, "h": 3600},
        "ms": {"ms": 1, "s": 1000, "sec": 1000, "seconds": 1000},
        "cents": {"¢": 1, "c": 1, "ct": 1, "cents": 1, "$": 100, "usd": 100, "dollars": 100},
        "rate": {"%": 0.01},
    }
)
"""How people write what a key takes as a number, by the key's ending, and what one of it is in the key's unit."""
_UNIT_NAMES = {"seconds": "seconds", "ms": "milliseconds", "cents": "cents", "rate": "as a share of 1"}


def in_unit(key: str, value: Any) -> str:
    """A length of time or an amount of money as the number that its key takes, where one was written as people say it."""
    unit = next((unit for unit in _UNITS if key.endswith(f"_{unit}")), "rate" if key in _SHARES else None)
    if isinstance(value, str) and (grouped := _GROUPED.fullmatch(value.strip())) is not None:
        return f"; write {grouped[0].replace(grouped[1], '')}"
    if unit == "cents" and isinstance(value, float) and value.is_integer() and 0 <= value < _MOST_DOLLARS:
        return f"; for {value:.0f} cents write {value:.0f}, for {value:.0f} dollars {100 * value:.0f}"
    if unit == "cents" and isinstance(value, float):
        return f"; {value:g} dollars are {round(100 * value)}, and cents are whole" if 0 < value < _MOST_DOLLARS else ""
    found = _QUANTITY.fullmatch(value.strip()) if unit is not None and isinstance(value, str) else None
    if unit is None or found is None:
        return ""
    sign, number, word = found.groups()
    factor = _UNITS[unit].get((word or sign or "").lower())
    return "" if factor is None else f"; write {float(number) * factor:g} ({_UNIT_NAMES[unit]})"


def as_share(key: str, value: Any) -> str:
    """A share of 1 that was written in percent."""
    percent = isinstance(value, (int, float)) and _LEAST_PERCENT <= value <= _PERCENT and key in _SHARES
    return f"; {value:g} % is written {value / _PERCENT:g}" if percent else ""


_SECRETS = re.compile(r"(?i)api[_-]?key|access[_-]?(?:key|token)|auth[_-]?token|token|secret|password|authorization")


def of_a_key(key: str, model: str) -> str:
    """Where the key of a service belongs that was written in a file; nothing where `key` is no such key's."""
    if not _SECRETS.fullmatch(key):
        return ""
    variable = "PLANNER_JUDGE_API_KEY" if model == "JudgeFields" else "THUNDERPHONE_API_KEY"
    return f"keys are never in a file: set {variable} in the environment, and revoke one that was committed"

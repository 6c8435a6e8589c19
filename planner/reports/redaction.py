"""Redact results: phone numbers show only their last two digits, and the project's patterns are removed.

Any seven digits or more count as a phone number, with or without separators, or spoken in English. Exceptions are dates, ids of the
document's runs, hexadecimal digests and ids, and digits attached to a word (`W2378156`). In names, such as case ids, only ten digits
or a `+` make a phone number, so that order numbers stay readable.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from planner.evidence import LEFT_OUT, MASK, Evidence
from planner.results.model import (
    CaseDocument,
    FindingDocument,
    FreshDocument,
    OpenLaunch,
    QuoteDocument,
    RunDocument,
    RunResult,
)

_SHOWN_DIGITS = 2
_MIN_DIGITS_IN_TEXT = 7
_MIN_DIGITS_IN_NAME = 10

_GAP = r"[\s.()/·∙‐-―−\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069-]{0,3}"
_ALONE = rf"(?!{_GAP}\d)"
_KEPT = (
    r"(?<![0-9A-Za-z])[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![0-9A-Za-z])"  # a UUID
    r"|(?<![0-9A-Za-z])sha256:[0-9a-f]{64}(?![0-9A-Za-z])"  # a digest, also one of digits alone
    r"|(?<![0-9A-Za-z])(?:sha256:)?(?=[0-9]*[a-f])[0-9a-f]{8,64}(?![0-9A-Za-z])"  # a digest, a short id
    r"|(?<![0-9A-Za-z])20\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])T\d{6}(?:\d{3})?-[0-9a-f]{8}(?![0-9A-Za-z])"  # an invocation
    r"|(?<![\d+./-])(?:19|20)\d\d(?P<y>[-/.])(?:0[1-9]|1[0-2])(?P=y)(?:0[1-9]|[12]\d|3[01])"  # 2026-11-24, with its time
    rf"(?:[T ]\d\d?:\d\d(?::\d\d(?:\.\d+)?)?)?{_ALONE}"
    r"|(?<![\d+./-])(?:0?[1-9]|[12]\d|3[01])(?P<d>[-/.])(?:0?[1-9]|[12]\d|3[01])(?P=d)(?:19|20)\d\d"  # 24.11.2026
    rf"(?:[T ]\d\d?:\d\d(?::\d\d(?:\.\d+)?)?)?{_ALONE}"
    rf"|(?<![\d.])0\.\d+{_ALONE}"  # a share
)
_NUMBER = rf"(?P<plus>[+＋]{_GAP}\(?)?(?(plus)|(?<![0-9A-Za-z_]))\d(?:{_GAP}\d)+"
_DIGITS = re.compile(f"(?P<kept>{_KEPT})|(?P<number>{_NUMBER})")
_DIGIT = re.compile(r"\d")
_DIGIT_RUN = re.compile(r"\d+")

_WORDS_BY_WORTH = {
    0: "hundred|thousand",
    1: "zero|oh|o|nought|one|two|three|four|five|six|seven|eight|nine|double"
    "|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety",
    2: "ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen|triple",
}
_WORTH = {word: worth for worth, words in _WORDS_BY_WORTH.items() for word in words.split("|")}
"""How many digits a word represents."""
_OTHER_CASES = str.maketrans("ſıİ\N{KELVIN SIGN}", "siik")
"""Letters that match ASCII letters when case is ignored."""
_WORDS = "|".join(_WORTH)
_SPOKEN = re.compile(rf"\b(?:{_WORDS}|\d+)(?:[\s,.…‐-―-]+(?:{_WORDS}|\d+))+\b", re.IGNORECASE)
_SPOKEN_PART = re.compile(r"[^\W_]+")
_SPOKEN_WORD = re.compile(r"[^\W\d_]")
_ASCII_PART = re.compile(r"[0-9a-z]+")


class Pattern(Protocol):
    """A compiled expression, of `re` or RE2."""

    def sub(self, repl: str, string: str, /) -> str: ...


@dataclass(frozen=True, slots=True)
class Redactor:
    """`known_ids` are numbers that are not phone numbers."""

    patterns: tuple[Pattern, ...] = ()
    known_ids: frozenset[str] = frozenset()

    def text(self, text: str) -> str:
        """For prose, prompts and transcripts."""
        masked = self._mask(self._leave_out(text), _MIN_DIGITS_IN_TEXT)
        return _SPOKEN.sub(_mask_spoken, masked) if _may_be_spoken(masked) else masked

    def name(self, name: str) -> str:
        """For case ids, aliases, files and commands."""
        return self._mask(self._leave_out(name), _MIN_DIGITS_IN_NAME)

    def names(self, names: Iterable[str]) -> dict[str, str]:
        """The redacted form of each name; different names stay different (`…~2`)."""
        shown: dict[str, str] = {}
        taken: set[str] = set()
        for name in names:
            if name in shown:
                continue
            candidate = base = self.name(name)
            number = 1
            while candidate in taken:
                number += 1
                candidate = f"{base}~{number}"
            taken.add(candidate)
            shown[name] = candidate
        return shown

    def _leave_out(self, text: str) -> str:
        for pattern in self.patterns:
            text = pattern.sub(LEFT_OUT, text)
        return text

    def _mask(self, text: str, min_digits: int) -> str:
        if len(_DIGIT.findall(text)) < _MIN_DIGITS_IN_TEXT:
            return text

        def masked(found: re.Match[str]) -> str:
            number = found["number"]
            if number is None:
                return found[0]
            required = _MIN_DIGITS_IN_TEXT if found["plus"] else min_digits
            if len(_DIGIT.findall(number)) < required or self.known_ids.issuperset(_DIGIT_RUN.findall(number)):
                return number
            return mask_digits(number)

        return _DIGITS.sub(masked, text)


def mask_digits(number: str) -> str:
    """`(415) 555-0199` → `(•••) •••-••99`."""
    hidden = max(0, len(_DIGIT.findall(number)) - _SHOWN_DIGITS)
    return _DIGIT.sub(MASK, number, count=hidden) if hidden else number


def redact(result: RunResult, patterns: Sequence[Pattern] = ()) -> RunResult:
    """The document to render and upload. Case ids stay unique. Judging needs the original document."""
    redactor = Redactor(tuple(patterns), _ids(result))
    names = redactor.names(
        [
            *(case.case_id for case in result.cases),
            *(case.case_id for case in result.dropped),
            *(case_id for launch in result.open_launches for case_id in launch.cases),
        ]
    )
    return result.model_copy(
        update={
            "problems": [redactor.text(line) for line in result.problems],
            "warnings": [redactor.text(line) for line in result.warnings],
            "next_steps": [redactor.name(line) for line in result.next_steps],
            "environment": redactor.name(result.environment),
            "fresh": _fresh(result.fresh, redactor),
            "consent": result.consent.model_copy(update={"by": redactor.text(result.consent.by)}),
            "plans": [redactor.name(plan) for plan in result.plans],
            "cases": [_case(case, names, redactor) for case in result.cases],
            "dropped": [
                dropped.model_copy(update={"case_id": names[dropped.case_id], "reason": redactor.text(dropped.reason)})
                for dropped in result.dropped
            ],
            "open_launches": [_launch(launch, names, redactor) for launch in result.open_launches],
            "cost": result.cost.model_copy(update={"estimate_basis": redactor.text(result.cost.estimate_basis)}),
        }
    )


def redact_conversation(evidence: Evidence, redactor: Redactor) -> Evidence:
    """Redact the turns only. The rest of the evidence must not be shown."""
    if evidence.turns is None:
        return evidence
    texts = [redactor.text(turn.text) for turn in evidence.turns]
    turns = tuple(
        turn if turn.text == text else turn.model_copy(update={"text": text})
        for turn, text in zip(evidence.turns, texts, strict=True)
    )
    return evidence.model_copy(update={"turns": turns})


def _case(case: CaseDocument, names: dict[str, str], redactor: Redactor) -> CaseDocument:
    number = case.inputs.target_number
    inputs = case.inputs.model_copy(
        update={
            "prompt": redactor.text(case.inputs.prompt),
            "target_number": None if number is None else mask_digits(number),
        }
    )
    return case.model_copy(
        update={
            "case_id": names[case.case_id],
            "plan": redactor.name(case.plan),
            "scenario": redactor.name(case.scenario),
            "target": redactor.name(case.target),
            "tags": [redactor.name(tag) for tag in case.tags],
            "file": redactor.name(case.file),
            "detail": redactor.text(case.detail),
            "outcome_reason": redactor.text(case.outcome_reason),
            "quarantine": case.quarantine
            and case.quarantine.model_copy(update={"reason": redactor.text(case.quarantine.reason)}),
            "inputs": inputs,
            "fresh": _fresh(case.fresh, redactor),
            "runs": [_run(run, redactor) for run in case.runs],
        }
    )


def _run(run: RunDocument, redactor: Redactor) -> RunDocument:
    reason, quote = redactor.text(run.reason), _quote(run.fault_quote, redactor)
    findings = [_finding(finding, redactor) for finding in run.findings]
    label = run.agent_variant_label and redactor.text(run.agent_variant_label)
    if (reason, quote, findings, label) == (run.reason, run.fault_quote, run.findings, run.agent_variant_label):
        return run  # saves memory
    return run.model_copy(
        update={"reason": reason, "fault_quote": quote, "findings": findings, "agent_variant_label": label}
    )


def _fresh(fresh: FreshDocument | None, redactor: Redactor) -> FreshDocument | None:
    if fresh is None:
        return None
    return fresh.model_copy(update={"reason": redactor.text(fresh.reason), "by": redactor.text(fresh.by)})


def _finding(finding: FindingDocument, redactor: Redactor) -> FindingDocument:
    message, quote = redactor.text(finding.message), _quote(finding.quote, redactor)
    if (message, quote) == (finding.message, finding.quote):
        return finding
    return finding.model_copy(update={"message": message, "quote": quote})


def _quote(quote: QuoteDocument | None, redactor: Redactor) -> QuoteDocument | None:
    if quote is None or (text := redactor.text(quote.text)) == quote.text:
        return quote
    return quote.model_copy(update={"text": text})


def _launch(launch: OpenLaunch, names: dict[str, str], redactor: Redactor) -> OpenLaunch:
    cases = [names[case_id] for case_id in launch.cases]
    return launch.model_copy(update={"cases": cases, "detail": redactor.text(launch.detail)})


def _ids(result: RunResult) -> frozenset[str]:
    ids: set[int | None] = set()
    for case in result.cases:
        ids.add(case.inputs.target_id)
        for run in case.runs:
            ids |= {run.run_id, run.batch_id, run.call_id}
    return frozenset(str(number) for number in ids if number is not None)


def _may_be_spoken(text: str) -> bool:
    """A fast check that is nearly always False: whether the text has words for enough digits. Always True for non-ASCII text, whose
    letters may match ASCII letters when case is ignored."""
    if not text.isascii():
        return True
    words = _ASCII_PART.findall(text.lower())
    if _WORTH.keys().isdisjoint(words):
        return False
    return sum(len(word) if word.isdigit() else _WORTH.get(word, 0) for word in words) >= _MIN_DIGITS_IN_TEXT


def _mask_spoken(found: re.Match[str]) -> str:
    """Mask the words of a spoken number, except those of the last two digits. `_mask` handles digits without words."""
    spoken = found[0]
    worths = [_worth(word) for word in _SPOKEN_PART.findall(spoken)]
    if sum(worths) < _MIN_DIGITS_IN_TEXT or _SPOKEN_WORD.search(spoken) is None:
        return spoken
    left = sum(worths)

    def masked(part: re.Match[str]) -> str:
        nonlocal left
        hidden, worth = left > _SHOWN_DIGITS, _worth(part[0])
        left -= worth
        return MASK * max(1, worth) if hidden else part[0]

    return _SPOKEN_PART.sub(masked, spoken)


def _worth(word: str) -> int:
    return len(word) if word.isdigit() else _WORTH[word.translate(_OTHER_CASES).lower()]

"""Redact results and evidence: phone numbers show only their last two digits, and the project's patterns are removed.

Any seven digits or more count as a phone number, with or without separators, or spoken in English. Exceptions are
dates, amounts of dollars, ids of the document's runs, values of a field whose name says that it is an id (`item_ids`),
hexadecimal digests and ids, and digits attached to a word (`W2378156`). In names, such as case ids, only ten digits or
a `+` make a phone number, so that order numbers stay readable.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeVar, cast

from pydantic import BaseModel

from planner.evidence import LEFT_OUT, MASK, Call, Evidence, Grade, Issue, RedactedPart, ToolCall, Turn
from planner.results.agent_documents import AgentDocument, FieldDocument
from planner.results.judge_documents import CalibrationDocument, JudgeDocument
from planner.results.model import (
    AcceptedSession,
    CaseInputs,
    CaseResult,
    DroppedCase,
    Finding,
    JudgedRun,
    OpenLaunch,
    PreviewDocument,
    QuarantineDocument,
    Quote,
    RunResult,
    StartOverDocument,
    SuiteDocument,
)
from planner.results.money_documents import ConsentDocument, CostDocument
from planner.results.next_steps import NextStep
from planner.secret_values import mask_secrets, without_credentials
from planner.values import frozen

_SHOWN_DIGITS = 2
_MIN_DIGITS_IN_TEXT = 7
_MIN_DIGITS_IN_NAME = 10

_GAP = r"[\s.()/·∙‐-―−\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069-]{0,3}"


def _date(group: str) -> str:
    """`2026-11-24` or `24.11.2026`, perhaps with a time. `group` makes the names of its groups unique."""
    time = r"(?:[T ]\d\d?:\d\d(?::\d\d(?:\.\d+)?)?)?(?![-/.]?\d)"
    day, month = r"(?:0?[1-9]|[12]\d|3[01])", r"(?:0[1-9]|1[0-2])"
    year_first = rf"(?:19|20)\d\d(?P<{group}y>[-/.]){month}(?P={group}y)(?:0[1-9]|[12]\d|3[01])"
    year_last = rf"{day}(?P<{group}d>[-/.]){day}(?P={group}d)(?:19|20)\d\d"
    return rf"(?<![\d+./-])(?:{year_first}|{year_last}){time}"


_ID_NAME = r"(?!caller|phone)[A-Za-z_]{0,40}(?:(?<![A-Za-z])(?i:id)|Id)s?"
"""The name of a field that holds ids: `item_ids`, `orderId`. The id of a caller may be a phone number."""
_KEPT = (
    r"(?<![0-9A-Za-z])[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![0-9A-Za-z])"  # a UUID
    r"|(?<![0-9A-Za-z])sha256:[0-9a-f]{64}(?![0-9A-Za-z])"  # a digest, also one of digits alone
    r"|(?<![0-9A-Za-z])(?P<folder>[0-9a-f]{2})/(?P=folder)[0-9a-f]{62}(?![0-9A-Za-z])"  # a file of a store
    r"|(?<![0-9A-Za-z])(?:sha256:)?(?=[0-9]*[a-f])[0-9a-f]{8,64}(?![0-9A-Za-z])"  # a digest, a short id
    # A session:
    r"|(?<![0-9A-Za-z])20\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])T\d{6}(?:\d{3})?-[0-9a-f]{8}(?![0-9A-Za-z])"
    "|" + _date("kept_") + r"|(?<![\w$])\$\d[\d,]*(?:\.\d+)?"  # an amount
    rf"|(?<![0-9A-Za-z_]){_ID_NAME}[\"']?[:=] ?\[?(?:[\"']?\d+[\"']?(?:, )?)+"  # `item_ids: ["1151293680"]`
    rf"|(?<![\d.])0\.\d+(?!{_GAP}\d)"  # a share
)
_NUMBER = rf"(?P<plus>[+＋]{_GAP}\(?)?(?(plus)|(?<![0-9A-Za-z_]))\d(?:{_GAP}(?(plus)|(?!{_date('next_')}))\d)+"
_DIGITS = re.compile(f"(?P<kept>{_KEPT})|(?P<number>{_NUMBER})")
_ID_FIELD = re.compile(_ID_NAME)
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


class Pattern(Protocol):
    """A compiled expression, of `re` or RE2."""

    def sub(self, repl: str, string: str, /) -> str: ...


@frozen
class Redactor:
    """`known_ids` are numbers that are not phone numbers."""

    patterns: tuple[Pattern, ...] = ()
    known_ids: frozenset[str] = frozenset()

    def text(self, text: str) -> str:
        """For prose, prompts and transcripts."""
        return _SPOKEN.sub(_mask_spoken, self._mask(self._leave_out(text), _MIN_DIGITS_IN_TEXT))

    def name(self, name: str) -> str:
        """For case ids, aliases, files and commands."""
        return self._mask(self._leave_out(name), _MIN_DIGITS_IN_NAME)

    def names(self, names: Iterable[str]) -> dict[str, str]:
        """The redacted form of each name; different names stay different (`…~2`)."""
        return distinct(names, self.name)

    def _leave_out(self, text: str) -> str:
        text = without_credentials(text)
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


def distinct(texts: Iterable[str], redacted: Callable[[str], str]) -> dict[str, str]:
    """The redacted form of each text; different strings stay different (`…~2`)."""
    shown: dict[str, str] = {}
    taken: set[str] = set()
    for text in dict.fromkeys(texts):
        candidate = base = redacted(text)
        number = 1
        while candidate in taken:
            number += 1
            candidate = f"{base}~{number}"
        taken.add(candidate)
        shown[text] = candidate
    return shown


def mask_digits(number: str) -> str:
    """`(415) 555-0199` → `(•••) •••-••99`."""
    hidden = max(0, len(_DIGIT.findall(number)) - _SHOWN_DIGITS)
    return _DIGIT.sub(MASK, number, count=hidden) if hidden else number


def redact(result: RunResult, patterns: Sequence[Pattern] = ()) -> RunResult:
    """The document to render and upload. Case ids stay unique. Judging needs the original document."""
    redactor = Redactor(tuple(patterns), _ids(result))
    ids = [*(case.case_id for case in result.cases), *(case.case_id for case in result.dropped)]
    names = redactor.names([*ids, *(case_id for launch in result.open_launches for case_id in launch.cases)])
    return redact_fields(result, FIELDS, how_to_redact(redactor, names.__getitem__))


def redact_case(case: CaseResult, redactor: Redactor) -> CaseResult:
    """One case as a shared store holds it."""
    return redact_fields(case, FIELDS, how_to_redact(redactor))


def how_to_redact(redactor: Redactor, case_id: Callable[[str], str] | None = None) -> dict[str, Callable[[Any], Any]]:
    """What `redact_fields` does to each kind of field."""
    return {
        "text": redactor.text,
        "name": redactor.name,
        "number": mask_digits,
        "case": case_id or redactor.name,
        "value": lambda value: redact_value(value, redactor),
    }


Fields = Mapping[type[BaseModel], Mapping[str, tuple[str, ...]]]
"""The fields of documents by how they are redacted; `document` stands for field by field."""

FIELDS: Fields = {
    RunResult: {
        "text": ("problems", "warnings"),
        "name": ("environment", "plans", "workflow"),
        "document": (
            "next_steps",
            "start_over",
            "consent",
            "cases",
            "dropped",
            "open_launches",
            "previews",
            "agents",
            "cost",
            "judge",
            "suite",
        ),
    },
    SuiteDocument: {"document": ("accepted",)},
    AcceptedSession: {"text": ("by", "reason")},
    JudgeDocument: {"document": ("calibration", "rubrics")},
    CalibrationDocument: {"text": ("rubric",)},
    NextStep: {"name": ("text", "command")},
    CaseResult: {
        "case": ("case_id",),
        "name": ("plan", "scenario", "target", "tags", "file"),
        "text": ("detail", "outcome_reason", "expected"),
        "document": ("quarantine", "inputs", "start_over", "runs", "confirmation"),
    },
    CaseInputs: {"text": ("prompt",), "number": ("target_number",)},
    JudgedRun: {"text": ("reason", "agent_variant_label"), "document": ("cause_quote", "findings")},
    Finding: {"text": ("message",), "document": ("quote",)},
    Quote: {"text": ("text",)},
    QuarantineDocument: {"text": ("reason",)},
    StartOverDocument: {"text": ("reason", "by")},
    ConsentDocument: {"text": ("by",)},
    CostDocument: {"text": ("estimate_basis",)},
    DroppedCase: {"case": ("case_id",), "text": ("reason",)},
    OpenLaunch: {"case": ("cases",), "text": ("detail",)},
    PreviewDocument: {"name": ("target", "changes")},
    AgentDocument: {"name": ("target", "config"), "document": ("changes", "drift")},
    FieldDocument: {"text": ("field",), "value": ("before", "after")},
}
_Document = TypeVar("_Document", bound=BaseModel)


def redact_fields(document: _Document, fields: Fields, how: Mapping[str, Callable[[Any], Any]]) -> _Document:
    """A copy with redacted fields; the same object if nothing changes, which saves memory. Other fields stay."""

    def redacted(value: Any, kind: str) -> Any:
        if isinstance(value, list | tuple) and kind != "value":
            shown = [redacted(item, kind) for item in cast("Sequence[Any]", value)]
            return shown if isinstance(value, list) else tuple(shown)
        return redact_fields(cast("BaseModel", value), fields, how) if kind == "document" else how[kind](value)

    changed: dict[str, Any] = {}
    for kind, names in fields[type(document)].items():
        for name in names:
            value: Any = getattr(document, name)
            shown = None if value is None else redacted(value, kind)
            if shown is not value and shown != value:
                changed[name] = shown
    return document.model_copy(update=changed) if changed else document


_EVIDENCE_FIELDS: Fields = {
    Evidence: {"document": ("turns", "tools", "call", "grade"), "text": ("error_message",)},
    Turn: {"text": ("text",)},
    ToolCall: {"text": ("name",), "value": ("arguments", "result")},
    Call: {"text": ("transferred_to", "variant_label"), "value": ("document",)},
    Grade: {"text": ("summary", "outcome_reasoning", "goal_reasoning", "rubric"), "document": ("titles",)},
    Issue: {"text": ("title", "severity")},
}


def redact_evidence(evidence: Evidence, patterns: Sequence[Pattern] = ()) -> Evidence:
    """Redact evidence at any depth. `redacted` names the changed parts, so that no check judges a mask."""
    ids = frozenset(str(number) for number in (evidence.run_id, evidence.call_id) if number is not None)
    redactor = Redactor(tuple(patterns), ids)
    found = redact_fields(
        evidence, _EVIDENCE_FIELDS, {"text": redactor.text, "value": lambda value: redact_value(value, redactor)}
    )
    if found is evidence:
        return evidence
    changed: dict[RedactedPart, bool] = {
        "turns": found.turns != evidence.turns,
        "tools": found.tools != evidence.tools,
        "transferred_to": (found.call and found.call.transferred_to)
        != (evidence.call and evidence.call.transferred_to),
        "document": (found.call and found.call.document) != (evidence.call and evidence.call.document),
        "grade": found.grade != evidence.grade,
        "error_message": found.error_message != evidence.error_message,
    }
    parts = (part for part, is_changed in changed.items() if is_changed)
    return found.model_copy(update={"redacted": tuple(dict.fromkeys((*evidence.redacted, *parts)))})


def redact_value(value: object, redactor: Redactor) -> Any:
    """Redacts a JSON value. A number that looks like a phone number becomes a string; secrets are masked."""
    return _redact_value(mask_secrets(value), redactor)


def _redact_value(value: object, redactor: Redactor) -> Any:
    match value:
        case str():
            return redactor.text(value)
        case bool() | None:
            return value
        case int() | float():
            written = str(int(value)) if isinstance(value, int) or value.is_integer() else str(value)
            shown = redactor.text(written)
            return value if shown == written else shown
        case Mapping():
            fields = cast("Mapping[str, object]", value)
            names = distinct(fields, redactor.text)
            return {
                names[key]: item if _is_id(key, item) else _redact_value(item, redactor) for key, item in fields.items()
            }
        case list() | tuple():
            return [_redact_value(item, redactor) for item in cast("Sequence[object]", value)]
        case _:
            return redactor.text(str(value))


def _is_id(name: str, value: object) -> bool:
    """Whether a field holds ids of digits alone: one, or a list of them."""
    values = cast("Sequence[object]", value) if isinstance(value, list | tuple) else [value]
    return _ID_FIELD.fullmatch(name) is not None and all(str(item).isdecimal() for item in values)


def _ids(result: RunResult) -> frozenset[str]:
    ids: set[int | None] = set()
    for case in result.cases:
        ids.add(case.inputs.target_id)
        for run in case.runs:
            ids |= {run.run_id, run.batch_id, run.call_id}
    return frozenset(str(number) for number in ids if number is not None)


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

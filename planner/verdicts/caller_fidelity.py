"""Detect test bots that did not do what their prompt says, by the rules of docs/callers.md.

Such a call shows nothing about the agent, whether it passed or failed. Each rule has an innocent explanation in mind: a
caller may correct itself, invent what it was not told, or repeat itself to an agent that does not listen.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from planner.checks.edits import fewest_edits
from planner.checks.judgement import Quote, shown
from planner.checks.phrases import padded_words
from planner.checks.spoken.agent_words import digit_rows, squeezed
from planner.evidence import Evidence, Role, Turn
from planner.verdicts.attribution import CallerCause

_LEAST_SILENT_MS: Final = 10_000
"""A caller that never spoke had time to speak in a call of this length, if the agent spoke at least twice."""
_LEAST_REPEATS: Final = 3
_LEAST_REPEATED_WORDS: Final = 4
_LEAST_CODE: Final = 5
"""Shorter numbers of a prompt may be years, prices or times, which callers say in many ways."""
_MOST_DIFFERENCES: Final = 2
_SAID_TO_BE_SILENT: Final = re.compile(
    r"\b(?:silen(?:t|ce|tly)|say nothing|quiet|mute|hang up|voicemail"
    r"|(?:do not|don't|never|without) (?:say|speak|talk|answer|respond)\w*)",
    re.IGNORECASE,
)
_SAID_TO_REPEAT: Final = re.compile(
    r"\b(?:again|repeat\w*|insist\w*|keep\w*|same|times|twice|persist\w*|over and over|stubborn\w*)\b", re.IGNORECASE
)
_CODE: Final = re.compile(r"(?<![\w.,$€£])(?=[A-Z-]*\d)[A-Z0-9](?:[A-Z0-9-]*[A-Z0-9])?(?![\w%])")


def broken_caller(evidence: Evidence, prompt: str) -> CallerCause | None:
    """How the test bot did not follow its prompt; None if it did, if that is not clear, or without a transcript."""
    turns = [turn for turn in evidence.turns or () if turn.role is not Role.TOOL and turn.text.strip()]
    caller = [turn for turn in turns if turn.role is Role.CALLER]
    agent = [turn for turn in turns if turn.role is Role.AGENT]
    if not prompt.strip() or not turns:
        return None
    if not caller:
        return _never_spoke(evidence, agent, prompt)
    return _wrong_code(caller, agent, prompt) or _loop(turns, prompt)


def _never_spoke(evidence: Evidence, agent: Sequence[Turn], prompt: str) -> CallerCause | None:
    seconds = None if evidence.call is None else evidence.call.duration_seconds
    had_time = seconds is not None and seconds * 1000 >= _LEAST_SILENT_MS and len(agent) > 1
    if not had_time or _SAID_TO_BE_SILENT.search(prompt):
        return None
    return CallerCause(f"the caller never spoke in {seconds:g} s", None)


def _wrong_code(caller: Sequence[Turn], agent: Sequence[Turn], prompt: str) -> CallerCause | None:
    """The caller never said a number or code of its prompt, but one that is nearly the same and that nobody gave it."""
    said = "".join(squeezed(turn.text) for turn in caller)
    given = {squeezed(code[0]) for code in _CODE.finditer(prompt)}
    for code in sorted(each for each in given if len(each) >= _LEAST_CODE and each not in said):
        for turn in caller:
            told = " ".join(map(squeezed, [prompt, *(each.text for each in agent if each.number < turn.number)]))
            for other in _values_like(code, turn.text):
                if other not in told and 0 < fewest_edits(code, other) <= _MOST_DIFFERENCES:
                    what = f"said {other.upper()} instead of {code.upper()}"
                    return CallerCause(f"the caller {what} at turn {turn.number}", Quote.of(turn))
    return None


def _values_like(code: str, text: str) -> Iterator[str]:
    """The numbers in a text, or the parts that may be a code of letters and digits, of nearly the same length."""
    if code.isdigit():
        yield from (row for row in digit_rows(text) if abs(len(row) - len(code)) <= 1)
        return
    whole = squeezed(text)
    parts = (whole[start : start + len(code)] for start in range(len(whole) - len(code) + 1))
    shape = re.sub(r"\d", "0", re.sub(r"[a-z]", "a", code))
    yield from (part for part in parts if re.sub(r"\d", "0", re.sub(r"[a-z]", "a", part)) == shape)


def _loop(turns: Sequence[Turn], prompt: str) -> CallerCause | None:
    """The caller repeated itself word by word, although the agent answered something else each time."""
    if _SAID_TO_REPEAT.search(prompt):
        return None
    last: dict[str, list[int]] = {}
    for place, turn in enumerate(turns):
        if turn.role is not Role.CALLER:
            continue
        text = " ".join(_words_of(turn.text))
        places = [*last.get(text, []), place]
        last = {text: places}  # only the same words in a row
        if len(_words_of(text)) < _LEAST_REPEATED_WORDS:
            continue
        answers = [" ".join(_answers(turns[before:after])) for before, after in pairwise(places)]
        if len(places) >= _LEAST_REPEATS and all(answers) and len(set(answers)) == len(answers):
            what = f"repeated {shown(turn.text)} {len(places)} times"
            return CallerCause(f"the caller {what}, whatever the agent answered", Quote.of(turn))
    return None


def _answers(turns: Sequence[Turn]) -> Iterator[str]:
    return (" ".join(_words_of(turn.text)) for turn in turns if turn.role is Role.AGENT)


def _words_of(text: str) -> list[str]:
    return padded_words(text, fold=True).split()

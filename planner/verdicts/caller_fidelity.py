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
from planner.checks.spoken.numbers import names
from planner.evidence import Evidence, Role, Turn
from planner.verdicts.attribution import CallerCause
from planner.verdicts.caller_request import another_day, forgotten_request

_LEAST_SILENT_MS: Final = 10_000
"""A caller that never spoke had time to speak in a call of this length, if the agent spoke at least twice."""
_LEAST_REPEATS: Final = 3
_LEAST_REPEATED_WORDS: Final = 4
_LEAST_ECHOES: Final = 2
_LEAST_READ_WORDS: Final = 5
_LEAST_CODE: Final = 5
"""Shorter numbers of a prompt may be years, prices or times, which callers say in many ways."""
_MOST_DIFFERENCES: Final = 2
_LEAST_GIBBERISH_WORDS: Final = 6
_MOST_KNOWN_SHARE: Final = 0.2
"""Of the words of gibberish, at most this share is known."""

_SMALL_TALK: Final = frozenset(
    names(
        "a absolutely afternoon ah all alright am and are bye cool day evening everything excellent fine for good "
        "goodbye got great hello hey hi hm hmm how i i'm is it it's just lovely ma'am mhm mm mm-hmm mmhm morning much "
        "never nice no nope not of oh ok okay perfect please quite really right see shall sir so sorry sure take care "
        "thank thanks that that's the then there this today too uh uh-huh uhm um very welcome well wonderful yeah yep "
        "yes you your"
    )
)
"""Greetings, thanks and acknowledgements: words that ask for nothing."""
_COMMON: Final = _SMALL_TALK | frozenset(
    names(
        "about after again an any as at back be because been before but by call can could did do does don't down each "
        "from get give go had has have he help her here him his if in into know let like long look made make many may "
        "me more my name need new now number on one only or order other our out over people problem say she should "
        "some still tell than their them they thing think time to two up use want was way we week went were what when "
        "where which while who why will with work would year"
    )
)
_SAID_TO_ASK: Final = re.compile(
    r"\b(?:ask\w*|find out|request\w*|demand\w*|enquir\w*|inquir\w*|questions?|want to know|like to know)\b",
    re.IGNORECASE,
)
_SAID_TO_BE_SILENT: Final = re.compile(
    r"\b(?:silen(?:t|ce|tly)|say nothing|quiet|mute|hang up|voicemail"
    r"|(?:do not|don't|never|without) (?:say|speak|talk|answer|respond)\w*)",
    re.IGNORECASE,
)
_SAID_TO_REPEAT: Final = re.compile(
    r"\b(?:again|repeat\w*|insist\w*|keep\w*|same|times|twice|persist\w*|over and over|stubborn\w*)\b", re.IGNORECASE
)
_SENTENCES: Final = re.compile(r"(?<=[.!?])\s+")
_INSTRUCTION: Final = re.compile(r"(?:ask|find out|inquire|request|you (?:are|want|need|should))\b", re.IGNORECASE)
_PLACEHOLDER: Final = re.compile(
    r"\{\{|[\[{<](?:insert|your|customer|caller|user)[ _]"
    r"|\b(?:insert|enter) (?:\w+ )?(?:name|number|date|address|amount) here\b"
    r"|\b(?:customer|caller|user|order|phone|account) underscore (?:name|number|id)\b",
    re.IGNORECASE,
)
_OTHER_LANGUAGE: Final = re.compile(
    r"\b(?:language|gibberish|nonsense|mumble|accent|spanish|french|german|italian|portuguese|dutch|polish|russian"
    r"|turkish|arabic|hindi|chinese|mandarin|cantonese|japanese|korean|vietnamese|tagalog|swedish|danish|norwegian)\b",
    re.IGNORECASE,
)
_CODE: Final = re.compile(r"(?<![\w.,$€£])(?=[A-Z-]*\d)[A-Z0-9](?:[A-Z0-9-]*[A-Z0-9])?(?![\w%])")
_NAME: Final = r"(?P<name>[A-Z][\w'’-]+(?: [A-Z][\w'’-]+)*)"
_OWN_NAME: Final = re.compile(
    rf"(?:\b[Yy]our name is|\b[Yy]ou are|\b[Yy]ou're) {_NAME}(?=\s*(?:[.,;:(]|$|and\b|who\b|from\b))"
)
_NAME_IN_SENTENCE: Final = re.compile(r"(?<=[a-z,] )[A-Z][a-z]+")
_GIVEN_NAME: Final = re.compile(rf"\b(?:[Mm]y name is|[Mm]y name's|[Tt]he name is|[Tt]he name's) {_NAME}")
_INTRODUCTION: Final = re.compile(
    r"\b(?:[Tt]his is|I'm|I am) (?P<name>[A-Z][\w-]+(?: [A-Z][\w-]+(?!')|(?= (?:speaking|calling|here)\b)))"
)
"""A first and a last name; one name only before a word that shows that it is one."""


def broken_caller(evidence: Evidence, prompt: str) -> CallerCause | None:
    """How the test bot did not follow its prompt; None if it did, if that is not clear, or without a transcript."""
    turns = [turn for turn in evidence.turns or () if turn.role is not Role.TOOL and turn.text.strip()]
    caller = [turn for turn in turns if turn.role is Role.CALLER]
    agent = [turn for turn in turns if turn.role is Role.AGENT]
    if not prompt.strip() or not turns:
        return None
    if not caller:
        return _never_spoke(evidence, agent, prompt)
    return (
        _asked_nothing(caller, agent, prompt)
        or _gibberish(caller, agent, prompt)
        or _wrong_code(caller, agent, prompt)
        or _wrong_name(caller, agent, prompt)
        or _loop(turns, prompt)
        or _echo(turns, prompt)
        or _placeholder(caller)
        or _read_aloud(caller, prompt)
        or _another_thing(caller, agent, prompt)
    )


def _never_spoke(evidence: Evidence, agent: Sequence[Turn], prompt: str) -> CallerCause | None:
    seconds = None if evidence.call is None else evidence.call.duration_seconds
    had_time = seconds is not None and seconds * 1000 >= _LEAST_SILENT_MS and len(agent) > 1
    if not had_time or _SAID_TO_BE_SILENT.search(prompt):
        return None
    return CallerCause(f"the caller never spoke in {seconds:g} s", None)


def _asked_nothing(caller: Sequence[Turn], agent: Sequence[Turn], prompt: str) -> CallerCause | None:
    """The caller should ask, and only greeted, thanked and agreed, with names that the agent said."""
    if not agent or not _SAID_TO_ASK.search(prompt) or _SAID_TO_BE_SILENT.search(prompt):
        return None
    names_said = {name.lower() for turn in agent for name in _NAME_IN_SENTENCE.findall(turn.text)}
    if _words(caller) - _SMALL_TALK - names_said:
        return None
    return CallerCause(f"the caller asked nothing: it only said {shown(_said(caller))}", Quote.of(caller[0]))


def _gibberish(caller: Sequence[Turn], agent: Sequence[Turn], prompt: str) -> CallerCause | None:
    words = [word for turn in caller for word in _words_of(turn.text)]
    if len(words) < _LEAST_GIBBERISH_WORDS or not _is_english(prompt):
        return None
    known = _COMMON | _words(agent) | set(_words_of(prompt))
    if sum(word in known for word in words) > _MOST_KNOWN_SHARE * len(words):
        return None
    return CallerCause(f"nobody can understand the caller: it said {shown(_said(caller))}", Quote.of(caller[0]))


def _is_english(prompt: str) -> bool:
    """Whether the prompt is English and names no other language."""
    return len(set(_words_of(prompt)) & _COMMON) > 1 and not _OTHER_LANGUAGE.search(prompt)


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


def _wrong_name(caller: Sequence[Turn], agent: Sequence[Turn], prompt: str) -> CallerCause | None:
    """The prompt gives the caller a name, and it gave another one that is not in the prompt."""
    own = _OWN_NAME.search(prompt)
    if own is None:
        return None
    says_own = not _words(caller).isdisjoint(_words_of(own["name"]))
    for turn in caller:
        given = _GIVEN_NAME.search(turn.text) or (None if says_own else _INTRODUCTION.search(turn.text))
        told = {*_words_of(prompt), *_words([each for each in agent if each.number < turn.number])}
        if given and told.isdisjoint(_words_of(given["name"])):
            what = f"called itself {shown(given['name'])} instead of {own['name']}"
            return CallerCause(f"the caller {what} at turn {turn.number}", Quote.of(turn))
    return None


def _echo(turns: Sequence[Turn], prompt: str) -> CallerCause | None:
    """The caller repeated what the agent had just said, or its last sentences, word by word."""
    if _SAID_TO_REPEAT.search(prompt):
        return None
    repeated = [
        turn
        for before, turn in pairwise(turns)
        if turn.role is Role.CALLER and before.role is Role.AGENT
        if len(_words_of(turn.text)) >= _LEAST_REPEATED_WORDS and _words_of(turn.text) in _last_sentences(before.text)
    ]
    if len(repeated) < _LEAST_ECHOES:
        return None
    return CallerCause(f"the caller repeated the agent's words {len(repeated)} times", Quote.of(repeated[0]))


def _last_sentences(text: str) -> list[list[str]]:
    """The words of the last sentence, of the last two, and so on."""
    sentences = _SENTENCES.split(text)
    return [_words_of(" ".join(sentences[start:])) for start in range(len(sentences))]


def _placeholder(caller: Sequence[Turn]) -> CallerCause | None:
    """The caller said the name of a value instead of the value."""
    for turn in caller:
        if _PLACEHOLDER.search(turn.text):
            return CallerCause(f"the caller said a placeholder: {shown(turn.text)}", Quote.of(turn))
    return None


def _read_aloud(caller: Sequence[Turn], prompt: str) -> CallerCause | None:
    """The caller said an instruction of its prompt instead of following it."""
    instructions = [_words_of(each) for each in _SENTENCES.split(prompt) if _INSTRUCTION.match(each)]
    for turn in caller:
        said = f" {' '.join(_words_of(turn.text))} "
        if any(len(words) >= _LEAST_READ_WORDS and f" {' '.join(words)} " in said for words in instructions):
            return CallerCause(f"the caller read its prompt aloud: {shown(turn.text)}", Quote.of(turn))
    return None


def _another_thing(caller: Sequence[Turn], agent: Sequence[Turn], prompt: str) -> CallerCause | None:
    if not _is_english(prompt) or _SAID_TO_BE_SILENT.search(prompt):
        return None
    return another_day(caller, agent, prompt) or forgotten_request(caller, agent, prompt)


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


def _words(turns: Sequence[Turn]) -> set[str]:
    return {word for turn in turns for word in _words_of(turn.text)}


def _said(caller: Sequence[Turn]) -> str:
    return " ".join(turn.text for turn in caller)

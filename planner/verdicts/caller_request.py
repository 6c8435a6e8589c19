"""What a caller asked for, compared with its prompt: another day, or only a part of it.

A caller may ask in its own words, so words are compared by their beginnings and by topic.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from planner.checks.judgement import Quote, shown
from planner.checks.phrases import padded_words
from planner.checks.spoken.numbers import names
from planner.evidence import Turn
from planner.verdicts.attribution import CallerCause

_STEM: Final = 4
"""Words that begin alike count as one."""
_LEAST_OF_REQUEST: Final = 2
"""The fewest words with a meaning: fewer say too little of what was asked."""

_FUNCTION_WORDS: Final = frozenset(
    names(
        "a about after again agent all already also always am an and another any are as ask asked asking asks at be "
        "because been before being believe but by call called caller calling calls calm can cannot could customer day "
        "days demand did do does don't each else enquire explain feel few find first for friendly from furious get "
        "give go good great had happy has have he hello her here hers hi him his how hurry i i'd i'll i'm if impatient "
        "in inquire into is it it's its itself just keep know last later least less let like little long look make "
        "many may maybe me mention more most much must my name need needs never new next nice no not now of off oh ok "
        "okay on once one only or other our out over own patient please polite possible question questions quite "
        "really remember right rude say says see she should so some somebody someone something soon speak start still "
        "such sure talk tell than thank thanks that that's the their them then there these they thing things think "
        "this those time to today told too try two until up upset us use very want wants was we week well were what "
        "when where whether which while who whose why will wish with without woman would yes yesterday yet you you're "
        "your yours"
    )
)
_TOPICS: Final = (
    "bill charg cost deposit doll euro expens fee invoi paid pay price quot rate total",
    "clos hour open",
    "arriv couri deliv driver order packa parce post ship track",
    "appoi avail book check-in free reser sched slot table visit",
    "broke broken damag defec fault fix leak probl repai techn work",
    "cance stop termi unsub withd",
    "back excha money refun retur",
    "accou locke login passw porta reset",
    "addre move movin street",
    "apart flat hotel room stay",
    "auto car garag vehic",
    "docto nurse patie presc",
    "flight plane ticke train trave trip",
    "conne inter netwo route slow",
    "human manag perso repre super",
    "allow bring can may permi",
)
_TOPIC_OF: Final = {word[:_STEM]: topic for topic, words in enumerate(_TOPICS) for word in words.split()}

_WEEKDAYS: Final = frozenset(names("monday tuesday wednesday thursday friday saturday sunday"))
_MONTHS: Final = frozenset(
    names("january february april june july august september october november december")
)  # "may" and "march" are other words, too
_ANY_DAY: Final = re.compile(
    r"\b(?:another|alternative|any|anything|either|flexible|other|suggest\w*|weekend|whatever)\b", re.IGNORECASE
)
_REQUEST: Final = re.compile(
    r"(?:(?:^|[.;,]\s+)(?:and\s+|then\s+|also\s+)*|\band\s+(?:then\s+|also\s+)?)"
    r"(?=(?:ask|demand|enquire|find out|inquire|request)\b)",
    re.IGNORECASE,
)
_SENTENCE_END: Final = re.compile(r"[.!?]\s")
_FINISHED: Final = re.compile(
    r"\b(?:that's|that is|that was|that will be|that'll be) (?:all|everything|it)\b|\bnothing else\b", re.IGNORECASE
)


def another_day(caller: Sequence[Turn], agent: Sequence[Turn], prompt: str) -> CallerCause | None:
    """The caller named another weekday or month than its prompt, which nobody had named, and never the right one."""
    if _ANY_DAY.search(prompt):
        return None
    for kind in (_WEEKDAYS, _MONTHS):
        wanted = _dates(prompt) & kind
        if not wanted or any(_dates(turn.text) & wanted for turn in caller):
            continue
        for turn in caller:
            offered = {date for each in agent if each.number < turn.number for date in _dates(each.text)}
            if other := sorted(_dates(turn.text) & kind - offered):
                what = f"said {other[0].title()} instead of {' or '.join(sorted(each.title() for each in wanted))}"
                return CallerCause(f"the caller {what} at turn {turn.number}", Quote.of(turn))
    return None


def forgotten_request(caller: Sequence[Turn], agent: Sequence[Turn], prompt: str) -> CallerCause | None:
    """The prompt makes several requests, and the caller said that it was finished before it had made one of them."""
    finished = next((turn for turn in caller if _FINISHED.search(turn.text)), None)
    requests = _requests(prompt)
    if finished is None or len(requests) < 2:
        return None
    said, answered = _topics(_stems_of(caller)), _topics(_stems_of(agent))
    for text in requests:
        wanted = _topics(_stems(text))
        others = {topic for each in requests if each != text for topic in _topics(_stems(each))}
        own = wanted - others
        if len(own) >= _LEAST_OF_REQUEST and not own & (said | answered) and others & said:
            return CallerCause(f"the caller finished without this request: {shown(text)}", Quote.of(finished))
    return None


def _requests(prompt: str) -> list[str]:
    """`ask …` and its like, each up to the next one or the end of its sentence."""
    found = list(_REQUEST.finditer(prompt))
    ends = (*(each.start() for each in found[1:]), len(prompt))
    texts = (prompt[each.end() : end] for each, end in zip(found, ends, strict=False))
    return [_SENTENCE_END.split(text)[0] for text in texts]


def _dates(text: str) -> set[str]:
    return {word.removesuffix("'s").removesuffix("s") for word in padded_words(text, fold=True).split()}


def _stems_of(turns: Iterable[Turn]) -> set[str]:
    return {stem for turn in turns for stem in _stems(turn.text)}


def _stems(text: str) -> set[str]:
    """The beginnings of the words with a meaning."""
    return {word[:_STEM] for word in padded_words(text, fold=True).split() if word not in _FUNCTION_WORDS}


def _topics(stems: Iterable[str]) -> set[int | str]:
    """The topic of each word, or the word itself."""
    return {_TOPIC_OF.get(stem, stem) for stem in stems}

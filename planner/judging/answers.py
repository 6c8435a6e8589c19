"""A model's answer to a vote. Whatever it is, it becomes a vote; one that does not count says why."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, ValidationError

from planner.checks.opinions import Verdict, Vote
from planner.judging.prompt import Prompt, encodable

_LONGEST: Final = 2_000
"""Characters of a quote or a reason that are kept."""
_THOUGHTS_END: Final = "</think>"
"""Of a model that thinks aloud before it answers, in words that may hold braces."""
_FENCED: Final = re.compile(r"^\s*```[a-z]*\s*\n(.*)\n\s*```\s*$", re.DOTALL)


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore", defer_build=True)

    statement: str
    verdict: Verdict
    turn: int | None = None
    quote: str = ""
    reason: str = ""


class _Reply(BaseModel):
    model_config = ConfigDict(extra="ignore", defer_build=True)

    seal: str = ""
    answers: list[_Answer]


def void(why: str) -> Vote:
    return Vote(Verdict.CANNOT_TELL, void=why)


def read_vote(content: str, prompt: Prompt) -> Vote:
    """The vote on the prompt's rubric; void where the answer is not one to exactly this prompt."""
    try:
        reply = _Reply.model_validate(json.loads(_json_of(content), object_pairs_hook=_once_each))
    except (ValidationError, ValueError, RecursionError):
        return void("its answer is not the JSON that was asked for")
    if reply.seal.strip() != prompt.seal:
        return void("its answer does not bear the request's seal")
    given = {answer.statement: answer for answer in reply.answers}
    names = (prompt.rubric_name, prompt.true_name, prompt.false_name)
    if Counter(answer.statement for answer in reply.answers) != Counter(names):
        return void("its answer is not one to each statement")
    if given[prompt.true_name].verdict is not Verdict.HOLDS:
        return void("it denies a control statement that is plainly true")
    if given[prompt.false_name].verdict is not Verdict.DOES_NOT_HOLD:
        return void("it affirms a control statement that is plainly false")
    answer = given[prompt.rubric_name]
    return Vote(answer.verdict, answer.turn, _kept(answer.quote), _kept(answer.reason))


def _kept(text: str) -> str:
    """Not too long, and without half characters, which no file could carry."""
    return encodable(text[:_LONGEST])


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; one that says a thing twice says nothing, for which of the two is meant cannot be told."""
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError("a key stands twice in one object")
    return fields


def _json_of(content: str) -> str:
    """The answer without what some models put around it: their thoughts, a fence, or words before and after."""
    content = content.rpartition(_THOUGHTS_END)[2]
    fenced = _FENCED.match(content)
    text = fenced[1] if fenced else content
    start, end = text.find("{"), text.rfind("}")
    return text[start : end + 1] if 0 <= start < end else text

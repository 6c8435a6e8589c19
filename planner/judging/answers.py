"""Parses a model's answer into a vote. An invalid answer becomes a void vote that says why."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, ValidationError

from planner.checks.opinions import Verdict, Vote
from planner.judging.prompt import Prompt, encodable

_LONGEST: Final = 2_000
"""Longest stored quote or reason, in characters."""
_THOUGHTS_END: Final = "</think>"
"""Ends the thoughts of some models, which may contain braces."""
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
    """The vote on the prompt's rubric; void if the answer does not belong to exactly this prompt."""
    try:
        reply = _Reply.model_validate(json.loads(_json_of(content), object_pairs_hook=_once_each))
    except (ValidationError, ValueError, RecursionError):
        return void("its answer is not the requested JSON")
    if reply.seal.strip() != prompt.seal:
        return void("its answer lacks the request's seal")
    given = {answer.statement: answer for answer in reply.answers}
    names = (prompt.rubric_name, prompt.true_name, prompt.false_name)
    if Counter(answer.statement for answer in reply.answers) != Counter(names):
        return void("it did not answer each statement exactly once")
    if given[prompt.true_name].verdict is not Verdict.HOLDS:
        return void("it denies a control statement that is plainly true")
    if given[prompt.false_name].verdict is not Verdict.DOES_NOT_HOLD:
        return void("it affirms a control statement that is plainly false")
    answer = given[prompt.rubric_name]
    return Vote(answer.verdict, answer.turn, _kept(answer.quote), _kept(answer.reason))


def _kept(text: str) -> str:
    """Cut to the limit and without lone surrogates, which no file can hold."""
    return encodable(text[:_LONGEST])


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; duplicate keys are an error, since the intended value is unclear."""
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError("duplicate key")
    return fields


def _json_of(content: str) -> str:
    """The JSON without the thoughts, fence or text that some models add."""
    content = content.rpartition(_THOUGHTS_END)[2]
    fenced = _FENCED.match(content)
    text = fenced[1] if fenced else content
    start, end = text.find("{"), text.rfind("}")
    return text[start : end + 1] if 0 <= start < end else text

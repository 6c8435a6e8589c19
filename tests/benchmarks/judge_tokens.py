"""Measure what the votes on one call cost in tokens: all rubrics in one judge call, against one judge call for each.

Prompts are those of planner, answers those of a model that follows its instructions. Tokens are counted as a quarter of
the bytes, with the JSON Schema of the answer. An answer's tokens cost four times as much as a prompt's.

    python tests/benchmarks/judge_tokens.py
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
from scripted_model import Asked, honest

from planner.checks.opinions import Question
from planner.evidence import Role, Turn
from planner.judge.prompt import Prompt, answer_schema, compose
from planner.judge.votes import rounds

RUBRICS = (
    "The agent stays polite, also when the caller is rude or repeats the question.",
    "The agent explains why there is a fee before it asks for a card.",
    "The agent checks the caller's identity before it reads out anything of the account.",
    "The agent answers each question of the caller, and does not answer another one instead.",
    "The agent ends the call with a summary of what was agreed.",
)
SAID = (
    "I was charged twice for the same order, and nobody has called me back about it since last Tuesday.",
    "I am sorry to hear that. Let me look up the order, could you please give me its number?",
)
REASON = "The agent apologises at once and keeps a friendly tone throughout the call."
BYTES_A_TOKEN = 4
ANSWER_PRICE = 4


def transcript(turns: int) -> tuple[Turn, ...]:
    roles = itertools.cycle((Role.CALLER, Role.AGENT))
    said = itertools.cycle(SAID)
    return tuple(Turn(number=number, role=next(roles), text=next(said)) for number in range(1, turns + 1))


def tokens_of(prompt: Prompt) -> tuple[int, int]:
    """(read, written) by the model for one request."""
    messages = [{"role": "system", "content": prompt.system}, {"role": "user", "content": prompt.user}]
    answer = honest(Asked({"messages": messages}, {}, "")).replace("So it is.", REASON)
    schema = json.dumps(answer_schema(prompt))
    return (prompt.size_bytes + len(schema)) // BYTES_A_TOKEN, len(answer) // BYTES_A_TOKEN


def measure(turns: int, rubrics: int, votes: int, *, is_together: bool) -> tuple[int, int, int]:
    """(requests, tokens read, tokens written) for the votes on one call."""
    numbers = itertools.count(1)

    def new_token() -> str:
        return f"{next(numbers) * 2654435761 % 2**64:016x}"

    questions = [Question(rubric, transcript(turns), votes) for rubric in RUBRICS[:rubrics]]
    groups = [questions] if is_together else [[question] for question in questions]
    requests = [some for group in groups for some in rounds([(question, votes) for question in group])]
    costs = [tokens_of(compose(some, new_token)) for some in requests]
    return len(requests), sum(read for read, _ in costs), sum(written for _, written in costs)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--votes", type=int, default=3)
    options = parser.parse_args()
    print(
        "| turns | rubrics | requests | tokens | share of the tokens | share of the price |\n|---|---|---|---|---|---|"
    )
    for turns, rubrics in itertools.product((4, 12, 40, 120), (1, 2, 5)):
        alone = measure(turns, rubrics, options.votes, is_together=False)
        together = measure(turns, rubrics, options.votes, is_together=True)
        old, new = alone[1] + alone[2], together[1] + together[2]
        price = (together[1] + ANSWER_PRICE * together[2]) / (alone[1] + ANSWER_PRICE * alone[2])
        print(
            f"| {turns} | {rubrics} | {alone[0]} → {together[0]} | {old:,} → {new:,} | {new / old:.0%} | {price:.0%} |"
        )


if __name__ == "__main__":
    main()

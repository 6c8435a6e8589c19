"""Measure who is blamed for calls of broken and of honest callers: by the free rules, and with a judge.

    python tests/benchmarks/callers.py [--base-url URL --model NAME] [FILE …]

FILE is one of `tests/verdicts/*callers.yaml`; without it, all of them. Without an endpoint, only the rules. `PLANNER_JUDGE_API_KEY` is
its key. Each call is one judge call, and a second one if the answer is void, as in a session.
"""

from __future__ import annotations

import argparse
import os
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from caller_calls import FOLDER, calls_of, evidence_of_call, judged

from planner.checks.opinions import Question, Verdict, Vote, Votes
from planner.judge.endpoint import Endpoint
from planner.judge.prompt import compose, read_votes
from planner.judge.votes import VOID_RETRIES
from planner.network.http import HttpxTransport
from planner.results.outcomes import Cause
from planner.verdicts.caller_question import question_about

AT_ONCE = 8
MOST_TOKENS = 2000


async def vote(endpoint: Endpoint, question: Question) -> Vote:
    found = Vote(Verdict.CANNOT_TELL, void="it was not asked")
    for _ in range(1 + VOID_RETRIES):
        if not found.void:
            break
        prompt = compose([question], lambda: secrets.token_hex(8))
        (found,) = read_votes((await endpoint.complete(prompt, MOST_TOKENS)).content or "", prompt)
    return found


async def opinions(endpoint: Endpoint, calls: Sequence[dict[str, Any]]) -> list[Vote]:
    """The judge's vote on the caller of each call."""
    limiter = anyio.CapacityLimiter(AT_ONCE)
    votes: dict[int, Vote] = {}

    async def ask(place: int) -> None:
        question = question_about(calls[place]["prompt"], evidence_of_call(calls[place]))
        assert question is not None
        async with limiter:
            votes[place] = await vote(endpoint, question)

    async with anyio.create_task_group() as tasks:
        for place in range(len(calls)):
            tasks.start_soon(ask, place)
    return [votes[place] for place in range(len(calls))]


def blamed(calls: dict[str, dict[str, Any]], votes: Sequence[Vote] | None) -> list[str]:
    """The names of the calls that count as their caller's."""
    answers = [Votes((each,)) for each in votes] if votes is not None else [Votes()] * len(calls)
    return [
        name
        for (name, call), answer in zip(calls.items(), answers, strict=True)
        if judged(call, ask=lambda _, answer=answer: answer).cause is Cause.CALLER
    ]


async def measure(file: str, endpoint: Endpoint | None) -> None:
    for kind, calls in calls_of(file).items():
        found = {"rules": blamed(calls, None)}
        if endpoint is not None:
            votes = await opinions(endpoint, list(calls.values()))
            found["judge"] = blamed(calls, votes)
            if void := [each.void for each in votes if each.void]:
                print(f"{file}, {kind}: {len(void)} void answers: {sorted(set(void))}")
        for how, names in found.items():
            wrong = calls.keys() - set(names) if kind == "broken" else names
            print(f"| {file} | {kind} | {how} | {len(names)} of {len(calls)} blamed | {', '.join(sorted(wrong))} |")


async def main() -> None:
    parser = argparse.ArgumentParser(description="Who is blamed for calls of broken and of honest callers.")
    parser.add_argument("--base-url")
    parser.add_argument("--model", default="")
    parser.add_argument("files", nargs="*", default=sorted(path.name for path in FOLDER.glob("*callers.yaml")))
    arguments = parser.parse_args()
    print("| file | callers | by | blamed | wrong |\n|---|---|---|---|---|")
    if arguments.base_url is None:
        for file in arguments.files:
            await measure(file, None)
        return
    key = os.environ.get("PLANNER_JUDGE_API_KEY", "")
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    transport = HttpxTransport(arguments.base_url, headers, timeout_seconds=3600.0)
    endpoint = Endpoint(transport, arguments.model, key, print)
    for file in arguments.files:
        await measure(file, endpoint)
    await transport.close()


if __name__ == "__main__":
    anyio.run(main)

"""What estimates are worth: how often the 80 % range holds the bill, and how far the expected cost is off, by how much is known.

    python tests/benchmarks/estimate.py [TEAMS] [INVOCATIONS] [KEEP_DIR]

Each team (20) has a store, a sandbox of its own seed whose agents answer at very different speeds, and a plan that it runs whole
every time (11 times), editing it in between: a prompt, a new caller, a new question. So some cases have bills of their own, others
only their scenario's or their target's. Everything goes through `planner run`. The first invocation has no history and is listed separately.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from statistics import fmean

from planner.cli import main

WORLD = """\
extends: demo
version: 1
world: varied
seed: {seed}
time_scale: 4000
concurrency_limit: 60
balance_cents: 100000000
agents:
  12: {{dialogues: {{all: {{prompt: '.*', agent_prompt: '.*', turns: [
    {{agent: How can I help you?}}, {{caller: I have a question.}},
    {{choose: [{{probability: {slow}, turns: [{{agent: It took me a while., takes_ms: 40000}}]}}, {{turns: [{{agent: "Yes."}}]}}]}},
    {{caller: Thank you. Goodbye.}}]}}}}}}
  14: {{dialogues: {{all: {{prompt: '.*', agent_prompt: '.*', turns: [
    {{agent: How can I help you?}}, {{caller: I have a question.}},
    {{choose: [{{probability: {slower}, turns: [{{agent: It took me a while., takes_ms: 70000}}]}}, {{turns: [{{agent: "Yes."}}]}}]}},
    {{caller: Thank you. Goodbye.}}]}}}}}}
"""
QUESTIONS = {
    "saturday": ("clinic", "Ask when you are open on Saturday, and then about parking, and then about fees."),
    "cancel": ("clinic", "Cancel your appointment. You were born on 4 March 1985."),
    "book": ("clinic", "Book an appointment for Tuesday for a check-up. You were born on 12 June 1990."),
    "insurance": ("clinic", "Ask whether Aetna is taken."),
    "status": ("orders", "Ask where your order 30988 is."),
    "refund": (
        "orders",
        "Ask how many days you have to return order 12345, and then return it because it does not fit.",
    ),
    "stop": ("orders", "Cancel your order 52003."),
    "person": ("orders", "Ask to speak with a person."),
}
CALLERS = ["Carla Diaz", "Ana Ruiz", "Omar Haddad", "Bob Lee", "Mei Chen", "Grace Okafor", "Tom Berg", "Luis Ortega"]
MOODS = ["calm", "impatient", "furious", "confused"]


class Team:
    """A plan that grows and is edited."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._questions = chance.sample(list(QUESTIONS), 4)
        self._callers = chance.sample(CALLERS, 2)
        self._moods = chance.sample(MOODS, 2)
        self._edits: dict[str, int] = {}

    def edit(self) -> None:
        match self._chance.choice(["nothing", "prompt", "caller", "question", "mood"]):
            case "prompt":
                name = self._chance.choice(self._questions)
                self._edits[name] = self._edits.get(name, 0) + 1
            case "caller" if len(self._callers) < 4:
                self._callers.append(self._chance.choice([name for name in CALLERS if name not in self._callers]))
            case "question" if len(self._questions) < 6:
                self._questions.append(self._chance.choice([name for name in QUESTIONS if name not in self._questions]))
            case "mood" if len(self._moods) < 3:
                self._moods.append(self._chance.choice([mood for mood in MOODS if mood not in self._moods]))
            case _:
                pass

    def plan(self) -> str:
        scenarios = {
            name: {
                "targets": [QUESTIONS[name][0]],
                "prompt": "You are {{ caller }}, {{ mood }}. "
                + QUESTIONS[name][1]
                + " Thank them." * self._edits.get(name, 0),
                "matrix": {"axes": {"caller": self._callers, "mood": self._moods}},
                "runs": 2,
                "expect": [{"check": "duration", "max_seconds": 3600}],
            }
            for name in self._questions
        }
        targets = {"clinic": {"agent": 12}, "orders": {"agent": 14}}
        used = {
            alias: targets[alias] for alias in targets if any(QUESTIONS[name][0] == alias for name in self._questions)
        }
        return json.dumps({"version": 1, "plan": "team", "targets": used, "scenarios": scenarios})


def measure(teams: int, invocations: int, keep: Path | None) -> None:
    seen: list[dict[str, float]] = []
    for number in range(teams):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder) if keep is None else keep / f"team{number}"
            (root / "plans").mkdir(parents=True)
            chance = random.Random(number)
            (root / "world.yaml").write_text(
                WORLD.format(seed=number + 1, slow=chance.choice([0.1, 0.3]), slower=chance.choice([0.2, 0.5]))
            )
            os.chdir(root)
            team = Team(chance)
            for index in range(invocations):
                (root / "plans/team.yaml").write_text(team.plan())
                seen.append(invocation(root, index))
                team.edit()
            os.chdir("/")
        print_errors(number, seen[-invocations:])
    report(seen)


def invocation(root: Path, index: int) -> dict[str, float]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(["run", "--sandbox", "--world", "world.yaml", "--consent-to-charge", "--rerun", "all"])
    assert code in (0, 1), err.getvalue()
    cost = json.loads((root / "reports/results.json").read_text())["cost"]
    assert cost["estimated_cents"], "never unknown here, and never 0"
    return {
        "index": index,
        "bill": cost["actual_cents"],
        "expected": cost["estimated_cents"],
        "low": cost["estimated_low_cents"],
        "high": cost["estimated_high_cents"],
    }


def print_errors(number: int, entries: Iterable[dict[str, float]]) -> None:
    bills = " ".join(
        f"{entry['bill'] / 100:.2f}{'' if entry['low'] <= entry['bill'] <= entry['high'] else '!'}" for entry in entries
    )
    print(f"team {number}: {bills}", flush=True)


def report(seen: list[dict[str, float]]) -> None:
    groups = {
        "no history": [entry for entry in seen if entry["index"] == 0],
        "after 1 run": [entry for entry in seen if entry["index"] == 1],
        "after 2 to 4": [entry for entry in seen if 2 <= entry["index"] <= 4],
        "after 5 to 9": [entry for entry in seen if 5 <= entry["index"] <= 9],
        "after 10": [entry for entry in seen if entry["index"] >= 10],
        "all with history": [entry for entry in seen if entry["index"] > 0],
    }
    print(f"\n{'':18} invocations   in range   under   over   mean error   width of the range, of the bill")
    for name, entries in groups.items():
        if not entries:
            continue
        share = fmean(entry["low"] <= entry["bill"] <= entry["high"] for entry in entries)
        under = fmean(entry["bill"] < entry["low"] for entry in entries)
        over = fmean(entry["bill"] > entry["high"] for entry in entries)
        error = fmean(abs(entry["expected"] - entry["bill"]) / entry["bill"] for entry in entries)
        width = fmean((entry["high"] - entry["low"]) / entry["bill"] for entry in entries)
        print(f"{name:18} {len(entries):11}   {share:8.0%}   {under:5.0%}   {over:4.0%}   {error:10.1%}   {width:.0%}")


if __name__ == "__main__":
    given = sys.argv[1:]
    measure(
        int(given[0]) if given else 20,
        int(given[1]) if len(given) > 1 else 11,
        Path(given[2]).resolve() if len(given) > 2 else None,
    )

"""Every check on a machine that has only a shared store, where spoken numbers are masked: the verdict of the machine that
called, or undecided until a machine with the key reads the call again, free. Never a worse verdict."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lost_machines import JUDGE, SHARED, Fleet
from mortality import Life
from whole_runs import Ran

from planner.checks import CHECKS
from planner.sandbox import load_world
from planner.workspace.selection import Selection

WORLD = """\
version: 1
world: numbers
tables: {}
tools:
  find_patient:
    description: Find a patient by phone number.
    parameters: {phone: "E.164"}
    answers: [{result: {patient: "Ana", callback: "+1 415 555 0199"}}]
agents:
  12:
    name: Clinic
    tools: [find_patient]
    revisions: {1: {prompt: Answer the phone of Larkfield Clinic.}}
    dialogues:
      any:
        prompt: '.*'
        turns:
          - {agent: "Larkfield Clinic, this is Iris. How can I help you?"}
          - {caller: "My number is four one five, five five five, zero one nine nine. What is yours?"}
          - {tool: find_patient, with: {phone: "+14155550199"}}
          - {agent: "Thank you, I found you. Ours is +1 415 555 0142, or nine one seven, five five five, zero one two three."}
          - {caller: "Thank you, goodbye."}
          - {end: caller_hangup, grade: {score: 0.9, goal: achieved}}
"""
OPENING, NUMBER, ABSENT = ["how can I help"], ["415 555 0142"], ["thirty days"]
ASKED: dict[str, list[dict[str, Any]]] = {
    "says": [{"any_of": OPENING}, {"any_of": NUMBER}, {"any_of": ABSENT}, {"any_of": OPENING, "max_count": 1}],
    "never_says": [{"any_of": OPENING}, {"any_of": NUMBER}, {"any_of": ABSENT}],
    "sequence": [
        {"steps": [{"says": {"any_of": OPENING}}, {"tool": "find_patient"}]},
        {"steps": [{"tool": "find_patient"}, {"says": {"any_of": NUMBER}}]},
        {"steps": [{"says": {"any_of": NUMBER}}, {"tool": "find_patient"}]},
    ],
    "no_pii": [{}, {"kinds": ["email"]}, {"allow": ["+14155550142", "+19175550123"]}],
    "language": [{"is": "en"}, {"is": "es"}],
    "call": [{"status": "completed", "min_turns": 4}, {"max_turns": 3}],
    "duration": [{"max_seconds": 600}, {"max_seconds": 1}],
    "cost": [{"max_cents": 1000}, {"max_cents": 1}],
    "latency": [{"p50_ms": 20_000}, {"p50_ms": 1}],
    "pacing": [
        {"max_silence_ms": 60_000},
        {"talk_ratio": {"max": 0.01}},
    ],
    "tool_called": [
        {"name": "find_patient"},
        {"name": "find_patient", "arguments": {"phone": "+14155550199"}},
        {"name": "find_patient", "arguments": {"phone": "+14155550142"}},
        {"name": "find_patient", "result": {"callback": {"matches": "0199$"}}},
    ],
    "tool_not_called": [
        {"name": "find_patient"},
        {"name": "refund"},
        {"name": "find_patient", "arguments": {"phone": "+14155550142"}},
    ],
    "grade": [{"min_score": 0.5}, {"min_score": 0.95}],
    "expression": [
        {"cel": "turns.exists(turn, turn.text.contains('0142'))"},
        {"cel": "tools[0].arguments.phone == '+14155550199'"},
        {"cel": "turns.size() == 4"},
        {"cel": "run.cost_cents < 1000"},
    ],
    "judge": [{"rubric": "The agent stays polite."}],
    "all_of": [{"of": [{"check": "says", "any_of": NUMBER}, {"check": "duration", "max_seconds": 600}]}],
    "any_of": [{"of": [{"check": "says", "any_of": NUMBER}, {"check": "duration", "max_seconds": 600}]}],
    "not": [{"of": {"check": "says", "any_of": NUMBER}}, {"of": {"check": "says", "any_of": OPENING}}],
}
"""What is expected of the same words, by kind of check: some can be decided where numbers are masked, others cannot."""
CASES = {
    f"{check.replace('_', '-')}-{number}": {"check": check} | fields
    for check, asked in ASKED.items()
    for number, fields in enumerate(asked)
}
OLDER = {"check": "grade", "min_score": 0.1}
"""What the calls were made for: their grades are awaited."""
READ_AGAIN = ["call", "transcript", "history"]


@dataclass(frozen=True)
class Verdict:
    outcome: str
    finding: str
    is_read_again: bool = False
    """By the next session with a key, free."""

    @property
    def is_open(self) -> bool:
        return (self.outcome, self.finding, self.is_read_again) == ("undecided", "undecided", True)


class Clinic(Fleet):
    def judged(self, *, has_key: bool) -> dict[str, Verdict]:
        """By scenario, on the machine in use. Without a key, `--offline` judges what is stored."""
        ran: Ran = self.run(
            selection=Selection(sandbox=True, store=SHARED, offline=not has_key),
            consent_to_charge=has_key,
            max_cost_cents=100 if has_key else None,
        )
        assert ran.code == 1, ran.err
        return {case["scenario"]: _verdict(case["runs"]) for case in self.results()["cases"]}


def _verdict(runs: list[Any]) -> Verdict:
    (run,) = runs
    (finding,) = run["findings"]
    return Verdict(run["outcome"], finding["outcome"], is_read_again=run["missing"] == READ_AGAIN)


def plan_of(expected: dict[str, dict[str, Any]]) -> str:
    scenarios = {
        name: {"prompt": f"You are caller {number}. Ask for the number.", "expect": [asked]}
        for number, (name, asked) in enumerate(expected.items())
    }
    defaults = {"targets": ["clinic"], "runs": 1}
    plan = {"version": 1, "plan": "numbers", "targets": {"clinic": {"agent": 12}}}
    return json.dumps(plan | {"defaults": defaults, "scenarios": scenarios})


def test_every_check_is_asked() -> None:
    assert list(ASKED) == list(CHECKS)


def test_no_verdict_is_worse_without_the_originals(tmp_path: Path) -> None:
    """New expectations are judged on masked words where that is certain. What is not is read from the service again by the first
    machine with a key, which calls nobody; from then on it is known to all."""
    (tmp_path / "numbers.yaml").write_text(WORLD)
    before, today = plan_of(dict.fromkeys(CASES, OLDER)), plan_of(CASES)
    files = {"plans/numbers.yaml": before, "planner.yaml": "version: 1\n" + JUDGE}
    clinic = Clinic(tmp_path / "machines", base=load_world(tmp_path / "numbers.yaml"), files=files)
    first = clinic.new_machine()
    assert clinic.session(first, Life()).code == 0
    called = clinic.made()
    clinic.seconds += 10_000
    clinic.files["plans/numbers.yaml"] = today
    clinic.new_machine()
    masked = clinic.judged(has_key=False)
    clinic.root = first
    clinic.write("plans/numbers.yaml", today)
    original = clinic.judged(has_key=False)
    original["judge-0"] = Verdict("passed", "passed")  # only a session with a key asks it
    assert Counter(verdict.outcome for verdict in original.values()) == {"passed": 26, "failed": 17}
    differing = [name for name in CASES if masked[name] != original[name]]
    assert [name for name in differing if not masked[name].is_open] == []
    assert {"says-1", "never-says-1", "tool-called-1", "expression-1", "not-0"} <= set(differing)
    assert {"says-0", "never-says-0", "call-1", "cost-0", "any-of-0"}.isdisjoint(differing)
    clinic.new_machine()
    assert clinic.judged(has_key=True) == original
    clinic.new_machine()
    assert clinic.judged(has_key=False) == original
    assert (clinic.made(), called.total()) == (called, len(CASES))

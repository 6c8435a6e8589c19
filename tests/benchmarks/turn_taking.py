"""tau-voice's published interaction metrics, by planner's own code on tau-voice's own test data.

    python tests/benchmarks/turn_taking.py FOLDER

FOLDER is a checkout of sierra-research/tau2-bench (MIT; measured at commit a2c02472). Its tests have three simulated calls in
ticks of 200 ms, and the metrics that the pipeline of the tau-voice paper gives for them
(tests/test_voice/test_interaction_metrics/testdata). Nothing of them is copied here.

Ticks with speech are joined to turns with times, as in a transcript. The data has no words: what tau-voice marks as a
backchannel is "mm-hmm" here, by which planner recognizes it. Turns with a vocal tic or with speech to others, which a transcript
does not show, are left out of the interruptions, as tau-voice does; its selectivity for these two is not measured.

Two definitions differ on purpose, and the program shows that nothing else does:

* `pacing` counts a turn that starts while the other side speaks. For tau-voice, the agent also interrupts if both start in the
  same tick. In a transcript with times in whole seconds that happens often and says nothing.
* `latency` charges the silence after which the caller asks again to the agent: its answer is late. For tau-voice there was no
  answer, which lowers the response rate.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from planner.checks import CHECKS
from planner.checks.judgement import FindingOutcome
from planner.checks.response_times import response_times
from planner.checks.turn_taking import TimedTurn, timed_turns, turn_taking
from planner.evidence import Call, Evidence, Role, RunStatus, Turn

TICK_MS = 200
DATA = Path("tests/test_voice/test_interaction_metrics/testdata")
CLOSE = 0.01
"""Largest relative difference."""
SPEAKERS = {"user_chunk": Role.CALLER, "agent_chunk": Role.AGENT}


class Spoken(NamedTuple):
    role: Role
    start_ms: int
    end_ms: int
    text: str
    inserts: frozenset[str]
    """Vocal tics and speech to others in it."""


def speaks(tick: dict[str, Any], chunk: str) -> bool:
    return bool((tick.get(chunk) or {}).get("contains_speech"))


def spoken_in(ticks: Sequence[dict[str, Any]], chunk: str) -> Iterator[Spoken]:
    start, inserts = None, set[str]()
    for place in range(len(ticks) + 1):
        is_speaking = place < len(ticks) and speaks(ticks[place], chunk)
        if is_speaking:
            start = place if start is None else start
            effects = ticks[place][chunk].get("speech_effects") or {}
            inserts |= {each["type"] for each in [effects.get("speech_insert")] if each}
        elif start is not None:
            action = (ticks[start][chunk].get("turn_taking_action") or {}).get("action")
            text = "Mm-hmm." if action == "backchannel" else "It is about my order."
            yield Spoken(SPEAKERS[chunk], start * TICK_MS, place * TICK_MS, text, frozenset(inserts))
            start, inserts = None, set()


def calls_of(folder: Path) -> Iterator[list[Spoken]]:
    for path in sorted((folder / DATA / "experiment/simulations").glob("*.json")):
        ticks = json.loads(path.read_text(encoding="utf-8"))["ticks"]
        if speaks(ticks[-1], "user_chunk") and not speaks(ticks[-2], "user_chunk"):
            ticks = ticks[:-1]  # the signal that ends the simulation, which tau-voice leaves out too
        found = [each for chunk in SPEAKERS for each in spoken_in(ticks, chunk)]
        yield sorted(found, key=lambda each: (each.start_ms, each.role.value))


def turns_of(call: Sequence[Spoken]) -> list[Turn]:
    return [
        Turn(number=number, role=each.role, text=each.text, start_ms=each.start_ms, end_ms=each.end_ms)
        for number, each in enumerate(call, 1)
    ]


def interruptions(turns: Sequence[Turn]) -> int:
    """What `pacing` counts as `max_agent_overlaps`: the least that it lets pass."""
    call = Call(call_id=1, status="completed", end_reason="agent_end", duration_seconds=60)
    evidence = Evidence(run_id=1, run_status=RunStatus.COMPLETED, call=call, turns=tuple(turns), tools=())

    def allows(most: int) -> bool:
        check = CHECKS["pacing"].model_validate({"check": "pacing", "max_agent_overlaps": most})
        return check.judge(evidence).outcome is FindingOutcome.PASSED

    return next(most for most in range(len(turns)) if allows(most))


def starts_together(timed: Sequence[TimedTurn]) -> int:
    """How often both start to speak in the same tick."""
    starts = {each.start_ms for each in timed if each.turn.role is Role.CALLER}
    return sum(each.start_ms in starts for each in timed if each.turn.role is Role.AGENT)


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) / 1000


def charged_silence_ms(timed: Sequence[TimedTurn]) -> int:
    """From the end of each unanswered turn to the end of the turn that was answered at last."""
    found = turn_taking(timed)
    ends = {each.turn.number: each.end_ms for each in timed}
    answered = sorted(turn.number for _, turn in found.answered)
    first: dict[int, int] = {}
    for turn in found.unanswered:
        first.setdefault(next(number for number in answered if number > turn.number), turn.number)
    return sum(ends[last] - ends[number] for last, number in first.items())


def measure(folder: Path) -> Iterator[tuple[str, str, float]]:
    """(published metric, what was measured, value)."""
    waited: list[float] = []
    answered: list[float] = []
    yielded: list[float] = []
    count = Counter[str]()
    for call in calls_of(folder):
        turns = turns_of(call)
        timed = timed_turns(turns)
        found = turn_taking(timed)
        has_inserts = {number for number, each in enumerate(call, 1) if each.inserts}
        answered += [gap for gap, _ in found.answered]
        yielded += [gap for gap, turn in found.yielded if turn.number not in has_inserts]
        waited += [each for each, _ in response_times(turns)[0]]
        count["talked over"] += sum(turn.number not in has_inserts for turn in found.talked_over)
        count["unanswered"] += len(found.unanswered)
        count["heard out"] += len(found.heard_out)
        count["stopped by"] += len(found.stopped_by)
        count["interruptions"] += interruptions(turns)
        count["together"] += starts_together(timed)
        count["silence"] += charged_silence_ms(timed)
    asked, interrupted = len(answered) + count["unanswered"], len(yielded) + count["talked over"]
    yield "response_latency_mean", "turn_taking", mean(answered)
    yield "response_latency_mean", "`latency`", mean(waited)
    without = (sum(waited) - count["silence"]) / len(waited) / 1000
    yield "response_latency_mean", "`latency`, without silence before a repeated question", without
    yield "response_rate", "`min_response_rate`", len(answered) / asked
    yield "yield_rate", "`min_yield_rate`", len(yielded) / interrupted
    yield "yield_latency_mean", "turn_taking", mean(yielded)
    yield "agent_interruption_rate", "`max_agent_overlaps`", count["interruptions"] / asked
    together = count["interruptions"] + count["together"]
    yield "agent_interruption_rate", "`max_agent_overlaps`, and both starting together", together / asked
    hums = count["heard out"] + count["stopped by"]
    yield "selectivity_backchannel", "turn_taking", count["heard out"] / hums


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    published = json.loads((folder / DATA / "expected_metrics.json").read_text(encoding="utf-8"))
    print("| metric | published | measured with | value | difference |\n|---|---|---|---|---|")
    close: dict[str, bool] = {}
    for name, source, value in measure(folder):
        difference = value / published[name] - 1
        close[name] = close.get(name, False) or abs(difference) <= CLOSE
        print(f"| {name} | {published[name]:.4f} | {source} | {value:.4f} | {difference:+.1%} |")
    return 0 if all(close.values()) else 1


if __name__ == "__main__":
    sys.exit(main())

"""Stored calls with evidence, for tests of what is believed."""

from __future__ import annotations

from typing import Any, Final

from planner.checks.opinions import no_judge
from planner.evidence import Evidence
from planner.planfile.model import Case
from planner.results.model import JudgedRun
from planner.verdicts.call_judge import CallJudge
from planner.verdicts.runs import judge_stored
from tests.support.samples import heard, plan_case
from tests.support.stored_calls import Session, Store, play, runs_after

EMPTY: Final = Store()

# Evidence: the first letter of a digest says what it is of, the rest is the run's id.

SAYS = {"check": "says", "any_of": ["thirty days"]}
HEARD = plan_case(SAYS, runs=3)
WORDS = {"a": "agent: It is thirty days.", "b": "agent: It is forty days.", "c": "agent: It is •••.", "d": ""}
GOOD, BAD, MASKED, LATE = "abcd"


def load(digest: str) -> Evidence | None:
    """Evidence with other first letters is not stored."""
    kind, run_id = digest[0], int(digest[1:], 16)
    if kind not in WORDS:
        return None
    if kind == LATE:
        return heard(run_id, turns=None, tools=None)
    masked: dict[str, Any] = {"redacted": ("turns",)} if kind == MASKED else {}
    return heard(run_id, WORDS[kind], "caller: How long is it?", **masked)


JUDGE = CallJudge(load, no_judge)


def calls(store: Store, kinds: str, **changed: Any) -> list[JudgedRun]:
    """New calls, judged by their evidence; MASKED ones by the original, which passed."""
    runs = runs_after(store, *[None] * len(kinds), **changed)
    whole = [
        run.model_copy(update={"evidence": f"{kind}{run.run_id:063x}"}) for run, kind in zip(runs, kinds, strict=True)
    ]
    return [run if kind == MASKED else judge_stored(HEARD, run, load) for run, kind in zip(whole, kinds, strict=True)]


def heard_in(store: Store, kinds: str, **known: Any) -> Store:
    return play(HEARD, store, calls(store, kinds), judge=JUDGE, **known).store


def shown(store: Store, case: Case = HEARD) -> tuple[str, int, int]:
    """(outcome, passed, all) of the calls that count."""
    found = Session([case], judge=JUDGE).prior(store)
    return found.outcome.value, found.runs_passed, found.runs_total

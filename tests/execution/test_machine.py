"""`planner run` as a whole, driven at random in virtual time: faults, lags, crashes, other clients, a person.

The model knows which calls the plan asks for. After every step, no call was made more often than that, and the journal and
the service agree to the cent. In the end, when the service works and a person has settled what only a person can, every
call was made once.

    PLANNER_MACHINE_EXAMPLES=500 uv run pytest tests/execution/test_machine.py     for longer
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from mortality import Life
from whole_runs import Organisation, Ran

from planner.execution.journal import Journal
from planner.execution.launches import UNSETTLED
from planner.execution.reconciling import prompt_key
from planner.sandbox import FaultSpec
from planner.sandbox.state.records import FOREIGN_USER_ID, OWN_USER_ID, Run

PROJECT = "version: 1\nexecution: {settle_seconds: 30, linger_seconds: 60}\n"
PLAN = """\
version: 1
plan: machine
targets: {{clinic: {{agent: 12}}, orders: {{agent: 14}}}}
defaults: {{retries: 5, expect: [{{check: call, status: completed}}]}}
scenarios:
{scenarios}
"""
SCENARIO = """\
  {name}:
    prompt: "You are {name}. Ask when you are open on Saturday."
    targets: [{target}]
    runs: {runs}
"""
NAMES = ("ana", "bob", "cleo")
LONGEST_LAG_SECONDS = 20.0
"""Less than the time that launches are searched for: a service that lists a run later than that cannot be handled."""

TIMES = st.integers(1, 3)
FAULTS = st.one_of(
    st.builds(lambda times: {"kind": "lost_answer", "times": times}, TIMES),
    st.builds(lambda times: {"kind": "error_before", "times": times}, TIMES),
    st.builds(lambda times: {"kind": "error_after", "times": times}, TIMES),
    st.builds(lambda times: {"kind": "garbage", "body": "cut", "times": times}, TIMES),
    st.builds(lambda times: {"kind": "throttle", "times": times}, TIMES),
    st.builds(lambda times: {"kind": "fail_run", "runs": 1, "times": times}, TIMES),
    st.builds(lambda seconds: {"kind": "late", "seconds": seconds, "times": 2}, st.integers(1, 90)),
    st.builds(lambda route: {"kind": "lost_answer", "route": route, "times": 2}, st.sampled_from(["list", "batches"])),
    st.builds(lambda route: {"kind": "error_before", "route": route, "times": 6}, st.sampled_from(["list", "call"])),
    st.just({"kind": "no_balance", "times": 1}),
    st.just({"kind": "shuffle_ids"}),
)


class Machine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.runs: dict[str, int] = {}
        """The runs that the plan asks for, by name."""

    @initialize(dialect=st.sampled_from(["page", "client"]), limit=st.integers(1, 6), names=st.integers(1, 3))
    def open(self, dialect: Any, limit: int, names: int) -> None:
        self.service = Organisation(self.folder, dialect, {"concurrency_limit": limit})
        self.service.write("planner.yaml", PROJECT)
        self.runs = dict.fromkeys(NAMES[:names], 1)
        self.author()

    def author(self) -> None:
        scenarios = "".join(
            SCENARIO.format(name=name, runs=runs, target=("clinic", "orders")[name == "cleo"])
            for name, runs in self.runs.items()
        )
        self.service.write("plans/machine.yaml", PLAN.format(scenarios=scenarios))

    def teardown(self) -> None:
        try:
            if self.runs:
                self.go_to_the_end()
        finally:
            shutil.rmtree(self.folder)

    # What happens

    @rule(fault=FAULTS)
    def something_goes_wrong(self, fault: dict[str, Any]) -> None:
        self.service.sandbox.faults.add(FaultSpec.model_validate(fault))

    @rule(seconds=st.floats(0.0, LONGEST_LAG_SECONDS))
    def lists_lag(self, seconds: float) -> None:
        self.service.lag_seconds = seconds

    @rule(count=st.integers(1, 3), identical=st.booleans())
    def somebody_else_calls(self, count: int, *, identical: bool) -> None:
        self.service.sandbox.add_foreign_runs(count, identical=identical)

    @rule(name=st.sampled_from(NAMES))
    def the_plan_asks_for_more(self, name: str) -> None:
        self.runs[name] = min(self.runs.get(name, 0) + 1, 3)
        self.author()

    @rule(seconds=st.sampled_from([0.5, 10.0, 29.0, 31.0, 700.0]))
    def time_passes(self, seconds: float) -> None:
        self.service.seconds += seconds

    @rule(boundary=st.integers(8, 120))
    def an_invocation_dies(self, boundary: int) -> None:
        """The first boundaries are reads, before anything is recorded."""
        self.invoke(Life(boundary))

    @rule(
        boundary=st.sampled_from(
            [
                "before POST",
                "after POST",
                "before a journal",
                "before putting evidence",
                "after putting runs",
                "after putting latest",
            ]
        )
    )
    def an_invocation_dies_at(self, boundary: str) -> None:
        self.invoke(Life(boundary))

    @rule()
    def an_invocation_lives(self) -> None:
        self.invoke(Life())

    def invoke(self, life: Life) -> Ran:
        ran = self.service.run(life=life)
        note(f"exit {ran.code} after {len(life.crossed)} boundaries: {ran.err[-300:]}")
        return ran

    # What must hold

    def own(self) -> list[Run]:
        return [run for run in self.service.sandbox.state.runs if run.requested_by_id == OWN_USER_ID]

    def made(self) -> dict[str, int]:
        """The calls that we paid for, by name."""
        prompts = [run.prompt for run in self.own() if not run.error_message]
        return {name: sum(f"You are {name}." in prompt for prompt in prompts) for name in self.runs}

    @invariant()
    def nobody_is_called_too_often(self) -> None:
        for name, calls in (self.made() if self.runs else {}).items():
            assert calls <= self.runs[name], name

    @precondition(lambda self: self.runs and (self.folder / ".planner" / "sandbox" / "journal.sqlite").exists())
    @invariant()
    def the_journal_says_what_was_charged(self) -> None:
        charged = {run.id: run.cost_cents for run in self.service.sandbox.state.runs}
        for run_id, cents in self.service.noted().items():
            assert cents is None or cents == charged[run_id]

    def go_to_the_end(self) -> None:
        self.service.sandbox.faults.active.clear()
        self.service.lag_seconds = 0.0
        ran = self.invoke_after_a_while()
        for _ in range(7):
            if ran.code == 0:
                break
            self.a_person_settles()
            ran = self.invoke_after_a_while()
        assert ran.code == 0, ran.out
        strangers = [run for run in self.service.sandbox.state.runs if run.requested_by_id == FOREIGN_USER_ID]
        noted = self.service.noted()
        adopted = {
            name: sum(run.id in noted and f"You are {name}." in run.prompt for run in strangers) for name in self.runs
        }
        # One dialect does not show the requester: a single foreign run that equals a lost one of ours is adopted.
        assert self.service.dialect == "page" or not any(adopted.values())
        assert {name: calls + adopted[name] for name, calls in self.made().items()} == self.runs
        assert {run.id for run in self.own()} <= set(noted)

    def invoke_after_a_while(self) -> Ran:
        self.service.seconds += 700
        return self.invoke(Life())

    def a_person_settles(self) -> None:
        """Settle launches with several candidates: the person looks at the service and knows which runs are ours."""
        opened = self.service.results()["open_launches"]
        for launch in opened:
            if launch["state"] != "several candidates":
                continue
            journal = Journal(self.folder / ".planner" / "sandbox" / "journal.sqlite")
            try:
                lost = next(item for item in journal.launches(UNSETTLED) if item.launch_id == launch["launch_id"])
                prompts = sorted(prompt_key(slot.prompt) for slot in journal.slots_of(lost.launch_id))
                claimed = journal.claimed_run_ids()
            finally:
                journal.close()
            ours = [
                event
                for event in self.service.sandbox.state.launches
                if event.runs[0].requested_by_id == OWN_USER_ID
                and not {run.id for run in event.runs} & claimed
                and sorted(prompt_key(run.prompt) for run in event.runs) == prompts
                and event.at >= lost.sent_at.timestamp() - lost.slack_seconds
            ]
            note(json.dumps({"settled": lost.launch_id, "as": [run.id for event in ours[:1] for run in event.runs]}))
            self.service.settle(lost.launch_id, [run.id for event in ours[:1] for run in event.runs])


LONGER = os.environ.get("PLANNER_MACHINE_EXAMPLES")
Machine.TestCase.settings = settings(
    max_examples=int(LONGER or "12"),
    stateful_step_count=14,
    deadline=None,
    derandomize=not LONGER,
    phases=Phase if LONGER else (Phase.generate,),  # to shrink what fails takes minutes
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestMachine = Machine.TestCase

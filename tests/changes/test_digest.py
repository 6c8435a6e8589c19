"""What the digest of a change set covers."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.changes.consented_calls import change_set_digest
from planner.changes.model import Reason
from tests.support.stored_cases import build, make_case, make_runs, store_case

_AGENT = ("agent", 12)
_REVISIONS = st.sampled_from([None, "2026-11-20T08:00:00Z a1", "2026-11-24T08:00:00Z b2"])


@given(order=st.permutations(range(5)), revision=_REVISIONS)
def test_order_and_revision_do_not_change_the_digest(order: list[int], revision: str | None) -> None:
    """The digest depends neither on the order of cases nor on the agent's revision."""
    cases = [make_case(f"s{n}") for n in range(5)]
    shuffled = build([cases[index] for index in order], revisions={_AGENT: revision})
    assert shuffled.digest == build(cases).digest
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", shuffled.digest)


@pytest.mark.parametrize(
    "edit",
    [{"prompt": "Ask."}, {"mode": "sip"}, {"runs": 4}, {"min_pass_rate": 0.5}, {"case_id": "refunds/other@support"}],
    ids=str,
)
def test_calls_and_expectations_change_the_digest(edit: dict[str, Any]) -> None:
    """Another case, input, number of calls or expectation gives another digest."""
    assert build([make_case(**edit)]).digest != build([make_case()]).digest


def test_only_charged_calls_change_the_digest() -> None:
    """Reused, rechecked (free) and dropped cases do not change the digest."""
    case, stored = make_case(), store_case(make_case())
    other = make_case("other", prompt="Ask.")
    stored_other = store_case(other)
    called = build([case]).digest
    assert build([case, other], [stored_other]).digest == called
    assert build([case], [stored_other]).digest == called
    assert build([case, make_case("other", prompt="Ask.", min_pass_rate=0.5)], [stored_other]).digest == called
    nothing = build([case], [stored]).digest
    assert build([case, other], [stored, stored_other]).digest == nothing != called


def test_a_recheck_with_judge_calls_changes_the_digest() -> None:
    """Its judge calls may be charged."""
    (recheck,) = build([make_case(min_pass_rate=0.5)], [store_case(make_case())]).changes
    asking = replace(recheck, judge="model (prompt 1)")
    assert change_set_digest([recheck]) == change_set_digest([]) != change_set_digest([asking])


def test_an_edited_agent_changes_the_digest_only_through_calls() -> None:
    """A plan without a key and one that saw the edited agent have the same digest only if the case is called anyway."""
    none = store_case(make_case(), revision="x a1", outcome="unknown", runs=make_runs(*["platform"] * 3))
    keyless, keyed = build([make_case()], [none]), build([make_case()], [none], revisions={_AGENT: "x b2"})
    assert (keyless.changes[0].reason, keyed.changes[0].reason) == (Reason.INCONCLUSIVE, Reason.AGENT_EDITED)
    assert keyless.digest == keyed.digest
    passed = store_case(make_case(), revision="x a1")
    assert build([make_case()], [passed]).digest != build([make_case()], [passed], revisions={_AGENT: "x b2"}).digest


def test_prices_do_not_change_the_digest() -> None:
    """Prices are bounded by the ceiling, not by the digest."""
    assert build([make_case()], rates={"spark": 99}).digest == build([make_case()]).digest

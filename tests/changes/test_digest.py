"""What the name of a change set stands for."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.changes.model import ChangeSet, Reason
from planner.planfile.model import Case
from planner.results.model import CaseDocument

MakeCase = Callable[..., Case]
StoreCase = Callable[..., CaseDocument]
Build = Callable[..., ChangeSet]
_AGENT = ("agent", 12)
_REVISIONS = st.sampled_from([None, "2026-11-20T08:00:00Z a1", "2026-11-24T08:00:00Z b2"])


@given(order=st.permutations(range(5)), revision=_REVISIONS)
def test_order_and_revision_do_not_matter(
    make_case: MakeCase, build: Build, order: list[int], revision: str | None
) -> None:
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
def test_what_is_called_and_expected_matters(make_case: MakeCase, build: Build, edit: dict[str, Any]) -> None:
    """Another case, input, number of calls or expectation is another change set."""
    assert build([make_case(**edit)]).digest != build([make_case()]).digest


def test_what_happens_to_a_case_matters(make_case: MakeCase, store_case: StoreCase, build: Build) -> None:
    """Kept, called and dropped differ, and so does a case more that is kept."""
    case, stored = make_case(), store_case(make_case())
    other, stored_other = make_case("other"), store_case(make_case("other"))
    digests = [
        build([case]).digest,
        build([case], [stored]).digest,
        build([case], [stored, stored_other]).digest,
        build([case, other], [stored, stored_other]).digest,
        build([make_case(min_pass_rate=0.5)], [stored]).digest,
        build([make_case(min_pass_rate=0.6)], [stored]).digest,
    ]
    assert len(set(digests)) == len(digests)


def test_an_edited_agent_matters_only_by_what_is_called(
    make_case: MakeCase, store_case: StoreCase, make_runs: Any, build: Build
) -> None:
    """A keyless change set and one that saw the edited agent agree where the case is called afresh anyway, and only there."""
    failed = store_case(make_case(), revision="x a1", outcome="failed", runs=make_runs("agent", None, None))
    keyless, keyed = build([make_case()], [failed]), build([make_case()], [failed], revisions={_AGENT: "x b2"})
    assert (keyless.changes[0].reason, keyed.changes[0].reason) == (Reason.FAILED_LAST_TIME, Reason.AGENT_EDITED)
    assert keyless.digest == keyed.digest
    passed = store_case(make_case(), revision="x a1")
    assert build([make_case()], [passed]).digest != build([make_case()], [passed], revisions={_AGENT: "x b2"}).digest


def test_prices_do_not_matter(make_case: MakeCase, build: Build) -> None:
    """What calls cost is agreed to by a ceiling, not by the digest."""
    assert build([make_case()], rates={"spark": 99}).digest == build([make_case()]).digest

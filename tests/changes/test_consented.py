"""The stored set of calls: which later calls are within it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from planner.changes.consented_calls import change_set_digest, consented_calls, parse_consented
from planner.changes.model import ChangeSet
from tests.support.stored_cases import NOW, build, make_case, store_case

JUDGE = "model (prompt 1)"


def with_judge(change_set: ChangeSet) -> ChangeSet:
    changes = tuple(replace(change, judge=JUDGE) for change in change_set.changes)
    return replace(change_set, changes=changes, digest=change_set_digest(changes))


@pytest.mark.parametrize(
    ("edit", "within"),
    [
        ({}, True),
        ({"runs": 2}, True),
        ({"retries": 1}, True),
        ({"runs": 4}, False),
        ({"retries": 2}, False),
        ({"prompt": "Ask."}, False),
        ({"mode": "sip"}, False),
        ({"min_pass_rate": 0.5}, False),
        ({"case_id": "refunds/other@support"}, False),
    ],
    ids=str,
)
def test_the_same_or_fewer_calls_are_within(edit: dict[str, Any], *, within: bool) -> None:
    consented = consented_calls(build([make_case(retries=1), make_case("more", retries=1)]), NOW, "")
    today = build([replace(make_case(retries=1), **edit)])
    assert (consented.outside(today) == []) is within
    assert len(consented.outside(today, lambda _: "shown")) == (not within)


def test_nothing_to_call_is_within() -> None:
    consented = consented_calls(build([make_case()]), NOW, "")
    assert consented.outside(build([make_case()], [store_case(make_case())])) == []


def test_judge_calls() -> None:
    """A recheck with judge calls must be agreed to, as itself or as the calls it replaces. It is no consent to calls."""
    edited, stored = make_case(min_pass_rate=0.5), store_case(make_case())
    recheck, call = with_judge(build([edited], [stored])), with_judge(build([edited]))
    assert consented_calls(recheck, NOW, "").outside(recheck) == []
    assert consented_calls(call, NOW, "").outside(recheck) == []
    assert len(consented_calls(recheck, NOW, "").outside(call)) == 1
    assert len(consented_calls(with_judge(build([make_case("other")])), NOW, "").outside(recheck)) == 1


def test_a_changed_set_is_not_that_of_the_digest() -> None:
    """The digest proves the content, whoever may write to the store."""
    consented = consented_calls(build([make_case(retries=1), make_case("b")]), NOW, "c" * 40)
    data = consented.model_dump_json().encode()
    assert parse_consented(data, consented.digest) == consented
    for old, new in ((b'"runs":3', b'"runs":30'), (b"refunds/b@", b"refunds/c@"), (b'"retries":1', b'"retries":9')):
        assert old in data
        assert parse_consented(data.replace(old, new), consented.digest) is None
    assert parse_consented(data, "sha256:" + "0" * 64) is None
    assert parse_consented(b"{", consented.digest) is None

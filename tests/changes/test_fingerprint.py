"""What a fingerprint depends on, and what it does not."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.changes.fingerprint import call_fingerprint, case_inputs, check_fingerprint, digest_of
from planner.checks.base import CheckSeverity
from planner.planfile.model import Quarantine, Target
from tests.support.stored_cases import Says, make_case

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def _reversed_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _reversed_keys(value[key]) for key in reversed(value)}
    return [_reversed_keys(item) for item in value] if isinstance(value, list) else value


@given(_JSON)
def test_key_order_does_not_matter(document: Any) -> None:
    """The digest does not depend on the order of keys."""
    assert digest_of(document) == digest_of(_reversed_keys(document))


@given(_JSON, _JSON)
def test_documents_that_differ_have_different_digests(left: Any, right: Any) -> None:
    """Two documents have the same digest exactly if they are equal as JSON (where 1.0 is 1, and true is not)."""

    def exact(value: Any) -> str:
        return json.dumps(_plain(value), sort_keys=True)

    def _plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: _plain(item) for key, item in value.items()}
        if isinstance(value, list):
            return [_plain(item) for item in value]
        return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else value

    if exact(left) != exact(right):
        assert digest_of(left) != digest_of(right)
    else:
        assert digest_of(left) == digest_of(right)


@pytest.mark.parametrize(
    ("left", "right"),
    [(2**63 - 1, 2**63 - 2), (float("nan"), float("inf")), (float("inf"), float("-inf")), ("\ud800", "\ud801")],
)
def test_values_beyond_rfc_8785_differ(left: Any, right: Any) -> None:
    """64-bit ids, infinities and lone surrogates are digested without an error, and neighbours differ."""
    assert digest_of([left]) != digest_of([right])


def test_the_largest_exact_integers_are_plain() -> None:
    """Integers that a double holds exactly are digested as RFC 8785 writes them; the next one is not."""
    assert digest_of([2**53 - 1, 1 - 2**53]) == _sha256(b"[9007199254740991,-9007199254740991]")
    assert digest_of([2**53]) == _sha256(b'[{"integer":"9007199254740992"}]')


def test_a_value_that_is_not_json_is_refused() -> None:
    """A value that JSON cannot hold is refused."""
    with pytest.raises(TypeError, match="not a JSON value: datetime"):
        digest_of({"until": date(2026, 1, 1)})


def test_fingerprints_stay_the_same() -> None:
    """Stored results contain these digests: another value would call every stored case again, for money."""
    case = make_case()
    call = (
        b'{"direction":"outbound","mode":"bot","prompt":"You are a polite caller asking about order 12345.",'
        b'"target_id":12,"target_kind":"agent","target_number":null,"version":1}'
    )
    says = _sha256(b'{"any_of":["30 days"],"check":"says","severity":"error","version":1}')
    check = (
        b'{"confidence":null,"expectations":["%s"],"min_pass_rate":1,"min_runs":null,"platform_failures":"ignore",'
        b'"quarantined_until":null,"version":1}' % says.encode()
    )
    assert call_fingerprint(case_inputs(case, None)) == _sha256(call)
    assert check_fingerprint(case) == _sha256(check)


def _sha256(canonical: bytes) -> str:
    return f"sha256:{sha256(canonical).hexdigest()}"


@pytest.mark.parametrize(
    "edit",
    [
        {"prompt": "Another."},
        {"prompt": "You are a polite caller asking about order 12345. "},
        {"target": Target("support", "agent", 13)},
        {"target": Target("support", "phone_number", 12)},
        {"direction": "inbound"},
        {"mode": "sip"},
        {"target_number": "+14155550199"},
    ],
    ids=str,
)
def test_each_input_of_a_call_counts(edit: dict[str, Any]) -> None:
    """Every input of a call changes its fingerprint, and nothing else does."""
    before, after = make_case(), make_case(**edit)
    assert call_fingerprint(case_inputs(before, None)) != call_fingerprint(case_inputs(after, None))
    assert check_fingerprint(before) == check_fingerprint(after)


@pytest.mark.parametrize(
    "edit",
    [
        {"target": Target("helpdesk", "agent", 12)},
        {"runs": 4},
        {"timeout_seconds": 60},
        {"tags": frozenset({"smoke"})},
        {"retries": 2},
        {"max_age": timedelta(days=1)},
        {"description": "Other words."},
    ],
    ids=str,
)
def test_names_and_waiting_times_change_no_fingerprint(edit: dict[str, Any]) -> None:
    """Names, waiting times and the number of runs change neither fingerprint."""
    before, after = make_case(), make_case(**edit)
    assert call_fingerprint(case_inputs(before, "now a1")) == call_fingerprint(case_inputs(after, None))
    assert check_fingerprint(before) == check_fingerprint(after)


@pytest.mark.parametrize(
    "edit",
    [
        {"min_pass_rate": 0.8},
        {"quarantine": Quarantine(date(2027, 1, 31), "VOX-41")},
        {"expectations": ()},
    ],
    ids=str,
)
def test_each_rule_of_judgement_counts(edit: dict[str, Any]) -> None:
    """Everything that decides a verdict changes the check fingerprint."""
    assert check_fingerprint(make_case()) != check_fingerprint(make_case(**edit))


def test_expectations_count_by_what_they_ask() -> None:
    """A field, a repetition or a severity counts; order, ids and descriptions do not."""
    one, two = Says(id="one"), Says(id="two", any_of=("thirty days",))
    base = make_case(expectations=(one, two))

    def same(*expectations: Any) -> bool:
        return check_fingerprint(base) == check_fingerprint(replace(base, expectations=expectations))

    assert same(two, one)
    assert same(Says(id="renamed", description="why"), two)
    assert not same(one, one)
    assert not same(one, Says(id="two", any_of=("thirty days",), severity=CheckSeverity.WARNING))
    assert not same(one, two, two)

"""No call is made without consent, or against a policy or ceiling; each refusal says what to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import pytest

from planner.changes.consent import ConsentRequest, EarlierSpending, Limits, NoAgreement, check_consent, consent_command
from planner.changes.consented_calls import of_sandbox
from planner.changes.model import ChangeSet
from planner.errors import RefusedError, UsageError
from planner.planfile.model import Plan, Policy, Target
from planner.reports.redaction import Redactor
from planner.results.money_documents import ConsentDocument
from tests.support.stored_cases import NOW, build, make_case, store_case

Agree = Callable[..., ConsentDocument]
_COMMAND = "planner run --consent-to-charge …"


def make_plan(name: str = "refunds", max_cost_cents: int | None = None) -> Plan:
    return Plan(name, f"plans/{name}.yaml", "", (), frozenset(), max_cost_cents, ())


def agree(change_set: ChangeSet, **terms: Any) -> ConsentDocument:
    """`check_consent` with consent and without limits; keywords are fields of its arguments."""
    limits = Limits(terms.pop("plans", [make_plan()]), terms.pop("policy", Policy()), terms.pop("now", NOW))
    progress = EarlierSpending(
        **{each.name: terms.pop(each.name) for each in fields(EarlierSpending) if each.name in terms}
    )
    defaults: dict[str, Any] = {"given": True, "by": "ana", "command": _COMMAND}
    request = ConsentRequest(**{**defaults, **terms})
    return check_consent(change_set, limits, request, progress)


def refusal(change_set: ChangeSet, **terms: Any) -> tuple[str, str]:
    with pytest.raises(RefusedError) as caught:
        agree(change_set, **terms)
    assert caught.value.exit_code == 3
    return str(caught.value), caught.value.hint


def test_agreed() -> None:
    """ConsentDocument records who, when, to which change set, and the lower of the command's and the project's ceilings."""
    change_set = build([make_case()])
    assert agree(change_set) == ConsentDocument(
        given=True, by="ana", at=NOW, digest=change_set.digest, max_cost_cents=None
    )
    assert agree(change_set, max_cost_cents=500).max_cost_cents == 500
    assert agree(change_set, max_cost_cents=500, policy=Policy(max_cost_cents=300)).max_cost_cents == 300
    assert agree(change_set, digest=change_set.digest).given


def test_the_refusal_says_whether_the_calls_are_simulated() -> None:
    change_set = build([make_case()])
    assert "3 calls, " in refusal(change_set, given=False)[0]
    assert "3 simulated calls, " in refusal(of_sandbox(change_set), given=False)[0]


@pytest.mark.parametrize(
    ("named", "no_agreement", "why"),
    [
        ("", NoAgreement.NOBODY, "the CI system names nobody with write access"),
        ("app[bot]", NoAgreement.NOBODY, "the CI system names nobody with write access"),
        ("maria", NoAgreement.NO_ACCESS, "`maria` has no write access"),
        ("maria", NoAgreement.NO_ANSWER, "GitHub did not answer whether `maria`"),
    ],
)
def test_nobody_agrees(named: str, no_agreement: NoAgreement, why: str) -> None:
    assert refusal(build([make_case()]), by="", no_agreement=no_agreement, named=named)[0].startswith(why)


def test_a_newer_push() -> None:
    found = refusal(build([make_case()]), digest=f"sha256:{0:064}", newer_push=("a" * 40, "b" * 40))
    assert "for aaaaaaa; the branch is now at bbbbbbb" in found[0]


def test_a_commit_is_not_shown_as_a_phone_number() -> None:
    """Digits alone would be redacted: a commit is shown up to its first letter."""
    push = (f"4789809888{'f' * 30}", "ab" * 20)
    why, _ = refusal(build([make_case()]), digest=f"sha256:{0:064}", newer_push=push)
    assert "for 4789809888f; the branch is now at abababa." in Redactor((), frozenset()).text(why)


def test_missing() -> None:
    why, hint = refusal(build([make_case()]), given=False)
    assert why.startswith("3 calls, expected $0.96 ($0.48–$1.92, assumed 1–4 minutes at 16 ¢/min (spark)): consent ")
    assert hint.endswith(f": {_COMMAND}")


def test_missing_for_an_unknown_price() -> None:
    why, _ = refusal(build([make_case(runs=1)], products={}), given=False)
    assert why.startswith("1 call, cost unknown (no past runs and the product is unknown): consent ")


def test_nothing_to_call_needs_no_consent() -> None:
    kept = build([make_case()], [store_case(make_case())])
    strict = Policy(max_cost_cents=0, allowed_targets=frozenset(), max_calls=0)
    assert not agree(kept, given=False, policy=strict, max_cost_cents=0).given
    made = build([make_case()], already_made={make_case().case_id: 3})
    assert not agree(made, given=False, runs_made={make_case().case_id: 3}).given


def test_another_digest() -> None:
    """The refusal names both digests, with and without consent, and says that the agreed set is not stored here."""
    change_set, other = build([make_case()]), f"sha256:{'0' * 64}"
    for given in (True, False):
        why, hint = refusal(change_set, digest=other, given=given)
        assert other in why
        assert change_set.digest in why
        assert "this machine does not know the set" in why
        assert "Plan the whole set here first" in hint
        assert hint.endswith(f": {_COMMAND}")


def test_another_digest_without_calls() -> None:
    """A different digest is refused even if the current change set is free."""
    kept = build([make_case()], [store_case(make_case())])
    digest = build([make_case()]).digest
    assert digest in refusal(kept, digest=digest)[0]
    assert "is not the one agreed to" in refusal(kept, digest=digest, outside=("a case",))[0]


def test_another_digest_because_agents_were_edited() -> None:
    """The refusal names each edited agent once, and suggests to look at the plan."""
    cases = [make_case(f"s{n}") for n in range(7)]
    stored = [store_case(case, revision="2026-11-20T08:00:00Z a1") for case in cases]
    agreed = build(cases, stored)
    today = build(cases, stored, revisions={("agent", 12): "2026-11-24T08:00:00Z b2"})
    why, hint = refusal(today, digest=agreed.digest)
    assert why.endswith("; agents edited since: support (agent 12)")
    assert "planner plan" in hint
    assert hint.endswith(f": {_COMMAND}")


@pytest.mark.parametrize("text", ["9f3c", "sha256:9f3c…", f"SHA256:{'0' * 64}", f"sha256:{'0' * 64}\n", ""])
def test_not_a_digest(text: str) -> None:
    """Malformed digests are usage errors, not refusals."""
    with pytest.raises(UsageError, match="is not the digest of a set of calls") as caught:
        agree(build([make_case()]), digest=text)
    assert caught.value.exit_code == 2
    assert caught.value.hint == "Copy it whole from `planner plan`: sha256: and 64 hex digits"


def test_a_ceiling_below_the_expected_cost() -> None:
    """A ceiling equal to the expected cost is enough."""
    change_set = build([make_case()])
    assert refusal(change_set, max_cost_cents=95) == (
        "$0.96 expected, --max-cost allows $0.95",
        "Select fewer cases with --select, or raise the ceiling",
    )
    assert agree(change_set, max_cost_cents=96).given


def test_every_broken_ceiling_is_named() -> None:
    """All exceeded ceilings of command, project and plans are named at once."""
    hours = make_case("opening", plan="hours", runs=100)
    change_set = build([make_case(), hours])
    plans = [make_plan("refunds", 95), make_plan("hours", 3200), make_plan("empty", 0)]
    assert refusal(change_set, plans=plans, max_cost_cents=1000, policy=Policy(max_cost_cents=2000))[0] == (
        "$32.96 expected, --max-cost allows $10.00; "
        "$32.96 expected, policy.max_cost_cents allows $20.00; "
        "$0.96 expected, budget.max_cost_cents of plan refunds allows $0.95"
    )


def test_earlier_spending_counts() -> None:
    """A ceiling is for the whole consent, with all its sessions and also for cases that are not called now. What is only
    reserved refuses nothing: a killed session can be resumed under the same ceiling, and launching waits for its bills."""
    case = make_case()
    made = {case.case_id: 2}
    change_set = build([case], already_made=made)
    terms = {"runs_made": made, "plans": [make_plan("refunds", 128)]}
    assert agree(change_set, spent_cents={case.plan: 64}, **terms).given
    assert refusal(change_set, spent_cents={case.plan: 97}, **terms)[0] == (
        "$0.32 expected plus $0.97 already spent, budget.max_cost_cents of plan refunds allows $1.28"
    )
    reserved = {case.plan: 40}
    assert agree(change_set, spent_cents={case.plan: 97}, reserved_cents=reserved, **terms).given
    assert refusal(change_set, spent_cents={case.plan: 137}, reserved_cents=reserved, **terms)[0] == (
        "$0.32 expected plus $0.97 already spent, budget.max_cost_cents of plan refunds allows $1.28"
    )


def test_an_unknown_price_is_left_to_the_ledger() -> None:
    """Calls of unknown price are not refused: the ledger launches them one at a time."""
    change_set = build([make_case()], products={("agent", 12): "storm-base"})
    assert agree(change_set, plans=[make_plan("refunds", 900)]).given
    assert agree(change_set, max_cost_cents=1).max_cost_cents == 1


def test_targets_that_policy_does_not_allow() -> None:
    """Forbidden targets are named before consent is asked for; targets that are not called do not matter."""
    hotline = make_case("closing", target=Target("hotline", "phone_number", 77))
    change_set = build([make_case(), hotline, make_case("opening")], already_made={hotline.case_id: 3})
    policy = Policy(allowed_targets=frozenset({("phone_number", 77)}))
    assert refusal(change_set, policy=policy, given=False) == (
        "policy.allowed_targets does not allow calls to support (agent 12)",
        "Add it in planner.yaml, or exclude its cases with --select",
    )
    allowed = Policy(allowed_targets=frozenset({("agent", 12)}))
    assert "hotline (phone_number 77)" in refusal(change_set, policy=allowed)[0]
    assert agree(change_set, policy=allowed, runs_made={hotline.case_id: 3}).given


def test_more_calls_than_policy_allows() -> None:
    change_set = build([make_case()])
    assert refusal(change_set, policy=Policy(max_calls=2)) == (
        "3 calls would be made, policy.max_calls allows 2 per session",
        "Select fewer cases with --select, or raise it in planner.yaml",
    )
    assert agree(change_set, policy=Policy(max_calls=3)).given
    assert agree(change_set, policy=Policy(max_calls=2), runs_made={make_case().case_id: 1}).given


def test_the_suggested_command_is_accepted() -> None:
    """The suggested command is accepted; its ceiling is the high estimate."""
    change_set = build([make_case()])
    assert consent_command("planner run plans/", change_set) == (
        f"planner run plans/ --consent-to-charge --max-cost 1.92 --digest {change_set.digest}"
    )
    assert agree(change_set, max_cost_cents=192, digest=change_set.digest).given
    made = {make_case().case_id: 2}
    rest = build([make_case()], already_made=made)
    assert consent_command("planner run", rest, EarlierSpending(spent_cents={"refunds": 128})).split()[4] == "1.92"
    assert agree(rest, max_cost_cents=192, runs_made=made, spent_cents={make_case().case_id: 128}).given
    dear = build([make_case()], rates={"spark": 420.375})
    assert consent_command("planner run", dear).split()[4] == "100.89"
    unpriced = build([make_case()], products={})
    assert consent_command("planner run", unpriced) == f"planner run --consent-to-charge --digest {unpriced.digest}"


@pytest.mark.parametrize("cents", [31, 32, 33, 50, 63, 64])
def test_a_budget_below_one_call_is_refused_up_front(cents: int) -> None:
    """It is above the expected cost (32 cents), but below what the call reserves (64 cents): nothing could be launched.

    Before: `planner plan` printed a command that made no call.
    """
    change_set = build([make_case(runs=1)])
    terms = {"plans": [make_plan("refunds", cents)]}
    if cents >= 64:
        assert agree(change_set, **terms).given
        return
    message = refusal(change_set, **terms)[0]
    assert ("expected" in message, "each call may cost $0.64" in message) == (cents < 32, cents >= 32)
    assert consent_command("planner run", change_set).split()[4] == "0.64"


def test_bills_above_the_estimate_raise_what_a_call_reserves() -> None:
    """Also for the ceiling that `planner plan` prints."""
    case = make_case(runs=1)
    change_set = build([case])
    dear = {"reservations": {case.case_id: 90}}
    assert (
        consent_command("planner run", change_set, EarlierSpending(reservations={case.case_id: 90})).split()[4]
        == "0.90"
    )
    assert "each call may cost $0.90" in refusal(change_set, max_cost_cents=89, **dear)[0]
    assert agree(change_set, max_cost_cents=90, **dear).given
    # Of earlier calls, only bills count: reservations may be released.
    earlier = {"spent_cents": {"refunds": 50}, "reserved_cents": {"refunds": 40}}
    assert agree(change_set, max_cost_cents=100, **dear, **earlier).given

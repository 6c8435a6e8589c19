"""Nobody is called unless everything that must hold does; each refusal says what and how to go on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from planner.changes.consent import check_consent, consent_command, price_line
from planner.changes.model import ChangeSet, Consent, Estimate
from planner.errors import RefusedError, UsageError
from planner.planfile.model import Case, Plan, Policy, QuietHours, Target
from planner.results.model import CaseDocument

MakeCase = Callable[..., Case]
Build = Callable[..., ChangeSet]
Agree = Callable[..., Consent]
_COMMAND = "planner run --consent-to-charge …"


@pytest.fixture(scope="session")
def agree(now: datetime, make_plan: Callable[..., Plan]) -> Agree:
    """Consent given, without any ceiling or policy, unless keywords say otherwise."""

    def agree(change_set: ChangeSet, **terms: Any) -> Consent:
        defaults: dict[str, Any] = {
            "plans": [make_plan()],
            "consent_given": True,
            "max_cost_cents": None,
            "policy": Policy(),
            "plan_digest": None,
            "now": now,
            "by": "ana",
            "command": _COMMAND,
        }
        return check_consent(change_set, **{**defaults, **terms})

    return agree


@pytest.fixture(scope="session")
def refusal(agree: Agree) -> Callable[..., tuple[str, str]]:
    def refusal(change_set: ChangeSet, **terms: Any) -> tuple[str, str]:
        with pytest.raises(RefusedError) as caught:
            agree(change_set, **terms)
        assert caught.value.exit_code == 3
        return str(caught.value), caught.value.hint

    return refusal


def test_agreed(make_case: MakeCase, build: Build, agree: Agree, now: datetime) -> None:
    """Consent records who, when, to which change set, and the lower of the command's and the project's ceilings."""
    change_set = build([make_case()])
    assert agree(change_set) == Consent(True, "ana", now, change_set.digest, None)
    assert agree(change_set, max_cost_cents=500).max_cost_cents == 500
    assert agree(change_set, max_cost_cents=500, policy=Policy(max_cost_cents=300)).max_cost_cents == 300
    assert agree(change_set, plan_digest=change_set.digest).given


def test_missing(make_case: MakeCase, build: Build, refusal: Any) -> None:
    """Without consent nobody is called, and the refusal tells the price and what to type."""
    assert refusal(build([make_case()]), consent_given=False) == (
        (
            "3 calls, expected $0.96 ($0.48–$1.92; assumed 1–4 minutes at 16 ¢/min (spark)); "
            "nobody is called without consent to that charge"
        ),
        "to run exactly this: planner run --consent-to-charge …",
    )


def test_missing_for_an_unknown_price(make_case: MakeCase, build: Build, refusal: Any) -> None:
    """An unknown price is told as unknown."""
    assert refusal(build([make_case(runs=1)], products={}), consent_given=False)[0] == (
        "1 call of unknown cost (no past runs and the product is not known); nobody is called without consent to that charge"
    )


def test_nothing_to_call_needs_no_consent(
    make_case: MakeCase, store_case: Callable[..., CaseDocument], build: Build, agree: Agree
) -> None:
    """A change set that calls nobody goes through without consent or ceiling, whatever the policy; none is recorded."""
    kept = build([make_case()], [store_case(make_case())])
    strict = Policy(max_cost_cents=0, allowed_targets=frozenset(), max_calls=0)
    assert not agree(kept, consent_given=False, policy=strict, max_cost_cents=0).given
    made = build([make_case()], already_made={make_case().case_id: 3})
    assert not agree(made, consent_given=False, already_made={make_case().case_id: 3}).given


def test_another_digest(make_case: MakeCase, build: Build, refusal: Any) -> None:
    """A digest of another change set is refused, and today's is named, also where consent is missing."""
    change_set, other = build([make_case()]), f"sha256:{'0' * 64}"
    expected = (
        f"the change set is not the one agreed to: {other} was, today's is {change_set.digest}",
        "look at it with `planner plan` (in a workflow: run all its jobs again, not the failed one alone); to agree to today's: planner run --consent-to-charge …",
    )
    assert refusal(change_set, plan_digest=other) == expected
    assert refusal(change_set, plan_digest=other, consent_given=False) == expected


def test_another_digest_also_where_nothing_is_called(
    make_case: MakeCase, store_case: Callable[..., CaseDocument], build: Build, refusal: Any
) -> None:
    """What was agreed to and is not there any more is refused, even where today's change set is free."""
    kept = build([make_case()], [store_case(make_case())])
    assert "is not the one agreed to" in refusal(kept, plan_digest=build([make_case()]).digest)[0]


def test_another_digest_because_agents_were_edited(
    make_case: MakeCase, store_case: Callable[..., CaseDocument], build: Build, refusal: Any
) -> None:
    """Where agents were edited, the refusal names each once, and how it is seen: a plan made without a key could not know it."""
    cases = [make_case(f"s{n}") for n in range(7)]
    stored = [store_case(case, revision="2026-11-20T08:00:00Z a1") for case in cases]
    agreed = build(cases, stored)
    today = build(cases, stored, revisions={("agent", 12): "2026-11-24T08:00:00Z b2"})
    why, mend = refusal(today, plan_digest=agreed.digest)
    assert why.endswith("; agents edited since: support (agent 12; 2026-11-20 → 2026-11-24; 7 cases)")
    assert mend.startswith(
        "a plan made without `--refresh` and a key does not know of that: look at it with `planner plan --refresh`;"
        " to agree to today's: planner run "
    )


@pytest.mark.parametrize("text", ["9f3c", "sha256:9f3c…", f"SHA256:{'0' * 64}", f"sha256:{'0' * 64}\n", ""])
def test_not_a_digest(make_case: MakeCase, build: Build, agree: Agree, text: str) -> None:
    """What cannot be a digest is bad usage, not a refusal."""
    with pytest.raises(UsageError, match="is not the digest of a change set") as caught:
        agree(build([make_case()]), plan_digest=text)
    assert caught.value.exit_code == 2
    assert caught.value.hint == "copy it whole from `planner plan`: sha256: and 64 hex digits"


def test_a_ceiling_below_the_expected_cost(make_case: MakeCase, build: Build, agree: Agree, refusal: Any) -> None:
    """A ceiling below the expected cost is refused up front; one that meets it is not."""
    change_set = build([make_case()])
    assert refusal(change_set, max_cost_cents=95) == (
        "$0.96 expected, --max-cost allows $0.95",
        "select fewer cases with --select, or raise the ceiling",
    )
    assert agree(change_set, max_cost_cents=96).given


def test_every_broken_ceiling_is_named(make_case: MakeCase, build: Build, make_plan: Any, refusal: Any) -> None:
    """The command's, the project's and each plan's ceiling are checked, and all that break are named at once."""
    hours = make_case("opening", plan="hours", runs=100)
    change_set = build([make_case(), hours])
    plans = [make_plan("refunds", 95), make_plan("hours", 3200), make_plan("empty", 0)]
    assert refusal(change_set, plans=plans, max_cost_cents=1000, policy=Policy(max_cost_cents=2000))[0] == (
        "$32.96 expected, --max-cost allows $10.00; "
        "$32.96 expected, policy.max_cost_cents allows $20.00; "
        "$0.96 expected, budget.max_cost_cents of plan refunds allows $0.95"
    )


def test_what_was_already_spent_counts(
    make_case: MakeCase, build: Build, make_plan: Any, agree: Agree, refusal: Any
) -> None:
    """A ceiling holds for the change set: what an interrupted invocation spent of it is gone, and its calls need no more; what
    is only held for them is not called spent."""
    case = make_case()
    made = {case.case_id: 2}
    change_set = build([case], already_made=made)
    terms = {"already_made": made, "plans": [make_plan("refunds", 96)]}
    assert agree(change_set, already_spent_cents={case.case_id: 64}, **terms).given
    assert refusal(change_set, already_spent_cents={case.case_id: 65}, **terms)[0] == (
        "$0.32 expected beside $0.65 already spent, budget.max_cost_cents of plan refunds allows $0.96"
    )
    held = {case.case_id: 40}
    assert refusal(change_set, already_spent_cents={case.case_id: 65}, held_cents=held, **terms)[0] == (
        "$0.32 expected beside $0.25 already spent and up to $0.40 held for earlier calls whose bill, or fate, is not known"
        " yet, budget.max_cost_cents of plan refunds allows $0.96"
    )


def test_an_unknown_price_is_left_to_the_ledger(
    make_case: MakeCase, build: Build, make_plan: Any, agree: Agree
) -> None:
    """A ceiling over calls of unknown price cannot be judged beforehand: the ledger lets them go one at a time."""
    change_set = build([make_case()], products={("agent", 12): "storm-base"})
    assert agree(change_set, plans=[make_plan("refunds", 900)]).given
    assert agree(change_set, max_cost_cents=1).max_cost_cents == 1


def test_targets_that_policy_does_not_allow(make_case: MakeCase, build: Build, agree: Agree, refusal: Any) -> None:
    """A target outside policy.allowed_targets is named, before consent is asked for; one that is not called does not matter."""
    hotline = make_case("closing", target=Target("hotline", "phone_number", 77))
    change_set = build([make_case(), hotline, make_case("opening")], already_made={hotline.case_id: 3})
    policy = Policy(allowed_targets=frozenset({("phone_number", 77)}))
    assert refusal(change_set, policy=policy, consent_given=False) == (
        "policy.allowed_targets does not allow to call support (agent 12)",
        "add it in planner.yaml, or leave its cases out with --select",
    )
    allowed = Policy(allowed_targets=frozenset({("agent", 12)}))
    assert "hotline (phone_number 77)" in refusal(change_set, policy=allowed)[0]
    assert agree(change_set, policy=allowed, already_made={hotline.case_id: 3}).given


def test_more_calls_than_policy_allows(make_case: MakeCase, build: Build, agree: Agree, refusal: Any) -> None:
    """The number of calls still to be made is bounded by policy.max_calls."""
    change_set = build([make_case()])
    assert refusal(change_set, policy=Policy(max_calls=2)) == (
        "3 calls would be made, policy.max_calls allows 2 an invocation",
        "select fewer cases with --select, or raise it in planner.yaml",
    )
    assert agree(change_set, policy=Policy(max_calls=3)).given
    assert agree(change_set, policy=Policy(max_calls=2), already_made={make_case().case_id: 1}).given


def test_what_to_type(make_case: MakeCase, build: Build, agree: Agree) -> None:
    """The command consents to exactly this, with the high estimate as its ceiling, and it is accepted as it stands."""
    change_set = build([make_case()])
    assert consent_command("planner run plans/", change_set) == (
        f"planner run plans/ --consent-to-charge --max-cost 1.92 --plan-digest {change_set.digest}"
    )
    assert agree(change_set, max_cost_cents=192, plan_digest=change_set.digest).given
    made = {make_case().case_id: 2}
    rest = build([make_case()], already_made=made)
    assert consent_command("planner run", rest, already_spent_cents=128).split()[4] == "1.92"
    assert agree(rest, max_cost_cents=192, already_made=made, already_spent_cents={make_case().case_id: 128}).given
    dear = build([make_case()], rates={"spark": 420.375})
    assert consent_command("planner run", dear).split()[4] == "100.89"
    unpriced = build([make_case()], products={})
    assert (
        consent_command("planner run", unpriced) == f"planner run --consent-to-charge --plan-digest {unpriced.digest}"
    )


def test_price_in_one_line() -> None:
    """One call is one call, and thousands of dollars are readable."""
    assert price_line(Estimate(1, 123456, 100005, 200000, "b")) == "1 call, expected $1,234.56 ($1,000.05–$2,000.00; b)"


def test_quiet_hours(make_case: MakeCase, build: Build, refusal: Any, agree: Agree) -> None:
    """Nobody is called while they last, on the clock of their place; where nothing is to be called they do not matter."""
    hours = QuietHours(time(20), time(8), ZoneInfo("Europe/Berlin"))
    change_set = build([make_case()])
    night, morning = datetime(2026, 1, 5, 6, 59, tzinfo=UTC), datetime(2026, 1, 5, 7, tzinfo=UTC)
    assert refusal(change_set, policy=Policy(quiet_hours=hours), now=night) == (
        "nobody is called in policy.quiet_hours, 20:00–08:00 Europe/Berlin",
        "run it after 08:00 there, or change them in planner.yaml",
    )
    assert agree(change_set, policy=Policy(quiet_hours=hours), now=morning).given
    assert agree(build([]), policy=Policy(quiet_hours=hours), now=night).given

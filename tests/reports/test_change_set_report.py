"""The change set as text, JSON and Markdown."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from inline_snapshot import snapshot

from planner.changes.model import ChangeSet
from planner.errors import RefusedError
from planner.planfile.model import Plan
from planner.reports.change_set import PlanView, render_json, render_text
from planner.reports.redaction import Redactor

_NOW = datetime(2026, 11, 24, 12, 1, 30, tzinfo=UTC)
_LIMITS = [("policy", 5_000), ("plan refunds", 900)]


def _command(change_set: ChangeSet) -> str:
    return f"planner run --consent-to-charge --max-cost 2.40 --digest {change_set.digest}"


def _preview(change_set: ChangeSet, plans: list[Plan], **given: Any) -> PlanView:
    shown = PlanView(change_set, plans, _LIMITS, _command(change_set), now=_NOW)
    return replace(shown, **given)


def _text(change_set: ChangeSet, plans: list[Plan], width: int = 100, *, color: bool = False, **given: Any) -> str:
    return render_text(_preview(change_set, plans, **given), width=width, color=color)


def test_the_whole_text(change_set: ChangeSet, plans: list[Plan]) -> None:
    """Each case with its action and reason, the price with its basis and ceilings, and the command."""
    assert _text(change_set, plans) == snapshot("""\
2 plans · 29 cases · 83 runs

  + refunds/refund-window[mood=furious]@support   5 calls   new
  ~ refunds/late-order@support                    3 calls   caller prompt changed
      - You are a polite caller asking about order 12345.
      + You are an impatient caller, �@acme ``` : :x.
  ~ refunds/number[mood=calm]@support             1 call    settings changed
      target number +•••••••••99 → +•••••••••42
  ~ refunds/number[mood=furious]@support          1 call    settings changed, same as above
  ~ hours/opening@hotline                         3 calls   agent edited at the service (2026-11-20
                                                            → 2026-11-24)
  ~ hours/late@hotline                            1 call    inconclusive before · in addition to 2
                                                            stored runs
  ? hours/closing@hotline                         recheck   expectations changed · 3 stored runs ·
                                                            free
  - refunds/old-case@support                      dropped   no longer in the plan
  = 21 cases reused                                         passed, 1 flaky, newest 119 min ago,
                                                            oldest 2 h
  = 1 case reused                                           not selected

Calls: 11 · about 4 min (10 at a time) · expected $1.76 ($1.44–$2.40, 31 past runs of these
  scenarios) · ceilings $9.00 (plan refunds), $50.00 (policy)
Nothing was called. To run exactly this:
  planner run --consent-to-charge --max-cost 2.40 --digest sha256:9f3c2a7b9f3c2a7b9f3c2a7b9f3c2a7b9f3c2a7b9f3c2a7b9f3c2a7b9f3c2a7b
""")


def test_an_unknown_price(many_calls: Callable[[int], ChangeSet], plans: list[Plan]) -> None:
    """An unknown price is shown as unknown with the reason, never as $0.00."""
    change_set = many_calls(3)
    assert "Calls: 3 · about 2 min (3 at a time) · cost unknown (no past runs and the product is unknown)" in _text(
        change_set, plans, ceilings=[]
    )
    assert json.loads(render_json(_preview(change_set, plans)))["estimate"]["expected_cents"] is None
    assert "$0.00" not in _text(change_set, plans)


def test_the_whole_document(change_set: ChangeSet, plans: list[Plan]) -> None:
    """The documented fields and their values."""
    document = json.loads(render_json(_preview(change_set, plans)))
    assert list(document) == [
        "schema_version", "exit_code", "error", "diagnostics", "digest", "changes", "estimate", "confirmations", "summary", "agents",
        "live_tools", "warnings", "open_launches"
    ]  # fmt: skip
    assert document["estimate"] == snapshot(
        {
            "calls": 11,
            "expected_cents": 176,
            "low_cents": 144,
            "high_cents": 240,
            "basis": "31 past runs of these scenarios",
            "expected_seconds": 200.0,
            "at_once": 10,
            "coverage": {"case": 0, "scenario": 0, "target": 0, "product": 0, "rate": 0, "unknown": 0},
        }
    )
    assert document["summary"] == snapshot({"call": 6, "recheck": 1, "reuse": 22, "drop": 1})
    assert document["changes"][0] == snapshot(
        {
            "case_id": "refunds/refund-window[mood=furious]@support",
            "action": "call",
            "reason": "new",
            "runs": 5,
            "calls": 5,
            "shares_with": None,
            "renamed_from": None,
            "runs_made": 0,
            "unconfirmed_runs": 0,
            "detail": "",
        }
    )
    assert document["changes"][2]["detail"] == "target number +•••••••••99 → +•••••••••42"
    assert len(document["changes"]) == len(change_set.changes)


def test_hostile_plans_do_nothing(change_set: ChangeSet, plans: list[Plan]) -> None:
    """Plans of a fork are hostile: no escape sequence or command comes out of them."""
    hostile = tuple(
        replace(
            change,
            case_id=f'p/s[x="</details> ``` @acme ::x {index}\x1b[31m|"]@t',
            detail=f"- ```\n+ </details>\x9b1m{index}",
        )
        for index, change in enumerate(change_set.changes)
    )
    attacked = replace(change_set, changes=hostile)
    text = _text(attacked, plans)
    for shown in (text, render_json(_preview(attacked, plans))):
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", shown)
    assert "::" not in text


def test_numbers_and_more_are_redacted(change_set: ChangeSet, plans: list[Plan]) -> None:
    """Phone numbers, and the project's own patterns."""
    redactor = Redactor((re.compile("polite"),))
    shown = _text(change_set, plans, redactor=redactor)
    assert "4155550199" not in shown
    assert "You are a [redacted] caller" in shown


def test_what_the_ceiling_includes(change_set: ChangeSet, plans: list[Plan]) -> None:
    """One call of $0.16 may have a ceiling of dollars: that of the whole consent."""
    text = _text(change_set, plans, already_made={"hours/late@hotline": 2}, spent_cents=256)
    assert "2 more calls already made" in text
    assert "--max-cost includes the $2.56 of earlier sessions" in " ".join(text.split())


def test_a_refusal_replaces_the_command(change_set: ChangeSet, plans: list[Plan]) -> None:
    """The reason and the fix replace the command."""
    refused = ("$1.76 expected, policy allows $1.00 to @acme", "raise the ceiling")
    preview = PlanView(change_set, plans, [], "planner run", refused=RefusedError(*refused))
    text = render_text(preview, width=60, color=False)
    assert text.endswith("""\
Nothing was called. `planner run` would refuse this: $1.76
  expected, policy allows $1.00 to @acme
  raise the ceiling
""")
    assert json.loads(render_json(preview))["error"]["message"] == refused[0]

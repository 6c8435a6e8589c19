"""The summary of a run on a terminal, and how terminal text is wrapped."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from inline_snapshot import snapshot
from wcwidth import wcswidth

from planner.reports.redaction import redact
from planner.reports.summary import render_text
from planner.results.model import RunResult

_PATHS = ["reports/report.md", "reports/results.json", "reports/junit.xml", "reports/report.html"]


def _plain(result: RunResult, width: int = 80) -> str:
    return render_text(redact(result), report_paths=_PATHS, width=width, color=False)


def test_the_whole_summary(canonical: RunResult) -> None:
    """Failures with quotes, unknown and flaky cases, cost, reports and next steps."""
    assert _plain(canonical) == snapshot("""\
✗ 1 failed, 2 unknown, 1 quarantined, 1 flaky, 5 passed · at least $15.02
  (estimate was $14.20)
  1 regressed (1/1 → 1/3), 2 now passing, 4 unchanged (1 flaky), 1 dropped
  At least one case failed. (exit code 1)
  · budget.max_cost_cents of plan refunds is reached: 1 case was not called
  · the service answered 503 to 2 of 31 requests

  ✗ refunds/refund-window[mood=furious]@support
      1 of 3 runs passed, 80 % needed; critical states-window failed in 1 of 3
      runs · regressed (1/1 → 1/3) · called: caller prompt changed
      states-window (says, critical): the agent never said any of "30 days",
        "thirty days"
      no-guarantee (never_says): the agent said what it must never say (in 2
        runs)
        turn 6, agent, 0:42: “I "guarantee" it <img src=x onerror=alert(1)>
        @acme/voice, see https:// … b # #[add-mask]c `code` **bold** $x$ �gnp�
        ]]> & �� call (•••) •••-••99”
      polite (grade, undecided): the grade is pending: not decided

  ? hours/late[day="New Year's Eve | 31"]@hotline
      unknown: 0 of 2 runs can be counted, 1 needed: 1 platform, 1 judge ·
      called: new
      polite (grade, undecided): the grade is pending: not decided
      caused by the platform: the run failed: carrier rejected the call to
        ••••••••99

  ? orders/status@support
      unknown: no run was made; 1 of 1 calls not made: the ceiling of plan
      refunds is reached · not called: new

  ∎ hours/parking@support
      quarantined through 2027-01-31 (ticket VOX-41, see @acme/voice); failed: 0
      of 1 run passed, 100 % needed · now failing (1/1 → 0/1) · called: new
      parking (says): the agent never said it

  ~ hours/opening@hotline
      flaky: 3 of 4 runs passed, 70 % needed · unchanged (1/1 → 3/4) · called:
      agent edited at the service (2026-11-20 → 2026-11-24)
      tool_called: day was Sunday, Monday asked
        turn 3, tool: “lookup_hours({"day": "Sunday"})”

Agents   `support`: prompt, voice changed, called on a preview (agent 31, which
         the next run deletes)
Cases    10 cases · 15 runs · 3 plans · environment staging · only some cases
         were selected
Cost     at least $15.02 (estimate was $14.20); $14.70 of it in this session,
         the rest in earlier sessions; 1 run without a known bill not included;
         up to $0.32 more for 1 unconfirmed launch; the ceiling is $9.00; reused
         runs cost $0.48 in earlier sessions and were not charged again
Calls    31 requests · 5 launches · 2 rate-limited (429) · 3 min 2 s
Warnings `latency` failed in 3 runs of 1 case
Reports  reports/report.md
         reports/results.json
         reports/junit.xml
         reports/report.html
Next     To resume (nothing is charged twice):
         planner run plans/ --consent-to-charge --max-cost 9.00 --digest sha256:9f3c2a7b9f3c2a7b9f3c2a7b9f3c2a7b9f3c2a7b9f3c2a7b9f3c2a7b9f3c2a7b
         To settle the launch:
         planner reconcile 3f9a2c11
""")


def test_a_session_without_calls(nothing_called: RunResult) -> None:
    """A refusal shows the reason and the command."""
    assert _plain(nothing_called) == snapshot("""\
! Refused: 1 unknown · nothing called · sandbox
  These are simulated calls on the sandbox: nobody was phoned, and nothing was
  charged.
  11 calls of unknown cost; nobody is called without consent to that charge.
  (exit code 3)

  ? hours/opening@hotline
      unknown: no run was made; 1 of 1 calls not made: consent was withheld ·
      not called: new

Cases    1 case · 0 runs · 1 plan
Cost     nothing called, simulated
Calls    0 requests · 0 launches · 0.4 s
Reports  reports/report.md
         reports/results.json
         reports/junit.xml
         reports/report.html
Next     To run exactly this:
         planner run --consent-to-charge --digest sha256:9f3c2a7b9f3c2a7b9f3c2a7b9f3c2a7b9f3c2a7b9f3c2a7b9f3c2a7b9f3c2a7b
""")


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_no_line_is_too_wide(canonical: RunResult, width: int) -> None:
    """Only case ids, paths and commands are wider."""
    lines = _plain(canonical, width).splitlines()
    too_wide = [line for line in lines if wcswidth(line) > width]
    copied = re.compile(r"  [✗?~] |\s+planner |(Reports)?\s+reports/")
    assert [line for line in too_wide if not copied.match(line)] == []


def test_hostile_text_does_nothing(canonical: RunResult) -> None:
    """No escape sequence or workflow command in the output."""
    for width in range(40, 130, 7):
        text = render_text(canonical, report_paths=_PATHS, width=width, color=False)
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]|##\\[", text)
        assert not re.search(r"^\s*::", text, re.MULTILINE)


def test_a_thousand_cases_fit_on_two_screens(many: Callable[[int], RunResult]) -> None:
    """A thousand cases fit on a screen or two: the first kinds of failure, and how many more there are."""
    text = _plain(many(1_000))
    assert len(text.splitlines()) < 110
    assert "  … and 88 more failed cases, in the report\n" in text

"""`report.html`: one file that needs no network, with a content security policy that allows none.

The list of cases is HTML. Conversations are JSON (`conversations.py`), which `page.js` renders when a case is opened. The template
escapes all text, the script only sets text content, and the policy allows only this script and style, by their digests.
"""

from __future__ import annotations

from base64 import b64encode
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from hashlib import sha256
from importlib.resources import files
from types import MappingProxyType

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup, escape

from planner.reports import EvidenceOf, case_phrasing, phrasing, verdict_phrasing
from planner.reports.failed_expectations import failed_expectations, first_failed, in_how_many
from planner.reports.html.conversations import Budget, case_document, script_json
from planner.reports.neutral import without_controls
from planner.reports.sandbox_note import sandbox_note
from planner.results.model import CaseDocument, RunResult

MAX_CONVERSATION_BYTES = 48 * 1024 * 1024
"""Limit for all conversations, about 30,000 calls. Calls beyond it keep only their findings and quotes."""
SIGNS = MappingProxyType({"failed": "✗", "unknown": "?", "quarantined": "∎", "flaky": "~", "passed": "✓"})
_SIGNS_OF_PLANS = {"passed": "✓", "failed": "✗", "unknown": "?", "refused": "!", "interrupted": "!"}
_BAR_UNITS = 1000
_SHOWN_ROWS = 1000
_SHOWN_EXPECTATIONS = 6
_MESSAGE_CHARACTERS = 240

Trend = Sequence[float]
"""Pass rates of earlier sessions, oldest first, from 0 to 1."""


def render(result: RunResult) -> str:
    """The page without conversations."""
    return "".join(pieces(result, lambda _: None))


def pieces(
    result: RunResult, evidence_of: EvidenceOf, trends: Mapping[str, Trend] = MappingProxyType({})
) -> Iterator[str]:
    """The page in pieces, to save memory. `trends` are by case id."""
    budget = Budget(MAX_CONVERSATION_BYTES)
    ranked = case_phrasing.worst_first(result.cases)
    standings = Counter(map(case_phrasing.standing, ranked))
    css, script = _asset("page.css"), _asset("page.js")
    return _template().generate(
        css=Markup(css),  # noqa: S704 - ours
        script=Markup(script),  # noqa: S704 - ours
        policy=_policy(css, script),
        result=result,
        sign=_SIGNS_OF_PLANS[result.outcome],
        verdict=verdict_phrasing.verdict(result),
        headline=phrasing.headline(result),
        meaning=verdict_phrasing.meaning(result),
        sandbox_note=sandbox_note(result),
        facts=phrasing.facts(result, str, brief=True),
        failed=_failed(ranked),
        details=_details(result),
        steps=[phrasing.step(line) for line in result.next_steps],
        standings=[(name, SIGNS[name], standings[name]) for name in case_phrasing.OUTCOMES if standings[name]],
        segments=_segments([(name, standings[name]) for name in case_phrasing.OUTCOMES if standings[name]]),
        bar_units=_BAR_UNITS,
        plans=sorted({case.plan for case in ranked}),
        moved=sum(case.compared in ("regressed", "fixed") for case in ranked),
        rows=[_row(index, case, trends.get(case.case_id, ())) for index, case in enumerate(ranked)],
        shown_rows=_SHOWN_ROWS,
        documents=(
            Markup(script_json(case_document(case, evidence_of, budget)))  # noqa: S704 - it escapes for a script element
            for case in ranked
        ),
        warnings=phrasing.warnings(result, str),
        carried=phrasing.carried(result),
        reason_label=case_phrasing.reason_label,
        launches=[(launch, phrasing.launch_facts(launch, str)) for launch in result.open_launches],
    )


def _details(result: RunResult) -> list[tuple[str, str]]:
    return [
        *([("Cost", "; ".join(bill))] if (bill := phrasing.cost_details(result)) else []),
        ("Consent", phrasing.consent(result, str)),
        ("Calls", phrasing.numbers(result)),
        ("When", f"{phrasing.moment(result.started_at)} to {phrasing.moment(result.ended_at)}"),
        ("Session", f"{result.invocation_id} · planner {result.tool_version}"),
        ("Change set", result.change_set_digest),
        *([("Baseline", baseline)] if (baseline := phrasing.not_a_baseline(result)) else []),
    ]


def _failed(ranked: list[CaseDocument]) -> list[dict[str, object]]:
    """Failed expectations, each with its first case."""
    places = {case.case_id: index for index, case in enumerate(ranked)}
    return [
        {
            "expectation": one.finding.expectation,
            "label": case_phrasing.finding_label(one.finding),
            "how_many": in_how_many(one),
            "message": case_phrasing.shortened(one.finding.message, _MESSAGE_CHARACTERS),
            "quote": case_phrasing.shortened(one.finding.quote.text, _MESSAGE_CHARACTERS) if one.finding.quote else "",
            "index": places[one.case.case_id],
            "place": one.place,
        }
        for one in failed_expectations(ranked)[:_SHOWN_EXPECTATIONS]
    ]


def _row(index: int, case: CaseDocument, trend: Trend) -> dict[str, object]:
    standing = case_phrasing.standing(case)
    return {
        "index": index,
        "case_id": without_controls(case.case_id),
        "plan": case.plan,
        "standing": standing,
        "sign": SIGNS[standing],
        "compared": case_phrasing.compared(case) if standing != "passed" or case.compared == "fixed" else "",
        "moved": case.compared in ("regressed", "fixed"),
        "because": case_phrasing.reason(case) if standing != "passed" else "",
        "found": case_phrasing.shortened(first_failed(case), _MESSAGE_CHARACTERS) if standing != "passed" else "",
        "runs": [(run.outcome, run.run_id) for run in case.runs],
        "passed": case_phrasing.runs_passed(case),
        "cost": case_phrasing.case_cost(case),
        "why": case_phrasing.why(case),
        "trend": _trend(trend),
        "trend_words": f"pass rates so far: {', '.join(f'{rate:.0%}' for rate in trend)}" if trend else "",
        "tags": " ".join(case.tags),
    }


_TREND_WIDTH, _TREND_HEIGHT = 60, 16


def _trend(trend: Trend) -> str:
    """The points of an SVG sparkline."""
    if len(trend) < 2:
        return ""
    step = (_TREND_WIDTH - 4) / (len(trend) - 1)
    return " ".join(
        f"{2 + index * step:.1f},{2 + (1 - rate) * (_TREND_HEIGHT - 4):.1f}" for index, rate in enumerate(trend)
    )


def _segments(counts: Sequence[tuple[str, int]]) -> list[tuple[str, float, float]]:
    """The bar of outcomes: name, start and width in `_BAR_UNITS`, with a minimum width."""
    total = sum(number for _, number in counts)
    widths = [(name, max(_BAR_UNITS * number / total, 4.0)) for name, number in counts]
    scale = _BAR_UNITS / sum(width for _, width in widths) if widths else 1.0
    segments: list[tuple[str, float, float]] = []
    start = 0.0
    for name, width in widths:
        segments.append((name, round(start, 2), round(width * scale, 2)))
        start += width * scale
    return segments


def _prose(text: str) -> Markup:
    """A sentence with code in backticks."""
    parts = without_controls(text).split("`")
    if len(parts) % 2 == 0:
        return escape("`".join(parts))
    code = Markup("<code>{}</code>")
    return Markup().join(code.format(part) if index % 2 else escape(part) for index, part in enumerate(parts))


def _policy(css: str, script: str) -> str:
    """Allows this script and style, but no network, frames or forms."""
    return (
        f"default-src 'none'; script-src {_digest(script)}; style-src {_digest(css)};"
        " base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


@cache
def _asset(name: str) -> str:
    return files(__name__).joinpath(name).read_text(encoding="utf-8")


@cache
def _template() -> Template:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    environment.filters["plain"] = without_controls
    environment.filters["prose"] = _prose
    return environment.from_string(_asset("page.html.j2"))

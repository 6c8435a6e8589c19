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

from planner.quantities import percent, shortened
from planner.reports import EvidenceOf, case_phrasing, phrasing
from planner.reports.html.conversations import Budget, case_document, script_json
from planner.reports.neutral import without_controls
from planner.reports.terminal import SIGNS
from planner.results.model import CaseResult, RunResult

MAX_CONVERSATION_BYTES = 48 * 1024 * 1024
"""Limit for all conversations, about 30,000 calls. Calls beyond it keep only their findings and quotes."""
_SHOWN_ROWS = 1000
_SHOWN_EXPECTATIONS = 6
_SHOWN_DOTS = 20
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
    outcomes = Counter(map(case_phrasing.shown_outcome, ranked))
    css, script = _asset("page.css"), _asset("page.js")
    return _template().generate(
        css=Markup(css),  # noqa: S704 - ours
        script=Markup(script),  # noqa: S704 - ours
        policy=_policy(css, script),
        result=result,
        sign=SIGNS[result.outcome][0],
        title=phrasing.title(result),
        meaning=phrasing.meaning(result),
        sandbox_note=phrasing.sandbox_note(result),
        problems=[*result.problems, *(f"⚠ {warning}" for warning in result.warnings)],
        facts=phrasing.facts(result),
        failed=case_phrasing.what_failed(result, _SHOWN_EXPECTATIONS, _MESSAGE_CHARACTERS),
        outcomes=[(name, SIGNS[name][0], outcomes[name]) for name in case_phrasing.OUTCOMES if outcomes[name]],
        plans=sorted({case.plan for case in ranked}),
        moved=sum(case.compared in ("regressed", "fixed") for case in ranked),
        rows=[_row(index, case, trends.get(case.case_id, ())) for index, case in enumerate(ranked)],
        shown_rows=_SHOWN_ROWS,
        documents=(
            Markup(script_json(case_document(case, evidence_of, budget)))  # noqa: S704 - it escapes for a script element
            for case in ranked
        ),
        sections=phrasing.sections(result),
    )


def _row(index: int, case: CaseResult, trend: Trend) -> dict[str, object]:
    outcome = case_phrasing.shown_outcome(case)
    passed = outcome == "passed"
    first_failed = case_phrasing.first_failed(case)
    return {
        "index": index,
        "case_id": without_controls(case.case_id),
        "plan": case.plan,
        "outcome": outcome,
        "sign": SIGNS[outcome][0],
        "compared": case_phrasing.compared(case) if not passed or case.compared == "fixed" else "",
        "moved": case.compared in ("regressed", "fixed"),
        "because": [] if passed else [case_phrasing.reason(case), shortened(first_failed, _MESSAGE_CHARACTERS)],
        "runs": [run.outcome for run in case.runs[:_SHOWN_DOTS]],
        "passed": case_phrasing.runs_passed(case),
        "cost": case_phrasing.case_cost(case),
        "trend": _trend(trend),
        "trend_words": f"pass rates so far: {', '.join(map(percent, trend))}",
        "tags": " ".join(case.tags),
    }


def _trend(trend: Trend) -> str:
    """The points of an SVG sparkline of 60 by 16."""
    if len(trend) < 2:
        return ""
    step = 56 / (len(trend) - 1)
    return " ".join(f"{2 + index * step:.1f},{2 + (1 - rate) * 12:.1f}" for index, rate in enumerate(trend))


def _prose(text: str) -> Markup:
    """A sentence with code in backticks."""
    parts = without_controls(text).split("`")
    if len(parts) % 2 == 0:
        return escape("`".join(parts))
    code = Markup("<code>{}</code>")
    return Markup().join(code.format(part) if index % 2 else escape(part) for index, part in enumerate(parts))


def _policy(css: str, script: str) -> str:
    """Allows this script and style, but no network, frames or forms."""
    style_digest, script_digest = (b64encode(sha256(text.encode()).digest()).decode() for text in (css, script))
    sources = f"script-src 'sha256-{script_digest}'; style-src 'sha256-{style_digest}'"
    return f"default-src 'none'; {sources}; base-uri 'none'; form-action 'none'"


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

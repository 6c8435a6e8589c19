"""`planner history` as text and JSON: pass rates of cases over time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from planner.changes.history import CaseHistory, Figures, Timeline
from planner.quantities import count, money, percent
from planner.reports.case_phrasing import session_day
from planner.reports.neutral import for_terminal, json_document, picked
from planner.reports.phrasing import SANDBOX_NOTE
from planner.reports.redaction import Redactor
from planner.reports.terminal import SIGNS, Colour, Paint, Row, painter, rows, wrapped
from planner.values import frozen

_SHOWN_CASES: Final = 40
_BARS: Final = "▁▂▃▄▅▆▇█"
_MISSING: Final = "·"


@frozen
class HistoryPage:
    """The whole suite, or only the `wanted` cases. `scope` describes the store."""

    timeline: Timeline
    wanted: tuple[CaseHistory, ...] | None
    scope: tuple[str, ...]
    sandbox: bool

    @property
    def cases(self) -> Sequence[CaseHistory]:
        return self.timeline.cases if self.wanted is None else self.wanted


def render_text(page: HistoryPage, *, redactor: Redactor, width: int, color: bool) -> str:
    """Lines fit `width` cells, except those with a case id, which is never cut."""
    names = redactor.names(case.case_id for case in page.timeline.cases)
    lines = list(_lines(page, names, width, painter(color=color)))
    if page.sandbox:
        lines += ["", *wrapped(SANDBOX_NOTE, width)]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def sparkline(values: Sequence[float | None], *, is_share: bool = False) -> str:
    """A bar for each value: from 0 to 1 for shares, otherwise from the lowest to the highest; `·` for unknown ones."""
    known = [0.0, 1.0] if is_share else [value for value in values if value is not None]
    low, high = (min(known), max(known)) if known else (0.0, 0.0)

    def bar(value: float) -> str:
        share = (value - low) / (high - low) if high > low else 0.4
        return _BARS[max(0, min(int(share * len(_BARS)), len(_BARS) - 1))]

    return "".join(_MISSING if value is None else bar(value) for value in values)


def _lines(page: HistoryPage, names: dict[str, str], width: int, paint: Paint) -> Iterator[str]:
    timeline, scope = page.timeline, [for_terminal(part) for part in page.scope]
    sessions = timeline.sessions
    if not sessions:
        where = f" ({' · '.join(scope)})" if scope else ""
        other = "" if page.sandbox else "; --sandbox shows those of the sandbox"
        yield from wrapped(f"No session is stored{where}{other}", width)
        return
    days = list(dict.fromkeys(f"{session.at:%Y-%m-%d}" for session in (sessions[-1], sessions[0])))
    head = [count(len(sessions), "session"), " to ".join(days), *scope, count(len(page.cases), "case")]
    figures = [timeline.figures] if page.wanted is None else [case.figures for case in page.cases]
    yield from (paint(line, Colour.BOLD) for line in wrapped(" · ".join([*head, _calls(figures)]), width))
    ordered = sorted(page.cases, key=_least_reliable_first)
    listed = [_row(case, for_terminal(names[case.case_id])) for case in ordered[:_SHOWN_CASES]]
    if listed:
        yield from ("", paint("Least reliable first", Colour.BOLD), *rows(listed, width, paint))
    if (more := len(ordered) - _SHOWN_CASES) > 0:
        yield f"  … and {count(more, 'more case')}: --format json has all"
    yield from _compared_sessions(timeline, width)


def _compared_sessions(timeline: Timeline, width: int) -> Iterator[str]:
    """Which sessions a new one is not compared with, and which people accepted."""
    if timeline.left_out:
        days = ", ".join(dict.fromkeys(map(session_day, timeline.left_out)))
        yield ""
        yield from wrapped(f"Not compared with, as something got worse and nobody accepted it: {days}", width)
    if timeline.accepted:
        yield ""
    for each in timeline.accepted:
        by = f" by {for_terminal(each.by)}" if each.by else ""
        yield from wrapped(f"Accepted{by}: {session_day(each.session_id)} ({for_terminal(each.reason)})", width)


def _calls(figures: Sequence[Figures]) -> str:
    unknown = sum(each.unbilled for each in figures)
    unbilled = f", {count(unknown, 'bill')} unknown" if unknown else ""
    total = money(sum(each.total_cents for each in figures))
    return f"{count(sum(each.calls for each in figures), 'call')} · {total}{unbilled}"


def _rate(figures: Figures) -> str:
    if figures.pass_rate is None or figures.interval is None:
        return f"0 of {count(figures.calls, 'call')} counted"
    low, high = figures.interval
    return f"{percent(figures.pass_rate)} ({percent(low)} to {percent(high)}) of {figures.countable:,}"


def _least_reliable_first(case: CaseHistory) -> tuple[float, float, str]:
    rate = case.figures.pass_rate
    return (2.0 if rate is None else rate, -(case.flip_rate or 0.0), case.case_id)


def _row(case: CaseHistory, name: str) -> Row:
    sign, colour = SIGNS[case.outcome]
    figures = case.figures
    graph = sparkline([point.figures.pass_rate for point in case.points[-10:]], is_share=True)
    parts = [f"{money(round(figures.cents_per_call))} a call"] if figures.cents_per_call is not None else []
    parts += [f"flaky {percent(case.flip_rate)}"] if case.flip_rate else []
    return Row(sign, name, (graph, _rate(figures), " · ".join(parts)), colour)


_FIGURES: Final = (
    *("calls", "countable", "passed", "pass_rate", "interval"),
    *("duration_seconds", "cents_per_call", "total_cents", "unbilled"),
)
_FLIPS: Final = ("flips", "neighbours", "flip_rate")


def render_json(page: HistoryPage, *, environment: str, redactor: Redactor) -> str:
    """Sessions newest first, points oldest first; unknown values are null."""
    timeline = page.timeline
    names = redactor.names(case.case_id for case in timeline.cases)
    document = {
        "environment": redactor.name(environment),
        "sandbox": page.sandbox,
        "suite": picked(timeline.figures, *_FIGURES) | picked(timeline, *_FLIPS),
        "left_out": list(timeline.left_out),
        "accepted": [
            {"session_id": each.session_id, "by": redactor.text(each.by), "reason": redactor.text(each.reason)}
            for each in timeline.accepted
        ],
        "cases": [_case_document(case, names[case.case_id], redactor) for case in page.cases],
    }
    return json_document(document)


def _case_document(case: CaseHistory, name: str, redactor: Redactor) -> dict[str, Any]:
    return {
        "case_id": name,
        "plan": redactor.name(case.plan),
        "scenario": redactor.name(case.scenario),
        "outcome": case.outcome,
        **picked(case.figures, *_FIGURES),
        **picked(case, *_FLIPS),
        "points": [
            {"session_id": point.session_id, "at": point.at, **picked(point.figures, *_FIGURES)}
            for point in case.points
        ],
    }

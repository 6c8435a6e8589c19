"""`planner history` as text and JSON: results over time, of the suite or of single cases."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from planner.changes.history import CaseHistory, Figures, InvocationHistory, Point, Timeline
from planner.quantities import count, duration, money, percent
from planner.reports.neutral import for_terminal, json_document, picked
from planner.reports.phrasing import SANDBOX_NOTE
from planner.reports.redaction import Redactor
from planner.reports.terminal import SIGNS, Colour, Paint, Row, labelled, painter, rows, wrapped
from planner.values import frozen

_LABEL: Final = 11
_SHOWN_SESSIONS: Final = 10
_SHOWN_CASES: Final = 40
_SPARK: Final = 30
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
    paint = painter(color=color)
    names = redactor.names(case.case_id for case in page.timeline.cases)
    if page.wanted is None:
        lines = list(_suite(page, names, width, paint))
    else:
        lines = [line for case in page.wanted for line in ("", *_case(case, names[case.case_id], width, paint))][1:]
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


def _suite(page: HistoryPage, names: dict[str, str], width: int, paint: Paint) -> Iterator[str]:
    timeline, scope = page.timeline, [for_terminal(part) for part in page.scope]
    sessions = timeline.invocations
    if not sessions:
        where = f" ({' · '.join(scope)})" if scope else ""
        yield from wrapped(f"No session is stored{where}", width)
        return
    days = list(dict.fromkeys(f"{session.at:%Y-%m-%d}" for session in (sessions[-1], sessions[0])))
    head = [count(len(sessions), "session"), " to ".join(days), *scope, count(len(timeline.cases), "case")]
    yield from (paint(line, Colour.BOLD) for line in wrapped(" · ".join([*head, _calls(timeline.figures)]), width))
    points = [Point(entry.invocation_id, entry.at, entry.figures) for entry in reversed(sessions)]
    yield from ("", *_measures([point for point in points if point.figures.calls], timeline, width, paint))
    yield from ("", paint("Sessions, newest first", Colour.BOLD))
    for entry in sessions[:_SHOWN_SESSIONS]:
        sign, colour = SIGNS[entry.outcome]
        first, *more = wrapped(" · ".join(_session(entry)), width, indent="    ")
        yield from (f"  {paint(sign, colour)} {first[4:]}", *more)
    yield from _more(len(sessions) - _SHOWN_SESSIONS, "earlier one")
    if timeline.cases:
        ordered = sorted(timeline.cases, key=_least_reliable_first)
        listed = [_row(case, for_terminal(names[case.case_id])) for case in ordered[:_SHOWN_CASES]]
        yield from ("", paint("Cases, least reliable first", Colour.BOLD), *rows(listed, width, paint))
        yield from _more(len(ordered) - _SHOWN_CASES, "more case", ": --format json has all")


def _more(number: int, noun: str, where: str = "") -> list[str]:
    return [f"  … and {count(number, noun)}{where}"] if number > 0 else []


def _case(case: CaseHistory, name: str, width: int, paint: Paint) -> Iterator[str]:
    sign, colour = SIGNS[case.outcome]
    yield f"{paint(sign, colour)} {paint(for_terminal(name), Colour.BOLD)}"
    yield from wrapped(f"{case.outcome} · {_calls(case.figures)}", width, indent="  ")
    yield from ("", *_measures(case.points, case, width, paint), "")
    for point in reversed(case.points[-_SHOWN_SESSIONS:]):
        yield from wrapped(
            f"{point.at:%Y-%m-%d %H:%M} · {_in_short(point.figures)}", width, indent="  ", hanging="    "
        )
    yield from _more(len(case.points) - _SHOWN_SESSIONS, "earlier one")


def _calls(figures: Figures) -> str:
    unbilled = f", {count(figures.unbilled, 'bill')} unknown" if figures.unbilled else ""
    return f"{count(figures.calls, 'call')} · {money(figures.total_cents)}{unbilled}"


def _measures(points: Sequence[Point], whole: Timeline | CaseHistory, width: int, paint: Paint) -> Iterator[str]:
    """`Duration   ▃▃▄▂ 54 s median`, for each value that was measured."""
    figures, shown = whole.figures, [point.figures for point in points[-min(_SPARK, width // 3) :]]
    if figures.pass_rate is not None:
        graph = sparkline([each.pass_rate for each in shown], is_share=True)
        counted = "call" if figures.countable == 1 else "calls"
        yield from labelled("Pass rate", [f"{graph} {_rate(figures)} {counted}"], _LABEL, width, paint)
    if figures.duration_seconds is not None:
        text = f"{sparkline([each.duration_seconds for each in shown])} {duration(figures.duration_seconds)} median"
        yield from labelled("Duration", [text], _LABEL, width, paint)
    if figures.cents_per_call is not None:
        text = f"{sparkline([each.cents_per_call for each in shown])} {money(round(figures.cents_per_call))} a call"
        yield from labelled("Cost", [text], _LABEL, width, paint)
    if whole.flip_rate is not None:
        runs = f"{whole.flips:,} of {count(whole.neighbours, 'consecutive run')}"
        text = f"the result changed in {runs} ({percent(whole.flip_rate)})"
        yield from labelled("Flaky", [text], _LABEL, width, paint)


def _rate(figures: Figures) -> str:
    if figures.pass_rate is None or figures.interval is None:
        return f"0 of {count(figures.calls, 'call')} counted"
    low, high = figures.interval
    return f"{percent(figures.pass_rate)} ({percent(low)} to {percent(high)}) of {figures.countable:,}"


def _session(entry: InvocationHistory) -> Iterator[str]:
    yield f"{entry.at:%Y-%m-%d %H:%M}"
    yield _in_short(entry.figures)
    if entry.partial:
        yield "some cases only"
    if entry.outcome in ("refused", "interrupted"):
        yield entry.outcome
    elif not entry.finished:
        yield "not finished"


def _in_short(figures: Figures) -> str:
    """`3 of 3 passed · 54 s · $0.48`: the calls of one session."""
    if not figures.calls:
        return "nothing called"
    passed = f"{figures.passed:,} of {figures.countable:,} passed" if figures.countable else "none could be judged"
    if figures.countable and figures.calls > figures.countable:
        passed += f" ({figures.calls - figures.countable:,} more could not be counted)"
    took = [duration(figures.duration_seconds)] if figures.duration_seconds is not None else []
    least = "at least " if figures.unbilled else ""
    return " · ".join([passed, *took, f"{least}{money(figures.total_cents)}"])


def _least_reliable_first(case: CaseHistory) -> tuple[float, float, str]:
    rate = case.figures.pass_rate
    return (2.0 if rate is None else rate, -(case.flip_rate or 0.0), case.case_id)


def _row(case: CaseHistory, name: str) -> Row:
    sign, colour = SIGNS[case.outcome]
    figures = case.figures
    graph = sparkline([point.figures.pass_rate for point in case.points[-10:]], is_share=True)
    parts = [duration(figures.duration_seconds)] if figures.duration_seconds is not None else []
    parts += [f"{money(round(figures.cents_per_call))} a call"] if figures.cents_per_call is not None else []
    parts += [f"flaky {percent(case.flip_rate)}"] if case.flip_rate else []
    return Row(sign, name, (graph, _rate(figures), " · ".join(parts)), colour)


SCHEMA_VERSION: Final = "1.0"

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
        "schema_version": SCHEMA_VERSION,
        "environment": redactor.name(environment),
        "sandbox": page.sandbox,
        "suite": picked(timeline.figures, *_FIGURES) | picked(timeline, *_FLIPS),
        "invocations": [_session_document(entry) for entry in timeline.invocations],
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
            {"invocation_id": point.invocation_id, "at": point.at, **picked(point.figures, *_FIGURES)}
            for point in case.points
        ],
    }


def _session_document(entry: InvocationHistory) -> dict[str, Any]:
    session = picked(entry, "invocation_id", "at", "outcome", "finished", "partial")
    return session | picked(entry.figures, *_FIGURES)

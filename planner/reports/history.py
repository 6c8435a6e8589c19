"""`planner history` as text: results over time, of the suite or of single cases. Sparklines show the newest last."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from planner.changes.accuracy import Accuracy
from planner.changes.timeline import CaseHistory, Figures, InvocationHistory, Point, Timeline
from planner.reports.neutral import for_terminal
from planner.reports.quantities import count, duration, money, percent
from planner.reports.redaction import Redactor
from planner.reports.sandbox_note import SANDBOX_NOTE
from planner.reports.sparkline import sparkline
from planner.reports.terminal import NARROWEST, Colour, Paint, Row, painter, rows, wrapped

_LABEL: Final = 10
_SHOWN_INVOCATIONS: Final = 10
_SHOWN_CASES: Final = 40
_LONGEST_SPARK: Final = 30
_COLUMNS_FROM: Final = 80
"""On narrower terminals, prose replaces the columns."""

_OUTCOMES: Final = {
    "passed": ("✓", Colour.GREEN),
    "flaky": ("~", Colour.YELLOW),
    "failed": ("✗", Colour.RED),
    "unknown": ("?", Colour.YELLOW),
    "refused": ("!", Colour.YELLOW),
    "interrupted": ("!", Colour.YELLOW),
}


@dataclass(frozen=True, slots=True)
class Measure:
    """One measured value. `low` and `high` fix the scale of its sparkline."""

    label: str
    of: Callable[[Figures], float | None]
    say: Callable[[float], str]
    low: float | None = None
    high: float | None = None


MEASURES: Final = (
    Measure("Pass rate", lambda figures: figures.pass_rate, percent, 0.0, 1.0),
    Measure("Duration", lambda figures: figures.duration_seconds, duration),
    Measure("Latency", lambda figures: figures.latency_ms, lambda value: f"{round(value):,} ms"),
    Measure("Grade", lambda figures: figures.grade, lambda value: f"{value:.2f}", 0.0, 1.0),
    Measure("Cost", lambda figures: figures.cents_per_call, lambda value: money(round(value))),
)


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """The whole suite, or only the `wanted` cases. `scope` describes the store."""

    timeline: Timeline
    wanted: tuple[CaseHistory, ...] | None
    scope: tuple[str, ...]
    sandbox: bool


def render_text(page: HistoryPage, *, redactor: Redactor, width: int, color: bool) -> str:
    """Lines fit `width` cells, except those with a case id, which is never cut."""
    paint = painter(color=color)
    names = redactor.names(case.case_id for case in page.timeline.cases)
    width = max(width, NARROWEST)
    if page.wanted is None:
        lines = _suite(page, names, width, paint)
    else:
        lines = [line for case in page.wanted for line in ("", *_case(case, names[case.case_id], width, paint))][1:]
    if page.sandbox:
        lines += ["", *wrapped(SANDBOX_NOTE, width)]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _suite(page: HistoryPage, names: dict[str, str], width: int, paint: Paint) -> list[str]:
    timeline = page.timeline
    invocations = timeline.invocations
    if not invocations:
        return wrapped(
            ": ".join(["No session is stored", *filter(None, [" · ".join(map(for_terminal, page.scope))])]), width
        )
    first, last = invocations[-1].at, invocations[0].at
    span = f"{first:%Y-%m-%d}" if first.date() == last.date() else f"{first:%Y-%m-%d} to {last:%Y-%m-%d}"
    head = [count(len(invocations), "session"), span, *map(for_terminal, page.scope)]
    head += [count(len(timeline.cases), "case"), _calls(timeline.figures)]
    lines = [*(paint(line, Colour.BOLD) for line in wrapped(" · ".join(head), width)), ""]
    points = [Point(entry.invocation_id, entry.at, entry.figures) for entry in reversed(invocations)]
    lines += _measures([point for point in points if point.figures.calls], timeline.figures, width, paint)
    lines += _flaky(timeline.flips, timeline.neighbours, width, paint)
    lines += _estimates(timeline.accuracy, width, paint)
    lines += ["", *_invocations(invocations, width, paint)]
    return lines + (["", *_cases(timeline.cases, names, width, paint)] if timeline.cases else [])


def _case(case: CaseHistory, name: str, width: int, paint: Paint) -> list[str]:
    sign, colour = _OUTCOMES[case.outcome]
    lines = [f"{paint(sign, colour)} {paint(for_terminal(name), Colour.BOLD)}"]
    lines += wrapped(f"{case.outcome} · {_calls(case.figures)}", width, indent="  ")
    lines += ["", *_measures(case.points, case.figures, width, paint)]
    lines += _flaky(case.flips, case.neighbours, width, paint)
    lines.append("")
    for point in reversed(case.points[-_SHOWN_INVOCATIONS:]):
        lines += wrapped(f"{point.at:%Y-%m-%d %H:%M} · {_in_short(point.figures)}", width, indent="  ", hanging="    ")
    if len(case.points) > _SHOWN_INVOCATIONS:
        lines.append(f"  … and {count(len(case.points) - _SHOWN_INVOCATIONS, 'earlier one')}")
    return lines


def _calls(figures: Figures) -> str:
    unbilled = f", {count(figures.unbilled, 'bill')} unknown" if figures.unbilled else ""
    return f"{count(figures.calls, 'call')} · {money(figures.total_cents)}{unbilled}"


def _measures(points: Sequence[Point], whole: Figures, width: int, paint: Paint) -> list[str]:
    """`Duration  ▃▃▄▂  54 s · newest 52 s`; without values that were never measured."""
    lines: list[str] = []
    for measure in MEASURES:
        total = measure.of(whole)
        if total is None:
            continue
        values = [measure.of(point.figures) for point in points]
        spark = sparkline_of(measure, values, min(_LONGEST_SPARK, width // 3))
        parts = [_overall(measure, whole, total)]
        newest = next((value for value in reversed(values) if value is not None), None)
        if newest is not None and len(points) > 1:
            parts.append(f"newest {measure.say(newest)}")
        lines += _labelled(measure.label, f"{spark}  {' · '.join(parts)}", width, paint)
    return lines


def _overall(measure: Measure, whole: Figures, total: float) -> str:
    match measure.label:
        case "Pass rate" if whole.interval is not None:
            low, high = whole.interval
            return f"{percent(total)} ({percent(low)} to {percent(high)}), {whole.passed:,} of {whole.countable:,}"
        case "Cost":
            return f"{measure.say(total)} a call"
        case "Grade":
            return f"{measure.say(total)} on average"
        case _:
            return f"{measure.say(total)} median"


def sparkline_of(measure: Measure, values: Sequence[float | None], width: int) -> str:
    return sparkline(values, low=measure.low, high=measure.high, width=width)


def _flaky(flips: int, neighbours: int, width: int, paint: Paint) -> list[str]:
    if not neighbours:
        return []
    changed = (
        f"the result changed in {flips:,} of {count(neighbours, 'consecutive run')} ({percent(flips / neighbours)})"
    )
    return _labelled("Flaky", changed, width, paint)


def _estimates(found: Accuracy, width: int, paint: Paint) -> list[str]:
    if found.mean_error is None:
        return []
    within = f"; {found.within:,} of {count(found.ranged, 'bill')} within the 80 % range" if found.ranged else ""
    error = f"{percent(found.mean_error)} off on average, over {count(found.estimates, 'session')}{within}"
    return _labelled("Estimates", error, width, paint)


def _invocations(invocations: Sequence[InvocationHistory], width: int, paint: Paint) -> list[str]:
    lines = [paint("Sessions, newest first", Colour.BOLD)]
    for entry in invocations[:_SHOWN_INVOCATIONS]:
        sign, colour = _OUTCOMES[entry.outcome]
        parts = [f"{entry.at:%Y-%m-%d %H:%M}", _in_short(entry.figures), *_against_estimate(entry)]
        parts += ["some cases only"] if entry.partial else []
        parts += ["not finished"] if not entry.finished and entry.outcome not in ("refused", "interrupted") else []
        parts += [entry.outcome] if entry.outcome in ("refused", "interrupted") else []
        first, *more = wrapped(" · ".join(parts), width, indent="    ")
        lines += [f"  {paint(sign, colour)} {first[4:]}", *more]
    if len(invocations) > _SHOWN_INVOCATIONS:
        lines.append(f"  … and {count(len(invocations) - _SHOWN_INVOCATIONS, 'earlier one')}")
    return lines


def _against_estimate(entry: InvocationHistory) -> list[str]:
    if entry.priced is None:
        return []
    over = entry.priced.actual_cents - entry.priced.estimated_cents
    if not over:
        return ["as expected"]
    share = percent(abs(over) / entry.priced.estimated_cents)
    return [f"{share} {'over' if over > 0 else 'under'} the {money(entry.priced.estimated_cents)} expected"]


def _in_short(figures: Figures) -> str:
    """`3 of 3 passed · 54 s · 820 ms · grade 0.90 · $0.48`: the calls of one session."""
    if not figures.calls:
        return "nothing called"
    parts = [f"{figures.passed:,} of {figures.countable:,} passed" if figures.countable else "none could be judged"]
    if uncounted := figures.calls - figures.countable:
        parts[0] += f" ({uncounted:,} more could not be counted)" if figures.countable else ""
    parts += [duration(figures.duration_seconds)] if figures.duration_seconds is not None else []
    parts += [f"{round(figures.latency_ms):,} ms"] if figures.latency_ms is not None else []
    parts += [f"grade {figures.grade:.2f}"] if figures.grade is not None else []
    least = "at least " if figures.unbilled else ""
    return " · ".join([*parts, f"{least}{money(figures.total_cents)}"])


def _cases(cases: Sequence[CaseHistory], names: dict[str, str], width: int, paint: Paint) -> list[str]:
    ordered = sorted(cases, key=worst_first)
    spark = min(10, max((len(case.points) for case in cases), default=0))
    listed = [_row(case, for_terminal(names[case.case_id]), spark, width) for case in ordered[:_SHOWN_CASES]]
    lines = [paint("Cases, least reliable first", Colour.BOLD), *rows(listed, width, paint)]
    if len(ordered) > _SHOWN_CASES:
        lines.append(f"  … and {count(len(ordered) - _SHOWN_CASES, 'more case')}: --format csv or json has all")
    return lines


def worst_first(case: CaseHistory) -> tuple[float, float, str]:
    rate = case.figures.pass_rate
    return (2.0 if rate is None else rate, -(case.flip_rate or 0.0), case.case_id)


def _row(case: CaseHistory, name: str, spark: int, width: int) -> Row:
    sign, colour = _OUTCOMES[case.outcome]
    figures = case.figures
    graph = sparkline_of(MEASURES[0], [point.figures.pass_rate for point in case.points], spark).rjust(spark)
    if figures.pass_rate is None or figures.interval is None:
        rate = f"0 of {count(figures.calls, 'call')} counted"
    else:
        low, high = figures.interval
        rate = f"{percent(figures.pass_rate)} ({percent(low)} to {percent(high)}) of {figures.countable:,}"
    parts = [f"{measure.say(value)}" for measure in MEASURES[1:3] if (value := measure.of(figures)) is not None]
    parts += [f"grade {figures.grade:.2f}"] if figures.grade is not None else []
    parts += [f"{money(round(figures.cents_per_call))} a call"] if figures.cents_per_call is not None else []
    parts += [f"flaky {percent(case.flip_rate)}"] if case.flip_rate else []
    if width < _COLUMNS_FROM:
        below = wrapped(" · ".join([f"{graph.strip()} {rate}", *parts]), width, indent=" " * 6)
        return Row(sign, name, (), colour, tuple(below))
    return Row(sign, name, (graph, rate, " · ".join(parts)), colour)


def _labelled(label: str, text: str, width: int, paint: Paint) -> list[str]:
    first, *more = wrapped(text, width, indent=" " * (_LABEL + 1))
    return [paint(label, Colour.DIM) + first[len(label) :], *more]

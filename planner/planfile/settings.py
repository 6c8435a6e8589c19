"""Settings of a case, from its scenario or the defaults, and whether they are consistent."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import fields
from datetime import date
from fractions import Fraction
from math import ceil
from typing import Any, NamedTuple

from planner.clock import age_of
from planner.diagnostics import Span
from planner.planfile.grammar import QuarantineFields, ScenarioDefaults
from planner.planfile.model import CaseSettings, Quarantine, default_min_runs
from planner.planfile.reporter import Reporter
from planner.planfile.yaml.document import YamlMapping as Written

DECIDING = frozenset(each.name for each in fields(CaseSettings))
"""Fields that settings depend on. A scenario without any of them has the settings of `defaults`."""


def settings_of(values: Mapping[str, Any]) -> CaseSettings:
    """The settings from the fields of `ScenarioDefaults`."""
    computed: dict[str, Any] = {
        "min_runs": values["min_runs"] or default_min_runs(values["runs"]),
        "max_age": age_of(values["max_age"]) if values["max_age"] else None,
    }
    return CaseSettings(**{name: values[name] for name in DECIDING} | computed)


_FEW_RUNS = 20
"""With more runs, nearly any rate is within rounding of a possible one."""
_CHECKED = frozenset({"min_runs", "min_pass_rate"})
"""Fields that have to fit others. `runs` alone fits: its others are these, in the scenario or the defaults.
A scenario that sets only `runs` is not checked, so checks of `runs` alone belong in `lint.py`."""


def need_check(given: Collection[str]) -> bool:
    return not _CHECKED.isdisjoint(given)


class ScenarioSettings(NamedTuple):
    """What a scenario and the defaults say. `given` are the scenario's fields that are without an error."""

    written: Written
    given: Collection[str]
    values: Mapping[str, Any]
    defaults_written: Written
    defaults: ScenarioDefaults
    reporter: Reporter

    def check(self) -> None:
        """Report inconsistent or impossible settings."""
        runs, min_runs = self.values["runs"], self.values["min_runs"]
        if min_runs is not None and min_runs > runs and ("runs" not in self.written or "runs" in self.given):
            detail = f"`min_runs` is {min_runs}, but `runs` is {runs}: the outcome would always be unknown"
            self.reporter.error("out-of-range", detail, self._place("min_runs"))
        self._check_rounding(runs)

    def _check_rounding(self, runs: int) -> None:
        """Warn of a rate slightly above a possible one, such as 0.67 for two of three, which requires one more run."""
        rate = self.values["min_pass_rate"]
        share = Fraction(repr(float(rate)))
        meant = ceil(share * runs) - 1
        if self._is_invalid("runs") or not 0 < meant < runs <= _FEW_RUNS:
            return
        if share - Fraction(meant, runs) <= Fraction(5, 1_000):
            detail = (
                f"{meant} of {runs} runs are slightly less than {rate:g}, so {meant + 1} must pass; "
                f"for {meant} of {runs} write {meant * 100 // runs / 100:.2f}"
            )
            given = [name for name in ("min_pass_rate", "runs") if name in self.given]
            self.reporter.warning("rounded-rate", detail, self._place(given[0] if given else "min_pass_rate"))

    def _is_invalid(self, name: str) -> bool:
        """Whether a setting is written but invalid, so that its value here is only a substitute."""
        if name in self.written:
            return name not in self.given
        return name in self.defaults_written and name not in self.defaults.model_fields_set

    def _place(self, name: str) -> Span:
        """Where a setting is written: in the scenario, or else in `defaults`."""
        return (self.written if name in self.written else self.defaults_written).span(name)


def read_quarantine(
    written: Written, fields: QuarantineFields | None, reporter: Reporter, today: date | None
) -> Quarantine | None:
    """`quarantine` of a scenario or of the defaults, which is `written`; None if there is none, or an error, which is
    reported.

    One that ended before `today` (UTC; None: unknown) is reported as a warning and still returned.
    """
    if fields is None or fields.until is None:
        return None
    until = date.fromisoformat(fields.until)
    if today is not None and until < today:
        detail = f"the quarantine ended on {until}, so failures count again; remove it, or set a later day"
        reporter.warning("quarantine-passed", detail, written["quarantine"].span("until"))
    return None if fields.reason is None else Quarantine(until, " ".join(fields.reason.split()))

"""Settings of a case, from its scenario or the defaults, and whether they are consistent."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import fields
from datetime import date
from fractions import Fraction
from math import ceil
from typing import Any

from planner.clock import age_of
from planner.planfile.grammar import QuarantineFields
from planner.planfile.model import CaseSettings, Quarantine
from planner.planfile.reporter import Reporter
from planner.planfile.yaml.document import YamlMapping as Written

DECIDING = frozenset(each.name for each in fields(CaseSettings))
"""Fields that settings depend on. A scenario without any of them has the settings of `defaults`."""


def settings_of(values: Mapping[str, Any]) -> CaseSettings:
    """The settings from the fields of `ScenarioDefaults`."""
    computed: dict[str, Any] = {"max_age": age_of(values["max_age"]) if values["max_age"] else None}
    return CaseSettings(**{name: values[name] for name in DECIDING} | computed)


_FEW_RUNS = 20
"""With more runs, nearly any rate is within rounding of a possible one."""


def check_rounding(
    written: Written, given: Collection[str], values: Mapping[str, Any], defaults_written: Written, reporter: Reporter
) -> None:
    """Warn of a rate slightly above a possible one, such as 0.67 for two of three, which requires one more run, and of
    one that changes nothing about a single run.

    Args:
        written: the scenario.
        given: its fields that are without an error.
        values: the values that apply: the scenario's, or else those of `defaults`.
    """
    runs, rate = values["runs"], values["min_pass_rate"]
    if "runs" in written and "runs" not in given:  # the value here is only a substitute
        return
    share = Fraction(repr(float(rate)))
    meant = ceil(share * runs) - 1
    if runs == 1 and 0 < rate < 1:
        detail = f"with `runs: 1` that run must pass, so {rate:g} is 1; write more `runs`, or remove `min_pass_rate`"
    elif 0 < meant < runs <= _FEW_RUNS and share - Fraction(meant, runs) <= Fraction(5, 1_000):
        detail = (
            f"{meant} of {runs} runs are slightly less than {rate:g}, so {meant + 1} must pass; "
            f"for {meant} of {runs} write {meant * 100 // runs / 100:.2f}"
        )
    else:
        return
    name = next((name for name in ("min_pass_rate", "runs") if name in given), "min_pass_rate")
    reporter.warning("rounded-rate", detail, (written if name in written else defaults_written).span(name))


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

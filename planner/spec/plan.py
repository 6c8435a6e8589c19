"""One plan file as written to a `Plan`, all its faults reported."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from planner import __version__
from planner.spec.authored import FORMAT_VERSION, BudgetFields, PlanFields, ScenarioDefaults
from planner.spec.document import Document, Items, Mapping, larger_than
from planner.spec.expansion import Allowance
from planner.spec.expectations import Expectations
from planner.spec.model import Case, Plan
from planner.spec.names import check_name, is_name
from planner.spec.numbers import warn_of_rewritten
from planner.spec.reading import missing, read_fields, read_nested
from planner.spec.reporting import Reporter
from planner.spec.scenario import PlanContext, ScenarioReader
from planner.spec.targets import TargetReader, start_of
from planner.spec.templates import Templates
from planner.spec.terms import read_quarantine
from planner.spec.wording import describe, shorten, wrong_type

MAX_TEMPLATE_VALUES = 10_000
"""Values in a plan's `vars`, aliases expanded: a template's step may walk all of them."""


@dataclass(slots=True)
class PlanReader:
    """Reads plans; one for all plans loaded together."""

    reporter: Reporter
    templates: Templates
    expectations: Expectations
    targets: TargetReader
    scenarios: ScenarioReader
    today: date | None = None
    """In UTC; None where it is not known."""

    def read(self, document: Document, path: Path) -> Plan | None:
        """None, and faults, where the plan has any error."""
        errors = self.reporter.errors
        if not check_version(document, self.reporter, required=True):
            return None
        self.templates.new_plan()
        root = document.root
        fields = read_fields(PlanFields, document, root, self.reporter)
        if missing(PlanFields, root, "plan"):
            self.reporter.error(
                "missing-key", "`plan` is required: the plan's name, such as plan: refunds", start_of(document)
            )
        budget = read_nested(BudgetFields, document, root, "budget", self.reporter)
        defaults = read_nested(ScenarioDefaults, document, root, "defaults", self.reporter) or (
            Mapping(),
            ScenarioDefaults(),
        )
        items: Any = defaults[0].get("expect")
        count = len(items) if isinstance(items, Items) else 0
        drafts = [self.expectations.draft(document, items, index) for index in range(count)]
        readable = isinstance(items, Items) or missing(ScenarioDefaults, defaults[0], "expect")
        readable = readable and (isinstance(root.get("defaults"), Mapping) or missing(PlanFields, root, "defaults"))
        variables = self._variables(document)
        context = PlanContext(
            name=fields.plan or "",
            document=document,
            path=path,
            aliases=self.targets.read(document),
            variables=variables if variables is not None else Mapping(),
            variables_readable=variables is not None,
            tags=frozenset(fields.tags),
            defaults=defaults[1],
            defaults_written=defaults[0],
            default_drafts=tuple(draft for draft in drafts if draft is not None),
            default_count=len(drafts) if readable else None,
            quarantine=read_quarantine(document, defaults[0], self.reporter, today=self.today),
            today=self.today,
            allowance=Allowance(),
        )
        cases = self._cases(context)
        if self.reporter.errors > errors:
            return None
        return Plan(
            name=fields.plan or "",
            file=document.source.file,
            description=fields.description.strip(),
            owners=tuple(fields.owners),
            tags=context.tags,
            max_cost_cents=budget[1].max_cost_cents if budget else None,
            cases=tuple(cases),
        )

    def _variables(self, document: Document) -> Mapping | None:
        """None where they cannot be read, which is reported."""
        if "vars" not in document.root:
            return Mapping() if missing(PlanFields, document.root, "vars") else None
        written: Any = document.root["vars"]
        if not isinstance(written, Mapping):
            if written is not None:  # an empty key was reported with the plan's fields
                detail = wrong_type("a mapping of names to values", written)
                self.reporter.error("wrong-type", detail, document.value(document.root, "vars"))
            return None
        for name in written:
            check_name(name, "a variable", document.key(written, name), self.reporter)
        if larger_than(written, MAX_TEMPLATE_VALUES):
            detail = f"`vars` may hold {MAX_TEMPLATE_VALUES:,} values, aliases expanded"
            self.reporter.error("too-many-nodes", detail, document.key(document.root, "vars"))
            return None
        warn_of_rewritten(document, document.root, "vars", self.reporter)
        return written

    def _cases(self, plan: PlanContext) -> list[Case]:
        document = plan.document
        scenarios: Any = document.root.get("scenarios")
        if "scenarios" not in document.root:
            if missing(PlanFields, document.root, "scenarios"):
                detail = "`scenarios` is required: what callers do, and what is expected"
                self.reporter.error("no-scenarios", detail, start_of(document))
            return []
        if not isinstance(scenarios, Mapping):
            if scenarios is not None:
                self.reporter.error(
                    "wrong-type",
                    wrong_type("a mapping of names to scenarios", scenarios),
                    document.value(document.root, "scenarios"),
                )
            return []
        if not scenarios:
            self.reporter.error(
                "no-scenarios", "there is no scenario in this plan", document.value(document.root, "scenarios")
            )
        cases: list[Case] = []
        used: set[str] = set()
        complete = True
        for name in scenarios:
            if not isinstance(scenarios[name], Mapping):
                self.reporter.error(
                    "wrong-type",
                    f"a scenario is a mapping with a prompt and what is expected, but this is {describe(scenarios[name])}",
                    document.value(scenarios, name),
                )
                complete = False
                continue
            scenario = self.scenarios.read(plan, scenarios, name)
            cases.extend(scenario.cases)
            used.update(scenario.names)
            complete = complete and scenario.complete
        if complete:
            for name in plan.variables:
                if name not in used and is_name(name):
                    self.reporter.warning(
                        "unused-variable",
                        f"no template of this plan uses `{shorten(name, 40)}`; remove it",
                        document.key(document.root["vars"], name),
                    )
        return cases


def check_version(document: Document, reporter: Reporter, *, required: bool) -> bool:
    """Whether the file's format is one that this planner reads; reported if not."""
    root = document.root
    if "version" not in root:
        if required and missing(PlanFields, root, "version"):
            reporter.error(
                "missing-key", f"`version` is required: write version: {FORMAT_VERSION} at the top", start_of(document)
            )
        return True
    version = root["version"]
    if isinstance(version, bool) or not isinstance(version, int):
        reporter.error(
            "wrong-type",
            wrong_type("a whole number", version)
            if version is not None
            else "there is no value here; write version: 1",
            document.value(root, "version"),
        )
        root["version"] = FORMAT_VERSION  # said once is enough
        return True
    if version != FORMAT_VERSION:
        advice = "upgrade planner to read it" if version > FORMAT_VERSION else f"write version: {FORMAT_VERSION}"
        reporter.error(
            "version-unknown",
            f"planner {__version__} reads version {FORMAT_VERSION} of the plan format, this file has version {version}; {advice}",
            document.value(root, "version"),
        )
        return False
    return True

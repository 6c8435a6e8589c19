"""Reads one plan file into a `Plan`, and reports all its errors."""

from __future__ import annotations

from collections.abc import Mapping as Lookup
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from planner.planfile.expectations import Expectations
from planner.planfile.grammar.field_errors import wrong_type
from planner.planfile.grammar.fields import check_version, missing, read_fields, read_mapping, read_nested
from planner.planfile.grammar.models import BudgetFields, PlanFields, ScenarioDefaults
from planner.planfile.imports import UNREADABLE, Imports, read_expected, read_imports
from planner.planfile.library import MAX_TEMPLATE_VALUES, Libraries, read_variables
from planner.planfile.lint import has_used_anchor, warn_of_unused_targets
from planner.planfile.matrix.expand import Allowance
from planner.planfile.model import Case, Plan
from planner.planfile.reporter import Reporter, Unresolved
from planner.planfile.scenario import PlanContext, ScenarioReader
from planner.planfile.settings import need_check, read_quarantine, settings_of
from planner.planfile.targets import TargetReader
from planner.planfile.templates.names import corrected_name, is_name
from planner.planfile.templates.templates import Templates
from planner.planfile.text import shorten
from planner.planfile.yaml.document import Document, Mapping, larger_than, start_of

MAX_SCENARIOS = 20_000
"""Maximum number of scenarios; reading one takes a tenth of a millisecond."""


@dataclass(slots=True)
class PlanReader:
    """Reads plans; one for all plans loaded together."""

    reporter: Reporter
    templates: Templates
    expectations: Expectations
    targets: TargetReader
    scenarios: ScenarioReader
    libraries: Libraries
    today: date | None = None
    """In UTC; None if unknown."""

    def read(self, document: Document, path: Path) -> Plan | None:
        """The plan; None if it has errors, which are reported."""
        errors = self.reporter.errors
        if not check_version(document, self.reporter, required=True):
            return None
        root = document.root
        fields = read_fields(PlanFields, document, root, self.reporter)
        imports = Imports(self.reporter, self.expectations)
        read_imports(document, path, fields.imports, self.libraries, imports)
        self.templates.new_plan()
        self.expectations.new_plan()
        if missing(PlanFields, root, "plan") and not self.reporter.is_incomplete(root):
            detail = "`plan` is required: the plan's name, such as plan: refunds"
            self.reporter.error("missing-key", detail, start_of(document))
        budget = read_nested(BudgetFields, document, root, "budget", self.reporter)
        defaults = read_nested(ScenarioDefaults, document, root, "defaults", self.reporter) or (
            Mapping(),
            ScenarioDefaults(),
        )
        expected = read_expected(ScenarioDefaults, document, defaults[0], imports)
        if not isinstance(root.get("defaults"), Mapping) and not missing(PlanFields, root, "defaults"):
            expected = UNREADABLE
        variables = self._variables(document, imports)
        context = PlanContext(
            name=fields.plan or "",
            document=document,
            path=path,
            aliases=self.targets.read(document, path, imports.targets),
            imports=imports,
            variables=variables if variables is not None else Mapping(),
            corrected_names=frozenset(variables or ()).union(map(corrected_name, variables or ())),
            own_variables_readable=variables is not None,
            variables_readable=variables is not None and imports.complete,
            unresolved=Unresolved(self.reporter),
            tags=frozenset(fields.tags),
            defaults=defaults[1],
            defaults_written=defaults[0],
            default_expected=expected,
            settings=settings_of(vars(defaults[1])),
            defaults_need_check=need_check(defaults[1].model_fields_set),
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

    def _variables(self, document: Document, imports: Imports) -> Lookup[str, Any] | None:
        """The plan's variables and imported ones; None if they cannot be read, which is reported."""
        own = read_variables(PlanFields, document, self.reporter)
        imported = imports.variables
        if own is None or not imported:
            return own
        joined = {**imported, **own}
        if larger_than(joined, MAX_TEMPLATE_VALUES):
            detail = f"the variables of a plan and its imports may hold {MAX_TEMPLATE_VALUES:,} values together, aliases expanded"
            self.reporter.error("too-many-nodes", detail, document.key(document.root, "imports"))
            return None
        return joined

    def _cases(self, plan: PlanContext) -> list[Case]:
        document = plan.document
        root = document.root
        if "scenarios" not in root and missing(PlanFields, root, "scenarios"):
            detail = "`scenarios` is required: what callers do, and what is expected"
            self.reporter.error("no-scenarios", detail, start_of(document))
        scenarios = read_mapping(document, root, "scenarios", "a mapping of names to scenarios", self.reporter)
        if scenarios is None:
            return []
        if len(scenarios) > MAX_SCENARIOS:
            detail = f"a plan may have {MAX_SCENARIOS:,} scenarios, this has {len(scenarios):,}; split it"
            self.reporter.error("too-many-nodes", detail, document.key(root, "scenarios"))
            return []
        if not scenarios:
            detail = "there is no scenario in this plan"
            self.reporter.error("no-scenarios", detail, document.value(root, "scenarios"))
        cases: list[Case] = []
        used: set[str] = set()
        complete = True
        for name in scenarios:
            if not isinstance(scenarios[name], Mapping):
                detail = wrong_type("a mapping with a prompt and expectations", scenarios[name])
                self.reporter.error("wrong-type", detail, document.value(scenarios, name))
                complete = False
                continue
            scenario = self.scenarios.read(plan, scenarios, name)
            cases.extend(scenario.cases)
            used.update(scenario.names)
            complete = complete and scenario.complete
        plan.unresolved.report()
        plan.aliases.unknown.report()
        plan.imports.mark_used("vars", used)
        if complete:
            own: Any = root.get("vars", ()) if plan.variables_readable else ()
            for name in own:
                if name not in used and is_name(name) and not has_used_anchor(document, own, name):
                    detail = f"no template of this plan uses `{shorten(name, 40)}`; remove it"
                    self.reporter.warning("unused-variable", detail, document.key(own, name))
            plan.imports.report_unused()
            warn_of_unused_targets(document, plan.called, self.reporter)
        return cases

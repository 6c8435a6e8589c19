"""A scenario's prompt: written in the plan or in a file beside it, compiled, its faults at their place in either."""

from __future__ import annotations

import re
from collections.abc import Container
from collections.abc import Mapping as Lookup
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from planner.diagnostics import Span
from planner.planfile.files import FileFault, Neighbours, display_name
from planner.planfile.grammar.models import ScenarioFields
from planner.planfile.matrix.case_errors import CaseErrors
from planner.planfile.reporter import Reporter, Said
from planner.planfile.templates.made_often import made_often
from planner.planfile.templates.places import place_in_file, place_in_text
from planner.planfile.templates.templates import (
    MAX_SOURCE,
    Constant,
    Interpolation,
    Template,
    TemplateFault,
    Templates,
)
from planner.planfile.yaml.decoding import decode
from planner.planfile.yaml.document import Document, Mapping
from planner.planfile.yaml.source import Source

MAX_PROMPT_BYTES = 32 * 1024


_SINGLE = re.compile(r"(?<!\{)\$?\{ ?(?P<path>(?P<name>[A-Za-z_]\w*)(?:\.\w+)*) ?\}(?!\})")
_RAW = "{% raw"
"""With it braces are meant."""


@made_often
class Prompt:
    """A compiled prompt. `file` is None where it is written in the plan, at `written[key]`."""

    template: Template
    document: Document
    written: Mapping
    key: str
    file: Source | None
    sound: bool = True
    """False: it has faults, which were reported, and the template is but the names that it uses."""
    said: Said = field(default_factory=lambda: {}, hash=False)  # noqa: PIE807 - typed, and quicker than `Said`

    def render(self, values: Lookup[str, Any], case_errors: CaseErrors) -> str | None:
        """The prompt of one case; None, and a fault, where these values do not make one."""
        try:
            text = self.template.render(values)
        except TemplateFault as fault:
            if fault.is_told:
                case_errors.reporter.errors += 1
            else:
                for one in (fault, *fault.others):
                    self._report_case(one, case_errors)
            return None
        if len(text) * 4 > MAX_PROMPT_BYTES and (size := len(text.encode())) > MAX_PROMPT_BYTES:
            detail = f"the prompt has {size:,} bytes, the limit is {MAX_PROMPT_BYTES:,}"
            self._report_case(TemplateFault("template-too-large", detail), case_errors)
            return None
        if not text or text.isspace():
            self._report_case(TemplateFault("empty-prompt", "the prompt renders to nothing"), case_errors)
            return None
        return text

    @property
    def has_braces(self) -> bool:
        """Whether there may be any but those of `{{ name }}`: most prompts have none, and need not be searched."""
        template = self.template
        return not isinstance(template, Interpolation) or "{" in "".join(template.texts)

    def single_braces(self, variables: Container[str], axes: Container[str], reporter: Reporter) -> set[str]:
        """Names that stand between single braces, which are said as they are: each is warned of once."""
        text: str = self.file.text if self.file is not None else self.written[self.key]
        found: set[str] = set()
        if "{" not in text or _RAW in text:
            return found
        for match in _SINGLE.finditer(text):
            name = match["name"]
            if name not in found and (name in variables or name in axes):
                found.add(name)
                detail = f"single braces are no template, and said as they are: write {{{{ {match['path']} }}}}"
                fault = TemplateFault("literal-template", detail, match.start(), match.end())
                reporter.warning(fault.code, detail, self.place(fault))
        return found

    def place(self, fault: TemplateFault) -> Span:
        if self.file is not None:
            return place_in_file(self.file, fault)
        return place_in_text(self.document, self.written, self.key, fault)

    def report(self, fault: TemplateFault, reporter: Reporter) -> None:
        reporter.error_once(self.said, fault.code, fault.detail, self.place(fault))

    def _report_case(self, fault: TemplateFault, case_errors: CaseErrors) -> None:
        case_errors.report(self.said, fault.code, fault.detail, (self.place(fault), None), self.template.names)


@dataclass(slots=True)
class PromptReader:
    """Reads prompts; one for all plans loaded together."""

    reporter: Reporter
    templates: Templates
    neighbours: Neighbours

    def read(self, document: Document, path: Path, written: Mapping, fields: ScenarioFields) -> Prompt | None:
        """The prompt of the scenario `written` in the plan at `path`; None, or one that is not sound, where a fault was reported."""
        if "prompt" in written and "prompt_file" in written:
            self.reporter.error(
                "two-prompts", "this scenario has `prompt` as well; keep one", document.key(written, "prompt_file")
            )
            return None
        if fields.prompt is not None:
            return self._compiled(fields.prompt, document, written, "prompt", None)
        if fields.prompt_file is None:
            return None  # missing, or reported with the fields
        file = self._file(document, path, written, fields.prompt_file)
        return self._compiled(file.text, document, written, "prompt_file", file) if file is not None else None

    def _compiled(
        self, text: str, document: Document, written: Mapping, key: str, file: Source | None
    ) -> Prompt | None:
        if not text or text.isspace():
            where = "this prompt" if file is None else file.file
            self.reporter.error("empty-prompt", f"there is no text in {where}", document.value(written, key))
            return None
        try:
            return Prompt(self.templates.compile(text), document, written, key, file)
        except TemplateFault as fault:
            prompt = Prompt(Constant("", fault.names), document, written, key, file, sound=False)
            for one in (fault, *fault.others):
                prompt.report(one, self.reporter)
            return prompt

    def _file(self, document: Document, plan: Path, written: Mapping, path: str) -> Source | None:
        try:
            file, content = self.neighbours.read(plan, path, MAX_SOURCE)
        except FileFault as fault:
            self.reporter.error(fault.code, fault.detail, document.value(written, "prompt_file"))
            return None
        source = decode(content, display_name(file, self.neighbours.cwd), self.reporter)
        return (
            Source(source.file, source.text.replace("\r\n", "\n").replace("\r", "\n")) if source is not None else None
        )

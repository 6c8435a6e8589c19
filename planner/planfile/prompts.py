"""A scenario's prompt: written in the plan or in a file beside it, compiled, with errors at their place in either."""

from __future__ import annotations

import re
from collections.abc import Collection
from collections.abc import Mapping as Lookup
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from planner.diagnostics import Span
from planner.planfile.files import FileError, Neighbours, display_name
from planner.planfile.grammar import ScenarioFields
from planner.planfile.jinja import MAX_SOURCE, TemplateError
from planner.planfile.reporter import CaseErrors, Reporter, Said
from planner.planfile.templates import Constant, Template, Templates
from planner.planfile.text import did_you_mean
from planner.planfile.yaml.document import Container, Source, YamlMapping, at
from planner.planfile.yaml.reader import decode

MAX_PROMPT_BYTES = 32 * 1024


@dataclass(slots=True)
class Prompt:
    """A compiled prompt. `file` is None if it is written in the plan, at `written[key]`."""

    template: Template
    written: YamlMapping
    key: str
    file: Source | None
    sound: bool = True
    """False: it has errors, which were reported, and the template is empty."""
    said: Said = field(default_factory=Said)

    def render(self, values: Lookup[str, Any], case_errors: CaseErrors) -> str | None:
        """The prompt of one case; None after an error for these values."""
        try:
            text = self.template.render(values)
        except TemplateError as error:
            self._report_case(error, case_errors)
            return None
        size = len(text.encode()) if len(text) * 4 > MAX_PROMPT_BYTES else 0
        if size > MAX_PROMPT_BYTES:
            detail = f"the prompt has {size:,} bytes, the limit is {MAX_PROMPT_BYTES:,}"
            self._report_case(TemplateError("template-too-large", detail), case_errors)
            return None
        if not text or text.isspace():
            self._report_case(TemplateError("empty-prompt", "the prompt renders to nothing"), case_errors)
            return None
        return text

    def report_single_braces(self, known: Collection[str], reporter: Reporter) -> set[str]:
        """Report once each name in single braces, such as `{mood}`, or written as in a shell (`$MOOD`), which the
        caller would read; return the names. `known` are variables and axes."""
        found: set[str] = set()
        text: str = self.file.text if self.file is not None else self.written[self.key]
        if "{% raw" in text:
            return found  # braces are meant
        for match in re.finditer(r"(?<!\{)\$?\{ ?(([A-Za-z_]\w*)(?:\.\w+)*) ?\}(?!\})", text):
            path, name = match.groups()
            if name not in found:
                found.add(name)
                detail = f"single braces are plain text; write {{{{ {path} }}}}"
                if name not in known:
                    hint = did_you_mean(name, known) or f"`{name}` is not a variable or axis"
                    detail += f"; {hint}"
                error = TemplateError("unresolved-variable", detail, match.start(), match.end())
                reporter.error(error.code, detail, self.place(error))
        for match in re.finditer(r"\$([A-Z][A-Z0-9_]{2,})\b", text):
            name = match[1]
            if name not in found:
                found.add(name)
                meant = did_you_mean(name.lower(), known) or f"define `{name.lower()}` under vars, or as an axis"
                detail = f"the caller reads {match[0]} as it stands; write {{{{ {name.lower()} }}}}; {meant}"
                error = TemplateError("unresolved-variable", detail, match.start(), match.end())
                reporter.warning(error.code, detail, self.place(error))
        return found

    def place(self, error: TemplateError) -> Span:
        if self.file is None:
            return place_in_text(self.written, self.key, error)
        if error.start is None or error.end is None:
            return self.file.whole()
        return self.file.span(error.start, error.end)

    def _report_case(self, error: TemplateError, case_errors: CaseErrors) -> None:
        case_errors.report(self.said, error.code, error.detail, (self.place(error), None), self.template.names)


@dataclass(slots=True)
class PromptReader:
    """Reads prompts; one for all plans loaded together."""

    reporter: Reporter
    templates: Templates
    neighbours: Neighbours

    def read(self, path: Path, written: YamlMapping, fields: ScenarioFields) -> Prompt | None:
        """The prompt of the scenario `written` in the plan at `path`; None, or an unsound one, after an error."""
        if "prompt" in written and "prompt_file" in written:
            detail = "this scenario has `prompt` as well; keep one"
            self.reporter.error("two-prompts", detail, written.key_span("prompt_file"))
            return None
        key, text, file = "prompt", fields.prompt, None
        if text is None and fields.prompt_file is not None:
            file = self._file(path, written, fields.prompt_file)
            key, text = "prompt_file", file.text if file is not None else None
        if text is None:
            return None  # missing, or reported
        if not text or text.isspace():
            where = "this prompt" if file is None else file.file
            self.reporter.error(
                "empty-prompt", f"there is no text in {where}; write what the caller does", written.span(key)
            )
            return None
        try:
            return Prompt(self.templates.compile(text), written, key, file)
        except TemplateError as error:
            prompt = Prompt(Constant(""), written, key, file, sound=False)
            self.reporter.error_once(prompt.said, error.code, error.detail, prompt.place(error))
            return prompt

    def _file(self, plan: Path, written: YamlMapping, path: str) -> Source | None:
        try:
            file, content = self.neighbours.read(plan, path, MAX_SOURCE)
        except FileError as error:
            self.reporter.error(error.code, error.detail, written.span("prompt_file"))
            return None
        source = decode(content, display_name(file, self.neighbours.cwd), self.reporter)
        if source is None:
            return None
        return Source(source.file, source.text.replace("\r\n", "\n").replace("\r", "\n"))


_WORDS = 20
"""Words of a tag to look for."""


def place_in_text(container: Container, key: str | int, error: TemplateError) -> Span:
    """Where a template's error is written; the whole text if it cannot be found."""
    if error.start is None or error.end is None:
        return container.span(key)
    start, end = container.value_mark(key)
    value: str = at(container, key)
    raw = container.source.text[start:end]
    if raw.count(value) == 1:
        offset = start + raw.index(value) + error.start
        return container.source.span(offset, offset + error.end - error.start)
    # Indented, folded or escaped: find the same words, at the same occurrence.
    words = value[error.start : error.end].split("\n", maxsplit=1)[0].split()[:_WORDS]
    pattern = re.compile(r"\s+".join(map(re.escape, words)))
    before = sum(1 for _ in pattern.finditer(value, 0, error.start))
    places = list(islice(pattern.finditer(raw), before + 1))
    if not words or len(places) <= before:
        return container.span(key)
    found = start + places[before].start()
    return container.source.span(found, found + len(places[before][0].partition("\n")[0].rstrip()))

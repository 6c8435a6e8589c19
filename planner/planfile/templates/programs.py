"""Templates that need Jinja: compiled, rendered, and where in the text an error is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from jinja2 import Template as JinjaTemplate
from jinja2 import TemplateSyntaxError, meta
from jinja2.exceptions import TemplateRuntimeError, UndefinedError
from jinja2.runtime import Undefined

from planner.planfile.templates.environment import (
    FILTERS,
    TESTS,
    PlanEnvironment,
    RenderError,
    TooCostlyError,
    TooLargeError,
    shown,
)
from planner.planfile.templates.language import ForbiddenError, restrict
from planner.planfile.templates.tags import tags_of
from planner.planfile.templates.templates import TemplateFault
from planner.planfile.text import did_you_mean, one_of

_QUOTED = re.compile(r"['`\"]([^'`\"]+)['`\"]")
_OPENED = re.compile(r"\{[{%#]")
_WORD = re.compile(r"\{%[-+]?\s*(\w+)")
_OFFSET = re.compile(r" at \d+\Z")
_UNCLOSED = {"unexpected '}'", "unexpected end of template, expected 'end of print statement'"}
"""What Jinja says of `{{ name }` and of `{{ name`."""
_CLOSED = {"if": "{}{{% endif %}}", "for": "{}{{% endfor %}}", "else": "{{% if a %}}{}{{% endif %}}"}
_CLOSED["elif"] = _CLOSED["else"]
"""How a block tag becomes a template by itself."""
_FAILURES = (
    RenderError, TemplateRuntimeError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError, RecursionError,
    AssertionError,
)  # fmt: skip
"""What operators and Jinja's filters raise for values that do not suit them."""


@dataclass(frozen=True, slots=True)
class Program:
    """A template compiled by Jinja."""

    text: str
    names: Mapping[str, int]
    _template: JinjaTemplate
    _programs: Programs

    def render(self, values: Mapping[str, Any]) -> str:
        return self._programs.run(self.text, self._template, values)


class Programs:
    """One sandboxed environment."""

    def __init__(self) -> None:
        self._environment = PlanEnvironment()
        self._plan_reported = False
        """Whether it was reported that this plan's templates do too much work together."""
        self._too_costly: set[str] = set()
        """Templates of this plan that did too much work: once is enough to know."""

    def new_plan(self) -> None:
        self._plan_reported = False
        self._too_costly.clear()
        self._environment.new_plan()

    def show(self, value: Any, route: tuple[str, ...], offset: int) -> str:
        """What `{{ a.b.c }}` writes if `a` is `value`; `offset` is where the route is written. Raises `TemplateFault`."""
        name = ".".join(route)
        start = offset
        end = offset + len(route[0])
        try:
            for step in route[1:]:
                start, end = end + 1, end + 1 + len(step)
                value = self._environment.getattr(value, step)
                if isinstance(value, Undefined):
                    break
            return shown(value)
        except UndefinedError as error:
            raise TemplateFault("template-undefined", str(error), start, end) from error
        except RenderError as error:
            raise TemplateFault("template-failed", f"`{name}`: {error}", offset, offset + len(name)) from error

    def compile(self, text: str) -> Program:
        """Raises `TemplateFault`."""
        environment = self._environment
        try:
            tree = restrict(environment.parse(text))
            names = meta.TrackingCodeGenerator(environment)
            names.optimizer = None  # it would evaluate constant parts, uncounted
            names.visit(tree)
            template = JinjaTemplate.from_code(environment, environment.compile(tree), {**environment.globals})
        except TemplateSyntaxError as error:
            raise self._syntax_fault(text, error) from error
        except ForbiddenError as error:
            found = self._failing_tag(text, error.line) if not error.word else None
            raise TemplateFault(error.code, str(error), *(found or self._find(text, error.line, error.word))) from error
        except ValueError as error:  # the lexer's, of more digits than Python reads
            raise TemplateFault("template-syntax", "a number in this template is too long") from error
        except (RecursionError, MemoryError, SyntaxError) as error:
            raise TemplateFault("template-syntax", "this template is nested too deeply") from error
        places: dict[str, int] = {}
        for word, start, _ in self._words(text):
            places.setdefault(word, start)
        undeclared = names.undeclared_identifiers - {"range"}
        found = {name: places.get(name, 0) for name in sorted(undeclared, key=lambda name: (places.get(name, 0), name))}
        return Program(text, found, template, self)

    def run(self, text: str, template: JinjaTemplate, values: Mapping[str, Any]) -> str:
        """Render. Raises `TemplateFault`."""
        if text in self._too_costly:
            raise TemplateFault("template-too-costly", "this template does too much work; use fewer or shorter loops")
        try:
            self._environment.new_render(text)
            context = template.new_context(dict(values))
            return self._environment.text("".join(template.root_render_func(context)))
        except TooCostlyError as error:
            fault = TemplateFault("template-too-costly", str(error))
            if error.of_plan:
                fault.is_told, self._plan_reported = self._plan_reported, True
            else:
                self._too_costly.add(text)
            raise fault from error
        except TooLargeError as error:
            raise TemplateFault("template-too-large", str(error)) from error
        except UndefinedError as error:
            raise self._runtime_fault("template-undefined", text, template, error, values) from error
        except _FAILURES as error:
            raise self._runtime_fault("template-failed", text, template, error, values) from error

    # Where an error is

    def _runtime_fault(
        self, code: str, text: str, template: JinjaTemplate, error: Exception, values: Mapping[str, Any]
    ) -> TemplateFault:
        line = _line(template, error.__traceback__)
        word = _QUOTED.search(str(error))
        found = self._find(text, line, word[1] if word else "")
        tags = [tag for tag in _tags_on(text, line) if tag.group().startswith("{{")]
        if found == _line_of(text, line) and len(tags) > 1:
            found = next((tag.span() for tag in tags if self._fails(tag.group(), values, str(error))), found)
        return TemplateFault(code, f"rendering failed: {error}" if code == "template-failed" else str(error), *found)

    def _fails(self, tag: str, values: Mapping[str, Any], message: str) -> bool:
        """Whether this tag, rendered alone, fails with the same message."""
        try:
            code = self._environment.compile(restrict(self._environment.parse(tag)))
            template = JinjaTemplate.from_code(self._environment, code, {**self._environment.globals})
            "".join(template.root_render_func(template.new_context(dict(values))))
        except (TemplateSyntaxError, ForbiddenError, UndefinedError, *_FAILURES) as error:
            return str(error) == message
        return False

    def _syntax_fault(self, text: str, error: TemplateSyntaxError) -> TemplateFault:
        message = (error.message or "not a template").removesuffix(".")
        if message in _UNCLOSED:
            place = self._failing_tag(text, error.lineno, message) or self._opening(text, error.lineno)
            return TemplateFault("template-syntax", "a tag is not closed: }} or %} is missing", *place)
        named = _QUOTED.search(message)
        for what, known in (("filter", FILTERS), ("test", TESTS)):
            if message.startswith(f"No {what} named") and named is not None:
                hint = did_you_mean(named[1], known) or f"known: {one_of(sorted(known), 60)}"
                place = self._find(text, error.lineno, named[1])
                return TemplateFault("template-syntax", f"there is no {what} `{named[1]}`; {hint}", *place)
        found: tuple[int, int] | None = None
        if message.startswith("Encountered unknown tag") and named is not None:
            tags = _tags_on(text, error.lineno)
            unknown = [tag.span() for tag in tags if (word := _WORD.match(tag.group())) and word[1] == named[1]]
            found = next(iter(unknown[::-1] if named[1].startswith("end") else unknown), None)
        else:
            found = self._failing_tag(text, error.lineno, message)
        return TemplateFault("template-syntax", message, *(found or self._opening(text, error.lineno)))

    def _failing_tag(self, text: str, line: int, message: str | None = None) -> tuple[int, int] | None:
        """The first tag on the line that is no template by itself: with this message, or a {{ tag }} with any."""
        for tag in _tags_on(text, line):
            word = _WORD.match(tag.group())
            alone = _CLOSED.get(word[1], "{}").format(tag.group()) if word is not None else tag.group()
            try:
                restrict(self._environment.parse(alone))
            except TemplateSyntaxError as error:
                said = _OFFSET.sub("", (error.message or "").removesuffix("."))
                if (message and said == _OFFSET.sub("", message)) or (message is None and tag.group().startswith("{{")):
                    return tag.span()
            except (ForbiddenError, RecursionError, ValueError):
                if message is None and tag.group().startswith("{{"):
                    return tag.span()
        return None

    def _opening(self, text: str, line: int) -> tuple[int, int]:
        """The line's first block tag, or else from where a tag is opened to the line's end."""
        for tag in _tags_on(text, line):
            if tag.group().startswith("{%"):
                return tag.span()
        start, end = _line_of(text, line)
        closed = [tag.span() for tag in _tags_on(text, line)]
        opened = [found.start() for found in _OPENED.finditer(text, start, end)]
        alone = (place for place in opened if not any(first <= place < last for first, last in closed))
        return next(alone, opened[0] if opened else start), end

    def _find(self, text: str, line: int, word: str) -> tuple[int, int]:
        """The word inside a tag, on this line if it is there; or else the line's only tag, or the line."""
        found = [(number != line, start) for name, start, number in self._words(text, attributes=True) if name == word]
        if found:
            start = min(found)[1]
            return start, start + len(word)
        tags = _tags_on(text, line)
        return tags[0].span() if len(tags) == 1 else _line_of(text, line)

    def _words(self, text: str, *, attributes: bool = False) -> Iterator[tuple[str, int, int]]:
        """Names in tags, with offset and line, of a text that Jinja can split into tokens; those after a dot on request."""
        position = 0
        after_dot = False
        for line, kind, value in self._environment.lex(text):
            start = text.find(value, position)
            position = start + len(value) if start >= 0 else position
            if kind == "name" and (attributes or not after_dot):
                yield value, start, line
            if kind != "whitespace":
                after_dot = value == "."


def _line(template: JinjaTemplate, traceback: TracebackType | None) -> int:
    line = 1
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == "<template>":
            line = template.get_corresponding_lineno(traceback.tb_lineno)
        traceback = traceback.tb_next
    return line


def _tags_on(text: str, line: int) -> list[re.Match[str]]:
    """The {{ tags }} and {% blocks %} that touch a line."""
    return [tag for tag in tags_of(text) if _line_number(text, tag.start()) <= line <= _line_number(text, tag.end())]


def _line_number(text: str, offset: int) -> int:
    return text.count("\n", 0, offset) + 1


def _line_of(text: str, line: int) -> tuple[int, int]:
    """Offsets of a line, without the white space around what is on it."""
    start = 0
    for _ in range(line - 1):
        start = text.find("\n", start) + 1
    end = text.find("\n", start)
    content = text[start : end if end >= 0 else len(text)]
    start += len(content) - len(content.lstrip())
    end = max(start + 1, start + len(content.strip()))
    return min(start, len(text)), min(end, len(text))  # Jinja counts lines that we do not, such as after a lone \r

"""Templates that need Jinja: parsing, restricting, compiling, rendering, and where in the text a fault is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from types import TracebackType
from typing import Any, NamedTuple

from jinja2 import Template as JinjaTemplate
from jinja2 import TemplateSyntaxError, meta
from jinja2.exceptions import TemplateRuntimeError, UndefinedError
from jinja2.runtime import Undefined

from planner.spec.faults.wording import describe, near_miss, one_of
from planner.spec.templates.language import ForbiddenError, free_uses, restrict
from planner.spec.templates.metering import (
    FILTERS,
    STEPS_PER_PLAN,
    TESTS,
    PlanEnvironment,
    RenderError,
    TooCostlyError,
    TooLargeError,
    shown,
)
from planner.spec.templates.syntax import QUOTED, in_plain_words, meant_by_word, standing_alone, without_place
from planner.spec.templates.tags import tags_of
from planner.spec.templates.template import TemplateFault
from planner.spec.templates.words import in_words

_BLOCK = re.compile(r"\{%[-+]?\s*(if|elif|for|set|include|import|from|macro|extends|block|call)\b")
_CLOSED = {"if": "{% endif %}", "for": "{% endfor %}"}
_NAME = re.compile(r"[A-Za-z_]\w*")
_MAX_TAGS = 500
"""Tags that are looked at by themselves for further faults, in all texts of a plan: each is compiled."""
_OPENED = re.compile(r"\{[{%#]")
_FAILURES = (
    RenderError,
    TemplateRuntimeError,
    TypeError,
    ValueError,
    ArithmeticError,
    LookupError,
    AttributeError,
    RecursionError,
    AssertionError,
)
"""What operators and Jinja's filters raise for values that do not suit them."""


class _Word(NamedTuple):
    """A name inside a tag, as the lexer sees it. `attribute` when it follows a dot."""

    text: str
    start: int
    line: int
    attribute: bool


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
    """One sandboxed environment and its budget."""

    def __init__(self) -> None:
        self._environment = PlanEnvironment()
        self._tags_left = _MAX_TAGS
        self._dearest = (0, "")
        """What one rendering has taken at most of this plan's steps, and of which template."""
        self._is_told = False
        """Whether it was said that this plan's steps are used up."""
        self._too_costly: dict[str, str] = {}
        """Templates of this plan that did too much work, and what was said of them: once is enough to know."""
        self._places: dict[tuple[str, int, str], tuple[int, int]] = {}
        """Where what failed is written, by the template, the line and the message: many cases may fail alike."""

    def new_plan(self) -> None:
        self._tags_left = _MAX_TAGS
        self._dearest, self._is_told = (0, ""), False
        self._too_costly.clear()
        self._environment.meter.new_plan()

    def show(self, value: Any, route: tuple[str, ...], offset: int) -> str:
        """What `{{ a.b.c }}` writes when `a` is `value`; `offset` is where the route is written. Raises `TemplateFault`."""
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
        """Raises `TemplateFault`, with the place of the fault, and with those of other tags that are wrong by themselves."""
        try:
            return self._compile(text)
        except TemplateFault as fault:
            fault.others = tuple(self._other_faults(text, fault))
            raise

    def _other_faults(self, text: str, first: TemplateFault) -> Iterator[TemplateFault]:
        """Of tags that are not where the first fault is; none of a text in which not all that looks like a tag is one.

        The first fault gets the names that the sound ones use, but for those that a block may define.
        """
        if first.start is None or first.end is None or "{#" in text or "raw" in text:
            return
        every = list(tags_of(text))
        defined = {word for tag in every if tag[0].startswith("{%") for word in _NAME.findall(tag[0])}
        names: dict[str, int] = {}
        first.names = names
        tags = [tag for tag in every if tag.end() <= first.start or tag.start() >= first.end]
        for tag in tags[: self._tags_left]:
            self._tags_left -= 1
            opens = _BLOCK.match(tag.group())
            if tag.group().startswith("{%") and opens is None:
                continue  # it means nothing without the others
            word = opens[1] if opens is not None else ""
            alone = tag.group() + (_CLOSED.get(word, "") if opens is not None else "")
            if word == "elif":
                alone = tag.group().replace("elif", "if  ", 1) + "{% endif %}"
            try:
                program = self._compile(alone)
                found = program.names if opens is None else dict[str, int]()
                names |= {name: tag.start() + at for name, at in found.items() if name not in {*defined, *names}}
            except TemplateFault as fault:
                start, end = fault.start or 0, min(fault.end or len(alone), len(tag.group()))
                yield TemplateFault(fault.code, fault.detail, tag.start() + start, tag.start() + end)

    def _compile(self, text: str) -> Program:
        environment = self._environment
        try:
            tree = restrict(environment.parse(text))
            names_used = meta.TrackingCodeGenerator(environment)
            names_used.optimizer = None  # it would evaluate constant parts, outside the budget
            names_used.visit(tree)
            free = free_uses(tree, names_used.undeclared_identifiers)
            undeclared = names_used.undeclared_identifiers - {"range"}
            code = environment.compile(tree)
            template = JinjaTemplate.from_code(environment, code, {**environment.globals})
        except TemplateSyntaxError as error:
            raise self._syntax_fault(text, error) from error
        except ForbiddenError as error:
            found = self._failing_tag(text, error.line) if not error.word else None
            start, end = found or self._find(text, error.line, error.word)
            raise TemplateFault(error.code, str(error), start, end) from error
        except ValueError as error:  # the lexer's, of more digits than Python reads
            raise TemplateFault("template-syntax", "a number in this template is too long") from error
        except (RecursionError, MemoryError, SyntaxError) as error:
            raise TemplateFault("template-syntax", "this template is nested too deeply") from error
        words = [word for word in self._words(text) if not word.attribute]
        places = {word.text: word.start for word in reversed(words)}
        for name, use in free.items():
            places[name] = next(islice((word.start for word in words if word.text == name), use, None), places[name])
        names = {name: places.get(name, 0) for name in sorted(undeclared, key=lambda name: (places.get(name, 0), name))}
        return Program(text, names, template, self)

    def run(self, text: str, template: JinjaTemplate, values: Mapping[str, Any]) -> str:
        """Render. Raises `TemplateFault`."""
        if (costly := self._too_costly.get(text)) is not None:
            raise TemplateFault("template-too-costly", costly)
        try:
            self._environment.meter.new_render(1 + len(text) // 32)
            context = template.new_context(dict(values))
            rendered = self._environment.meter.text("".join(template.root_render_func(context)))
        except TooCostlyError as error:
            if self._environment.meter.is_empty:
                raise self._plan_too_costly() from error
            self._too_costly[text] = str(error)
            raise TemplateFault("template-too-costly", str(error)) from error
        except TooLargeError as error:
            raise TemplateFault("template-too-large", str(error)) from error
        except UndefinedError as error:
            raise self._runtime_fault("template-undefined", text, template, error, values) from error
        except _FAILURES as error:
            raise self._runtime_fault("template-failed", text, template, error, values) from error
        self._dearest = max(self._dearest, (self._environment.meter.spent, text))
        return rendered

    def _plan_too_costly(self) -> TemplateFault:
        fault = TemplateFault(
            "template-too-costly",
            f"the templates of this plan together do more than {STEPS_PER_PLAN:,} steps of work, and here they are used up; "
            f"use fewer or shorter loops: the dearest takes {self._dearest[0]:,} for one case, {describe(self._dearest[1])}",
        )
        fault.is_told, self._is_told = self._is_told, True
        return fault

    # Where a fault is

    def _runtime_fault(
        self, code: str, text: str, template: JinjaTemplate, error: Exception, values: Mapping[str, Any]
    ) -> TemplateFault:
        line = _line(template, error.__traceback__)
        word = QUOTED.search(str(error))
        key = (text, line, str(error))
        if key not in self._places:
            found = self._find(text, line, word.group(1) if word else "")
            tags = [tag for tag in _tags_on(text, line) if tag.group().startswith("{{")]
            if found == _line_of(text, line) and len(tags) > 1:
                found = next((tag.span() for tag in tags if self._fails(tag.group(), values, str(error))), found)
            self._places[key] = found
        start, end = self._places[key]
        message = str(error) if isinstance(error, (RenderError, UndefinedError)) else in_words(str(error))
        return TemplateFault(code, message, start, end)

    def _fails(self, tag: str, values: Mapping[str, Any], message: str) -> bool:
        """Whether this tag, rendered alone, fails with the same words."""
        try:
            tree = restrict(self._environment.parse(tag))
            template = JinjaTemplate.from_code(
                self._environment, self._environment.compile(tree), {**self._environment.globals}
            )
            "".join(template.root_render_func(template.new_context(dict(values))))
        except (TemplateSyntaxError, ForbiddenError, UndefinedError, *_FAILURES) as error:
            return str(error) == message
        return False

    def _syntax_fault(self, text: str, error: TemplateSyntaxError) -> TemplateFault:
        message = (error.message or "not a template").removesuffix(".")
        for what, known in (("filter", FILTERS), ("test", TESTS)):
            if message.startswith(f"No {what} named"):
                word = message.split("'")[1]
                hint = near_miss(word, known) or f"known: {one_of(sorted(known), 60)}"
                start, end = self._find(text, error.lineno, word)
                return TemplateFault("template-syntax", f"there is no {what} `{word}`; {hint}", start, end)
        tags = _tags_on(text, error.lineno)
        meant = next(meant_by_word(error.message or "", tags), None)
        found = meant.span() if meant is not None else self._failing_tag(text, error.lineno, error.message)
        start, end = found or self._opening(text, error.lineno)
        return TemplateFault("template-syntax", in_plain_words(message, text[start:end]), start, end)

    def _failing_tag(self, text: str, line: int, message: str | None = None) -> tuple[int, int] | None:
        """The first tag on the line that is no template by itself: with this message, or a {{ tag }} with any."""
        for tag in _tags_on(text, line):
            try:
                restrict(self._environment.parse(standing_alone(tag.group())))
            except TemplateSyntaxError as error:
                if (message and without_place(error.message) == without_place(message)) or (
                    message is None and tag.group().startswith("{{")
                ):
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
        words = [found for found in self._words(text) if found.text == word]
        for found in sorted(words, key=lambda found: (found.line != line, found.start)):
            return found.start, found.start + len(word)
        tags = _tags_on(text, line)
        return tags[0].span() if len(tags) == 1 else _line_of(text, line)

    def _words(self, text: str) -> Iterator[_Word]:
        """Of a text that Jinja can at least split into tokens."""
        position = 0
        attribute = False
        for line, kind, value in self._environment.lex(text):
            start = text.find(value, position)
            position = start + len(value) if start >= 0 else position
            if kind == "name":
                yield _Word(value, start, line, attribute)
            if kind != "whitespace":
                attribute = value == "."


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
    """Offsets of a line, less the white space around what is on it."""
    start = 0
    for _ in range(line - 1):
        start = text.find("\n", start) + 1
    end = text.find("\n", start)
    content = text[start : end if end >= 0 else len(text)]
    start += len(content) - len(content.lstrip())
    end = max(start + 1, start + len(content.strip()))
    return min(start, len(text)), min(end, len(text))  # Jinja counts lines that we do not, such as after a lone \r

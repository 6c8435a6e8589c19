"""Agents as files: `config` of a target names a file with the fields that the agent should have. Reads and writes
them."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping as Lookup
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.scalarstring import DoubleQuotedScalarString, LiteralScalarString

from planner.diagnostics import Related, Span
from planner.planfile.fields import EMPTY, wrong_type
from planner.planfile.files import FileError, Neighbours, display_name
from planner.planfile.model import AgentFile
from planner.planfile.reporter import Reporter, TooManyErrors
from planner.planfile.text import shorten
from planner.planfile.yaml.document import MAX_VALUES, YamlMapping, follow, is_too_large, start_of
from planner.planfile.yaml.reader import MAX_BYTES, decode, parse
from planner.secret_values import Kind, find_secrets, hide_secrets

PROMPT_FILE: Final = "prompt_file"

_UNMANAGED: Final = frozenset({"id", "name", "label"})


def is_unmanaged(name: str) -> bool:
    """Whether planner never writes a field of this name: the agent's identity, its times and its draft."""
    return name in _UNMANAGED or name.startswith("draft_") or name.endswith(("_at", "_draft"))


@dataclass(slots=True)
class AgentFileReader:
    """Reads agents' files, each once. One for all plans that are loaded together."""

    reporter: Reporter
    neighbours: Neighbours
    is_reading: bool = True
    """False: the paths suffice, and the files may be missing or have errors."""
    _known: dict[Path, AgentFile | None] = field(default_factory=dict[Path, AgentFile | None])

    def read(self, owner: Path, path: str, where: Span) -> AgentFile | None:
        """The file that `owner` calls `path`, at `where`; None, and errors, if it cannot be used."""
        try:
            shown, resolved = self.neighbours.find(owner, path)
            if not self.is_reading:
                self._known[resolved] = AgentFile(resolved, display_name(shown, self.neighbours.cwd), {}, {})
            elif resolved not in self._known:
                _, content = self.neighbours.read(owner, path, MAX_BYTES)
                self._known[resolved] = self._parse(shown, resolved, content)
            elif self._known[resolved] is None:
                self.reporter.errors += 1  # reported where it was first used
        except FileError as error:
            self.reporter.error(error.code, error.detail, where)
            return None
        return self._known[resolved]

    def has(self, path: Path) -> bool:
        """Whether this file, links resolved, was read as an agent's."""
        return path in self._known

    def _parse(self, shown: Path, resolved: Path, content: bytes) -> AgentFile | None:
        reporter, file = self.reporter, display_name(shown, self.neighbours.cwd)
        errors = reporter.errors
        try:
            source = decode(content, file, reporter)
            root = parse(source, reporter, allows_escapes=True) if source is not None else None
            if root is None:
                return None
            fields, prompt_path = self._fields(root, shown)
        except TooManyErrors:
            return None
        if reporter.errors > errors:
            return None
        places = {name: root.place(name) for name in root if name != PROMPT_FILE}
        if prompt_path is not None:
            places["prompt"] = root.place(PROMPT_FILE)
        return AgentFile(resolved, file, fields, places, prompt_path)

    def _fields(self, root: YamlMapping, shown: Path) -> tuple[dict[str, Any], Path | None]:
        reporter = self.reporter
        if is_too_large(root):
            detail = f"an agent's file may have {MAX_VALUES:,} values, with aliases expanded; shorten it"
            reporter.error("too-many-nodes", detail, start_of(root))
            return {}, None
        for name in root:
            if is_unmanaged(name):
                detail = f"planner does not change `{shorten(name, 40)}` of an agent; remove it"
                reporter.error("unmanaged-field", detail, root.key_span(name))
        self._check_secrets(root)
        fields = hide_secrets({name: value for name, value in root.items() if name != PROMPT_FILE})
        if not root:
            reporter.error(
                "bad-value", "this agent's file has no field; write at least one, such as `prompt`", root.source.whole()
            )
        if PROMPT_FILE not in root:
            self._check_prompt(root, "prompt", fields.get("prompt", "given"))
            return fields, None
        if "prompt" in root:
            related = Related("the other one", root.key_span("prompt"))
            detail = "this agent has `prompt` as well; keep one"
            reporter.error("two-prompts", detail, root.key_span(PROMPT_FILE), related)
            return fields, None
        prompt, prompt_path = self._prompt_file(root, shown)
        if prompt is not None:
            self._check_prompt(root, PROMPT_FILE, prompt)
            fields = {"prompt": prompt, **fields}
        return fields, prompt_path

    def _check_secrets(self, root: YamlMapping) -> None:
        """Point at secrets, and never repeat them."""
        for route, kind in find_secrets(root):
            found = follow(root, route)
            if found is None or kind in (Kind.HEADER, Kind.OPAQUE):
                continue
            container, key = found
            named = next(str(step) for step in reversed(route) if isinstance(step, str))
            what = "has an address with credentials" if kind is Kind.ADDRESS else "looks like a secret"
            detail = f"`{shorten(named, 40)}` {what}; set it at the service and remove it here"
            self.reporter.error("secret-field", detail, container.span(key))

    def _check_prompt(self, root: YamlMapping, key: str, prompt: Any) -> None:
        place = root.span(key) if key in root else root.source.whole()
        if prompt is None:
            self.reporter.error("wrong-type", EMPTY, place)
        elif not isinstance(prompt, str):
            self.reporter.error("wrong-type", wrong_type("a string", prompt), place)
        elif not prompt.strip():
            self.reporter.error("empty-prompt", "an agent without a prompt improvises; write what it does", place)

    def _prompt_file(self, root: YamlMapping, shown: Path) -> tuple[str | None, Path | None]:
        reporter = self.reporter
        written: Any = root[PROMPT_FILE]
        place = root.span(PROMPT_FILE)
        if not isinstance(written, str) or not written:
            reporter.error("wrong-type", wrong_type("a path", written) if written is not None else EMPTY, place)
            return None, None
        try:
            file, content = self.neighbours.read(shown, written, MAX_BYTES)
            _, resolved = self.neighbours.find(shown, written)
        except FileError as error:
            reporter.error(error.code, error.detail, place)
            return None, None
        source = decode(content, display_name(file, self.neighbours.cwd), reporter)
        if source is None:
            return None, None
        return source.text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n"), resolved


_LONG: Final = 100
"""Longer strings are written as blocks."""
_INDENTED: Final = re.compile(r"^( *)[^\s#-][^\n]*:[ \t]*\n\1  - ", re.MULTILINE)
"""Items of a list that are further right than its key."""
_BLOCK_BREAKING: Final = frozenset("\x85\u2028\u2029\ufeff\t")


def with_fields(text: str, fields: Lookup[str, Any]) -> str:
    """The YAML text of a file with these fields set."""
    yaml = YAML()
    yaml.preserve_quotes = True  # pyright: ignore[reportAttributeAccessIssue]
    if _INDENTED.search(text):
        yaml.indent(mapping=2, sequence=4, offset=2)  # pyright: ignore[reportUnknownMemberType]
    yaml.width = 1_000_000  # pyright: ignore[reportAttributeAccessIssue] - no text is broken where the author did not
    loaded: Any = yaml.load(text) if text.strip() else None  # pyright: ignore[reportUnknownMemberType]
    is_new = not isinstance(loaded, CommentedMap)
    document = loaded if isinstance(loaded, CommentedMap) else CommentedMap()
    for name, value in fields.items():
        document[name] = _styled(value, document.get(name))  # pyright: ignore[reportUnknownMemberType]
    stream = io.StringIO()
    yaml.dump(document, stream)  # pyright: ignore[reportUnknownMemberType]
    return (text.rstrip("\n") + "\n" if is_new and text.strip() else "") + stream.getvalue()


def _styled(value: Any, before: Any = None) -> Any:
    if isinstance(value, str):
        text = value.replace("\r\n", "\n").replace("\r", "\n").strip("\n")
        if not _fits_block(text):
            return DoubleQuotedScalarString(text)
        if "\n" not in text and len(text) <= _LONG:
            return text
        block = LiteralScalarString(text + "\n")
        comment = getattr(before, "comment", None)
        if comment is not None:  # what follows a block belongs to it
            block.comment = comment  # pyright: ignore[reportAttributeAccessIssue]
        return block
    if isinstance(value, dict):
        return {_styled_key(name): _styled(item) for name, item in cast("dict[str, Any]", value).items()}
    return [_styled(item) for item in cast("list[Any]", value)] if isinstance(value, list) else value


def _styled_key(name: str) -> str:
    return name if _fits_block(name) else DoubleQuotedScalarString(name)


def _fits_block(text: str) -> bool:
    """Whether a block says exactly this text. Others are written in double quotes, with escapes."""
    return _BLOCK_BREAKING.isdisjoint(text) and all(char == "\n" or char.isprintable() for char in text)

"""A YAML file with all that an author wrote in it: values as they are spelled, comments, blank lines, anchors.

The `Document` that plans are read from knows values and places; this knows how the text looks, and nothing of plans.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(slots=True)
class Comment:
    """`text` begins with `#`. `column` counts from 0. `blank` says whether a blank line stands before it."""

    text: str
    column: int = 0
    blank: bool = False
    gap: int = 2
    """White space before it, where it ends a line."""


@dataclass(slots=True)
class Scalar:
    """`text` is how it is spelled, without anchor and tag; `style` is the quote, `|`, `>`, or empty where it is plain."""

    text: str
    value: str
    style: str
    properties: str = ""
    """Anchor and tag, as written."""


@dataclass(slots=True)
class Alias:
    """`text` is `*name`."""

    text: str
    properties: str = ""


@dataclass(slots=True)
class Collection:
    """A mapping or, where its entries have no keys, a sequence. `ending` are the comments after its last entry."""

    mapping: bool
    flow: bool
    """Written with brackets."""
    properties: str = ""
    entries: list[Entry] = field(default_factory=list["Entry"])
    ending: list[Comment] = field(default_factory=list[Comment])


Node = Scalar | Alias | Collection


@dataclass(slots=True)
class Entry:
    """A key with its value, or an item of a sequence (`key` is None)."""

    key: Scalar | Alias | None
    value: Node
    above: list[Comment] = field(default_factory=list[Comment])
    """Comments on lines of their own before it."""
    beside: list[Comment] = field(default_factory=list[Comment])
    """Comments that end its line: that of the value, or that of the key where the value begins below."""
    blank: bool = False
    """Whether a blank line stands before it, after the comments above it."""

    @property
    def name(self) -> str | None:
        """The key's text; None for an item and where an alias is the key."""
        return self.key.value if isinstance(self.key, Scalar) else None


@dataclass(slots=True)
class Tree:
    """`prologue` are the lines down to `---` where that is written; `heading` the comments before the first key, which stay
    on top; `heading_apart` whether a blank line stands below them."""

    prologue: list[str]
    heading: list[Comment]
    heading_apart: bool
    root: Collection
    comments: list[str]
    """All there are, also those inside a `|` text's first line, sorted."""


def nodes_in(node: Node) -> Iterator[Node]:
    """The node and all below it, keys included, in the order written; not by recursion, for depth is the parser's to bound."""
    pending: list[Node] = [node]
    while pending:
        current = pending.pop()
        yield current
        if isinstance(current, Collection):
            for entry in reversed(current.entries):
                pending.append(entry.value)
                if entry.key is not None:
                    pending.append(entry.key)

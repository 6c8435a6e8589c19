"""What editors show besides what a schema allows: titles, defaults, and what each of a few choices means.

`markdownDescription`, `enumDescriptions` and the like are no part of JSON Schema; VS Code and its YAML extension read them
(https://code.visualstudio.com/docs/languages/json, https://github.com/redhat-developer/yaml-language-server), others
pass over them.
"""

from __future__ import annotations

import json
import re
from typing import Any, cast

_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_CHOICE = re.compile(r"(?:^|(?<=\. ))([a-z_]+): ")

Schema = dict[str, Any]


def hinted(schema: Schema) -> Schema:
    """The schema with these hints. Definitions that are only a list of words are written out where they are used.

    The others come by name: as they are made, their order depends on which models were in use before.
    """
    definitions: Schema = schema.get("$defs", {})
    words = {f"#/$defs/{name}": part for name, part in definitions.items() if "enum" in part}
    found = cast("Schema", _visited(schema, words))
    for name, part in found.get("$defs", {}).items():
        if "title" in part and name == part["title"]:
            part["title"] = " ".join(_CAMEL.split(name.removesuffix("Fields"))).lower()
    kept = [name for name in sorted(found.get("$defs", {})) if f"#/$defs/{name}" not in words]
    found["$defs"] = {name: found["$defs"][name] for name in kept}
    return found


def choices(words: dict[str, str]) -> Schema:
    """Words, each with what it means."""
    meanings = list(words.values())
    return {"enum": list(words), "enumDescriptions": meanings, "markdownEnumDescriptions": meanings}


def _visited(schema: Any, words: Schema) -> Any:
    if isinstance(schema, list):
        return [_visited(item, words) for item in cast("list[Any]", schema)]
    if not isinstance(schema, dict):
        return schema
    known = cast("Schema", schema)
    visited = {key: value if key == "examples" else _visited(value, words) for key, value in known.items()}
    if isinstance(properties := visited.get("properties"), dict):
        named = cast("dict[str, Schema | bool]", properties)
        visited["properties"] = {
            name: part if isinstance(part, bool) else _property(name, part, words) for name, part in named.items()
        }
    return visited


def _property(name: str, schema: Schema, words: Schema) -> Schema:
    """A key with its own name as its title, its default in words, and its choices explained."""
    known = {**schema, "title": name}
    if (reference := known.get("$ref")) in words:
        del known["$ref"]
        known |= {key: value for key, value in words[reference].items() if key != "title"}
    description = known.get("description", "")
    told = _choices_told(description)
    if "enum" in known and told and set(told) == set(known["enum"]):
        known |= choices({word: told[word] for word in known["enum"]})
    default = known.get("default")
    if default not in (None, "", [], {}):
        known["markdownDescription"] = f"{description}\n\nDefault: `{json.dumps(default, ensure_ascii=False)}`"
    elif "`" in description:
        known["markdownDescription"] = description  # a plain one would show its backticks
    return known


def _choices_told(description: str) -> dict[str, str]:
    """`a: one thing. b: another.` by word; nothing where a description is not of that kind."""
    parts = _CHOICE.split(description)
    return dict(zip(parts[1::2], (part.strip() for part in parts[2::2]), strict=True)) if not parts[0] else {}

"""Compare what a call ran, as the service shows it, with the configuration that it was to reach.

`prompt_snapshot` and `tool_snapshot` of the call object show the agent as it answered, whoever edited it since. The
service fills in the variables of a prompt: `{{name}}` matches any text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

from planner.changes.configuration import Configuration, agree, shown_value
from planner.providers.base import VARIANTS

_OPEN: Final = "{{"
_CLOSE: Final = "}}"
_ALSO_SHOWN: Final = ("voice", "product", "thinking_level")


def snapshot_differences(call: Mapping[str, Any], configuration: Configuration) -> tuple[str, ...] | None:
    """The parts of the configuration that the call object contradicts; None if it has no snapshot of the prompt."""
    prompt = call.get("prompt_snapshot")
    if not isinstance(prompt, str) or not prompt.strip():
        return None
    different: list[str] = []
    if not any(_has_prompt(wanted, prompt) for wanted in _prompts(configuration)):
        different.append("prompt")
    if _have_other_tools(call.get("tool_snapshot"), configuration.get("tools")):
        different.append("tools")
    return tuple(different)


def is_shown(call: Mapping[str, Any], configuration: Configuration) -> bool:
    """Whether the call object shows that it ran this configuration: the prompt and, if there are any, the tools. Other
    fields that both have must agree."""
    return (
        snapshot_differences(call, configuration) == ()
        and (not configuration.get("tools") or isinstance(call.get("tool_snapshot"), list))
        and all(
            agree(configuration[name], call[name])
            for name in _ALSO_SHOWN
            if call.get(name) is not None and configuration.get(name) is not None
        )
    )


def _prompts(configuration: Configuration) -> Iterator[Any]:
    """The agent's prompt, and those of the variants that may have answered instead."""
    yield configuration.get("prompt")
    variants = configuration.get(VARIANTS)
    for variant in cast("list[Any]", variants) if isinstance(variants, list) else ():
        if isinstance(variant, Mapping):
            yield cast("Configuration", variant).get("prompt")


def _has_prompt(wanted: Any, prompt: str) -> bool:
    if wanted is None:
        return False
    if agree(wanted, prompt):
        return True
    text = shown_value(wanted)
    return isinstance(text, str) and text is wanted and _fills(_lines(text), _lines(prompt))


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").strip()


def _fills(template: str, text: str) -> bool:
    """Whether the text is the template with something in the place of each variable."""
    first, *others = _between_variables(template)
    if not others or not text.startswith(first):
        return False
    at = len(first)
    for part in others[:-1]:
        found = text.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return text.endswith(others[-1]) and len(text) - len(others[-1]) >= at


def _between_variables(template: str) -> list[str]:
    """The parts of the template around the variables."""
    begin, *rest = template.split(_OPEN)
    parts = [begin]
    for each in rest:
        name, close, after = each.partition(_CLOSE)
        if close:
            parts.append(after)
        else:  # never closed: plain text
            parts[-1] += _OPEN + name
    return parts


def _have_other_tools(shown: Any, wanted: Any) -> bool:
    """Whether tools are missing, added or different. Fields that only one side has do not count."""
    if not isinstance(shown, list) or not isinstance(wanted, list):
        return False
    there, here = _by_name(cast("list[Any]", shown)), _by_name(cast("list[Any]", wanted))
    if there is None or here is None:
        return False
    if there.keys() != here.keys():
        return True
    return any(
        not agree(there[name][key], tool[key]) for name, tool in here.items() for key in tool.keys() & there[name]
    )


def _by_name(tools: list[Any]) -> dict[str, dict[str, Any]] | None:
    """The tools without addresses, which are not kept of a call; None if one has no name."""
    found: dict[str, dict[str, Any]] = {}
    for tool in tools:
        plain = cast("dict[str, Any]", _without_addresses(tool)) if isinstance(tool, Mapping) else {}
        name = plain.get("name")
        if not isinstance(name, str):
            return None
        found[name] = plain
    return found


def _without_addresses(value: Any) -> Any:
    if isinstance(value, Mapping):
        fields = cast("Configuration", value)
        return {key: _without_addresses(each) for key, each in fields.items() if "url" not in key.lower()}
    return [_without_addresses(each) for each in cast("list[Any]", value)] if isinstance(value, list) else value

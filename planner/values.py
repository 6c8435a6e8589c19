"""Immutable values."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, TypeVar, dataclass_transform

_Value = TypeVar("_Value")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(cls: type[_Value]) -> type[_Value]:
    """A dataclass that is frozen and has slots."""
    return dataclass(frozen=True, slots=True)(cls)


def common_fields(value: object, kind: type[Any]) -> dict[str, Any]:
    """The fields of the dataclass `kind` that `value` has, too, with its values."""
    return {each.name: getattr(value, each.name) for each in fields(kind) if hasattr(value, each.name)}

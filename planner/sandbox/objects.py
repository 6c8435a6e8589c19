"""JSON objects, as they are sent and answered."""

from __future__ import annotations

from pydantic import JsonValue

Object = dict[str, JsonValue]

"""A world whose agents have a dialogue for any prompt."""

from __future__ import annotations

from pathlib import Path

ANY_PROMPT = Path(__file__).with_name("any_prompt.yaml")

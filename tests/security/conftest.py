"""Attacks run as a user meets them: a project in a temporary folder, and a served sandbox to call."""

from __future__ import annotations

from tests.commands.conftest import project, serve, service  # pyright: ignore[reportMissingImports]

__all__ = ["project", "serve", "service"]

"""Moments are in UTC. One that says no zone was written by somebody who meant that."""

from __future__ import annotations

from datetime import UTC, datetime


def aware(moment: datetime) -> datetime:
    """With a zone: its own, else UTC."""
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

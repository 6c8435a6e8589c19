"""Agents of the service: their files, what was recorded of them, and the previews that calls reach."""

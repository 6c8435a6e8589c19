"""A declarative test-plan runner for phone agents. The way through the rooms is drawn in CONTRIBUTING.md."""

__version__ = "0.1.0"

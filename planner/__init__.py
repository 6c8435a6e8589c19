"""A declarative test-plan runner for phone agents. docs/architecture.md describes the packages."""

__version__ = "0.1.0"

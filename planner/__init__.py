"""A declarative test-plan runner for phone agents. CONTRIBUTING.md lists the packages."""

__version__ = "0.1.0"

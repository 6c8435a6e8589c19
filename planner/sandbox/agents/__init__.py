"""The agent under test: what it hears, remembers and does by its script."""

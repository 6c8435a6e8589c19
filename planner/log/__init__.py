"""The log: one append-only list of facts. Calls, money, verdicts and reports are views of it."""

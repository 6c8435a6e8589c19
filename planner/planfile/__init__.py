"""Plan files, libraries and `planner.yaml`: from YAML text to plans and cases, with the place of every value."""

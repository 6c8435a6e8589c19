"""YAML text to values that know where they are written."""

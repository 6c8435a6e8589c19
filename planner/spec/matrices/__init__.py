"""Axes to the points that a scenario is called for: values, exclusions, combinations or pairs."""

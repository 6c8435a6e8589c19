"""Axes and their combinations: from a scenario to its cases."""

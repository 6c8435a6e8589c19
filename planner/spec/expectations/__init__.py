"""Expectations as written to expectations as judged: rendered for each case, validated, and free of contradictions."""

"""Judge runs, compare cases with their baseline, and compute the outcome and exit code of a session."""

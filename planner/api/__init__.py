"""Client of the Test Calls API. Knows nothing of plans or verdicts."""

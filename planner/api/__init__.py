"""The Test Calls API as this program needs it. Knows nothing of plans or verdicts."""

"""The Test Calls API of ThunderPhone: the only package that names its fields. Knows nothing of plans or verdicts."""

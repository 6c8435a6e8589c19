"""Templates of prompts and expectations: what language they have, what they may cost, where in the file their faults are."""

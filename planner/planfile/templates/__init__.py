"""Templates of prompts and expectations."""

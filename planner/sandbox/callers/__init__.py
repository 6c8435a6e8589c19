"""The test bot: what it understands of a scenario prompt, and how it speaks and listens."""

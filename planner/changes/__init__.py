"""What to do with each case and why, what it costs, and consent to it."""

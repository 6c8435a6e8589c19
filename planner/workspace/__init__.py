"""What a command works on: the selected plans, the policy that applies, and the opened store."""

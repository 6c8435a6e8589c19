"""What a command works on: the selected plans, the policy that applies, the opened store, and the folder of reports."""

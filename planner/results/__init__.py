"""What invocations found, and where that lives: the source of every report and the next baseline."""

"""What has to happen to each case and why, what it would cost, and whether somebody agreed to that."""

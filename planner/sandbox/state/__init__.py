"""What the service remembers, as events in a file, and what follows from them at a moment: statuses, money."""

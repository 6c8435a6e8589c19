"""An agent and a caller on one line: turns and their times, models as parties, recordings, the grade."""

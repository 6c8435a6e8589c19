"""World files: what they declare, how they are read, their dialogues, and the worlds that are built in."""

"""The one list of facts: what they say, the state that follows from them, and where they are kept."""

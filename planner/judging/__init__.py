"""The project's judge in a session: what it must still be asked, asking it, and how far it can be relied on."""

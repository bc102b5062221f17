"""A mailed patch: reading it, what it changes, and which property it breaks or mends."""

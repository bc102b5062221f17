"""Verdicts for readers: a terminal or a mail, and machines."""

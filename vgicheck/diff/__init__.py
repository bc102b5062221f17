"""Two C implementations held against each other: which functions mean something else now, and when."""

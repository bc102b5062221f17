"""What the figures in the notes are measured with."""

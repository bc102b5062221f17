"""From C source to a control-flow program, and on to summaries, atomic steps and native runs."""

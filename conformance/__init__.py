"""The evaluator of C held against gcc: random programs, run over numbers, as formulas, and compiled for 32 bits."""

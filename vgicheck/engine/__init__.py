"""Machinery that knows nothing of C or of the VGIC: values, maps, path conditions, solvers and verdicts."""

"""vgicheck: the machinery that proves or refutes properties of a model and of the C that it stands for."""

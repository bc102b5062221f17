"""For each generation of the kernel, which C lvalue is which field of the model."""

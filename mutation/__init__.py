"""Mutation: small faults put into the model and into the C of a patch, to see which obligation notices each."""

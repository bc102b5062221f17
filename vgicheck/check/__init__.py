"""Checking a C implementation of the VGIC, whole and unmodified: sources in, obligations out."""

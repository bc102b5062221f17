"""The VGIC as executable Python: a transition is a pure function from one frozen record to the next."""

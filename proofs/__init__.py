"""Which property is claimed of which transition, and how C is bound to the model: declarations, no machinery."""

"""The named properties: what the VGIC must keep, said once, of the model's records."""

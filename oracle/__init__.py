"""The hardware half held against an independent implementation: QEMU's GICv2 with its virtualization extension."""

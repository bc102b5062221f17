"""The hardware half as properties speak of it: its transitions by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .gich import Gich, GuestAccess, gich_status, guest_access
from .gicv import GicvAccess, gicv_access, gicv_status
from .lr import CodecInput, lr_codec
from .vmcr import VmcrInput, vmcr_codec

TRANSITIONS: dict[str, tuple[type, Callable[[Any], Any]]] = {
    "lr_codec": (CodecInput, lr_codec),
    "vmcr_codec": (VmcrInput, vmcr_codec),
    "gich_status": (Gich, gich_status),
    "gicv_status": (Gich, gicv_status),
    "guest_access": (GuestAccess, guest_access),
    "gicv_access": (GicvAccess, gicv_access),
}
"""The type of the state before, and what makes the state after of it."""

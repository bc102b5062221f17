"""Mutants that no property can notice, each with the reason."""

from __future__ import annotations

_OFFSET_ZERO = "GICH_HCR is offset 0: the address is the same"
_HANDLER = "vgic_maintenance_handler"

EQUIVALENT: dict[str, str] = {
    f"{_HANDLER}: dist->vctrl_base + GICH_HCR -> dist->vctrl_base - GICH_HCR": _OFFSET_ZERO,
    f"{_HANDLER}: (vgic_cpu->vgic_hcr, dist->vctrl_base + GICH_HCR) -> (vgic_cpu->vgic_hcr, dist->vctrl_base + 0)": (
        _OFFSET_ZERO
    ),
    f"{_HANDLER}: vgic_vctrl_base + GICH_HCR -> vgic_vctrl_base - GICH_HCR": _OFFSET_ZERO,
    f"{_HANDLER}: vgic_vctrl_base + GICH_HCR -> vgic_vctrl_base - GICH_HCR (2)": _OFFSET_ZERO,
    f"{_HANDLER}: (0, vgic_vctrl_base + GICH_HCR) -> (0, vgic_vctrl_base + 0)": _OFFSET_ZERO,
    f"{_HANDLER}: (vgic_cpu->vgic_hcr, vgic_vctrl_base + GICH_HCR) -> (vgic_cpu->vgic_hcr, vgic_vctrl_base + 0)": (
        _OFFSET_ZERO
    ),
}
"""The reason, by the key of the mutant."""

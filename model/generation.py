"""The choices on which versions of the VGIC differ, and the named sets of choices that are its generations.

A switch says in one sentence what the code does when it is on.  Every transition of the software half takes the
switches as an argument, so that
a generation is this record and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class Switches:
    """What a VGIC does; each switch that is on is a bug of the October 2012 code that is not there."""

    handler_quiesces: bool
    """The maintenance handler turns GICH_HCR off when the registers are not those of the loaded vCPU."""
    handler_reports_empty: bool
    """The handler marks an EOIed list register empty in the saved ELRSR, for the sync that follows."""
    lr_count_six_bits: bool
    """The number of list registers is read from all six bits of GICH_VTR.ListRegs, not five."""
    vcpu_id_checked: bool
    """A vCPU whose id has no bank is refused with -EBUSY."""
    vmcr_reset: bool
    """A new vCPU starts from the reset value of GICH_VMCR, not from whatever the hardware holds."""
    hyp_puts_node: bool
    """A probe that fails drops its reference on the device node."""
    hyp_forgets: bool
    """A probe that fails leaves no pointer to what it released."""
    hyp_hotplug: bool
    """CPUs that come online later have the maintenance interrupt enabled, by a CPU notifier."""
    init_needs_probe: bool
    """Creating a VGIC is refused with -ENODEV when the probe found none."""
    init_publishes_last: bool
    """Creating a VGIC marks the VM only after everything that can fail."""
    init_exists_first: bool
    """Creating a VGIC looks for an existing one before it looks at the device tree."""
    init_checks_gicv: bool
    """Only whole pages of GICV itself are given to the guest."""
    addresses_from_vmm: bool
    """The guest's addresses are those that the VMM has set, checked; not those of a Versatile Express."""
    targets_every_vcpu: bool
    """Default targets are written for vCPU 0 whether or not it exists already."""
    line_apart: bool
    """The input line of a level interrupt is kept apart from what is latched for it."""


OCTOBER_2012 = Switches(**{f.name: False for f in fields(Switches)})
REFERENCE = Switches(**{f.name: True for f in fields(Switches)})

GENERATIONS: dict[str, Switches] = {"reference": REFERENCE, "2012-10": OCTOBER_2012}
"""`reference` is the one for which every property is proved; `2012-10` is the mailed patch."""

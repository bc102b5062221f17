"""Every property by its id, with the sentence that says what must hold."""

from __future__ import annotations

from .cpu_interface import CPU_INTERFACE
from .handler import HANDLER
from .hardware import HARDWARE
from .init import INIT
from .init_errors import INIT_ERRORS
from .machine import INVARIANTS, STEP_PROPERTIES, Invariant, StepProperty
from .mmio import MMIO
from .set_addr import SET_ADDR
from .vmcr import VMCR

CODE = {
    "in-bounds": "every access is inside its object, for every value that guest, hardware and VMM can produce",
    "no-undefined": "no shift out of range, division that overflows, uninitialised value or null dereference",
    "bug-on-unreachable": "no BUG_ON can fire, whatever the guest does",
    "locks-balanced": "every path returns with the locks that it found",
    "lock-irq-safe": "no lock is taken in interrupt context that the interrupted CPU may hold",
    "representation-kept": "what is assumed of the kernel's state before a function holds after it",
    "refines-model": "the function does to the kernel's state what its model does to the model's",
}
"""Properties of C, which speak of no state of the model."""

OF_FUNCTIONS = {
    "elrsr-in-step": "a list register that is filled is not reported empty in the saved ELRSR, which may be that of an "
    "earlier run",
    "lr-state-legal": "no list register is written that is active and pending and names an interrupt of the hardware "
    "or a level interrupt",
}
"""Properties of single functions of C that no transition of the model has."""

LIVENESS = {
    "eventually-delivered": "a level interrupt that stays high, enabled and targeted is delivered, if no step is put "
    "off for ever",
}
"""Properties of whole runs."""

MACHINE: tuple[Invariant | StepProperty, ...] = (*reversed(INVARIANTS), *STEP_PROPERTIES)
"""Where two invariants share an id, the first gives the sentence."""

_OF_THE_MODEL = (*HANDLER, *INIT, *INIT_ERRORS, *SET_ADDR, *MMIO, *HARDWARE, *VMCR, *CPU_INTERFACE, *MACHINE)
SENTENCES: dict[str, str] = {**{p.id: p.sentence for p in _OF_THE_MODEL}, **LIVENESS, **CODE, **OF_FUNCTIONS}

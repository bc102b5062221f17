"""The machine as it starts: the VM's VGIC and its vCPUs were just created, and no thread runs yet."""

from __future__ import annotations

from typing import Any

from vgicheck.engine.maps import Map
from vgicheck.engine.values import and_, le, lt

from .distributor import LR_EMPTY, NR_PRIVATE_IRQS
from .generation import Switches
from .gich import Hcr, Misr
from .handler import HCR_OFF
from .lr import EMPTY
from .machine import Cpus, Exit, Ghost, Irq, Machine, Phase, Shadows, Threads
from .vm import Vm, is_sgi

CREATED = Hcr(True, False, False, False, False, False, False, False, eoicount=0)
"""GICH_HCR of a new vCPU: `kvm_vgic_vcpu_init` turns the interface on."""
NO_STATUS = Misr(False, False, False, False, False, False, False, False)


def initial(nr_lr: int, nr_vcpus: int, switches: Switches) -> Machine:
    """Return what `kvm_vgic_init` and `kvm_vgic_vcpu_init` leave: SGIs enabled, private interrupts edge-triggered,
    every shared one targeted at vCPU 0, nothing mapped.

    The saved ELRSR is zero: the first flush finds no empty list register.
    """
    no: Map[bool] = Map.constant(False)

    def zero(width: int, value: int = 0) -> Map[Any]:
        return Map.constant(value, width=width)

    first = Map(lambda key: and_(bool(switches.targets_every_vcpu), key[0] == 0, le(NR_PRIVATE_IRQS, key[1])))
    return Machine(
        nr_lr=nr_lr,
        nr_vcpus=nr_vcpus,
        locked=False,
        holder=0,
        vm=Vm(
            enabled=False,
            irq_enabled=Map(lambda key: and_(lt(key[0], nr_vcpus), is_sgi(key[1]))),
            irq_cfg=Map(lambda key: and_(lt(key[0], nr_vcpus), lt(key[1], NR_PRIVATE_IRQS))),
            irq_line=no,
            irq_state=no,
            irq_active=no,
            irq_priority=zero(8),
            irq_spi_cpu=zero(3),
            irq_spi_target=first,
            sgi_sources=no,
            pending_on_cpu=no,
        ),
        thread=Threads(
            phase=zero(3, Phase.HOST),
            why=zero(2, Exit.IRQ),
            loaded=no,
            cpu=zero(3),
            cursor=zero(13),
            overflow=no,
            kick=no,
            request=no,
            half=no,
            saw=no,
            word=no,
        ),
        shadow=Shadows(
            lr=Map.constant(EMPTY),
            hcr=Map.constant(CREATED),
            misr=Map.constant(NO_STATUS),
            eisr=no,
            elrsr=no,
            lr_used=no,
            lr_map=zero(8, LR_EMPTY),
            cached=no,
        ),
        cpu=Cpus(
            lr=Map.constant(EMPTY),
            hcr=Map.constant(HCR_OFF),
            busy=no,
            running=zero(3),
            live=no,
            irq=zero(2, Irq.NONE),
            irq_lr=zero(7),
            irq_saw=no,
        ),
        ghost=Ghost(owed=no, sgi_owed=no, owned=no, owner=zero(3), missed=zero(13)),
    )

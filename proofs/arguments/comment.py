"""The comment in vgic_maintenance_handler of October 2012 that says why it takes no lock, sentence by sentence."""

from __future__ import annotations

from typing import Any

from model.generation import Switches
from model.machine import Machine, Phase, in_phase
from model.vm import bank_of
from vgicheck.engine.domain import Domain
from vgicheck.engine.values import and_, implies, not_, same

from ..argument import Argument
from ..premise import Premise
from .premises import HANDLER_IN_TIME

WHERE = "arch/arm/kvm/vgic.c, vgic_maintenance_handler, comment"
HANDLER, FLUSH = "vgic_maintenance_handler", "__kvm_vgic_sync_to_cpu"
ONE = "a level interrupt, one vCPU"
MOVES = "a level interrupt that moves once, two vCPUs"


def _not_past_the_flush(old: Machine, new: Machine, domain: Domain, switches: Switches, cpu: int, **_: Any) -> bool:
    return not_(in_phase(old, old.cpu.running[cpu], Phase.FLUSH, Phase.FLUSHED))


def _only_active(old: Machine, new: Machine, domain: Domain, switches: Switches, cpu: int, **more: Any) -> bool:
    vcpu = old.cpu.running[cpu]
    kept = same(old.shadow.hcr[vcpu], new.shadow.hcr[vcpu])
    if "l" in more:
        kept = and_(kept, same(old.shadow.lr[vcpu, more["l"]], new.shadow.lr[vcpu, more["l"]]))
    return kept


def _still_pending(old: Machine, new: Machine, domain: Domain, switches: Switches, cpu: int, l: int, **_: Any) -> bool:
    vcpu = old.cpu.running[cpu]
    key = bank_of(vcpu, old.shadow.lr[vcpu, l].virtual_id)
    return implies(and_(old.vm.irq_line[key], not_(old.vm.irq_cfg[key])), new.vm.irq_state[key])


COMMENT: tuple[Argument, ...] = (
    Argument(
        id="comment-same-vcpu",
        words="The queuing is occurring on the same vcpu: cannot happen, as we are already in the context of this vcpu",
        where=WHERE,
        between=(HANDLER, FLUSH),
        premise=Premise(
            "handler-before-flush",
            "the handler clears no active bit between a flush of its own vCPU and the entry after it",
            ("irq_lr",),
            _not_past_the_flush,
        ),
        conclusion="level-not-lost",
        generation="2012-10",
        instances=(ONE,),
        delivers=True,
    ),
    Argument(
        id="comment-migrated",
        words="The interrupt has been migrated to another vcpu: it is still pending, and will get considered when this "
        "vcpu exits",
        where=WHERE,
        between=(HANDLER, FLUSH),
        premise=Premise(
            "still-pending",
            "an interrupt whose active bit the handler clears is still pending if its line is high",
            ("irq_lr",),
            _still_pending,
        ),
        conclusion="level-not-lost",
        generation="2012-10",
        instances=(MOVES,),
        granted=(HANDLER_IN_TIME,),
    ),
    Argument(
        id="comment-only-active",
        words="The only action we perform is clearing the irq_active bit for an EOIed level interrupt",
        where=WHERE,
        between=(HANDLER, FLUSH),
        premise=Premise(
            "only-active",
            "the handler changes neither a list register nor GICH_HCR of its vCPU",
            ("irq_lr", "irq_exit"),
            _only_active,
        ),
        conclusion="active-iff-in-service",
        generation="2012-10",
        instances=(ONE,),
    ),
    Argument(
        id="handler-in-time",
        words="The maintenance interrupt is taken where interrupts are turned on after the exit, before anything else",
        where="arch/arm/kvm/arm.c, kvm_arch_vcpu_ioctl_run, as the comment needs it",
        between=(HANDLER, "kvm_vgic_sync_from_cpu"),
        premise=HANDLER_IN_TIME,
        conclusion="level-not-lost",
        generation="2012-10",
        instances=(ONE,),
        delivers=True,
    ),
)
"""Each half of the comment alone, its first sentence, and what both halves rest on."""

"""The whole machine: a VM's distributor, the vCPU threads and their shadow registers, and the physical CPUs.

A vCPU's list registers exist twice: the shadow in `struct vgic_cpu`, and the registers of the physical CPU on which it
was entered last.  What the last exit saved of MISR, EISR and ELRSR is kept apart from what the registers would say
now.  Most of the VGIC's bugs live in these differences.

Left out: priorities (which of several pending interrupts the guest acknowledges is any of them), GICH_VMCR and
GICH_APR, and memory ordering: steps happen one after the other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Annotated, Any, TypeVar

from vgicheck.engine.maps import Map, MapOf
from vgicheck.engine.values import Width, and_, concat, field_of, ite, lt, or_, same

from .gich import Gich, Hcr, Misr
from .lr import ListRegister
from .vm import PerIrq, Vcpu, Vm, is_sgi
from .vmcr import RESET as VMCR_RESET

R = TypeVar("R")
PerVcpu = Annotated[Map[bool], MapOf((3,), bool)]
PerLr = Annotated[Map[bool], MapOf((3, 6), bool)]
Registers = Annotated[Map[ListRegister], MapOf((3, 6), ListRegister)]
Lr = Annotated[int, Width(6)]
Rank = Annotated[int, Width(13)]
"""Where an interrupt stands in the order of the flush: INTID, then the source of an SGI."""
VMCR = replace(VMCR_RESET, grp0_en=True)
"""GICH_VMCR of every vCPU: group 0 is enabled and group 1 is not."""
LAST_RANK = 0x1FFF
"""Beyond every interrupt: INTIDs end at 1019."""


class Phase(IntEnum):
    """Where a vCPU's thread is in the run loop, `kvm_arch_vcpu_ioctl_run`."""

    HOST = 0
    """At the top of the loop; also in user space."""
    FLUSH = 1
    """In `__kvm_vgic_sync_to_cpu`, which holds the distributor's lock."""
    FLUSHED = 2
    """After it, before interrupts are turned off for the entry."""
    GUEST = 3
    """In the guest."""
    EXITED = 4
    """Out of the guest or turned back before it, interrupts on again."""
    SYNC = 5
    """In `__kvm_vgic_sync_from_cpu`."""
    SYNCED = 6
    """About to handle the exit."""
    BLOCKED = 7
    """In `kvm_vcpu_block`, waiting for a kick."""


class Exit(IntEnum):
    """Why the guest was left."""

    IRQ = 0
    WFI = 1
    MMIO = 2


class Irq(IntEnum):
    """Where a physical CPU is in the maintenance interrupt."""

    NONE = 0
    SPIN = 1
    """Waiting for the distributor's lock."""
    RUN = 2
    REARM = 3
    """Having read the line of an interrupt that it let go of, and not yet written what follows from it."""


@dataclass(frozen=True, slots=True)
class Threads:
    """The vCPU threads, by vCPU.

    phase     a `Phase`
    why       the `Exit` that is to be handled
    loaded    between vcpu_load and vcpu_put, on the physical CPU `cpu`
    cursor    how far the flush (a `Rank`) or the sync (a list register) has come
    overflow  the last flush had something that did not fit
    kick      a kick is under way: an IPI, or a wake-up
    request   an interrupt came after the last flush; the code of 2012 has nothing of the kind
    half      what takes two accesses is half done: `sync_rearm`, `sync_store` or `doze` is to come
    saw       the line that the first half read
    word      `irq_pending_on_cpu` as the first half is to write it back: key (thread's vCPU, bit)
    """

    phase: Annotated[Map[int], MapOf((3,), Annotated[int, Width(3)])]
    why: Annotated[Map[int], MapOf((3,), Annotated[int, Width(2)])]
    loaded: PerVcpu
    cpu: Annotated[Map[int], MapOf((3,), Vcpu)]
    cursor: Annotated[Map[int], MapOf((3,), Rank)]
    overflow: PerVcpu
    kick: PerVcpu
    request: PerVcpu
    half: PerVcpu
    saw: PerVcpu
    word: Annotated[Map[bool], MapOf((3, 3), bool)]


@dataclass(frozen=True, slots=True)
class Shadows:
    """`struct vgic_cpu` of every vCPU: key (vCPU, list register) or (vCPU, INTID).

    lr, hcr            restored at entry, saved at exit
    misr, eisr, elrsr  saved at exit
    lr_used            we put something into this list register
    lr_map             `vgic_irq_lr_map`, here with the source of an SGI: key (vCPU, INTID, source); LR_EMPTY for none
    cached             `pending[]`: what the flush of 2012 looks at
    """

    lr: Registers
    hcr: Annotated[Map[Hcr], MapOf((3,), Hcr)]
    misr: Annotated[Map[Misr], MapOf((3,), Misr)]
    eisr: PerLr
    elrsr: PerLr
    lr_used: PerLr
    lr_map: Annotated[Map[int], MapOf((3, 10, 3), Annotated[int, Width(8)])]
    cached: PerIrq


@dataclass(frozen=True, slots=True)
class Cpus:
    """The physical CPUs, by CPU.

    lr, hcr  the registers of its GICH
    busy     a vCPU is loaded: `running`, the per-CPU pointer that the handler looks at
    live     the registers were written for that vCPU since it was loaded
    irq      an `Irq`; while it is not NONE the thread on this CPU makes no step
    irq_lr   how far the handler's loop has come
    irq_saw  the line that the handler read, in `Irq.REARM`
    """

    lr: Registers
    hcr: Annotated[Map[Hcr], MapOf((3,), Hcr)]
    busy: PerVcpu
    running: Annotated[Map[int], MapOf((3,), Vcpu)]
    live: PerVcpu
    irq: Annotated[Map[int], MapOf((3,), Annotated[int, Width(2)])]
    irq_lr: Annotated[Map[int], MapOf((3,), Annotated[int, Width(7)])]
    irq_saw: PerVcpu


@dataclass(frozen=True, slots=True)
class Ghost:
    """What happened, for properties to speak of; no step depends on it.

    owed      an edge, or a write of GICD_ISPENDR, that was not made pending in a list register yet
    sgi_owed  the same of an SGI: key (target, SGI, source)
    owned     an interrupt with its active bit set was put into the list registers of vCPU `owner`
    missed    the rank of the last interrupt that did not fit in the flush of a vCPU
    """

    owed: PerIrq
    sgi_owed: Annotated[Map[bool], MapOf((3, 4, 3), bool)]
    owned: PerIrq
    owner: Annotated[Map[int], MapOf((3, 10), Vcpu)]
    missed: Annotated[Map[int], MapOf((3,), Rank)]


@dataclass(frozen=True, slots=True)
class Machine:
    """One VM on some physical CPUs.

    `nr_lr` (1..64) is that of every CPU, `nr_vcpus` (1..8) how many vCPUs there are.  `holder` of the distributor's
    lock: a vCPU's thread, or with bit 3 set the handler on a physical CPU.
    """

    nr_lr: Annotated[int, Width(7)]
    nr_vcpus: Annotated[int, Width(4)]
    locked: bool
    holder: Annotated[int, Width(4)]
    vm: Vm
    thread: Threads
    shadow: Shadows
    cpu: Cpus
    ghost: Ghost


def put(maps: R, key: Any, when: bool = True, **values: Any) -> R:
    """Return a record of maps with the named ones written at one key, where `when` holds."""
    written = {name: getattr(maps, name).set(key, value, when) for name, value in values.items()}
    return replace(maps, **written)  # type: ignore[type-var]


def thread(s: Machine, vcpu: int, when: bool = True, **values: Any) -> Machine:
    """Return the machine with fields of one vCPU's thread written."""
    return replace(s, thread=put(s.thread, vcpu, when, **values))


def rank(intid: int, source: int) -> int:
    """Return an interrupt's place in the order of the flush."""
    return concat((intid, 10), (source, 3))


def lr_key(vcpu: int, intid: int, source: int, by_source: bool) -> tuple[int, int, int]:
    """Return the key of `lr_map`, which in 2012 did not know the sources of an SGI apart."""
    return vcpu, intid, ite(is_sgi(intid), source, 0, width=3) if by_source else 0


def runs(s: Machine, vcpu: int) -> bool:
    """The thread can make a step: it is loaded on a CPU, and not interrupted there."""
    return and_(exists(s, vcpu), s.thread.loaded[vcpu], s.cpu.irq[s.thread.cpu[vcpu]] == Irq.NONE)


def exists(s: Machine, vcpu: int) -> bool:
    """There is a vCPU of this number."""
    return lt(vcpu, s.nr_vcpus)


def in_phase(s: Machine, vcpu: int, *phases: Phase) -> bool:
    """The thread is in one of these phases."""
    return or_(*(s.thread.phase[vcpu] == p for p in phases))


def locked_by(s: Machine, vcpu: int) -> bool:
    """The thread of a vCPU holds the distributor's lock."""
    return and_(s.locked, same(s.holder, concat((0, 1), (vcpu, 3))))


def lock(s: Machine, vcpu: int) -> Machine:
    """The thread of a vCPU takes the distributor's lock, which is free."""
    return replace(s, locked=True, holder=concat((0, 1), (vcpu, 3)))


def unlock(s: Machine) -> Machine:
    """The holder lets the lock go."""
    return replace(s, locked=False)


def registers(s: Machine, cpu: int) -> Gich:
    """Return the GICH of a physical CPU, as far as the machine has it."""
    return Gich(
        nr_lr=s.nr_lr,
        lr=Map(lambda key: s.cpu.lr[cpu, key[0]]),
        hcr=s.cpu.hcr[cpu],
        vmcr=VMCR,
        apr=0,
    )


def passed(cursor: int) -> Lr:
    """Return the list register that a loop's cursor, which stands behind it, has passed last."""
    return field_of(cursor - 1, 5, 0)


def current_lr(s: Machine, vcpu: int, l: int) -> ListRegister:
    """Return what a list register of a vCPU holds: in the guest the register, else the shadow."""
    in_guest = in_phase(s, vcpu, Phase.GUEST)
    return ite(in_guest, s.cpu.lr[s.thread.cpu[vcpu], l], s.shadow.lr[vcpu, l])

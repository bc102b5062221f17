"""What is played on both sides: an access to a register, the machine that the model makes of it, and what one can see.

The machine is the model's interface with 4 list registers, and beside it the active bits of the physical private
interrupts, of which interrupt 25 is the maintenance interrupt.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import cast

from model import gicv, vmcr
from model.gich import (
    Gich,
    decode_hcr,
    eisr,
    elrsr,
    encode_hcr,
    encode_misr,
    hypervisor_write,
    maintenance_line,
    misr,
    vtr,
)
from model.lr import EMPTY, decode, encode
from model.vmcr import Vmcr, encode_vmcr
from vgicheck.engine.maps import Map

from . import quirks as qemu
from .quirks import Quirks

NR_LR = 4
MAINTENANCE = 25
GICD, GICH, GICV = 0x0800_0000, 0x0803_0000, 0x0804_0000
PRIVATE = 0xFFFF_0000
"""The active bits that a program may set: those of private peripheral interrupts, 16 to 31."""
RESERVED = 0x0007_E000
"""Bits 18:13 of a list register, which are reserved where HW is clear."""

ADDRESS: dict[str, int] = {
    "GICD_ISACTIVER0": GICD + 0x300,
    "GICD_ICACTIVER0": GICD + 0x380,
    "GICH_HCR": GICH,
    "GICH_VMCR": GICH + 0x08,
    "GICH_APR": GICH + 0xF0,
    **{f"GICH_LR{n}": GICH + 0x100 + 4 * n for n in range(NR_LR)},
    "GICV_CTLR": GICV,
    "GICV_PMR": GICV + 0x04,
    "GICV_BPR": GICV + 0x08,
    "GICV_IAR": GICV + 0x0C,
    "GICV_EOIR": GICV + 0x10,
    "GICV_ABPR": GICV + 0x1C,
    "GICV_AIAR": GICV + 0x20,
    "GICV_AEOIR": GICV + 0x24,
    "GICV_APR0": GICV + 0xD0,
    "GICV_DIR": GICV + 0x1000,
}
READ = ("GICV_IAR", "GICV_AIAR")


@dataclass(frozen=True, slots=True)
class Operation:
    """An access to a register: a read of one of `READ`, else a write of `word`."""

    register: str
    word: int = 0

    def __str__(self) -> str:
        return self.register if self.register in READ else f"{self.register} = {self.word:#010x}"


Program = tuple[Operation, ...]


@dataclass(frozen=True, slots=True)
class Machine:
    """The model's side: the interface, physical active bits, and what reserved bits of list registers would hold."""

    gich: Gich
    active: int
    reserved: tuple[int, ...]


RESET = Machine(
    Gich(
        nr_lr=NR_LR,
        lr=Map.of(dict.fromkeys(range(NR_LR), EMPTY), EMPTY),
        hcr=decode_hcr(0),
        vmcr=vmcr.RESET,
        apr=0,
    ),
    active=0,
    reserved=(0,) * NR_LR,
)


@dataclass(frozen=True, slots=True)
class Seen:
    """All that can be read after an operation, and the three lines. `value` is what the operation itself read."""

    value: int
    lr: tuple[int, ...]
    hcr: int
    vtr: int
    vmcr: int
    misr: int
    eisr: int
    elrsr: int
    apr: int
    ctlr: int
    pmr: int
    bpr: int
    abpr: int
    rpr: int
    hppir: int
    ahppir: int
    active: int
    virq: bool
    vfiq: bool
    maintenance: bool


def step(machine: Machine, op: Operation, quirks: Quirks) -> tuple[Machine, int]:
    """Play one operation on the model; return what it read as well."""
    if op.register in _ACCESSES:
        outcome = _ACCESSES[op.register](machine.gich, op.word, quirks)
        gone = 1 << outcome.physical_id if outcome.deactivates else 0
        return replace(machine, gich=outcome.gich, active=machine.active & ~gone), outcome.value
    if op.register.startswith("GICH_LR"):
        n = int(op.register.removeprefix("GICH_LR"))
        reserved = (*machine.reserved[:n], op.word & RESERVED, *machine.reserved[n + 1 :])
        return replace(machine, gich=hypervisor_write(machine.gich, n, decode(op.word)), reserved=reserved), 0
    if op.register == "GICD_ISACTIVER0":
        return replace(machine, active=machine.active | op.word & PRIVATE), 0
    if op.register == "GICD_ICACTIVER0":
        return replace(machine, active=machine.active & ~op.word), 0
    return replace(machine, gich=_written(machine.gich, op, quirks)), 0


_Access = Callable[[Gich, int, Quirks], gicv.Outcome]
_ACCESSES: dict[str, _Access] = {
    "GICV_IAR": lambda gich, word, quirks: qemu.read_iar(gich, quirks),
    "GICV_AIAR": lambda gich, word, quirks: qemu.read_aiar(gich, quirks),
    "GICV_EOIR": qemu.write_eoir,
    "GICV_AEOIR": qemu.write_aeoir,
    "GICV_DIR": qemu.write_dir,
}


def _written(gich: Gich, op: Operation, quirks: Quirks) -> Gich:
    word = op.word
    if op.register == "GICH_HCR":
        return replace(gich, hcr=decode_hcr(word))
    if op.register in ("GICH_APR", "GICV_APR0"):
        return replace(gich, apr=word)
    return replace(gich, vmcr=_control(gich.vmcr, op.register, word, quirks))


def _control(old: Vmcr, register: str, word: int, quirks: Quirks) -> Vmcr:
    if register == "GICH_VMCR":
        return vmcr.write_vmcr(word)
    if register == "GICV_CTLR":
        return vmcr.write_ctlr(old, word)
    if register == "GICV_PMR":
        return vmcr.write_pmr(old, word)
    if register == "GICV_BPR":
        return vmcr.write_bpr(old, word)
    assert register == "GICV_ABPR"
    if quirks.abpr_min1 and 1 <= word & 7 < vmcr.MIN_ABP:
        return replace(old, abp=word & 7)
    if quirks.abpr_min1 and word & 7 == 0:
        return replace(old, abp=1)
    return vmcr.write_abpr(old, word)


def seen(machine: Machine, value: int, quirks: Quirks) -> Seen:
    """Read everything back from the model."""
    gich = machine.gich
    lines = qemu.lines(gich, quirks)
    return Seen(
        value=value,
        lr=tuple(_word(machine, n, quirks) for n in range(NR_LR)),
        hcr=encode_hcr(gich.hcr),
        vtr=vtr(gich),
        vmcr=encode_vmcr(gich.vmcr),
        misr=encode_misr(misr(gich)),
        eisr=sum(eisr(gich, n) << n for n in range(NR_LR)),
        elrsr=sum(elrsr(gich, n) << n for n in range(NR_LR)),
        apr=gich.apr,
        ctlr=vmcr.read_ctlr(gich.vmcr),
        pmr=vmcr.read_pmr(gich.vmcr),
        bpr=gich.vmcr.bp,
        abpr=gich.vmcr.abp,
        rpr=gicv.running_priority(gich),
        hppir=qemu.read_hppir(gich, quirks),
        ahppir=qemu.read_ahppir(gich, quirks),
        active=machine.active,
        virq=lines.virq,
        vfiq=lines.vfiq,
        maintenance=maintenance_line(gich),
    )


def _word(machine: Machine, n: int, quirks: Quirks) -> int:
    lr = machine.gich.lr[n]
    return encode(lr) | (machine.reserved[n] if quirks.lr_keeps_reserved and not lr.hw else 0)


def differing(a: Seen, b: Seen) -> tuple[str, ...]:
    """Name the fields in which two observations differ."""
    return tuple(f.name for f in fields(Seen) if cast(object, getattr(a, f.name)) != getattr(b, f.name))

"""Random programs: wild ones do anything at all, legal ones what a correct hypervisor and a correct guest do.

A legal program has unique ids, ends what it acknowledged, last first, and enables one group, or two that share a binary
point and are both acknowledged through GICV_IAR.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from random import Random

from model.gich import FIRST_SPECIAL_INTID, eisr, elrsr, encode_hcr
from model.lr import EMPTY, ListRegister, LRState, encode
from model.vmcr import RESET as VMCR_RESET
from model.vmcr import encode_vmcr

from .machine import MAINTENANCE, NR_LR, RESERVED, RESET, Machine, Operation, Program, step
from .quirks import ARCHITECTURE

IDS = (0, 1, 3, 15, 16, 27, 32, 34, 287, 1019)
SPECIAL = (1020, 1021, 1022, 1023)
WEIGHTS = {
    **{f"GICH_LR{n}": 8 for n in range(NR_LR)},
    "GICV_IAR": 24,
    "GICV_EOIR": 16,
    "GICV_DIR": 6,
    "GICH_HCR": 6,
    "GICH_VMCR": 5,
    "GICH_APR": 4,
    "GICV_CTLR": 5,
    "GICV_PMR": 4,
    "GICV_BPR": 3,
    "GICV_ABPR": 3,
    "GICV_APR0": 1,
    "GICV_AIAR": 2,
    "GICV_AEOIR": 2,
    "GICD_ISACTIVER0": 5,
    "GICD_ICACTIVER0": 1,
}


def wild(random: Random, length: int) -> Program:
    """Return a program of any accesses, with words that are often interesting."""
    registers = random.choices(list(WEIGHTS), list(WEIGHTS.values()), k=length)
    return tuple(Operation(register, wild_word(random, register)) for register in registers)


def wild_word(random: Random, register: str) -> int:
    """Return a word to write to a register: one in eight is any word at all."""
    word = random.getrandbits(32)
    if register in ("GICV_IAR", "GICV_AIAR"):
        return 0
    if random.random() < 1 / 8:
        return word
    if register.startswith("GICH_LR"):
        return _list_register(random, word)
    if register in ("GICV_EOIR", "GICV_AEOIR", "GICV_DIR"):
        return word & 0x1C00 | _id(random)
    if register == "GICH_HCR":
        return word & 0xF800_00FF | (random.random() < 0.9)
    if register == "GICH_VMCR":
        return word | (0xF000_0007 if random.random() < 0.6 else 0)
    if register == "GICV_CTLR":
        return word | (0x7 if random.random() < 0.5 else 0)
    if register == "GICV_PMR":
        return word | (0xC0 if random.random() < 0.7 else 0)
    if register in ("GICH_APR", "GICV_APR0"):
        return random.choice((0, 1 << random.randrange(32), word))
    return word


def _list_register(random: Random, word: int) -> int:
    """Return a word with an interesting id and state; with HW mostly a private physical interrupt stands behind it."""
    states = (LRState.PENDING, LRState.PENDING, LRState.ACTIVE, LRState.PENDING_ACTIVE, LRState.INVALID)
    word = word & 0xCFFF_FC00 | random.choice(states) << 28 | _id(random)
    if word >> 31:
        return word & ~0xF_FC00 | random.randrange(16, 32) << 10 if random.random() < 0.8 else word
    return word & ~RESERVED if random.random() < 0.9 else word


def _id(random: Random) -> int:
    return random.choice(SPECIAL if random.random() < 1 / 16 else IDS)


@dataclass(slots=True)
class Legal:
    """A correct hypervisor and guest at work on a machine, whose state they look at as they could in reality."""

    random: Random
    program: list[Operation] = field(default_factory=list)
    machine: Machine = RESET
    running: list[int] = field(default_factory=list)
    """What the guest acknowledged, as GICV_IAR named it, and has still to end; the last one first."""
    dropped: list[int] = field(default_factory=list)
    """What it ended in GICV_EOIR and has still to deactivate in GICV_DIR."""
    groups: tuple[bool, ...] = ()

    def do(self, register: str, word: int = 0) -> int:
        """Append an operation, and return what it reads."""
        op = Operation(register, word)
        self.program.append(op)
        self.machine, value = step(self.machine, op, ARCHITECTURE)
        return value

    def set_up(self) -> None:
        """Turn the interface on: one group, or both with one binary point and one register to read."""
        random = self.random
        self.groups = random.choice(((False,), (True,), (False, True)))
        vmcr = replace(
            VMCR_RESET,
            grp0_en=False in self.groups,
            grp1_en=True in self.groups,
            ack_ctl=True in self.groups,
            cbpr=len(self.groups) == 2 or random.random() < 0.5,
            fiq_en=random.random() < 0.5,
            eoi_mode=random.random() < 0.5,
            pri_mask=random.choice((31, 30, 16)),
            bp=random.choice((2, 3, 5, 7)),
            abp=random.choice((3, 4, 6, 7)),
        )
        self.do("GICH_VMCR", encode_vmcr(vmcr))
        self.do("GICH_HCR", random.getrandbits(8) | 1)

    def act(self) -> None:
        """Do one thing that is allowed now."""
        self.random.choice(
            (
                *(self.inject, self.inject, self.inject, self.acknowledge, self.acknowledge, self.acknowledge),
                *(self.finish, self.finish, self.deactivate, self.deactivate),
                *(self.retire, self.repend, self.evict, self.control),
            )
        )()

    def inject(self) -> None:
        """The hypervisor fills an empty list register."""
        random, gich = self.random, self.machine.gich
        empty = [n for n in range(NR_LR) if elrsr(gich, n)]
        if not empty:
            return
        lrs = [gich.lr[n] for n in range(NR_LR) if n not in empty]
        taken = {lr.virtual_id for lr in lrs} | {word & 0x3FF for word in self.running + self.dropped}
        virtual_id = random.choice([i for i in (*range(36), 287, 288, 1019) if i not in taken])
        physical = sorted(set(range(16, 32)) - {MAINTENANCE} - {lr.physical_id for lr in lrs if lr.hw})
        hw = virtual_id >= 16 and random.random() < 0.4
        lr = ListRegister(
            state=LRState.PENDING,
            virtual_id=virtual_id,
            cpuid=random.randrange(8) if virtual_id < 16 else 0,
            eoi=not hw and random.random() < 0.5,
            priority=random.randrange(32),
            group1=random.choice(self.groups),
            hw=hw,
            physical_id=random.choice(physical) if hw else 0,
        )
        if hw:
            self.do("GICD_ISACTIVER0", 1 << lr.physical_id)
        self.do(f"GICH_LR{random.choice(empty)}", encode(lr))

    def acknowledge(self) -> None:
        """The guest takes an interrupt."""
        value = self.do("GICV_IAR")
        if value < FIRST_SPECIAL_INTID or value & 0x3FF < 16:
            self.running.append(value)

    def finish(self) -> None:
        """The guest ends what it took last."""
        if self.running:
            value = self.running.pop()
            self.do("GICV_EOIR", value)
            if self.machine.gich.vmcr.eoi_mode:
                self.dropped.append(value)

    def deactivate(self) -> None:
        """The guest deactivates something whose priority it dropped."""
        if self.dropped:
            self.do("GICV_DIR", self.dropped.pop(self.random.randrange(len(self.dropped))))

    def retire(self) -> None:
        """The hypervisor empties a list register whose end it asked to hear of."""
        for n in range(NR_LR):
            if eisr(self.machine.gich, n):
                self.do(f"GICH_LR{n}", encode(replace(self.machine.gich.lr[n], eoi=False)))
                return

    def repend(self) -> None:
        """The hypervisor makes an interrupt that is in service pending again."""
        for n in range(NR_LR):
            lr = self.machine.gich.lr[n]
            if lr.state == LRState.ACTIVE and not lr.hw:
                self.do(f"GICH_LR{n}", encode(replace(lr, state=LRState.PENDING_ACTIVE)))
                return

    def evict(self) -> None:
        """The hypervisor takes an interrupt in service out of its list register; EOICount will tell of its end."""
        for n in range(NR_LR):
            lr = self.machine.gich.lr[n]
            if lr.state == LRState.ACTIVE and not lr.hw:
                self.do(f"GICH_LR{n}", encode(EMPTY))
                return

    def control(self) -> None:
        """Mask, binary points and enables change; binary points while no priority is active."""
        random, gich = self.random, self.machine.gich
        choice = random.randrange(5)
        if choice == 0:
            self.do("GICV_PMR", random.choice((0xF8, 0xF0, 0x80)))
        elif choice == 1 and gich.apr == 0:
            self.do("GICV_BPR", random.randrange(2, 8))
        elif choice == 2 and gich.apr == 0:
            self.do("GICV_ABPR", random.randrange(3, 8))
        elif choice == 3:
            count = gich.hcr.eoicount if random.random() < 0.5 else 0
            self.do("GICH_HCR", encode_hcr(replace(gich.hcr, eoicount=count)) & ~0xFE | random.getrandbits(8) | 1)
        elif choice == 4:
            self.do("GICH_APR", gich.apr)


def legal(random: Random, length: int) -> Program:
    """Return a program of a correct hypervisor and a correct guest, of at least `length` operations."""
    both = Legal(random)
    both.set_up()
    while len(both.program) < length:
        both.act()
    return tuple(both.program)

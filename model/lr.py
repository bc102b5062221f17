"""The list registers of the GICv2 virtual interface: GICH_LRn as a record, and the codec to and from its 32 bits.

A list register (LR) is the slot through which the hypervisor shows one interrupt to the guest:

    31   30    29:28  27:23     22:20  19:10                                            9:0
    HW   Grp1  State  Priority  0      HW=1: PhysicalID; HW=0: 19 EOI, 18:13 0, 12:10 CPUID  VirtualID

Left out: that the architecture forbids some combinations of legal fields (pending and active with HW=1, a CPUID for
an interrupt that is no SGI, the virtual ids 1020..1023). They are words that the register can hold, so they decode.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated

from vgicheck.engine.values import Width, and_, bit, concat, field_of, flag, ite, not_, or_


class LRState(IntEnum):
    """GICH_LR.State, bits 29:28."""

    INVALID = 0
    PENDING = 1
    ACTIVE = 2
    PENDING_ACTIVE = 3


@dataclass(frozen=True, slots=True)
class ListRegister:
    """What one list register says.

    state        an `LRState`
    virtual_id   the INTID that the guest sees
    cpuid        with hw False: the vCPU that sent the SGI
    eoi          with hw False: the end of this interrupt asks for a maintenance interrupt
    priority     0 is the highest of 32
    group1       the interrupt is in group 1
    hw           the interrupt stands for a physical one, which the guest's EOI deactivates
    physical_id  with hw True: the INTID of that physical interrupt

    A field that means nothing under its `hw` is zero or False in a canonical record.
    """

    state: Annotated[int, Width(2)]
    virtual_id: Annotated[int, Width(10)]
    cpuid: Annotated[int, Width(3)]
    eoi: bool
    priority: Annotated[int, Width(5)]
    group1: bool
    hw: bool
    physical_id: Annotated[int, Width(10)]


EMPTY = ListRegister(
    state=LRState.INVALID, virtual_id=0, cpuid=0, eoi=False, priority=0, group1=False, hw=False, physical_id=0
)
"""The register whose word is zero."""


def decode(word: int) -> ListRegister:
    """Return what a 32-bit word says. Reserved bits are not looked at; the record is canonical."""
    hw = bit(word, 31)
    return ListRegister(
        state=field_of(word, 29, 28),
        virtual_id=field_of(word, 9, 0),
        cpuid=ite(hw, 0, field_of(word, 12, 10), width=3),
        eoi=and_(not_(hw), bit(word, 19)),
        priority=field_of(word, 27, 23),
        group1=bit(word, 30),
        hw=hw,
        physical_id=ite(hw, field_of(word, 19, 10), 0, width=10),
    )


def encode(lr: ListRegister) -> int:
    """Return the 32-bit word of a record. Its reserved bits are zero; a field without meaning leaves no trace."""
    software = concat((flag(lr.eoi), 1), (0, 6), (lr.cpuid, 3))
    return concat(
        (flag(lr.hw), 1),
        (flag(lr.group1), 1),
        (lr.state, 2),
        (lr.priority, 5),
        (0, 3),
        (ite(lr.hw, lr.physical_id, software, width=10), 10),
        (lr.virtual_id, 10),
    )


def legal_word(word: int) -> bool:
    """Say whether a 32-bit word has its reserved bits clear: 22:20, and 18:13 where HW is clear."""
    return and_(field_of(word, 22, 20) == 0, or_(bit(word, 31), field_of(word, 18, 13) == 0))


def canonical(lr: ListRegister) -> bool:
    """Say whether the fields that mean nothing under this `hw` are zero."""
    return ite(lr.hw, and_(lr.cpuid == 0, not_(lr.eoi)), lr.physical_id == 0)


@dataclass(frozen=True, slots=True)
class CodecInput:
    """A word and a record that have nothing to do with each other: what the codec is tried on."""

    word: Annotated[int, Width(32)]
    lr: ListRegister


@dataclass(frozen=True, slots=True)
class CodecOutput:
    """What the codec makes of a `CodecInput`.

    encoded, decoded  the word of its record, and the record of its word
    word_again        its word, decoded and encoded
    lr_again          its record, encoded and decoded
    legal             what `legal_word` says of its word
    canonical         what `canonical` says of its record
    """

    encoded: Annotated[int, Width(32)]
    decoded: ListRegister
    word_again: Annotated[int, Width(32)]
    lr_again: ListRegister
    legal: bool
    canonical: bool


def lr_codec(old: CodecInput) -> CodecOutput:
    """Run the codec both ways, once and back."""
    encoded, decoded = encode(old.lr), decode(old.word)
    return CodecOutput(
        encoded=encoded,
        decoded=decoded,
        word_again=encode(decoded),
        lr_again=decode(encoded),
        legal=legal_word(old.word),
        canonical=canonical(old.lr),
    )

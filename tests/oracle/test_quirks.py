"""QEMU's departures from the architecture: each switch is needed, shows in exactly the fields listed, and bends no more."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from random import Random, SystemRandom

import pytest

from model import gicv
from oracle import quirks
from oracle.campaign import LEGAL
from oracle.machine import ADDRESS, GICD, GICH, RESET, Operation, Program, step
from oracle.player import RESETTING, first_difference
from oracle.programs import wild
from oracle.qtest import Qemu
from oracle.quirks import ARCHITECTURE, QEMU, Quirks

from .shared import needs_qemu

pytestmark = needs_qemu


def program(text: str) -> Program:
    """Read a program: `register` or `register=word`, separated by blanks, after GICH_HCR.En and a GICH_VMCR with group 0 and no mask."""
    operations = [Operation("GICH_HCR", 1), Operation("GICH_VMCR", 0xF84C0001)]
    for item in text.split():
        register, _, word = item.partition("=")
        operations.append(Operation(register, int(word, 16) if word else 0))
    return tuple(operations)


SHOWN: tuple[tuple[str, str, set[str]], ...] = (
    ("group_any", "GICH_VMCR=f84c0002 GICH_LR0=10000022 GICV_IAR", {"value", "lr", "apr", "rpr"}),
    ("group_any", "GICH_VMCR=f84c0006 GICH_LR0=50800022 GICH_LR1=10000023", {"virq"}),
    ("full_prio", "GICH_VMCR=f8fc0003 GICH_APR=4 GICH_LR0=11800022", {"virq"}),
    ("full_prio", "GICH_VMCR=f89c0007 GICH_APR=4 GICH_LR0=51800022", {"virq"}),
    ("early_1022", "GICH_VMCR=f84c0003 GICH_APR=1 GICH_LR0=50000022 GICV_IAR", {"value"}),
    ("cpuid_by_id", "GICH_LR0=90007401 GICV_IAR", {"value"}),
    ("cpuid_by_id", "GICH_LR0=10000c22 GICV_IAR", {"value"}),
    ("hppir_pmr", "GICV_PMR=80 GICH_LR0=1c000022", {"hppir"}),
    ("hppir_no_cpuid", "GICH_LR0=10000c01", {"hppir"}),
    ("no_alias", "GICV_AIAR", {"value"}),
    ("no_alias", "GICH_LR0=20000022 GICH_APR=1 GICV_AEOIR=22", {"lr", "apr", "rpr", "elrsr"}),
    ("abpr_min1", "GICV_ABPR=1", {"abpr", "vmcr"}),
    ("first_match", "GICH_LR0=20000022 GICH_LR1=10000022 GICV_IAR", {"lr"}),
    ("first_match", "GICH_LR0=10000022 GICH_LR1=20000022 GICH_APR=1 GICV_EOIR=22", {"lr", "elrsr"}),
    ("resv_raw", "GICH_LR0=100003fc GICV_IAR", {"lr", "apr", "rpr", "virq"}),
    ("lr_keeps_reserved", "GICH_LR0=00002000", {"lr"}),
)
"""A switch, a program at whose last operation QEMU departs from the architecture for its sake, and where."""

EARLIER = frozenset({"hppir", "ahppir"})
"""What shows before the last operation, and is looked at only where nothing else does."""


@pytest.fixture(scope="module")
def qemu() -> Iterator[Qemu]:
    with Qemu() as running:
        yield running


def test_every_switch_has_a_program() -> None:
    """No switch is without a program that needs it."""
    assert list(dict.fromkeys(name for name, _, _ in SHOWN)) == [f.name for f in fields(Quirks)]


@pytest.mark.parametrize(("name", "text", "shown"), [pytest.param(*row, id=f"{row[0]}-{row[1]}") for row in SHOWN])
def test_switch_is_needed(qemu: Qemu, name: str, text: str, shown: set[str]) -> None:
    """With every switch on there is no difference; with this one off there is, after the last operation, as listed."""
    assert first_difference(qemu, program(text), QEMU) is None
    ignored = frozenset() if shown & EARLIER else EARLIER
    difference = first_difference(qemu, program(text), replace(QEMU, **{name: False}), ignored)
    assert difference is not None
    assert difference.index == len(program(text)) - 1
    assert set(difference.fields) - ignored == shown


def test_ahppir_reads_as_zero(qemu: Qemu) -> None:
    """Without `no_alias` GICV_AHPPIR differs from the start: 1023 says that nothing is pending, QEMU says 0."""
    difference = first_difference(qemu, program(""), replace(QEMU, no_alias=False))
    assert difference is not None and difference.index == 0 and difference.fields == ("ahppir",)
    assert (difference.expected.ahppir, difference.found.ahppir) == (1023, 0)


def test_one_register_too_many(qemu: Qemu) -> None:
    """GICH_LR4 keeps what is written to it, though GICH_VTR states 4 list registers; GICH_LR5 does not."""
    qemu.ask([f"writel {GICH + 0x110:#x} 0x10000022", f"writel {GICH + 0x114:#x} 0x10000022"])
    lr4, lr5, misr_to_elrsr = qemu.ask([f"readl {GICH + n:#x}" for n in (0x110, 0x114, 0x30)])
    assert (lr4.number, lr5.number, misr_to_elrsr.number) == (0x10000022, 0, 0xF)
    qemu.ask([f"writel {GICH + 0x110:#x} 0"])


@pytest.mark.parametrize(("intid", "stays"), [(27, False), (40, True)])
def test_active_bit_of_a_shared_interrupt(qemu: Qemu, intid: int, stays: bool) -> None:
    """An end with HW does not clear the active bit of a shared interrupt that GICD_ISACTIVER set; a private one's, it
    does.
    """
    register, mask = GICD + 0x300 + intid // 32 * 4, 1 << intid % 32
    qemu.ask([*RESETTING, f"writel {register:#x} {mask:#x}"])
    qemu.ask(
        [f"writel {ADDRESS['GICH_LR0']:#x} {0xA0000022 | intid << 10:#x}", f"writel {ADDRESS['GICV_EOIR']:#x} 0x22"]
    )
    active, lr = qemu.ask([f"readl {register:#x}", f"readl {ADDRESS['GICH_LR0']:#x}"])
    assert lr.number >> 28 & 3 == 0
    assert (active.number == mask) is stays
    qemu.ask([f"writel {register + 0x80:#x} {mask:#x}"])


@pytest.mark.parametrize("name", [f.name for f in fields(Quirks)])
def test_legal_programs_need_few_switches(name: str) -> None:
    """The switches that a correct hypervisor and guest meet are those that concern GICV_HPPIR and GICV_AHPPIR."""
    assert getattr(LEGAL.quirks, name) is (name in {"hppir_pmr", "hppir_no_cpuid", "no_alias"})


def test_without_switches_it_is_the_model() -> None:
    """With every switch off the answers are those of the model's own functions, on random states."""
    seed = SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    machine = RESET
    for op in wild(Random(seed), 1500):
        gich, word = machine.gich, op.word
        pairs = {
            "GICV_IAR": (gicv.read_iar(gich), quirks.read_iar(gich, ARCHITECTURE)),
            "GICV_AIAR": (gicv.read_aiar(gich), quirks.read_aiar(gich, ARCHITECTURE)),
            "GICV_EOIR": (gicv.write_eoir(gich, word), quirks.write_eoir(gich, word, ARCHITECTURE)),
            "GICV_AEOIR": (gicv.write_eoir(gich, word), quirks.write_aeoir(gich, word, ARCHITECTURE)),
            "GICV_DIR": (gicv.write_dir(gich, word), quirks.write_dir(gich, word, ARCHITECTURE)),
        }
        for ours, theirs in pairs.values():
            assert flat(ours) == flat(theirs)
        assert gicv.lines(gich) == quirks.lines(gich, ARCHITECTURE)
        assert gicv.read_hppir(gich) == quirks.read_hppir(gich, ARCHITECTURE)
        assert gicv.read_ahppir(gich) == quirks.read_ahppir(gich, ARCHITECTURE)
        machine, _ = step(machine, op, QEMU)


def flat(outcome: gicv.Outcome) -> tuple[object, ...]:
    """Return an outcome with its list registers one by one, so that it can be compared."""
    gich = outcome.gich
    lrs = [gich.lr[n] for n in range(gich.nr_lr)]
    return (lrs, gich.hcr, gich.vmcr, gich.apr, outcome.value, outcome.deactivates, outcome.physical_id)

"""The distributor's registers on plain numbers: every byte of the page, every size, and what 2012 did differently."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.generation import OCTOBER_2012, REFERENCE, Switches
from model.mmio import Access, MmioState, mmio_read, mmio_write, sgi_targets, vgic_handle_mmio
from model.vm import Vm
from vgicheck.engine.maps import Map

NR_CPUS, NR_IRQS = 3, 64
ROWS = {
    "ISENABLER": (0x100, 1), "ICENABLER": (0x180, 1), "ISPENDR": (0x200, 1), "ICPENDR": (0x280, 1),
    "IPRIORITYR": (0x400, 8), "ITARGETSR": (0x800, 8), "ICFGR": (0xC00, 2),
}  # fmt: skip
"""Base and bits for each interrupt, of registers that are not zero; IHI 0048B table 4-1."""


def table() -> dict[int, tuple[str, int]]:
    """Each byte of the page that is not zero: the register, and its lowest interrupt, SGI or byte."""
    found: dict[int, tuple[str, int]] = {}
    for name, (base, bits) in ROWS.items():
        for intid in range(NR_IRQS):
            found.setdefault(base + intid * bits // 8, (name, intid))
    for base, name in ((0x000, "CTLR"), (0x004, "TYPER"), (0x008, "IIDR")):
        found |= {base + n: (name, n) for n in range(4)}
    for base, name in ((0xF10, "CPENDSGIR"), (0xF20, "SPENDSGIR")):
        found |= {base + n: (name, n) for n in range(16)}
    return found


TABLE = table()
KEYS = [(cpu, i) for cpu in range(NR_CPUS) for i in range(32)] + [(0, i) for i in range(32, NR_IRQS)]
SOURCES = [(target, n, source) for target in range(NR_CPUS) for n in range(16) for source in range(NR_CPUS)]


@dataclass
class Registers:
    """The state in dictionaries, and what loads and stores do to it byte by byte."""

    enabled: bool = False
    irq_enabled: dict[Any, bool] = field(default_factory=dict)
    irq_cfg: dict[Any, bool] = field(default_factory=dict)
    irq_line: dict[Any, bool] = field(default_factory=dict)
    irq_state: dict[Any, bool] = field(default_factory=dict)
    irq_priority: dict[Any, int] = field(default_factory=dict)
    target: dict[int, int] = field(default_factory=dict)
    sources: dict[Any, bool] = field(default_factory=dict)

    @classmethod
    def random(cls, seed: int) -> Registers:
        pick = random.Random(seed)
        flags = [{key: pick.random() < 0.5 for key in KEYS} for _ in range(4)]
        made = cls(pick.random() < 0.5, *flags)
        for key in KEYS:
            if key[1] < 32:
                made.irq_cfg[key] = True
            if key[1] < 16:
                made.irq_enabled[key] = True
        made.irq_priority = {key: pick.getrandbits(8) & 0xF8 for key in KEYS}
        made.target = {i: pick.randrange(NR_CPUS) for i in range(32, NR_IRQS)}
        made.sources = {key: pick.random() < 0.3 for key in SOURCES}
        for cpu, i in KEYS:
            if i < 16:
                made.irq_state[cpu, i] = any(made.sources[cpu, i, s] for s in range(NR_CPUS))
        return made

    def vm(self) -> Vm:
        targeted = {(cpu, i): self.target[i] == cpu for i in self.target for cpu in range(NR_CPUS)}
        return Vm(
            enabled=self.enabled,
            irq_enabled=Map.of(self.irq_enabled, False),
            irq_cfg=Map.of(self.irq_cfg, False),
            irq_line=Map.of(self.irq_line, False),
            irq_state=Map.of(self.irq_state, False),
            irq_active=Map.constant(False),
            irq_priority=Map.of(self.irq_priority, 0),
            irq_spi_cpu=Map.of(self.target, 0),
            irq_spi_target=Map.of(targeted, False),
            sgi_sources=Map.of(self.sources, False),
            pending_on_cpu=Map.constant(False),
        )

    def load(self, vcpu: int, byte: int) -> int:
        name, first = TABLE.get(byte, ("zero", 0))
        key = lambda i: (vcpu if i < 32 else 0, i)  # noqa: E731
        if name == "CTLR":
            return int(self.enabled) if first == 0 else 0
        if name == "TYPER":
            return ((NR_CPUS - 1) << 5 | NR_IRQS // 32 - 1) if first == 0 else 0
        if name == "IIDR":
            return (0x3B, 0x04, 0x00, 0x4B)[first]
        if name in ("ISENABLER", "ICENABLER"):
            return sum(self.irq_enabled[key(first + n)] << n for n in range(8))
        if name in ("ISPENDR", "ICPENDR"):
            bits = [
                self.irq_state[k] or (not self.irq_cfg[k] and self.irq_line[k])
                for k in map(key, range(first, first + 8))
            ]
            return sum(bit << n for n, bit in enumerate(bits))
        if name == "IPRIORITYR":
            return self.irq_priority[key(first)]
        if name == "ITARGETSR":
            return 1 << (vcpu if first < 32 else self.target[first])
        if name == "ICFGR":
            return sum(self.irq_cfg[key(first + n)] << 2 * n + 1 for n in range(4))
        if name in ("CPENDSGIR", "SPENDSGIR"):
            return sum(self.sources[vcpu, first, s] << s for s in range(NR_CPUS))
        return 0

    def store(self, vcpu: int, byte: int, value: int) -> None:
        name, first = TABLE.get(byte, ("zero", 0))
        key = lambda i: (vcpu if i < 32 else 0, i)  # noqa: E731
        ones = [n for n in range(8) if value >> n & 1]
        if name == "CTLR" and first == 0:
            self.enabled = bool(value & 1)
        if name in ("ISENABLER", "ICENABLER"):
            self.irq_enabled |= {key(first + n): name == "ISENABLER" for n in ones if first + n >= 16}
        if name in ("ISPENDR", "ICPENDR"):
            self.irq_state |= {key(first + n): name == "ISPENDR" for n in ones if first + n >= 16}
        if name == "IPRIORITYR":
            self.irq_priority[key(first)] = value & 0xF8
        if name == "ITARGETSR" and first >= 32:
            self.target[first] = min([n for n in ones if n < NR_CPUS], default=0)
        if name == "ICFGR" and first >= 32:
            self.irq_cfg |= {key(first + n): bool(value >> 2 * n + 1 & 1) for n in range(4)}
        if name in ("CPENDSGIR", "SPENDSGIR"):
            self.sources |= {(vcpu, first, s): name == "SPENDSGIR" for s in ones if s < NR_CPUS}
            self.irq_state[vcpu, first] = any(self.sources[vcpu, first, s] for s in range(NR_CPUS))

    def send(self, vcpu: int, word: int) -> None:
        listed = [c for c in range(NR_CPUS) if word >> 16 + c & 1]
        others = [c for c in range(NR_CPUS) if c != vcpu]
        for target in (listed, others, [vcpu], [])[word >> 24 & 3]:
            self.sources[target, word & 15, vcpu] = self.irq_state[target, word & 15] = True

    def assert_is(self, vm: Vm) -> None:
        assert vm.enabled == self.enabled
        for key in KEYS:
            for name in ("irq_enabled", "irq_cfg", "irq_line", "irq_state", "irq_priority"):
                assert getattr(vm, name)[key] == getattr(self, name)[key], (name, key)
        for i, target in self.target.items():
            assert vm.irq_spi_cpu[i] == target, i
            assert [c for c in range(NR_CPUS) if vm.irq_spi_target[c, i]] == [target], i
        assert [k for k in SOURCES if vm.sgi_sources[k]] == [k for k in SOURCES if self.sources[k]]


def read(vm: Vm, vcpu: int, offset: int, length: int = 4, switches: Switches = REFERENCE) -> int:
    return mmio_read(vm, vcpu, Access(offset, length, False, 0), NR_CPUS, NR_IRQS, switches)


def write(vm: Vm, vcpu: int, offset: int, data: int, length: int = 4, switches: Switches = REFERENCE) -> Vm:
    return mmio_write(vm, vcpu, Access(offset, length, True, data), NR_CPUS, NR_IRQS, switches)


def handle(offset: int, length: int, is_write: bool, switches: Switches, data: int = 0) -> MmioState:
    access = Access(offset, length, is_write, data)
    return vgic_handle_mmio(MmioState(EMPTY, 1, NR_CPUS, NR_IRQS, access, 0, False, False), switches)


EMPTY = Registers(
    irq_enabled=dict.fromkeys(KEYS, False),
    target=dict.fromkeys(range(32, NR_IRQS), 0),
    irq_priority=dict.fromkeys(KEYS, 0),
).vm()


# The page ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [1, 2, 4])
def test_every_load(length: int) -> None:
    """A load reads, at each aligned offset of the page, the bytes of the register map."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    registers = Registers.random(seed)
    vm = registers.vm()
    for vcpu in (0, 2) if length == 4 else (1,):
        page = bytes(registers.load(vcpu, byte) for byte in range(0x1000))
        for offset in range(0, 0x1000, length):
            expected = int.from_bytes(page[offset : offset + length], "little")
            assert read(vm, vcpu, offset, length) == expected, hex(offset)


@given(
    seed=st.integers(0, 1 << 16),
    vcpu=st.integers(0, NR_CPUS - 1),
    place=st.one_of(st.sampled_from(sorted({byte & ~3 for byte in TABLE})), st.integers(0, 0xFFF)),
    low=st.integers(0, 3),
    length=st.sampled_from([1, 2, 4]),
    data=st.integers(0, (1 << 32) - 1),
)
@settings(max_examples=150, deadline=None)
def test_every_store(seed: int, vcpu: int, place: int, low: int, length: int, data: int) -> None:
    """A store does to the state what its bytes do one by one, and nothing where it is not aligned."""
    offset = (place & ~3) + low
    registers = Registers.random(seed)
    vm = write(registers.vm(), vcpu, offset, data, length)
    if offset % length == 0:
        for n in range(length):
            registers.store(vcpu, offset + n, data >> 8 * n & 0xFF)
        if offset == 0xF00 and length == 4:
            registers.send(vcpu, data)
    registers.assert_is(vm)


@given(vcpu=st.integers(0, NR_CPUS - 1), data=st.integers(0, (1 << 32) - 1))
@settings(max_examples=60, deadline=None)
def test_every_sgi(vcpu: int, data: int) -> None:
    """A store to GICD_SGIR adds the sender for exactly those whom filter and list name."""
    registers = Registers.random(data & 0xFF)
    vm = write(registers.vm(), vcpu, 0xF00, data)
    registers.send(vcpu, data)
    registers.assert_is(vm)


@pytest.mark.parametrize(("offset", "length"), [(0x101, 2), (0x102, 4), (0x400, 8), (0x400, 3), (0xFFE, 4), (0x100, 0)])
def test_odd_accesses(offset: int, length: int) -> None:
    """An access that is not aligned, or not of 1, 2 or 4 bytes, reads zero and changes nothing."""
    registers = Registers.random(offset)
    vm = registers.vm()
    assert read(vm, 0, offset, length) == 0
    registers.assert_is(write(vm, 0, offset, 0xFFFFFFFF, length))


def test_a_distributor_with_fewer_interrupts_than_its_table() -> None:
    """Fields from the number of interrupts on read as zero and ignore stores."""
    vm = write(EMPTY, 0, 0x100 + NR_IRQS // 8, 0xFFFFFFFF)
    assert not any(vm.irq_enabled[0, i] for i in range(1020))
    full = replace(EMPTY, irq_enabled=Map.constant(True), irq_priority=Map.constant(0xF8, width=8))
    assert [read(full, 0, offset) for offset in (0x104, 0x108, 0x43C, 0x440)] == [0xFFFFFFFF, 0, 0xF8F8F8F8, 0]


def test_the_last_register_has_fields_that_name_no_interrupt() -> None:
    """With 1024 interrupts INTIDs 1020 to 1023 read as zero and ignore stores."""
    vm = mmio_write(EMPTY, 0, Access(0x17C, 4, True, 0xFFFFFFFF), NR_CPUS, 1024, REFERENCE)
    assert mmio_read(vm, 0, Access(0x17C, 4, False, 0), NR_CPUS, 1024, REFERENCE) == 0x0FFFFFFF
    assert [i for i in range(980, 1024) if vm.irq_enabled[0, i]] == list(range(992, 1020))


def test_a_sender_that_does_not_exist_is_not_shown() -> None:
    """Bits of GICD_CPENDSGIR and GICD_SPENDSGIR from the number of vCPUs on read as zero, whatever is kept."""
    full = replace(EMPTY, sgi_sources=Map.constant(True))
    assert [read(full, 1, offset, 1) for offset in (0xF10, 0xF1F, 0xF20, 0xF2F)] == [(1 << NR_CPUS) - 1] * 4


@pytest.mark.parametrize("nr_irqs", range(32, 1025, 32))
def test_typer(nr_irqs: int) -> None:
    """GICD_TYPER holds the number of vCPUs and of words of interrupts, less one each."""
    for nr_cpus in range(1, 9):
        typer = mmio_read(EMPTY, 0, Access(4, 4, False, 0), nr_cpus, nr_irqs, REFERENCE)
        assert typer == (nr_cpus - 1) << 5 | nr_irqs // 32 - 1


def test_many_stores() -> None:
    """The plain reading takes any number of stores: nothing recurses from one into the last."""
    vm = EMPTY
    for n in range(2000):
        vm = write(vm, 0, 0x104 if n % 2 else 0x184, 0xFFFFFFFF)
        vm = write(vm, 0, 0x420, n & 0xFF, 1)
    assert read(vm, 0, 0x104) == 0xFFFFFFFF
    assert read(vm, 0, 0x420, 1) == 1999 & 0xF8


def test_what_must_be_looked_at_again() -> None:
    """Stores to what decides delivery, and no others and no loads, are followed by an update."""
    deciding = {offset for offset in range(0, 0x1000, 4) if handle(offset, 4, True, REFERENCE).updates}
    blocks = [(0x000, 0x004), (0x100, 0x300), (0x820, 0xD00), (0xF00, 0xF40)]
    assert deciding == {offset for low, high in blocks for offset in range(low, high, 4)}
    assert not any(handle(offset, 4, False, REFERENCE).updates for offset in range(0, 0x1000, 64))


# 2012 ----------------------------------------------------------------------------------------------


def test_2012_a_byte_store_writes_up_to_the_end_of_the_word() -> None:
    """A store of one byte takes the bytes behind it from what else is in the register of the CPU."""
    vm = write(EMPTY, 0, 0x421, 0x102030, 1, OCTOBER_2012)
    assert [vm.irq_priority[0, i] for i in range(32, 37)] == [0, 0x30, 0x20, 0x10, 0]
    assert read(vm, 0, 0x421, 1, OCTOBER_2012) == 0x102030


def test_2012_a_byte_store_of_a_target_rewrites_the_word() -> None:
    """The other targets of the word go to the lowest vCPU in the bitmap, vCPU 0 where it is empty."""
    vm = replace(EMPTY, irq_spi_cpu=Map.of({32: 2}, 0, width=3))
    assert write(vm, 0, 0x823, 0x02, 1, OCTOBER_2012).irq_spi_cpu[32] == 0
    assert write(vm, 0, 0x823, 0x02, 1, REFERENCE).irq_spi_cpu[32] == 2


def test_2012_the_priorities_of_ppis_are_shared() -> None:
    """Those of all vCPUs are in the last of the eight banks."""
    vm = write(EMPTY, 0, 0x410, 0x55, 1, OCTOBER_2012)
    assert (vm.irq_priority[0, 16], vm.irq_priority[7, 16]) == (0, 0x55)
    assert read(vm, 2, 0x410, 1, OCTOBER_2012) == 0x55
    assert read(write(EMPTY, 0, 0x40F, 0x55, 1, OCTOBER_2012), 2, 0x40F, 1, OCTOBER_2012) == 0


def test_2012_a_target_need_not_exist() -> None:
    """The lowest bit of the byte is taken, and no vCPU has the interrupt in its bitmap."""
    vm = write(EMPTY, 0, 0x820, 0x60, 4, OCTOBER_2012)
    assert vm.irq_spi_cpu[32] == 5
    assert not any(vm.irq_spi_target[c, 32] for c in range(8))
    assert write(EMPTY, 0, 0x820, 0x60).irq_spi_cpu[32] == 0


def test_2012_odd_configuration_registers_are_the_even_ones() -> None:
    """A store to GICD_ICFGR3 changes interrupts 32 to 47, and the upper half is that of an offset with bit 1."""
    only = replace(REFERENCE, mmio_cfg_both_halves=False)
    edges = lambda vm: [i for i in range(32, 64) if vm.irq_cfg[0, i]]  # noqa: E731
    assert edges(write(EMPTY, 0, 0xC0C, 0x2, 4, only)) == [32]
    assert edges(write(EMPTY, 0, 0xC0C, 0x2)) == [48]
    assert edges(write(EMPTY, 0, 0xC0A, 0x2, 2, only)) == [56]
    assert edges(write(EMPTY, 0, 0xC0A, 0x2, 2)) == [40]


def expand(half: int) -> int:
    word = 0
    for i in range(16):
        word |= half >> i << 2 * i + 1
    return word & 0xFFFFFFFF


def compress(word: int) -> int:
    half = 0
    for i in range(16):
        half |= word >> 2 * i + 1 << i
    return half & 0xFFFF


def test_2012_configuration_bits_are_smeared() -> None:
    """Widening and narrowing shift without a mask; a store, and a load after it, are what the two loops compute."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    pick = random.Random(seed)
    only = replace(REFERENCE, mmio_cfg_one_bit=False)
    for _ in range(60):
        old, data = pick.getrandbits(16), pick.getrandbits(32)
        length = pick.choice([1, 2, 4])
        at, register = pick.randrange(0, 4, length), pick.choice([2, 3])
        first, offset = 16 * register, 0xC00 + 4 * register
        vm = replace(EMPTY, irq_cfg=Map.of({(0, first + n): bool(old >> n & 1) for n in range(16)}, False))
        assert read(vm, 0, offset, 4, only) == expand(old)
        mask = ((1 << 8 * length) - 1) << 8 * at
        new = compress(expand(old) & ~mask | data << 8 * at & mask)
        vm = write(vm, 0, offset + at, data, length, only)
        assert [vm.irq_cfg[0, first + n] for n in range(16)] == [bool(new >> n & 1) for n in range(16)]


def test_2012_a_store_to_the_first_configuration_register_sets_a_whole_bank() -> None:
    """All private interrupts of the vCPU become edge-triggered, whatever is stored."""
    vm = write(EMPTY, 1, 0xC00, 0, 4, OCTOBER_2012)
    assert [sum(vm.irq_cfg[cpu, i] for i in range(32)) for cpu in range(NR_CPUS)] == [0, 32, 0]
    assert not any(vm.irq_cfg[0, i] for i in range(32, NR_IRQS))


def test_2012_no_other_store_does() -> None:
    """It is the first word of these registers that does: not what is in front of it, nor what is behind."""
    for offset in (0x000, 0x840, 0xBFC, 0xC04, 0xC08):
        vm = write(EMPTY, 1, offset, 0, 4, OCTOBER_2012)
        assert not any(vm.irq_cfg[1, i] for i in range(32)), hex(offset)
    assert all(write(EMPTY, 1, 0xC03, 0, 1, OCTOBER_2012).irq_cfg[1, i] for i in range(32))


def test_2012_the_list_of_targets_is_not_looked_at() -> None:
    """Filter 0 sends to all others where the list names somebody, and the reserved filter takes the list."""
    named = lambda word, switches: [t for t in range(8) if sgi_targets(word, t, 1, 4, switches)]  # noqa: E731
    assert named(0x00020000, OCTOBER_2012) == [0, 2, 3]
    assert named(0x00000000, OCTOBER_2012) == []
    assert named(0x03060000, OCTOBER_2012) == [1, 2]
    assert [named(word, REFERENCE) for word in (0x00F20000, 0x01000000, 0x02000000, 0x03060000)] == [
        [1], [0, 2, 3], [1], [],
    ]  # fmt: skip


def test_2012_a_part_of_sgir_sends() -> None:
    """A store behind the number sends SGI 0, with zero for what is in front of it."""
    sent = write(EMPTY, 1, 0xF02, 0x0201, 2, OCTOBER_2012).sgi_sources
    assert [k for k in SOURCES if sent[k]] == [(1, 0, 1)]
    assert not any(write(EMPTY, 1, 0xF02, 0x0201, 2).sgi_sources[k] for k in SOURCES)


def test_2012_sgis_can_be_made_pending_without_a_sender() -> None:
    """GICD_ISPENDR sets an SGI's latch; the reference ignores it."""
    assert write(EMPTY, 1, 0x200, 0x8, 4, OCTOBER_2012).irq_state[1, 3]
    assert not write(EMPTY, 1, 0x200, 0x8).irq_state[1, 3]


@pytest.mark.parametrize("offset", [0x00C, 0x07C, 0x108, 0x440, 0xD00, 0xF04, 0xF10, 0xF20, 0xFE8, 0xFFC])
def test_2012_what_is_in_no_range_goes_to_the_vmm(offset: int) -> None:
    """An access to a hole of the table is not handled; the reference reads zero."""
    assert not handle(offset, 4, False, OCTOBER_2012).handled
    assert handle(offset, 4, False, REFERENCE).handled


@pytest.mark.parametrize(
    ("low", "high"),
    [(0x000, 0x00C), (0x080, 0x088), (0x380, 0x388), (0x400, 0x440), (0xC00, 0xC10), (0xF00, 0xF04), (0xF10, 0xF30)],
)
def test_2012_the_ranges_of_the_table_end_where_their_registers_do(low: int, high: int) -> None:
    """With 64 interrupts; the last byte of a range is in it, and what begins in it and ends behind it is not."""
    table_of_ranges = replace(REFERENCE, mmio_whole_page=False)
    for offset, length, inside in ((low, 4, True), (high - 1, 1, True), (high - 3, 4, False), (high, 1, False)):
        assert handle(offset, length, False, table_of_ranges).handled is inside, hex(offset)


@pytest.mark.parametrize("switches", [OCTOBER_2012, REFERENCE])
def test_an_access_that_leaves_the_page_is_not_handled(switches: Switches) -> None:
    """Neither does an access that begins in the page and ends outside belong to the distributor."""
    assert not handle(0xFFE, 4, True, switches).handled

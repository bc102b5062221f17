"""Small machines of a C source, in which threads of it meet.

A machine is as small as the VGIC allows: a level-triggered SPI and a second one, two vCPUs, a list register or two.  It
is brought to where the threads meet by running the source's own functions one after the other; what the guest and the
world switch do in between, and who calls the VGIC, is `bindings/run.h`.  Then the threads take turns in every way
(`vgicheck.c.interleave`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from vgicheck.c.confirm import Outcome
from vgicheck.c.domain import Address, Domain
from vgicheck.c.interleave import (
    Asked,
    Broken,
    Claims,
    Every,
    Explored,
    Explorer,
    Memory,
    Task,
    alone,
    held,
    idle,
    no_claims,
)
from vgicheck.c.ir import Loc, Pointer, StructRef, Unsupported
from vgicheck.c.memory import Given, Inputs, Layout, Place
from vgicheck.c.stepped import Around, Replayed
from vgicheck.c.steps import Cell
from vgicheck.check.reading import Part, Reading
from vgicheck.engine.maps import Key

from .bindings import vgic
from .bindings.called import REGISTERS_OF
from .bindings.kvm_2012 import WORLD
from .overlap import FUNCTION

LEVEL_NOT_LOST, KICK_NOT_LOST, ORACLE_SOUND = "level-not-lost", "kick-not-lost", "oracle-sound"
ACTIVE_IN_SERVICE, LR_UNIQUE, NOBODY_SLEEPS = "active-iff-in-service", "lr-unique", "nobody-sleeps-on-pending"
SEEN_AT_AN_EXIT = (LEVEL_NOT_LOST, ORACLE_SOUND)
"""What a sync to come may still see to."""

IRQ, OTHER_IRQ, NEIGHBOUR = 34, 35, 36
"""The SPI that a machine is about, and others that are idle at first; `run.h` raises the last."""
TARGETS: Mapping[int, int] = {IRQ: 0, OTHER_IRQ: 1, NEIGHBOUR: 0}
"""The vCPUs at which these are targeted."""
FURTHER = 48
"""The first of the SPIs that rise beside it in a larger machine, all for vCPU 0."""
DIST_BASE = 0x2C00_1000
EOI, STATE, USED_BY = 1 << 19, 3 << 28, 0x3FF

FLUSH, SYNC, HANDLER, INJECT, MMIO, BLOCK = (
    "__kvm_vgic_sync_to_cpu", "__kvm_vgic_sync_from_cpu", "vgic_maintenance_handler", "kvm_vgic_inject_irq",
    "vgic_handle_mmio", "kvm_vcpu_block")  # fmt: skip
TURN, TURN_BACK, WFI = "vgicheck_turn", "vgicheck_turn_back", "vgicheck_wfi"
PULSE, _GUEST, _EXIT = "vgicheck_pulse", "vgicheck_guest", "vgicheck_exit"
ENTRY: Mapping[str, tuple[str, ...]] = {
    FLUSH: ("kvm_vgic_flush_hwstate", "kvm_vgic_sync_to_cpu"),
    SYNC: ("kvm_vgic_sync_hwstate", "kvm_vgic_sync_from_cpu"),
    HANDLER: ("vgic_maintenance_handler",),
    INJECT: ("kvm_vgic_inject_irq",),
    MMIO: ("vgic_handle_mmio",),
    BLOCK: ("kvm_vgic_vcpu_pending_irq",),
}
"""The functions of a source that stand for one of `overlap`, the newest name first."""
AROUND = {BLOCK: "vgicheck_block", **{name: name for name in (TURN, TURN_BACK, WFI, PULSE, _GUEST, _EXIT)}}
"""What `run.h` calls those that call the source's own."""
CALLED: Mapping[str, tuple[str, ...]] = {
    TURN: (SYNC, FLUSH),
    TURN_BACK: (SYNC, FLUSH),
    WFI: (SYNC, BLOCK),
    PULSE: (INJECT,),
}
"""Which functions of the source those of `run.h` call that stand for several, or for the device."""
KICKED = "vgicheck_kicked[]"
"""Which vCPUs were kicked."""
_RUN = Path(vgic.__file__).parent / "run.h"


def around() -> Part:
    """Return what stands behind a source that is run step by step."""
    return Part(_RUN.name, _RUN.read_text(), ours=True)


def bit(irq: int) -> int:
    """Return the bit of an SPI in the first word of shared interrupts."""
    return 1 << (irq - 32)


@dataclass(frozen=True, slots=True)
class Situation:
    """Where the interrupt has got to when the threads meet.

    `queued`: it was injected, and put into a list register by a flush; `served`: the guest has ended it; `high`: its
    line is still high; `moved`: the guest has re-targeted it at vCPU 1 since.
    """

    name: str
    queued: bool
    served: bool
    high: bool
    moved: bool = False


IDLE = Situation(f"{IRQ} is idle, its line low", False, False, False)
QUEUED = Situation(f"{IRQ} is in a list register", True, False, True)
SERVED_HIGH = Situation(f"{IRQ} was served, its line is high", True, True, True)
SERVED_LOW = Situation(f"{IRQ} was served, its line is low", True, True, False)
SITUATIONS = (IDLE, QUEUED, SERVED_HIGH, SERVED_LOW)
MOVED = Situation(f"{IRQ} was served, its line is high, and it was moved to vCPU 1", True, True, True, moved=True)
MOVED_LOW = Situation(f"{IRQ} was served, its line is low, and it was moved to vCPU 1", True, True, False, moved=True)


@dataclass(frozen=True, slots=True)
class Access:
    """A store of the guest to the distributor: an offset from its base, so many bytes, and what they hold."""

    name: str
    offset: int
    length: int
    value: int


MOVES = Access(f"moves {IRQ} to vCPU 1", 0x800 + IRQ, 1, 2)
ACCESSES = (
    Access(f"disables {IRQ}", 0x180 + 4, 4, bit(IRQ)),
    Access(f"enables {IRQ}", 0x100 + 4, 4, bit(IRQ)),
    MOVES,
)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who takes part: what it calls (a key of `ENTRY` or of `AROUND`), for which vCPU or which line, and where."""

    calls: str
    vcpu: int = 0
    cpu: int = 0
    irq: int = IRQ
    level: int = 1


@dataclass(frozen=True, slots=True)
class Extent:
    """How large a machine is: its vCPUs, two at least, and the level-triggered SPIs that devices raise.

    A vCPU beyond the second flushes on a CPU of its own, and has an SPI of its own; an SPI beyond the first is for
    vCPU 0, is idle at first, and rises while the threads run.
    """

    vcpus: int = 2
    irqs: int = 1

    @property
    def up_to(self) -> Iterator[Extent]:
        """The machines up to this one: in a larger one what rises, and so hides a loss, does so in every run."""
        return (Extent(v, i) for v in range(2, self.vcpus + 1) for i in range(1, self.irqs + 1))

    @property
    def raised(self) -> tuple[int, ...]:
        """The SPIs that devices raise."""
        return IRQ, *range(FURTHER, FURTHER + self.irqs - 1)

    @property
    def targets(self) -> Mapping[int, int]:
        """The vCPU at which each SPI is targeted."""
        further = {OTHER_IRQ + v: v for v in range(2, self.vcpus)}
        return {**TARGETS, **further, **dict.fromkeys(self.raised, 0)}

    def crowd(self, cpu: int) -> Iterator[Actor]:
        """Yield who takes part beside the threads of a small machine, on CPUs from `cpu` on."""
        for vcpu in range(2, self.vcpus):
            yield Actor(FLUSH, vcpu, cpu + vcpu - 2)
        for n, irq in enumerate(self.raised[1:], max(0, self.vcpus - 2)):
            yield Actor(INJECT, cpu=cpu + n, irq=irq)


SMALL = Extent()
"""The machine of which an argument is asked where nothing else is said."""


@dataclass(slots=True)
class Scene:
    """A small machine of a source: its objects, what they hold, and the threads that are to run."""

    reading: Reading
    name: str
    lrs: int = 1
    extent: Extent = SMALL
    layout: Layout = field(init=False)
    cells: dict[tuple[str, tuple[int, ...]], int] = field(default_factory=dict)
    memory: dict[Cell, Any] = field(default_factory=dict)
    tasks: list[Task] = field(default_factory=list)
    claims: Claims = no_claims
    _idle: dict[int, bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.layout = Layout(self.reading.program, by_words=True)
        self._power_on()

    # Cells --------------------------------------------------------------------------------------

    def has(self, tag: str, name: str) -> bool:
        """Say whether a struct of the source has a member."""
        struct = self.reading.program.structs.get(tag)
        return struct is not None and any(f.name == name for f in struct.fields)

    def dist(self, *path: str | int) -> Place:
        """Return the place of a member of the distributor."""
        return self._place(Address(vgic.KVM, ("arch", "vgic", *path)))

    def cpu(self, vcpu: int, *path: str | int) -> Place:
        """Return the place of a member of a vCPU's interface."""
        return self._place(Address(vgic.VCPUS, (vcpu, "arch", "vgic_cpu", *path)))

    def _place(self, address: Address) -> Place:
        try:
            return self.layout.place(address)
        except Unsupported as cause:
            where = ".".join(str(part) for part in address.path[-4:])
            raise Unsupported(
                f"no machine is made of it: {where} is not as it was up to v3.16 ({cause.construct})"
            ) from None

    def shared(self, name: str) -> Place:
        """Return the word in which a bitmap of the distributor has the SPIs."""
        return self.dist(name, "shared", "reg", 0)

    def waits_at(self, vcpu: int) -> Place:
        """Return the word in which a vCPU has the pending bits of the SPIs."""
        if self.has("vgic_cpu", "pending_shared"):
            return self.cpu(vcpu, "pending_shared", 0)
        return self.cpu(vcpu, "pending", 1)

    def of_vcpu(self, name: str, vcpu: int) -> Place:
        """Return the place of what `run.h` keeps of a vCPU."""
        return self.layout.place(Address(name, (vcpu,)))

    def give(self, place: Place, value: int) -> None:
        """Say what a cell holds at first."""
        self.cells[place.region, place.key] = value

    def _power_on(self) -> None:
        """The vCPUs, and the SPIs enabled, level-triggered, each targeted where it is to be."""
        targets, vcpus = self.extent.targets, self.extent.vcpus
        self.cells[f"{vgic.KVM}.online_vcpus.counter", ()] = vcpus
        self.give(self.dist("enabled"), 1)
        self.give(self.shared("irq_enabled"), sum(map(bit, targets)))
        for irq, vcpu in targets.items():
            self.give(self.dist("irq_spi_cpu", irq - 32), vcpu)
        for vcpu in range(vcpus):
            mine = sum(bit(irq) for irq, target in targets.items() if target == vcpu)
            self.give(self.dist("irq_spi_target", vcpu, "shared", "reg", 0), mine)
        self.give(self.dist("vgic_dist_base"), DIST_BASE)
        if self.has("vgic_dist", "vgic_dist_size"):
            self.give(self.dist("vgic_dist_size"), 0x1000)
        for v in range(vcpus):
            self.cells[f"{vgic.VCPUS}[].vcpu_id", (v,)] = v
            self.give(self.cpu(v, "nr_lr"), self.lrs)
            self.give(self.cpu(v, "vgic_elrsr", 0), (1 << self.lrs) - 1)
            for irq in range(vgic.nr_irqs(self.reading.program)):
                self.give(self.cpu(v, "vgic_irq_lr_map", irq), vgic.LR_EMPTY)

    def _inputs(self, vcpu: int, in_interrupt: bool) -> Given:
        own: dict[tuple[str, tuple[int, ...]], int] = {
            (vgic.SELF, ()): vcpu,
            (f"{WORLD}.cpu", ()): vcpu,
            (f"{WORLD}.in_interrupt", ()): int(in_interrupt),
            (f"{WORLD}.irqs_off", ()): int(in_interrupt),
            (f"{vgic.RUNNING}?", ()): 1,
        }
        return Given({**self.cells, **own}, leads=_pointers, fill={f"{vgic.DIST}.vctrl_base?": 1})

    def first(self, cell: Cell) -> Any:
        """Return what a cell that all share holds when the threads meet."""
        return held(self.memory, cell, self.tasks[0].inputs)

    # Threads ------------------------------------------------------------------------------------

    def _task(self, actor: Actor, *more: int) -> Task:
        name = AROUND.get(actor.calls) or entry(self.reading, actor.calls)
        the_vcpu = Address(vgic.VCPUS, (actor.vcpu,))
        args: tuple[Any, ...] = (the_vcpu, *more)
        if actor.calls == HANDLER:
            args = (0, Address(vgic.RUNNING))
        elif actor.calls in (INJECT, PULSE):
            args = (Address(vgic.KVM), 0, actor.irq, actor.level)
        elif actor.calls == MMIO:
            args = (the_vcpu, Address("vgicheck_run"), Address("vgicheck_mmio"))
        number, handles = len(self.tasks) + 1, actor.calls == HANDLER
        inputs = self._inputs(actor.vcpu, handles)
        return Task(number, f"thread {number}", name, args, actor.cpu, handles, inputs, PRIVATE, PER_CPU,
                    f"{WORLD}.irqs_off")  # fmt: skip

    def cast(self, actor: Actor) -> Task:
        """Let one more thread run, and return it."""
        self.tasks.append(self._task(actor))
        return self.tasks[-1]

    def run(self, actor: Actor, *more: int) -> None:
        """Run a function by itself; `more` are arguments that follow a vCPU."""
        task = self._task(actor, *more)
        self.memory = dict(alone(self.reading.program, self.reading.others, task, self.memory))

    def is_idle(self, task: Task) -> bool:
        """Say whether a thread looks at nothing that others may see."""
        if task.number not in self._idle:
            self._idle[task.number] = idle(self.reading.program, self.reading.others, task, self.memory)
        return self._idle[task.number]

    def bring_to(self, situation: Situation, syncs: bool) -> None:
        """Bring the interrupt to where it is to be; `syncs` says whether the exit is done with."""
        if not situation.queued:
            return
        self.run(Actor(INJECT))
        self.run(Actor(FLUSH))
        self.run(Actor(_GUEST), int(situation.served))
        if situation.moved:
            self.store(MOVES)
            self.run(Actor(MMIO))
        if not situation.high:
            self.run(Actor(INJECT, level=0))
        if syncs:
            self.run(Actor(SYNC))

    def store(self, access: Access) -> None:
        """Say which store of the guest vgic_handle_mmio is called for."""
        mmio = "vgicheck_mmio"
        for name, value in (("phys_addr", DIST_BASE + access.offset), ("len", access.length), ("is_write", 1)):
            self.cells[f"{mmio}.{name}", ()] = value
        for n in range(4):
            self.cells[f"{mmio}.data[]", (n,)] = access.value >> (8 * n) & 0xFF

    def inner(self, kind: str) -> tuple[str, ...]:
        """Return the functions of the source that are one of `overlap`: those under the lock, where they are apart."""
        names = {name for name in FUNCTION[kind].names if name.startswith("__")} & self.reading.places.keys()
        return tuple(names) or (entry(self.reading, kind),)

    def function_at(self, loc: Loc) -> str:
        """Return the function of the source that has a line, '' where none has."""
        places = self.reading.places.items()
        return next((n for n, (at, last) in places if at.file == loc.file and at.line <= loc.line <= last), "")

    def explore(
        self,
        limit: int,
        all_cuts: bool = False,
        believed: frozenset[str] = frozenset(),
        every: Every | None = None,
    ) -> Explored:
        """Let the threads take turns in every way, as `Explorer.explore` does."""
        reading = self.reading
        self.memory.pop(Cell("", KICKED, (0,)), None)
        explorer = Explorer(reading.program, reading.others, self.tasks, self.memory, all_cuts, self.claims)
        return explorer.explore(self.ask, limit, believed, every)

    def natively(self, broken: Broken, ends: bool) -> Outcome:
        """Make a run again in compiled C; `ends` says that all threads end in it.  This runs code of the source."""
        running = [f"&{vgic.VCPUS}[{task.inputs.cells[vgic.SELF, ()]}]" for task in self.tasks]
        own = {f"{WORLD}.{name}": self._firsts(f"{WORLD}.{name}") for name in ("cpu", "in_interrupt", "irqs_off")}
        around = Around(self.reading.text, self.reading.defines, own | {vgic.RUNNING: running}, PER_CPU_ARRAYS)
        return Replayed(self.layout, self.tasks, self.memory, around, broken).outcome(ends)

    def _firsts(self, region: str) -> list[str]:
        return [str(task.inputs.cells[region, ()]) for task in self.tasks]

    # What is asked when all threads have ended --------------------------------------------------

    def ask(self, memory: Memory) -> Iterator[Asked]:
        """Ask what must hold when all threads have ended.

        Where nobody is about to look at an interrupt, a sync that is still to come may see to it: what fails must fail
        behind the next exit of each vCPU as well.
        """
        for asked in self._asked(memory):
            if asked.property in SEEN_AT_AN_EXIT and asked.premise and not asked.holds:
                later = [a for v in range(self.extent.vcpus) for a in self._asked(self._behind_exit(memory, v))]
                asked = replace(
                    asked, holds=any(a.holds for a in later if (a.property, a.of) == (asked.property, asked.of))
                )
            yield asked

    def _asked(self, memory: Memory) -> Iterator[Asked]:
        for irq in self.extent.targets:
            yield from _ends(self, irq, memory)

    def _behind_exit(self, memory: Memory, vcpu: int) -> Memory:
        task = self._task(Actor(_EXIT, vcpu, vcpu))
        return alone(self.reading.program, self.reading.others, task, memory)


def _ends(scene: Scene, irq: int, memory: Memory) -> Iterator[Asked]:
    """Ask what must hold of an interrupt."""
    inputs = scene.tasks[0].inputs

    def word(place: Place) -> int:
        return int(held(memory, Cell("", place.region, place.key), inputs))

    def has(place: Place) -> bool:
        return bool(word(place) & bit(irq))

    target = word(scene.dist("irq_spi_cpu", irq - 32))
    line, enabled = has(scene.shared("irq_state")), has(scene.shared("irq_enabled"))
    active = has(scene.shared("irq_active"))
    oracle = bool(word(scene.dist("irq_pending_on_cpu")) >> target & 1)
    used_lrs: list[int] = []
    valid, owed = 0, False
    for v in range(scene.extent.vcpus):
        used, eisr = word(scene.cpu(v, "lr_used", 0)), word(scene.cpu(v, "vgic_eisr", 0))
        for n in range(scene.lrs):
            lr = word(scene.cpu(v, "vgic_lr", n))
            if lr & USED_BY != irq:
                continue
            valid += bool(lr & STATE)
            if used >> n & 1:
                used_lrs.append(lr)
                owed |= bool(active and lr & EOI and eisr >> n & 1)
    in_lr = valid > 0
    cached = has(scene.waits_at(target))
    waits = line and enabled and not active and not in_lr
    yield Asked(LEVEL_NOT_LOST, f"{irq} is high, enabled and in no list register, and nobody will look at it",
              line and enabled, in_lr or owed or (cached and oracle and not active), irq)  # fmt: skip
    yield Asked(ORACLE_SOUND, f"{irq} waits for vCPU {target}, whose oracle bit is clear",
              waits, oracle, irq)  # fmt: skip
    yield Asked(ACTIVE_IN_SERVICE, f"{irq} is active, and no list register has its EOI still to be seen",
              active, any(lr & EOI for lr in used_lrs))  # fmt: skip
    yield Asked(LR_UNIQUE, f"{irq} is in {valid} list registers", valid > 0, valid == 1)
    calls = {t.function for t in scene.tasks}
    if calls & set(ENTRY[FLUSH]) and calls & set(ENTRY[INJECT]):
        full = bool(word(scene.cpu(target, "vgic_hcr")) & 2)
        kicked = bool(held(memory, Cell("", KICKED, (target,)), inputs))
        yield Asked(KICK_NOT_LOST, f"{irq} came after the flush of vCPU {target}, which was not kicked",
                  waits and cached and oracle and not full, kicked)  # fmt: skip
    if calls & {AROUND[BLOCK], WFI}:
        asleep = bool(word(scene.of_vcpu("vgicheck_waits", target)))
        yield Asked(NOBODY_SLEEPS, f"vCPU {target} sleeps, and {irq} waits for it", waits, not asleep)


def _pointers(inputs: Inputs, domain: Domain, place: Place, key: Key) -> Any:
    """Return what a pointer leads to: the registers of a CPU are those of its vCPU. Raises `Unsupported`.

    Who keeps a vCPU in a variable of the file is not in the file, and a variable that nobody sets says nothing.
    """
    if place.region == REGISTERS_OF:
        return vgic.the_vcpu(inputs)
    if place.type == Pointer(StructRef("kvm_vcpu")) and place.region not in (vgic.RUNNING, f"{vgic.KVM}.vcpus[]"):
        raise Unsupported(f"{place.region}, of which it is not known who sets it")
    return vgic.pointers(inputs, domain, place, key)


PER_CPU_ARRAYS = {"vgicheck_gich": ("u8", 0x1000)}
PRIVATE = frozenset(f"{WORLD}.{name}" for name in ("cpu", "in_interrupt", "irqs_off"))
PER_CPU = frozenset((vgic.RUNNING, "vgicheck_gich[]"))


def entry(reading: Reading, kind: str) -> str:
    """Return the function of a source that stands for one of `overlap`; it has one."""
    return next(name for name in ENTRY[kind] if name in reading.places)


def lacks(reading: Reading, *kinds: str) -> str:
    """Say which function the source lacks that has to run, in one line; nothing where it has all."""
    for kind in dict.fromkeys(kinds):
        if kind not in ENTRY:
            return f"{kind} is no function of vgic.c"
        if not any(name in reading.places for name in ENTRY[kind]):
            return f"it has no function {' or '.join(ENTRY[kind])}"
    return ""

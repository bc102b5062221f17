"""Two functions of a C source that run at the same time: what they break that neither breaks alone.

The machine is as small as the VGIC allows: a level-triggered SPI, one vCPU or two, one list register.  It is brought to
where the two functions meet by running the source's own functions one after the other; what the guest and the hardware
do in between is done to the shadow of GICH.  Then the threads take turns in every way (`vgicheck.c.interleave`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from vgicheck.c.domain import Address
from vgicheck.c.interleave import (
    LOCK_IRQ_SAFE,
    LOCKS_BALANCED,
    NO_DEADLOCK,
    Broken,
    End,
    Explored,
    Explorer,
    Move,
    Task,
    alone,
)
from vgicheck.c.ir import Call, Int, Limit, Loc, Unsupported
from vgicheck.c.memory import Given, Layout, Place
from vgicheck.c.steps import Cell
from vgicheck.c.summary import Evaluator, State
from vgicheck.check.reading import Reading
from vgicheck.engine.guards import TRUE
from vgicheck.engine.tasks import Task as Job
from vgicheck.engine.verdict import Assumption, Location, Obligation, Run, Turn, Verdict

from .bindings import vgic
from .bindings.kvm_2012 import WORLD

LEVEL_NOT_LOST, KICK_NOT_LOST = "level-not-lost", "kick-not-lost"
SENTENCES = {
    LEVEL_NOT_LOST: "a level interrupt that is high, enabled and in no list register is about to be looked at",
    KICK_NOT_LOST: "no vCPU enters the guest past something that came after its flush, without a kick",
    LOCK_IRQ_SAFE: "the handler waits for no lock that the thread holds which it interrupted",
    NO_DEADLOCK: "no threads wait for each other for ever",
    LOCKS_BALANCED: "a lock is released by who took it, and not taken twice",
    "bug-on-unreachable": "no BUG_ON fires",
    "in-bounds": "every access is inside its object",
    "no-undefined": "no step does what C leaves undefined",
}
"""What is asked of two functions, in words."""
IDS = tuple(SENTENCES)
METHOD = "every order of the steps of the C, from the states named"
LIMIT = 500_000
"""States of one scene, at the most."""
ASSUMED = (
    Assumption("accesses are seen in the order of the program, each at its full width", "the C as it is written"),
    Assumption("the maintenance interrupt comes once, and the guest does not run meanwhile", "the scene"),
)

IRQ = 34
BIT = 1 << (IRQ - 32)
DIST_BASE = 0x2C00_1000
EOI, STATE, USED_BY = 1 << 19, 3 << 28, 0x3FF
_FLUSH, _SYNC, _HANDLER, _INJECT, _MMIO = (
    "__kvm_vgic_sync_to_cpu", "__kvm_vgic_sync_from_cpu", "vgic_maintenance_handler", "kvm_vgic_inject_irq",
    "vgic_handle_mmio")  # fmt: skip
ENTRY: Mapping[str, tuple[str, ...]] = {
    _FLUSH: ("kvm_vgic_flush_hwstate", "kvm_vgic_sync_to_cpu"),
    _SYNC: ("kvm_vgic_sync_hwstate", "kvm_vgic_sync_from_cpu"),
    _HANDLER: ("vgic_maintenance_handler",),
    _INJECT: ("kvm_vgic_inject_irq",),
    _MMIO: ("vgic_handle_mmio",),
}
"""What is called from outside to run a function, the newest name first."""
KICKED = "vgicheck_kicked[]"
"""Which vCPUs were kicked."""


@dataclass(frozen=True, slots=True)
class Situation:
    """Where the interrupt has got to when the two functions meet.

    `queued`: it was injected, and put into a list register by a flush; `served`: the guest has ended it; `high`: its
    line is still high.
    """

    name: str
    queued: bool
    served: bool
    high: bool


SITUATIONS = (
    Situation(f"{IRQ} is idle, its line low", False, False, False),
    Situation(f"{IRQ} is in a list register", True, False, True),
    Situation(f"{IRQ} was served, its line is high", True, True, True),
    Situation(f"{IRQ} was served, its line is low", True, True, False),
)


@dataclass(frozen=True, slots=True)
class Access:
    """A store of the guest to the distributor: an offset from its base, so many bytes, and what they hold."""

    name: str
    offset: int
    length: int
    value: int


ACCESSES = (
    Access(f"disables {IRQ}", 0x180 + 4, 4, BIT),
    Access(f"enables {IRQ}", 0x100 + 4, 4, BIT),
    Access(f"moves {IRQ} to vCPU 1", 0x800 + IRQ, 1, 2),
)


@dataclass(slots=True)
class Scene:
    """A small machine of a source: its objects, what they hold, and the threads that are to run."""

    reading: Reading
    name: str
    layout: Layout = field(init=False)
    cells: dict[tuple[str, tuple[int, ...]], int] = field(default_factory=dict)
    memory: dict[Cell, Any] = field(default_factory=dict)
    tasks: list[Task] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.layout = Layout(self.reading.program, by_words=True)
        self._power_on()

    # Cells --------------------------------------------------------------------------------------

    def has(self, tag: str, name: str) -> bool:
        """Say whether a struct of the source has a member."""
        struct = self.reading.program.structs.get(tag)
        return struct is not None and any(f.name == name for f in struct.fields)

    def _place(self, address: Address) -> Place:
        return self.layout.place(address)

    def dist(self, *path: str | int) -> Place:
        """Return the place of a member of the distributor."""
        return self._place(Address(vgic.KVM, ("arch", "vgic", *path)))

    def cpu(self, vcpu: int, *path: str | int) -> Place:
        """Return the place of a member of a vCPU's interface."""
        return self._place(Address(vgic.VCPUS, (vcpu, "arch", "vgic_cpu", *path)))

    def waits_at(self, vcpu: int) -> Place:
        """Return the word in which a vCPU has the pending bit of the interrupt."""
        if self.has("vgic_cpu", "pending_shared"):
            return self.cpu(vcpu, "pending_shared", 0)
        return self.cpu(vcpu, "pending", 1)

    def give(self, place: Place, value: int) -> None:
        """Say what a cell holds at first."""
        self.cells[place.region, place.key] = value

    def holds(self, place: Place) -> int:
        """Return what a cell holds before the threads run."""
        known = self.memory.get(Cell("", place.region, place.key))
        return self._inputs(0, False).word(place.region, place.key, 32) if known is None else int(known)

    def put(self, place: Place, value: int) -> None:
        """Let a cell hold something else."""
        self.memory[Cell("", place.region, place.key)] = value

    def _power_on(self) -> None:
        """Two vCPUs, one list register each, the SPI enabled, level-triggered, and targeted at vCPU 0."""
        vcpus = 2
        self.cells[f"{vgic.KVM}.online_vcpus.counter", ()] = vcpus
        self.give(self.dist("enabled"), 1)
        self.give(self.dist("irq_enabled", "shared", "reg", 0), BIT)
        self.give(self.dist("irq_spi_target", 0, "shared", "reg", 0), BIT)
        self.give(self.dist("vgic_dist_base"), DIST_BASE)
        if self.has("vgic_dist", "vgic_dist_size"):
            self.give(self.dist("vgic_dist_size"), 0x1000)
        for v in range(vcpus):
            self.cells[f"{vgic.VCPUS}[].vcpu_id", (v,)] = v
            self.give(self.cpu(v, "nr_lr"), 1)
            self.give(self.cpu(v, "vgic_elrsr", 0), 1)
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
        return Given({**self.cells, **own}, leads=vgic.pointers, fill={f"{vgic.DIST}.vctrl_base?": 1})

    # Functions ----------------------------------------------------------------------------------

    def task(self, kind: str, vcpu: int, cpu: int, level: int = 0) -> Task:
        """Return the thread that runs a function, for a vCPU where it is one's, or for the device that injects."""
        name = entry(self.reading, kind)
        the_vcpu = Address(vgic.VCPUS, (vcpu,))
        args: tuple[Any, ...] = (the_vcpu,)
        if kind == _HANDLER:
            args = (0, Address(vgic.RUNNING))
        elif kind == _INJECT:
            args = (Address(vgic.KVM), 0, IRQ, level)
        elif kind == _MMIO:
            args = (the_vcpu, Address("vgicheck_run"), Address("vgicheck_mmio"))
        number = len(self.tasks) + 1
        inputs = self._inputs(vcpu, kind == _HANDLER)
        return Task(number, f"thread {number}", name, args, cpu, kind == _HANDLER, inputs, PRIVATE, PER_CPU,
                    f"{WORLD}.irqs_off")  # fmt: skip

    def run(self, kind: str, level: int = 0) -> None:
        """Run a function by itself, for vCPU 0."""
        task = self.task(kind, 0, 0, level)
        self.memory = dict(alone(self.reading.program, self.reading.others, task, GIVEN, self.memory))

    def leave_guest(self, served: bool) -> None:
        """Do what the guest and the world switch do: the guest ends the interrupt or not, GICH is saved."""
        lr, pending = self.cpu(0, "vgic_lr", 0), 0
        word = self.holds(lr)
        if served:
            word &= ~STATE
            self.put(lr, word)
        pending = int(bool(word & EOI) and not word & STATE)
        self.put(self.cpu(0, "vgic_eisr", 0), pending)
        self.put(self.cpu(0, "vgic_misr"), pending)
        self.put(self.cpu(0, "vgic_elrsr", 0), int(not word & (STATE | EOI)))

    def explore(self, limit: int, all_cuts: bool = False) -> Explored:
        """Let the threads take turns in every way."""
        reading = self.reading
        explorer = Explorer(reading.program, reading.others, self.tasks, GIVEN, self.memory, all_cuts)
        return explorer.explore(self.ask, limit)

    def ask(self, read: Callable[[str, tuple[int, ...]], int]) -> Iterator[End]:
        """Ask what must hold when all threads have ended."""

        def word(place: Place) -> int:
            return read(place.region, place.key)

        target = word(self.dist("irq_spi_cpu", IRQ - 32))
        line = bool(word(self.dist("irq_state", "shared", "reg", 0)) & BIT)
        enabled = bool(word(self.dist("irq_enabled", "shared", "reg", 0)) & BIT)
        active = bool(word(self.dist("irq_active", "shared", "reg", 0)) & BIT)
        oracle = word(self.dist("irq_pending_on_cpu"))
        in_lr = owed = False
        for v in range(2):
            lr, used = word(self.cpu(v, "vgic_lr", 0)), word(self.cpu(v, "lr_used", 0)) & 1
            named = bool(used) and lr & USED_BY == IRQ
            in_lr |= named and bool(lr & STATE)
            owed |= named and active and bool(lr & EOI) and bool(word(self.cpu(v, "vgic_eisr", 0)) & 1)
        waits = bool(word(self.waits_at(target)) & BIT) and bool(oracle >> target & 1)
        yield End(LEVEL_NOT_LOST, f"{IRQ} is high, enabled and in no list register, and nobody will look at it",
                  line and enabled, in_lr or owed or waits)  # fmt: skip
        full = bool(word(self.cpu(target, "vgic_hcr")) & 2)
        flushes = [t for t in self.tasks if t.function in ENTRY[_FLUSH]]
        injects = any(t.function in ENTRY[_INJECT] for t in self.tasks)
        if flushes and injects:
            kicked = bool(read(KICKED, (target,)))
            yield End(KICK_NOT_LOST, f"{IRQ} came after the flush of vCPU {target}, which was not kicked",
                      line and enabled and not in_lr and waits and not full, kicked)  # fmt: skip


PRIVATE = frozenset(f"{WORLD}.{name}" for name in ("cpu", "in_interrupt", "irqs_off"))
PER_CPU = frozenset((vgic.RUNNING, "vgicheck_gich[]"))


def _kick(e: Evaluator, state: State, args: Sequence[Any], call: Call) -> Any:
    """`kvm_vcpu_kick(vcpu)`: it is told that the vCPU was kicked."""
    vcpu = args[0]
    if not isinstance(vcpu, Address) or vcpu.object != vgic.VCPUS:
        raise Unsupported("a kick of a vCPU of which nothing is known", call.loc)
    state.memory.put(Place(KICKED, vcpu.path[:1], Int(32, True), (8,), object=KICKED), vcpu.path[:1], 1, TRUE)
    return 0


GIVEN = {"kvm_vcpu_kick": _kick}


def scenes(reading: Reading, one: str, two: str) -> Iterator[Scene]:
    """Yield the machines in which two functions, by the names of `overlap`, meet. Raises `Unsupported`."""
    for situation in SITUATIONS:
        for access in ACCESSES if _MMIO in (one, two) else (None,):
            scene = Scene(reading, situation.name + (f"; the guest {access.name}" if access else ""))
            if situation.queued:
                scene.run(_INJECT, 1)
                scene.run(_FLUSH)
                scene.leave_guest(situation.served)
                if not situation.high:
                    scene.run(_INJECT, 0)
                if _SYNC not in (one, two):
                    scene.run(_SYNC)
            if access is not None:
                _store(scene, access)
            scene.memory.pop(Cell("", KICKED, (0,)), None)
            _cast(scene, one, two, 0 if situation.high else 1)
            yield scene


def entry(reading: Reading, kind: str) -> str:
    """Return the function of a source that is called for a kind; it has one."""
    return next(name for name in ENTRY[kind] if name in reading.places)


def missing(reading: Reading, one: str, two: str) -> str:
    """Say which function the source lacks that has to run, in one line; nothing where it has all."""
    for kind in dict.fromkeys((one, two, _INJECT, _FLUSH, _SYNC)):
        if kind not in ENTRY:
            return f"{kind} is no function of vgic.c"
        if not any(name in reading.places for name in ENTRY[kind]):
            return f"it has no function {' or '.join(ENTRY[kind])}"
    return "a handler does not interrupt itself" if one == two == _HANDLER else ""


def _cast(scene: Scene, one: str, two: str, level: int) -> None:
    """Put the threads on their CPUs: what is done for a vCPU, the handler that interrupts it, the device elsewhere."""
    for kind in sorted((one, two), key=lambda k: (k in (_HANDLER, _INJECT), k == _INJECT)):
        taken = {task.cpu for task in scene.tasks if not task.in_interrupt}
        if kind == _HANDLER:
            scene.tasks.append(scene.task(kind, 0, 0))
        else:
            cpu = 1 if kind == _INJECT and 1 not in taken else min({0, 1} - taken)
            scene.tasks.append(scene.task(kind, cpu if kind != _INJECT else 0, cpu, level))
            level = 1 - level if kind == _INJECT else level


def _store(scene: Scene, access: Access) -> None:
    mmio = "vgicheck_mmio"
    for name, value in (("phys_addr", DIST_BASE + access.offset), ("len", access.length), ("is_write", 1)):
        scene.cells[f"{mmio}.{name}", ()] = value
    for n in range(4):
        scene.cells[f"{mmio}.data[]", (n,)] = access.value >> (8 * n) & 0xFF


# Obligations --------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Judged:
    """What all scenes showed: the first run that breaks a property, what was met, and why more is not known.

    `in_turn` has runs of scenes in which the functions break it one after the other as well.
    """

    broken: dict[str, tuple[Scene, Broken]] = field(default_factory=dict)
    in_turn: dict[str, tuple[Scene, Broken]] = field(default_factory=dict)
    met: set[str] = field(default_factory=set)
    scenes: dict[str, None] = field(default_factory=dict)
    states: int = 0
    handled: bool = False
    meet: bool = False
    cut: str = ""
    trouble: Unsupported | None = None


def between_task(
    reading: Reading, path: str, text: str, one: str, two: str, names: Sequence[str], limit: int, all_cuts: bool = False
) -> Job:
    """Return the task of asking what two functions of a source break, by the names of `overlap`.

    `path` is the source's file, and `text` tells one reading from another.
    """
    subject = f"{entry(reading, one)} | {entry(reading, two)}"

    def run() -> Iterator[Obligation]:
        judged = _judged(reading, one, two, names, limit, all_cuts)
        for name in names:
            yield _obligation(name, subject, judged, path)

    return Job(("c-race", text, one, two, str(limit), *names), tuple((n, subject) for n in names), run)


def _judged(reading: Reading, one: str, two: str, names: Sequence[str], limit: int, all_cuts: bool) -> _Judged:
    judged = _Judged()
    try:
        for scene in scenes(reading, one, two):
            judged.scenes.update(dict.fromkeys(scene.name.split("; ")))
            seen = scene.explore(limit, all_cuts)
            for name, broken in seen.broken.items():
                where = judged.in_turn if name in seen.in_turn else judged.broken
                where.setdefault(name, (scene, broken))
            judged.met |= seen.met
            judged.states += seen.states
            judged.meet |= seen.meet
            judged.handled |= any(task.in_interrupt for task in scene.tasks)
            judged.cut = judged.cut or (f"{scene.name}: {seen.ended}" if seen.ended else "")
    except Unsupported as cause:
        judged.trouble = cause
    return judged


def _obligation(name: str, subject: str, judged: _Judged, path: str) -> Obligation:
    found = Obligation(name, subject, Verdict.PROVED, METHOD, assumptions=ASSUMED)
    if name in judged.broken or name in judged.in_turn:
        scene, broken = judged.broken.get(name) or judged.in_turn[name]
        fault = broken.fault
        without = "" if name in judged.broken else "without any overlap: "
        found.verdict, found.reason = Verdict.REFUTED, f"{without}{broken.sentence}"
        found.location = Location(fault.file, fault.line) if fault else None
        found.run = _shown(scene, broken, path)
        return found
    if judged.trouble is not None:
        limited = isinstance(judged.trouble, Limit)
        found.verdict = Verdict.UNKNOWN if limited else Verdict.UNSUPPORTED
        found.reason, loc = judged.trouble.construct, judged.trouble.loc
        found.location = Location(loc.file, loc.line) if loc else None
    elif judged.cut:
        found.verdict, found.reason = Verdict.UNKNOWN, judged.cut
    elif not judged.meet:
        found.verdict, found.reason = Verdict.VACUOUS, "neither touches what the other writes"
    elif name in (LEVEL_NOT_LOST, KICK_NOT_LOST) and name not in judged.met:
        found.verdict, found.reason = Verdict.VACUOUS, "nothing that it speaks of is there when both have ended"
    elif name == LOCK_IRQ_SAFE and not judged.handled:
        found.verdict, found.reason = Verdict.VACUOUS, "no handler runs here"
    else:
        found.bounds = f"2 vCPUs, SPI {IRQ}, 1 list register; {'; '.join(judged.scenes)}; all {judged.states} states"
    return found


def _shown(scene: Scene, broken: Broken, path: str) -> Run:
    """Return a run as it is printed: the lines of the source that meet, by the CPU on which they run."""
    turns: list[Turn] = []
    last: tuple[int, Loc] | None = None
    speaker = -1
    for move in _told(scene, broken):
        task = scene.tasks[move.task]
        loc = next((loc for loc in reversed(move.at) if loc.file == path), move.at[-1])
        if last == (move.task, loc):
            continue
        last = move.task, loc
        if move.task != speaker:
            turns.append(Turn(task.function, (), f"CPU{task.cpu}", f"{task.function}()"))
            speaker = move.task
        text = scene.reading.lines.get((loc.file, loc.line), "").strip()
        turns.append(Turn(task.function, (loc.line,), f"CPU{task.cpu}", f"  {loc.line}: {text}"))
    return Run(
        broken.sentence,
        replayed=("python",),
        turns=tuple(turns),
        ends=(broken.sentence,),
        instance=f"2 vCPUs, SPI {IRQ}, 1 list register",
        start=scene.name,
        fault=Location(broken.fault.file, broken.fault.line) if broken.fault else None,
    )


def _told(scene: Scene, broken: Broken) -> Iterator[Move]:
    """Yield the steps that matter: on what another thread writes or, after it was written, reads; locks; the last."""
    by: dict[Cell, set[int]] = {}
    written: dict[Cell, set[int]] = {}
    for move in broken.moves:
        for cell, _ in (*move.reads, *move.writes):
            by.setdefault(cell, set()).add(move.task)
        for cell, _ in move.writes:
            written.setdefault(cell, set()).add(move.task)
    for move in broken.moves:
        cells = {cell for cell, _ in (*move.reads, *move.writes)}
        meets = any(
            len(by[c]) > 1 and (written.get(c, set()) - {move.task} or any(c == w for w, _ in move.writes))
            for c in cells
        )
        locks = any(c.region.endswith(".held") for c in cells)
        if move.at and (meets or locks or move is broken.moves[-1]):
            yield move

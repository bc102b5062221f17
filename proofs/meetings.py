"""What comes of threads of C that meet in small machines: verdicts, and runs as they are printed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from properties import catalogue
from vgicheck.c.confirm import told
from vgicheck.c.core import NoCore, core
from vgicheck.c.interleave import LOCK_IRQ_SAFE, LOCKS_BALANCED, NO_DEADLOCK, Broken, Every, Move
from vgicheck.c.ir import Limit, Loc, Unsupported
from vgicheck.c.steps import Cell
from vgicheck.check.reading import Reading
from vgicheck.engine.litmus import herd7
from vgicheck.engine.verdict import Assumption, Core, Location, Obligation, Run, Turn, Verdict

from .instances import AT
from .scenes import (
    ACTIVE_IN_SERVICE,
    KICK_NOT_LOST,
    LEVEL_NOT_LOST,
    LR_UNIQUE,
    NOBODY_SLEEPS,
    ORACLE_SOUND,
    SMALL,
    Extent,
    Scene,
)

AT_AN_END: Mapping[str, str] = {
    LEVEL_NOT_LOST: catalogue.SENTENCES[LEVEL_NOT_LOST],
    KICK_NOT_LOST: "no vCPU enters the guest past something that came after its flush, without a kick",
    ORACLE_SOUND: catalogue.SENTENCES[ORACLE_SOUND],
    ACTIVE_IN_SERVICE: catalogue.SENTENCES[ACTIVE_IN_SERVICE],
    LR_UNIQUE: "no interrupt is in two list registers",
    NOBODY_SLEEPS: "no vCPU sleeps on something that waits for it",
}
"""What is asked where all threads have ended, in words."""
ALWAYS: Mapping[str, str] = {
    LOCK_IRQ_SAFE: "the handler waits for no lock that the thread holds which it interrupted",
    NO_DEADLOCK: "no threads wait for each other for ever",
    LOCKS_BALANCED: "a lock is released by who took it, and not taken twice",
    "bug-on-unreachable": "no BUG_ON fires",
    "in-bounds": "every access is inside its object",
    "no-undefined": "no step does what C leaves undefined",
}
"""What is asked of every step, in words."""
SENTENCES = {**AT_AN_END, **ALWAYS}
IDS = tuple(SENTENCES)
ANY_OTHER, EVERY_ORDER = "any other step", "the first step"
"""What stands for the steps that break nothing, and for one from which on no order keeps it."""
METHOD = "every order of the steps of the C, from the states named"
LIMIT = 500_000
"""States of one scene, at the most."""
HOW_WRITTEN = (
    "A process is a CPU; a handler stands where it came in the run, on the CPU that it interrupts.",
    "A set_bit() and its like is an exchange with what the run found there.",
)
"""What is to be known of the core of a run."""
OF_A_PATCH = Assumption("what the patch does not show is as in October 2012", "C of ours, proofs/bindings/rest_2012.c")
ASSUMED = (
    Assumption("accesses are seen in the order of the program, each at its full width", "the C as it is written"),
    Assumption("the maintenance interrupt comes once, and the guest does not run meanwhile", "the scene"),
)


@dataclass(frozen=True, slots=True)
class Source:
    """A C source that is run step by step.

    path     its file, as `reading` names it
    text     tells one reading from another
    limit    states of one scene, at the most
    assumed  what is taken for granted of all that is run
    lrs      list registers of a vCPU; None for as many as a question is asked of by itself
    extent   how many vCPUs and interrupts the machines have
    litmus   whether the core of a run is wanted too
    native   whether refutations are replayed in compiled C as well, which runs code of the source
    """

    reading: Reading
    path: str
    text: str
    limit: int = LIMIT
    assumed: tuple[Assumption, ...] = ASSUMED
    native: bool = False
    lrs: int | None = None
    litmus: bool = False
    extent: Extent = SMALL

    @property
    def how(self) -> tuple[str, ...]:
        """How it is run, beside what."""
        return str(self.limit), str(self.native), str(self.lrs), str(self.litmus), str(self.extent)


@dataclass(slots=True)
class Met:
    """What all scenes showed: the first run that breaks a property, what was met, and why more is not known.

    `in_turn` has runs of scenes in which the threads break it one after the other as well.  `causes` has the shortest
    run for each step from which on a property fails in every order, where `every` asks for one.
    """

    broken: dict[str, tuple[Scene, Broken]] = field(default_factory=dict)
    in_turn: dict[str, tuple[Scene, Broken]] = field(default_factory=dict)
    met: set[str] = field(default_factory=set)
    causes: dict[str, tuple[Scene, Broken]] = field(default_factory=dict)
    scenes: dict[str, None] = field(default_factory=dict)
    states: int = 0
    lrs: int = 0
    extent: Extent = SMALL
    handled: bool = False
    meet: bool = False
    cut: str = ""
    trouble: Unsupported | None = None

    @classmethod
    def of(
        cls,
        scenes: Iterable[Scene],
        limit: int,
        all_cuts: bool = False,
        believed: frozenset[str] = frozenset(),
        every: str = "",
    ) -> Met:
        """Run every state of one scene after the other, as `Scene.explore` does; look for each cause of `every`."""
        met = cls()
        try:
            for scene in scenes:
                met._add(scene, limit, all_cuts, believed, every)
        except Unsupported as cause:
            met.trouble = cause
        return met

    def _add(self, scene: Scene, limit: int, all_cuts: bool, believed: frozenset[str], every: str) -> None:
        seen = scene.explore(limit, all_cuts, believed, Every(every, partial(_named, scene)) if every else None)
        for step, run in seen.causes.items():
            _, known = self.causes.get(step, (scene, run))
            if known is run or len(run.moves) < len(known.moves):
                self.causes[step] = scene, run
        self.scenes.update(dict.fromkeys(scene.name.split("; ")))
        for name, broken in seen.broken.items():
            where = self.in_turn if name in seen.in_turn else self.broken
            where.setdefault(name, (scene, broken))
        self.met |= seen.met
        self.states += seen.states
        self.lrs, self.extent = max(self.lrs, scene.lrs), scene.extent
        self.meet |= seen.meet
        self.handled |= any(task.in_interrupt for task in scene.tasks)
        self.cut = self.cut or (f"{scene.name}: {seen.ended}" if seen.ended else "")

    def obligation(self, name: str, subject: str, source: Source) -> Obligation:
        """Return the verdict on one thing that was asked of a source."""
        if name in self.broken or name in self.in_turn:
            scene, broken = self.broken.get(name) or self.in_turn[name]
            without = "" if name in self.broken else "without any overlap: "
            return _refuted(name, subject, scene, broken, without, source)
        found = Obligation(name, subject, Verdict.PROVED, METHOD, assumptions=source.assumed)
        if self.trouble is not None:
            limited = isinstance(self.trouble, Limit)
            found.verdict = Verdict.UNKNOWN if limited else Verdict.UNSUPPORTED
            found.reason, loc = self.trouble.construct, self.trouble.loc
            found.location = Location(loc.file, loc.line) if loc else None
        elif self.cut:
            found.verdict, found.reason = Verdict.UNKNOWN, self.cut
        elif name not in ALWAYS and name not in self.met:
            found.verdict, found.reason = Verdict.VACUOUS, "nothing that it speaks of happens here"
        elif name == LOCK_IRQ_SAFE and not self.handled:
            found.verdict, found.reason = Verdict.VACUOUS, "no handler runs here"
        else:
            found.bounds = f"{self.machine}; {'; '.join(self.scenes)}; all {self.states} states"
        return found

    def each_cause(self, name: str, subject: str, source: Source) -> Iterator[Obligation]:
        """Yield whether the steps found are all that break a property, and of each of them its run."""
        rest = replace(self, broken={}, in_turn={}).obligation(name, subject, source)
        yield replace(rest, property=f"{name}{AT}{ANY_OTHER}")
        for step, (scene, broken) in sorted(self.causes.items(), key=lambda item: len(item[1][1].moves)):
            found = _refuted(name, subject, scene, broken, "", source)
            yield replace(found, property=f"{name}{AT}{step or EVERY_ORDER}")

    @property
    def machine(self) -> str:
        """How large the machines were."""
        return ("" if self.extent == SMALL else "up to ") + machine(self.lrs, self.extent)


def _refuted(name: str, subject: str, scene: Scene, broken: Broken, without: str, source: Source) -> Obligation:
    """Return the verdict on what a run breaks; `without` is said before its sentence."""
    fault = broken.fault
    found = Obligation(
        name,
        subject,
        Verdict.REFUTED,
        METHOD,
        assumptions=source.assumed,
        reason=f"{without}{broken.sentence}",
        location=Location(fault.file, fault.line) if fault else None,
        run=_shown(scene, broken, source.path),
        core=_core(subject, name, scene, broken, source.path) if source.litmus else None,
    )
    return told(found, scene.natively(broken, name in AT_AN_END)) if source.native else found


def _named(scene: Scene, move: Move) -> str:
    """Call a step by its function and its line; one that nobody sees by the thread's function."""
    function = scene.function_at(move.at[0]) if move.at else ""
    if not function:
        return scene.tasks[move.task].function
    return f"{function}:{_told_at(scene, move, move.at[0].file).line}"


def machine(lrs: int, extent: Extent) -> str:
    """Say how large a machine is."""
    spis = f"SPI{'s' if extent.irqs > 1 else ''} {', '.join(map(str, extent.raised))}"
    return f"{extent.vcpus} vCPUs, {spis}, {lrs} list register{'s' if lrs > 1 else ''}"


def _shown(scene: Scene, broken: Broken, path: str) -> Run:
    """Return a run as it is printed: the lines of the source that meet, by the CPU on which they run."""
    turns: list[Turn] = []
    last: tuple[int, Loc] | None = None
    speaker: tuple[int, str] | None = None
    for move in _told(scene, broken):
        task = scene.tasks[move.task]
        loc = _told_at(scene, move, path)
        if last == (move.task, loc):
            continue
        last = move.task, loc
        function = scene.function_at(move.at[0]) or task.function
        if speaker != (move.task, function):
            turns.append(Turn(function, (), f"CPU{task.cpu}", f"{function}()"))
            speaker = move.task, function
        text = scene.reading.lines.get((loc.file, loc.line), "").strip()
        where = loc.line if loc.file == path else loc
        turns.append(Turn(function, (loc.line,), f"CPU{task.cpu}", f"  {where}: {text}"))
    return Run(
        broken.sentence,
        replayed=("python",),
        turns=tuple(turns),
        ends=(broken.sentence,),
        instance=machine(scene.lrs, scene.extent),
        start=scene.name,
        fault=Location(broken.fault.file, broken.fault.line) if broken.fault else None,
    )


def _core(subject: str, name: str, scene: Scene, broken: Broken, path: str) -> Core:
    """Return the core of a run for herd7, or why it has none."""
    if name not in AT_AN_END:
        return Core(missing="it fails at a step, and not where all threads have ended")

    def where(move: Move) -> str:
        loc = _told_at(scene, move, path)
        function = scene.function_at(loc) or scene.tasks[move.task].function
        return f"{loc.file.rpartition('/')[2]}:{loc.line}, {function}()"

    try:
        litmus = core(subject, broken, scene.tasks, scene.first, where)
    except NoCore as cause:
        return Core(missing=str(cause))
    return Core(herd7(litmus, (f"{path}: {broken.sentence}", f"at first {scene.name}", *HOW_WRITTEN)))


def _told_at(scene: Scene, move: Move, path: str) -> Loc:
    """Return the line by which a step is told: the innermost of the file, else of what was read with it."""
    inner = tuple(reversed(move.at))
    read = [loc for loc in inner if (loc.file, loc.line) in scene.reading.lines]
    return next((loc for loc in inner if loc.file == path), read[0] if read else inner[0])


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

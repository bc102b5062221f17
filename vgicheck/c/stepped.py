"""Runs of threads that take turns, made again in compiled 32-bit C, which stops where the run's threads stop.

The source is compiled to tell of its accesses; what one thread does between two that others may see is gcc's, the order
is the run's.  Every cell must hold in the end what the run left there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from . import lvalues
from .confirm import LIMITS, SECONDS, Outcome
from .domain import Address, Null
from .interleave import Broken, Move, Task
from .ir import Pointer, Unsupported
from .memory import Layout
from .native import ASTRAY, NativeError, NativeResult, compile_unit
from .replay import UNDEFINED
from .steps import Cell

TURNS = "vgicheck_the_turns"


@dataclass(frozen=True, slots=True)
class Around:
    """What stands around threads in C.

    text      the source as it was read, with the macros `defines`
    own       the C lvalues of which each thread has its own, with what it holds at first, by thread
    per_cpu   the C arrays of which each CPU has one, with the type of an element and the length
    """

    text: str
    defines: Mapping[str, str]
    own: Mapping[str, Sequence[str]]
    per_cpu: Mapping[str, tuple[str, int]]


@dataclass(slots=True)
class Replayed:
    """A run as C repeats it; see `outcome`."""

    layout: Layout
    tasks: Sequence[Task]
    start: Mapping[Cell, Any]
    around: Around
    broken: Broken
    _opaque: dict[str, int] = field(default_factory=dict)

    def outcome(self, ends: bool) -> Outcome:
        """Make the run again in compiled C, in the sandbox of `native`; `ends` says that all threads end in it."""
        if self.broken.trap.startswith(UNDEFINED):
            return Outcome(unconfirmed="what the run does is undefined in C")
        try:
            result, left = self._run()
        except (NativeError, Unsupported) as error:
            return Outcome(unconfirmed=str(error))
        if result.trap == ASTRAY:
            return Outcome(unconfirmed="gcc makes the accesses in another order than the run")
        if result.trap in LIMITS:
            return Outcome(unconfirmed=result.trap or "")
        if (result.trap or "") != self.broken.trap:
            seen = f"ends with `{result.trap}`" if result.trap else "goes on"
            return Outcome(differs=f"compiled C {seen}, where the run ends with `{self.broken.trap or 'nothing'}`")
        if result.trap:
            return Outcome()
        ended, *values = result.values
        if ends and ended != (1 << len(self.tasks)) - 1:
            return Outcome(differs="a thread has not ended in compiled C")
        for (expression, value), word in zip(left, values, strict=True):
            if word != value:
                return Outcome(differs=f"compiled C leaves {word:#x} in {expression}, the run {value:#x}")
        return Outcome()

    def _run(self) -> tuple[NativeResult, list[tuple[str, int]]]:
        left = list(self._left())
        inputs = dict(self._inputs())
        with compile_unit(
            "\n".join((self.around.text, *self._behind())),
            list(inputs),
            f"vgicheck_result = vgicheck_take(&{TURNS})",
            ["vgicheck_result", *(expression for expression, _ in left)],
            reset=", ".join(f"{lvalue} = {to}" for lvalue, to in self._pointers()) or None,
            optimise=0,
            defines={**self.around.defines, "VGICHECK_NATIVE": "1"},
            tells=True,
            seconds=SECONDS,
        ) as program:
            return program.run(list(inputs.values())), left

    # Cells as C has them ------------------------------------------------------------------------

    def _inputs(self) -> Iterator[tuple[str, int]]:
        """Yield the words that the run starts from, those that others may have too."""
        first: dict[Cell, Any] = {
            Cell("", region, key): value
            for task in self.tasks
            for (region, key), value in (*task.inputs.touched.items(), *task.inputs.cells.items())
            if not task.owner(region)
        }
        for cell, value in {**first, **self.start}.items():
            if not cell.owner and isinstance(value, int) and (found := self._target(cell)) is not None:
                yield found.lvalue, value & (1 << found.bits) - 1

    def _pointers(self) -> Iterator[tuple[str, str]]:
        """Yield the pointers that were followed, and where they lead. Raises Unsupported where threads do not agree."""
        found: dict[str, str] = {}
        for task in self.tasks:
            for (region, key), leads in task.inputs.followed.items():
                lvalue = None if task.owner(region) else lvalues.pointer(self.layout, region, key)
                if lvalue is not None and found.setdefault(lvalue, self._value(leads)) != self._value(leads):
                    raise Unsupported(f"{region} leads each thread elsewhere")
        for cell, value in self.start.items():
            if not cell.owner and isinstance(value, Address | Null):
                lvalue = lvalues.pointer(self.layout, cell.region, cell.key)
                if lvalue is not None:
                    found[lvalue] = self._value(value)
        yield from found.items()

    def _left(self) -> Iterator[tuple[str, int]]:
        """Yield an expression for each cell that the run leaves something in, and its value; a lock is held or not."""
        for cell, value in self.broken.left.items():
            if cell.owner or not isinstance(value, int) or (found := self._target(cell)) is None:
                continue
            if cell.is_lock:
                yield f"!!{found.lvalue}", int(bool(value))
            else:
                yield f"{found.lvalue} & {(1 << found.bits) - 1:#x}ULL", value & (1 << found.bits) - 1

    def _target(self, cell: Cell) -> lvalues.Target | None:
        """Find a word; None for what only the surroundings have, and for a pointer."""
        if not cell.region.split(".")[0].split("[")[0].isidentifier():
            return None
        place = self.layout.kinds.get(cell.region)
        if place is not None and isinstance(place.type, Pointer):
            return None
        try:
            return lvalues.target(self.layout, cell.region, cell.key)
        except Unsupported:
            return None

    def _value(self, found: Any) -> str:
        return lvalues.value(found, self._opaque)

    def _address(self, cell: Cell) -> str:
        found = self._target(cell)
        lvalue = found.lvalue if found is not None else lvalues.pointer(self.layout, cell.region, cell.key)
        if lvalue is None:
            raise Unsupported(f"{cell.region}, which C does not name")
        return f"(unsigned long)&{lvalue}"

    # What stands behind the source ------------------------------------------------------------------

    def _behind(self) -> Iterator[str]:
        """Yield the C of the threads, of what each has for itself, and of their turns."""
        cpus = sorted({task.cpu for task in self.tasks})
        names = []
        for n, task in enumerate(self.tasks):
            names.append(f"vgicheck_thread_{n}")
            yield f"static void {names[-1]}(void) {{ {task.function}({', '.join(map(self._value, task.args))}); }}"
        swaps = []
        for n, (lvalue, values) in enumerate(self.around.own.items()):
            yield f"static typeof({lvalue}) vgicheck_own_{n}[] = {{ {', '.join(values)} }};"
            swaps.append((lvalue, f"vgicheck_own_{n}[thread]"))
        for name, (element, length) in self.around.per_cpu.items():
            yield f"static {element} vgicheck_of_cpu_{name}[{len(cpus)}][{length}];"
        where = ", ".join(str(cpus.index(task.cpu)) for task in self.tasks)
        yield f"static const int vgicheck_cpu_of[] = {{ {where} }};"
        yield "static void vgicheck_own(unsigned int thread, int in)\n{\n\tint cpu = vgicheck_cpu_of[thread], n;"
        yield "\tif (in) {"
        yield from (f"\t\t{lvalue} = {copy};" for lvalue, copy in swaps)
        yield "\t} else {"
        yield from (f"\t\t{copy} = {lvalue};" for lvalue, copy in swaps)
        yield "\t}"
        for name, (_, length) in self.around.per_cpu.items():
            own = f"vgicheck_of_cpu_{name}[cpu][n]"
            yield f"\tfor (n = 0; n < {length}; n++)\n\t\tif (in) {name}[n] = {own}; else {own} = {name}[n];"
        yield "}"
        cuts = [f"{address}, {threads:#x}" for address, threads in self._cuts()]
        moves = [self._move(move) for move in self.broken.moves]
        yield _table("struct vgicheck_cut vgicheck_cuts", cuts)
        yield _table("struct vgicheck_move vgicheck_moves", moves)
        yield f"static void (*const vgicheck_threads[])(void) = {{ {', '.join(names)} }};"
        turns = f"{len(cuts)}, {len(moves)}, vgicheck_cuts, vgicheck_moves, vgicheck_threads, vgicheck_own"
        yield f"static const struct vgicheck_turns {TURNS} = {{ {turns} }};"

    def _cuts(self) -> Iterator[tuple[str, int]]:
        """Yield the address of each cell at which threads stop, and which do, by bits."""
        stops: dict[str, int] = {}
        handled = {task.cpu for task in self.tasks if task.in_interrupt}
        for n, task in enumerate(self.tasks):
            cells = [c for c in self.broken.visible if c.owner == task.owner(c.region) and c.region != task.irqs_off]
            if task.cpu in handled:
                cells.append(Cell(task.name, task.irqs_off, ()))
            for cell in cells:
                address = self._address(cell)
                stops[address] = stops.get(address, 0) | 1 << n
        yield from stops.items()

    def _move(self, move: Move) -> str:
        if move.waits is not None:
            return f"{move.task}, {self._address(move.waits)}, 0, 0"
        cells = dict.fromkeys(cell for cell, _ in (*move.reads, *move.writes))
        if not cells:
            return f"{move.task}, 0, 0, 0"
        return f"{move.task}, {self._address(next(iter(cells)))}, {int(bool(move.reads))}, {int(bool(move.writes))}"


def _table(name: str, rows: Sequence[str]) -> str:
    return f"static const {name}[] = {{ {', '.join(f'{{ {row} }}' for row in rows)} }};"

"""A thread of C, one access to shared state at a time.

A function's control-flow program is run over plain numbers and stopped before each access that others may see: a load,
a store, an atomic operation, a lock, interrupts switched on or off.  What is between two of them only the thread itself
can tell, and goes with the first.  So `x |= y` is two steps, set_bit one, and a region under a lock as many as it has
accesses: nothing is merged.

Operands are evaluated from left to right, each access that the source writes is made once and at its full width, and
accesses of one thread are seen in its order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from ..engine.guards import FALSE, TRUE
from ..engine.maps import Key
from .domain import UNINITIALISED, Address
from .flow import shape
from .intrinsics import INTRINSICS, bitmaps, is_scalar
from .ir import Assign, Branch, Call, Goto, Int, Limit, Loc, Local, Member, Program, Return, Unsupported, bits_of
from .loops import registers
from .memory import EXPIRED, INDEX, Given, Memory, Place, belongs_to, is_local
from .summary import Claim, Evaluator, Intrinsic, State

MOST_INSTRUCTIONS = 20_000
"""Instructions of one step, at the most."""
WORD = 32
ATOMIC = ("set_bit", "clear_bit", "change_bit", "test_and_set_bit", "test_and_clear_bit", "readl", "writel")
"""The intrinsics that are one access; of the others each read and write is one."""
HELD = "held"
"""The field of a lock that says who holds it."""
BARRIERS = {"smp_mb": "smp_mb", "smp_rmb": "smp_rmb", "smp_wmb": "smp_wmb", "mb": "smp_mb", "rmb": "smp_rmb",
            "wmb": "smp_wmb"}  # fmt: skip
"""The barriers of our stubs, each with the one that CPUs know among themselves."""


class Cell(NamedTuple):
    """A scalar that others may see; one that each CPU or thread has for itself names its `owner`, else that is ''."""

    owner: str
    region: str
    key: Key

    @property
    def is_lock(self) -> bool:
        """Whether it says who holds a lock."""
        return self.region.endswith(f".{HELD}")


class Surroundings(Protocol):
    """What a thread knows of where it runs."""

    @property
    def number(self) -> int:
        """Its place among all threads, from 1: what a lock that it takes holds."""

    @property
    def inputs(self) -> Given:
        """What the objects hold before anything has run."""

    @property
    def in_interrupt(self) -> bool:
        """Whether it is an interrupt handler."""

    def owner(self, region: str) -> str:
        """Return whose copy of a region it sees, '' where there is only one."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A running function: where it is, and its scalars. `site` is the line that called it."""

    function: str
    block: int
    index: int
    locals: tuple[tuple[str, Any], ...]
    site: Loc


@dataclass(frozen=True, slots=True)
class Control:
    """All that a thread knows by itself.

    frames    the functions that run, the outermost first; none when it has ended
    cells     the locals that are in memory, by region and key
    log       what the accesses of the instruction at hand gave so far
    returned  what the call at hand returned, if it did
    """

    frames: tuple[Frame, ...]
    cells: tuple[tuple[tuple[str, Key], Any], ...] = ()
    log: tuple[Any, ...] = ()
    returned: tuple[Any, ...] = ()

    @property
    def ended(self) -> bool:
        """Whether the thread has run to its end."""
        return not self.frames


@dataclass(slots=True)
class Step:
    """What became of a step.

    after    where the thread stands then; None if what it does from here on has no meaning
    reads    the cells that it read before it wrote them, with what they held, in order
    writes   what it leaves in which cells
    touched  every cell that it read or wrote, and whether it wrote it
    failed   the claims that do not hold in it
    waits    the lock that it could not take: no step was made
    at       the lines of the access that others may see, from that of the outermost function, and `seen` its cells
    by       the intrinsic that made it, where it is one, and `barriers` what came between it and the next
    """

    after: Control | None
    reads: tuple[tuple[Cell, Any], ...] = ()
    writes: Mapping[Cell, Any] = field(default_factory=dict)
    touched: Mapping[Cell, bool] = field(default_factory=dict)
    failed: tuple[Claim, ...] = ()
    waits: Cell | None = None
    at: tuple[Loc, ...] = ()
    seen: tuple[Cell, ...] = ()
    by: str = ""
    barriers: tuple[str, ...] = ()


class _Paused(Exception):
    """The next access belongs to the next step."""


class _Waits(Exception):
    """A lock is held."""

    def __init__(self, cell: Cell) -> None:
        super().__init__()
        self.cell = cell


class _Entered(Exception):
    """A function of the program is called."""

    def __init__(self, name: str, args: Sequence[Any]) -> None:
        super().__init__()
        self.name, self.args = name, tuple(args)


@dataclass(slots=True)
class _Frame:
    """A frame that runs."""

    function: str
    block: int
    index: int
    locals: dict[str, Any]
    site: Loc


class _Accesses(Memory):
    """The memory as one step sees it: each access is made once, and again only told from the log."""

    def __init__(self, thread: Thread) -> None:
        super().__init__(thread.layout, thread.domain, thread.inputs)
        self._thread = thread
        self.begin(Control(()), lambda cell: None, lambda cell: True)

    def begin(self, control: Control, found: Callable[[Cell], tuple[Any] | None], cuts: Callable[[Cell], bool]) -> None:
        """Start a step; `found` is what a cell holds, None where it holds what it did at first."""
        self.own = dict(control.cells)
        self.log = list(control.log)
        self._found, self._cuts = found, cuts
        self._position = 0
        self._spent = False
        self._inside: dict[Cell, None] | None = None
        self.reads: list[tuple[Cell, Any]] = []
        self.writes: dict[Cell, Any] = {}
        self.touched: dict[Cell, bool] = {}
        self.seen: tuple[Cell, ...] = ()
        self.by = ""

    def restart(self) -> None:
        """Repeat the instruction at hand from its beginning."""
        self._position = 0

    def next_instruction(self) -> None:
        """Forget what the last instruction read."""
        self.log, self._position = [], 0

    def fork(self) -> Memory:
        """There is one path only."""
        return self

    def region(self, place: Place) -> Any:
        """Return what is read at a key of a place's region."""
        return _Region(self, place)

    def read(self, place: Place, key: Key) -> Any:
        """Read a scalar."""
        if is_local(place.region):
            return self.own.get((place.region, key), UNINITIALISED)
        cell = self._cell(place, key)
        return self._access(cell, False, lambda: self._value(cell, place, key))

    def put(self, place: Place, key: Key, value: Any, guard: int) -> None:
        """Write a scalar."""
        if guard == FALSE:
            return
        if is_local(place.region):
            self.own[(place.region, key)] = value
            return
        if isinstance(value, Address) and is_local(value.object):
            raise Unsupported("the address of a local is stored where others can read it")
        cell = self._cell(place, key)
        self._access(cell, True, lambda: self.writes.__setitem__(cell, value))

    def atomic(self, action: Callable[[], Any], by: str = "") -> Any:
        """Do what others see done at once, `by` an intrinsic of that name."""
        if self._position < len(self.log):
            return self._again()
        assert self._inside is None
        before = dict(self.writes), len(self.reads), dict(self.own)
        self._inside = {}
        try:
            result = action()
        except _Waits:
            if self._spent:
                raise _Paused from None
            raise
        finally:
            touched, self._inside = tuple(self._inside), None
        seen = tuple(cell for cell in touched if self._cuts(cell))
        if len(seen) > 1:
            raise Unsupported(f"one operation on {seen[0].region} and {seen[1].region}, which others may see between")
        if seen and self._spent:
            self.writes, self.own = before[0], before[2]
            del self.reads[before[1] :]
            raise _Paused
        if seen:
            self._spent, self.seen, self.by = True, seen, by
        return self._done(result)

    def waits(self, place: Place) -> None:
        """Say that a lock is held."""
        raise _Waits(self._cell(place, place.key))

    def _access(self, cell: Cell, writes: bool, action: Callable[[], Any]) -> Any:
        if self._inside is None and self._position < len(self.log):
            return self._again()
        self.touched[cell] = writes or self.touched.get(cell, False)
        if self._inside is not None:
            self._inside[cell] = None
            return action()
        if self._cuts(cell):
            if self._spent:
                raise _Paused
            self._spent, self.seen = True, (cell,)
        return self._done(action())

    def _again(self) -> Any:
        self._position += 1
        return self.log[self._position - 1]

    def _done(self, result: Any) -> Any:
        self.log.append(result)
        self._position += 1
        return result

    def _cell(self, place: Place, key: Key) -> Cell:
        return Cell(self._thread.around.owner(place.region), place.region, key)

    def _value(self, cell: Cell, place: Place, key: Key) -> Any:
        if cell in self.writes:
            return self.writes[cell]
        found = self._found(cell)
        value = self._base(place)(key) if found is None else found[0]
        self.reads.append((cell, value))
        return value

    def forget(self, local: str) -> None:
        """Drop the regions of a local whose lifetime begins or ends."""
        for region, key in list(self.own):
            if belongs_to(region, local):
                del self.own[(region, key)]

    def expire(self, name: str) -> None:
        """End the lifetime of a local, until its next one begins."""
        self.forget(name)
        self.own[(name + EXPIRED, ())] = True

    def expired(self, name: str) -> int:
        """Return the guard under which the lifetime of a local has ended."""
        return TRUE if (name + EXPIRED, ()) in self.own else FALSE


@dataclass(frozen=True, slots=True)
class _Region:
    """A region that is read key by key."""

    memory: _Accesses
    place: Place

    def __getitem__(self, key: Key) -> Any:
        return self.memory.read(self.place, key)


class Thread(Evaluator):
    """Runs functions of a program step by step.

    Raises `Unsupported` for what is not understood, and `Limit` where a step does not end.
    """

    def __init__(self, program: Program, ours: frozenset[str], around: Surroundings) -> None:
        known = {name: run for name, run in LOCKS.items() if _is_ours(program, name, ours)}
        intrinsics = {name: _at_once(name, run) if name in ATOMIC else run for name, run in INTRINSICS.items()}
        super().__init__(program, around.inputs, {**intrinsics, **SEARCHES, **known},
                         ours=ours, by_words=True)  # fmt: skip
        self.around = around
        self.memory = _Accesses(self)
        self._running: list[_Frame] = []
        self._barriers: list[str] = []

    def start(self, function: str, args: Sequence[Any]) -> Control:
        """Return where a thread stands that is about to call a function."""
        self.memory.begin(Control(()), lambda cell: None, lambda cell: True)
        self._resume(Control(()))
        found = self.program.functions.get(function)
        self._push(function, args, found.loc if found else Loc("", 0))
        return self._stopped()

    def step(self, control: Control, found: Callable[[Cell], tuple[Any] | None], cuts: Callable[[Cell], bool]) -> Step:
        """Run on to the second access from here that `cuts` says others may see; `found` is what cells hold."""
        memory = self.memory
        memory.begin(control, found, cuts)
        self._resume(control)
        returned: tuple[Any, ...] = control.returned
        after: Control | None = None
        at: tuple[Loc, ...] = ()
        for _ in range(MOST_INSTRUCTIONS):
            if not self._running:
                after = self._stopped()
                break
            here, seen = self._lines(), memory.seen
            try:
                returned = self._instruction(returned)
            except _Paused:
                after = self._stopped(returned)
            except _Waits as wait:
                return Step(None, tuple(memory.reads), touched=memory.touched, waits=wait.cell, at=here)
            except Unsupported as cause:
                cause.loc = cause.loc or here[-1]
                raise
            if memory.seen is not seen:
                at = here
            if after is not None or returned == _CUT_SHORT:
                break
            memory.next_instruction()
        else:
            raise Limit(f"more than {MOST_INSTRUCTIONS} instructions without an access that others see", here[-1])
        return Step(after, tuple(memory.reads), memory.writes, memory.touched, tuple(self.claims), None, at,
                    memory.seen, memory.by, tuple(self._barriers))  # fmt: skip

    # Where it stands ----------------------------------------------------------------------------

    def _resume(self, control: Control) -> None:
        self._running = [_Frame(f.function, f.block, f.index, dict(f.locals), f.site) for f in control.frames]
        self._named()
        self._barriers = []
        self.claims, self._steps = [], 0
        self.trace.clear()

    def _named(self) -> None:
        self._stack = [f.function for f in self._running]
        self._frames = list(self._stack)
        self._sites = [f.site for f in self._running]

    def _stopped(self, returned: tuple[Any, ...] = ()) -> Control:
        frames = tuple(
            Frame(f.function, f.block, f.index, tuple(sorted(f.locals.items())), f.site) for f in self._running
        )
        own = tuple(sorted(self.memory.own.items(), key=lambda item: item[0]))
        return Control(frames, own, tuple(self.memory.log), returned)

    def _lines(self) -> tuple[Loc, ...]:
        """Return the lines that run, those of the stubs left out."""
        lines = (*self._sites[1:], self._loc())
        return tuple(loc for loc in lines if loc.file not in self.ours) or lines[:1]

    def _loc(self) -> Loc:
        frame = self._running[-1]
        function = self.program.functions[frame.function]
        block = function.blocks[frame.block]
        if frame.index < len(block.instructions):
            return block.instructions[frame.index].loc
        return getattr(block.terminator, "loc", function.end)

    # Running ------------------------------------------------------------------------------------

    def _instruction(self, returned: tuple[Any, ...]) -> tuple[Any, ...]:
        """Run one instruction, or the end of a block; return what the function returned that ended with it."""
        frame = self._running[-1]
        block = self.program.functions[frame.function].blocks[frame.block]
        before = dict(frame.locals), dict(self.memory.own)
        claimed = len(self.claims)
        state = State(TRUE, frame.locals, self.memory)
        try:
            self.memory.restart()
            if frame.index < len(block.instructions):
                instruction = block.instructions[frame.index]
                if returned:
                    assert isinstance(instruction, Call)
                    self._take(state, instruction, returned[0])
                elif isinstance(instruction, Assign) and _is_atomic(instruction):
                    self.memory.atomic(lambda: self.execute(state, instruction) and None)
                else:
                    state = self.execute(state, instruction)
                frame.locals = state.locals
                frame.index += 1
                ended: tuple[Any, ...] = ()
            else:
                ended = self._terminate(state, block.terminator)
        except _Entered as call:
            self._push(call.name, call.args, self._loc())
            return ()
        except _Paused:
            frame.locals, self.memory.own = before
            del self.claims[claimed:]
            raise
        return _CUT_SHORT if state.path == FALSE else ended

    def _take(self, state: State, call: Call, result: Any) -> None:
        if call.target is not None:
            self._write(state, call.target, self.settled(result, state, call.loc), call.type, call.loc)

    def _terminate(self, state: State, terminator: Any) -> tuple[Any, ...]:
        frame = self._running[-1]
        match terminator:
            case Goto(target):
                frame.block, frame.index = target, 0
            case Branch(condition, then, otherwise, loc):
                value = self.settled(self.value(state, condition), state, loc)
                frame.block, frame.index = (then if self.domain.is_true(value) == TRUE else otherwise), 0
            case Return(value, loc):
                return self._pop(None if value is None else self.settled(self.value(state, value), state, loc))
            case _:
                return self._pop(UNINITIALISED)
        return ()

    def call(self, name: str, state: State, args: Sequence[Any], loc: Loc | None = None) -> tuple[State, Any]:
        """Leave the instruction: the function that it calls runs next."""
        raise _Entered(name, args)

    def _push(self, name: str, args: Sequence[Any], site: Loc) -> None:
        function = self.program.functions.get(name)
        if function is None:
            cause = self.program.unsupported.get(name)
            if cause is not None:
                raise Unsupported(f"{name}(): {cause.construct}", cause.loc)
            raise Unsupported(f"{name}() is neither in the source nor in the stubs", site)
        if name in BARRIERS and function.loc.file in self.ours and self.memory.seen:
            self._barriers.append(BARRIERS[name])
        if name in self._stack:
            raise Unsupported(f"recursion through {name}()", site)
        if name not in self._registers:
            self._shapes[name], self._registers[name] = shape(function), registers(function)
            for local, kind in function.locals.items():
                if local not in self._registers[name]:
                    self.layout.objects[f"{name}:{local}"] = kind
        self._running.append(_Frame(name, 0, 0, {}, site))
        self._named()
        state = State(TRUE, self._running[-1].locals, self.memory)
        for parameter, value in zip(function.params, args, strict=True):
            self._write(state, Local(parameter), value, function.locals[parameter], function.loc)

    def _pop(self, result: Any) -> tuple[Any, ...]:
        """End the innermost function. The address of one of its locals must not live on."""
        frame = self._running.pop()
        self._named()
        for local in self.program.functions[frame.function].locals:
            name = f"{frame.function}:{local}"
            self.memory.forget(name)
            self.memory.own.pop((name + EXPIRED, ()), None)
        kept = [result, *self.memory.own.values(), *(v for f in self._running for v in f.locals.values())]
        if any(isinstance(v, Address) and v.object.startswith(f"{frame.function}:") for v in kept):
            raise Unsupported(f"the address of a local of {frame.function}() outlives it", frame.site)
        return (result,) if self._running else ()


_CUT_SHORT = ("nothing that C defines comes after this",)


def _is_atomic(instruction: Assign) -> bool:
    """Say whether an assignment is one of atomic_inc and its like, as our stubs write them."""
    return isinstance(instruction.target, Member) and instruction.target.tag == "atomic_t"


def _at_once(name: str, run: Intrinsic) -> Intrinsic:
    def atomic(e: Evaluator, state: State, args: Sequence[Any], call: Call) -> Any:
        assert isinstance(state.memory, _Accesses)
        return state.memory.atomic(lambda: run(e, state, args, call), name)

    return atomic


def _is_ours(program: Program, name: str, ours: frozenset[str]) -> bool:
    """Say whether a function is that of our stubs, or only declared."""
    return name not in program.unsupported and (
        name not in program.functions or program.functions[name].loc.file in ours
    )


# Bit searches: word by word, each read once -------------------------------------------------------


def _find_bit(has_start: bool, wanted: bool) -> Intrinsic:
    """Make find_first_bit(bitmap, size), find_next_bit(bitmap, size, start) and their zero-bit twins."""

    def run(e: Evaluator, state: State, args: Sequence[Any], call: Call) -> Any:
        size = e.domain.convert(args[1], call.args[1].type, INDEX)
        position = e.domain.convert(args[2], call.args[2].type, INDEX) if has_start else 0
        ((_, place, first, bits),) = bitmaps(e, state, args[0], call)
        if bits_of(place.type) != WORD:
            raise Unsupported("a bit search in words of 64 bits", call.loc)
        inside = e.domain.compare("<=", size, bits, Int(WORD, False))
        e.require(state, "in-bounds", inside, call.loc, f"a search of at most the {bits} bits of {place.region}")
        while state.path == TRUE and position < size:
            index = (first + position) // WORD
            key = () if is_scalar(place) else (*place.key[:-1], index)
            word = e.domain.convert(e.settled(state.memory.region(place)[key], state, call.loc), place.type, INDEX)
            left = (word if wanted else ~word) >> position % WORD & (1 << WORD - position % WORD) - 1
            if left:
                return min(size, position + (left & -left).bit_length() - 1)
            position += WORD - position % WORD
        return size

    return run


SEARCHES: dict[str, Intrinsic] = {
    "find_first_bit": _find_bit(has_start=False, wanted=True),
    "find_next_bit": _find_bit(has_start=True, wanted=True),
    "find_first_zero_bit": _find_bit(has_start=False, wanted=False),
    "find_next_zero_bit": _find_bit(has_start=True, wanted=False),
}


# Locks: who holds one is in it --------------------------------------------------------------------


def _held(e: Evaluator, lock: Any, call: Call) -> Place:
    if not isinstance(lock, Address):
        raise Unsupported("a lock of which nothing is known", call.loc)
    return e.layout.place(Address(lock.object, (*lock.path, HELD)))


def _take(e: Evaluator, state: State, args: Sequence[Any], call: Call) -> Any:
    """Take a lock, or wait for it."""
    return _taken(e, state, args, call, waits=True)


def _try(e: Evaluator, state: State, args: Sequence[Any], call: Call) -> Any:
    """Take a lock if nobody holds it."""
    return _taken(e, state, args, call, waits=False)


def _taken(e: Evaluator, state: State, args: Sequence[Any], call: Call, waits: bool) -> int:
    assert isinstance(e, Thread)
    memory, place, number = e.memory, _held(e, args[0], call), e.around.number

    def take() -> int:
        if memory.read(place, place.key):
            if waits:
                memory.waits(place)
            return 0
        memory.put(place, place.key, number, TRUE)
        return 1

    result: int = memory.atomic(take)
    return result


def _release(e: Evaluator, state: State, args: Sequence[Any], call: Call) -> Any:
    """Release a lock."""
    assert isinstance(e, Thread)
    memory, place, number = e.memory, _held(e, args[0], call), e.around.number

    def release() -> bool:
        mine: bool = memory.read(place, place.key) == number
        memory.put(place, place.key, 0, TRUE)
        return mine

    mine = memory.atomic(release)
    e.require(state, "locks-balanced", TRUE if mine else FALSE, call.loc, "a lock that is released is held")
    return 0


def _take_mutex(e: Evaluator, state: State, args: Sequence[Any], call: Call) -> Any:
    """Take a mutex, or sleep until it is free."""
    assert isinstance(e, Thread)
    outside = FALSE if e.around.in_interrupt else TRUE
    e.require(state, "lock-irq-safe", outside, call.loc, "no mutex is taken in an interrupt")
    return _take(e, state, args, call)


LOCKS: dict[str, Intrinsic] = {
    "spin_lock": _take,
    "spin_trylock": _try,
    "spin_unlock": _release,
    "mutex_lock": _take_mutex,
    "mutex_unlock": _release,
}

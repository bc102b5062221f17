"""Every way in which a few threads of C may take turns, breadth first: shortest runs to what must not be.

A handler may begin whenever the thread on its CPU has interrupts on; until it ends, that thread makes no step.
A state is where each thread stands, and what the cells hold that anybody writes.  What a thread does from a place is
run once for each value of what it reads there, and remembered.

Only accesses to cells that one thread writes and another touches are steps of their own (`steps`): which these are is
found by running, and as soon as one more is met everything is run again.  So in the run that counts nobody has touched
a cell that another writes without a step of its own.

Claims may be made of each step, and looked at in two ways: a run may show that one fails, or it is believed, so that
no step is made for which it fails.  What a claim looks at is seen as if one more thread did.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..engine.maps import Key
from .ir import Loc, Program, Unsupported
from .memory import Given
from .steps import Cell, Control, Step, Thread

Memory = Mapping[Cell, Any]
"""What cells hold; one that is not there holds what it did at first."""
LOCK_IRQ_SAFE, LOCKS_BALANCED, NO_DEADLOCK = "lock-irq-safe", "locks-balanced", "no-deadlock"


@dataclass(frozen=True, slots=True)
class Task:
    """A thread: it calls a function on a CPU, as an interrupt handler or not, and ends.

    private   the regions of which it has a copy of its own
    per_cpu   those of which each CPU has one
    given     what the objects hold at first
    """

    number: int
    name: str
    function: str
    args: tuple[Any, ...]
    cpu: int
    in_interrupt: bool
    inputs: Given
    private: frozenset[str]
    per_cpu: frozenset[str]
    irqs_off: str
    """The region of its own in which it is said whether its interrupts are off."""

    def owner(self, region: str) -> str:
        """Return whose copy of a region it sees."""
        if region in self.private:
            return self.name
        return f"CPU{self.cpu}" if region in self.per_cpu else ""


@dataclass(frozen=True, slots=True)
class Move:
    """A step of a run: which thread made it, on which lines, and what it read and left that others may see.

    One that `waits` for a lock is not made.  `by` and `barriers` are as those of `Step`.
    """

    task: int
    at: tuple[Loc, ...]
    reads: tuple[tuple[Cell, Any], ...]
    writes: tuple[tuple[Cell, Any], ...]
    waits: Cell | None = None
    by: str = ""
    barriers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Broken:
    """What must not be, and the steps that lead there; `fault` is the line where it fails, if it is one.

    `trap` is the check in the code that fails with the last step, if one does.  `left` is what the cells hold then, and
    `visible` are those of which each access was a step.
    """

    sentence: str
    moves: tuple[Move, ...]
    fault: Loc | None = None
    trap: str = ""
    left: Memory = field(default_factory=dict, repr=False)
    visible: frozenset[Cell] = field(default=frozenset(), repr=False)


@dataclass(slots=True)
class Explored:
    """What was seen: states, steps, a shortest run for each property that fails, those that were met at an end.

    `ended` says why there may be more states; empty if all were seen.  `causes` has, of a property of which each was
    asked for, a run for each step by its name from which on it fails whatever comes then; the name is empty where it
    fails in every order.  `ends` are the states in which all have ended,
    and `in_turn` has the properties that fail at one although no thread came between the steps of another.  The threads
    `meet` if one touches what another writes.
    """

    states: int = 0
    steps: int = 0
    ends: int = 0
    broken: dict[str, Broken] = field(default_factory=dict)
    met: set[str] = field(default_factory=set)
    in_turn: set[str] = field(default_factory=set)
    meet: bool = False
    ended: str = ""
    causes: dict[str, Broken] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Every:
    """That each cause is wanted for which a property fails at an end; `named` is how a step is called."""

    property: str
    named: Callable[[Move], str]


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of an end or of a step: whether a property speaks of anything there, and whether it holds.

    `of` tells one thing that a property speaks of from another.
    """

    property: str
    sentence: str
    premise: bool
    holds: bool
    of: int = 0


Ask = Callable[[Memory], Iterator[Asked]]
"""Asks what holds when all threads have ended, given what the cells hold then."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A step as a claim sees it: who makes it, where all stand then, and what it changes.

    first   whether it is the first step of its thread
    stands  where each thread stands before it, by its place
    begun   which of them have made a step
    """

    task: Task
    step: Step
    first: bool
    stands: tuple[Control, ...]
    begun: tuple[bool, ...]
    read: Callable[[Cell], Any]

    def before(self, region: str, key: Key) -> int:
        """Return what a cell that all share holds before the step."""
        return int(self.read(Cell("", region, key)))

    def after(self, region: str, key: Key) -> int:
        """Return what it holds after it."""
        before = self.before(region, key)
        return int(self.step.writes.get(Cell("", region, key), before))

    def writes(self, region: str) -> tuple[Key, ...]:
        """Return the keys at which the step writes a region."""
        return tuple(cell.key for cell in self.step.writes if cell.region == region)


Claims = Callable[[Moment], Iterable[Asked]]
"""Says what is claimed of a step, also of one that waits for a lock and is not made."""


def no_claims(moment: Moment) -> Iterable[Asked]:
    """Claim nothing."""
    return ()


class _Again(Exception):
    """There is one more cell that somebody writes, or that others may see."""


State = tuple[tuple[Any, ...], tuple[int, ...]]
_Key = tuple[Cell, Any]


@dataclass(slots=True)
class _Graph:
    """How the states hang together: from where each was first reached, where it leads, and which ends fail or are good.

    Where a thread could only make a step that is believed not to happen there is no end.  But for `parents` it is only
    kept where each cause is wanted, which `every` says.
    """

    every: Every | None
    parents: dict[State, tuple[State, int] | None] = field(default_factory=dict)
    after: dict[State, list[tuple[int, State]]] = field(default_factory=dict)
    failing: dict[State, str] = field(default_factory=dict)
    good: set[State] = field(default_factory=set)

    @property
    def open(self) -> set[State]:
        """The states from which there is still a way to a good end."""
        before: dict[State, list[State]] = {}
        for state, leads in self.after.items():
            for _, after in leads:
                before.setdefault(after, []).append(state)
        found, left = set(self.good), list(self.good)
        while left:
            new = [state for state in before.get(left.pop(), ()) if state not in found]
            found.update(new)
            left += new
        return found

    def way_on(self, state: State) -> tuple[list[tuple[int, State]], State] | None:
        """Return a shortest way from a state to an end that fails, as threads and where they step, and that end."""
        ways: dict[State, list[tuple[int, State]]] = {state: []}
        waiting = deque([state])
        while waiting:
            here = waiting.popleft()
            if here in self.failing:
                return ways[here], here
            for number, after in self.after.get(here, ()):
                if after not in ways:
                    ways[after] = [*ways[here], (number, here)]
                    waiting.append(after)
        return None


class Explorer:
    """The threads, and what is known of them so far.

    `start` is what the cells hold in the beginning.  With `all_cuts` every access to what is shared is a step.
    `claims` are asked of every step.
    """

    def __init__(
        self,
        program: Program,
        ours: frozenset[str],
        tasks: Sequence[Task],
        start: Memory,
        all_cuts: bool = False,
        claims: Claims = no_claims,
    ) -> None:
        self._program, self._ours = program, ours
        self._tasks = tasks
        self._threads = self._new_threads()
        self._start = dict(start)
        self._all_cuts, self._claims = all_cuts, claims
        self._touching: dict[Cell, set[int]] = {}
        self._writing: dict[Cell, set[int]] = {}
        self._interrupted = {t.cpu for t in tasks if t.in_interrupt}
        self._visible: set[Cell] = set()
        self._index: dict[Cell, int] = {}
        self._first: list[Any] = []
        self._forget()

    def _new_threads(self) -> list[Thread]:
        return [Thread(self._program, self._ours, task) for task in self._tasks]

    def explore(
        self, ask: Ask, limit: int, believed: frozenset[str] = frozenset(), every: Every | None = None
    ) -> Explored:
        """Run every state, `limit` at the most, without the steps for which a claim fails that is believed.

        Raises `Unsupported` and `Limit`.

        Raises `ValueError` if a run that was found does not replay, which is a fault in this program.
        """
        in_turn = set(self._in_turn(ask))
        while True:
            self._forget()
            graph = _Graph(every)
            try:
                seen = self._explored(ask, limit, believed, graph)
                seen.in_turn, seen.meet = in_turn, bool(self._visible)
            except _Again:
                continue
            seen.broken = {name: self._made_again(name, broken, ask) for name, broken in seen.broken.items()}
            if every is not None:
                seen.causes |= {} if seen.ended else dict(self._causes(graph, every))
                seen.causes = {step: self._made_again(every.property, run, ask) for step, run in seen.causes.items()}
            return seen

    def _made_again(self, name: str, broken: Broken, ask: Ask) -> Broken:
        """Return a run with what it leaves behind. Raises `ValueError` where it does not replay."""
        left = self._replayed(name, broken, ask)
        if left is None:
            raise ValueError(f"{name}: the run that was found does not break it when it is made again")
        return replace(broken, left=left, visible=frozenset(self._visible))

    def _causes(self, graph: _Graph, every: Every) -> Iterator[tuple[str, Broken]]:
        """Yield each step behind which a property fails at every end, with a shortest run to it, and on to an end."""
        still_open = graph.open
        told: set[str] = set()
        taken: list[tuple[str, list[tuple[int, State]], State]]
        for state, before in graph.parents.items():
            if before is None and state not in still_open:
                taken = [("", [], state)]
            elif state in still_open:
                closing = [(n, after) for n, after in graph.after.get(state, ()) if after not in still_open]
                taken = [(every.named(self._move(n, state)), [(n, state)], after) for n, after in closing]
            else:
                continue
            for step, made, after in taken:
                way = None if step in told else graph.way_on(after)
                if way is not None:
                    told.add(step)
                    moves = (self._move(n, at) for n, at in (*made, *way[0]))
                    yield step, Broken(graph.failing[way[1]], (*self._moves(state, graph.parents), *moves))

    def _replayed(self, name: str, broken: Broken, ask: Ask) -> Memory | None:
        """Make the steps of a run again, with threads that remember nothing.

        Return what the cells hold then, None where it does not end as was found.
        """
        threads, memory = self._new_threads(), dict(self._start)
        controls = [t.start(task.function, task.args) for t, task in zip(threads, self._tasks, strict=True)]
        begun = list(controls)

        def read(cell: Cell) -> Any:
            return held(memory, cell, self._tasks[0].inputs)

        def step(n: int) -> Step:
            return threads[n].step(controls[n], _found(memory), lambda cell: self._cuts(n, cell))

        for move in broken.moves:
            made = step(move.task)
            if any(claim.kind == name for claim in made.failed):
                return memory
            moment = self._moment(move.task, made, controls, begun, read)
            if any(a.property == name and a.premise and not a.holds for a in self._claims(moment)):
                return memory | dict(made.writes)
            if made.waits is not None and name in (LOCK_IRQ_SAFE, LOCKS_BALANCED):
                return memory if memory.get(made.waits, 0) else None
            if made.after is None:
                return None
            memory.update(made.writes)
            controls[move.task] = made.after
        if name == NO_DEADLOCK:
            waiting = [n for n, control in enumerate(controls) if not control.ended]
            return memory if any(step(n).waits is not None for n in waiting) else None
        failed = any(end.property == name and end.premise and not end.holds for end in ask(memory))
        return memory if failed and all(c.ended for c in controls) else None

    def _moment(
        self,
        number: int,
        step: Step,
        controls: Sequence[Control],
        first: Sequence[Control],
        read: Callable[[Cell], Any],
    ) -> Moment:
        begun = tuple(here != there for here, there in zip(controls, first, strict=True))
        return Moment(self._tasks[number], step, not begun[number], tuple(controls), begun, read)

    # What is known ------------------------------------------------------------------------------

    def _forget(self) -> None:
        self._controls: list[Control] = []
        self._numbers: dict[Control, int] = {}
        self._known: list[dict[int, Any]] = [{} for _ in self._tasks]
        self._index = {cell: n for n, cell in enumerate(sorted(self._writing, key=repr))}
        self._first = [self._start.get(cell, _NOTHING) for cell in self._index]

    def _number(self, control: Control) -> int:
        if control not in self._numbers:
            self._numbers[control] = len(self._controls)
            self._controls.append(control)
        return self._numbers[control]

    def _cuts(self, number: int, cell: Cell) -> bool:
        task = self._tasks[number]
        if cell.region == task.irqs_off:
            return task.cpu in self._interrupted
        if cell.owner == task.name:
            return False
        return self._all_cuts or cell in self._visible

    def _learn(self, number: int, touched: Mapping[Cell, bool]) -> bool:
        """Take note of what a thread touches; return whether that changes what is a step or what is a state."""
        changed = False
        for cell, writes in touched.items():
            touching = self._touching.setdefault(cell, set())
            touching.add(number)
            if writes:
                writing = self._writing.get(cell)
                if writing is None:
                    writing, changed = self._writing.setdefault(cell, set()), True
                writing.add(number)
            if len(touching) > 1 and cell in self._writing and cell not in self._visible:
                self._visible.add(cell)
                changed = True
        return changed

    def _in_turn(self, ask: Ask) -> Iterator[str]:
        """Run the threads one after the other, in every order; yield what fails, and meet most of what they touch."""
        left: dict[tuple[frozenset[int], frozenset[Any]], Memory] = {(frozenset(), frozenset()): self._start}
        for _ in self._tasks:
            new: dict[tuple[frozenset[int], frozenset[Any]], Memory] = {}
            for (done, _), before in left.items():
                for number in (n for n in range(len(self._tasks)) if n not in done):
                    after = dict(before)
                    if self._runs_to_its_end(number, after):
                        new[done | {number}, frozenset(after.items())] = after
            left = new
        for memory in left.values():
            yield from (e.property for e in ask(memory) if e.premise and not e.holds)

    def _runs_to_its_end(self, number: int, memory: dict[Cell, Any]) -> bool:
        task, thread = self._tasks[number], self._threads[number]
        control = thread.start(task.function, task.args)
        while not control.ended:
            step = thread.step(control, _found(memory), lambda cell: False)
            self._learn(number, step.touched)
            if step.after is None:
                return False
            memory.update(step.writes)
            control = step.after
        return True

    # Every state --------------------------------------------------------------------------------

    def _explored(self, ask: Ask, limit: int, believed: frozenset[str], graph: _Graph) -> Explored:
        seen = Explored()
        threads = zip(self._threads, self._tasks, strict=True)
        self._begun = tuple(self._number(thread.start(task.function, task.args)) for thread, task in threads)
        first: State = tuple(self._first), self._begun
        parents, every = graph.parents, graph.every
        parents[first] = None
        waiting = deque([first])
        while waiting:
            state = waiting.popleft()
            moved = told = False
            for number in self._movable(state):
                step = self._step(number, state)
                if self._judge_step(number, step, state, parents, seen, believed):
                    moved = True
                    continue
                if step.waits is not None:
                    told |= self._judge_wait(number, step, state, graph, seen)
                    continue
                moved = True
                seen.steps += 1
                for claim in step.failed:
                    trap = f"{claim.kind}: {claim.text}"
                    self._fails(claim.kind, Broken(claim.text, (), claim.loc, trap), number, state, graph, seen)
                if step.after is None:
                    seen.ended = (
                        seen.ended or f"a run ends at line {step.at[-1] if step.at else 0}, and is not followed"
                    )
                    continue
                after = self._after(number, state, step)
                if every is not None:
                    graph.after.setdefault(state, []).append((number, after))
                if after not in parents:
                    if len(parents) >= limit:
                        seen.ended = f"the limit of {limit} states was reached"
                        seen.states = len(parents)
                        return seen
                    parents[after] = (state, number)
                    waiting.append(after)
            if all(self._controls[c].ended for c in state[1]):
                failed = self._judge_end(ask, state, parents, seen)
                if every is not None and every.property in failed:
                    graph.failing[state] = failed[every.property]
                    continue
            elif not moved and not told and NO_DEADLOCK not in seen.broken:
                sentence = "the threads that have not ended wait for ever"
                seen.broken[NO_DEADLOCK] = Broken(sentence, self._moves(state, parents))
            if not moved:
                graph.good.add(state)
        seen.states = len(parents)
        return seen

    def _movable(self, state: State) -> Iterator[int]:
        """Yield the threads that may make a step."""
        controls = state[1]
        handling = {
            task.cpu
            for n, task in enumerate(self._tasks)
            if task.in_interrupt and controls[n] != self._begun[n] and not self._controls[controls[n]].ended
        }
        for n, task in enumerate(self._tasks):
            if self._controls[controls[n]].ended:
                continue
            if task.in_interrupt and controls[n] == self._begun[n]:
                if task.cpu not in handling and not self._irqs_off(task.cpu, state):
                    yield n
            elif task.in_interrupt or task.cpu not in handling:
                yield n

    def _irqs_off(self, cpu: int, state: State) -> bool:
        return any(
            bool(self._holds(Cell(task.name, task.irqs_off, ()), state, task))
            for task in self._tasks
            if task.cpu == cpu and not task.in_interrupt
        )

    def _written(self, cell: Cell, state: State) -> Any:
        at = self._index.get(cell)
        return self._start.get(cell, _NOTHING) if at is None else state[0][at]

    def _holds(self, cell: Cell, state: State, task: Task) -> Any:
        return _or_first(self._written(cell, state), cell, task.inputs)

    def _step(self, number: int, state: State) -> Step:
        """Return what a thread does next, from memory where it was seen to do it."""
        at = self._known[number].get(state[1][number])
        while isinstance(at, dict):
            cell, children = at["cell"], at["children"]
            at = children.get(state[0][self._index[cell]], _NOTHING)
        if isinstance(at, Step):
            return at

        def found(cell: Cell) -> tuple[Any] | None:
            value = self._written(cell, state)
            return None if value is _NOTHING else (value,)

        step = self._threads[number].step(
            self._controls[state[1][number]], found, lambda cell: self._cuts(number, cell)
        )
        if self._learn(number, step.touched):
            raise _Again
        self._remember(number, state, step)
        return step

    def _remember(self, number: int, state: State, step: Step) -> None:
        table: dict[Any, Any] = self._known[number]
        key: Any = state[1][number]
        for cell, _ in step.reads:
            if cell in self._index:
                node = table.setdefault(key, {"cell": cell, "children": {}})
                assert node["cell"] == cell
                table, key = node["children"], state[0][self._index[cell]]
        table[key] = step

    def _after(self, number: int, state: State, step: Step) -> State:
        assert step.after is not None
        cells, controls = list(state[0]), list(state[1])
        for cell, value in step.writes.items():
            cells[self._index[cell]] = value
        controls[number] = self._number(step.after)
        return tuple(cells), tuple(controls)

    # What must not be ---------------------------------------------------------------------------

    def _judge_step(
        self,
        number: int,
        step: Step,
        state: State,
        parents: Mapping[State, Any],
        seen: Explored,
        believed: frozenset[str],
    ) -> bool:
        """Ask what is claimed of a step; return whether it is not made."""
        if self._claims is no_claims:
            return False
        task = self._tasks[number]

        def read(cell: Cell) -> Any:
            if self._learn(_CLAIMS, {cell: False}):
                raise _Again
            return self._holds(cell, state, task)

        controls, begun = [[self._controls[c] for c in where] for where in (state[1], self._begun)]
        failed = []
        for asked in self._claims(self._moment(number, step, controls, begun, read)):
            if asked.premise:
                seen.met.add(asked.property)
            if asked.premise and not asked.holds:
                failed.append(asked)
        for asked in failed:
            if asked.property not in seen.broken and asked.property not in believed:
                moves = (*self._moves(state, parents), self._move(number, state))
                seen.broken[asked.property] = Broken(asked.sentence, moves)
        return any(asked.property in believed for asked in failed)

    def _fails(
        self,
        name: str,
        broken: Broken,
        number: int,
        state: State,
        graph: _Graph,
        seen: Explored,
    ) -> None:
        """Take note of what a step breaks, with the steps that lead to it and itself."""
        every = graph.every if graph.every is not None and graph.every.property == name else None
        if name not in seen.broken or every is not None:
            last = self._move(number, state)
            broken = replace(broken, moves=(*self._moves(state, graph.parents), last))
            seen.broken.setdefault(name, broken)
            if every is not None:
                seen.causes.setdefault(every.named(last), broken)

    def _judge_wait(self, number: int, step: Step, state: State, graph: _Graph, seen: Explored) -> bool:
        """Look whether a thread waits for a lock that its own waiting keeps from being released; return that."""
        assert step.waits is not None
        task = self._tasks[number]
        holder = next((t for t in self._tasks if t.number == self._holds(step.waits, state, task)), None)
        if holder is None:
            return False
        if holder is task:
            name, sentence = LOCKS_BALANCED, "this lock is not taken twice"
        elif task.in_interrupt and holder.cpu == task.cpu and not holder.in_interrupt:
            name = LOCK_IRQ_SAFE
            sentence = f"{task.function}() waits for a lock that {holder.function}() holds, which it interrupted"
        else:
            return False
        self._fails(name, Broken(sentence, (), step.at[-1]), number, state, graph, seen)
        return True

    def _judge_end(self, ask: Ask, state: State, parents: Mapping[State, Any], seen: Explored) -> dict[str, str]:
        """Ask what must hold at an end; return the properties that fail, each with a sentence."""
        seen.ends += 1
        failed: dict[str, str] = {}
        left = zip(self._index, state[0], strict=True)
        for end in ask({**self._start, **{cell: value for cell, value in left if value is not _NOTHING}}):
            if end.premise:
                seen.met.add(end.property)
            if end.premise and not end.holds:
                failed.setdefault(end.property, end.sentence)
                if end.property not in seen.broken:
                    seen.broken[end.property] = Broken(end.sentence, self._moves(state, parents))
        return failed

    def _moves(self, state: State, parents: Mapping[State, tuple[State, int] | None]) -> tuple[Move, ...]:
        """Return the steps that lead to a state, each run again rather than remembered."""
        path = []
        while (before := parents[state]) is not None:
            path.append(before)
            state = before[0]
        return tuple(self._move(number, at) for at, number in reversed(path))

    def _move(self, number: int, state: State) -> Move:
        step = self._step(number, state)
        reads = tuple((c, v) for c, v in step.reads if c in step.seen)
        writes = tuple((c, v) for c, v in step.writes.items() if c in step.seen)
        return Move(number, step.at, reads, writes, step.waits, step.by, step.barriers)


class _Nothing:
    """What a cell holds that nobody has written."""

    def __repr__(self) -> str:
        return "nothing"


_NOTHING = _Nothing()
_CLAIMS = -1
"""Stands for those who make claims, among the threads that touch a cell."""


def _or_first(value: Any, cell: Cell, inputs: Given) -> Any:
    """Return what was written to a cell, or what it holds where nothing was."""
    return inputs.word(cell.region, cell.key, 32) if value is _NOTHING else value


def held(memory: Memory, cell: Cell, inputs: Given) -> Any:
    """Return what a cell that all share holds; `inputs` is what it held at first."""
    return _or_first(memory.get(cell, _NOTHING), cell, inputs)


def _found(memory: Memory) -> Callable[[Cell], tuple[Any] | None]:
    return lambda cell: (memory[cell],) if cell in memory else None


def alone(program: Program, ours: frozenset[str], task: Task, start: Memory) -> Memory:
    """Return what the cells hold after a function ran by itself.

    Raises `Unsupported` where it is not understood, or does something that it must not.
    """
    thread, memory = Thread(program, ours, task), dict(start)
    control = thread.start(task.function, task.args)
    while not control.ended:
        step = thread.step(control, _found(memory), lambda cell: False)
        if step.after is None:
            why = step.failed[0].text if step.failed else "it waits for a lock that is held"
            raise Unsupported(f"{task.function}() does not run by itself: {why}", step.at[-1] if step.at else None)
        memory.update((cell, value) for cell, value in step.writes.items() if cell.owner != task.name)
        control = step.after
    return memory


def idle(program: Program, ours: frozenset[str], task: Task, start: Memory) -> bool:
    """Say whether a function ends without having looked at anything in memory."""
    thread = Thread(program, ours, task)
    step = thread.step(thread.start(task.function, task.args), _found(start), lambda cell: True)
    return step.after is not None and step.after.ended and not step.seen

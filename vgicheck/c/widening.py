"""Loops of any length as one arbitrary iteration.

At the head of a loop everything that an iteration may leave changed is made unknown, but for what is found to hold
whenever control gets there; then the body is run once, and its states that leave the loop are those that the loop can
end in.  This covers every iteration, the first included, because

- what is made unknown is all that the run of the body wrote: the registers that the text assigns, and the regions of
  memory that the run touched for writing, through whatever pointer and in whatever callee;
- what is assumed at the head holds on entry and after the body, for each state that goes round: what does not is
  dropped, and the body is run again with less, until nothing is dropped and nothing new is written;
- claims are those of the last run, which has the least assumed.

So a wrong guess costs precision and no more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any

import z3

from ..engine.guards import TRUE
from ..engine.maps import Key, Map
from ..engine.values import and_, ite, le, not_, same
from .domain import UNINITIALISED, Address, Choice, Domain, FunctionPointer, Null, Opaque, Uninitialised
from .flow import Loop, live_at
from .ir import (
    Assign,
    Binary,
    Branch,
    Call,
    Const,
    Function,
    Int,
    Limit,
    Load,
    Local,
    Pointer,
    Unsupported,
    bits_of,
    locals_of,
    stripped,
)
from .memory import EXPIRED, Place, is_local, span

if TYPE_CHECKING:
    from .activation import Activation
    from .summary import Evaluator, State

MOST_UNROLLED = 16
"""Iterations of a loop without calls or loops in it that are run one by one, where its control variables are known."""
MOST_OPTIONS = 4
"""Values of a register at a head that are told apart."""
MOST_ROUNDS = 60
MOST_WRITES = 40
"""Writes to a region of which it is looked at what is left of them."""
COMPARED = ("<", "<=", ">", ">=", "!=", "==")
"""The comparisons in a loop's conditions that say what may hold of its registers; at one side of what leaves, `==`."""
MOST_CELLS = 64
"""Cells of a local array that are looked at one by one."""

Holds = Callable[[Key, Any], Any]
"""What is assumed of each cell of a region of the inputs: a truth value, of the cell's key and value."""


@dataclass(slots=True)
class Widening:
    """How loops are widened in one evaluation; `invariants` are what may be kept of the cells of some regions."""

    invariants: Mapping[str, Holds]
    _loops: int = 0
    _fresh: int = 0
    _joined: dict[object, Sequence[tuple[Map[Any], int]]] = field(default_factory=dict)
    _sound: set[object] = field(default_factory=set)
    """The origins of maps all of whose cells satisfy the invariants."""

    def fresh(self, name: str, bits: int) -> Any:
        """Return a word that may be anything."""
        self._fresh += 1
        return z3.BitVec(f"{name}!{self._fresh}", bits)

    def joined(self, whole: Map[Any], parts: Sequence[Map[Any]], conditions: Sequence[int]) -> None:
        """Remember what a map was joined of and under which conditions, where it has an origin of its own."""
        origin = whole.origin
        if all(p.origin is not origin for p in parts):
            self._joined[origin] = tuple(zip(parts, conditions, strict=True))

    def loop(self, run: Activation, loop: Loop, waiting: dict[int, list[State]]) -> None:
        """Take the states that wait at a loop's head to where they leave the loop."""
        entering = run.evaluator.join(waiting.pop(loop.head))
        leaving = self._unrolled(run, loop, entering)
        if leaving is None:
            self._loops += 1
            leaving = _Search(self, run, loop, entering, self._loops).leaving()
        for block, states in leaving.items():
            waiting.setdefault(block, []).extend(states)

    # Short loops --------------------------------------------------------------------------------

    def _unrolled(self, run: Activation, loop: Loop, entering: State) -> dict[int, list[State]] | None:
        """Run a short loop iteration by iteration; None where it is not known to be short."""
        e = run.evaluator
        if not _is_light(e, run, loop):
            return None
        control, _, _ = e.plan(run.function, loop)
        before = _Mark(e, run)
        leaving: dict[int, list[State]] = {}
        state = entering.fork(entering.path)
        for _ in range(MOST_UNROLLED + 1):
            if not all(_is_known(state.locals.get(name)) for name in control):
                break
            back, left = run.once_round(loop, state)
            for block, states in left.items():
                leaving.setdefault(block, []).extend(states)
            back = [s for s in back if e.feasible(e.guards.term(s.path))]
            if not back:
                return leaving
            state = e.join(back)
        before.restore()
        return None

    # What holds of a map --------------------------------------------------------------------------

    def keeps(self, e: Evaluator, name: str, state: State) -> bool:
        """Say whether every cell of a region satisfies the invariants in a state; a pointer, whether it leads on."""
        if isinstance(e.layout.kinds[name].type, Pointer):
            return self._leads(e, name, state)
        holds = self.invariants.get(name)
        return holds is None or not any(
            e.feasible(written) and e.feasible(and_(written, left()))
            for written, left in self._written(e, name, state, holds)
        )

    def _leads(self, e: Evaluator, name: str, state: State) -> bool:
        """Say whether the pointers of a region lead where those of the inputs may, in a state."""
        place, untouched = e.layout.kinds[name], state.memory.untouched(name)
        anew = replace(place, region=f"{name}@!")
        pending: list[tuple[Map[Any], int]] = [(state.memory.known(name), state.path)]
        while pending:
            region, guard = pending.pop()
            for when, key, value in region.written():
                may = [v for _, v in e.domain.options(e.inputs.pointers(e.inputs, e.domain, anew, key))]
                path = and_(e.guards.term(guard), when)
                for chosen, v in e.domain.options(value):
                    if not _may_be(e, v, may, and_(path, e.guards.term(chosen))):
                        return False
            origin = region.origin
            if origin in self._joined:
                pending.extend((part, e.guards.and_(guard, c)) for part, c in self._joined[origin])
            elif origin is not untouched.origin and origin not in self._sound:
                return False
        return True

    def broken(self, e: Evaluator, name: str, state: State, holds: Holds) -> Iterator[Any]:
        """Yield the conditions under which some cell of a region is not as it is to be in a state.

        Of cells that nothing wrote, and of what is left in one that was, it is taken for granted.
        """
        return (and_(written, left()) for written, left in self._written(e, name, state, holds))

    def _written(self, e: Evaluator, name: str, state: State, holds: Holds) -> Iterator[tuple[Any, Callable[[], Any]]]:
        """Yield the conditions under which a cell was written what it may not hold, and under which it still does.

        What breaks an invariant in the end is what was written to a cell last.
        """
        place = e.layout.kinds[name]
        pending: list[tuple[Map[Any], int]] = [(state.memory.known(name), state.path)]
        while pending and isinstance(place.type, Int):
            region, guard = pending.pop()
            path = e.guards.term(guard)

            def wrong(key: Key, value: Any) -> Any:
                word = _word(e.domain, value, place)
                if word is None:
                    return True
                before = _word(e.domain, state.memory.untouched(name)[key], place)
                return and_(not_(holds(key, word)), not_(same(word, before)))

            def left(key: Key, region: Map[Any] = region) -> Any:
                return wrong(key, region.read(key, partial(_either, e.domain, place)))

            written = list(region.written())
            for when, key, value in written:
                looked_at = 1 < len(written) <= MOST_WRITES
                yield and_(path, when, wrong(key, value)), partial(left, key) if looked_at else _always
            origin = region.origin
            if origin in self._joined:
                pending.extend((part, e.guards.and_(guard, c)) for part, c in self._joined[origin])
            elif origin is not state.memory.untouched(name).origin and origin not in self._sound:
                yield path, _always

    def trust(self, region: Map[Any]) -> None:
        """Note that all cells of a map satisfy the invariants."""
        self._sound.add(region.origin)


def _either(domain: Domain, place: Place, condition: Any, a: Any, b: Any) -> Any:
    """Choose between two stored values as one word, which costs less than to tell their alternatives apart."""
    x, y = _word(domain, a, place), _word(domain, b, place)
    if x is None or y is None:
        return UNINITIALISED
    return ite(condition, x, y, width=None if place.bitmap else bits_of(place.type))


def _may_be(e: Evaluator, pointer: Any, others: Sequence[Any], path: Any) -> bool:
    """Say whether one of some pointers with unknown indices may be a given one, wherever a path is taken."""
    if isinstance(pointer, Null):
        return any(isinstance(o, Null) for o in others)
    return any(
        isinstance(o, Address)
        and isinstance(pointer, Address)
        and o.object == pointer.object
        and len(o.path) == len(pointer.path)
        and all(_is_among(e, a, b, path) for a, b in zip(pointer.path, o.path, strict=True))
        for o in others
    )


def _is_among(e: Evaluator, step: Any, other: Any, path: Any) -> bool:
    if isinstance(step, str) or isinstance(other, str):
        return bool(step == other)
    within = span(other)
    return within is not None and not e.feasible(and_(path, not_(and_(le(within[0], step), le(step, within[1])))))


def _always() -> bool:
    return True


def _word(domain: Domain, value: Any, place: Place) -> Any:
    """Return a stored value as the inputs would have it, or None where it is no number."""
    if place.bitmap:
        return value
    assert isinstance(place.type, Int)
    options = value.options if isinstance(value, Choice) else ((TRUE, value),)
    if not all(isinstance(v, int | z3.ExprRef) for _, v in options):
        return None
    word = domain.word(value, place.type.bits)
    return word & ((1 << place.type.bits) - 1) if isinstance(word, int) else word


@dataclass(slots=True)
class _Mark:
    """What a run adds to besides its states, as it was, to be taken back."""

    evaluator: Evaluator
    run: Activation
    claims: int = field(init=False)
    exits: int = field(init=False)

    def __post_init__(self) -> None:
        self.claims, self.exits = len(self.evaluator.claims), len(self.run.exits)

    def restore(self) -> None:
        del self.evaluator.claims[self.claims :]
        del self.run.exits[self.exits :]


def _is_plain(value: Any) -> bool:
    """Say whether a value means the same everywhere."""
    return _is_known(value) or isinstance(value, Uninitialised)


def _is_known(value: Any) -> bool:
    if isinstance(value, Address):
        return all(isinstance(s, str | int) for s in value.path)
    return isinstance(value, int | Null | FunctionPointer)


def _is_light(e: Evaluator, run: Activation, loop: Loop) -> bool:
    """Say whether a loop's body has no loop, and calls nothing that is written in C."""
    if any(head in loop.blocks and head != loop.head for head in run.shape.loops):
        return False
    return all(
        isinstance(i.callee, str) and i.callee in e.intrinsics
        for b in loop.blocks
        for i in run.function.blocks[b].instructions
        if isinstance(i, Call)
    )


@dataclass(frozen=True, slots=True)
class _NotLess:
    """That a register is at least, or at most, what it was when the loop was entered."""

    name: str
    op: str
    value: Any
    kind: Int


_Bound = Binary | _NotLess


@dataclass(slots=True)
class _Register:
    """What is known of a register at a head: that it is one of some values, or a word under conditions.

    `unset`: it may be uninitialised.  `word` is None for as long as the values are told apart.  `kept`: it is what it
    was when the loop was entered, which of the values is known then.
    """

    name: str
    kind: Any
    values: list[Any]
    word: Any = None
    unset: bool = False
    kept: bool = False


@dataclass(slots=True)
class _Search:
    """The search for what holds at one loop's head, for one time that control gets there."""

    owner: Widening
    run: Activation
    loop: Loop
    entering: State
    number: int
    _registers: list[_Register] = field(default_factory=list)
    _dead: list[str] = field(default_factory=list)
    _assigned: dict[str, list[Any]] = field(default_factory=dict)
    _bounds: list[_Bound] = field(default_factory=list)
    _regions: dict[str, bool] = field(default_factory=dict)
    """The regions that are made unknown, and whether their cells keep the inputs' invariants."""
    _marks: set[str] = field(default_factory=set)
    """What says of locals whether their lifetime has ended, where the body may end it."""
    _given: dict[str, bool] = field(default_factory=dict)
    """Of the local ones: whether all of their cells are initialised."""

    @property
    def evaluator(self) -> Evaluator:
        return self.run.evaluator

    @property
    def function(self) -> Function:
        return self.run.function

    def leaving(self) -> dict[int, list[State]]:
        """Return the states that leave the loop, by the block that they go to."""
        self._prepare()
        start = _Mark(self.evaluator, self.run)
        for _ in range(MOST_ROUNDS):
            start.restore()
            back, leaving = self.run.once_round(self.loop, self._head())
            back = [s for s in back if self.evaluator.feasible(self.evaluator.guards.term(s.path))]
            weaker = [check(back) for check in (self._more_regions, self._more_values, self._fewer_facts)]
            if not any(weaker):
                self._account(start, leaving)
                return leaving
        raise Limit("a loop of which no invariant was found", self.run.loc_of(self.loop.head))

    # At the head ----------------------------------------------------------------------------------

    def _prepare(self) -> None:
        assigned = self._assigned
        for b in self.loop.blocks:
            for i in self.function.blocks[b].instructions:
                if isinstance(i, Assign | Call) and isinstance(i.target, Local):
                    assigned.setdefault(i.target.name, []).append(i)
                elif not isinstance(i, Assign | Call):
                    assigned.setdefault(i.local, [])
        live = live_at(self.function, self.loop.head)
        for name, writes in assigned.items():
            if not self.evaluator.is_register(self.function, name):
                continue
            if name not in live:
                self._dead.append(name)
                continue
            found = _Register(name, self.function.locals[name], self._options(self.entering, name))
            self._registers.append(found)
            if isinstance(found.kind, Int) and any(_moves(name, i) for i in writes):
                self._widen(found)
            found.kept = found.word is None and len(found.values) > 1
        self._bounds = self._candidates(self._registers)

    def _options(self, state: State, name: str) -> list[Any]:
        value = state.locals.get(name, UNINITIALISED)
        return [v for _, v in self.evaluator.domain.options(value, state.path)]

    def _widen(self, register: _Register) -> None:
        register.unset = any(isinstance(v, Uninitialised) for v in register.values)
        if isinstance(register.kind, Int):
            register.word = z3.BitVec(f"{self.function.name}.{register.name}!loop{self.number}", register.kind.bits)
        else:
            loc = self.run.loc_of(self.loop.head)
            register.word = Opaque(f"{register.name}, which the loop at line {loc.line} changes", lost=True)

    def _head(self) -> State:
        e = self.evaluator
        state = self.entering.fork(self.entering.path)
        for name in self._dead:
            state.locals.pop(name, None)
        for register in self._registers:
            state.locals[register.name] = self._value(register)
        for name, kept in self._regions.items():
            if is_local(name) and not e.is_alive(name):
                continue
            tag = f"{self.number}" if kept else f"{self.number}!"
            given = self._given.get(name, True)
            state.memory.havoc(name, tag if given else f"{tag}?", given, kept)
            if kept:
                self.owner.trust(state.memory.regions[name])
        for mark in self._marks:
            state.memory.doubt(mark, f"{self.number}")
        state.memory.written = frozenset()
        for bound in self._bounds:
            guard = self._guard(bound, state)
            state.path = state.path if guard is None else e.guards.and_(state.path, guard)
        return state

    def _value(self, register: _Register) -> Any:
        if register.kept:
            return self.entering.locals[register.name]
        g, label = self.evaluator.guards, f"{self.function.name}.{register.name}!loop{self.number}"
        values = [register.word] if register.word is not None else register.values
        if register.word is not None and register.unset:
            values = [UNINITIALISED, register.word]
        options, rest = [], TRUE
        for n, value in enumerate(values[:-1]):
            hit = g.of(z3.Bool(f"{label}?{n}.{len(values)}"))
            options.append((g.and_(rest, hit), value))
            rest = g.and_(rest, g.not_(hit))
        return self.evaluator.domain.choice([*options, (rest, values[-1])])

    # Bounds on control variables --------------------------------------------------------------------

    def _candidates(self, registers: Sequence[_Register]) -> list[_Bound]:
        """List comparisons that hold on entry and may hold whenever control is at the head.

        They are taken from the loop's own conditions, and from what a register starts with.
        """
        words = {r.name: r for r in registers if isinstance(r.word, z3.ExprRef) and not r.unset}
        found: list[_Bound] = []
        for register in words.values():
            kind = register.kind
            read = Load(Local(register.name), kind, self.function.loc)
            lows = {0, *(v for v in register.values if isinstance(v, int))}
            found += [Binary(">=", read, Const(low, kind), kind, self.function.loc) for low in sorted(lows)]
            found += [Binary("<=", read, Const(v, kind), kind, self.function.loc)
                      for v in register.values if isinstance(v, int)]  # fmt: skip
            found += self._strides(register, read)
            entered = self.entering.locals.get(register.name)
            if isinstance(entered, z3.ExprRef):
                found += [_NotLess(register.name, op, entered, kind) for op in (">=", "<=")]
        for b in self.loop.blocks:
            terminator = self.function.blocks[b].terminator
            condition = terminator.condition if isinstance(terminator, Branch) else None
            if not isinstance(condition, Binary) or condition.op not in COMPARED:
                continue
            ops = ("<", ">") if condition.op == "==" else ("<=", ">=")
            for side, other in ((condition.left, condition.right), (condition.right, condition.left)):
                if not isinstance(side.type, Int) or not isinstance(other.type, Int):
                    continue
                if not (set(locals_of(side)) & words.keys()) or (set(locals_of(other)) & self._assigned.keys()):
                    continue
                found += [replace(condition, op=op, left=side, right=other) for op in ops]
        return [b for b in found if self._holds(b, self.entering)]

    def _strides(self, register: _Register, read: Load) -> list[Binary]:
        """List what the lowest bits of a register may keep to be, where it moves by a power of two."""
        start = next((v for v in register.values if isinstance(v, int)), None)
        steps = {
            value.right.value
            for i in self._assigned[register.name]
            if isinstance(i, Assign) and isinstance(value := stripped(i.value), Binary) and value.op in ("+", "-")
            if isinstance(value.right, Const) and value.right.value > 1
        }
        if start is None or len(steps) != 1:
            return []
        (step,), kind = steps, register.kind
        mask = (step & -step) - 1
        low = Binary("&", read, Const(mask, kind), kind, self.function.loc)
        return [Binary("==", low, Const(start & mask, kind), kind, self.function.loc)]

    def _guard(self, bound: _Bound, state: State) -> int | None:
        """Return the guard under which a bound holds in a state, or None where that cannot be said.

        What is claimed on the way is not of interest.
        """
        e = self.evaluator
        mark = _Mark(e, self.run)
        trial = state.fork(state.path)
        try:
            if isinstance(bound, _NotLess):
                value = e.domain.compare(bound.op, state.locals[bound.name], bound.value, bound.kind)
            else:
                value = e.domain.is_true(e.value(trial, bound))
        except Unsupported:
            return None
        finally:
            mark.restore()
        return value if trial.path == state.path else None

    def _holds(self, bound: _Bound, state: State) -> bool:
        e, guard = self.evaluator, self._guard(bound, state)
        if guard is None:
            return False
        return not e.feasible(e.guards.term(e.guards.and_(state.path, e.guards.not_(guard))))

    # After the body ---------------------------------------------------------------------------------

    def _more_regions(self, back: Sequence[State]) -> bool:
        """Add the regions that the body wrote and that were not unknown before it.

        Those of activations that have ended are no more looked at: a later one has regions of its own.
        """
        written = {name for s in back for name in s.memory.written}
        running = {name for name in written if not is_local(name) or self.evaluator.is_alive(name)}
        found = {n for n in running - self._regions.keys() - self._marks if not self._is_restored(n, back)}
        marks = {name for name in found if name.endswith(EXPIRED)}
        self._marks |= marks
        for name in sorted(found - marks):
            if is_local(name):
                self._given[name] = name in self.entering.memory.regions and self._is_given(name, self.entering)
            self._regions[name] = self.owner.keeps(self.evaluator, name, self.entering)
        return bool(found)

    def _is_restored(self, name: str, back: Sequence[State]) -> bool:
        """Say whether the body leaves a scalar that is not made unknown as it was when the loop was entered."""
        e, place = self.evaluator, self.evaluator.layout.kinds.get(name)
        if place is None or place.bounds or not isinstance(place.type, Int) or is_local(name):
            return False
        before = _word(e.domain, self._region(self.entering, name)[()], place)
        for state in back:
            after = _word(e.domain, self._region(state, name)[()], place)
            if before is None or after is None:
                return False
            if e.feasible(and_(e.guards.term(state.path), not_(same(after, before)))):
                return False
        return True

    def _region(self, state: State, name: str) -> Map[Any]:
        return state.memory.regions[name] if name in state.memory.regions else state.memory.untouched(name)

    def _more_values(self, back: Sequence[State]) -> bool:
        """Add the values that a register takes.  More than a few become one that is unknown.

        So does one that the body computed from what is unknown at the head: the same term means another value there.
        """
        changed = False
        for register in self._registers:
            moved = [s for s in back if not self._is_as_entered(register, s)]
            if register.kept and moved:
                register.kept, changed = False, True
            for value in (v for s in moved for v in self._options(s, register.name)):
                if register.word is not None:
                    if isinstance(value, Uninitialised) and not register.unset:
                        register.unset = changed = True
                elif not any(same_value(value, v) for v in register.values):
                    register.values.append(value)
                    changed = True
                    if len(register.values) > MOST_OPTIONS or not _is_plain(value):
                        self._widen(register)
                        self._bounds += self._candidates([register])
        if changed:
            unset = {r.name for r in self._registers if r.unset}
            self._bounds = [b for b in self._bounds if not unset & _mentioned(b)]
        return changed

    def _is_as_entered(self, register: _Register, state: State) -> bool:
        """Say whether a register that is not unknown is, in other words perhaps, what it was when control entered."""
        entered, now = (s.locals.get(register.name) for s in (self.entering, state))
        if register.word is not None or entered is now or not isinstance(register.kind, Int):
            return register.word is None and entered is now
        numbers = [v for value in (entered, now) for _, v in self.evaluator.domain.options(value)]
        if not all(isinstance(v, int | z3.ExprRef) for v in numbers):
            return False
        if isinstance(entered, int) and isinstance(now, int):
            return entered == now
        before, after = (self.evaluator.domain.word(v, register.kind.bits) for v in (entered, now))
        differs = and_(self.evaluator.guards.term(state.path), not_(same(before, after)))
        return not self.evaluator.feasible(differs)

    def _fewer_facts(self, back: Sequence[State]) -> bool:
        """Drop what the body does not keep."""
        kept = [b for b in self._bounds if all(self._holds(b, s) for s in back)]
        changed = len(kept) < len(self._bounds)
        self._bounds = kept
        for name, sound in self._regions.items():
            if sound and not all(self.owner.keeps(self.evaluator, name, s) for s in back if _has(s, name)):
                self._regions[name], changed = False, True
        for name, given in self._given.items():
            if given and not all(self._is_given(name, s) for s in back if _has(s, name)):
                self._given[name], changed = False, True
        return changed

    def _is_given(self, name: str, state: State) -> bool:
        """Say whether every cell of a local is known to be initialised."""
        place = self.evaluator.layout.kinds[name]
        if prod(place.bounds) > MOST_CELLS:
            return False
        region = state.memory.known(name)
        domain = self.evaluator.domain
        return not any(
            isinstance(v, Uninitialised)
            for key in product(*(range(n) for n in place.bounds))
            for _, v in domain.options(region[key], state.path)
        )

    def _account(self, start: _Mark, leaving: dict[int, list[State]]) -> None:
        """Say of each state that leaves what the loop may have written before its last iteration."""
        before = self.entering.memory.written | self._regions.keys()
        exits = [s for s, _ in self.run.exits[start.exits :]]
        for state in [*exits, *(s for states in leaving.values() for s in states)]:
            state.memory.written = state.memory.written | before


def _has(state: State, name: str) -> bool:
    """Say whether a region is there at all: that of a local ends with the local."""
    return not is_local(name) or name in state.memory.regions


def same_value(a: Any, b: Any) -> bool:
    """Say whether two values of a register are the same, as far as can be seen."""
    if isinstance(a, z3.ExprRef) or isinstance(b, z3.ExprRef):
        return isinstance(a, z3.ExprRef) and isinstance(b, z3.ExprRef) and bool(a.eq(b))
    if isinstance(a, Address) and isinstance(b, Address):
        return (
            a.object == b.object
            and len(a.path) == len(b.path)
            and all(same_value(x, y) for x, y in zip(a.path, b.path, strict=True))
        )
    return type(a) is type(b) and bool(a == b)


def _mentioned(bound: _Bound) -> set[str]:
    return {bound.name} if isinstance(bound, _NotLess) else set(locals_of(bound))


def _moves(name: str, instruction: Any) -> bool:
    """Say whether a register is computed from what it was, or is what a call found: a counter, as a rule."""
    if isinstance(instruction, Call):
        return True
    value = stripped(instruction.value)
    return isinstance(value, Binary) and name in locals_of(value) and not isinstance(value.type, Pointer)

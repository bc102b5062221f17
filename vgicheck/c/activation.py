"""Running the blocks of a function, joins and loops included, over an evaluator's values.

A loop is run once for each value of its control variables, the states that reach its head with the same values being
joined first.  A search for set bits is looked at bit by bit, at the head or at the branch that asks about it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import z3

from ..engine.guards import FALSE, TRUE
from ..engine.values import and_
from .domain import (
    UNINITIALISED,
    Choice,
    Search,
    highest_first,
    lowest_first,
    with_beginning,
    with_ending,
    wrap,
)
from .flow import Loop, Shape
from .ir import (
    Branch,
    Function,
    Goto,
    Int,
    Loc,
    Return,
    Unsupported,
    locals_of,
)

if TYPE_CHECKING:
    from .summary import Evaluator, State


MOST_ITERATIONS = 4_200
MOST_BLIND_ITERATIONS = 130
SMALLEST, LARGEST = -1, 64
"""Between these, the values of a loop's control variable that is a term on entry are told apart."""


@dataclass(frozen=True, slots=True)
class _Scope:
    """A loop that is being run: what waits, by the values of its control variables.

    A state waits at the head, or, while it looks for a bit, at the end of a block that asks about it: its key then ends
    with that block's number.
    """

    loop: Loop
    control: tuple[str, ...]
    taken: Mapping[str, bool]
    ready: dict[tuple[Any, ...], list[State]] = field(default_factory=dict)


@dataclass(slots=True)
class Activation:
    """One activation of a function: the states that wait at each block, and the loops that are being run."""

    evaluator: Evaluator
    function: Function
    shape: Shape
    exits: list[tuple[State, Any]]
    open: list[_Scope] = field(default_factory=list)

    def from_entry(self, state: State) -> None:
        """Run from the entry until nothing waits."""
        self._region(self.shape.order, {0: [state]}, None)

    def _region(self, order: Sequence[int], waiting: dict[int, list[State]], inside: int | None) -> None:
        """Run the blocks of a loop body, or of the whole function, in order."""
        done: set[int] = set()
        for block in order:
            if block in done:
                continue
            loop = self.shape.loops.get(block)
            if loop is not None and block != inside:
                done.update(loop.blocks)
                if waiting.get(block):
                    self._loop(loop, waiting)
                continue
            states = waiting.pop(block, None)
            if states:
                self._block(block, self.evaluator.join(states), waiting)

    def _block(self, block: int, state: State, waiting: dict[int, list[State]]) -> None:
        e = self.evaluator
        body = self.function.blocks[block]
        for instruction in body.instructions:
            try:
                state = e.execute(state, instruction)
            except Unsupported as cause:
                raise Unsupported(cause.construct, cause.loc or instruction.loc) from None
            if state.path == FALSE:
                return
        if not self._waits(block, state):
            self._leave(block, state, waiting)

    def _leave(self, block: int, state: State, waiting: dict[int, list[State]]) -> None:
        """Take the end of a block: to the next, to either of two, or out of the function."""
        e = self.evaluator
        body = self.function.blocks[block]
        match body.terminator:
            case Goto(target):
                waiting.setdefault(target, []).append(state)
            case Branch(condition, then, otherwise, loc):
                if e.plain:
                    e.trace.append(e.reported(loc))
                value = e.settled(e.located(loc, e.value, state, condition), state, loc)
                taken = e.located(loc, e.domain.is_true, value)
                for target, path in (
                    (then, e.guards.and_(state.path, taken)),
                    (otherwise, e.guards.and_(state.path, e.guards.not_(taken))),
                ):
                    if path != FALSE:
                        waiting.setdefault(target, []).append(state.fork(path))
            case Return(value, loc):
                if e.plain:
                    e.trace.append(e.reported(loc))
                result = None
                if value is not None:
                    result = e.settled(e.located(loc, e.value, state, value), state, loc, keep_search=True)
                if state.path != FALSE:
                    self.exits.append((state, result))
            case _:
                self.exits.append((state, UNINITIALISED))

    # Loops --------------------------------------------------------------------------------------

    def once_round(self, loop: Loop, state: State) -> tuple[list[State], dict[int, list[State]]]:
        """Run one iteration from a loop's head: return the states that go round, and those that leave, by block."""
        leaving: dict[int, list[State]] = {}
        self._block(loop.head, state, leaving)
        back = leaving.pop(loop.head, [])
        self._region([b for b in loop.blocks if b != loop.head], leaving, loop.head)
        return back + leaving.pop(loop.head, []), leaving

    def _loop(self, loop: Loop, waiting: dict[int, list[State]]) -> None:
        """Run a loop to its end: one iteration for each value of its control variables, joined states each."""
        if self.evaluator.widening is not None:
            self.evaluator.widening.loop(self, loop, waiting)
            return
        if self.evaluator.standins is not None and self.evaluator.standins.loop(self, loop, waiting):
            return
        control, descending, taken = self.evaluator.plan(self.function, loop)
        scope = _Scope(loop, control, taken)
        for entering in waiting.pop(loop.head):
            for state in self._told_apart(entering, [n for n in control if n not in taken]):
                self._sort_in(state, scope)
        self.open.append(scope)
        rounds = blind = 0
        while scope.ready:
            key = (max if descending else min)(scope.ready)
            state = self.evaluator.join(scope.ready.pop(key))
            inner: dict[int, list[State]] = {}
            resumes = bool(key) and key[-1][1] == "block"
            if not resumes:
                if rounds and not self._goes_on(state):
                    continue
                rounds += 1
                blind += all(kind == "other" for _, kind in key) and state.path != TRUE
                self._bounded(loop, rounds, blind)
            with self.evaluator.guards.beside(self._turn(state, scope)):
                if resumes:
                    self._resume(key[-1][0], state, scope, inner)
                else:
                    pending = self._next_bit(state, scope)
                    if pending is None:
                        continue
                    self._block(loop.head, pending, inner)
                back = inner.pop(loop.head, [])
                self._region([b for b in loop.blocks if b != loop.head], inner, loop.head)
                back += inner.pop(loop.head, [])
            for block, states in inner.items():
                waiting.setdefault(block, []).extend(states)
            for s in back:
                self._sort_in(s, scope)
        self.open.pop()

    def _turn(self, state: State, scope: _Scope) -> int:
        """Return the guard under which the bit is there that a search is at, where the loop is one over bits.

        What a turn asks about its bit of one bitmap stands beside what another loop asked about that of another.
        """
        found = (state.locals.get(name) for name in scope.control)
        search = next((s for s in found if isinstance(s, Search)), None)
        if search is None:
            return TRUE
        return self.evaluator.domain.compare("<", search.start, search.size, search.type)

    def _bounded(self, loop: Loop, rounds: int, blind: int) -> None:
        if rounds > MOST_ITERATIONS:
            raise Unsupported(f"a loop of more than {MOST_ITERATIONS} iterations", self.loc_of(loop.head))
        if blind > MOST_BLIND_ITERATIONS:
            what = f"a loop that {MOST_BLIND_ITERATIONS} iterations with no known control variable do not bound"
            raise Unsupported(what, self.loc_of(loop.head))

    def _waits(self, block: int, state: State) -> bool:
        """Let a state in a loop that asks about a bit search wait until the bits before have been looked at."""
        name = self._asked(block, state) if self.open and block in self.open[-1].loop.blocks else None
        if name is None:
            return False
        key = (_key_part(state.locals[name]), (block, "block"))
        self.open[-1].ready.setdefault(key, []).append(state)
        return True

    def _asked(self, block: int, state: State) -> str | None:
        """Return the bit search, not yet resolved, that the branch at the end of a block asks about."""
        terminator = self.function.blocks[block].terminator
        if not isinstance(terminator, Branch):
            return None
        return next((n for n in locals_of(terminator.condition) if isinstance(state.locals.get(n), Search)), None)

    def _resume(self, block: int, state: State, scope: _Scope, waiting: dict[int, list[State]]) -> None:
        """Look at one more bit for a state that waits at the end of a block."""
        name = self._asked(block, state)
        assert name is not None
        found, later = self._stepped(state, name)
        if later is not None:
            self._waits(block, later)
        if found is not None:
            self._leave(block, found, waiting)

    def _stepped(self, state: State, name: str) -> tuple[State | None, State | None]:
        """Look at one bit: return the state in which it, or the end, is found, and the one that looks further."""
        e, search = self.evaluator, state.locals[name]
        inside = e.domain.compare("<", search.start, search.size, search.type)
        if inside == FALSE or not e.feasible(e.guards.term(inside)):
            state.locals[name] = search.size
            return state, None
        hit = e.guards.and_(inside, e.domain.search_hit(search))
        later = state.fork(e.guards.and_(state.path, e.guards.not_(hit)))
        later.locals[name] = search.moved(search.first + 1)
        state.path = e.guards.and_(state.path, hit)
        state.locals[name] = search.start
        return (state if state.path != FALSE else None), (later if later.path != FALSE else None)

    def _goes_on(self, state: State) -> bool:
        """Drop an iteration that nothing can reach. Plain paths cost nothing; others ask the solver."""
        condition = self.evaluator.guards.term(state.path)
        return condition is True or self.evaluator.feasible(condition)

    def _sort_in(self, state: State, scope: _Scope) -> None:
        """Put a state that reaches the head with those that have the same values in the control variables."""
        split = [state]
        for name in scope.control:
            split = [part for s in split for part in self._split(s, name)]
        for s in split:
            key = tuple(self._key_part(s, name, scope.taken) for name in scope.control)
            scope.ready.setdefault(key, []).append(s)

    def _key_part(self, state: State, name: str, taken: Mapping[str, bool]) -> tuple[int, str]:
        value = state.locals.get(name)
        if name not in taken or not isinstance(value, z3.ExprRef):
            return _key_part(value)
        count, state.locals[name] = (highest_first if taken[name] else lowest_first)(value)
        return (0, "number") if count == value.size() else (count, "bits")

    def _told_apart(self, state: State, names: Sequence[str]) -> list[State]:
        """Split a state by the values of the first variable that is a term of few values, all of them small."""
        e = self.evaluator
        for name in names:
            value, kind = state.locals.get(name), self.function.locals[name]
            if not isinstance(value, z3.ExprRef) or not isinstance(kind, Int):
                continue
            outside = z3.Or(value < SMALLEST, value > LARGEST)
            reached: Any = True
            if e.feasible(outside):
                reached = e.guards.term(state.path)
                if e.feasible(and_(reached, outside)):
                    continue
            possible = [v for v in range(SMALLEST, LARGEST + 1) if e.feasible(and_(reached, value == v))]
            parts = []
            rest = state.path
            for v in possible:
                hit = rest if v == possible[-1] else e.guards.and_(rest, e.guards.of(value == v))
                rest = e.guards.and_(rest, e.guards.not_(hit))
                part = state.fork(hit)
                part.locals[name] = wrap(v, kind)
                parts.append(part)
            return parts
        return [state]

    def _split(self, state: State, name: str) -> list[State]:
        value = state.locals.get(name)
        if not isinstance(value, Choice):
            return [state]
        e = self.evaluator
        parts = []
        for guard, option in value.options:
            path = e.guards.and_(state.path, guard)
            if path != FALSE:
                part = state.fork(path)
                part.locals[name] = option
                parts.append(part)
        return parts

    def _next_bit(self, state: State, scope: _Scope) -> State | None:
        """Take a bit search one bit further; return the state in which the bit, or the end, is found."""
        for n, from_top in scope.taken.items():
            if isinstance(state.locals.get(n), z3.ExprRef):
                return self._next_of_word(state, n, from_top, scope)
        name = next((n for n in scope.control if isinstance(state.locals.get(n), Search)), None)
        if name is None:
            return state
        found, later = self._stepped(state, name)
        if later is not None:
            self._sort_in(later, scope)
        return found

    def _next_of_word(self, state: State, name: str, from_top: bool, scope: _Scope) -> State | None:
        """Look at the first bit of a word that is not known to be 0; return the state in which it is set."""
        e, value = self.evaluator, state.locals[name]
        bits = value.size()
        count, value = (highest_first if from_top else lowest_first)(value)
        if count == bits:
            state.locals[name] = 0
            return state
        hit = e.domain.bit_of(value, bits - 1 - count if from_top else count)
        rest = e.guards.and_(state.path, e.guards.not_(hit))
        if rest != FALSE:
            later = state.fork(rest)
            if count + 1 == bits:
                later.locals[name] = 0
            else:
                later.locals[name] = (with_beginning if from_top else with_ending)(value, count + 1, 0)
            self._sort_in(later, scope)
        state.path = e.guards.and_(state.path, hit)
        if state.path == FALSE:
            return None
        if from_top:
            state.locals[name] = with_beginning(value, count + 1, 1)
        else:
            state.locals[name] = with_ending(value, count + 1, 1 << count)
        return state

    def loc_of(self, block: int) -> Loc:
        """Return the line on which a block starts."""
        body = self.function.blocks[block]
        if body.instructions:
            return body.instructions[0].loc
        return body.terminator.loc if isinstance(body.terminator, Branch) else self.function.loc


def _key_part(value: Any) -> tuple[int, str]:
    if isinstance(value, Search):
        return value.first, "search"
    return (value, "number") if isinstance(value, int) else (0, "other")

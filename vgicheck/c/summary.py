"""What a C function does, as one formula: its control-flow program run over values that may be symbolic.

Branches are joined again where control flow joins, never enumerated.  A loop runs once for each value of its control
variables, the states that reach its head with the same value being joined first.  Over plain numbers the same code is
an interpreter: that is how a refutation is replayed.

What C leaves undefined, accesses outside their object, failed BUG_ONs and broken locking rules come out as
*claims*, each under
the condition of its path and with its line; past an undefined step a path is followed no further.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import z3

from ..engine import maps
from ..engine.guards import FALSE, TRUE, Guards, TooLarge
from ..engine.values import alike
from . import across, effects, pointers, standins
from .activation import Activation
from .domain import (
    NULL,
    UNINITIALISED,
    Address,
    Aggregate,
    Choice,
    Domain,
    FunctionPointer,
    Opaque,
    Search,
    Uninitialised,
    is_null,
)
from .flow import Loop, Shape, live_at, shape
from .ir import (
    AddressOf,
    Assign,
    Binary,
    Call,
    Const,
    Convert,
    CType,
    Declare,
    Deref,
    Element,
    Expire,
    Expr,
    Function,
    FunctionRef,
    Instruction,
    Int,
    Limit,
    Load,
    Loc,
    Local,
    LValue,
    Member,
    Pointer,
    Program,
    StringLiteral,
    StructRef,
    Unary,
    Unsupported,
    bits_of,
)
from .loops import control_variables, descends, registers, taken_bit_by_bit
from .memory import INDEX, Given, Inputs, Layout, Memory
from .pointers import COMPARISONS, UNSIGNED
from .widening import Widening

MOST_BITS = 4_200
MOST_STEPS = 400_000
_FRAME = re.compile(r"(?<=\w)'\d+(?=[:(])")
"""What tells the second activation of a function, and later ones, from the first, in the names of its locals."""
UNSET = "use of an uninitialised value"


@dataclass(frozen=True, slots=True)
class Claim:
    """A thing that must hold wherever its path is taken: `kind` is the property it belongs to.

    Of an access in a plain run that is outside of its array, `at` is where it is.
    """

    kind: str
    path: int
    holds: int
    loc: Loc
    text: str
    at: Address | None = None


@dataclass(slots=True)
class State:
    """Where control has got to: the condition of the path, the scalars of the running functions, and the memory."""

    path: int
    locals: dict[str, Any]
    memory: Memory
    effects: effects.Effects = effects.NOTHING

    def fork(self, path: int) -> State:
        """Return a copy that is taken under another path condition."""
        return State(path, dict(self.locals), self.memory.fork(), self.effects)


@dataclass(slots=True)
class Summary:
    """A function's meaning: the memory after it, its result, the claims made on the way, and where it returns."""

    before: Inputs
    after: Memory
    result: Any
    returns: int
    claims: list[Claim]
    domain: Domain


Intrinsic = Callable[["Evaluator", State, Sequence[Any], Call], Any]


@dataclass(slots=True)
class Evaluator:
    """Runs functions of one program.

    `feasible` says whether a condition can hold at all under what is assumed of the inputs; it bounds loops whose
    length is
    symbolic.  `intrinsics` are the functions whose meaning is given here rather than in C.  `ours` are the files of
    the stubs: what
    goes wrong in them is reported where the source under judgement calls them.  With `widening` a loop of unknown
    length is one arbitrary iteration instead of all; with `follows_unset` a path goes on past the use of an integer
    that is not initialised, which may then be anything; with `by_words` bitmaps are arrays of words like others,
    and `bitmaps` are kept bit by bit; for some calls and loops something may stand in.

    `entered` has the functions that were called, each with the condition under which it was, `ranks` those of the calls
    of functions that stand aside (`cuts`), in the order in which they were evaluated, `wrote_later` the regions that
    were written when there had been one, and `asked` is how often the stubs took any number.  Of a plain run, `trace`
    is the lines taken and `wrote` the line that last wrote each cell.
    """

    program: Program
    inputs: Inputs
    intrinsics: Mapping[str, Intrinsic]
    feasible: Callable[[Any], bool] = lambda condition: True
    ours: frozenset[str] = frozenset()
    widening: Widening | None = None
    follows_unset: bool = False
    by_words: bool = False
    bitmaps: frozenset[str] = frozenset()
    watched: effects.Watched = effects.NOBODY
    standins: standins.StandIns | None = None
    most_steps: int = MOST_STEPS
    guards: Guards = field(default_factory=Guards)
    domain: Domain = field(init=False)
    layout: Layout = field(init=False)
    claims: list[Claim] = field(default_factory=list)
    trace: list[Loc] = field(default_factory=list)
    wrote: dict[tuple[str, maps.Key], Loc] = field(default_factory=dict)
    entered: dict[str, int] = field(default_factory=dict)
    asked: int = 0
    ranks: list[tuple[int, ...]] = field(default_factory=list)
    wrote_later: set[str] = field(default_factory=set)
    _sites: list[Loc] = field(default_factory=list)
    _shapes: dict[str, Shape] = field(default_factory=dict)
    _plans: dict[tuple[str, int], tuple[tuple[str, ...], bool, Any]] = field(default_factory=dict)
    _registers: dict[str, frozenset[str]] = field(default_factory=dict)
    _stack: list[str] = field(default_factory=list)
    _frames: list[str] = field(default_factory=list)
    _calls: Counter[str] = field(default_factory=Counter)
    _steps: int = 0

    @property
    def plain(self) -> bool:
        """Say whether this is a run over plain numbers."""
        return isinstance(self.inputs, Given)

    def __post_init__(self) -> None:
        self.domain = Domain(self.guards)
        self.layout = Layout(self.program, self.by_words, self.bitmaps)

    def summarise(self, name: str, start: Summary | None = None, args: Callable[[], Sequence[Any]] = tuple) -> Summary:
        """Evaluate a function, by default one without parameters, from the inputs or from where another run ended.

        Raises `Unsupported` for what is not understood, and `Limit` where a limit was reached.
        """
        if start is None:
            memory, path = Memory(self.layout, self.domain, self.inputs, self._note_write), TRUE
        else:
            memory, path = start.after.fork(), start.returns
        end, result = self._ended(name, State(path, {}, memory), args)
        return Summary(self.inputs, end.memory, result, end.path, list(self.claims), self.domain)

    @property
    def running(self) -> tuple[str, ...]:
        """The functions that run, the outermost first; after `Unsupported`, those that ran then."""
        return tuple(self._stack)

    def from_function(
        self, name: str, args: Callable[[], Sequence[Any]], before: effects.Effects | None = None
    ) -> tuple[State, Any]:
        """Evaluate a function with some arguments from the inputs; return the state in which it ends, and its result.

        `before` is what is written down already.
        Raises `Unsupported` for what is not understood, and `Limit` where a limit was reached.
        """
        memory = Memory(self.layout, self.domain, self.inputs, self._note_write)
        return self._ended(name, State(TRUE, {}, memory, before or effects.Effects.none(self.plain)), args)

    def _ended(self, name: str, state: State, args: Callable[[], Sequence[Any]]) -> tuple[State, Any]:
        """Call the function that is evaluated; what keeps it from its end is told with a place."""
        try:
            return self.call(name, state, args())
        except Unsupported as cause:
            cause.loc = cause.loc or self._here(name)
            raise
        except TooLarge:
            raise Limit("control flow whose path conditions outgrow the limit", self._here(name)) from None
        except RecursionError:
            raise Limit("expressions nested too deeply", self._here(name)) from None

    def _note_write(self, region: str, key: maps.Key) -> None:
        if self.ranks:
            self.wrote_later.add(region)
        if self.plain and self.trace:
            self.wrote[(region, key)] = self.trace[-1]

    def reported(self, loc: Loc) -> Loc:
        """Return the line of the source under judgement at which something in our own stubs happens."""
        if loc.file not in self.ours:
            return loc
        return next((site for site in reversed(self._sites) if site.file not in self.ours), loc)

    def _here(self, name: str) -> Loc | None:
        function = self.program.functions.get(self._stack[-1] if self._stack else name)
        return function.loc if function else None

    # Calls --------------------------------------------------------------------------------------

    def call(self, name: str, state: State, args: Sequence[Any], loc: Loc | None = None) -> tuple[State, Any]:
        """Run a function of the program to its end and return the joined state and result."""
        function = self.program.functions.get(name)
        if function is None:
            if not self.feasible(self.guards.term(state.path)):
                state.path = FALSE
                return state, 0
            if name in self.program.unsupported:
                cause = self.program.unsupported[name]
                raise Unsupported(f"{name}(): {cause.construct}", cause.loc)
            raise Unsupported(f"{name}() is neither in the source nor in the stubs", loc)
        if name in self._stack:
            raise Unsupported(f"recursion through {name}()", loc)
        if name not in self._shapes:
            self._shapes[name] = shape(function)
            self._registers[name] = registers(function)
        self.entered[name] = self.guards.or_(self.entered.get(name, FALSE), state.path)
        self._stack.append(name)
        self._calls[name] += 1
        frame = name if self._calls[name] == 1 else f"{name}'{self._calls[name]}"
        self._frames.append(frame)
        self._sites.append(loc or function.loc)
        caller, state.locals = state.locals, {}
        for local, kind in function.locals.items():
            if local not in self._registers[name]:
                self.layout.objects[f"{frame}:{local}"] = kind
        for parameter, value in zip(function.params, args, strict=False):
            self._write(state, Local(parameter), value, function.locals[parameter], function.loc)
        exits: list[tuple[State, Any]] = []
        Activation(self, function, self._shapes[name], exits).from_entry(state)
        self._stack.pop()
        self._frames.pop()
        self._sites.pop()
        if not exits:
            state.path, state.locals = FALSE, caller
            return state, 0
        end, result = self._join_exits(exits)
        for local in function.locals:
            if local not in self._registers[name]:
                end.memory.forget(f"{frame}:{local}")
        end.locals = caller
        return end, result

    def _join_exits(self, exits: list[tuple[State, Any]]) -> tuple[State, Any]:
        for state, result in exits:
            state.locals = {"return": result}
        end = self.join([state for state, _ in exits])
        return end, end.locals["return"]

    def join(self, states: Sequence[State]) -> State:
        """Return the one state that is whichever of several the path leads to."""
        if len(states) == 1:
            return states[0]
        g = self.guards
        covered = g.any(s.path for s in states)
        conditions = [g.constrain(s.path, covered) for s in states]

        def choose(options: Sequence[Any]) -> Any:
            if all(o is options[0] for o in options):
                return options[0]
            if isinstance(options[0], bool | z3.BoolRef):
                return g.term(g.any(g.and_(c, g.of(o)) for c, o in zip(conditions, options, strict=True)))
            if all(isinstance(o, Search) and _comparable(o, options[0]) for o in options):
                return replace(options[0], region=maps.join([o.region for o in options], choose, when))
            options = [self.resolved(o) if isinstance(o, Search) else o for o in options]
            return self.domain.choice(zip(conditions, options, strict=True))

        def when(flags: tuple[bool, ...]) -> Any:
            return g.term(g.any(c for c, f in zip(conditions, flags, strict=True) if f))

        first = states[0]
        scalars = {
            name: choose([s.locals.get(name, UNINITIALISED) for s in states])
            for name in dict.fromkeys(n for s in states for n in s.locals)
        }
        memory = first.memory.fork()
        for name in dict.fromkeys(n for s in states for n in s.memory.regions):
            parts = [s.memory.known(name) for s in states]
            memory.regions[name] = maps.join(parts, choose, when)
            if self.widening is not None:
                self.widening.joined(memory.regions[name], parts, conditions)
        memory.written = frozenset().union(*(s.memory.written for s in states))
        return State(covered, scalars, memory, self._both([s.effects for s in states], choose))

    def _both(self, found: Sequence[effects.Effects], choose: Callable[[Sequence[Any]], Any]) -> effects.Effects:
        if all(x is found[0] for x in found):
            return found[0]
        calls, order, met = (
            self.domain.word(choose(chains), effects.CHAIN.size())
            for chains in ([x.calls for x in found], [x.order for x in found], [x.met for x in found])
        )
        done = {at: self.guards.any(x.atomics.get(at, FALSE) for x in found) for x in found for at in x.atomics}
        return effects.Effects(calls, order, met, done)

    def plan(self, function: Function, loop: Loop) -> tuple[tuple[str, ...], bool, Any]:
        """Return how to run a loop: its control variables, whether they count down, and what is taken bit by bit."""
        key = (function.name, loop.head)
        if key not in self._plans:
            live = live_at(function, loop.head)
            control = tuple(n for n in control_variables(function, loop) if n in live)
            self._plans[key] = control, descends(function, loop, control), taken_bit_by_bit(function, loop, control)
        return self._plans[key]

    # Claims -------------------------------------------------------------------------------------

    def claim(self, state: State, kind: str, holds: int, loc: Loc, text: str, at: Address | None = None) -> None:
        """Record that something must hold on the current path."""
        if self.guards.and_(state.path, self.guards.not_(holds)) != FALSE:
            where = at if self.plain else None
            self.claims.append(Claim(kind, state.path, holds, self.reported(loc), _FRAME.sub("", text), where))

    def require(self, state: State, kind: str, holds: int, loc: Loc, text: str) -> None:
        """Record a claim, and follow the path only where it holds; one that cannot fail leaves no trace on the path."""
        self.claim(state, kind, holds, loc, text)
        fails = self.guards.and_(state.path, self.guards.not_(holds))
        if fails != FALSE and (self.widening is not None or self.feasible(self.guards.term(fails))):
            state.path = self.guards.and_(state.path, holds)

    # Values -------------------------------------------------------------------------------------

    def value(self, state: State, expr: Expr) -> Any:
        """Evaluate an expression."""
        match expr:
            case Const(value, kind):
                return NULL if isinstance(kind, Pointer) and value == 0 else value
            case Load(lvalue, kind, loc):
                return self._read(state, lvalue, kind, loc)
            case Binary():
                return self._binary(state, expr)
            case Convert(operand, kind, loc):
                value = self.settled(self.value(state, operand), state, loc, keep_search=_kept(operand, kind))
                if isinstance(value, Search):
                    return value
                return self.located(loc, self.domain.convert, value, operand.type, kind)
            case Unary(op, operand, kind, loc):
                value = self.settled(self.value(state, operand), state, loc)
                return self.located(loc, self.domain.unary, op, value, kind)
            case AddressOf(lvalue, _, _):
                return self.domain.choice(pointers.addresses(self, state, lvalue, followed=False))
            case FunctionRef(name):
                return FunctionPointer(name)
            case StringLiteral(text):
                return Opaque(f'"{text}"')
        raise Unsupported(f"expression {type(expr).__name__}")

    def located(self, loc: Loc, function: Callable[..., Any], *args: Any) -> Any:
        """Call a function, and give an `Unsupported` without a place this one."""
        try:
            return function(*args)
        except Unsupported as cause:
            raise Unsupported(cause.construct, cause.loc or loc) from None

    def settled(self, value: Any, state: State, loc: Loc, keep_search: bool = False) -> Any:
        """Return a value that has been read: searches are resolved, and uninitialised alternatives become a claim."""
        if isinstance(value, Search):
            return value if keep_search else self.resolved(value)
        if isinstance(value, Uninitialised):
            self.require(state, "no-undefined", FALSE, loc, UNSET)
            return 0
        if isinstance(value, Choice):
            bad = [g for g, v in value.options if isinstance(v, Uninitialised)]
            if any(isinstance(v, Search) for _, v in value.options):
                value = self.domain.each(value, lambda v: self.resolved(v) if isinstance(v, Search) else v)
            if bad:
                self.require(state, "no-undefined", self.guards.not_(self.guards.any(bad)), loc, UNSET)
                rest = [(g, v) for g, v in self.domain.options(value) if not isinstance(v, Uninitialised)]
                value = self.domain.choice(rest) if rest else 0
        return value

    def resolved(self, search: Search) -> Any:
        """Return every answer that a bit search can have, as alternatives, or one that is told by what it looks at."""
        if search.told is not None:
            return standins.found(self, search)
        options: list[tuple[int, Any]] = []
        none = TRUE
        position = search.first
        while True:
            inside = self.domain.compare("<", position, search.size, search.type)
            if inside == FALSE or not self.feasible(self.guards.term(inside)):
                break
            if position - search.first > MOST_BITS:
                raise Unsupported("a search through more bits than the limit", self._here(""))
            with self.guards.beside(inside):
                found = self.guards.and_(inside, self.domain.search_hit(search.moved(position)))
            options.append((self.guards.and_(none, found), position))
            none = self.guards.and_(none, self.guards.not_(found))
            position += 1
        return self.domain.choice([*options, (none, search.size)])

    def _binary(self, state: State, expr: Binary) -> Any:
        left_type, right_type = expr.left.type, expr.right.type
        left = self.settled(self.value(state, expr.left), state, expr.loc)
        right = self.settled(self.value(state, expr.right), state, expr.loc)
        if isinstance(left_type, Pointer):
            return self.located(expr.loc, pointers.computed, self, state, expr, left, right, left_type)
        assert isinstance(left_type, Int) and isinstance(right_type, Int)
        if expr.op in COMPARISONS:
            return self.domain.truth(self.located(expr.loc, self.domain.compare, expr.op, left, right, left_type))
        if expr.op in ("<<", ">>"):
            self._claim_shift(state, right, right_type, left_type, expr.loc)
        elif expr.op in ("/", "%"):
            self._claim_division(state, left, right, left_type, expr.loc)
        return self.located(expr.loc, self.domain.binary, expr.op, left, right, left_type, right_type)

    def _claim_shift(self, state: State, amount: Any, kind: Int, shifted: Int, loc: Loc) -> None:
        unsigned = Int(kind.bits, False)
        holds = self.domain.compare("<", self.domain.convert(amount, kind, unsigned), shifted.bits, unsigned)
        self.claim(state, "no-undefined", holds, loc, f"shift of a {shifted.bits}-bit value by 0..{shifted.bits - 1}")

    def _claim_division(self, state: State, left: Any, right: Any, kind: Int, loc: Loc) -> None:
        g = self.guards
        nonzero = g.not_(self.domain.compare("==", right, 0, kind))
        self.require(state, "no-undefined", nonzero, loc, "division by something other than zero")
        if kind.signed:
            overflow = g.and_(
                self.domain.compare("==", left, -(1 << (kind.bits - 1)), kind),
                self.domain.compare("==", right, -1, kind),
            )
            self.claim(state, "no-undefined", g.not_(overflow), loc, "division that does not overflow")

    def index(self, state: State, value: Any, kind: CType, loc: Loc) -> Any:
        """Convert an index to 32 bits; a wider one must fit."""
        narrow = self.domain.convert(value, kind, INDEX)
        if isinstance(kind, Int) and kind.bits > INDEX.bits:
            fits = self.domain.compare("==", self.domain.convert(narrow, INDEX, kind), value, kind)
            self.claim(state, "in-bounds", fits, loc, "an index that fits in 32 bits")
        return narrow

    def narrowed(self, state: State, value: Any, kind: Int, loc: Loc) -> Any:
        """Convert a number to an index that has the same value. Raises `Limit` where there may be none."""
        narrow = self.domain.convert(value, kind, INDEX)
        if kind.bits > INDEX.bits:
            self.must_fit(state, self.domain.compare("==", self.domain.convert(narrow, INDEX, kind), value, kind), loc)
        elif kind.bits == INDEX.bits and not kind.signed:
            self.must_fit(state, self.guards.not_(self.domain.compare("<", narrow, 0, INDEX)), loc)
        return narrow

    def must_fit(self, state: State, fits: int, loc: Loc) -> None:
        """Go on only where the distances of pointers, and the bits of searches, have 31 bits. Raises `Limit`."""
        beyond = self.guards.and_(state.path, self.guards.not_(fits))
        if beyond != FALSE and self.feasible(self.guards.term(beyond)):
            raise Limit("a distance that may not fit in 32 bits", loc)

    def is_register(self, function: Function, local: str) -> bool:
        """Say whether a local of a function that was called is kept as a value, outside of memory."""
        return local in self._registers[function.name]

    def address_of(self, local: str) -> Address:
        """Return the address of a local of the function that runs."""
        return Address(f"{self._frames[-1]}:{local}")

    def is_alive(self, region: str) -> bool:
        """Say whether the activation that a local's region belongs to is running."""
        return region.partition(":")[0] in self._frames

    def _is_register(self, lvalue: LValue) -> bool:
        return isinstance(lvalue, Local) and lvalue.name in self._registers[self._stack[-1]]

    def _read(self, state: State, lvalue: LValue, kind: CType, loc: Loc) -> Any:
        value = self._found(state, lvalue, kind, loc)
        return self._any_if_unset(state, value, kind, loc) if self.follows_unset and isinstance(kind, Int) else value

    def _any_if_unset(self, state: State, value: Any, kind: Int, loc: Loc) -> Any:
        """Claim that an integer is initialised, and let it be anything where it is not."""
        options = self.domain.options(value)
        unset = self.guards.any(g for g, v in options if isinstance(v, Uninitialised))
        if unset == FALSE:
            return value
        self.claim(state, "no-undefined", self.guards.not_(unset), loc, UNSET)
        instead = 0 if self.widening is None else self.widening.fresh("unset", kind.bits)
        return self.domain.choice([(g, instead if isinstance(v, Uninitialised) else v) for g, v in options])

    def _found(self, state: State, lvalue: LValue, kind: CType, loc: Loc) -> Any:
        if self._is_register(lvalue):
            assert isinstance(lvalue, Local)
            return state.locals.get(lvalue.name, UNINITIALISED)
        if isinstance(kind, StructRef):
            return self._read_struct(state, lvalue, kind, loc)
        loaded = []
        for guard, address in pointers.addresses(self, state, lvalue):
            address = pointers.seen_as(self, address, kind, loc)
            self.claim_bounds(state, guard, address, loc)
            if bits_of(self.layout.place(address).type) != bits_of(kind):
                loaded.append((guard, across.read(self, state, address, kind, guard, loc)))
                continue
            value = self.located(loc, state.memory.load, address)
            found = self.layout.place(address).type
            if isinstance(kind, Int) and isinstance(found, Int) and found.signed != kind.signed:
                value = self.domain.each(value, partial(self._resigned, found, kind))
            loaded.append((guard, value))
        return self.domain.choice(loaded) if loaded else 0

    def _read_struct(self, state: State, lvalue: LValue, kind: StructRef, loc: Loc) -> Any:
        places = [(guard, pointers.seen_as(self, a, kind, loc)) for guard, a in pointers.addresses(self, state, lvalue)]
        values = []
        for guard, address in places:
            leaves = {}
            for path, _ in self.layout.leaves(kind):
                leaf = Address(address.object, address.path + path)
                self.claim_bounds(state, guard, leaf, loc)
                leaves[path] = self.located(loc, state.memory.load, leaf)
            values.append((guard, Aggregate(leaves)))
        return self.domain.choice(values) if values else UNINITIALISED

    def _resigned(self, source: Int, target: CType, value: Any) -> Any:
        return value if isinstance(value, Uninitialised) else self.domain.convert(value, source, target)

    def _write(self, state: State, lvalue: LValue, value: Any, kind: CType, loc: Loc) -> None:
        if self._is_register(lvalue):
            assert isinstance(lvalue, Local)
            state.locals[lvalue.name] = value
            return
        if isinstance(value, Search):
            value = self.resolved(value)
        for guard, address in pointers.addresses(self, state, lvalue):
            address = pointers.seen_as(self, address, kind, loc)
            if _through_pointer(lvalue) and self._is_constant(address.object):
                self.require(
                    state, "no-undefined", self.guards.not_(guard), loc, "a write to an object that is not const"
                )
            if isinstance(value, Aggregate):
                self._write_struct(state, address, value, guard, loc)
                continue
            self.claim_bounds(state, guard, address, loc)
            if bits_of(self.layout.place(address).type) != bits_of(kind):
                across.write(self, state, address, value, kind, guard, loc)
                continue
            stored = value
            found = self.layout.place(address).type
            if isinstance(kind, Int) and isinstance(found, Int) and found.signed != kind.signed:
                stored = self.domain.convert(value, kind, found)
            self.located(loc, state.memory.store, address, stored, guard)

    def _is_constant(self, name: str) -> bool:
        frame, separator, local = name.partition(":")
        if not separator:
            return name in self.program.readonly
        return local in self.program.functions[frame.partition("'")[0]].readonly

    def _write_struct(self, state: State, address: Address, value: Aggregate, guard: int, loc: Loc) -> None:
        for path, scalar in value.leaves.items():
            leaf = Address(address.object, address.path + path)
            self.claim_bounds(state, guard, leaf, loc)
            self.located(loc, state.memory.store, leaf, scalar, guard)

    def claim_bounds(self, state: State, guard: int, address: Address, loc: Loc) -> None:
        """Claim that each index of an address is inside its array."""
        place = self.layout.place(address)
        for index, length in zip(place.key, place.bounds, strict=True):
            self.claim_below(state, guard, index, length, loc, address, at=address)

    def claim_below(
        self, state: State, guard: int, index: Any, length: int, loc: Loc, address: Address, what: str = "",
        at: Address | None = None,
    ) -> None:  # fmt: skip
        """Claim that an index is inside an array of a given length, which is part of the object at an address.

        `at` is what is accessed with it, where that is at one place.
        Raises `Unsupported` where it may be beyond what is known of an object of which only the beginning is.
        """
        if isinstance(index, int) and 0 <= index < length:
            return
        inside = self.domain.compare("<", self.domain.convert(index, INDEX, UNSIGNED), length, UNSIGNED)
        g = self.guards
        text = f"index within 0..{length - 1} of {_array(what or str(address))}"
        self.claim_inside(state, g.or_(g.not_(guard), inside), loc, address.object, text, at=at)

    def claim_inside(
        self, state: State, holds: int, loc: Loc, name: str, text: str, kind: str = "in-bounds",
        at: Address | None = None,
    ) -> None:  # fmt: skip
        """Claim that an access to an object is inside it. Raises `Unsupported` as `claim_below` does."""
        if name not in self.layout.beginnings:
            self.claim(state, kind, holds, loc, text, at)
            return
        beyond = self.guards.and_(state.path, self.guards.not_(holds))
        if beyond != FALSE and self.feasible(self.guards.term(beyond)):
            raise Unsupported("an access beyond the first element at a pointer of which no caller shows the size", loc)

    # Instructions -------------------------------------------------------------------------------

    def execute(self, state: State, instruction: Instruction) -> State:
        """Run one instruction; the state may be changed in place, or replaced by a call's."""
        self._steps += 1
        if self._steps > self.most_steps:
            raise Limit(f"more than {self.most_steps} steps", instruction.loc)
        if self.plain:
            self.trace.append(self.reported(instruction.loc))
        match instruction:
            case Declare(name, _):
                if name in self._registers[self._stack[-1]]:
                    state.locals.pop(name, None)
                else:
                    state.memory.forget(f"{self._frames[-1]}:{name}")
            case Expire(name, _):
                if name in self._registers[self._stack[-1]]:
                    state.locals.pop(name, None)
                else:
                    state.memory.expire(f"{self._frames[-1]}:{name}")
            case Assign(target, value, kind, loc):
                keep = self._is_register(target)
                self._write(state, target, self._kept_value(state, value, loc, keep), kind, loc)
            case Call():
                return self._call(state, instruction)
        return state

    def _kept_value(self, state: State, expr: Expr, loc: Loc, keep: bool) -> Any:
        return self.settled(self.value(state, expr), state, loc, keep_search=keep)

    def _call(self, state: State, call: Call) -> State:
        if not isinstance(call.callee, str):
            return self._call_through(state, call.callee, call)
        return self._call_named(state, call.callee, call)

    def _call_through(self, state: State, callee: Expr, call: Call) -> State:
        """Call each of the functions that a pointer may lead to."""
        pointer = self.settled(self.value(state, callee), state, call.loc)
        options = self.domain.options(pointer, state.path)
        null = self.guards.any(g for g, v in options if is_null(v))
        if null != FALSE:
            text = "a call through a pointer that is not null"
            self.require(state, "no-undefined", self.guards.not_(null), call.loc, text)
        ends = []
        for guard, function in options:
            path = self.guards.and_(state.path, guard)
            if is_null(function) or path == FALSE or not self.feasible(self.guards.term(path)):
                continue
            if not isinstance(function, FunctionPointer):
                raise Unsupported("a call through a pointer of which nothing is known", call.loc)
            branch = state.fork(path)
            self._claim_type(branch, function.name, call)
            if branch.path == FALSE:
                continue
            end = self._call_named(branch, function.name, call)
            if end.path != FALSE:
                ends.append(end)
        if not ends:
            state.path = FALSE
            return state
        return self.join(ends)

    def _claim_type(self, state: State, name: str, call: Call) -> None:
        """Claim that a function that a pointer leads to is of the type that it is called with."""
        function = self.program.functions.get(name)
        if function is not None:
            has = (function.result, *(function.locals[p] for p in function.params))
            same = has == (call.type, *(a.type for a in call.args))
            text = f"{name}() is called through a pointer to a function of its type"
            self.require(state, "no-undefined", TRUE if same else FALSE, call.loc, text)

    def _call_named(self, state: State, name: str, call: Call) -> State:
        args = [self.settled(self.value(state, a), state, call.loc, keep_search=name not in self.intrinsics)
                for a in call.args]  # fmt: skip
        if self.watched is not effects.NOBODY:
            state.effects = self.located(call.loc, effects.observed, self, state, name, args, call)
        if name in self.intrinsics:
            result = self.located(call.loc, self.intrinsics[name], self, state, args, call)
        elif self.standins is not None and (stood := self.standins.call(self, state, name, args, call)) is not None:
            state, result = stood
        else:
            state, result = self.call(name, state, args, call.loc)
        if call.target is not None and state.path != FALSE:
            result = self.settled(result, state, call.loc, keep_search=True)
            self._write(state, call.target, result, call.type, call.loc)
        return state


def _comparable(a: Search, b: Search) -> bool:
    plain = (a.prefix, a.offset, a.word, a.type, a.wanted, a.single) == (
        b.prefix, b.offset, b.word, b.type, b.wanted, b.single)  # fmt: skip
    return plain and alike(a.start, b.start) and alike(a.size, b.size)


def _kept(operand: Expr, kind: CType) -> bool:
    """Say whether a conversion may leave a bit search as it is: between 32-bit integers."""
    source = operand.type
    return isinstance(kind, Int) and isinstance(source, Int) and kind.bits == source.bits == 32


def _through_pointer(lvalue: LValue) -> bool:
    """Say whether an lvalue is reached through a pointer; to a constant by name only its initialiser writes."""
    while isinstance(lvalue, Member | Element):
        lvalue = lvalue.base
    return isinstance(lvalue, Deref)


def _array(place: str) -> str:
    return place.rsplit("[", 1)[0]

"""What a C function does, as one formula: its control-flow program run over values that may be symbolic.

Branches are joined again where control flow joins, never enumerated.  A loop runs once for each value of its control
variables, the states that reach its head with the same value being joined first.  Over plain numbers the same code is
an interpreter: that is how a refutation is replayed.

What C leaves undefined, accesses outside their object, failed BUG_ONs and broken locking rules come out as
*claims*, each under
the condition of its path and with its line; past an undefined step a path is followed no further.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import z3

from ..engine import maps
from ..engine.guards import FALSE, TRUE, Guards, TooLarge
from ..engine.values import and_
from .domain import (
    NULL,
    UNINITIALISED,
    Address,
    Choice,
    Domain,
    FunctionPointer,
    Null,
    Opaque,
    Search,
    Uninitialised,
    highest_first,
    is_null,
    lowest_first,
    with_beginning,
    with_ending,
    wrap,
)
from .flow import Loop, Shape, live_at, shape, successors
from .ir import (
    AddressOf,
    Array,
    Assign,
    Binary,
    Branch,
    Call,
    Const,
    Convert,
    CType,
    Declare,
    Deref,
    Element,
    Expr,
    Function,
    FunctionRef,
    Global,
    Goto,
    Instruction,
    Int,
    Load,
    Loc,
    Local,
    LValue,
    Member,
    Pointer,
    Program,
    Return,
    StringLiteral,
    StructRef,
    Unary,
    Unsupported,
    Void,
)
from .memory import INDEX, Given, Inputs, Layout, Memory

MOST_ITERATIONS = 4_200
MOST_BLIND_ITERATIONS = 130
MOST_STEPS = 400_000
SMALLEST, LARGEST = -1, 64
"""Between these, the values of a loop's control variable that is a term on entry are told apart."""
COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")


@dataclass(frozen=True, slots=True)
class Claim:
    """A thing that must hold wherever its path is taken: `kind` is the property it belongs to."""

    kind: str
    path: int
    holds: int
    loc: Loc
    text: str


@dataclass(slots=True)
class State:
    """Where control has got to: the condition of the path, the scalars of the running functions, and the memory."""

    path: int
    locals: dict[str, Any]
    memory: Memory

    def fork(self, path: int) -> State:
        """Return a copy that is taken under another path condition."""
        return State(path, dict(self.locals), self.memory.fork())


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
    goes wrong in them is reported where the source under judgement calls them.

    Of a plain run, `trace` is the lines taken and `wrote` the line that last wrote each cell.
    """

    program: Program
    inputs: Inputs
    intrinsics: Mapping[str, Intrinsic]
    feasible: Callable[[Any], bool] = lambda condition: True
    ours: frozenset[str] = frozenset()
    guards: Guards = field(default_factory=Guards)
    domain: Domain = field(init=False)
    layout: Layout = field(init=False)
    claims: list[Claim] = field(default_factory=list)
    trace: list[Loc] = field(default_factory=list)
    wrote: dict[tuple[str, maps.Key], Loc] = field(default_factory=dict)
    _sites: list[Loc] = field(default_factory=list)
    _shapes: dict[str, Shape] = field(default_factory=dict)
    _plans: dict[tuple[str, int], tuple[tuple[str, ...], bool, Any]] = field(default_factory=dict)
    _registers: dict[str, frozenset[str]] = field(default_factory=dict)
    _stack: list[str] = field(default_factory=list)
    _steps: int = 0

    @property
    def plain(self) -> bool:
        """Say whether this is a run over plain numbers."""
        return isinstance(self.inputs, Given)

    def __post_init__(self) -> None:
        self.domain = Domain(self.guards)
        self.layout = Layout(self.program)

    def summarise(self, name: str, start: Summary | None = None) -> Summary:
        """Evaluate a function without parameters, from the inputs or from where another run ended.

        Raises `Unsupported` for what is not understood, a limit that was reached included.
        """
        if start is None:
            memory, path = Memory(self.layout, self.domain, self.inputs, self._note_write), TRUE
        else:
            memory, path = start.after.fork(), start.returns
        try:
            end, result = self.call(name, State(path, {}, memory), ())
        except Unsupported as cause:
            raise Unsupported(cause.construct, cause.loc or self._here(name)) from None
        except TooLarge:
            raise Unsupported("control flow whose path conditions outgrow the limit", self._here(name)) from None
        except RecursionError:
            raise Unsupported("expressions nested too deeply", self._here(name)) from None
        return Summary(self.inputs, end.memory, result, end.path, list(self.claims), self.domain)

    def _note_write(self, region: str, key: maps.Key) -> None:
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
            if name in self.program.unsupported:
                cause = self.program.unsupported[name]
                raise Unsupported(f"{name}(): {cause.construct}", cause.loc)
            raise Unsupported(f"{name}() is neither in the source nor in the stubs", loc)
        if name in self._stack:
            raise Unsupported(f"recursion through {name}()", loc)
        if name not in self._shapes:
            self._shapes[name] = shape(function)
            self._registers[name] = _registers(function)
        self._stack.append(name)
        self._sites.append(loc or function.loc)
        caller, state.locals = state.locals, {}
        for local, kind in function.locals.items():
            if local not in self._registers[name]:
                self.layout.objects[f"{name}:{local}"] = kind
        for parameter, value in zip(function.params, args, strict=False):
            self._write(state, Local(parameter), value, function.locals[parameter], function.loc)
        exits: list[tuple[State, Any]] = []
        _Run(self, function, self._shapes[name], exits).from_entry(state)
        self._stack.pop()
        self._sites.pop()
        if not exits:
            state.path, state.locals = FALSE, caller
            return state, 0
        end, result = self._join_exits(exits)
        for local in function.locals:
            if local not in self._registers[name]:
                end.memory.forget(f"{name}:{local}")
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
            memory.regions[name] = maps.join([s.memory.known(name) for s in states], choose, when)
        memory.written = frozenset().union(*(s.memory.written for s in states))
        return State(covered, scalars, memory)

    def plan(self, function: Function, loop: Loop) -> tuple[tuple[str, ...], bool, Any]:
        """Return how to run a loop: its control variables, whether they count down, and what is taken bit by bit."""
        key = (function.name, loop.head)
        if key not in self._plans:
            live = live_at(function, loop.head)
            control = tuple(n for n in _control_variables(function, loop) if n in live)
            self._plans[key] = control, _descends(function, loop, control), _taken_bit_by_bit(function, loop, control)
        return self._plans[key]

    # Claims -------------------------------------------------------------------------------------

    def claim(self, state: State, kind: str, holds: int, loc: Loc, text: str) -> None:
        """Record that something must hold on the current path."""
        if self.guards.and_(state.path, self.guards.not_(holds)) != FALSE:
            self.claims.append(Claim(kind, state.path, holds, self.reported(loc), text))

    def require(self, state: State, kind: str, holds: int, loc: Loc, text: str) -> None:
        """Record a claim, and follow the path only where it holds."""
        self.claim(state, kind, holds, loc, text)
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
                return self._located(loc, self.domain.convert, value, type_of(operand), kind)
            case Unary(op, operand, kind, loc):
                value = self.settled(self.value(state, operand), state, loc)
                return self._located(loc, self.domain.unary, op, value, kind)
            case AddressOf(lvalue, _, _):
                return self.domain.choice(self._addresses(state, lvalue))
            case FunctionRef(name):
                return FunctionPointer(name)
            case StringLiteral(text):
                return Opaque(f'"{text}"')
        raise Unsupported(f"expression {type(expr).__name__}")

    def _located(self, loc: Loc, function: Callable[..., Any], *args: Any) -> Any:
        try:
            return function(*args)
        except Unsupported as cause:
            raise Unsupported(cause.construct, cause.loc or loc) from None

    def settled(self, value: Any, state: State, loc: Loc, keep_search: bool = False) -> Any:
        """Return a value that has been read: searches are resolved, and uninitialised alternatives become a claim."""
        if isinstance(value, Search):
            return value if keep_search else self.resolved(value)
        if isinstance(value, Uninitialised):
            self.require(state, "no-undefined", FALSE, loc, "use of an uninitialised value")
            return 0
        if isinstance(value, Choice):
            bad = [g for g, v in value.options if isinstance(v, Uninitialised)]
            if any(isinstance(v, Search) for _, v in value.options):
                value = self.domain.each(value, lambda v: self.resolved(v) if isinstance(v, Search) else v)
            if bad:
                self.require(
                    state, "no-undefined", self.guards.not_(self.guards.any(bad)), loc, "use of an uninitialised value"
                )
                rest = [(g, v) for g, v in self.domain.options(value) if not isinstance(v, Uninitialised)]
                value = self.domain.choice(rest) if rest else 0
        return value

    def resolved(self, search: Search) -> Any:
        """Return every answer that a bit search can have, as alternatives."""
        options: list[tuple[int, Any]] = []
        none = TRUE
        position = search.start
        while True:
            inside = self.domain.compare("<", position, search.size, search.type)
            if inside == FALSE or not self.feasible(self.guards.term(inside)):
                break
            if position - search.start > MOST_ITERATIONS:
                raise Unsupported("a search through more bits than the limit", self._here(""))
            found = self.guards.and_(inside, self.domain.search_hit(search.moved(position)))
            options.append((self.guards.and_(none, found), position))
            none = self.guards.and_(none, self.guards.not_(found))
            position += 1
        return self.domain.choice([*options, (none, search.size)])

    def _binary(self, state: State, expr: Binary) -> Any:
        left_type, right_type = type_of(expr.left), type_of(expr.right)
        left = self.settled(self.value(state, expr.left), state, expr.loc)
        right = self.settled(self.value(state, expr.right), state, expr.loc)
        if isinstance(left_type, Pointer):
            return self._located(expr.loc, self._pointer_binary, state, expr, left, right, left_type)
        assert isinstance(left_type, Int) and isinstance(right_type, Int)
        if expr.op in COMPARISONS:
            return self.domain.truth(self._located(expr.loc, self.domain.compare, expr.op, left, right, left_type))
        if expr.op in ("<<", ">>"):
            self._claim_shift(state, right, right_type, left_type, expr.loc)
        elif expr.op in ("/", "%"):
            self._claim_division(state, left, right, left_type, expr.loc)
        return self._located(expr.loc, self.domain.binary, expr.op, left, right, left_type, right_type)

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

    def _pointer_binary(self, state: State, expr: Binary, left: Any, right: Any, kind: Pointer) -> Any:
        if expr.op in COMPARISONS:
            return self._pointer_compare(expr.op, left, right)
        if isinstance(type_of(expr.right), Pointer):
            raise Unsupported("difference of two pointers")
        right_type = type_of(expr.right)
        assert isinstance(right_type, Int)
        # Addresses wrap at 32 bits, as the kernel's flags define; whether one is followed is another question.
        offset = self.domain.convert(right, right_type, INDEX)
        if expr.op == "-":
            offset = self.domain.unary("-", offset, INDEX)
        return self.domain.each(left, lambda pointer: self._moved(pointer, offset, kind), state.path)

    def _index(self, state: State, value: Any, kind: CType, loc: Loc) -> Any:
        """Convert an index to 32 bits; a wider one must fit."""
        narrow = self.domain.convert(value, kind, INDEX)
        if isinstance(kind, Int) and kind.bits > INDEX.bits:
            fits = self.domain.compare("==", self.domain.convert(narrow, INDEX, kind), value, kind)
            self.claim(state, "in-bounds", fits, loc, "an index that fits in 32 bits")
        return narrow

    def _moved(self, pointer: Any, offset: Any, kind: Pointer) -> Any:
        if isinstance(offset, int) and offset == 0:
            return pointer
        if isinstance(pointer, Null | Opaque):
            label = pointer.label if isinstance(pointer, Opaque) else "NULL"
            return self.domain.each(offset, lambda o: Opaque(f"{label} + {o if isinstance(o, int) else o.sexpr()}"))
        if not isinstance(pointer, Address):
            raise Unsupported("arithmetic on a pointer to a function")
        if not pointer.path or isinstance(pointer.path[-1], str):
            raise Unsupported("arithmetic on a pointer that points into no array")
        place = self.layout.place(pointer)
        step = 1 if isinstance(kind.target, Void) else self.layout.size(kind.target)
        if step != self.layout.size(place.type):
            raise Unsupported("pointer arithmetic in units that are not those of the array")
        index = self.domain.binary("+", pointer.path[-1], offset, INDEX, INDEX)
        return self.domain.each(index, lambda i: Address(pointer.object, (*pointer.path[:-1], i)))

    def _pointer_compare(self, op: str, left: Any, right: Any) -> Any:
        if op not in ("==", "!="):
            raise Unsupported("ordering of pointers")
        g = self.guards
        equal = g.any(
            g.and_(g.and_(gl, gr), self._same_place(a, b))
            for gl, a in self.domain.options(left)
            for gr, b in self.domain.options(right)
        )
        return self.domain.truth(equal if op == "==" else g.not_(equal))

    def _same_place(self, a: Any, b: Any) -> int:
        g = self.guards
        if isinstance(a, Null) or isinstance(b, Null):
            other = b if isinstance(a, Null) else a
            return g.not_(self.domain.is_true(other))
        if isinstance(a, Address) and isinstance(b, Address):
            if a.object != b.object:
                return FALSE
            if [type(s) is str and s for s in a.path] != [type(s) is str and s for s in b.path]:
                x, y = (self.layout.offset(p, self.domain) for p in (a, b))
                return self.domain.compare("==", x, y, INDEX)
            return g.all(
                (TRUE if x == y else FALSE)
                if isinstance(x, str) or isinstance(y, str)
                else self.domain.compare("==", x, y, INDEX)
                for x, y in zip(a.path, b.path, strict=True)
            )
        if a == b:
            return TRUE
        raise Unsupported("comparison with a pointer of which nothing is known")

    # Places -------------------------------------------------------------------------------------

    def _addresses(self, state: State, lvalue: LValue) -> list[tuple[int, Any]]:
        """List where an lvalue may be, with the guard of each place."""
        match lvalue:
            case Local(name):
                return [(TRUE, Address(f"{self._stack[-1]}:{name}"))]
            case Global(name):
                return [(TRUE, Address(name))]
            case Member(base, _, name):
                return [(g, Address(a.object, (*a.path, name))) for g, a in self._addresses(state, base)]
            case Element(base, index, loc):
                place = self._addresses(state, base)
                at = self._index(state, self.settled(self.value(state, index), state, loc), type_of(index), loc)
                return [
                    (self.guards.and_(g, h), Address(a.object, (*a.path, i)))
                    for g, a in place
                    for h, i in self.domain.options(at, self.guards.and_(state.path, g))
                ]
            case Deref(pointer, loc):
                value = self.settled(self.value(state, pointer), state, loc)
                target = type_of(pointer)
                assert isinstance(target, Pointer)
                return self._pointees(state, value, target.target, loc)
        raise Unsupported(f"lvalue {type(lvalue).__name__}")

    def _pointees(self, state: State, value: Any, target: CType, loc: Loc) -> list[tuple[int, Any]]:
        options = self.domain.options(value, state.path)
        null = self.guards.any(g for g, v in options if is_null(v))
        if null != FALSE:
            self.require(
                state, "no-undefined", self.guards.not_(null), loc, "dereference of a pointer that is not null"
            )
        places = []
        for guard, v in options:
            if is_null(v):
                continue
            if not isinstance(v, Address):
                what = v.label if isinstance(v, Opaque) else "something that is no pointer"
                raise Unsupported(f"dereference of {what}, of which nothing is known", loc)
            self._claim_alive(state, guard, v, loc)
            places.append((guard, self._seen_as(v, target, loc)))
        return places

    def _claim_alive(self, state: State, guard: int, address: Address, loc: Loc) -> None:
        function, separator, local = address.object.partition(":")
        if separator and function not in self._stack:
            text = f"{local} is not used after {function}() returned"
            self.require(state, "no-undefined", self.guards.not_(guard), loc, text)

    def _seen_as(self, address: Address, target: CType, loc: Loc) -> Address:
        """Return the address of the part that a pointer of another type points to: an object's first member."""
        kind = self.layout.place(address).type
        while not _compatible(kind, target):
            if isinstance(kind, StructRef) and self.program.structs[kind.tag].fields:
                first = self.program.structs[kind.tag].fields[0]
                address, kind = Address(address.object, (*address.path, first.name)), first.type
            elif isinstance(kind, Array):
                address, kind = Address(address.object, (*address.path, 0)), kind.element
            else:
                raise Unsupported(f"{address} accessed through a pointer to another type", loc)
        return address

    def _is_register(self, lvalue: LValue) -> bool:
        return isinstance(lvalue, Local) and lvalue.name in self._registers[self._stack[-1]]

    def _read(self, state: State, lvalue: LValue, kind: CType, loc: Loc) -> Any:
        if self._is_register(lvalue):
            assert isinstance(lvalue, Local)
            return state.locals.get(lvalue.name, UNINITIALISED)
        loaded = []
        for guard, address in self._addresses(state, lvalue):
            address = self._seen_as(address, kind, loc)
            self._claim_bounds(state, guard, address, loc)
            value = self._located(loc, state.memory.load, address)
            found = self.layout.place(address).type
            if isinstance(kind, Int) and isinstance(found, Int) and found.signed != kind.signed:
                value = self.domain.each(value, partial(self._resigned, found, kind))
            loaded.append((guard, value))
        return self.domain.choice(loaded) if loaded else 0

    def _resigned(self, source: Int, target: CType, value: Any) -> Any:
        return value if isinstance(value, Uninitialised) else self.domain.convert(value, source, target)

    def _write(self, state: State, lvalue: LValue, value: Any, kind: CType, loc: Loc) -> None:
        if self._is_register(lvalue):
            assert isinstance(lvalue, Local)
            state.locals[lvalue.name] = value
            return
        if isinstance(value, Search):
            value = self.resolved(value)
        for guard, address in self._addresses(state, lvalue):
            address = self._seen_as(address, kind, loc)
            self._claim_bounds(state, guard, address, loc)
            stored = value
            found = self.layout.place(address).type
            if isinstance(kind, Int) and isinstance(found, Int) and found.signed != kind.signed:
                stored = self.domain.convert(value, kind, found)
            self._located(loc, state.memory.store, address, stored, guard)

    def _claim_bounds(self, state: State, guard: int, address: Address, loc: Loc) -> None:
        place = self.layout.place(address)
        for index, length in zip(place.key, place.bounds, strict=True):
            self.claim_below(state, guard, index, length, loc, str(Address(address.object, address.path)))

    def claim_below(self, state: State, guard: int, index: Any, length: int, loc: Loc, what: str) -> None:
        """Claim that an index is inside an array of a given length."""
        if isinstance(index, int) and 0 <= index < length:
            return
        unsigned = Int(32, False)
        inside = self.domain.compare("<", self.domain.convert(index, INDEX, unsigned), length, unsigned)
        g = self.guards
        self.claim(
            state, "in-bounds", g.or_(g.not_(guard), inside), loc, f"index within 0..{length - 1} of {_array(what)}"
        )

    # Instructions -------------------------------------------------------------------------------

    def execute(self, state: State, instruction: Instruction) -> State:
        """Run one instruction; the state may be changed in place, or replaced by a call's."""
        self._steps += 1
        if self._steps > MOST_STEPS:
            raise Unsupported(f"more than {MOST_STEPS} steps", instruction.loc)
        if self.plain:
            self.trace.append(self.reported(instruction.loc))
        match instruction:
            case Declare(name, _):
                if name in self._registers[self._stack[-1]]:
                    state.locals.pop(name, None)
                else:
                    state.memory.forget(f"{self._stack[-1]}:{name}")
            case Assign(target, value, kind, loc):
                if isinstance(kind, StructRef):
                    self._copy_struct(state, target, value, kind, loc)
                else:
                    keep = self._is_register(target)
                    self._write(state, target, self._kept_value(state, value, loc, keep), kind, loc)
            case Call():
                return self._call(state, instruction)
        return state

    def _kept_value(self, state: State, expr: Expr, loc: Loc, keep: bool) -> Any:
        return self.settled(self.value(state, expr), state, loc, keep_search=keep)

    def _copy_struct(self, state: State, target: LValue, value: Expr, kind: StructRef, loc: Loc) -> None:
        if not isinstance(value, Load):
            raise Unsupported("a struct value that is no object", loc)
        sources, targets = self._addresses(state, value.lvalue), self._addresses(state, target)
        if len(sources) != 1 or len(targets) != 1:
            raise Unsupported("a struct copied from or to one of several places", loc)
        (_, source), (_, to) = sources[0], targets[0]
        for path, leaf in self.layout.leaves(kind):
            a, b = Address(source.object, source.path + path), Address(to.object, to.path + path)
            self._claim_bounds(state, TRUE, a, loc)
            self._claim_bounds(state, TRUE, b, loc)
            del leaf
            state.memory.store(b, state.memory.load(a), TRUE)

    def _call(self, state: State, call: Call) -> State:
        name = call.callee
        if not isinstance(name, str):
            pointer = self.settled(self.value(state, name), state, call.loc)
            if not isinstance(pointer, FunctionPointer):
                raise Unsupported("a call through a pointer of which nothing is known", call.loc)
            name = pointer.name
        args = [self.settled(self.value(state, a), state, call.loc, keep_search=name not in self.intrinsics)
                for a in call.args]  # fmt: skip
        if name in self.intrinsics:
            result = self._located(call.loc, self.intrinsics[name], self, state, args, call)
        else:
            state, result = self.call(name, state, args, call.loc)
        if call.target is not None and state.path != FALSE:
            self._write(state, call.target, result, call.type, call.loc)
        return state

    def run_function(self, state: State, pointer: Any, args: Sequence[Any], loc: Loc) -> State:
        """Call through a pointer from an intrinsic; the result is dropped."""
        if not isinstance(pointer, FunctionPointer):
            raise Unsupported("a call through a pointer of which nothing is known", loc)
        return self.call(pointer.name, state, args, loc)[0]


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
class _Run:
    """One activation of a function: the states that wait at each block."""

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
                value = e.settled(e.value(state, condition), state, loc)
                taken = e._located(loc, e.domain.is_true, value)
                for target, path in (
                    (then, e.guards.and_(state.path, taken)),
                    (otherwise, e.guards.and_(state.path, e.guards.not_(taken))),
                ):
                    if path != FALSE:
                        waiting.setdefault(target, []).append(state.fork(path))
            case Return(value, loc):
                if e.plain:
                    e.trace.append(e.reported(loc))
                result = None if value is None else e.settled(e.value(state, value), state, loc, keep_search=True)
                if state.path != FALSE:
                    self.exits.append((state, result))
            case _:
                self.exits.append((state, UNINITIALISED))

    # Loops --------------------------------------------------------------------------------------

    def _loop(self, loop: Loop, waiting: dict[int, list[State]]) -> None:
        """Run a loop to its end: one iteration for each value of its control variables, joined states each."""
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
            if key and key[-1][1] == "block":
                self._resume(key[-1][0], state, scope, inner)
            else:
                if rounds and not self._goes_on(state):
                    continue
                rounds += 1
                blind += all(kind == "other" for _, kind in key) and state.path != TRUE
                self._bounded(loop, rounds, blind)
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

    def _bounded(self, loop: Loop, rounds: int, blind: int) -> None:
        if rounds > MOST_ITERATIONS:
            raise Unsupported(f"a loop of more than {MOST_ITERATIONS} iterations", self._loc_of(loop.head))
        if blind > MOST_BLIND_ITERATIONS:
            what = f"a loop that {MOST_BLIND_ITERATIONS} iterations with no known control variable do not bound"
            raise Unsupported(what, self._loc_of(loop.head))

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
        return next((n for n in _names(terminator.condition) if isinstance(state.locals.get(n), Search)), None)

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
        later.locals[name] = search.moved(search.start + 1)
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

    def _loc_of(self, block: int) -> Loc:
        body = self.function.blocks[block]
        if body.instructions:
            return body.instructions[0].loc
        return body.terminator.loc if isinstance(body.terminator, Branch) else self.function.loc


def _comparable(a: Search, b: Search) -> bool:
    plain = (a.prefix, a.offset, a.word, a.start, a.type, a.wanted) == (
        b.prefix, b.offset, b.word, b.start, b.type, b.wanted)  # fmt: skip
    return plain and _alike(a.size, b.size)


def _alike(a: Any, b: Any) -> bool:
    if isinstance(a, z3.ExprRef) and isinstance(b, z3.ExprRef):
        return a.eq(b)  # type: ignore[no-any-return]
    return type(a) is type(b) and bool(a == b)


def _key_part(value: Any) -> tuple[int, str]:
    if isinstance(value, Search):
        return value.start, "search"
    return (value, "number") if isinstance(value, int) else (0, "other")


def _control_variables(function: Function, loop: Loop) -> tuple[str, ...]:
    """Find the locals that decide whether a loop goes on: those in its exit conditions, and what they come from."""
    members = set(loop.blocks)
    names: dict[str, None] = {}
    for b in loop.blocks:
        terminator = function.blocks[b].terminator
        if isinstance(terminator, Branch) and any(s not in members for s in successors(function, b)):
            names.update(dict.fromkeys(_names(terminator.condition)))
    assigned: dict[str, set[str]] = {}
    for b in loop.blocks:
        for instruction in function.blocks[b].instructions:
            if isinstance(instruction, Assign | Call) and isinstance(instruction.target, Local):
                sources = (instruction.value,) if isinstance(instruction, Assign) else instruction.args
                assigned.setdefault(instruction.target.name, set()).update(n for s in sources for n in _names(s))
    stack = list(names)
    while stack:
        for name in sorted(assigned.get(stack.pop(), ())):
            if name not in names:
                names[name] = None
                stack.append(name)
    return tuple(n for n in names if n in assigned)


def _taken_bit_by_bit(function: Function, loop: Loop, control: Sequence[str]) -> dict[str, bool]:
    """Find the words out of which a loop takes one set bit after the other; true for those taken from the top.

    They are given to a bit search, or lose their lowest bit as `word & (word - 1)`.
    """
    found: dict[str, bool] = {}
    for b in loop.blocks:
        for i in function.blocks[b].instructions:
            if isinstance(i, Call) and i.callee in ("ffs", "__ffs", "fls", "__fls"):
                found.update((n, "fls" in str(i.callee)) for a in i.args for n in _names(a) if n in control)
            elif isinstance(i, Assign) and isinstance(i.target, Local) and i.target.name in control:
                match i.value:
                    case Binary("&", Load(Local(x)), Binary("-", Load(Local(y)), Const(1))) if x == y == i.target.name:
                        found.setdefault(x, False)
    return found


def _descends(function: Function, loop: Loop, control: Sequence[str]) -> bool:
    """Say whether a control variable counts down, which is the order in which its values are then run."""
    for b in loop.blocks:
        for i in function.blocks[b].instructions:
            if isinstance(i, Assign) and isinstance(i.target, Local) and i.target.name in control:
                value = i.value.operand if isinstance(i.value, Convert) else i.value
                if isinstance(value, Binary) and i.target.name in _names(value.left) and isinstance(value.right, Const):
                    step = value.right.value if value.op == "+" else -value.right.value
                    if value.op in "+-" and step < 0:
                        return True
    return False


def _names(node: Any) -> list[str]:
    """List the locals that an expression reads."""
    match node:
        case Load(lvalue):
            return _names(lvalue)
        case Local(name):
            return [name]
        case AddressOf(lvalue):
            return _names(lvalue)
        case Unary(_, operand) | Convert(operand):
            return _names(operand)
        case Binary(_, left, right):
            return _names(left) + _names(right)
        case Deref(pointer):
            return _names(pointer)
        case Member(base):
            return _names(base)
        case Element(base, index):
            return _names(base) + _names(index)
    return []


def _registers(function: Function) -> frozenset[str]:
    """Find the locals that are scalars and whose address nobody takes."""
    taken: set[str] = set()

    def visit(node: Any) -> None:
        match node:
            case AddressOf(lvalue):
                root = lvalue
                while isinstance(root, Member | Element):
                    root = root.base
                if isinstance(root, Local):
                    taken.add(root.name)
                visit(lvalue)
            case Load(lvalue):
                visit(lvalue)
            case Unary(_, operand) | Convert(operand):
                visit(operand)
            case Binary(_, left, right):
                visit(left)
                visit(right)
            case Deref(pointer):
                visit(pointer)
            case Member(base):
                visit(base)
            case Element(base, index):
                visit(base)
                visit(index)

    for block in function.blocks:
        for i in block.instructions:
            if isinstance(i, Assign):
                visit(i.target)
                visit(i.value)
            elif isinstance(i, Call):
                for node in (i.target, *i.args, i.callee):
                    visit(node)
        if isinstance(block.terminator, Branch):
            visit(block.terminator.condition)
        elif isinstance(block.terminator, Return):
            visit(block.terminator.value)
    return frozenset(
        name for name, kind in function.locals.items() if name not in taken and isinstance(kind, Int | Pointer)
    )


def _kept(operand: Expr, kind: CType) -> bool:
    """Say whether a conversion may leave a bit search as it is: between 32-bit integers."""
    source = type_of(operand)
    return isinstance(kind, Int) and isinstance(source, Int) and kind.bits == source.bits == 32


def type_of(expr: Expr) -> CType:
    """Return the type of an expression."""
    return expr.type


def _compatible(kind: CType, target: CType) -> bool:
    if isinstance(kind, Int) and isinstance(target, Int):
        return kind.bits == target.bits
    if isinstance(kind, Pointer) and isinstance(target, Pointer):
        return True
    return kind == target or isinstance(target, Void)


def _array(place: str) -> str:
    return place.rsplit("[", 1)[0]

"""Callees that are not run: that they were called is noted, and what they do is left to who judges them.

One that is called at the `Last` meets what the caller leaves behind: nothing follows but other such calls, in an order
that is known, and the return.  So a caller is judged by what it leaves and by which of them it calls.

One that stands `Aside` writes nothing that its caller touches, looks at nothing that its caller writes later, and may
answer anything.  It is called at most once with the same numbers, and with other numbers in an order that is known.

One from `Outside` of the source does nothing to the memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..engine.guards import FALSE, TRUE
from ..engine.values import alike
from .domain import Address, is_null
from .ir import Assign, Block, Branch, Call, Goto, Int, Load, Local, Program, Unsupported, parts
from .memory import Inputs, Place
from .standins import footprint_of

if TYPE_CHECKING:
    from .summary import Evaluator, State

COUNT = Int(8, False)
NUMBER = Int(64, False)
CALLS = "vgicheck_calls"
"""The object whose cells count how often each was called: no cells of the C."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A function that is not run, and the address that it must be called with first; what follows are numbers.

    `also` are addresses that come between.
    """

    function: str
    given: Callable[[Inputs], Address]
    numbers: int = 0
    also: tuple[Address, ...] = field(default=(), kw_only=True)

    @property
    def region(self) -> str:
        """The cells that count its calls, by the numbers that it is called with."""
        return f"{CALLS}.{self.function}{'[]' * self.numbers}"

    def noted(self, e: Evaluator, state: State, args: Sequence[Any], call: Call) -> Any:
        """Count a call. Raises `Unsupported` for one with anything else than it must be called with."""
        self._seen(e, args, call)
        _count(e, state, self.region, tuple(args[1:]), TRUE)
        return 0

    def _seen(self, e: Evaluator, args: Sequence[Any], call: Call) -> None:
        wanted = [self.given(e.inputs), *self.also]
        met = zip(args, wanted, strict=False)
        if len(args) != len(wanted) + self.numbers or not all(_leads_to(*pair) for pair in met):
            raise Unsupported(f"a call of {self.function}() with something that is not at hand", call.loc)

    @property
    def _plain(self) -> int:
        """How many arguments are numbers."""
        return self.numbers

    def _writes_at_most(self, e: Evaluator, own: Set[str]) -> None:
        """See that a run of it from an unknown state writes nothing that was touched but its own, and looks at nothing
        that its caller wrote later. Raises `Unsupported` where it may, and where that is not known.
        """
        body = e.program.functions.get(self.function)
        given = [self.given(e.inputs), *self.also, *([0] * self._plain)]
        if body is None or len(body.params) != len(given):
            raise Unsupported(f"{self.function}() is not in the source as it is known", body.loc if body else None)
        found = footprint_of(e, body, [(a, body.locals[p]) for a, p in zip(given, body.params, strict=True)], {})
        if found is None:
            raise Unsupported(f"what {self.function}() writes is not known", body.loc)
        later = sorted(found.touched & e.wrote_later)
        if later:
            raise Unsupported(f"{self.function}() may look at {later[0]}, which its caller writes later", body.loc)
        both = sorted((found.written.keys() & e.layout.kinds.keys()) - own)
        if both:
            raise Unsupported(f"{self.function}() may write {both[0]}, which its caller touches", body.loc)


@dataclass(frozen=True, slots=True)
class Between(Cut):
    """A function after which its caller goes on; it may leave anything in the words `leaves`, and answer anything.

    It writes nothing else that its caller touches, and looks at nothing that its caller writes later.  Of several that
    one call may reach it is the last number that is noted, in `number`; what one with a higher `rank` does comes
    after what the others do; one without has nothing to do with them, and looks at nothing.
    """

    name: str = field(kw_only=True)
    leaves: tuple[Address, ...] = ()
    rank: int | None = 0

    @property
    def region(self) -> str:
        """The cell that counts its calls."""
        return f"{CALLS}.{self.function}"

    @property
    def number(self) -> str:
        """The cell that has the number that it was called with."""
        return f"{CALLS}.number_of_{self.name}"

    @property
    def answer(self) -> str:
        """The input that is what it answers."""
        return f"{CALLS}.answer_of_{self.name}"

    def left(self, inputs: Inputs, region: str, bits: int) -> Any:
        """Return what it leaves in a word of the memory."""
        return inputs.word(f"{region}@{self.name}", (), bits)

    def noted(self, e: Evaluator, state: State, args: Sequence[Any], call: Call) -> Any:
        """Count a call, and let it do anything. Raises `Unsupported` for one that is out of order."""
        self._seen(e, args, call)
        if self.rank is not None:
            if e.ranks and not e.ranks[-1] <= (self.rank,):
                raise Unsupported(f"a call of {self.function}() that is out of order", call.loc)
            e.ranks.append((self.rank,))
        _count(e, state, self.region, (), TRUE)
        if self.numbers:
            place = Place(self.number, (), NUMBER, (), object=self.number)
            state.memory.put(place, (), e.domain.convert(args[-1], call.args[-1].type, NUMBER), TRUE)
        for address in self.leaves:
            place = e.layout.place(address)
            state.memory.region(place)
            state.memory.havoc(place.region, self.name)
        return e.domain.truth(e.guards.of(e.inputs.bit(self.answer, ())))

    def kept_apart(self, e: Evaluator) -> None:
        """See that it does nothing else that its caller notices. Raises `Unsupported` where it may."""
        self._writes_at_most(e, {e.layout.place(address).region for address in self.leaves})


@dataclass(frozen=True, slots=True)
class Outside:
    """A function of the kernel's that does nothing to the memory: that it is called is what counts, and of what.

    It has one argument, a pointer into `array`.
    """

    function: str
    array: str

    @property
    def region(self) -> str:
        """The cells that count its calls, by the index of what it is called with."""
        return f"{CALLS}.{self.function}[]"

    def noted(self, e: Evaluator, state: State, args: Sequence[Any], call: Call) -> Any:
        """Count a call; one with NULL is for who judges what C leaves undefined, and is not followed.

        Raises `Unsupported` for one with anything else than an element of the array.
        """
        for guard, index in _indices(e, state, self.function, self.array, args[0], call):
            _count(e, state, self.region, (index,), guard)
        return 0


def _indices(
    e: Evaluator, state: State, function: str, array: str, pointer: Any, call: Call
) -> Sequence[tuple[int, Any]]:
    """Return which element of an array a pointer leads to, under which guard; where it is NULL no path goes on."""
    g, options = e.guards, e.domain.options(pointer, state.path)
    null = g.any(guard for guard, to in options if is_null(to))
    e.require(state, "no-undefined", g.not_(null), call.loc, f"{function}() is not called with NULL")
    found = [(guard, to) for guard, to in options if not is_null(to)]
    if not all(isinstance(to, Address) and to.object == array and len(to.path) == 1 for _, to in found):
        raise Unsupported(f"a call of {function}() with something that is not at hand", call.loc)
    return [(guard, to.path[0]) for guard, to in found]


def _count(e: Evaluator, state: State, region: str, key: tuple[Any, ...], guard: int) -> None:
    place = Place(region, key, COUNT, (1 << 16,) * len(key), object=region)
    count = e.domain.binary("+", state.memory.region(place)[key], 1, COUNT, COUNT)
    state.memory.put(place, key, count, guard)


@dataclass(frozen=True, slots=True)
class Last(Cut):
    """A function that is called at the end."""


@dataclass(frozen=True, slots=True)
class Aside(Cut):
    """A function that answers yes or no, with nothing to do with its caller otherwise.

    `limits` are what the numbers must be below, and `rank` is what grows from call to call, of the numbers.  With an
    `array` it is called with any element of it, by an index that is the first of the numbers.
    """

    limits: tuple[int, ...] = ()
    rank: Callable[[tuple[int, ...]], tuple[int, ...]] = lambda numbers: numbers
    array: str = ""

    @property
    def _plain(self) -> int:
        """The index in an array is no argument."""
        return self.numbers - bool(self.array)

    @property
    def answers(self) -> str:
        """The inputs that are its answers."""
        return f"{CALLS}.answers_of_{self.function}{'[]' * self.numbers}"

    def noted(self, e: Evaluator, state: State, args: Sequence[Any], call: Call) -> Any:
        """Count a call, and answer it. Raises `Unsupported` for one that is out of order."""
        if self.array:
            if not e.feasible(e.guards.term(state.path)):
                state.path = FALSE
                return 0
            elements = _indices(e, state, self.function, self.array, args[0], call)
            if len(elements) != 1:
                raise Unsupported(f"a call of {self.function}() with one of several", call.loc)
            args = [self.given(e.inputs), elements[0][1], *args[1:]]
        Cut.noted(self, e, state, args, call)
        key = tuple(args[1:])
        if not all(isinstance(number, int) for number in key):
            raise Unsupported(f"a call of {self.function}() with a number that is not known exactly", call.loc)
        if not all(0 <= number < limit for number, limit in zip(key, self.limits, strict=True)):
            raise Unsupported(f"a call of {self.function}() with a number of which nothing is known", call.loc)
        # What is evaluated later comes later on every path that has both.
        if e.ranks and not e.ranks[-1] < self.rank(key):
            raise Unsupported(f"a call of {self.function}() that is out of order", call.loc)
        e.ranks.append(self.rank(key))
        return e.domain.truth(e.guards.of(e.inputs.bit(self.answers, key)))

    def kept_apart(self, e: Evaluator) -> None:
        """See that what was evaluated touched nothing that this may write, and wrote nothing after a call that this may
        look at. Raises `Unsupported` where it did.
        """
        self._writes_at_most(e, set())


def _leads_to(pointer: Any, wanted: Address) -> bool:
    return (
        isinstance(pointer, Address)
        and pointer.object == wanted.object
        and len(pointer.path) == len(wanted.path)
        and all(alike(a, b) for a, b in zip(pointer.path, wanted.path, strict=True))
    )


def calls(program: Program, function: str, *but: str) -> dict[str, set[str]]:
    """Return what a function calls, and what that calls, but for some that are not looked into; "" for a pointer."""
    found: dict[str, set[str]] = {}
    pending = [function]
    while pending:
        name = pending.pop()
        if name in found or name in but or name not in program.functions:
            continue
        instructions = (i for block in program.functions[name].blocks for i in block.instructions)
        called = (i.callee for i in instructions if isinstance(i, Call))
        found[name] = {callee if isinstance(callee, str) else "" for callee in called}
        pending += found[name]
    return found


def at_the_end(program: Program, function: str, cuts: Sequence[str]) -> None:
    """See that a function calls some functions itself, and none that it calls does, in this order at its end.

    Raises `Unsupported` for anything but that: where one is called by something else, or is followed by more than the
    later ones and the return of a number that does not depend on memory.
    """
    body = program.functions[function]
    if not cuts:
        return
    found = calls(program, function, *cuts)
    if any("" in called for called in found.values()):
        raise Unsupported(f"a call through a pointer, which may be of what {function}() ends with", body.loc)
    deeper = [n for n, called in found.items() if n != function and called & {*cuts}]
    if deeper:
        raise Unsupported(f"{deeper[0]}() calls what {function}() ends with", program.functions[deeper[0]].loc)
    for number, block in enumerate(body.blocks):
        for place, instruction in enumerate(block.instructions):
            if isinstance(instruction, Call) and instruction.callee in cuts:
                rank = cuts.index(instruction.callee)
                for node in _after(body.blocks, number, place):
                    if not _harmless(node, cuts[rank + 1 :]):
                        raise Unsupported(f"something follows {instruction.callee}()", instruction.loc)


def _after(blocks: Sequence[Block], number: int, place: int) -> Iterator[Any]:
    """Yield what may run after an instruction of a block."""
    seen: set[int] = set()
    pending = [(number, place + 1)]
    while pending:
        block, start = pending.pop()
        yield from blocks[block].instructions[start:]
        terminator = blocks[block].terminator
        yield terminator
        targets = [terminator.block] if isinstance(terminator, Goto) else []
        targets += [terminator.then, terminator.otherwise] if isinstance(terminator, Branch) else []
        pending += [(target, 0) for target in targets if target not in seen]
        seen.update(targets)


def _harmless(node: Any, later: Sequence[str]) -> bool:
    """Say whether a part of a body calls a later cut, or does nothing that a callee before it may notice or change."""
    if isinstance(node, Call):
        return node.callee in later and node.target is None
    if isinstance(node, Assign) and not isinstance(node.target, Local):
        return False
    return not any(isinstance(part, Load) and not isinstance(part.lvalue, Local) for part in parts(node))

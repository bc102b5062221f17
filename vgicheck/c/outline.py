"""A loop as a function of its own: what it takes from around it, and what it leaves there.

So is one turn of it, to be held against one of another loop.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

from .flow import Loop, live_at, successors
from .ir import (
    S32,
    Assign,
    Block,
    Branch,
    Call,
    Const,
    Convert,
    CType,
    Declare,
    Deref,
    Expire,
    Function,
    Global,
    Goto,
    Instruction,
    Int,
    Load,
    Loc,
    Local,
    Pointer,
    Return,
    bits_of,
    locals_of,
)
from .loops import registers

CARRIED = "vgicheck_carried"
"""What the objects are called in which a turn leaves what is carried to the next."""
_NOWHERE = Loc("", 0)
"""Of what stands nowhere in the source."""


@dataclass(frozen=True, slots=True)
class Exit:
    """One way out of a loop.

    block    the block that comes after it
    results  the scalars that the loop leaves for what comes after it, each by a number that the loop's text gives it
    dead     the scalars that the loop assigns and nobody reads any more
    """

    block: int
    results: Mapping[int, str]
    dead: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outlined:
    """A loop that is entered at its head.

    function  the loop; its parameters, in the order in which the text names them, are the scalars that it reads
              and pointers to the locals in memory that it names; it returns the number of the exit that it takes
    scalars   which of the parameters are scalars
    exits     the ways out, in the order of the text
    """

    function: Function
    scalars: frozenset[str]
    exits: tuple[Exit, ...]


def outlined(function: Function, loop: Loop) -> Outlined | None:
    """Return a loop as a function, or None where nothing leaves it, or it leaves a pointer, or ends the lifetime of
    what it did not declare.
    """
    scalar = registers(function)
    inside, after = _ways_out(function, loop)
    blocks = [_without_ends(function.blocks[b], scalar) if b not in loop.blocks else function.blocks[b] for b in inside]
    if not after:
        return None
    named = dict.fromkeys(n for b in blocks for n in _named(b))
    ended = {i.local for b in blocks for i in b.instructions if isinstance(i, Expire)}
    declared = {i.local for b in blocks for i in b.instructions if isinstance(i, Declare)}
    assigned = assigns(blocks) & scalar
    before = live_at(function, loop.head)
    taken = [n for n in named if (n in before if n in scalar else n not in declared)]
    passed = {n: Pointer(function.locals[n]) for n in taken if n not in scalar}
    if ended & passed.keys():
        return None
    exits = []
    for block in after:
        then = live_at(function, block)
        results = {n: name for n, name in enumerate(named) if name in assigned & then}
        exits.append(Exit(block, results, tuple(n for n in named if n in assigned - then)))
    if not all(isinstance(function.locals[n], Int) for e in exits for n in e.results.values()):
        return None
    place = {b: n for n, b in enumerate((*inside, *after))}
    body = [
        Block(_by_reference(b.instructions, passed), _moved(_by_reference(b.terminator, passed), place)) for b in blocks
    ]
    loc = next((i.loc for b in blocks for i in b.instructions), function.loc)
    return Outlined(
        Function(
            f"loop {loop.head} of {function.name}",
            tuple(taken),
            {n: passed.get(n, function.locals[n]) for n in named},
            S32,
            [*body, *(Block([], Return(Const(n, S32), loc)) for n in range(len(after)))],
            loc,
            loc,
            function.readonly & named.keys() - passed.keys(),
        ),
        frozenset(taken) - passed.keys(),
        tuple(exits),
    )


def _ways_out(function: Function, loop: Loop) -> tuple[Sequence[int], Sequence[int]]:
    """Return the blocks of a loop, with those after it that only end lifetimes, and what comes then."""
    inside = dict.fromkeys(loop.blocks)
    while True:
        after = dict.fromkeys(s for b in inside for s in successors(function, b) if s not in inside)
        ends = [b for b in after if _only_ends(function.blocks[b])]
        if not ends:
            return tuple(inside), tuple(after)
        inside.update(dict.fromkeys(ends))


def _only_ends(block: Block) -> bool:
    return isinstance(block.terminator, Goto) and all(isinstance(i, Expire) for i in block.instructions)


def _without_ends(block: Block, scalars: frozenset[str]) -> Block:
    """Return a block that ends no lifetime of a scalar, of which nothing is left to see."""
    left = [i for i in block.instructions if not (isinstance(i, Expire) and i.local in scalars)]
    return replace(block, instructions=left)


def assigns(blocks: Sequence[Block]) -> frozenset[str]:
    """List the locals that some blocks assign, whole."""
    return frozenset(
        i.target.name
        for b in blocks
        for i in b.instructions
        if isinstance(i, Assign | Call) and isinstance(i.target, Local)
    )


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of a loop, to be compared with one of another: `loop` has parameters and results in one order with it.

    function  the turn, from the loop's head on; it takes what the loop takes, and returns the number of the exit by
              which it leaves the loop, or how many there are where it goes round
    carried   the objects at file scope in which it leaves what the next turn takes, or what comes after the loop
    """

    loop: Outlined
    function: Function
    carried: Mapping[str, CType]


def turns(old: Outlined, new: Outlined) -> tuple[Turn, Turn] | None:
    """Return a turn of each of two loops, or None where what they take or leave does not correspond.

    Locals correspond by their names, and what is left of them by its order.
    """
    names = [
        dict.fromkeys((*loop.function.params, *(n for out in loop.exits for n in out.results.values())))
        for loop in (old, new)
    ]
    partner = {n: n for n in names[0] if n in names[1] and _corresponds(old, n, new, n)}
    rest = [[n for n in known if n not in partner] for known in names]
    if len(rest[0]) != len(rest[1]) or len(old.exits) != len(new.exits):
        return None
    partner.update(zip(*rest, strict=True))
    if not all(_corresponds(old, a, new, b) for a, b in partner.items()):
        return None
    if not (_is_carried_in_words(old) and _is_carried_in_words(new)):
        return None
    return _turn(old, tuple(partner)), _turn(new, tuple(partner.values()))


def _corresponds(old: Outlined, a: str, new: Outlined, b: str) -> bool:
    """Say whether a local of one loop may be to it what one of another loop is to that."""
    kinds = old.function.locals[a], new.function.locals[b]
    alike = kinds[0] == kinds[1] or all(isinstance(k, Int) and not k.is_bool for k in kinds)
    same_role = [(n in loop.function.params, n in loop.scalars) for loop, n in ((old, a), (new, b))]
    return alike and bits_of(kinds[0]) == bits_of(kinds[1]) and same_role[0] == same_role[1]


def _is_carried_in_words(loop: Outlined) -> bool:
    """Say whether what a turn takes from the one before it are integers, which keep their values between the two."""
    blocks = loop.function.blocks
    declared = {i.local for b in blocks for i in b.instructions if isinstance(i, Declare | Expire)}
    changed = assigns(blocks) & loop.scalars
    return not declared & loop.scalars and all(isinstance(loop.function.locals[n], Int) for n in changed)


def _turn(loop: Outlined, order: Sequence[str]) -> Turn:
    """Return a turn of a loop; what it takes and leaves is numbered by its place in an order."""
    function, number = loop.function, {name: n for n, name in enumerate(order)}
    params = tuple(n for n in order if n in function.params)
    exits = tuple(replace(out, results={number[n]: n for n in out.results.values()}) for out in loop.exits)
    first, again = len(function.blocks) - len(exits), len(function.blocks)
    place = {**{n: n for n in range(1, again)}, 0: again}
    blocks = [replace(b, terminator=_moved(b.terminator, place)) for b in function.blocks]
    words = [n for n in params if n in loop.scalars and isinstance(function.locals[n], Int)]
    carried: dict[str, CType] = {}
    for n, left in enumerate((*(out.results.values() for out in exits), words)):
        stores: list[Instruction] = [_kept(function, name, f"{CARRIED} {number[name]}", carried) for name in left]
        at = Block(stores, Return(Const(n, S32), function.loc))
        blocks[first + n : first + n + 1] = [at]
    whole = replace(loop, function=replace(function, params=params), exits=exits)
    name = f"a turn of {function.name}"
    return Turn(whole, replace(function, name=name, params=params, blocks=blocks), carried)


def _kept(function: Function, name: str, where: str, carried: dict[str, CType]) -> Assign:
    """Return what stores an integer for the next turn; `carried` is told of the object that it is stored in."""
    kind, loc = function.locals[name], function.loc
    assert isinstance(kind, Int)
    carried[where] = word = kind if kind.is_bool else Int(kind.bits, False)
    return Assign(Global(where), Convert(Load(Local(name), kind, loc), word, loc), word, loc)


def _named(block: Block) -> list[str]:
    """List the locals that a block names, in the order of its text."""
    found = []
    for i in block.instructions:
        if isinstance(i, Declare | Expire):
            found.append(i.local)
        else:
            found.extend(locals_of(i))
    found.extend(locals_of(block.terminator))
    return found


def _by_reference(node: Any, passed: Mapping[str, CType]) -> Any:
    """Return a part of a program that has pointers instead of some locals."""
    if isinstance(node, Local) and node.name in passed:
        return Deref(Load(node, passed[node.name], _NOWHERE), _NOWHERE)
    if isinstance(node, tuple | list):
        return type(node)(_by_reference(part, passed) for part in node)
    if is_dataclass(node) and not isinstance(node, Loc | type):
        return replace(node, **{f.name: _by_reference(getattr(node, f.name), passed) for f in fields(node)})
    return node


def _moved(terminator: Any, place: Mapping[int, int]) -> Any:
    match terminator:
        case Goto(block):
            return Goto(place[block])
        case Branch(condition, then, otherwise, loc):
            return Branch(condition, place[then], place[otherwise], loc)
    return terminator

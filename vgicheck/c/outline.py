"""A loop as a function of its own: what it takes from around it, and what it leaves there."""

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
    CType,
    Declare,
    Deref,
    Expire,
    Function,
    Goto,
    Int,
    Load,
    Loc,
    Local,
    Pointer,
    Return,
    locals_of,
)
from .loops import registers

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
    blocks = [function.blocks[b] for b in loop.blocks]
    after = tuple(dict.fromkeys(s for b in loop.blocks for s in successors(function, b) if s not in loop.blocks))
    if not after:
        return None
    named = dict.fromkeys(n for b in blocks for n in _named(b))
    scalar = registers(function)
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
    place = {b: n for n, b in enumerate((*loop.blocks, *after))}
    body = [
        Block(_by_reference(b.instructions, passed), _moved(_by_reference(b.terminator, passed), place)) for b in blocks
    ]
    loc = next((i.loc for b in blocks for i in b.instructions), function.loc)
    return Outlined(
        Function(
            f"{function.name}, the loop at line {loc.line}",
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


def assigns(blocks: Sequence[Block]) -> frozenset[str]:
    """List the locals that some blocks assign, whole."""
    return frozenset(
        i.target.name
        for b in blocks
        for i in b.instructions
        if isinstance(i, Assign | Call) and isinstance(i.target, Local)
    )


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

"""The shape of a control-flow graph: an order in which every join comes after what it joins, and the loops."""

from __future__ import annotations

from dataclasses import dataclass, fields

from .ir import Assign, Branch, Call, Function, Goto, Local, Return, Unsupported, locals_of


@dataclass(frozen=True, slots=True)
class Loop:
    """A natural loop: its head, and all its blocks in evaluation order, the head first."""

    head: int
    blocks: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Shape:
    """The blocks in reverse post-order, and the loops by their heads."""

    order: tuple[int, ...]
    loops: dict[int, Loop]


def successors(function: Function, block: int) -> tuple[int, ...]:
    """List the blocks that may follow a block."""
    match function.blocks[block].terminator:
        case Goto(target):
            return (target,)
        case Branch(_, then, otherwise):
            return (then, otherwise)
    return ()


def shape(function: Function) -> Shape:
    """Find order and loops; a jump into the middle of a loop is unsupported."""
    order = _reverse_postorder(function)
    rank = {b: i for i, b in enumerate(order)}
    before: dict[int, list[int]] = {b: [] for b in order}
    for b in order:
        for s in successors(function, b):
            before[s].append(b)
    dominator = _dominators(order, rank, before)
    members: dict[int, set[int]] = {}
    for b in order:
        for head in successors(function, b):
            if rank[head] > rank[b]:
                continue
            if not _dominates(head, b, dominator, rank):
                raise Unsupported("a jump into the middle of a loop", function.loc)
            members.setdefault(head, {head}).update(_body(head, b, before))
    loops = {h: Loop(h, tuple(b for b in order if b in blocks)) for h, blocks in members.items()}
    return Shape(tuple(order), loops)


def _reverse_postorder(function: Function) -> list[int]:
    done: list[int] = []
    seen = {0}
    stack = [(0, iter(successors(function, 0)))]
    while stack:
        block, rest = stack[-1]
        for s in rest:
            if s not in seen:
                seen.add(s)
                stack.append((s, iter(successors(function, s))))
                break
        else:
            done.append(block)
            stack.pop()
    done.reverse()
    return done


def _dominators(order: list[int], rank: dict[int, int], before: dict[int, list[int]]) -> dict[int, int]:
    """Find immediate dominators (Cooper, Harvey and Kennedy's iteration)."""
    idom = {order[0]: order[0]}
    changed = True
    while changed:
        changed = False
        for b in order[1:]:
            known = [p for p in before[b] if p in idom]
            new = known[0]
            for p in known[1:]:
                while new != p:
                    while rank[new] > rank[p]:
                        new = idom[new]
                    while rank[p] > rank[new]:
                        p = idom[p]
            if idom.get(b) != new:
                idom[b] = new
                changed = True
    return idom


def _dominates(a: int, b: int, idom: dict[int, int], rank: dict[int, int]) -> bool:
    while rank[b] > rank[a]:
        b = idom[b]
    return a == b


def _body(head: int, tail: int, before: dict[int, list[int]]) -> set[int]:
    found = {head}
    stack = [tail]
    while stack:
        b = stack.pop()
        if b not in found:
            found.add(b)
            stack.extend(before[b])
    return found


def live_at(function: Function, block: int) -> frozenset[str]:
    """Find the locals whose values at the start of a block may still be read, or whose address is in use."""
    uses: dict[int, frozenset[str]] = {}
    kills: dict[int, frozenset[str]] = {}
    for number, body in enumerate(function.blocks):
        read: set[str] = set()
        written: set[str] = set()
        for instruction in body.instructions:
            target = instruction.target if isinstance(instruction, Assign | Call) else None
            plain = target.name if isinstance(target, Local) else None
            for f in fields(instruction):
                if f.name != "target" or plain is None:
                    read.update(n for n in locals_of(getattr(instruction, f.name)) if n not in written)
            if plain is not None:
                written.add(plain)
        if isinstance(body.terminator, Branch):
            read.update(n for n in locals_of(body.terminator.condition) if n not in written)
        elif isinstance(body.terminator, Return):
            read.update(n for n in locals_of(body.terminator.value) if n not in written)
        uses[number], kills[number] = frozenset(read), frozenset(written)
    live = dict(uses)
    changed = True
    while changed:
        changed = False
        for number in range(len(function.blocks) - 1, -1, -1):
            after = frozenset().union(*(live[s] for s in successors(function, number)))
            now = uses[number] | (after - kills[number])
            if now != live[number]:
                live[number], changed = now, True
    return live[block]

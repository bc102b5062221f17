"""Path conditions as reduced ordered decision diagrams over Z3 atoms.

Where control flow joins again, the two halves of a branch must cancel: `(p and c) or (p and not c)` has to *be* `p`,
or every later formula drags the whole history along.  A canonical form gives that for free.  Only the Boolean
structure is
canonical: `x < 3` and `x < 4` are unrelated atoms.

Diagrams are plain integers; 0 is false, 1 is true.  Atoms are ordered by first appearance, but for those that come
`beside` another: what is said of one bit of several words belongs together, or a diagram of all bits doubles with each.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterator
from contextlib import contextmanager

import z3

FALSE = 0
TRUE = 1
MOST_NODES = 1_000_000
GAP = 1 << 20
"""How far apart atoms are put in the order, so that others fit between them."""


class TooLarge(Exception):
    """A path condition outgrew the limit on the nodes of all diagrams together."""


class Guards:
    """A table of decision diagrams that share their nodes.

    `limit` bounds the nodes, so that hostile control flow ends in `TooLarge` rather than in an exhausted machine.
    """

    def __init__(self, limit: int = MOST_NODES) -> None:
        self._limit = limit
        self._nodes: list[tuple[int, int, int]] = [(-1, 0, 0), (-1, 1, 1)]
        self._unique: dict[tuple[int, int, int], int] = {}
        self._atoms: list[z3.BoolRef] = []
        self._atom_of: dict[int, int] = {}
        self._compound: dict[int, tuple[z3.BoolRef, int]] = {}
        self._rank: list[int] = []
        self._ranks: list[int] = []
        self._beside: int | None = None
        self._ite_cache: dict[tuple[int, int, int], int] = {}
        self._constrain_cache: dict[tuple[int, int], int] = {}
        self._terms: dict[int, z3.BoolRef] = {}

    def of(self, condition: bool | z3.BoolRef) -> int:
        """Return the diagram of a truth value; anything but a negation or a constant is one atom."""
        if isinstance(condition, bool):
            return TRUE if condition else FALSE
        if z3.is_true(condition):
            return TRUE
        if z3.is_false(condition):
            return FALSE
        if z3.is_not(condition):
            return self.not_(self.of(condition.arg(0)))
        key = condition.get_id()
        if key in self._compound:
            return self._compound[key][1]
        for is_one, gather in ((z3.is_and, self.all), (z3.is_or, self.any)):
            if is_one(condition):
                found = gather(self.of(c) for c in condition.children())
                # The term stays, so that no other gets its number.
                self._compound[key] = condition, found
                return found
        if key not in self._atom_of:
            self._atom_of[key] = len(self._atoms)
            self._atoms.append(condition)
            self._rank_next()
        return self._node(self._atom_of[key], FALSE, TRUE)

    @contextmanager
    def beside(self, guard: int) -> Iterator[None]:
        """Put new atoms right after the first atom of a guard, where it has one, for as long as the context lasts."""
        before = self._beside
        if guard > TRUE:
            self._beside = self._nodes[guard][0]
        try:
            yield
        finally:
            self._beside = before

    def _rank_next(self) -> None:
        """Give the newest atom its place in the order; that of the others among each other stays as it is."""
        last = self._ranks[-1] if self._ranks else 0
        rank = last + GAP
        if self._beside is not None and self._rank[self._beside] != last:
            here = self._rank[self._beside]
            behind = self._ranks[bisect_right(self._ranks, here)]
            if behind - here == 1:
                self._rank, self._ranks = [r * GAP for r in self._rank], [r * GAP for r in self._ranks]
                here, behind = here * GAP, behind * GAP
            rank = (here + behind) // 2
        self._rank.append(rank)
        insort(self._ranks, rank)

    def not_(self, a: int) -> int:
        """Negate."""
        return self.ite(a, FALSE, TRUE)

    def and_(self, a: int, b: int) -> int:
        """Conjoin."""
        return self.ite(a, b, FALSE)

    def or_(self, a: int, b: int) -> int:
        """Disjoin."""
        return self.ite(a, TRUE, b)

    def all(self, guards: object) -> int:
        """Conjoin any number."""
        result = TRUE
        for g in guards:  # type: ignore[attr-defined]
            result = self.and_(result, g)
        return result

    def any(self, guards: object) -> int:
        """Disjoin any number."""
        result = FALSE
        for g in guards:  # type: ignore[attr-defined]
            result = self.or_(result, g)
        return result

    def ite(self, f: int, g: int, h: int) -> int:
        """Return the diagram that is `g` where `f` holds and `h` elsewhere."""
        if f == TRUE or g == h:
            return g
        if f == FALSE:
            return h
        if g == TRUE and h == FALSE:
            return f
        key = (f, g, h)
        known = self._ite_cache.get(key)
        if known is not None:
            return known
        level = self._first(*key)
        low = self.ite(*(self._cofactor(x, level, 0) for x in key))
        high = self.ite(*(self._cofactor(x, level, 1) for x in key))
        result = self._node(level, low, high)
        self._ite_cache[key] = result
        return result

    def constrain(self, f: int, care: int) -> int:
        """Return a diagram equal to `f` wherever `care` holds, and small: what `f` says that `care` does not.

        This is the generalised cofactor of Coudert and Madre. `care` must not be false.
        """
        if care == TRUE or f in (FALSE, TRUE):
            return f
        if f == care:
            return TRUE
        key = (f, care)
        known = self._constrain_cache.get(key)
        if known is not None:
            return known
        level = self._first(f, care)
        care_low, care_high = self._cofactor(care, level, 0), self._cofactor(care, level, 1)
        f_low, f_high = self._cofactor(f, level, 0), self._cofactor(f, level, 1)
        if care_high == FALSE:
            result = self.constrain(f_low, care_low)
        elif care_low == FALSE:
            result = self.constrain(f_high, care_high)
        else:
            result = self._node(level, self.constrain(f_low, care_low), self.constrain(f_high, care_high))
        self._constrain_cache[key] = result
        return result

    def term(self, guard: int) -> bool | z3.BoolRef:
        """Return a diagram as a truth value."""
        if guard in (FALSE, TRUE):
            return guard == TRUE
        needed, pending = set[int](), [guard]
        while pending:
            node = pending.pop()
            if node > TRUE and node not in self._terms and node not in needed:
                needed.add(node)
                pending += self._nodes[node][1:]
        for node in sorted(needed):
            self._terms[node] = self._built(*self._nodes[node])
        return self._terms[guard]

    def _built(self, level: int, low: int, high: int) -> z3.BoolRef:
        """Build the term of a node; those of the nodes below, which are older, are there."""
        atom = self._atoms[level]
        if low == FALSE:
            return atom if high == TRUE else z3.And(atom, self._terms[high])
        if high == FALSE:
            return z3.Not(atom) if low == TRUE else z3.And(z3.Not(atom), self._terms[low])
        if high == TRUE:
            return z3.Or(atom, self._terms[low])
        if low == TRUE:
            return z3.Or(z3.Not(atom), self._terms[high])
        return z3.If(atom, self._terms[high], self._terms[low])

    def _node(self, level: int, low: int, high: int) -> int:
        if low == high:
            return low
        key = (level, low, high)
        known = self._unique.get(key)
        if known is None:
            if len(self._nodes) >= self._limit:
                raise TooLarge
            known = self._unique[key] = len(self._nodes)
            self._nodes.append(key)
        return known

    def _first(self, *guards: int) -> int:
        """Return the atom that comes first of those at which diagrams start, not all of them constants."""
        return min((self._nodes[g][0] for g in guards if g > TRUE), key=self._rank.__getitem__)

    def _cofactor(self, guard: int, level: int, value: int) -> int:
        node = self._nodes[guard]
        return node[1 + value] if node[0] == level and guard > TRUE else guard

"""Quantifiers over the indices of a machine: interrupts, list registers, vCPUs.

A transition that asks "is there an interrupt such that ..." asks its `Domain`.  A finite one lists its indices: that is
how the transition runs, and how a small instance is explored.  An unbounded one answers with an unknown truth value
that is tied to its meaning at a witness and at the indices that the proof speaks of, so that the cost does not depend
on how many there are.  What an unbounded domain forgets, the meaning at all other indices, only adds behaviours: what
is proved of them all holds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import z3

from .maps import Key, label_of
from .values import alike, and_, is_symbolic, ite, lt, not_, or_, same

Holds = Callable[[Key], bool]


class Domain(Protocol):
    """The indices of each kind. A key is a tuple, in the order of the architecture: lowest first."""

    def exists(self, site: str, kind: str, holds: Holds, given: Key = ()) -> bool:
        """Say whether some index of a kind satisfies `holds`.

        `site` names the question, `given` are the indices that it depends on beside the state: they tell apart the
        answers of one site.
        """

    def first(self, site: str, kind: str, holds: Holds, given: Key = ()) -> tuple[bool, Key]:
        """Say whether some index satisfies `holds`, and which is the lowest that does."""

    def two(self, site: str, kind: str, holds: Holds, given: Key = ()) -> bool:
        """Say whether at least two indices satisfy `holds`."""


@dataclass(frozen=True, slots=True)
class Finite:
    """A few indices of each kind, lowest first, and the width in bits of each coordinate."""

    keys: Mapping[str, Sequence[Key]]
    widths: Mapping[str, tuple[int, ...]]

    def exists(self, site: str, kind: str, holds: Holds, given: Key = ()) -> bool:
        """See `Domain`."""
        return or_(*(holds(key) for key in self.keys[kind]))

    def first(self, site: str, kind: str, holds: Holds, given: Key = ()) -> tuple[bool, Key]:
        """See `Domain`; where there is none, the index is the lowest of all."""
        found, index = False, self.keys[kind][0]
        for key in reversed(self.keys[kind]):
            here = holds(key)
            found = or_(here, found)
            index = tuple(ite(here, a, b, width=w) for a, b, w in zip(key, index, self.widths[kind], strict=True))
        return found, index

    def two(self, site: str, kind: str, holds: Holds, given: Key = ()) -> bool:
        """See `Domain`."""
        one, two = False, False
        for key in self.keys[kind]:
            here = holds(key)
            one, two = or_(one, here), or_(two, and_(one, here))
        return two


@dataclass(frozen=True, slots=True)
class _Tie:
    """An unknown answer: whether something of a kind satisfies `holds`, and the witness if so."""

    found: Any
    witness: Key
    kind: str
    holds: Holds
    ordered: bool
    given: Key
    """Kept because its terms must not die: what they are known by would go to others."""
    facts: dict[tuple[object, ...], tuple[Key, Any]] = field(default_factory=dict)
    """What was said of an index, with the index, kept for the same reason."""


@dataclass(slots=True)
class Unbounded:
    """Every index that there can be.

    `widths` are those of each kind's coordinates, `legal` says which keys there are.  What an answer means is said by
    `facts`, when it is known which indices matter.

    The answers are of one state: another one needs a domain of another `name`, or what is said of the one would be
    taken for said of the other.  Who asks the same question of a second state is refused, with `ValueError`.
    """

    widths: Mapping[str, tuple[int, ...]]
    legal: Callable[[str, Key], bool]
    name: str
    _ties: dict[tuple[object, ...], _Tie] = field(default_factory=dict)

    def exists(self, site: str, kind: str, holds: Holds, given: Key = ()) -> bool:
        """See `Domain`."""
        return self._tie("some", site, kind, holds, given).found  # type: ignore[no-any-return]

    def first(self, site: str, kind: str, holds: Holds, given: Key = ()) -> tuple[bool, Key]:
        """See `Domain`."""
        tie = self._tie("first", site, kind, holds, given, ordered=True)
        return tie.found, tie.witness

    def two(self, site: str, kind: str, holds: Holds, given: Key = ()) -> bool:
        """See `Domain`."""
        one = self._tie("first", f"{site}.one", kind, holds, given, ordered=True)
        two = self._tie("some", f"{site}.two", kind, lambda k: and_(holds(k), _below(one.witness, k)), given)
        return and_(one.found, two.found)

    def facts(self, touched: Callable[[str], Sequence[Key]]) -> list[Any]:
        """Return what ties each answer to its meaning, at its witness and at the indices that are touched."""
        found: list[Any] = []
        for tie in list(self._ties.values()):
            if not tie.facts:
                holds = and_(self.legal(tie.kind, tie.witness), tie.holds(tie.witness))
                tie.facts[()] = tie.witness, or_(not_(tie.found), holds)
            found.append(tie.facts[()][1])
            for key in touched(tie.kind):
                label = label_of(key)
                if label not in tie.facts:
                    tie.facts[label] = key, self._tied(tie, key)
                found.append(tie.facts[label][1])
        return found

    def _tied(self, tie: _Tie, key: Key) -> Any:
        met = and_(tie.found, not_(_below(key, tie.witness))) if tie.ordered else tie.found
        return or_(not_(and_(self.legal(tie.kind, key), tie.holds(key))), met)

    def _tie(self, form: str, site: str, kind: str, holds: Holds, given: Key, ordered: bool = False) -> _Tie:
        label = (form, site, *label_of(given))
        known = self._ties.get(label)
        if known is None:
            found, witness = self._fresh(f"{self.name}!{form}!{site}", kind, given)
            known = self._ties[label] = _Tie(found, witness, kind, holds, ordered, given)
        elif kind != known.kind or not alike(holds(known.witness), known.holds(known.witness)):
            raise ValueError(f"{self.name}: {site} was asked before, and meant something else")
        return known

    def _fresh(self, name: str, kind: str, given: Key) -> tuple[Any, Key]:
        arguments = [g if is_symbolic(g) else z3.BitVecVal(g, 3) for g in given]
        sorts = [a.sort() for a in arguments]  # type: ignore[union-attr]

        def made(suffix: str, sort: Any) -> Any:
            if not arguments:
                return z3.Const(f"{name}{suffix}", sort)
            return z3.Function(f"{name}{suffix}", *sorts, sort)(*arguments)

        witness = tuple(made(f".{n}", z3.BitVecSort(w)) for n, w in enumerate(self.widths[kind]))
        return made("", z3.BoolSort()), witness


def _below(a: Key, b: Key) -> bool:
    """Compare keys in order, the first coordinate first."""
    below = False
    for x, y in reversed(list(zip(a, b, strict=True))):
        below = or_(lt(x, y), and_(same(x, y), below))
    return below

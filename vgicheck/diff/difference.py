"""When two evaluations do not end the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ..c.effects import content, word
from ..c.ir import Void, bits_of
from ..engine.guards import FALSE, Guards
from ..engine.maps import Key
from .running import ORDER, UNDEFINED, End, written


def differ(kind: str, old: End, new: End) -> int:
    """Return the guard under which two evaluations over the same inputs are not the same, by what is asked.

    Raises `TooLarge` where it outgrows the limit.
    """
    g = old.evaluator.guards
    both = g.and_(old.defined, new.defined)
    if kind == ORDER:
        return g.and_(both, g.of(_unlike(old.effects.order, new.effects.order)))
    undefined = [g.any(end.broken.get(k, FALSE) for k in UNDEFINED) for end in (old, new)]
    return g.any([
        g.and_(both, g.any(g.of(d) for d in _unlike_ends(old, new))),
        *(_either(g, old.broken.get(k, FALSE), new.broken.get(k, FALSE))
          for k in sorted(old.broken.keys() | new.broken.keys()) if k not in UNDEFINED),
        _either(g, *undefined),
        g.and_(_either(g, old.state.path, new.state.path), g.not_(g.any(undefined))),
    ])  # fmt: skip


def _either(g: Guards, a: int, b: int) -> int:
    return g.or_(g.and_(a, g.not_(b)), g.and_(b, g.not_(a)))


def _unlike_ends(old: End, new: End) -> Iterator[Any]:
    """Yield the conditions under which the result, the calls or a cell that either wrote are not the same."""
    kind = old.half.function.result
    if not isinstance(kind, Void):
        yield _unlike(*(word(e.evaluator, e.result, bits_of(kind)) for e in (old, new)))
    yield _unlike(old.effects.calls, new.effects.calls)
    for name, key in written(old, new):
        yield _unlike(_content(old, new, name, key), _content(new, old, name, key))


def _content(end: End, other: End, name: str, key: Key) -> Any:
    """Return what a cell holds at an end; what it is, the other may know."""
    e = end.evaluator
    region = end.state.memory.regions.get(name)
    place = e.layout.kinds.get(name)
    if region is None or place is None:
        place = next(kinds[name] for kinds in (e.layout.kinds, other.evaluator.layout.kinds) if name in kinds)
        region = end.state.memory.region(replace(place, region=name))
    return content(e, region, key, bits_of(place.type))


def _unlike(a: Any, b: Any) -> Any:
    return False if a.eq(b) else a != b

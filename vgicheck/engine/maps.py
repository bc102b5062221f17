"""Total, immutable maps from words to values: arrays that cost nothing for the keys that nobody asks about.

A map is a base function and the writes on top of it.  Writes at plain keys are kept in a dictionary; a write
at a symbolic key, or under a condition, is kept as it is and resolved only at the key that is read.  That is what
keeps a
goal about one interrupt independent of how many interrupts there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Generic, TypeVar

import z3

from . import values
from .values import Width, alike, and_, is_symbolic, le, not_, same, widened

T = TypeVar("T")
Key = tuple[int, ...]
FEW = 16


@dataclass(frozen=True, slots=True, eq=False)
class _Base:
    read: Callable[[Key], Any]


@dataclass(frozen=True, slots=True, eq=False)
class _Cells:
    cells: Mapping[Key, Any]
    below: _Layer
    guard: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class _Write:
    guard: bool
    key: Key
    value: Any
    below: _Layer


@dataclass(frozen=True, slots=True, eq=False)
class _Rule:
    hit: Callable[[Key], bool]
    value: Callable[[Key], Any]
    below: _Layer


_Layer = _Base | _Cells | _Write | _Rule


class Map(Generic[T]):
    """A map that is read as `m[key]`; `key` is a word, or a tuple of words for more than one dimension.

    `width` is that of the values, where they are words; `ite` chooses between two values.
    """

    __slots__ = ("_ite", "_known", "_top", "_width")

    def __init__(self, base: Callable[[Key], T], *, width: int | None = None, ite: Callable[..., Any] = values.ite):
        self._top: _Layer = _Base(base)
        self._width = width
        self._ite = ite
        self._known: dict[tuple[object, ...], tuple[Key, T]] = {}

    @classmethod
    def constant(cls, value: T, *, width: int | None = None) -> Map[T]:
        """Return the map that has one value everywhere."""
        return cls(lambda _: value, width=width)

    @classmethod
    def of(cls, cells: Mapping[Any, T], default: T, *, width: int | None = None) -> Map[T]:
        """Return a map with the given plain cells, and `default` elsewhere."""
        return cls.constant(default, width=width)._on(
            _Cells({_tuple(k): v for k, v in cells.items()}, _Base(lambda _: default))
        )

    def __getitem__(self, key: int | Key) -> T:
        key = _tuple(key)
        if not any(is_symbolic(k) for k in key):
            return self.read(key, self._choose)
        label = label_of(key)
        if label not in self._known:  # the key is kept too: terms that die leave their label to others
            self._known[label] = key, self.read(key, self._choose)
        return self._known[label][1]

    def read(self, key: int | Key, choose: Callable[[bool, Any, Any], Any]) -> T:
        """Return the value at a key; `choose` is asked to choose among the writes that a symbolic key may meet."""
        key = _tuple(key)
        plain = not any(is_symbolic(k) for k in key)
        hits: list[tuple[bool, Any]] = []
        layer = self._top
        while True:
            if isinstance(layer, _Base):
                result = layer.read(key)
                break
            if isinstance(layer, _Cells):
                if plain and key in layer.cells:
                    if layer.guard is True:
                        result = layer.cells[key]
                        break
                    hits.append((layer.guard, layer.cells[key]))
                if not plain:
                    hits.extend((and_(layer.guard, hit), value) for hit, value in _matches(key, layer.cells))
            else:
                hit = layer.hit(key) if isinstance(layer, _Rule) else and_(layer.guard, same(key, layer.key))
                if hit is not False:
                    value = layer.value(key) if isinstance(layer, _Rule) else layer.value
                    if hit is True:
                        result = value
                        break
                    hits.append((hit, value))
            layer = layer.below
        for condition, value in reversed(hits):
            result = choose(condition, value, result)
        return result  # type: ignore[no-any-return]

    def set(self, key: int | Key, value: T, when: bool = True) -> Map[T]:
        """Return the map that holds `value` at `key` where `when` holds, and is as this one otherwise."""
        key = _tuple(key)
        if when is False:
            return self
        if when is not True or any(is_symbolic(k) for k in key):
            return self._on(_Write(when, key, value, self._top))
        if isinstance(self._top, _Cells) and self._top.guard is True:
            return self._on(_Cells({**self._top.cells, key: value}, self._top.below))
        return self._on(_Cells({key: value}, self._top))

    def where(self, hit: Callable[[Key], bool], value: Callable[[Key], T]) -> Map[T]:
        """Return the map that holds `value(key)` at each key for which `hit(key)` holds: many keys written at once.

        Both are asked about a key only when that key is read.
        """
        return self._on(_Rule(hit, value, self._top))

    def _under(self, guard: bool, key: Key, value: T) -> Map[T]:
        """Return the map with a plain cell written where a guard holds, kept with its neighbours under that guard."""
        top = self._top
        if isinstance(top, _Cells) and (top.guard is guard or alike(top.guard, guard)) and guard is not True:
            return self._on(_Cells({**top.cells, key: value}, top.below, guard))
        return self._on(_Cells({key: value}, top, guard))

    def merged(self, condition: bool, other: Map[T]) -> Map[T]:
        """Return the map that is this one where `condition` holds and `other` elsewhere."""
        return join(
            (self, other),
            choose=lambda pair: self._choose(condition, *pair),
            when=lambda flags: True if all(flags) else condition if flags[0] else not_(condition),
        )

    @property
    def origin(self) -> object:
        """What the writes are on top of: maps with one origin are equal where neither was written."""
        return _layers(self._top)[0]

    @property
    def ruled(self) -> bool:
        """Say whether many keys were written at once, by `where`."""
        return any(isinstance(layer, _Rule) for layer in _layers(self._top))

    def base(self) -> Map[T]:
        """Return the map without what was written on top of it."""
        return self._on(_layers(self._top)[0])

    def written(self) -> Iterator[tuple[bool, Key, T]]:
        """Yield what was written on top of the base, as (condition, key, value), in no useful order.

        What `where` wrote has no key of its own and is left out.
        """
        for layer in _layers(self._top):
            if isinstance(layer, _Cells):
                yield from ((layer.guard, key, value) for key, value in layer.cells.items())
            elif isinstance(layer, _Write):
                yield layer.guard, layer.key, layer.value

    def _choose(self, condition: bool, a: Any, b: Any) -> Any:
        return self._ite(condition, a, b, width=self._width)

    def _on(self, top: _Layer) -> Map[T]:
        copy = Map.__new__(Map)
        copy._top, copy._width, copy._ite, copy._known = top, self._width, self._ite, {}
        return copy


def join(
    maps: Sequence[Map[T]], choose: Callable[[Sequence[Any]], Any], when: Callable[[tuple[bool, ...]], bool]
) -> Map[T]:
    """Return one map out of several alternatives, of which exactly one is taken.

    `choose` gives the value when option i has the i-th of the values; `when` gives the condition that the option taken
    is one of those flagged.
    """
    first = maps[0]
    if all(m._top is first._top for m in maps):
        return first
    chains = [_layers(m._top) for m in maps]
    shared = 0
    while all(len(c) > shared and c[shared] is chains[0][shared] for c in chains):
        shared += 1
    if shared == 0:
        return Map(lambda key: choose([m[key] for m in maps]), width=first._width, ite=first._ite)
    below = chains[0][shared - 1]
    rest = [c[shared:] for c in chains]
    if all(len(r) == 0 or (len(r) == 1 and isinstance(r[0], _Cells) and r[0].guard is True) for r in rest):
        return _joined_cells(first._on(below), rest, choose, when)
    longest = max(rest, key=len)
    merged = first._on(below)
    if all(r == longest[: len(r)] for r in rest):
        for depth, layer in enumerate(longest):
            merged = _replayed(merged, layer, when(tuple(len(r) > depth for r in rest)))
        return merged
    for taken, layers in enumerate(rest):
        condition = when(tuple(i == taken for i in range(len(maps))))
        for layer in layers:
            merged = _replayed(merged, layer, condition)
    return merged


def _joined_cells(
    below: Map[T],
    rest: Sequence[list[_Layer]],
    choose: Callable[[Sequence[Any]], Any],
    when: Callable[[tuple[bool, ...]], bool],
) -> Map[T]:
    """Join alternatives that differ only in plain cells.

    A few cells that some alternatives lack are read from below.  Many, an array that was filled on one path, stay
    together under
    the condition of that path.
    """
    cells = [r[0].cells if r and isinstance(r[0], _Cells) else {} for r in rest]
    keys = dict.fromkeys(k for c in cells for k in c)
    everywhere = [k for k in keys if all(k in c for c in cells)]
    partly = [k for k in keys if any(k not in c for c in cells)]
    if len(partly) <= FEW:
        everywhere, partly = list(keys), []
    result = below
    for key in partly:
        flags = tuple(key in c for c in cells)
        values = [c[key] for c in cells if key in c]
        value = values[0] if all(v is values[0] for v in values) else choose([c.get(key, values[0]) for c in cells])
        result = result._under(when(flags), key, value)
    for key in everywhere:
        options = [c[key] if key in c else below[key] for c in cells]
        result = result.set(key, options[0] if all(o is options[0] for o in options) else choose(options))
    return result


def _replayed(onto: Map[T], layer: _Layer, when: bool) -> Map[T]:
    if isinstance(layer, _Write):
        return onto.set(layer.key, layer.value, and_(when, layer.guard))
    if isinstance(layer, _Rule):
        hit = layer.hit
        return onto.where(lambda key: and_(when, hit(key)), layer.value)
    assert isinstance(layer, _Cells)
    when = and_(when, layer.guard)
    if when is not True and len(layer.cells) > FEW:
        return onto._on(_Cells(layer.cells, onto._top, when))
    for key, value in layer.cells.items():
        onto = onto.set(key, value if when is True else onto._choose(when, value, onto[key]))
    return onto


def _layers(top: _Layer) -> list[_Layer]:
    """List the layers, the base first."""
    found = [top]
    while not isinstance(top, _Base):
        top = top.below
        found.append(top)
    found.reverse()
    return found


def label_of(key: Key) -> tuple[object, ...]:
    """Return something that two keys share exactly if they are written the same."""
    return tuple(_identity(k) for k in key)


def _identity(coordinate: Any) -> object:
    return coordinate.get_id() if is_symbolic(coordinate) else ("plain", coordinate)


def _tuple(key: int | Key) -> Key:
    return key if isinstance(key, tuple) else (key,)


def _matches(key: Key, cells: Mapping[Key, Any]) -> Iterator[tuple[bool, Any]]:
    """Yield (condition, value) for a symbolic key against plain cells, with runs of equal values as one range."""
    *_, last = key
    for _, run in groupby(sorted(cells), key=_run_key(cells)):
        keys = list(run)
        low, high = keys[0], keys[-1]
        if low == high:
            hit = same(key, low)
        else:
            hit = and_(same(key[:-1], low[:-1]), le(low[-1], last), le(last, high[-1]))
        if hit is not False:
            yield hit, cells[low]


def _run_key(cells: Mapping[Key, Any]) -> Callable[[Key], object]:
    """Number the runs of consecutive last coordinates whose values are the same."""
    run = 0
    previous: Key | None = None

    def number(key: Key) -> int:
        nonlocal run, previous
        if previous is not None:
            follows = key[:-1] == previous[:-1] and key[-1] == previous[-1] + 1
            if not follows or not alike(cells[key], cells[previous]):
                run += 1
        previous = key
        return run

    return number


@dataclass(frozen=True, slots=True)
class MapOf:
    """The annotation of a map field: the width of each coordinate of its key, and the kind of its values."""

    keys: tuple[int, ...]
    value: Any

    def fresh(self, name: str) -> Map[Any]:
        """Return an arbitrary map: an uninterpreted function for each scalar of its values."""
        domain = [z3.BitVecSort(width) for width in self.keys]
        functions = values.mapped(
            lambda c: z3.Function(c.decl().name(), *domain, c.sort()), values.fresh(self.value, name)
        )
        return Map(lambda key: _applied(functions, key, self.keys), width=self.value_width)

    def zeroed(self) -> Map[Any]:
        """Return the map that has zero everywhere."""
        return Map.constant(values.zeroed(self.value), width=self.value_width)

    @property
    def value_width(self) -> int | None:
        """The width of the values, if they are words."""
        return next((e.bits for e in getattr(self.value, "__metadata__", ()) if isinstance(e, Width)), None)


def _applied(functions: Any, key: Key, key_widths: tuple[int, ...]) -> Any:
    """Apply every function of a value to the key. Raises `ValueError` for a key that is too wide."""
    for k, width in zip(key, key_widths, strict=True):
        if not is_symbolic(k) and not 0 <= k < 1 << width:
            raise ValueError(f"the key {k} does not fit in {width} bits")
    arguments = [widened(k, w) if is_symbolic(k) else z3.BitVecVal(k, w) for k, w in zip(key, key_widths, strict=True)]
    return values.mapped(lambda function: function(*arguments), functions)

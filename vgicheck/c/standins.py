"""What is the same text in two programs need not be looked into to compare them: something unknown stands in for it.

From the same state a function leaves the same state.  So of a call, or of a loop, that both programs have, only what it
meets is written down, in a chain of which nothing is left out (`Effects.met`); what it may write is from there on an
unknown function of that chain and of the cell, the same function in both programs.  What it may write is all that a run
of it from an unknown state touches for writing.

What comes out the same for every such function does so for the one that the text is; what does not may still be the
same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

import z3

from ..engine.guards import FALSE, TRUE, TooLarge
from ..engine.solve import Feasibility
from ..engine.values import is_symbolic
from ..engine.verdict import Query
from .domain import UNINITIALISED, Address, Choice, FunctionPointer, Null, Opaque, Search, Uninitialised
from .effects import CHAIN, WORD, content, met, word
from .flow import Loop
from .ir import Call, CType, Function, Int, Pointer, Unsupported, Void, bits_of
from .memory import INDEX, Arbitrary, Place, is_local, is_part
from .outline import Exit, Outlined
from .widening import Widening

if TYPE_CHECKING:
    from .activation import Activation
    from .summary import Evaluator, State

EFFORT = 200_000
"""Solver's steps for a question of a run that only collects what is written; no answer counts as yes."""
PASSED = "vgicheck_argument"


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a text may do: the regions that it may write, as they are there, and the rules that it may break.

    `touched` are those that it may look at or write.
    """

    written: Mapping[str, Place]
    rules: tuple[str, ...]
    touched: frozenset[str]


class Twins(Protocol):
    """Two loops of different texts, one of either program; `proofs` are the questions by which they do the same."""

    proofs: list[Query]

    def footprint(
        self, e: Evaluator, state: State, args: Sequence[tuple[Any, CType]], passed: Mapping[str, str]
    ) -> Footprint | None:
        """Return what either may do from any state like one that is met, or None where they are not known to do the
        same from each of these.
        """


@dataclass(slots=True)
class StandIns:
    """The functions and the loops of a program for which something stands in, by what both programs call them.

    functions  the label of each function
    loops      of a function and a loop's head the label, and the loop as a function
    """

    functions: dict[str, str]
    loops: dict[tuple[str, int], tuple[str, Outlined]]
    twins: dict[str, Twins]
    """Of the labels of loops whose text is another in the other program, what says whether they do the same."""
    used: dict[str, None] = field(default_factory=dict)
    """The labels of those that were met."""
    _footprints: dict[tuple[str, tuple[str, ...]], Footprint | None] = field(default_factory=dict)

    def call(self, e: Evaluator, state: State, name: str, args: Sequence[Any], call: Call) -> tuple[State, Any] | None:
        """Return state and result after a call, or None where the function is to be run."""
        function = e.program.functions.get(name)
        if name not in self.functions or function is None or not isinstance(call.type, Int | Void):
            return None
        typed = [(a, function.locals[p]) for a, p in zip(args, function.params, strict=False)]
        label = self.functions[name]
        chain = self._stands(e, state, label, function, typed)
        if chain is None:
            return None
        result = _unknown(f"{label}: result", chain, [], call.type.bits) if isinstance(call.type, Int) else None
        return state, result

    def is_certain(self, function: str, head: int) -> bool:
        """Say whether something stands in for a loop of a function, whatever comes of a comparison."""
        known = self.loops.get((function, head))
        return known is not None and known[0] not in self.twins

    def loop(self, run: Activation, loop: Loop, waiting: dict[int, list[State]]) -> bool:
        """Take what waits at a loop's head past the loop; say no where the loop is to be run."""
        known = self.loops.get((run.function.name, loop.head))
        if known is None:
            return False
        label, outlined = known
        e = run.evaluator
        state = e.join(waiting[loop.head])
        state = state.fork(state.path)
        args = []
        for name in outlined.function.params:
            value = state.locals.get(name, UNINITIALISED) if name in outlined.scalars else e.address_of(name)
            args.append((value, outlined.function.locals[name]))
        chain = self._stands(e, state, label, outlined.function, args)
        if chain is None:
            return False
        del waiting[loop.head]
        g, rest = e.guards, state.path
        for n, out in enumerate(outlined.exits):
            last = n + 1 == len(outlined.exits)
            taken = rest if last else g.and_(rest, g.of(_truth(f"{label}: exit {n}", chain)))
            rest = g.and_(rest, g.not_(taken))
            waiting.setdefault(out.block, []).append(self._left(run, state.fork(taken), label, out, chain))
        return True

    def _left(self, run: Activation, state: State, label: str, out: Exit, chain: Any) -> State:
        """Return a state with what a loop leaves in scalars where it is left by some exit."""
        for name in out.dead:
            state.locals.pop(name, None)
        for n, name in out.results.items():
            before = run.evaluator.domain.options(state.locals.get(name, UNINITIALISED))
            what = f"{label}: scalar {n}", chain, (), bits_of(run.function.locals[name])
            unset = any(isinstance(v, Uninitialised) for _, v in before)
            state.locals[name] = _perhaps(run.evaluator, *what) if unset else _unknown(*what)
        return state

    def _stands(
        self, e: Evaluator, state: State, label: str, function: Function, args: Sequence[tuple[Any, CType]]
    ) -> Any:
        """Let something stand in; return the chain that tells what it met, or None where that cannot be told."""
        passed = _passed(e, state, args)
        if passed is None:
            return None
        shapes = shapes_of(args, passed)
        twins = self.twins.get(label)
        if twins is not None:
            footprint = twins.footprint(e, state, args, passed)
        elif (label, shapes) in self._footprints:
            footprint = self._footprints[label, shapes]
        else:
            footprint = self._footprints[label, shapes] = footprint_of(e, function, args, passed)
        if footprint is None:
            return None
        try:
            words = [(told(e, v) if isinstance(v, Search) else v, bits_of(kind)) for v, kind in args]
            state.effects = met(e, state, label, words)
        except Unsupported:
            return None
        chain, g = state.effects.met, e.guards
        for region, place in footprint.written.items():
            self._let(e, state, label, region, place, passed, chain)
        for rule in footprint.rules:
            kept = g.of(_truth(f"{label}: {rule}", chain))
            e.claim(state, rule, kept, function.loc, f"{function.name} keeps {rule}")
        state.path = g.and_(state.path, g.of(_truth(f"{label}: returns", chain)))
        self.used[label] = None
        return chain

    def _let(
        self, e: Evaluator, state: State, label: str, region: str, place: Place, passed: Mapping[str, str], chain: Any
    ) -> None:
        """Let a region hold what an unknown function says."""
        here = next((region.replace(called, o, 1) for o, called in passed.items() if is_part(region, called)), region)
        name, local = f"{label}: {region}", is_local(here)
        place = e.layout.kinds.get(here) or replace(
            place,
            region=here,
            object=here.partition(".")[0] if local else place.object,
            bitmap=0 if local or e.by_words else place.bits,
        )

        def value(key: Any) -> Any:
            words = [word(e, k, INDEX.bits) for k in key]
            if place.bitmap:
                return _truth(name, chain, words)
            what = name, chain, words, bits_of(place.type)
            return _perhaps(e, *what) if local else _unknown(*what)

        state.memory.rule(place, value)


def _perhaps(e: Evaluator, name: str, chain: Any, words: Sequence[Any], bits: int) -> Any:
    """Return what an unknown function leaves where there may have been nothing before."""
    given = e.guards.of(_truth(f"{name}?", chain, words))
    return e.domain.choice([(given, _unknown(name, chain, words, bits)), (e.guards.not_(given), UNINITIALISED)])


def _unknown(name: str, chain: Any, words: Sequence[Any], bits: int) -> Any:
    """Return an unknown word of a chain and of words."""
    return _function(name, z3.BitVecSort(bits), chain, words)


def _truth(name: str, chain: Any, words: Sequence[Any] = ()) -> Any:
    """Return an unknown truth value of a chain and of words."""
    return _function(name, z3.BoolSort(), chain, words)


def _function(name: str, sort: Any, chain: Any, words: Sequence[Any]) -> Any:
    return z3.Function(name, CHAIN, *[z3.BitVecSort(WORD)] * len(words), sort)(chain, *words)


def _passed(e: Evaluator, state: State, args: Sequence[tuple[Any, CType]]) -> dict[str, str] | None:
    """Return what the locals that arguments point to are called, by object, or None where that is not all one meets.

    It is not where memory holds pointers that were written, which may lead anywhere, or an argument points into the
    middle of a local, or to one of several.
    """
    kinds = e.layout.kinds
    if any(isinstance(kinds[n].type, Pointer) for n in state.memory.written if not is_local(n)):
        return None
    passed: dict[str, str] = {}
    for n, (value, _) in enumerate(args):
        if isinstance(value, Choice):
            if any(isinstance(v, Address) and is_local(v.object) for _, v in value.options):
                return None
        elif isinstance(value, Address) and is_local(value.object):
            own = [r for r in state.memory.regions if is_part(r, value.object)]
            if value.path or value.object in passed or any(isinstance(kinds[r].type, Pointer) for r in own):
                return None
            if state.memory.expired(value.object) != FALSE:
                return None
            passed[value.object] = f"{PASSED}_{n}"
    return passed


def all_set(e: Evaluator, state: State, args: Sequence[tuple[Any, CType]], passed: Mapping[str, str]) -> bool:
    """Say whether all that a loop may read is initialised: scalars, locals that are passed, and memory."""
    if any(_is_unset(e, v) for v, kind in args if isinstance(kind, Int)):
        return False
    memory = state.memory.fork()
    try:
        leaves = [Address(o, path) for o in passed for path, _ in e.layout.leaves(e.layout.type_of(o))]
        return not any(_is_unset(e, memory.load(leaf)) for leaf in leaves) and keeps_set(e, state)
    except Unsupported:
        return False


def keeps_set(e: Evaluator, state: State) -> bool:
    """Say whether nothing that is not initialised was stored outside of locals."""
    regions = [state.memory.known(name) for name in state.memory.written if not is_local(name)]
    return not any(_is_unset(e, value) for region in regions for _, _, value in region.written())


def _is_unset(e: Evaluator, value: Any) -> bool:
    return any(isinstance(v, Uninitialised) for _, v in e.domain.options(value))


def found(e: Evaluator, search: Search) -> Any:
    """Return what a bit search finds as one unknown word, the same for two searches that look for the same.

    What it is known to be is the bit at or after the start that is wanted, or the size.
    """
    assert isinstance(e.inputs, Arbitrary) and e.standins is not None
    e.standins.used["a bit search"] = None
    bits = search.type.bits
    result = z3.Extract(bits - 1, 0, told(e, search))
    start, size = (e.domain.word(x, bits) for x in (search.start, search.size))
    position = result + search.offset
    key = () if search.single else (*search.prefix, z3.LShR(position, 5) if search.word else position)
    word_there = content(e, search.region, key, search.word)
    bit = z3.Extract(0, 0, z3.LShR(word_there, z3.ZeroExt(WORD - bits, position & 31)) if search.word else word_there)
    e.inputs.relate(z3.ULE(result, size))
    e.inputs.relate(z3.Implies(z3.ULT(result, size), z3.And(z3.UGE(result, start), bit == int(search.wanted))))
    return result


def told(e: Evaluator, search: Search) -> Any:
    """Return a word that is the same for two bit searches only if they find the same."""
    bits = search.type.bits
    words = [search.told, *(word(e, x, INDEX.bits) for x in search.prefix)]
    words += [word(e, x, bits) for x in (search.start, search.size)]
    what = f"the bit from {search.offset} on that is {int(search.wanted)}/{len(words)}"
    return _unknown(what, words[0], words[1:], WORD)


def shapes_of(args: Sequence[tuple[Any, CType]], passed: Mapping[str, str]) -> tuple[str, ...]:
    """Return what a footprint depends on of arguments."""
    return tuple("" if isinstance(kind, Int) else _shape(v, passed) for v, kind in args)


def _shape(value: Any, passed: Mapping[str, str]) -> str:
    """Return what a footprint depends on of an argument: where a pointer leads, whatever its unknown indices are."""
    if isinstance(value, Choice):
        return " or ".join(_shape(v, passed) for _, v in value.options)
    if isinstance(value, Address):
        steps = ("[]" if is_symbolic(step) else str(step) for step in value.path)
        return ".".join((passed.get(value.object, value.object), *steps))
    return repr(value) if isinstance(value, Null | Opaque | FunctionPointer) else ""


def unknown_arguments(
    trial: Evaluator, e: Evaluator, args: Sequence[tuple[Any, CType]], passed: Mapping[str, str]
) -> list[Any]:
    """Return, for a run of its own, any arguments that lead to where those lead that an evaluator has met."""
    trial.layout.objects.update({n: kind for n, kind in e.layout.objects.items() if not is_local(n)})
    trial.layout.beginnings |= e.layout.beginnings

    def argument(n: int, value: Any, kind: CType) -> Any:
        if isinstance(kind, Int):
            return z3.BitVec(f"argument {n}", kind.bits)
        if isinstance(value, Choice):
            options, rest = [], TRUE
            for m, (_, v) in enumerate(value.options):
                this = trial.guards.of(z3.Bool(f"argument {n} is {m}")) if m + 1 < len(value.options) else TRUE
                options.append((trial.guards.and_(rest, this), argument(n, v, kind)))
                rest = trial.guards.and_(rest, trial.guards.not_(this))
            return trial.domain.choice(options)
        if isinstance(value, Address) and value.object in passed:
            trial.layout.objects[passed[value.object]] = e.layout.type_of(value.object)
            return Address(passed[value.object])
        if isinstance(value, Address):
            path = (z3.BitVec(f"argument {n} at {m}", 32) if is_symbolic(s) else s for m, s in enumerate(value.path))
            return Address(value.object, tuple(path))
        return value

    return [argument(n, v, k) for n, (v, k) in enumerate(args)]


def footprint_of(
    e: Evaluator, function: Function, args: Sequence[tuple[Any, CType]], passed: Mapping[str, str]
) -> Footprint | None:
    """Run a text from an unknown state, each loop as one arbitrary iteration, and collect what it may do."""
    feasible = Feasibility(EFFORT, models=24)
    unknown = Arbitrary(lambda region, key, value: None, feasible.assume, e.inputs.pointers, small=0)
    program = replace(e.program, functions={**e.program.functions, function.name: function})
    trial = type(e)(
        program, unknown, e.intrinsics, feasible, ours=e.ours, widening=Widening({}), follows_unset=True, by_words=True,
        bitmaps=e.bitmaps,
    )  # fmt: skip

    try:
        end, _ = trial.from_function(function.name, lambda: unknown_arguments(trial, e, args, passed))
    except (Unsupported, TooLarge):
        return None
    written = {n: trial.layout.kinds[n] for n in sorted(end.memory.written) if not is_local(n)}
    if not all(isinstance(p.type, Int) for p in written.values()):
        return None
    touched = frozenset(n for n in trial.layout.kinds if not is_local(n))
    return Footprint(written, tuple(sorted({c.kind for c in trial.claims})), touched)

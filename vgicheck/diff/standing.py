"""What two programs have in common that is worth not looking into: functions and loops of the same text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..c.flow import Loop, shape
from ..c.ir import Block, Function, Program, Unsupported
from ..c.outline import Outlined, outlined
from ..c.standins import StandIns
from ..engine.cache import digest_of
from .program import Forms

_Texts = tuple[dict[str, str], dict[tuple[str, int], tuple[str, Outlined]]]


def standing(
    old: tuple[Program, str], new: tuple[Program, str], renamed: Mapping[str, str]
) -> tuple[StandIns, StandIns]:
    """Return what need not be run where two functions are compared, each given by its program and its name.

    These are the loops, and the functions that get to a loop, of which the other has one of the same text, with all
    that it gets to.  `renamed` has the new name of each function of the old program that has another.
    """
    texts = [_texts(Forms(old[0], renamed), old[1]), _texts(Forms(new[0]), new[1])]
    labels = [{*functions.values(), *(label for label, _ in loops.values())} for functions, loops in texts]
    both = labels[0] & labels[1]
    before, after = (
        StandIns(
            {name: label for name, label in functions.items() if label in both},
            {at: found for at, found in loops.items() if found[0] in both},
        )
        for functions, loops in texts
    )
    return before, after


def _texts(forms: Forms, root: str) -> _Texts:
    functions: dict[str, str] = {}
    loops: dict[tuple[str, int], tuple[str, Outlined]] = {}
    program = forms.program
    here = sorted(f for f in forms.reaches(root) if f in program.functions)
    found = {f: _loops(program.functions[f]) for f in here}
    for name in here:
        if name != root and any(found.get(f) for f in forms.reaches(name)):
            functions[name] = f"{forms.renamed.get(name, name)}() {digest_of(repr(forms.whole(name)))[:16]}"
        for head, loop in found[name].items():
            whole = outlined(program.functions[name], loop)
            if whole is not None:
                calls = sorted(repr(forms.whole(c)) for c in forms.used(whole.function))
                digest = digest_of(repr((forms.text(whole.function), calls)))
                loops[name, head] = f"loop {digest[:16]}", whole
    return functions, loops


def runs_no_loop(program: Program, root: str, stand: StandIns | None = None) -> bool:
    """Say whether a function runs no loop, in whatever it gets to, but those for which something stands in."""
    forms, seen, pending = Forms(program), {root}, [root]
    while pending:
        name = pending.pop()
        function = program.functions.get(name)
        if function is None:
            continue
        loops = _loops(function)
        inner = {b for head, loop in loops.items() if stand and (name, head) in stand.loops for b in loop.blocks}
        if not inner.issuperset(loops):
            return False
        left = replace(function, blocks=[Block() if n in inner else b for n, b in enumerate(function.blocks)])
        called = forms.used(left) - (stand.functions.keys() if stand else frozenset())
        pending.extend(called - seen)
        seen |= called
    return True


def _loops(function: Function) -> Mapping[int, Loop]:
    try:
        return shape(function).loops
    except Unsupported:
        return {}

"""Formulas as C: each subterm once, in the order in which they can be computed, ahead of a call or after it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import z3

BEFORE, AFTER = 0, 1
"""When a term can be computed: from what is there before the call, or only after it."""

PIECE = 250
"""Lines of a function, see `in_pieces`."""
_VARIABLE = re.compile(r"\bt\d+\b")
_LINE = re.compile(r"(unsigned int|unsigned long long) (t\d+) = (.*);")
_WORDS = {
    z3.Z3_OP_BADD: "+", z3.Z3_OP_BSUB: "-", z3.Z3_OP_BMUL: "*", z3.Z3_OP_BAND: "&", z3.Z3_OP_BOR: "|",
    z3.Z3_OP_BXOR: "^",
}  # fmt: skip
_COMPARED = {z3.Z3_OP_ULT: "<", z3.Z3_OP_ULEQ: "<=", z3.Z3_OP_UGT: ">", z3.Z3_OP_UGEQ: ">="}
_SIGNED = {z3.Z3_OP_SLT: "<", z3.Z3_OP_SLEQ: "<=", z3.Z3_OP_SGT: ">", z3.Z3_OP_SGEQ: ">="}
_LOGIC = {z3.Z3_OP_AND: " & ", z3.Z3_OP_OR: " | ", z3.Z3_OP_XOR: " ^ "}


@dataclass(slots=True)
class Formulas:
    """Lines of C that compute terms; `constant(name)` gives a constant's C expression and when it can be read.

    Words of up to 32 bits are `unsigned int`, longer ones `unsigned long long`, both without bits beyond their width;
    truth values are 0 and 1.
    """

    constant: Callable[[Any], tuple[str, int]]
    lines: tuple[list[str], list[str]] = field(default_factory=lambda: ([], []))
    _known: dict[int, tuple[Any, str, int]] = field(default_factory=dict)

    def name(self, term: Any) -> tuple[str, int]:
        """Return the C expression of a term, or of a plain number, and when it can be computed."""
        if not isinstance(term, z3.ExprRef):
            return str(int(term)), BEFORE
        pending = [term]
        while pending:
            top = pending[-1]
            missing = [c for c in top.children() if c.get_id() not in self._known]
            if top.get_id() in self._known or not missing:
                pending.pop()
                if top.get_id() not in self._known:
                    self._known[top.get_id()] = (top, *self._computed(top))
            else:
                pending.extend(missing)
        _, text, when = self._known[term.get_id()]
        return text, when

    def _computed(self, term: Any) -> tuple[str, int]:
        if z3.is_bv_value(term):
            return f"{term.as_long():#x}{'ULL' if term.size() > 32 else 'U'}", BEFORE
        if z3.is_true(term) or z3.is_false(term):
            return str(int(z3.is_true(term))), BEFORE
        if term.decl().kind() == z3.Z3_OP_UNINTERPRETED and not term.num_args():
            text, when = self.constant(term)
        else:
            known = [self._known[c.get_id()] for c in term.children()]
            when = max(w for _, _, w in known)
            text = _operation(term, [text for _, text, _ in known])
        variable = f"t{len(self._known)}"
        self.lines[when].append(f"{type_of(term)} {variable} = {text};")
        return variable, when


def in_pieces(lines: Sequence[str], name: str, used: str) -> tuple[list[str], list[str]]:
    """Put lines into functions: gcc takes much longer for a long body than for many short ones.

    Return what to declare, and the calls of them; `used` is what else looks at what they compute.
    """
    pieces = [lines[i : i + PIECE] for i in range(0, len(lines), PIECE)]
    wanted, declared, functions = {*_VARIABLE.findall(used)}, list[str](), list[str]()
    for n, piece in reversed([*enumerate(pieces)]):
        body = []
        for line in piece:
            kind, variable, text = _LINE.fullmatch(line).groups()  # type: ignore[union-attr]
            if variable in wanted:
                declared.append(f"static {kind} {variable};")
                line = f"{variable} = {text};"
            body.append(f"\t{line}")
        wanted.update(v for line in piece for v in _VARIABLE.findall(line))
        functions.append("\n".join([f"static void __attribute__((__noinline__)) {name}_{n}(void)\n{{", *body, "}"]))
    return [*declared, *functions], [f"{name}_{n}();" for n in range(len(pieces))]


def type_of(term: Any) -> str:
    """Return the C type that a term has."""
    return "unsigned long long" if z3.is_bv(term) and term.size() > 32 else "unsigned int"


def _operation(term: Any, a: Sequence[str]) -> str:
    kind, children = term.decl().kind(), term.children()
    if kind in _LOGIC:
        return _LOGIC[kind].join(a)
    if kind == z3.Z3_OP_NOT:
        return f"!{a[0]}"
    if kind in (z3.Z3_OP_EQ, z3.Z3_OP_IFF):
        return f"{a[0]} == {a[1]}"
    if kind == z3.Z3_OP_DISTINCT and len(a) == 2:
        return f"{a[0]} != {a[1]}"
    if kind == z3.Z3_OP_IMPLIES:
        return f"!{a[0]} | {a[1]}"
    if kind == z3.Z3_OP_ITE:
        # Without a branch: of tens of thousands gcc makes nothing in any time.
        return f"{a[2]} ^ (({a[1]} ^ {a[2]}) & -({type_of(term)}){a[0]})"
    if kind in _COMPARED:
        return f"{a[0]} {_COMPARED[kind]} {a[1]}"
    if kind in _SIGNED:
        x, y = (_extended(text, c.size()) for text, c in zip(a, children, strict=True))
        return f"{x} {_SIGNED[kind]} {y}"
    if not z3.is_bv(term):
        raise NotImplementedError(term.decl().name())
    return _masked(_word(term, kind, a, children), term.size())


def _word(term: Any, kind: int, a: Sequence[str], children: Sequence[Any]) -> str:
    bits = term.size()
    if kind in _WORDS:
        return f" {_WORDS[kind]} ".join(a)
    if kind == z3.Z3_OP_BNEG:
        return f"-{a[0]}"
    if kind == z3.Z3_OP_BNOT:
        return f"~{a[0]}"
    if kind == z3.Z3_OP_EXTRACT:
        return f"{a[0]} >> {term.params()[1]}"
    if kind == z3.Z3_OP_ZERO_EXT:
        return a[0]
    if kind == z3.Z3_OP_SIGN_EXT:
        return _extended(a[0], children[0].size())
    if kind == z3.Z3_OP_CONCAT:
        text = a[0]
        for part, child in zip(a[1:], children[1:], strict=True):
            text = f"((unsigned long long)({text}) << {child.size()} | {part})"
        return text
    if kind == z3.Z3_OP_BSHL:
        return f"({a[1]} < {bits} ? (unsigned long long){a[0]} << {a[1]} : 0)"
    if kind == z3.Z3_OP_BLSHR:
        return f"({a[1]} < {bits} ? {a[0]} >> {a[1]} : 0)"
    if kind == z3.Z3_OP_BASHR:
        return f"({_extended(a[0], bits)} >> ({a[1]} < {bits} ? {a[1]} : {bits - 1}))"
    raise NotImplementedError(term.decl().name())


def _extended(text: str, bits: int) -> str:
    """Return a word of so many bits with its sign, in 64 bits."""
    return f"((long long)((unsigned long long){text} << {64 - bits}) >> {64 - bits})"


def _masked(text: str, bits: int) -> str:
    return text if bits in (32, 64) else f"({text}) & {(1 << bits) - 1:#x}ULL"

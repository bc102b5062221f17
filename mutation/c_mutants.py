"""Mutants of a C function: one change of its text each, at a place that its syntax tree gives.

The changes: an operator exchanged for a near one, `!`, `~` or `-` dropped, a condition negated, a number or a
constant macro one more
or one less or zero, a macro or a field replaced by another of its kind, neighbouring arguments exchanged, and a
statement
deleted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import tree_sitter_c
from tree_sitter import Language, Node, Parser

from .mutant import Mutant, numbered

_LANGUAGE = Language(tree_sitter_c.language())

_BINARY = {
    "&": ("|", "^"),
    "|": ("&",),
    "==": ("!=",),
    "!=": ("==",),
    "<": ("<=", ">"),
    "<=": ("<", ">="),
    ">": (">=", "<"),
    ">=": (">", "<="),
    "+": ("-",),
    "-": ("+",),
    "<<": (">>",),
    ">>": ("<<",),
    "&&": ("||",),
    "||": ("&&",),
}
_ASSIGNED = {"&=": ("|=", "="), "|=": ("&=", "="), "+=": ("-=",), "-=": ("+=",)}

LIKES: tuple[tuple[str, ...], ...] = (
    ("vgic_misr", "vgic_hcr", "vgic_vmcr"),
    ("vgic_eisr", "vgic_elrsr", "lr_used"),
    ("irq_active", "irq_enabled", "irq_cfg"),
    ("vgic_dist_base", "vgic_cpu_base"),
    ("GICH_HCR", "GICH_VTR", "GICH_VMCR", "GICH_MISR", "GICH_EISR0", "GICH_ELRSR0", "GICH_APR", "GICH_LR0"),
    ("VGIC_MISR_EOI", "VGIC_MISR_U"),
    ("VGIC_LR_VIRTUALID", "VGIC_LR_EOI", "VGIC_LR_STATE"),
    ("VGIC_HCR_EN", "VGIC_HCR_UIE"),
    ("EEXIST", "EINVAL", "ENXIO", "EBUSY", "ENODEV", "ENOMEM"),
)
"""Names that stand for values of one type and purpose, so that a slip from one to the other still compiles."""

_DELETED = (
    "expression_statement",
    "if_statement",
    "for_statement",
    "return_statement",
    "goto_statement",
    "compound_statement",
)
_MACRO = re.compile(r"[A-Z][A-Z0-9_]*\Z")
_REPORTS = re.compile(r"kvm_(?:debug|err|info)|pr_\w+|printk")


@dataclass(frozen=True, slots=True)
class _Edit:
    """Bytes `start`..`end` of the text become `new`; `shown` is the node by which a reader finds the place."""

    start: int
    end: int
    new: str
    shown: Node


def mutants(name: str, text: str) -> list[Mutant]:
    """List the mutants of the text of one function, in the order of the text; lines count from its first."""
    return list(numbered(_mutants(name, text)))


def _mutants(name: str, text: str) -> Iterator[Mutant]:
    data = text.encode()
    root = Parser(_LANGUAGE).parse(data).root_node
    body = _body(root)
    for node in _within(body):
        for edit in _edits(node, data):
            changed = data[: edit.start] + edit.new.encode() + data[edit.end :]
            if changed == data:
                continue
            before = _plain(data[edit.shown.start_byte : edit.shown.end_byte])
            grown = len(changed) - len(data)
            after = _plain(changed[edit.shown.start_byte : edit.shown.end_byte + grown])
            yield Mutant(name, node.start_point[0] + 1, f"{before} -> {after}", changed.decode())


def _body(root: Node) -> Node:
    """Return the outermost braces. A function whose head the grammar does not know has them all the same."""
    waiting = [root]
    for node in waiting:
        if node.type == "compound_statement":
            return node
        waiting.extend(node.named_children)
    return root


def _within(node: Node) -> Iterator[Node]:
    """Yield what lies within a node, but for what is only reported: the arguments of a message and of WARN."""
    for child in node.named_children:
        if _is_report(child):
            continue
        yield child
        yield from _within(child)


def _is_report(node: Node) -> bool:
    if node.type == "string_literal":
        return True
    call = node.named_children[0] if node.type == "expression_statement" and node.named_children else node
    function = call.child_by_field_name("function") if call.type == "call_expression" else None
    return function is not None and _REPORTS.match(_text(function)) is not None


def _edits(node: Node, data: bytes) -> Iterator[_Edit]:
    kind = node.type
    if kind in ("binary_expression", "assignment_expression"):
        operator = node.child_by_field_name("operator")
        if operator is not None:
            table = _BINARY if kind == "binary_expression" else _ASSIGNED
            for other in table.get(_text(operator), ()):
                yield _Edit(operator.start_byte, operator.end_byte, other, node)
    elif kind == "unary_expression":
        argument = node.child_by_field_name("argument")
        if argument is not None:
            yield _Edit(node.start_byte, node.end_byte, _text(argument), node)
    elif kind == "number_literal":
        value = _number(_text(node))
        if value is not None:
            shown = _shown(node)
            for other_value in dict.fromkeys((value + 1, max(value - 1, 0), 0)):
                if other_value != value:
                    yield _Edit(node.start_byte, node.end_byte, str(other_value), shown)
    elif kind in ("identifier", "field_identifier"):
        yield from _of_name(node)
    elif kind == "argument_list":
        yield from _of_arguments(node, data)
    elif kind in _DELETED:
        yield _Edit(node.start_byte, node.end_byte, ";", node)
    if kind == "if_statement":
        condition = node.child_by_field_name("condition")
        if condition is not None:
            yield _Edit(condition.start_byte, condition.end_byte, f"(!{_text(condition)})", condition)


def _of_name(node: Node) -> Iterator[_Edit]:
    name, shown = _text(node), _shown(node)
    for group in LIKES:
        if name in group:
            for other in group:
                if other != name:
                    yield _Edit(node.start_byte, node.end_byte, other, shown)
    called = node.parent is not None and node.parent.child_by_field_name("function") == node
    if node.type == "identifier" and _MACRO.match(name) and not called and name != "NULL":
        for other in (f"({name} + 1)", f"({name} - 1)", "0"):
            yield _Edit(node.start_byte, node.end_byte, other, shown)


def _of_arguments(node: Node, data: bytes) -> Iterator[_Edit]:
    arguments = node.named_children
    for a, b in pairwise(arguments):
        between = data[a.end_byte : b.start_byte].decode()
        yield _Edit(a.start_byte, b.end_byte, f"{_text(b)}{between}{_text(a)}", node)


def _shown(node: Node) -> Node:
    """Return the expression around a word, so that a reader sees where the word stands."""
    while node.parent is not None and node.parent.type in (
        "field_expression", "unary_expression", "pointer_expression", "binary_expression", "parenthesized_expression",
        "argument_list", "assignment_expression",
    ):  # fmt: skip
        node = node.parent
    return node


def _number(text: str) -> int | None:
    try:
        return int(text.rstrip("uUlL"), 0)
    except ValueError:
        return None


def _text(node: Node) -> str:
    return (node.text or b"").decode()


def _plain(data: bytes) -> str:
    """Return code in one line, without its comments."""
    return " ".join(re.sub(r"/\*.*?\*/", " ", data.decode(), flags=re.DOTALL).split())

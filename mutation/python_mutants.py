"""Mutants of a module of the model: one change of its syntax tree each, in the words that the model is written in.

The changes: `and_` and `or_` exchanged, an operand of theirs dropped, `not_` dropped, `lt` and `le` exchanged, `==` and
`!=`, `+` and `-`, `&` and `|`, `True` and `False`, a number one more or one less, the branches of `ite` or of a
conditional exchanged, the condition of `if` negated, `replace(...)`, `m.set(...)` or `m.where(...)` without effect, the
condition of `m.set(...)` dropped, a field replaced by another of its type, and a statement deleted.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass

from .mutant import Mutant, numbered

FIELDS: tuple[tuple[str, ...], ...] = (
    ("loaded", "live"),
    ("eoi", "u"),
    ("eisr", "elrsr", "lr_used"),
    ("irq_active", "irq_enabled", "irq_cfg"),
    ("en", "uie", "eoi"),
    ("cpu", "hw"),
    ("request_failure", "gich_failure", "hyp_failure", "notifier_failure"),
    ("host_has_node", "host_has_vgic"),
    ("node_refs", "irq_requests", "iomaps", "hyp_maps", "notifiers"),
    ("dist_base", "cpu_base"),
    ("gicv_start", "gicv_end"),
    ("irq_enabled", "online"),
    ("virtual_id", "physical_id"),
    ("kick", "request", "overflow"),
    ("busy", "live"),
    ("irq_line", "irq_state"),
    ("owed", "owned"),
    ("FLUSH", "FLUSHED"),
    ("SYNC", "SYNCED"),
    ("GUEST", "EXITED"),
    ("HOST", "BLOCKED"),
    ("SPIN", "RUN"),
    ("PENDING", "ACTIVE"),
)
"""Fields of one type, or near enough that a slip from one to the other is easily made."""

_EXCHANGED = {"and_": "or_", "or_": "and_", "lt": "le", "le": "lt"}
_OPERATORS: dict[type[ast.operator], ast.operator] = {
    ast.Add: ast.Sub(),
    ast.Sub: ast.Add(),
    ast.BitOr: ast.BitAnd(),
    ast.BitAnd: ast.BitOr(),
}
_COMPARISONS: dict[type[ast.cmpop], ast.cmpop] = {ast.Eq: ast.NotEq(), ast.NotEq: ast.Eq()}


@dataclass(frozen=True, slots=True)
class _Site:
    """A place in a tree: the attribute of a parent, and the index where that is a list."""

    parent: ast.AST
    attribute: str
    index: int | None

    @property
    def node(self) -> ast.AST:
        value = getattr(self.parent, self.attribute)
        found: ast.AST = value if self.index is None else value[self.index]
        return found

    def put(self, node: ast.AST) -> None:
        if self.index is None:
            setattr(self.parent, self.attribute, node)
        else:
            getattr(self.parent, self.attribute)[self.index] = node


def mutants(source: str, functions: Sequence[str]) -> list[Mutant]:
    """List the mutants of the named functions of a module and of those that they use, in the order of the text."""
    return list(numbered(_mutants(source, functions)))


def used(tree: ast.Module, functions: Sequence[str]) -> list[ast.FunctionDef]:
    """List the named functions of a module and those of the module that they use, in the order of the text."""
    defined = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    found = list(functions)
    for name in found:
        names = {
            node.id for node in ast.walk(defined[name]) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
        }
        found += [other for other in defined if other in names and other not in found]
    return [node for name, node in defined.items() if name in found]


def _mutants(source: str, functions: Sequence[str]) -> Iterator[Mutant]:
    tree = ast.parse(source)
    for function in used(tree, functions):
        for site in _sites(function):
            original = site.node
            for changed in _changes(original):
                site.put(changed)
                what = f"{ast.unparse(original)} -> {ast.unparse(changed)}"
                line = getattr(original, "lineno", function.lineno)
                yield Mutant(function.name, line, " ".join(what.split()), ast.unparse(tree))
            site.put(original)


def _sites(function: ast.FunctionDef) -> list[_Site]:
    """List the places in the body of a function, outermost first; its docstring, its annotations and the widths
    of words are none.
    """
    found: list[_Site] = []

    def visit(parent: ast.AST, skip: int = 0) -> None:
        for name, value in ast.iter_fields(parent):
            if name in ("annotation", "returns", "args", "decorator_list") and not isinstance(parent, ast.Call):
                continue
            if isinstance(parent, ast.keyword) and parent.arg == "width":
                continue
            if isinstance(value, ast.AST):
                found.append(_Site(parent, name, None))
                visit(value)
            elif isinstance(value, list):
                for index, item in enumerate(value):
                    if isinstance(item, ast.AST) and not (name == "body" and index < skip):
                        found.append(_Site(parent, name, index))
                        visit(item)

    visit(function, skip=int(ast.get_docstring(function) is not None))
    return found


def _changes(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.stmt):
        yield from _of_statement(node)
    elif isinstance(node, ast.Call):
        yield from _of_call(node)
    elif isinstance(node, ast.keyword):
        for other in _likes(node.arg or ""):
            yield ast.keyword(other, node.value)
    elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
        for other in _likes(node.attr):
            yield ast.Attribute(node.value, other, node.ctx)
    elif isinstance(node, ast.Constant):
        yield from _of_constant(node)
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id.isupper():
        yield ast.BinOp(node, ast.Add(), ast.Constant(1))
        yield ast.BinOp(node, ast.Sub(), ast.Constant(1))
    elif isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        yield ast.BinOp(node.left, _OPERATORS[type(node.op)], node.right)
    elif isinstance(node, ast.Compare) and type(node.ops[0]) in _COMPARISONS:
        yield ast.Compare(node.left, [_COMPARISONS[type(node.ops[0])]], node.comparators)
    elif isinstance(node, ast.IfExp):
        yield ast.IfExp(node.test, node.orelse, node.body)


def _of_statement(node: ast.stmt) -> Iterator[ast.AST]:
    if isinstance(node, ast.Assign | ast.AugAssign | ast.Expr | ast.If | ast.For):
        yield ast.Pass()
    if isinstance(node, ast.If):
        negated = deepcopy(node)
        negated.test = ast.UnaryOp(ast.Not(), node.test)
        yield negated


def _of_call(node: ast.Call) -> Iterator[ast.AST]:
    name = node.func.id if isinstance(node.func, ast.Name) else ""
    if name in _EXCHANGED:
        yield ast.Call(ast.Name(_EXCHANGED[name], ast.Load()), node.args, node.keywords)
    if name in ("and_", "or_") and len(node.args) > 1:
        for dropped in range(len(node.args)):
            yield ast.Call(node.func, [a for i, a in enumerate(node.args) if i != dropped], node.keywords)
    if name == "not_":
        yield node.args[0]
    if name == "ite":
        condition, a, b, *rest = node.args
        yield ast.Call(node.func, [condition, b, a, *rest], node.keywords)
    if name in ("replace", "put", "thread"):
        yield node.args[0]
        if len(node.args) == 3:
            yield ast.Call(node.func, node.args[:2], node.keywords)
        for dropped in range(len(node.keywords) if len(node.keywords) > 1 else 0):
            yield ast.Call(node.func, node.args, [k for i, k in enumerate(node.keywords) if i != dropped])
    if name == "Part":
        for always in (1, 2):
            yield ast.Call(node.func, [ast.Constant(True) if i == always else a for i, a in enumerate(node.args)], [])
    if isinstance(node.func, ast.Attribute) and node.func.attr in ("set", "where"):
        yield node.func.value
        if node.func.attr == "set" and (any(k.arg == "when" for k in node.keywords) or len(node.args) > 2):
            yield ast.Call(node.func, node.args[:2], [k for k in node.keywords if k.arg != "when"])


def _of_constant(node: ast.Constant) -> Iterator[ast.AST]:
    if isinstance(node.value, bool):
        yield ast.Constant(not node.value)
    elif isinstance(node.value, int):
        yield ast.Constant(node.value + 1)
        if node.value > 0:
            yield ast.Constant(node.value - 1)


def _likes(name: str) -> Iterator[str]:
    yield from dict.fromkeys(other for group in FIELDS if name in group for other in group if other != name)

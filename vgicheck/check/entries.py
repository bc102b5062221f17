"""Which functions of a file are called from outside, and what each of them can reach.

A function that only others of the file call is judged where they call it, with what they pass and know: nothing has to
be assumed of its arguments.  What others call, directly or through a pointer that is given away, is judged for all
arguments that the binding allows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ..c.ir import (
    AddressOf,
    Array,
    Assign,
    Call,
    Deref,
    Element,
    Function,
    FunctionRef,
    Global,
    Local,
    LValue,
    Member,
    Program,
    StringLiteral,
    StructRef,
    parts,
)
from .reading import Reading

_STATIC = re.compile(r"\bstatic\b")
_REGISTERED = {"request_percpu_irq": 1, "request_irq": 1, "request_threaded_irq": 1}
"""The functions that make another one an interrupt handler, and which argument that is."""


@dataclass(slots=True)
class Entries:
    """The functions of a file by how they are called.

    `uncalled` are those of the roots that nothing calls, as far as can be seen, `internal` those that other files of
    the VGIC may call, `outside` what runs outside of
    interrupts.  `reach` has for each function those that it can get to, itself included, and `kinds` the properties
    that our stubs claim when it calls them.  `hidden` are those that a function may get to which was not read.
    """

    roots: tuple[str, ...]
    uncalled: frozenset[str]
    internal: frozenset[str]
    handlers: frozenset[str]
    outside: frozenset[str] = frozenset()
    reach: dict[str, frozenset[str]] = field(default_factory=dict)
    kinds: dict[str, tuple[str, ...]] = field(default_factory=dict)
    hidden: frozenset[str] = frozenset()


def entries(reading: Reading) -> Entries:
    """Find how the functions of a file are called."""
    program = reading.program
    uses = {name: _uses(function, program) for name, function in program.functions.items()}
    reach = {name: _closure(name, uses) for name in program.functions}
    given = {ref for f in program.functions.values() for ref in _given_away(f, program)}
    given |= {
        ref
        for name, initial in program.constants.items()
        if name not in program.readonly
        for value in initial.values.values()
        for ref in _refs(value)
    }
    judged = [name for name in reading.places if name not in reading.unread]
    readable = {name for name in judged if not reach[name] & program.unsupported.keys()}
    roots = [name for name in judged if not _is_static(reading, name) or name in given]
    reached = {g for root in roots if root in readable for g in reach[root]}
    uncalled = frozenset(name for name in judged if name not in reached and name not in roots)
    roots += [name for name in judged if name in uncalled]
    handlers = {
        function
        for f in program.functions.values()
        for call in _calls(f)
        if call.callee in _REGISTERED
        for function in _refs(call.args[_REGISTERED[str(call.callee)]])
    }
    without = {name: used - handlers for name, used in uses.items()}
    outside = frozenset[str]().union(*(_closure(root, without) for root in roots if root not in handlers))
    found = Entries(tuple(roots), uncalled, reading.internal, frozenset(handlers & set(judged)), outside, reach)
    found.hidden = frozenset[str]().union(*(reach[name] for name in _mentioned(reading) if name in reach))
    for name in judged:
        found.kinds[name] = tuple(sorted(_kinds_of_stubs(name, uses, reading)))
    return found


def _mentioned(reading: Reading) -> set[str]:
    """List the functions that are mentioned in those that were not read: by name, or by a table or member with them."""
    words = {
        word
        for name in reading.unread
        if name in reading.places
        for number in range(reading.places[name][0].line, reading.places[name][1] + 1)
        for word in re.findall(r"[A-Za-z_]\w*", reading.lines.get((reading.places[name][0].file, number), ""))
        if word != name
    }
    program = reading.program
    tables = (
        ref
        for name, initial in program.constants.items()
        for path, value in initial.values.items()
        for ref in _refs(value)
        if words & {name, *path}
    )
    return (words & program.functions.keys()) | set(tables)


def _is_static(reading: Reading, name: str) -> bool:
    loc, last = reading.places[name]
    head = ""
    for number in range(loc.line, last + 1):
        line = reading.lines.get((loc.file, number), "")
        head += line.split(f"{name}", 1)[0] + "\n"
        if re.search(rf"\b{re.escape(name)}\b", line):
            break
    return _STATIC.search(head) is not None


def _kinds_of_stubs(name: str, uses: dict[str, frozenset[str]], reading: Reading) -> set[str]:
    """Find what our stubs claim of a function: on its own lines, and in what it calls that is not under judgement."""
    found: set[str] = set()
    pending, seen = [name], {name}
    while pending:
        function = reading.program.functions.get(pending.pop())
        if function is None:
            continue
        for call in _calls(function):
            if call.callee == "vgicheck_claim":
                found.update(e.text for e in parts(call.args[0]) if isinstance(e, StringLiteral))
        for other in uses.get(function.name, frozenset()):
            if other not in seen and other not in reading.places:
                seen.add(other)
                pending.append(other)
    return found


def _closure(name: str, uses: dict[str, frozenset[str]]) -> frozenset[str]:
    found, pending = {name}, [name]
    while pending:
        for other in uses.get(pending.pop(), frozenset()):
            if other not in found:
                found.add(other)
                pending.append(other)
    return frozenset(found)


def _uses(function: Function, program: Program) -> frozenset[str]:
    """List the functions that a function calls or mentions, also through the tables that it mentions."""
    found: set[str] = set()
    tables: list[str] = []
    for block in function.blocks:
        for node in (*block.instructions, block.terminator):
            for part in parts(node):
                if isinstance(part, FunctionRef):
                    found.add(part.name)
                elif isinstance(part, Call) and isinstance(part.callee, str):
                    found.add(part.callee)
                elif isinstance(part, Global):
                    tables.append(part.name)
    for table in dict.fromkeys([*tables, *_operations(function, program)]):
        initial = program.constants.get(table)
        for value in initial.values.values() if initial else ():
            found.update(_refs(value))
    return frozenset(found)


def _operations(function: Function, program: Program) -> Iterator[str]:
    """Yield the tables of operations whose functions a function may call through a pointer to one of them.

    Those are the constant structs of each type that the function looks into through a pointer.
    """
    through = {
        part.tag
        for block in function.blocks
        for node in (*block.instructions, block.terminator)
        for part in parts(node)
        if isinstance(part, Member) and isinstance(part.base, Deref)
    }
    for name in program.constants:
        kind = program.globals[name]
        if name in program.readonly and isinstance(kind, StructRef) and kind.tag in through:
            yield name


def _given_away(function: Function, program: Program) -> Iterator[str]:
    """Yield the functions that a function mentions and does not call, also those of an array that it points memory to.

    One that is passed to a service of our stubs which calls it then and there is called, not given away.
    """
    for block in function.blocks:
        for node in (*block.instructions, block.terminator):
            if not (isinstance(node, Call) and isinstance(node.callee, str) and _calls_back(node.callee, program)):
                yield from _refs(node)
            if isinstance(node, Assign) and not isinstance(node.target, Local):
                for part in parts(node.value):
                    table = _root(part.lvalue) if isinstance(part, AddressOf) else ""
                    if table in program.constants and isinstance(program.globals[table], Array):
                        yield from (f for value in program.constants[table].values.values() for f in _refs(value))


def _root(lvalue: LValue) -> str:
    """Return the object at file scope that an lvalue is a part of; "" where it is none."""
    while isinstance(lvalue, Member | Element):
        lvalue = lvalue.base
    return lvalue.name if isinstance(lvalue, Global) else ""


def _calls_back(name: str, program: Program) -> bool:
    function = program.functions.get(name)
    return function is not None and any(not isinstance(call.callee, str) for call in _calls(function))


def _calls(function: Function) -> Iterator[Call]:
    for block in function.blocks:
        for i in block.instructions:
            if isinstance(i, Call):
                yield i


def _refs(node: Any) -> Iterator[str]:
    return (part.name for part in parts(node) if isinstance(part, FunctionRef))

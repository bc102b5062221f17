"""A program from its start: a function that sets what the text initialises, and then calls one without parameters.

The evaluator takes what a program holds before a function runs as arbitrary, or as given; run like this it begins as
the compiled program does.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from vgicheck.c.ir import (
    S32,
    Array,
    Assign,
    Block,
    Call,
    Const,
    CType,
    Element,
    Function,
    Global,
    Instruction,
    Loc,
    LValue,
    Member,
    Program,
    Return,
    StructRef,
    Void,
)

Path = tuple[str | int, ...]
HERE = Loc("start", 0)


def started(lowered: Program, entry: str, inputs: Collection[str]) -> str:
    """Give a program such a function for an entry, but leave the inputs, some lvalues, as they are; return its name."""
    instructions: list[Instruction] = []
    for name, initial in lowered.constants.items():
        values = {path: Const(0, kind) for path, kind in scalars(lowered, name)} | dict(initial.values)
        for path, value in values.items():
            if written(name, path) not in inputs:
                instructions.append(Assign(_lvalue(lowered, name, path), value, value.type, HERE))
    instructions.append(Call(None, entry, (), Void(), HERE))
    run = f"{entry} from the start"
    lowered.functions[run] = Function(run, (), {}, Void(), [Block(instructions, Return(None, HERE))], HERE, HERE)
    return run


def scalars(lowered: Program, name: str) -> Iterator[tuple[Path, CType]]:
    """Yield the path to each scalar of an object; of a union, to those of its first member."""
    return _below(lowered, lowered.globals[name], ())


def written(name: str, path: Path) -> str:
    """Write an lvalue in C: members of anonymous members stand for themselves."""
    return name + "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in path if s != "")


def _below(lowered: Program, kind: CType, path: Path) -> Iterator[tuple[Path, CType]]:
    if isinstance(kind, Array):
        for i in range(kind.length):
            yield from _below(lowered, kind.element, (*path, i))
    elif isinstance(kind, StructRef):
        struct = lowered.structs[kind.tag]
        for member in struct.fields[:1] if struct.is_union else struct.fields:
            yield from _below(lowered, member.type, (*path, member.name))
    else:
        yield path, kind


def _lvalue(lowered: Program, name: str, path: Path) -> LValue:
    lvalue: LValue = Global(name)
    kind = lowered.globals[name]
    for step in path:
        if isinstance(kind, Array):
            lvalue, kind = Element(lvalue, Const(int(step), S32), HERE), kind.element
        elif isinstance(kind, StructRef):
            lvalue = Member(lvalue, kind.tag, str(step))
            kind = next(f.type for f in lowered.structs[kind.tag].fields if f.name == step)
    return lvalue

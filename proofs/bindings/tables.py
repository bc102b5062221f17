"""Constant tables of a source, row by row: what it says of registers and of who handles them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vgicheck.c.ir import Array, Const, FunctionRef, Program, StructRef, stripped


def element(program: Program, name: str) -> str:
    """Return the tag of the structs that a table which nobody writes consists of; "" where it is none."""
    kind = program.globals.get(name)
    if not isinstance(kind, Array) or name not in program.readonly or name not in program.constants:
        return ""
    return kind.element.tag if isinstance(kind.element, StructRef) else ""


def rows(program: Program, name: str) -> Sequence[Mapping[str, int | str]]:
    """List the rows of a table: numbers, and functions by their names, by the innermost member that they are of.

    What a row does not give, which is 0, is not there.
    """
    found: dict[str | int, dict[str, int | str]] = {}
    for path, expr in program.constants[name].values.items():
        plain = stripped(expr)
        value = plain.value if isinstance(plain, Const) else plain.name if isinstance(plain, FunctionRef) else None
        if value is not None:
            found.setdefault(path[0], {})[str(path[-1])] = value
    return list(found.values())

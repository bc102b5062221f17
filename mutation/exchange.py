"""Exchanging what the functions of a module do, wherever they were imported, and back."""

from __future__ import annotations

import ast
import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FunctionType, ModuleType

from vgicheck.engine import values

WORDS = ("and_", "or_", "lt", "le")
"""What a mutant may say instead of what the module says, whether or not the module imported it."""


def text_of(module: str) -> str:
    """Return the text of a module, by its dotted name."""
    return Path(str(importlib.import_module(module).__file__)).read_text()


def faulty(text: str, old: str, new: str) -> str:
    """Return a text with a fault: `old`, which stands there once, is `new`."""
    assert text.count(old) == 1, f"{old!r} stands there {text.count(old)} times"
    return text.replace(old, new)


def functions_of(text: str) -> tuple[str, ...]:
    """List the functions that a text defines at its outermost level."""
    return tuple(node.name for node in ast.parse(text).body if isinstance(node, ast.FunctionDef))


def written_in(text: str) -> Iterator[str]:
    """Yield the functions that a text defines, and the methods of its classes as `Class.method`."""
    yield from functions_of(text)
    for node in ast.parse(text).body:
        if isinstance(node, ast.ClassDef):
            yield from (f"{node.name}.{f.name}" for f in node.body if isinstance(f, ast.FunctionDef))


def _function(module: ModuleType, name: str) -> FunctionType:
    owner, _, method = name.rpartition(".")
    found = vars(vars(module)[owner])[method] if owner else vars(module)[name]
    found = found.fget if isinstance(found, property) else getattr(found, "__func__", found)
    assert isinstance(found, FunctionType), name
    return found


def twin(module: str, text: str) -> ModuleType:
    """Return a module made from another text, that calls itself by the name of the original; no file changes."""
    original = importlib.import_module(module)
    made = ModuleType(module)
    made.__package__ = module.rpartition(".")[0]
    sys.modules[module] = made  # its dataclasses look their module up
    try:
        exec(compile(text, f"<mutant of {module}>", "exec"), made.__dict__)
    finally:
        sys.modules[module] = original
    return made


@contextmanager
def exchanged(module: str, text: str) -> Iterator[None]:
    """Let the functions and methods of a module do what another text of it says, with its numbers; its tables stay.

    What holds a function, a table or a module that imported it, holds it still: only its code is another; a number is
    another in the module itself only.  Raises whatever executing the text raises, and `KeyError` for a function that
    the module does not have.
    """
    original, other = importlib.import_module(module), twin(module, text)
    kept: list[tuple[FunctionType, CodeType]] = []
    before = dict(vars(original))
    try:
        vars(original).update({name: getattr(values, name) for name in WORDS if name not in before})
        vars(original).update({name: n for name, n in vars(other).items() if type(n) is int and name in before})
        for name in written_in(text):
            function, code = _function(original, name), _function(other, name).__code__
            kept.append((function, function.__code__))
            function.__code__ = code
        yield
    finally:
        for function, code in kept:
            function.__code__ = code
        vars(original).clear()
        vars(original).update(before)

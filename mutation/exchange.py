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


def functions_of(text: str) -> tuple[str, ...]:
    """List the functions that a text defines at its outermost level."""
    return tuple(node.name for node in ast.parse(text).body if isinstance(node, ast.FunctionDef))


@contextmanager
def exchanged(module: str, text: str) -> Iterator[None]:
    """Let the functions of a module do what another text of it says; its classes and tables stay.

    What holds a function, a table or a module that imported it, holds it still: only its code is another.  Raises
    whatever executing the text raises, and `AttributeError` for a function that the module does not have.
    """
    original = importlib.import_module(module)
    other = ModuleType(module)
    other.__package__ = module.rpartition(".")[0]
    sys.modules[module] = other  # its dataclasses look their module up
    try:
        exec(compile(text, f"<mutant of {module}>", "exec"), other.__dict__)
    finally:
        sys.modules[module] = original
    kept: list[tuple[FunctionType, CodeType]] = []
    lent = [name for name in WORDS if not hasattr(original, name)]
    try:
        for name in lent:
            setattr(original, name, getattr(values, name))
        for name in functions_of(text):
            function = getattr(original, name)
            kept.append((function, function.__code__))
            function.__code__ = getattr(other, name).__code__
        yield
    finally:
        for function, code in kept:
            function.__code__ = code
        for name in lent:
            delattr(original, name)

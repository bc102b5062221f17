"""A translation unit put together from stubs, the pieces of C that are under review, and the entries that call them.

Each line keeps the place it came from.  A piece that the parser refuses is taken out and the rest is parsed again,
so that an error
in one function says nothing about another, and nothing is judged whose tree is incomplete.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from . import clang, lower
from .ir import Loc, Program, Unsupported

MOST_LINES = 3_000
_ENTRY = re.compile(r"#ifdef VGICHECK_FUNCTION_(\w+)")
_TYPE = re.compile(r"\s*(typedef\b|(struct|union|enum)\s+\w+\s*\{)")


@dataclass(frozen=True, slots=True)
class Chunk:
    """A complete piece of C: a macro definition, a declaration or a function, with its first line in its file."""

    kind: Literal["define", "declaration", "function"]
    name: str
    text: str
    file: str
    first_line: int


@dataclass(frozen=True, slots=True)
class Stub:
    """A file of ours that stands before the pieces, or of entries that stand after them."""

    name: str
    text: str


@dataclass(slots=True)
class Unit:
    """What became of the pieces: the program, the text that was parsed, and the functions that were not understood."""

    program: Program
    text: str
    unsupported: dict[str, Unsupported] = field(default_factory=dict)


@dataclass(slots=True)
class _Text:
    lines: list[str] = field(default_factory=list)
    origins: list[Loc] = field(default_factory=list)
    owners: list[str] = field(default_factory=list)

    def add(self, text: str, file: str, first_line: int, owner: str = "") -> None:
        for offset, line in enumerate(text.split("\n")):
            self.lines.append(line)
            self.origins.append(Loc(file, first_line + offset))
            self.owners.append(owner)

    def at(self, line: int) -> Loc:
        return self.origins[min(max(line, 1), len(self.origins)) - 1]


def assemble(stubs: Sequence[Stub], chunks: Sequence[Chunk], entries: Stub, defines: Mapping[str, str]) -> Unit:
    """Parse and lower the pieces between the stubs and the entries."""
    refused: dict[str, Unsupported] = {}
    kept = []
    for chunk in chunks:
        size = chunk.text.count("\n") + 1
        if chunk.kind == "function" and size > MOST_LINES:
            where = Loc(chunk.file, chunk.first_line)
            refused[chunk.name] = Unsupported(f"a function of {size} lines; the limit is {MOST_LINES}", where)
        else:
            kept.append(chunk)
    while True:
        text = _written(stubs, kept, entries)
        unit = clang.parse("\n".join(text.lines), name="review.c", origin=text.at, defines=defines)
        if not unit.errors:
            program = lower.lower(unit)
            refused.update(program.unsupported)
            return Unit(program, "\n".join(text.lines), refused)
        kept = _without_refused(kept, unit.errors, text, refused)


def _without_refused(
    kept: Sequence[Chunk], errors: Sequence[tuple[str, int]], text: _Text, refused: dict[str, Unsupported]
) -> list[Chunk]:
    """Take out what the errors lie in; each round removes at least one piece."""
    bad: dict[str, Unsupported] = {}
    for message, line in errors:
        owner = text.owners[min(max(line, 1), len(text.owners)) - 1]
        bad.setdefault(owner, Unsupported(_plain(message), text.at(line)))
    if not any(owner for owner in bad):
        cause = bad[""]
        raise Unsupported(f"the pieces do not fit our stubs: {cause.construct}", cause.loc)
    remaining = []
    for chunk in kept:
        cause_or_none = bad.get(_owner(chunk))
        if cause_or_none is None:
            remaining.append(chunk)
        elif chunk.kind == "function":
            refused[chunk.name] = cause_or_none
    spoilt = [c for c in kept if c not in remaining and c.kind != "function"]
    for lost in spoilt:
        cause = bad[_owner(lost)]
        for chunk in [c for c in remaining if c.kind == "function" and _mentions(c, lost.name)]:
            refused[chunk.name] = Unsupported(f"{lost.name}: {cause.construct}; needs --tree", cause.loc)
            remaining.remove(chunk)
    for owner, cause in bad.items():
        if owner.startswith("entry "):
            name = owner.removeprefix("entry ")
            where = next((Loc(c.file, c.first_line) for c in remaining if _owner(c) == f"function {name}"), cause.loc)
            refused[name] = Unsupported(f"{name}() is not declared as the binding knows it: {cause.construct}", where)
            remaining = [c for c in remaining if _owner(c) != f"function {name}"]
    return remaining


def _written(stubs: Sequence[Stub], chunks: Sequence[Chunk], entries: Stub) -> _Text:
    text = _Text()
    functions = [c for c in chunks if c.kind == "function"]
    declarations = [c for c in chunks if c.kind == "declaration"]
    defines = [c for c in chunks if c.kind == "define"]
    for chunk in functions:
        text.add(f"#define VGICHECK_HAVE_{chunk.name}", chunk.file, chunk.first_line)
        text.add(f"#define VGICHECK_FUNCTION_{chunk.name}", chunk.file, chunk.first_line)
        returns_void = re.search(rf"\bvoid\s+{re.escape(chunk.name)}\b", chunk.text) is not None
        text.add(
            f"#define VGICHECK_RESULT_{chunk.name} {'' if returns_void else 'vgicheck_entry.result ='}",
            chunk.file,
            chunk.first_line,
        )
    for chunk in declarations:
        if chunk.name.isidentifier():
            text.add(f"#define VGICHECK_SOURCE_{chunk.name}", chunk.file, chunk.first_line)
    for chunk in defines:
        text.add(chunk.text, chunk.file, chunk.first_line, _owner(chunk))
    for stub in stubs:
        text.add(stub.text, stub.name, 1)
    for chunk in defines:
        text.add(f"#undef {chunk.name}", chunk.file, chunk.first_line)
        text.add(chunk.text, chunk.file, chunk.first_line, _owner(chunk))
    types = [c for c in declarations if _TYPE.match(c.text)]
    for chunk in types:
        text.add(chunk.text, chunk.file, chunk.first_line, _owner(chunk))
    for chunk in functions:
        text.add(chunk.text.split("{", 1)[0].rstrip() + ";", chunk.file, chunk.first_line, _owner(chunk))
    for chunk in [c for c in declarations if c not in types] + functions:
        text.add(chunk.text, chunk.file, chunk.first_line, _owner(chunk))
    owner = ""
    for number, line in enumerate(entries.text.split("\n"), 1):
        start = _ENTRY.match(line)
        if start:
            owner = f"entry {start.group(1)}"
        text.add(line, entries.name, number, owner)
        if line.startswith("}"):
            owner = ""
    return text


def _owner(chunk: Chunk) -> str:
    if chunk.kind == "function":
        return f"function {chunk.name}"
    return f"{chunk.kind} {chunk.name} {chunk.file}:{chunk.first_line}"


def _mentions(chunk: Chunk, name: str) -> bool:
    """Say whether a function uses a name; a lost piece without a proper name may concern every function."""
    return not name.isidentifier() or re.search(rf"\b{re.escape(name)}\b", chunk.text) is not None


def _plain(message: str) -> str:
    return message.rstrip(".").replace("\n", " ")

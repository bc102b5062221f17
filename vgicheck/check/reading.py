"""One C file with its headers and our stubs, as one text that the compiler reads whole.

Nothing is moved: each line keeps its place, so conditionals and macros mean what they mean in the kernel.  What the
compiler refuses is taken out, thing by thing, and the rest is read again, until it refuses nothing: a function with a
construct that is not understood costs that function, and those that need it.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from ..c import clang, lower
from ..c.ir import Loc, Program, Unsupported
from .items import Item, code_of, includes, items, owner

MOST_ROUNDS: Final = 40
"""Readings of one text; each takes out at least one thing."""
_DIRECTIVE = re.compile(r"\s*#")


@dataclass(frozen=True, slots=True)
class Part:
    """A file that the text is made of; `judged` where its functions are under judgement, else `ours` or a header."""

    name: str
    text: str
    ours: bool = False
    judged: bool = False


@dataclass(slots=True)
class Reading:
    """What became of a file: the program, and of each function under judgement its lines and why it was not read."""

    program: Program
    places: dict[str, tuple[Loc, int]]
    unread: dict[str, Unsupported]
    lines: Mapping[tuple[str, int], str]
    text: str
    defines: Mapping[str, str]
    """The macros with which the text is read."""
    others: frozenset[str]
    """The files that are not under judgement: what goes wrong there is told where the file under judgement calls."""
    internal: frozenset[str] = frozenset()
    """The functions that headers of the VGIC's own folder declare, for its other files to call."""


@dataclass(slots=True)
class _Piece:
    """A part with its lines as they are now, and the things in it."""

    part: Part
    lines: list[str]
    first: int
    items: list[Item]
    touched: dict[int, int] = field(default_factory=dict)
    """By the first line of a thing: in how many rounds something of it was taken out."""


def read(parts: Sequence[Part], defines: Mapping[str, str], built_for: str = clang.TARGET) -> Reading:
    """Read a text that is put together from parts, in order.

    Of the last part that is judged, the source, every function is accounted for; of the others that are judged, those
    that are compiled.
    """
    pieces, first = [], 1
    defined = _definitions(parts)
    for part in parts:
        lines = part.text.split("\n")
        for include in includes(part.text):
            lines[include.line - 1] = ""
        pieces.append(_Piece(part, lines, first, items(part.text)))
        first += len(lines)
    unread: dict[str, Unsupported] = {}
    places = {
        i.name: (Loc(p.part.name, i.first), i.last)
        for p in pieces
        if p.part.judged
        for i in p.items
        if i.kind == "function"
    }
    unit, text = _settled(pieces, {**defines, **defined}, built_for, unread)
    program = lower.lower(unit)
    for name, cause in unread.items():
        program.functions.pop(name, None)
        program.unsupported[name] = cause
    source = [part.name for part in parts if part.judged][-1]
    for name, (loc, _) in places.items():
        if name in program.unsupported:
            unread[name] = program.unsupported[name]
        elif name not in program.functions and loc.file != source:
            continue
        elif name not in program.functions:
            unread[name] = Unsupported("the preprocessor leaves it out in this configuration", loc)
        elif program.functions[name].loc.file != loc.file:
            unread[name] = Unsupported("it is not defined where it seems to be", loc)
    for name in [n for n in places if n not in program.functions and n not in unread]:
        del places[name]
    shown = {
        (p.part.name, n): line for p in pieces if p.part.judged for n, line in enumerate(p.part.text.split("\n"), 1)
    }
    others = frozenset(p.name for p in parts if not p.judged)
    return Reading(program, places, unread, shown, text, {**defines, **defined}, others)


def _definitions(parts: Sequence[Part]) -> dict[str, str]:
    """Return the macros that tell our stubs which functions and types the source brings itself."""
    found: dict[str, str] = {}
    for part in parts:
        if not part.ours:
            for item in items(part.text):
                if item.kind == "function":
                    found[f"VGICHECK_HAVE_{item.name}"] = "1"
                elif item.braced and item.name.startswith(("struct ", "union ", "enum ")):
                    found[f"VGICHECK_HAVE_{item.name.replace(' ', '_')}"] = "1"
    return found


def _settled(
    pieces: Sequence[_Piece], defines: Mapping[str, str], built_for: str, unread: dict[str, Unsupported]
) -> tuple[clang.Unit, str]:
    """Take out what the compiler refuses until it refuses nothing."""
    starts = [p.first for p in pieces]

    def place(line: int) -> tuple[_Piece, int]:
        piece = pieces[max(0, bisect_right(starts, line) - 1)]
        return piece, line - piece.first + 1

    def origin(line: int) -> Loc:
        piece, number = place(line)
        return Loc(piece.part.name, max(1, number))

    for turn in range(MOST_ROUNDS):
        text = "\n".join(line for p in pieces for line in p.lines)
        unit = clang.parse(text, name="check.c", origin=origin, defines=defines, target=built_for)
        if not unit.errors:
            return unit, text
        blamed: dict[tuple[int, int], tuple[_Piece, Item, int, Unsupported]] = {}
        for message, line in unit.errors:
            piece, number = place(line)
            item = owner(piece.items, number)
            if item is not None and not _directive_line(piece.lines, number - 1):
                cause = Unsupported(message.rstrip(".").replace("\n", " "), origin(line))
                blamed.setdefault((piece.first, item.first), (piece, item, number, cause))
        # What declares something goes first: functions may only be refused for want of it.
        declared = [b for b in blamed.values() if b[1].kind != "function"]
        found = sum([_taken_out(*b, unread) for b in declared or blamed.values()])
        if not found or turn == MOST_ROUNDS - 1:
            message, line = unit.errors[0]
            cause = Unsupported(f"the file cannot be told apart: {message.rstrip('.')}", origin(line))
            _take_all(pieces, cause, unread)
            text = ""
            unit = clang.parse(text, name="check.c", origin=origin, defines={}, target=built_for)
            return unit, text
    raise AssertionError("unreachable")


def _take_all(pieces: Sequence[_Piece], cause: Unsupported, unread: dict[str, Unsupported]) -> None:
    for piece in pieces:
        if piece.part.judged:
            for item in piece.items:
                if item.kind == "function":
                    unread.setdefault(item.name, cause)


def _taken_out(piece: _Piece, item: Item, number: int, cause: Unsupported, unread: dict[str, Unsupported]) -> int:
    """Take out of a thing what a refused line belongs to; return whether that changed anything.

    Of a struct, the member goes first; of a function, the body: what else it takes is taken when that was not enough.
    """
    tries = piece.touched.get(item.first, 0)
    if item.kind == "function":
        unread.setdefault(item.name, cause)
        changed = _without_body(piece, item) if tries == 0 else _blanked(piece, item.first, item.last)
    elif item.name.startswith(("struct ", "union ")) and tries < 8:
        changed = _without_member(piece, item, number)
        if not changed:
            changed = _emptied(piece, item)
    else:
        changed = _blanked(piece, item.first, item.last)
    piece.touched[item.first] = tries + 1
    return changed


def _blanked(piece: _Piece, first: int, last: int) -> int:
    changed = 0
    for n in range(first - 1, min(last, len(piece.lines))):
        if piece.lines[n].strip() and not _directive_line(piece.lines, n):
            piece.lines[n], changed = "", 1
    return changed


def _directive_line(lines: Sequence[str], n: int) -> bool:
    while n > 0 and lines[n - 1].endswith("\\"):
        n -= 1
    return _DIRECTIVE.match(lines[n]) is not None


def _without_body(piece: _Piece, item: Item) -> int:
    """Leave of a function what declares it."""
    code = code_of("\n".join(piece.lines[item.first - 1 : item.last])).split("\n")
    at = next((n for n, line in enumerate(code) if "{" in line), None)
    if at is None or any(_directive_line(piece.lines, item.first - 1 + n) for n in range(at + 1)):
        return _blanked(piece, item.first, item.last)
    line = item.first - 1 + at
    changed = _blanked(piece, line + 2, item.last)
    piece.lines[line] = piece.lines[line][: code[at].index("{")] + ";"
    return changed or 1


def _without_member(piece: _Piece, item: Item, number: int) -> int:
    """Take the line with a member out of a struct; where it is one of the outermost, with what it opens."""
    line = piece.lines[number - 1]
    if number in (item.first, item.last) or not re.fullmatch(r"[^{}]*;[^{};]*", code_of(line)):
        return 0
    return _blanked(piece, number, number)


def _emptied(piece: _Piece, item: Item) -> int:
    """Leave a struct without members, so that pointers to it still mean something."""
    changed = _blanked(piece, item.first, item.last)
    if changed:
        piece.lines[item.first - 1] = f"{item.name} {{ }};"
    return changed

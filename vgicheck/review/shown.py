"""A source that is known from a patch only: what the patch shows whole, and ours for the rest of the file.

Each piece stands on its line of the file after the patch.  A function that the patch shows takes the place of ours; one
of which it shows a part, or which it removes, is neither, so that nothing can be said of the file.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence

from ..c.source import Stub
from ..check.items import items
from ..check.tree import Source, Texts
from .fragments import Piece, pieces, removed_functions
from .patch import Patch, PatchedFile, PatchError

TREE = "give a tree with the patch applied"


def source_of(patch: Patch, name: str, rest: Stub, stubs: Sequence[Stub] = ()) -> Source:
    """Return the file of a patch that has some of the rest's functions; what else it has is left alone.

    `stubs` are read before it.  Raises `PatchError` where there is no such file, or where it cannot be put together;
    `name` is the patch's.
    """
    ours = {i.name: i for i in items(rest.text) if i.kind == "function"}
    changed = {file: [p for p in _changed(file) if p.name in ours] for file in patch.files}
    chosen = next((file for file in patch.files if changed[file]), None)
    if chosen is None:
        raise PatchError(name, f"it changes none of {', '.join(ours)}", "give one that does, or a tree")
    _refuse([p for file in patch.files for p in _changed(file)], {*ours, *_named(stubs)})
    found, path = pieces(chosen), changed[chosen][0].file
    lines = rest.text.split("\n")
    for item in (ours[p.name] for p in found if p.kind == "function" and p.name in ours):
        lines[item.first - 1 : item.last] = [""] * (item.last - item.first + 1)
    return Source(name, Texts({path: _text(found), rest.name: "\n".join(lines)}), (path,), {path: (rest.name,)})


def _changed(file: PatchedFile) -> list[Piece]:
    """List the functions and structures of a file, whole, in part or removed, that are not as they were."""
    shown = [p for p in pieces(file) if p.change != "context"]
    kept = [p for p in shown if p.kind in ("function", "partial") or (p.name.startswith("struct ") and "{" in p.text)]
    return [*kept, *removed_functions(file)]


def _named(stubs: Sequence[Stub]) -> Iterator[str]:
    """Yield the functions and structures of our own, for which those of the patch would be read."""
    yield from (i.name for stub in stubs for i in items(stub.text) if i.kind == "function" or i.braced)


def _refuse(changed: Sequence[Piece], ours: Collection[str]) -> None:
    """Refuse a patch that changes what ours stands for, and does not show what becomes of it."""
    for piece in changed:
        struct = re.match(r"struct \w+", piece.name)
        name = struct[0] if struct else piece.name
        if name not in ours or (piece.kind == "function" and piece.change != "removed"):
            continue
        what = f"{name} is changed" if struct else f"{name}() is shown only in part"
        if piece.change == "removed":
            what = f"{name}() is removed"
        raise PatchError(f"{piece.file}:{piece.first_line}", what, TREE)


def _text(found: Sequence[Piece]) -> str:
    """Put pieces on their lines, and nothing between them; directives that may open or close something are left out."""
    lines: list[str] = []
    for piece in found:
        if piece.kind in ("define", "declaration", "function"):
            own = piece.text.split("\n")
            lines += [""] * (piece.first_line - 1 + len(own) - len(lines))
            lines[piece.first_line - 1 : piece.first_line - 1 + len(own)] = own
    return "\n".join(lines)

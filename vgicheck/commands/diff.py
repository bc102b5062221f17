"""`vgicheck diff`: what becomes of the functions of one C implementation in another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from ..engine.verdict import Verdict
from ..report import diff as report
from ..report import machine, text
from .options import Options, Wrong, common

if TYPE_CHECKING:
    from ..diff.diff import Compared


@click.command()
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
@click.option("--function", default="", metavar="NAME", help="Compare this function alone.")
@common
def diff(old: str, new: str, function: str, options: Options) -> None:
    """Compare two C implementations, each a SOURCE as `check` takes it, by what their functions do."""
    from ..check.tree import SourceError, find
    from ..diff.diff import compare

    try:
        with options.runner() as runner:
            found = compare(find(old), find(new), runner, function)
    except SourceError as error:
        raise Wrong(str(error)) from None
    functions = [
        {"name": f.name, "change": f.change, "was": f.was or None, "differs_when": f.differs_when or None,
         "example": None if f.example is None else asdict(f.example), "note": f.note,
         "old": machine.location(f.old), "location": machine.location(f.new)}
        for f in found.functions
    ]  # fmt: skip
    described = {"name": new, "files": list(found.new.paths), "old": old, "old_files": list(found.old.paths)}
    options.answer("diff", described, found.obligations, _lines(found), functions)


def _lines(found: Compared) -> Iterator[str]:
    from ..diff.pair import ASKED

    yield f"{found.old.name} -> {found.new.name}"
    yield ""
    left = sorted((o for o in found.obligations if o.reason), key=lambda o: o.verdict is Verdict.REFUTED)
    reasons = {o.subject: o.reason for o in left}
    rows = [
        (f.name, f.change, str(f.new or f.old),
         ", ".join(n for n in (f.was and f"was {f.was}()", f.note, reasons.get(f.name, "")) if n))
        for f in found.functions
    ]  # fmt: skip
    yield from report.changes(rows)
    yield from report.differences(found.obligations, ASKED, found.lines)
    yield from text.assumed_by_all(found.obligations)
    yield text.summary(found.obligations)

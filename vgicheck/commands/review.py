"""`vgicheck review`: what a mailed patch does."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from properties.catalogue import SENTENCES

from ..report import machine, text
from .options import Options, Wrong, common, runs_natively

if TYPE_CHECKING:
    from ..review.review import Review


@click.command()
@click.argument("patch", metavar="PATCH")
@click.option("--native", is_flag=True, help="Replay refutations in compiled C as well. This runs code of the patch.")
@common
def review(patch: str, native: bool, options: Options) -> None:
    """Judge a mailed patch: a Patchwork page, an mbox, a `git format-patch` file or a diff; - for standard input."""
    # The reading of C takes longer to load than all else together, and not every command needs it.
    from proofs.generations import october_2012

    from ..review.native import confirm
    from ..review.patch import PatchError, load, read_patch
    from ..review.review import review as review_patch

    runs_natively(native)
    try:
        data, name = load(patch, sys.stdin.buffer)
        parsed = read_patch(data, name)
        generation = october_2012()
        with options.runner() as runner:
            found = review_patch(parsed, generation, runner)
    except PatchError as error:
        raise Wrong(str(error)) from None
    if native:
        found = confirm(found, generation)
    functions = [
        {"name": f.name, "change": f.change, "differs_when": None, "example": None, "note": f.note,
         "location": machine.location(f.location)}
        for f in found.functions
    ]  # fmt: skip
    source = {"name": name, "form": parsed.form, "subject": parsed.subject, "generation": found.generation}
    options.answer("review", source, found.obligations, _lines(found), functions)


def _lines(found: Review) -> Iterator[str]:
    patch = found.patch
    yield patch.subject or "(no subject)"
    yield f"read as {patch.form}, judged against generation {found.generation}"
    yield ""
    yield from text.table(found.obligations, {f.name: str(f.location) for f in found.functions})
    read = [f for f in found.functions if f.note and not any(o.subject == f.name for o in found.obligations)]
    for f in read:
        yield f"{f.name}()  {f.location}: {f.note}"
    if read:
        yield ""
    yield from text.runs(found.obligations, SENTENCES, found.lines)
    yield from text.assumptions(found.obligations)
    yield ""
    yield text.summary(found.obligations)

"""`vgicheck check`: what a whole C implementation keeps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from properties.catalogue import SENTENCES

from ..report import machine, text
from .options import Options, Wrong, common, runs_natively

if TYPE_CHECKING:
    from ..check.check import Checked


@click.command()
@click.argument("source", metavar="SOURCE")
@click.argument("properties", nargs=-1, metavar="[PROPERTY ...]")
@click.option("--native", is_flag=True, help="Replay refutations in compiled C as well. This runs code of the source.")
@common
def check(source: str, properties: Sequence[str], native: bool, options: Options) -> None:
    """Judge a C implementation: a file, a directory with vgic.c, a kernel tree, or a revision of one, TREE@REV."""
    from ..check import check as checks
    from ..check.tree import SourceError, find

    for name in properties:
        if name not in checks.IDS:
            why = "it is not judged of whole files" if name in SENTENCES else "no property has this id"
            raise Wrong(f"{name}: {why}; there are {', '.join(checks.IDS)}")
    runs_natively(native)
    try:
        with options.runner() as runner:
            found = checks.check(find(source), properties, runner, native)
    except SourceError as error:
        raise Wrong(str(error)) from None
    if not found.obligations:
        raise Wrong(f"{source}: nothing to judge of {', '.join(properties)}; leave the properties out")
    functions = [{"name": f.name, "location": machine.location(f.location)} for f in found.functions]
    described = {"name": source, "files": list(found.source.paths)}
    options.answer("check", described, found.obligations, _lines(found), functions)


def _lines(found: Checked) -> Iterator[str]:
    yield f"{found.source.name}: {', '.join(found.source.paths)}"
    yield ""
    yield from text.table(found.obligations, {f.name: str(f.location) for f in found.functions})
    yield from text.runs(found.obligations, SENTENCES, found.lines)
    yield from text.assumed_by_all(found.obligations)
    yield ""
    yield text.summary(found.obligations)

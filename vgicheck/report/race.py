"""Arguments about races as plain text: the claim in its own words, and what was found of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..engine.verdict import Obligation, Verdict
from .text import numbered, shown_verdict, wrapped


@dataclass(frozen=True, slots=True)
class Claim:
    """An argument as it is shown: its id, its words, where they stand, of which generation, and what came of it.

    `between` names the functions that overlap, `granted` what is not in doubt, `core` what becomes of its two-CPU core
    where accesses change places; `asked` says by property what was asked, `written` what became of the cores of runs.
    """

    id: str
    words: str
    where: str
    generation: str
    outcome: str
    between: tuple[str, str]
    granted: tuple[str, ...]
    core: str
    asked: Mapping[str, str]
    written: tuple[str, ...] = ()


def claims(shown: Sequence[Claim], obligations: Sequence[Obligation]) -> Iterator[str]:
    """Yield a block for each argument, with a line for each of its obligations."""
    numbers = numbered(obligations)
    for claim in shown:
        own = [o for o in obligations if o.subject == claim.id]
        yield f"{claim.id}  [{claim.generation}]"
        yield from wrapped("claim:", f'"{claim.words}"', indent=2)
        yield from wrapped("stands in:", claim.where, indent=2)
        yield from wrapped("between:", " and ".join(claim.between), indent=2)
        for sentence in claim.granted:
            yield from wrapped("granted:", sentence, indent=2)
        yield from wrapped("so:", claim.outcome, indent=2)
        if claim.core:
            yield from wrapped("reordering:", claim.core, indent=2)
        for o in (o for o in own if o.property in claim.asked or o.verdict is not Verdict.PROVED):
            run = f"  [{numbers[o.subject, o.run]}]" if o.run is not None else ""
            what = claim.asked.get(o.property, o.reason) if o.run is not None or not o.reason else o.reason
            yield f"  {o.property:<25} {shown_verdict(o):<9} {what}{run}".rstrip()
        for bounds in dict.fromkeys(o.bounds for o in own if o.verdict is Verdict.PROVED):
            yield from wrapped("proved for:", bounds, indent=2)
        for method in dict.fromkeys(o.method for o in own if o.verdict is Verdict.PROVED):
            yield from wrapped("proved by:", method, indent=2)
        for said in claim.written:
            yield from wrapped("litmus:", said, indent=2)
        yield ""

"""A comparison of two sources as plain text: what became of each function, and two runs of each that differs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from ..engine.verdict import Location, Obligation, Verdict
from .text import WIDTH, wrapped


def changes(functions: Sequence[tuple[str, str, str, str]]) -> Iterator[str]:
    """Yield a line for each function of which there is something to say: its name, its change, where, and a note."""
    told = [f for f in functions if f[1] != "equivalent" or f[3]]
    width = max((len(name) for name, *_ in told), default=0) + 2
    for name, change, where, note in told:
        shown = "DIFFERENT" if change == "different" else change
        yield f"{name + '()':<{width}} {shown:<11} {where}{f': {note}' if note else ''}"
    if told:
        yield ""
    counts = Counter(change for _, change, _, _ in functions)
    yield ", ".join(f"{n} {change}" for change, n in counts.most_common())
    yield ""


def differences(
    found: Sequence[Obligation], sentences: Mapping[str, str], lines: Mapping[tuple[str, int], str]
) -> Iterator[str]:
    """Yield for each function that differs when it does, what it starts from then, and what it did and does."""
    for n, o in enumerate((o for o in found if o.verdict is Verdict.REFUTED and o.run is not None), 1):
        run = o.run
        assert run is not None
        yield f"[{n}] {o.subject}()"
        yield from wrapped("not so:", sentences.get(o.property, o.property))
        for when in run.ends:
            yield from wrapped("whenever:", when)
        if run.start:
            yield from wrapped("starts:", run.start)
        width = max((len(v.name) for v in run.inputs), default=0)
        for k, v in enumerate(run.inputs):
            yield f"    {'for example:' if k == 0 else '':<12} {v.name:<{width}} = {v.value}"
        yield f"    {'' if run.inputs else 'for example:':<12} all {'else ' if run.inputs else ''}0, or as in a new VM"
        for change in run.changes:
            yield f"    {change.name}"
            yield f"        before: {change.before}"
            yield f"        now:    {change.after}"
        if run.fault is not None:
            yield from _line(run.fault, lines)
        yield ""


def _line(where: Location, lines: Mapping[tuple[str, int], str]) -> Iterator[str]:
    text = lines.get((where.file, where.line), "").strip()
    yield f"    {'first line:':<12} {where}: {text}"[: WIDTH + 20].rstrip()

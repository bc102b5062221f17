"""A review as plain text: a table by function and property, the run of each refutation, and one summary line.

It fits a mail: no colour, no line drawn with anything but ASCII, nothing that differs between two runs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from ..engine.verdict import Assumption, Nearest, Obligation, Run, Verdict

ORDER = (
    Verdict.PROVED,
    Verdict.REFUTED,
    Verdict.UNKNOWN,
    Verdict.UNSUPPORTED,
    Verdict.VACUOUS,
    Verdict.NOT_RUN,
)
WIDTH = 100


def table(obligations: Sequence[Obligation], places: Mapping[str, str], methods: bool = False) -> Iterator[str]:
    """Yield a block for each subject; `places` says where a subject is defined.

    With `methods` each block says how what is proved there was proved, and of what sizes.
    """
    numbers = numbered(obligations)
    for subject in dict.fromkeys(o.subject for o in obligations):
        yield f"{subject}()  {places.get(subject, '')}".rstrip()
        claimed = [o for o in obligations if o.subject == subject]
        alike = {(o.verdict, o.reason, o.location) for o in claimed}
        if len(claimed) > 1 and len(alike) == 1 and claimed[0].reason:
            everything = f"all {len(claimed)} properties"
            yield f"  {everything:<27} {shown_verdict(claimed[0]):<11} {remark(claimed[0], numbers)}".rstrip()
        else:
            for o in claimed:
                yield f"  {o.property:<27} {shown_verdict(o):<11} {remark(o, numbers)}".rstrip()
        if methods:
            how = dict.fromkeys((o.method, o.bounds) for o in claimed if o.verdict is Verdict.PROVED)
            for method, bounds in how:
                yield from wrapped("by:", f"{method}; for {bounds}", indent=2)
        yield ""


def shown_verdict(o: Obligation) -> str:
    """Return a verdict as a table shows it: what is refuted is to be seen at once."""
    return "REFUTED" if o.verdict is Verdict.REFUTED else str(o.verdict)


def remark(o: Obligation, numbers: Mapping[tuple[str, Run | None], int]) -> str:
    """Return what a table says behind a verdict, with the number of its run."""
    if o.verdict is Verdict.PROVED:
        return o.method.partition(", equal to ")[2] and f"as {o.method.partition(', equal to ')[2]}"
    where = f"{o.location}: " if o.location else ""
    run = f"  [{numbers[o.subject, o.run]}]" if o.run is not None else ""
    return f"{where}{o.reason}{run}"


def numbered(obligations: Sequence[Obligation]) -> dict[tuple[str, Run | None], int]:
    """Number the runs by subject; one that refutes several obligations of a subject has one number."""
    shown = dict.fromkeys((o.subject, o.run) for o in obligations if o.run is not None)
    return {key: n for n, key in enumerate(shown, 1)}


def runs(
    obligations: Sequence[Obligation], sentences: Mapping[str, str], lines: Mapping[tuple[str, int], str]
) -> Iterator[str]:
    """Yield the shortest run of each refutation: what it starts from, the line at fault, what it leaves behind."""
    for (subject, run), n in numbered(obligations).items():
        o = next(o for o in obligations if (o.subject, o.run) == (subject, run))
        assert run is not None
        yield f"[{n}] {o.subject}: {o.property}"
        yield f"    must hold:  {sentences.get(o.property, o.property)}"
        yield f"    fails:      {run.violated}"
        yield from schedule(run) if run.turns else _run(run, lines)
        if o.nearest is not None:
            yield from _nearest(o.nearest)
        if o.unconfirmed:
            yield from wrapped("", f"not in compiled C: {o.unconfirmed}")
        yield ""


def _nearest(nearest: Nearest) -> Iterator[str]:
    """Say which change mends a property; one that is not proved is told as what it is."""
    names = ", ".join(nearest.switches)
    if nearest.verdict is Verdict.PROVED:
        yield from wrapped("proved with:", names)
    else:
        yield from wrapped("mended by:", f"{names} (in the small instances; not proved)")


def _run(run: Run, lines: Mapping[tuple[str, int], str]) -> Iterator[str]:
    if run.start:
        yield from wrapped("starts:", run.start)
    if run.inputs:
        width = max(len(v.name) for v in run.inputs)
        for n, v in enumerate(run.inputs):
            note = f"  ({v.note})" if v.note else ""
            yield f"    {'from:' if n == 0 else '':<11} {v.name:<{width}} = {v.value}{note}"
        yield f"    {'':<11} everything else 0"
    else:
        yield f"    {'from:':<11} everything 0"
    if run.indices:
        named = {"lr": "list register", "intid": "INTID", "vcpu": "vCPU"}
        shown = ", ".join(f"{named.get(v.name, v.name)} {v.value}" for v in run.indices)
        yield f"    {'for:':<11} {shown}"
    yield from wrapped("takes:", "lines " + " ".join(str(n) for n in run.path))
    if run.fault is not None:
        text = lines.get((run.fault.file, run.fault.line), "").strip()
        yield f"    {'at fault:':<11} {run.fault}: {text}".rstrip()
    marked = [c for c in run.changes if c.matters] or list(run.changes)
    if marked:
        width = max(len(c.name) for c in marked)
        for n, c in enumerate(marked):
            yield f"    {'changes:' if n == 0 else '':<11} {c.name:<{width}}   {c.before} -> {c.after}"
        rest = len(run.changes) - len(marked)
        if rest:
            yield f"    {'':<11} and {rest} more that do not matter here"
    else:
        yield f"    {'changes:':<11} nothing"
    yield f"    {'seen in:':<11} {', '.join(run.replayed)}"


def schedule(run: Run) -> Iterator[str]:
    """Yield a run of a machine as the kernel list writes races: a column for each CPU, time going down."""
    shown = run.turns[run.prologue :]
    columns = sorted({t.by for t in shown})
    width = min(46, max(len(t.does) for t in shown) + 2)
    yield f"    {'machine:':<11} {run.instance}"
    if run.start:
        yield from wrapped("starts:", run.start)
    else:
        yield f"    {'after:':<11} {run.prologue} steps that set it up"
    yield ""
    yield ("    " + "".join(f"{by:<{width}}" for by in columns)).rstrip()
    yield ("    " + "".join(f"{'-' * (width - 2):<{width}}" for _ in columns)).rstrip()
    for turn in shown:
        yield f"    {' ' * width * columns.index(turn.by)}{turn.does}"
    yield ""
    for n, line in enumerate(run.ends):
        yield f"    {'then:' if n == 0 else '':<11} {line}"
    yield f"    {'seen in:':<11} {', '.join(run.replayed)}"


def wrapped(label: str, text: str, indent: int = 4) -> Iterator[str]:
    """Yield a text behind a label, in lines that fit a mail."""
    line, margin = "", " " * indent
    for word in text.split():
        if len(line) + len(word) + 13 + indent > WIDTH:
            yield f"{margin}{label:<11} {line}"
            label, line = "", ""
        line = f"{line} {word}".strip()
    yield f"{margin}{label:<11} {line}"


def assumptions(obligations: Sequence[Obligation]) -> Iterator[str]:
    """Yield what proofs take for granted, by subject, and who guarantees it."""
    taken: dict[str, dict[Assumption, None]] = {}
    for o in obligations:
        if o.verdict in (Verdict.PROVED, Verdict.REFUTED):
            taken.setdefault(o.subject, {}).update(dict.fromkeys(o.assumptions))
    for subject, facts in taken.items():
        if facts:
            yield f"assumed of {subject}():"
            for a in facts:
                yield f"    {a.text}\n        guaranteed by {a.guarantor}"


def assumed_by_all(obligations: Sequence[Obligation]) -> Iterator[str]:
    """Yield each thing that a proof or refutation takes for granted once, and who guarantees it."""
    believed = [o for o in obligations if o.verdict in (Verdict.PROVED, Verdict.REFUTED)]
    for n, a in enumerate(dict.fromkeys(a for o in believed for a in o.assumptions)):
        yield f"{'assumed:' if n == 0 else '':<11} {a.text}"
        yield f"{'':<11}     guaranteed by {a.guarantor}"


def summary(obligations: Sequence[Obligation]) -> str:
    """Return the line that counts the verdicts."""
    return counted(Counter(o.verdict for o in obligations))


def counted(verdicts: Mapping[Verdict, int]) -> str:
    """Return how many there are of each verdict, the best first."""
    return ", ".join(f"{verdicts[v]} {v}" for v in ORDER if verdicts.get(v))

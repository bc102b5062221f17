"""Arguments about races, judged: whether the premise holds, the conclusion follows, and the conclusion holds.

Each is asked of every state of small machines, so that what is refuted has a shortest run, and what is proved is so
for any number of steps, at those sizes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from model.generation import GENERATIONS, NOT_NEEDED, Switches
from model.steps import STEPS
from vgicheck.engine.litmus import happens, herd7
from vgicheck.engine.portfolio import Portfolio
from vgicheck.engine.tasks import Task
from vgicheck.engine.verdict import Obligation, Verdict

from .argument import Argument
from .arguments.cores import CORES
from .delivery import DELIVERED, delivery
from .instances import AT, INSTANCE, QUICK, Size, retarget, set_up
from .nearest import HASTE, nearest
from .overlap import Function, apart
from .premise import Terms
from .runs import LIMIT, Broken, search
from .second import confirmed
from .whole import PROPERTY_IDS, proves, refutation, run_of

PREMISE, FOLLOWS = "premise", "follows"
"""What is asked of an argument beside the property that it concludes."""
MENDED = "mended"
ASKED = {
    PREMISE: "what the argument takes for granted",
    FOLLOWS: "the conclusion, where no step is made for which the premise fails",
}
"""In words."""
METHOD = "every state of small machines"
BETWEEN_OF = "2012-10"
BETWEEN = tuple(
    INSTANCE[name]
    for name in (
        "a level interrupt, one vCPU",
        "an edge, one vCPU",
        "a level interrupt, two list registers",
        "a level interrupt, a vCPU that moves",
        "a level interrupt, two vCPUs",
        "a level interrupt that moves once, two vCPUs",
    )
)
"""The generation and the machines of which a question between two functions is asked, where nothing else is said."""
SAYS: dict[tuple[Verdict, Verdict, Verdict], str] = {
    (Verdict.PROVED, Verdict.PROVED, Verdict.PROVED): "the argument holds",
    (Verdict.VACUOUS, Verdict.PROVED, Verdict.PROVED): "what it speaks of does not happen; the conclusion holds",
    (Verdict.PROVED, Verdict.REFUTED, Verdict.REFUTED): "its premise holds, and the conclusion does not follow from it",
    (Verdict.VACUOUS, Verdict.VACUOUS, Verdict.VACUOUS): "nothing that it speaks of is there",
    (Verdict.VACUOUS, Verdict.REFUTED, Verdict.REFUTED): "what it speaks of does not happen; the conclusion fails",
    (Verdict.REFUTED, Verdict.PROVED, Verdict.PROVED): "its premise is wrong; the conclusion holds all the same",
    (Verdict.REFUTED, Verdict.PROVED, Verdict.REFUTED): "its premise is wrong, and the conclusion falls with it",
    (Verdict.REFUTED, Verdict.REFUTED, Verdict.REFUTED): "its premise is wrong, and would not be enough",
}
"""What is to be said of an argument, by the verdicts on premise, following and conclusion."""


UNDECIDED = "it is not decided"
ORDERS = {
    (True, True): "breaks it with one access after the other",
    (False, True): "breaks it with store buffers only",
    (False, False): "does not break it, with store buffers either; ask herd7 of the Linux kernel's memory model",
}
"""What becomes of the core of an argument, without and with store buffers."""


def said(premise: Verdict, follows: Verdict, conclusion: Verdict) -> str:
    """Return what is to be said of an argument."""
    return SAYS.get((premise, follows, conclusion), UNDECIDED)


def core(argument: Argument) -> str:
    """Say what becomes of the two-CPU core of an argument where accesses change places; nothing where it has none."""
    if argument.id not in CORES:
        return ""
    litmus = CORES[argument.id]
    return ORDERS[happens(litmus, buffers=False), happens(litmus, buffers=True)]


def litmus_tests(arguments: Sequence[Argument]) -> Iterator[tuple[str, str]]:
    """Yield the name of a file and its text for herd7, for each argument that has a two-CPU core."""
    for argument in arguments:
        if argument.id in CORES:
            yield f"{argument.id}.litmus", herd7(CORES[argument.id], [argument.words, f"Here it {core(argument)}."])


Run = Callable[[], Iterator[Obligation]]


@dataclass(frozen=True, slots=True)
class Scope:
    """In which machines an argument is judged, where that is not what the argument itself says.

    generation  by its name; empty for the argument's own
    sizes       none for the argument's own
    limit       states of one machine, at the most
    second      how a second engine is asked, which is to confirm each proof; None where the explorer alone is believed
    """

    generation: str = ""
    sizes: tuple[Size, ...] = ()
    limit: int = LIMIT
    second: Portfolio | None = None

    def of(self, generation: str, sizes: Sequence[Size]) -> Scope:
        """Return the whole scope of a question that names a generation and machines of its own."""
        return replace(self, generation=self.generation or generation, sizes=self.sizes or tuple(sizes))

    def task(self, key: tuple[str, ...], promised: Sequence[tuple[str, str]], run: Run) -> Task:
        """Return the task of a question that is asked in this scope, which is whole."""
        return Task((*key, self.generation, str(self.limit), *map(repr, self.sizes)), tuple(promised), run)


def sized(vcpus: int, cpus: int, irqs: int, lrs: int) -> Size:
    """Return the machine of so many vCPUs, CPUs, level-triggered shared interrupts and list registers.

    With more than one vCPU the guest moves the first interrupt between the first two; with as many CPUs as vCPUs each
    stays on its own.
    """
    numbers = zip((vcpus, cpus, irqs, lrs), ("vCPU", "CPU", "interrupt", "list register"), strict=True)
    name = ", ".join(f"{n} {what}{'s' if n > 1 else ''}" for n, what in numbers)
    stores = (retarget(34, 0), retarget(34, 1)) if vcpus > 1 else ()
    shared = tuple((34 + i, 0) for i in range(irqs))
    return Size(name, vcpus, cpus, lrs, shared, (), stores, pinned=1 < vcpus == cpus)


def tasks(arguments: Sequence[Argument], scope: Scope) -> list[Task]:
    """Return the task of judging each argument; it promises premise, following and conclusion, in this order.

    Where it is asked whether interrupts are delivered in the end, that comes after them.
    """
    return [_task(argument, scope) for argument in arguments]


def _task(argument: Argument, scope: Scope) -> Task:
    here = scope.of(argument.generation, argument.sizes)

    def run() -> Iterator[Obligation]:
        yield from judged(argument, GENERATIONS[here.generation], here.sizes, here.limit, here.second)

    asked = (PREMISE, FOLLOWS, argument.conclusion, *([DELIVERED] if argument.delivers else []))
    return here.task(("race", argument.id), [(name, argument.id) for name in asked], run)


def judged(
    argument: Argument,
    switches: Switches,
    sizes: Sequence[Size],
    limit: int = LIMIT,
    second: Portfolio | None = None,
) -> Iterator[Obligation]:
    """Judge an argument of a VGIC with these switches: yield its premise, whether its conclusion follows, and that."""
    name, premise = argument.conclusion, argument.premise

    def asked(what: str, terms: Terms) -> Obligation:
        return _confirmed(seen.obligation(what, argument.id, switches), what, sizes, switches, terms, second)

    seen = _Seen.of(sizes, switches, (name,), Terms((premise,), argument.granted, witnessed=True), limit)
    found = asked(premise.id, Terms((premise,), argument.granted))
    conclusion = asked(name, Terms((), argument.granted))
    if found.verdict is Verdict.PROVED:
        follows = conclusion
    else:
        believed = (*argument.granted, premise)
        seen = _Seen.of(sizes, switches, (name,), Terms((), believed, witnessed=True), limit)
        follows = asked(name, Terms((), believed))
    yield replace(found, property=PREMISE)
    yield replace(follows, property=FOLLOWS)
    yield conclusion
    if argument.delivers:
        delivered = _delivered(argument, switches, sizes, limit)
        if second is not None and delivered.verdict is Verdict.PROVED:
            delivered.verdict, delivered.reason = Verdict.UNKNOWN, "no second engine judges what happens in the end"
        yield delivered


def _confirmed(
    o: Obligation, name: str, sizes: Sequence[Size], switches: Switches, terms: Terms, second: Portfolio | None
) -> Obligation:
    """Have a proof confirmed by a second engine, if one is wanted."""
    return o if second is None else confirmed(o, name, sizes, switches, terms, second)


def _delivered(argument: Argument, switches: Switches, sizes: Sequence[Size], limit: int) -> Obligation:
    """Judge whether level interrupts are delivered in the end, in each machine."""
    found = Obligation(DELIVERED, argument.id, Verdict.VACUOUS, METHOD, reason="no interrupt waits in these machines")
    for size in sizes:
        seen = delivery(size, switches, limit, Terms((), argument.granted))
        if seen.made is not None and seen.replayed:
            broken = Broken(DELIVERED, "from here on it is never delivered", size, seen.made, len(set_up(size)))
            return replace(refutation(broken, switches), subject=argument.id)
        if seen.made is not None or seen.trapped.ended:
            found.verdict = Verdict.UNKNOWN
            found.reason = f"{size.name}: {seen.trapped.ended or 'not every state behind the run was replayed'}"
            return found
        if seen.trapped.waiting:
            found.verdict, found.reason = Verdict.PROVED, ""
            found.bounds = "; ".join(size.name for size in sizes) + "; any number of steps; strongly fair runs"
    return found


@dataclass(slots=True)
class _Seen:
    """What the states of some machines showed: a run for each thing that fails, what was met, and what was not run."""

    sizes: tuple[str, ...]
    broken: dict[str, Broken] = field(default_factory=dict)
    met: frozenset[str] = frozenset()
    cut: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, sizes: Sequence[Size], switches: Switches, wanted: Sequence[str], terms: Terms, limit: int) -> _Seen:
        """Run the states of one machine after the other, until all that is asked has failed."""
        seen = cls(tuple(size.name for size in sizes))
        for size in sizes:
            names = [name for name in wanted if name not in seen.broken]
            asked = tuple(premise for premise in terms.asked if premise.id not in seen.broken)
            if names or asked:
                searched = search(size, switches, names, limit, replace(terms, asked=asked))
                cut = not searched.exploration.exhaustive and len(searched.broken) < len(names) + len(asked)
                why = [f"{size.name}: {searched.exploration.ended}"] if cut else []
                seen.add(cls((), searched.broken, searched.met, why))
        return seen

    @property
    def bounds(self) -> str:
        """For what it holds where nothing fails."""
        return "; ".join(self.sizes) + "; any number of steps"

    def add(self, other: _Seen) -> None:
        """Take over what another machine showed, where it is new."""
        self.broken = other.broken | self.broken
        self.met |= other.met
        self.cut += other.cut

    def obligation(self, name: str, subject: str, switches: Switches) -> Obligation:
        """Return the verdict on one thing that was asked."""
        if name in self.broken:
            return replace(refutation(self.broken[name], switches), subject=subject)
        found = Obligation(name, subject, Verdict.PROVED, METHOD, self.bounds)
        if self.cut:
            found.verdict, found.reason = Verdict.UNKNOWN, "; ".join(self.cut)
        elif name not in self.met:
            found.verdict, found.reason = Verdict.VACUOUS, "nothing that it speaks of happens in these machines"
        return found


# Every cause, and what mends it -------------------------------------------------------------------


def cause_tasks(arguments: Sequence[Argument], scope: Scope) -> list[Task]:
    """Return the tasks of finding every step that may break the conclusion of an argument, each with a shortest run."""
    return [_cause_task(argument, scope) for argument in arguments]


def _cause_task(argument: Argument, scope: Scope) -> Task:
    here = scope.of(argument.generation, argument.sizes)
    names = tuple(f"{argument.conclusion}{AT}{step.name}" for step in STEPS)

    def run() -> Iterator[Obligation]:
        switches, terms = GENERATIONS[here.generation], Terms((), argument.granted, apart=True)
        seen = _Seen.of(here.sizes, switches, (argument.conclusion,), terms, here.limit)
        for name in names:
            if name in seen.broken or seen.cut:
                yield replace(seen.obligation(name, argument.id, switches), property=name)
            else:
                o = Obligation(name, argument.id, Verdict.PROVED, METHOD, seen.bounds)
                yield _confirmed(o, name, here.sizes, switches, terms, here.second)

    return here.task(("causes", argument.id), [(name, argument.id) for name in names], run)


def mend(
    run: Callable[[Sequence[Task]], Sequence[Sequence[Obligation]]],
    answers: Sequence[tuple[Argument, Sequence[Obligation]]],
    scope: Scope,
    portfolio: Portfolio,
) -> None:
    """Put beside each refuted conclusion the smallest change of switches with which it holds; `run` runs tasks."""
    refuted = [(a, o) for a, answer in answers for o in answer if o.property == a.conclusion and o.run is not None]
    for (_, o), (near,) in zip(refuted, run([_mending_task(*r, scope, portfolio) for r in refuted]), strict=True):
        o.nearest = near.nearest


def _mending_task(argument: Argument, o: Obligation, scope: Scope, portfolio: Portfolio) -> Task:
    here = scope.of(argument.generation, argument.sizes)

    def run() -> Iterator[Obligation]:
        switches = GENERATIONS[here.generation]
        tried = tuple(dict.fromkeys((*here.sizes, *QUICK)))
        lost = {name for size in tried for name in search(size, switches, PROPERTY_IDS, HASTE).broken}
        kept = [name for name in PROPERTY_IDS if name not in lost]
        proved = partial(proves, o.property, timeout=portfolio.timeout)
        near = nearest(run_of(o, here.sizes), kept, switches, proved, tried, NOT_NEEDED)
        yield Obligation(o.property, MENDED, Verdict.NOT_RUN if near is None else near.verdict, nearest=near)

    return here.task(("mending", argument.id), [(o.property, MENDED)], run)


# A question that nobody wrote down ----------------------------------------------------------------


def between_tasks(one: Function, two: Function, names: Sequence[str], scope: Scope) -> list[Task]:
    """Return the task of asking which properties two functions break that overlap, when no others do.

    What a machine breaks without any overlap is no matter of these two; that is said where nothing else is found.
    """
    here = scope.of(BETWEEN_OF, BETWEEN)
    subject = f"{one.name} | {two.name}"

    def run() -> Iterator[Obligation]:
        switches = GENERATIONS[here.generation]
        together = _Seen(tuple(size.name for size in here.sizes))
        alone = _Seen(together.sizes)
        for size in here.sizes:
            left = [name for name in names if name not in together.broken]
            by_order = _Seen.of((size,), switches, left, Terms((), apart(), witnessed=True), here.limit)
            left = [name for name in left if name not in by_order.broken]
            terms = Terms((), apart(frozenset({one, two})), witnessed=True)
            together.add(_Seen.of((size,), switches, left, terms, here.limit))
            alone.add(by_order)
        for name in names:
            if name in alone.broken and name not in together.broken:
                found = alone.obligation(name, subject, switches)
                found.reason = f"without any overlap: {found.reason}"
            else:
                found = together.obligation(name, subject, switches)
                terms = Terms((), apart(frozenset({one, two})))
                found = _confirmed(found, name, here.sizes, switches, terms, here.second)
            yield found

    return [here.task(("between", one.name, two.name, *names), [(name, subject) for name in names], run)]

"""The functions of a whole file that are bound to the model: what their properties say of them, and refines-model.

The judge is that of a patch's functions: loops are run once for each list register, and what is shown holds for every
state that satisfies the binding's invariants.  A refutation starts from a state that is known to occur.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from proofs.bindings import vgic, whole_file
from proofs.claims import PROPERTIES
from proofs.obligations import REFINES, Job, judge_function, of_the_model

from ..c.binding import Bound
from ..engine.cache import digest_of
from ..engine.portfolio import Portfolio
from ..engine.tasks import Task
from ..engine.verdict import Obligation
from .reading import Reading

IDS = (*(p.id for p in PROPERTIES), REFINES)
"""The properties that are judged of functions that are bound."""
A_TASK = 5
"""Properties that one process judges: of one function they need one summary, and there is more than one process."""


@dataclass(slots=True)
class Refined:
    """The functions of a file that are bound to the model, what is judged of each, and what came of it."""

    reading: Reading
    bound: Mapping[str, Bound]
    wanted: Mapping[str, tuple[str, ...]]
    portfolio: Portfolio
    found: dict[str, list[Obligation]] = field(default_factory=dict)

    @classmethod
    def of(cls, reading: Reading, properties: Sequence[str], portfolio: Portfolio) -> Refined:
        """Find what is bound of a file."""
        bound = whole_file.bound(reading.program, reading.places)
        wanted = {
            name: tuple(p for p in of_the_model(name, b) if not properties or p in properties)
            for name, b in bound.items()
        }
        return cls(reading, bound, wanted, portfolio)

    def names(self, function: str) -> tuple[str, ...]:
        """List what is judged of a function."""
        return self.wanted.get(function, ())

    def tasks(self, unreadable: Collection[str]) -> list[Task]:
        """Return the work for the functions that were read whole."""
        text = digest_of(self.reading.text)
        return [
            Task(
                ("refine", text, name, str(names)),
                tuple((p, name) for p in names),
                partial(judge, self.reading, self.bound[name], names, self.portfolio),
            )
            for name, wanted in self.wanted.items()
            if name not in unreadable
            for names in (wanted[i : i + A_TASK] for i in range(0, len(wanted), A_TASK))
        ]

    def take(self, answers: Sequence[Obligation]) -> None:
        """Take what came of one function."""
        for o in answers:
            bounds = whole_file.bounds(self.reading.program, self.bound[o.subject])
            self.found.setdefault(o.subject, []).append(replace(o, bounds=bounds))


def judge(reading: Reading, target: Bound, names: tuple[str, ...], portfolio: Portfolio) -> Iterator[Obligation]:
    """Yield what is judged of one bound function."""
    irqs = vgic.nr_irqs(reading.program)
    return judge_function(Job(reading.program, target, irqs, reading.others, portfolio, names))

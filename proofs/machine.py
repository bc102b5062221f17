"""The machine's properties, claimed of every step by induction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import z3

from model.distributor import MAX_CPUS, NR_LRS
from model.generation import Switches
from model.gich import FIRST_SPECIAL_INTID
from model.initial import initial
from model.machine import Machine
from model.steps import ARGUMENTS, STEPS, Step
from model.vm import is_sgi
from properties.machine import INVARIANTS, LEMMAS, STEP_PROPERTIES, Invariant, StepProperty
from properties.property import Part
from vgicheck.engine.induction import Assumed, Context, Indices, assumed, negated
from vgicheck.engine.maps import Key
from vgicheck.engine.values import and_, fresh, implies, is_symbolic, le, lt, or_

OLD = "old"
BANKED = ("vm.irq_enabled", "vm.irq_cfg", "vm.irq_line", "vm.irq_state", "vm.irq_active", "vm.irq_priority",
          "ghost.owed", "ghost.owned", "ghost.owner")  # fmt: skip
"""Maps whose first coordinate is a bank and no vCPU."""
KIND_OF = {"vcpu": "vcpu", "cpu": "cpu", "l": "lr"}
"""The kind of an index that a step has as an argument; INTID and source are one index together."""


def _legal(limit: int, kind: str, key: Key) -> bool:
    """Say whether an index of a kind exists, where INTIDs end at a limit."""
    if kind != "irq":
        return True
    intid, source = key
    return and_(lt(intid, limit), or_(is_sgi(intid), source == 0))


def _keys_in(name: str, arguments: Key) -> Iterator[tuple[str, Key]]:
    """Read off which vCPU, CPU, list register or interrupt a function of the state is applied to."""
    if name in BANKED:
        yield "irq", (arguments[1], 0)
        return
    record, _, field = name.partition(".")
    sizes = tuple(a.size() for a in arguments)  # type: ignore[attr-defined]
    if sizes[0] == 3:
        yield "cpu" if record == "cpu" else "vcpu", arguments[:1]
    if sizes == (3, 6):
        yield "lr", arguments[1:]
        if record == "shadow":
            yield "slot", arguments
    if field == "lr_map":
        yield "irq", arguments[1:]
    if sizes == (3, 4, 3):
        yield "vcpu", arguments[2:]


def indices(intids: int = FIRST_SPECIAL_INTID) -> Indices:
    """Return what the machine is indexed by; there are INTIDs below a limit."""
    return Indices(
        widths={"vcpu": (3,), "cpu": (3,), "lr": (6,), "irq": (10, 3), "slot": (3, 6)},
        legal=partial(_legal, intids),
        keys_in=_keys_in,
        pairs={("vcpu", "lr"): "slot"},
    )


INDICES = indices()


@dataclass(frozen=True, slots=True)
class Goal:
    """That a step breaks an invariant or a property of steps.

    `parts` are the sentences that the step may break, with what they come to after it; `asked` gives the assertions
    that hold together exactly where one of some parts fails.
    """

    claim: Invariant | StepProperty
    step: str
    parts: Sequence[Part]
    asked: Callable[[Sequence[Part]], Sequence[Any]]

    @property
    def assertions(self) -> Sequence[Any]:
        """What holds together exactly where the step breaks the claim; nothing where it plainly cannot."""
        return self.asked(self.parts)

    @property
    def premises(self) -> Sequence[Any]:
        """What holds together exactly where something is claimed at all."""
        return self.asked([Part(p.sentence, p.premise, False) for p in self.parts])


START = "start"
"""The name of the step from nothing to the initial state: an induction's base."""
ALWAYS = "always"
"""The name of no step: what holds in every state of which the rest holds."""
WITNESS = "witness"
"""The name of what shows that the claims speak of something."""
INDUCTIVE = tuple(i for i in (*LEMMAS, *INVARIANTS) if not i.follows)
FOLLOWING = tuple(i for i in INVARIANTS if i.follows)


class Induction:
    """The claims on one generation, with what is assumed of the state before a step.

    `believed` are the sentences that are assumed, of all invariants; what a proof from them means is that all of them
    hold together.  It may be asked of smaller machines, with fewer INTIDs or list registers than there can be.
    """

    def __init__(
        self,
        switches: Switches,
        believed: Callable[[Invariant, Part], bool] = lambda i, p: True,
        intids: int = FIRST_SPECIAL_INTID,
        lrs: int = NR_LRS,
    ):
        self.switches = switches
        self._believed = believed
        self._indices = indices(intids)
        self._old = fresh(Machine, OLD)
        self._smaller = le(self._old.nr_lr, lrs) if lrs < NR_LRS else True
        self._domain = self._indices.domain(OLD)
        self._assumed: list[Assumed] = []
        for invariant in INDUCTIVE:
            self._assumed += assumed(self._indices, invariant.kinds, lambda *keys, i=invariant: self._says(i, keys))
        if intids < FIRST_SPECIAL_INTID:
            self._assumed += assumed(self._indices, ("vcpu", "lr"), partial(self._holds_one_of, intids))

    def _says(self, invariant: Invariant, keys: Sequence[Key]) -> Iterator[Any]:
        for part in invariant.formula(self._old, self._domain, self.switches, *keys):
            if self._believed(invariant, part):
                yield implies(part.premise, part.conclusion)

    def _holds_one_of(self, intids: int, vcpu: Key, lr: Key) -> Iterator[Any]:
        """In a smaller machine list registers hold the interrupts of it: the invariants only say, of 1,020."""
        yield lt(self._old.shadow.lr[vcpu[0], lr[0]].virtual_id, intids)

    def start(self) -> Iterator[Goal]:
        """Yield the goals of the initial state."""
        sizes = fresh(Machine, OLD)
        state = initial(sizes.nr_lr, sizes.nr_vcpus, self.switches)
        domain = self._indices.domain(START)
        base = [and_(le(1, sizes.nr_lr), le(sizes.nr_lr, NR_LRS), le(1, sizes.nr_vcpus), le(sizes.nr_vcpus, MAX_CPUS))]
        context = Context(self._indices, f"{OLD}.", base, (), (domain,), ())
        for invariant in INDUCTIVE:
            at = self._indices.arbitrary(invariant.kinds)
            parts = invariant.formula(state, domain, self.switches, *at)
            yield self._goal(invariant, START, self._kept(invariant, parts), context, at)

    def always(self) -> Iterator[Goal]:
        """Yield the goals of what follows from the rest in any one state."""
        context = Context(self._indices, f"{OLD}.", (), (), (self._domain,), self._assumed)
        for invariant in FOLLOWING:
            at = self._indices.arbitrary(invariant.kinds)
            parts = invariant.formula(self._old, self._domain, self.switches, *at)
            yield self._goal(invariant, ALWAYS, parts, context, at)

    def witnesses(self) -> Iterator[Goal]:
        """Yield, for each claim, a goal whose premises a state or a step meets of which all invariants hold."""
        context = Context(self._indices, f"{OLD}.", (), (), (self._domain,), self._assumed)
        for invariant in (*INDUCTIVE, *FOLLOWING):
            at = self._indices.arbitrary(invariant.kinds)
            parts = invariant.formula(self._old, self._domain, self.switches, *at)
            yield self._goal(invariant, WITNESS, parts, context, at)
        for step in (s for s in STEPS if any(p.shown == s.name for p in STEP_PROPERTIES)):
            for goal in self.step(step):
                claim = goal.claim
                if isinstance(claim, StepProperty) and claim is not POSSIBLE and claim.shown == step.name:
                    yield replace(goal, step=WITNESS)

    def step(self, step: Step) -> Iterator[Goal]:
        """Yield the goals of a step, with the first one asking only whether the step can be made."""
        arguments = tuple(fresh(ARGUMENTS[a], f"{step.name}.{a}") for a in step.arguments)
        domain = self._indices.domain(step.name)
        guard, new = step.run(self._old, arguments, domain, self.switches)
        given = list(_given(step, arguments))
        context = Context(
            self._indices, f"{OLD}.", [guard, self._smaller], given, (domain, self._domain), self._assumed
        )
        yield self._goal(POSSIBLE, step.name, [Part(POSSIBLE.sentence, True, False)], context, ())
        if guard is False:
            return
        for invariant in INDUCTIVE:
            at = self._indices.arbitrary(invariant.kinds)
            now = invariant.formula(new, domain, self.switches, *at)
            then = invariant.formula(self._old, self._domain, self.switches, *at)
            changed = [p for p, q in zip(now, then, strict=True) if not _alike(p, q)]
            yield self._goal(invariant, step.name, self._kept(invariant, changed), context, at)
        for prop in STEP_PROPERTIES:
            at = self._indices.arbitrary(prop.kinds)
            parts = prop.formula(self._old, new, domain, self.switches, *at)
            yield self._goal(prop, step.name, parts, context, at)

    def _kept(self, invariant: Invariant, parts: Sequence[Part]) -> list[Part]:
        return [part for part in parts if self._believed(invariant, part)]

    def _goal(
        self, claim: Invariant | StepProperty, step: str, parts: Sequence[Part], context: Context, at: Sequence[Key]
    ) -> Goal:
        def asked(some: Sequence[Part]) -> Sequence[Any]:
            goal = negated((p.premise, p.conclusion) for p in some)
            return () if goal is False else context.question(goal, claim.kinds, at)

        return Goal(claim, step, parts, asked)


def _given(step: Step, arguments: Sequence[Any]) -> Iterator[tuple[str, Key]]:
    named = dict(zip(step.arguments, arguments, strict=True))
    for name, kind in KIND_OF.items():
        if name in named:
            yield kind, (named[name],)
    if "intid" in named:
        yield "irq", (named["intid"], named.get("source", 0))
    if "vcpu" in named and "l" in named:
        yield "slot", (named["vcpu"], named["l"])


def _alike(a: Part, b: Part) -> bool:
    """A step left a sentence as it was."""
    now, then = implies(a.premise, a.conclusion), implies(b.premise, b.conclusion)
    if is_symbolic(now) and is_symbolic(then):
        return bool(z3.simplify(now).eq(z3.simplify(then)))
    return now is then


POSSIBLE = StepProperty("possible", "the step can be made", (), lambda *_: (), "", "", "")

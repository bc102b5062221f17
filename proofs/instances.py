"""Small instances of the machine, of which every state can be run: the indices that exist, and what the guest does.

Each starts where the guest has set up its distributor, which takes a run from the machine's initial state: a run that
is found in an instance, put behind that one, is a run of the machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from model.distributor import LR_EMPTY, NR_PRIVATE_IRQS
from model.generation import Switches
from model.gicd import CTLR, ICENABLER, ICFGR, ICPENDR, ISENABLER, ISPENDR, ITARGETSR, SGIR
from model.initial import initial
from model.lr import EMPTY, ListRegister
from model.machine import LAST_RANK, Exit, Irq, Machine, rank
from model.steps import STEPS, Step
from model.vm import is_sgi
from properties.machine import INVARIANTS, LEMMAS, STEP_PROPERTIES, Invariant, StepProperty
from properties.property import Part
from vgicheck.engine.domain import Finite
from vgicheck.engine.finite import Instance
from vgicheck.engine.system import System, Transition
from vgicheck.engine.values import and_, not_, or_

from .machine import INDICES
from .premise import NO_TERMS, Terms

Store = tuple[int, int, int]
"""A store of the guest: offset in the distributor, length in bytes, data."""
Made = tuple[str, tuple[Any, ...]]
"""A step that was made: its name and its arguments."""
STEP = {step.name: step for step in STEPS}
NOT_TAKEN = ("wrong_end",)
"""EOICount counts to 31 and nothing looks at it: the instances leave that out."""


@dataclass(frozen=True, slots=True)
class Size:
    """What an instance consists of.

    irqs    the interrupts, as (INTID, source); the source of all but SGIs is 0
    edges   those of them that are shared and edge-triggered
    stores  what the guest stores while it runs, after what set it up
    pinned  each vCPU stays on the CPU of its number
    """

    name: str
    vcpus: int
    cpus: int
    lrs: int
    irqs: tuple[tuple[int, int], ...]
    edges: tuple[int, ...] = ()
    stores: tuple[Store, ...] = ()
    pinned: bool = False

    @property
    def steps(self) -> Iterator[Step]:
        """The steps that are taken."""
        left_out = {*NOT_TAKEN, *(("vcpu_load", "vcpu_put") if self.pinned else ())}
        return (step for step in STEPS if step.name not in left_out)

    @property
    def domain(self) -> Finite:
        """The indices that exist."""
        vcpus, lrs = [(v,) for v in range(self.vcpus)], [(l,) for l in range(self.lrs)]
        keys: dict[str, list[tuple[int, ...]]] = {
            "vcpu": [*vcpus],
            "cpu": [(p,) for p in range(self.cpus)],
            "lr": [*lrs],
            "irq": sorted(self.irqs),
            "slot": [v + l for v in vcpus for l in lrs],
        }
        return Finite(keys, INDICES.widths)

    def arguments(self, step: Step) -> Iterator[tuple[Any, ...]]:
        """Yield what a step may be asked with."""
        named: dict[str, list[dict[str, Any]]] = {
            "vcpu": [{"vcpu": v} for v in range(self.vcpus)],
            "cpu": [{"cpu": p} for p in range(self.cpus)],
            "l": [{"l": l} for l in range(self.lrs)],
            "intid": [{"intid": i, "source": s} for i, s in self.irqs],
            "why": [{"why": w} for w in (Exit.IRQ, Exit.WFI, Exit.MMIO) if w is not Exit.MMIO or self.stores],
            "level": [{"level": level} for level in (False, True)],
            "offset": [{"offset": o, "length": n, "data": d} for o, n, d in self.stores],
        }
        for chosen in product(*(named[a] for a in step.arguments if a in named)):
            given = {name: value for part in chosen for name, value in part.items()}
            if step.name == "inject" and (
                is_sgi(given["intid"]) or (given["vcpu"] and given["intid"] >= NR_PRIVATE_IRQS)
            ):
                continue
            yield tuple(given[a] for a in step.arguments)


def sets_up(size: Size) -> Iterator[Store]:
    """Yield the stores with which the guest of an instance sets up its distributor."""
    yield CTLR, 4, 1
    for word in sorted({i // 4 for i, _ in size.irqs if i >= NR_PRIVATE_IRQS}):
        yield ITARGETSR.base + 4 * word, 4, 0x01010101
    for word in sorted({i // 16 for i in size.edges}):
        yield ICFGR.base + 4 * word, 4, sum(2 << 2 * (i % 16) for i in size.edges if i // 16 == word)
    for word in sorted({i // 32 for i, _ in size.irqs if not is_sgi(i)}):
        yield ISENABLER.base + 4 * word, 4, sum({1 << i % 32 for i, _ in size.irqs if i // 32 == word})


def retarget(intid: int, vcpu: int) -> Store:
    """Return the store that targets a shared interrupt."""
    return ITARGETSR.base + intid, 1, 1 << vcpu


def send(number: int, target: int) -> Store:
    """Return the store that sends an SGI to one vCPU."""
    return SGIR, 4, 1 << 16 + target | number


SELF: Store = (SGIR, 4, 2 << 24 | 1)
"""The store with which a vCPU sends SGI 1 to itself."""


def stored(vcpu: int, store: Store) -> list[Made]:
    """Return one turn of a vCPU's loop with an exit for a store, from the top of the loop to it, nothing pending."""
    turn = ("flush_begin", "flush_end", "enter", "leave", "sync_begin", "sync_end")
    return [*((name, (vcpu, Exit.MMIO) if name == "leave" else (vcpu,)) for name in turn), ("mmio", (vcpu, *store))]


def set_up(size: Size) -> list[Made]:
    """Return the run that takes a machine from its initial state to where an instance starts.

    The stores are those of vCPU 0: private interrupts of others stay disabled.
    """
    made: list[Made] = [("vcpu_load", (0, 0))]
    for store in sets_up(size):
        made += stored(0, store)
    return [*made, *(("vcpu_load", (v, v)) for v in range(1, size.vcpus) if size.pinned)]


def run(size: Size, switches: Switches, made: Sequence[Made]) -> Iterator[Machine]:
    """Yield the plain machines of a run, the initial one first. Raises `ValueError` for a step that cannot be made."""
    state = initial(size.lrs, size.vcpus, switches)
    yield state
    for name, arguments in made:
        guard, state = STEP[name].run(state, arguments, size.domain, switches)
        if guard is not True:
            raise ValueError(f"{name}{arguments} cannot be made")
        yield state


def parts_of(
    claim: Invariant | StepProperty, old: Machine, new: Machine, size: Size, switches: Switches
) -> Iterator[Part]:
    """Yield the sentences of a claim at all indices of an instance: of a state, or of a step from `old` to `new`."""
    domain = size.domain
    for keys in product(*(domain.keys[kind] for kind in claim.kinds)):
        if isinstance(claim, Invariant):
            yield from claim.formula(new, domain, switches, *keys)
        else:
            yield from claim.formula(old, new, domain, switches, *keys)


def fails(claim: Invariant | StepProperty, old: Machine, new: Machine, size: Size, switches: Switches) -> bool:
    """Say where a claim fails at some index of an instance."""
    return or_(*(and_(p.premise, not_(p.conclusion)) for p in parts_of(claim, old, new, size, switches)))


def meets(claim: Invariant | StepProperty, old: Machine, new: Machine, size: Size, switches: Switches) -> bool:
    """Say where a claim speaks of something at some index of an instance."""
    return or_(*(p.premise for p in parts_of(claim, old, new, size, switches)))


AT, MET = " at ", " is met"
"""What the name of a condition has behind that of a claim: by which step it fails; that something meets it."""


def system(
    size: Size,
    switches: Switches,
    wanted: Sequence[str],
    terms: Terms = NO_TERMS,
    more: Callable[[Machine], dict[str, bool]] = lambda s: {},
) -> tuple[System, Mapping[str, Made]]:
    """Return an instance as a finite system, with the step of each label.

    What must not hold is, by the id of a property or of a premise, that it fails: one that speaks of steps fails in the
    state before.  What else is asked by `terms` has the name of the claim and more behind it.  `more` are conditions on
    states that are looked for beside these.
    """
    instance: Instance[Machine] = Instance(Machine, keys(size), values(size, switches))
    domain, state = size.domain, instance.state
    *_, start = run(size, switches, set_up(size))
    steps: dict[str, Made] = {}
    transitions: list[Transition] = []
    bad: dict[str, Any] = more(state)

    def met(name: str, where: bool) -> None:
        bad[name] = or_(bad.get(name, False), where)

    invariants = [i for i in (*LEMMAS, *INVARIANTS) if i.id in wanted]
    of_steps = [c for c in STEP_PROPERTIES if c.id in wanted]
    lost = or_(*(fails(i, state, state, size, switches) for i in invariants)) if terms.apart else False
    for step in size.steps:
        for arguments in size.arguments(step):
            guard, new = step.run(state, arguments, domain, switches)
            taken = step, arguments, state, new, domain, switches
            guard = and_(guard, not_(lost), *(premise.of(*taken) for premise in terms.believed))
            if guard is False:
                continue
            label = f"{step.name}{arguments}"
            steps[label] = step.name, arguments
            transitions.append(instance.transition(label, guard, new))
            for claim in (*of_steps, *(invariants if terms.apart else ())):
                name = f"{claim.id}{AT}{step.name}" if terms.apart else claim.id
                met(name, and_(guard, fails(claim, state, new, size, switches)))
            for claim in of_steps if terms.witnessed else ():
                met(f"{claim.id}{MET}", and_(guard, meets(claim, state, new, size, switches)))
            for premise in (p for p in terms.asked if step.name in p.steps):
                met(premise.id, and_(guard, not_(premise.of(*taken))))
                if terms.witnessed:
                    met(f"{premise.id}{MET}", guard)
    for invariant in () if terms.apart else invariants:
        met(invariant.id, fails(invariant, state, state, size, switches))
        if terms.witnessed:
            met(f"{invariant.id}{MET}", meets(invariant, state, state, size, switches))
    return instance.system([start], transitions, bad), steps


def keys(size: Size) -> dict[str, list[Any]]:
    """Return the keys of each map of the machine."""
    vcpus, cpus, lrs = range(size.vcpus), range(size.cpus), range(size.lrs)
    intids = sorted({i for i, _ in size.irqs})
    shared = [i for i in intids if i >= NR_PRIVATE_IRQS] or [NR_PRIVATE_IRQS]
    sent = [(v, i, s) for i in intids if is_sgi(i) for v in vcpus for s in vcpus] or [(0, 0, 0)]
    banked = [(v, i) for i in intids for v in (vcpus if i < NR_PRIVATE_IRQS else (0,))]
    of_vcpu, of_cpu = list(vcpus), list(cpus)
    groups: dict[str, tuple[list[Any], str]] = {
        "vm": (banked, "irq_enabled irq_cfg irq_line irq_state irq_active irq_priority"),
        "thread": (of_vcpu, "phase why loaded cpu cursor overflow kick request half saw"),
        "shadow": (of_vcpu, "hcr misr"),
        "shadow.": ([(v, l) for v in vcpus for l in lrs], "lr eisr elrsr lr_used"),
        "cpu": (of_cpu, "hcr busy running live irq irq_lr irq_saw"),
        "ghost": (banked, "owed owned owner"),
    }
    found = {f"{r.rstrip('.')}.{name}": listed for r, (listed, names) in groups.items() for name in names.split()}
    return found | {
        "vm.irq_spi_cpu": shared,
        "vm.irq_spi_target": [(v, i) for v in vcpus for i in shared],
        "vm.sgi_sources": sent,
        "vm.pending_on_cpu": of_vcpu,
        "thread.word": [(v, w) for v in vcpus for w in vcpus],
        "shadow.lr_map": sorted({(v, i, s) for i, source in size.irqs for v in vcpus for s in (source, 0)}),
        "shadow.cached": [(v, i) for v in vcpus for i in intids],
        "cpu.lr": [(p, l) for p in cpus for l in lrs],
        "ghost.sgi_owed": sent,
        "ghost.missed": of_vcpu,
    }


def values(size: Size, switches: Switches) -> dict[str, Any]:
    """Return the values that each scalar of the machine may take."""
    vcpus, cpus = list(range(size.vcpus)), list(range(size.cpus))
    ranks = sorted(rank(*irq) for irq in size.irqs)
    loads = ("lrenpie", "npie", "vgrp0eie", "vgrp0die", "vgrp1eie", "vgrp1die")
    statuses = ("lrenp", "np", "vgrp0e", "vgrp0d", "vgrp1e", "vgrp1d")
    found: dict[str, Any] = {
        "nr_lr": [size.lrs],
        "nr_vcpus": [size.vcpus],
        "holder": [*vcpus, *(8 | p for p in cpus)],
        "vm.enabled": [False, True],
        "vm.irq_spi_cpu": vcpus,
        "vm.irq_priority": [0],
        "thread.why": [Exit.IRQ, Exit.WFI, Exit.MMIO],
        "thread.cpu": cpus,
        "thread.cursor": sorted({0, LAST_RANK, *(r + 1 for r in ranks), *range(size.lrs + 1)}),
        "shadow.lr_map": [*range(size.lrs), LR_EMPTY],
        "cpu.running": vcpus,
        "cpu.irq": list(Irq),
        "cpu.irq_lr": list(range(size.lrs + 1)),
        "ghost.owner": vcpus,
        "ghost.missed": sorted({0, *ranks}),
    }
    for where in ("shadow", "cpu"):
        found |= {f"{where}.lr.{name}": listed for name, listed in lr_values(size).items()}
        found |= {f"{where}.hcr.{name}": [False] for name in loads} | {f"{where}.hcr.eoicount": [0]}
    found |= {f"shadow.misr.{name}": [False] for name in statuses}
    return found


def lr_values(size: Size) -> dict[str, list[Any]]:
    """Return the values of a list register's fields."""
    found: dict[str, list[Any]] = {name: [getattr(EMPTY, name)] for name in ListRegister.__slots__}
    found |= {"state": [0, 1, 2, 3], "eoi": [False, True], "virtual_id": sorted({0, *(i for i, _ in size.irqs)})}
    return found | {"cpuid": sorted({s for _, s in size.irqs} | {0})}


SETTINGS: tuple[Store, ...] = (
    (CTLR, 4, 0),
    (CTLR, 4, 1),
    (ISENABLER.base + 4, 4, 1 << 2),
    (ICENABLER.base + 4, 4, 1 << 2),
    (ISPENDR.base + 4, 4, 1 << 2),
    (ICPENDR.base + 4, 4, 1 << 2),
    (ICFGR.base + 8, 4, 0),
    (ICFGR.base + 8, 4, 2 << 4),
)
"""Stores that set up interrupt 34 in another way."""
SMALL: tuple[Size, ...] = (
    Size("a level interrupt, one vCPU", 1, 1, 1, ((34, 0),)),
    Size("an edge, one vCPU", 1, 1, 1, ((34, 0),), edges=(34,)),
    Size("a private edge, one vCPU", 1, 1, 1, ((27, 0),)),
    Size("two level interrupts, one list register", 1, 1, 1, ((34, 0), (35, 0))),
    Size("a level interrupt, a vCPU that moves", 1, 2, 1, ((34, 0),)),
    Size("a level interrupt, two vCPUs on one CPU", 2, 1, 1, ((34, 0),)),
    Size("a level interrupt that moves, two vCPUs", 2, 2, 1, ((34, 0),), (), (retarget(34, 0), retarget(34, 1)), True),
    Size("an edge that moves, two vCPUs", 2, 2, 1, ((34, 0),), (34,), (retarget(34, 0), retarget(34, 1)), True),
    Size("an interrupt that the guest sets anew", 1, 1, 1, ((34, 0),), (), SETTINGS),
    Size("SGIs of two vCPUs, two list registers", 2, 2, 2, ((1, 0), (1, 1)), (), (send(1, 0), SELF), True),
    Size("an SGI of two vCPUs", 2, 2, 1, ((1, 0), (1, 1)), (), (send(1, 0),), True),
)
"""The instances in which a run is looked for."""
MORE: tuple[Size, ...] = (
    Size("a level interrupt, two list registers", 1, 1, 2, ((34, 0),)),
    Size("a level interrupt, two vCPUs", 2, 2, 1, ((34, 0),), pinned=True),
    Size("a level interrupt that moves once, two vCPUs", 2, 2, 1, ((34, 0),), (), (retarget(34, 1),), True),
)
"""Those which show an argument about a race."""
INSTANCE = {size.name: size for size in (*SMALL, *MORE)}
QUICK = tuple(size for size in SMALL if size.vcpus == 1)
"""Those of which every state is run in a second or two."""

"""That a level interrupt which stays high is delivered in the end: asked of every state of small machines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from model.distributor import NR_PRIVATE_IRQS
from model.generation import Switches
from model.gich import is_pending
from model.machine import Exit, Machine, Phase, exists, in_phase
from model.vm import bank_of, is_sgi, targets
from vgicheck.engine.cone import cone
from vgicheck.engine.finite import Instance
from vgicheck.engine.trap import SERVED, WAITS, Trapped, trap
from vgicheck.engine.values import and_, not_, or_

from .instances import STEP, Made, Size, keys, run, set_up, system, values
from .premise import NO_TERMS, Terms
from .runs import possible

DELIVERED = "eventually-delivered"
PLAIN = 400
"""States that are looked at in plain Python behind a run, at the most, to see that there is no way out."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What the states of a machine showed: a run after which an interrupt waits for ever, if there is one.

    `replayed` says that plain Python has seen every state behind the run.
    """

    trapped: Trapped
    made: tuple[Made, ...] | None = None
    replayed: bool = False


def waits(s: Machine, v: int, i: int) -> bool:
    """A level interrupt is high, enabled and targeted at a vCPU, in an enabled distributor."""
    key = bank_of(v, i)
    level = and_(not_(s.vm.irq_cfg[key]), s.vm.irq_line[key])
    return and_(level, s.vm.enabled, s.vm.irq_enabled[key], exists(s, v), targets(s.vm, v, i))


def served(s: Machine, v: int, i: int, size: Size) -> bool:
    """A guest can acknowledge it: that of its vCPU, or of the one to which it was queued before it was moved."""
    found = False
    for w in range(size.vcpus) if i >= NR_PRIVATE_IRQS else (v,):
        for l in range(size.lrs):
            lr = s.cpu.lr[s.thread.cpu[w], l]
            there = and_(in_phase(s, w, Phase.GUEST), s.shadow.lr_used[w, l])
            found = or_(found, and_(there, lr.virtual_id == i, is_pending(lr)))
    return found


def asked(size: Size) -> Iterator[tuple[int, int]]:
    """Yield the vCPU and the INTID of each level interrupt that may wait."""
    for i, _ in size.irqs:
        if not is_sgi(i):
            yield from ((v, i) for v in range(size.vcpus))


def fair(made: Made, intid: int) -> bool:
    """Say whether a step is not put off for ever, by which an interrupt is to be delivered.

    The guest need not exit to store something, and devices need not do anything; but lines of other interrupts fall
    in the end, or the lowest would starve the rest.
    """
    name, arguments = made
    if name == "inject":
        _, other, level = arguments
        return not level and other != intid
    return (name, *arguments[1:]) != ("leave", Exit.MMIO)


def delivery(size: Size, switches: Switches, limit: int, terms: Terms = NO_TERMS) -> Delivery:
    """Run every state of a machine, `limit` at the most, and look for one from which an interrupt waits for ever."""
    seen = Trapped(None, 0, 0)
    for v, i in asked(size):

        def conditions(s: Machine, v: int = v, i: int = i) -> dict[str, bool]:
            return {WAITS: waits(s, v, i), SERVED: served(s, v, i, size)}

        found, steps = system(size, switches, (), terms, conditions)
        here = trap(cone(found), lambda label, steps=steps, i=i: fair(steps[label], i), limit)  # type: ignore[misc]
        seen = replace(here, waiting=seen.waiting + here.waiting, states=max(seen.states, here.states))
        if here.run is not None:
            made = (*set_up(size), *(steps[label] for label in here.run))
            return Delivery(seen, made, _no_way_out(size, switches, made, v, i, terms))
        if here.ended:
            break
    return Delivery(seen)


def _no_way_out(size: Size, switches: Switches, made: Sequence[Made], v: int, i: int, terms: Terms) -> bool:
    """Say whether plain Python has seen every state behind a run by fair steps, and the interrupt waits in each.

    Raises `ValueError` where it is served in one, which is a fault in this program.
    """
    instance: Instance[Machine] = Instance(Machine, keys(size), values(size, switches))
    *_, last = run(size, switches, made)
    left: list[Machine] = [last]
    known: set[tuple[tuple[str, Any], ...]] = set()
    while left and len(known) <= PLAIN:
        state = left.pop()
        cells = tuple(instance.assignment(state).items())
        if cells in known:
            continue
        known.add(cells)
        if not waits(state, v, i) or served(state, v, i, size):
            raise ValueError(f"interrupt {i}: plain Python finds a way out of a state that was said to have none")
        plain = instance.record(dict(cells))
        for name, arguments in possible(size, plain, switches):
            if fair((name, arguments), i):
                _, new = STEP[name].run(plain, arguments, size.domain, switches)
                taken = STEP[name], arguments, plain, new, size.domain, switches
                if all(premise.of(*taken) for premise in terms.believed):
                    left.append(new)
    return not left

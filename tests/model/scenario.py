"""Runs of the whole machine in plain Python, step by step, written as one tells them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

from model.generation import REFERENCE, Switches
from model.initial import initial
from model.machine import Exit, Machine
from proofs.instances import STEP, Made, Size, Store, keys, set_up
from vgicheck.engine.maps import Map


class Scenario:
    """A machine and the steps that it made.

    It starts from the machine's initial state; `setting_up` first has the guest set up its distributor.
    """

    def __init__(self, size: Size, switches: Switches = REFERENCE, setting_up: bool = True):
        self.size, self.switches = size, switches
        self.state = initial(size.lrs, size.vcpus, switches)
        self.made: list[Made] = []
        for name, arguments in set_up(size) if setting_up else ():
            self.make(name, *arguments)

    def can(self, name: str, *arguments: Any) -> bool:
        """Say whether a step can be made now."""
        guard, _ = STEP[name].run(self.state, arguments, self.size.domain, self.switches)
        assert isinstance(guard, bool)
        return guard

    def make(self, name: str, *arguments: Any) -> Machine:
        """Make a step, which must be possible, and return the machine after it."""
        guard, new = STEP[name].run(self.state, arguments, self.size.domain, self.switches)
        assert guard is True, f"{name}{arguments} cannot be made"
        self.state = tabulated(new, self.size)
        self.made.append((name, arguments))
        return self.state

    def flush(self, vcpu: int, *irqs: tuple[int, int]) -> Machine:
        """Run a flush that takes up these interrupts, (INTID, source), in this order and no others."""
        self.make("flush_begin", vcpu)
        for irq in irqs:
            self.make("flush_irq", vcpu, *irq)
        return self.make("flush_end", vcpu)

    def sync(self, vcpu: int, *lrs: int) -> Machine:
        """Run a sync that frees these list registers and no others, and the end of the turn for an interrupt."""
        self.make("sync_begin", vcpu)
        for l in lrs:
            self.make("sync_lr", vcpu, l)
        return self.make("sync_end", vcpu)

    def enter(self, vcpu: int, *irqs: tuple[int, int]) -> Machine:
        """Flush and enter the guest."""
        self.flush(vcpu, *irqs)
        return self.make("enter", vcpu)

    def leave(self, vcpu: int, *lrs: int) -> Machine:
        """Leave the guest for an interrupt of the host, sync and come to the top of the loop again."""
        self.make("leave", vcpu, Exit.IRQ)
        self.sync(vcpu, *lrs)
        return self.make("resume", vcpu)

    def serve(self, vcpu: int, l: int) -> Machine:
        """Let the guest acknowledge and end what is in a list register."""
        self.make("acknowledge", vcpu, l)
        return self.make("end_of_interrupt", vcpu, l)

    def store(self, vcpu: int, store: Store, *lrs: int) -> Machine:
        """Let the guest, which runs, store to the distributor; the sync frees these list registers."""
        self.make("leave", vcpu, Exit.MMIO)
        self.sync(vcpu, *lrs)
        return self.make("mmio", vcpu, *store)


def tabulated(s: Machine, size: Size) -> Machine:
    """Return the machine with what its maps hold at the keys of an instance written out.

    A map keeps every write that was made to it: after many steps a read would walk a long way.  Other keys are as the
    initial machine has them.
    """
    return _tabulated(s, initial(size.lrs, size.vcpus, REFERENCE), keys(size), "")  # type: ignore[no-any-return]


def _tabulated(value: Any, first: Any, known: dict[str, list[Any]], path: str) -> Any:
    if isinstance(value, Map):
        return _listed(value, first, known[path])
    if not is_dataclass(value) or path.count(".") > 1:
        return value
    inner = {
        f.name: _tabulated(getattr(value, f.name), getattr(first, f.name), known, f"{path}.{f.name}".lstrip("."))
        for f in fields(value)
    }
    return replace(value, **inner)  # type: ignore[type-var]


def _listed(map_: Map[Any], first: Map[Any], listed: Sequence[Any]) -> Map[Any]:
    cells = {key if isinstance(key, tuple) else (key,): map_[key] for key in listed}
    return Map(lambda key: cells[key] if key in cells else first[key])

"""Which functions of the kernel run at the same time: what keeps two of them apart, as a premise.

A function is a set of steps of the machine, and is under way on a CPU from its first step to its last.  What is one
step in the machine, because it is made under the lock, overlaps by coming in the middle of another.  A kick that is
under way arrives whenever it likes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import combinations_with_replacement
from typing import Any

from model.generation import Switches
from model.machine import Irq, Machine, Phase, exists, in_phase
from vgicheck.engine.domain import Domain
from vgicheck.engine.values import and_, not_, same

from .premise import Premise

UnderWay = Callable[[Machine, int], bool]


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the kernel: its steps, and where it is under way, on behalf of a vCPU or of a physical CPU.

    `of` is the kind of index that `under_way` speaks of; a function of one step is under way nowhere.
    """

    name: str
    steps: tuple[str, ...]
    of: str = ""
    under_way: UnderWay = lambda s, index: False
    also: tuple[str, ...] = ()
    """Its other names: in other versions, or of functions that are part of it."""

    @property
    def names(self) -> tuple[str, ...]:
        """All its names."""
        return self.name, *self.also


def _thread(*phases: Phase) -> UnderWay:
    return lambda s, v: and_(exists(s, v), in_phase(s, v, *phases))


def _blocking(s: Machine, v: int) -> bool:
    return and_(exists(s, v), in_phase(s, v, Phase.SYNCED), s.thread.half[v])


FUNCTIONS: tuple[Function, ...] = (
    Function(
        "__kvm_vgic_sync_to_cpu",
        ("flush_begin", "flush_irq", "flush_pass", "flush_end"),
        "vcpu",
        _thread(Phase.FLUSH),
        ("kvm_vgic_sync_to_cpu", "kvm_vgic_flush_hwstate", "__kvm_vgic_flush_hwstate", "vgic_queue_irq"),
    ),
    Function("kvm_arch_vcpu_ioctl_run", ("enter", "turn_back"), "vcpu", _thread(Phase.FLUSHED)),
    Function(
        "__kvm_vgic_sync_from_cpu",
        ("sync_begin", "sync_lr", "sync_rearm", "sync_end", "sync_store"),
        "vcpu",
        _thread(Phase.SYNC),
        ("kvm_vgic_sync_from_cpu", "kvm_vgic_sync_hwstate", "__kvm_vgic_sync_hwstate", "vgic_process_maintenance"),
    ),
    Function(
        "vgic_maintenance_handler",
        ("irq_enter", "irq_lock", "irq_lr", "irq_rearm", "irq_exit"),
        "cpu",
        lambda s, p: s.cpu.irq[p] != Irq.NONE,
    ),
    Function("kvm_vcpu_block", ("block", "doze"), "vcpu", _blocking, ("kvm_arch_vcpu_runnable",)),
    Function("kvm_vgic_inject_irq", ("inject",), also=("vgic_update_irq_state", "vgic_kick_vcpus")),
    Function("vgic_handle_mmio", ("mmio",), also=("vgic_dispatch_sgi", "vgic_set_target_reg")),
)
FUNCTION = {name: function for function in FUNCTIONS for name in function.names}
"""Functions by all their names."""


def apart(together: frozenset[Function] = frozenset()) -> tuple[Premise, ...]:
    """Return the premises that no two functions overlap, but those that may: two, or one with itself on another CPU."""
    pairs = combinations_with_replacement(FUNCTIONS, 2)
    return tuple(premise for pair in pairs if set(pair) != together for premise in _apart(*pair))


def _apart(one: Function, two: Function) -> Iterator[Premise]:
    for still, makes in ((one, two),) if one is two else ((one, two), (two, one)):
        if still.of:
            sentence = f"{makes.name} makes no step while {still.name} is under way"
            yield Premise(
                f"{makes.name} apart from {still.name}",
                sentence,
                makes.steps,
                partial(_stays_out, still, makes is still),
            )


def _stays_out(
    still: Function, itself: bool, old: Machine, new: Machine, domain: Domain, switches: Switches, **arguments: Any
) -> bool:
    """Say whether a function is not under way; with `itself`, not elsewhere than where the step is made."""

    def elsewhere(key: tuple[int, ...]) -> bool:
        (index,) = key
        own = same(index, arguments[still.of]) if itself else False
        return and_(still.under_way(old, index), not_(own))

    return not_(domain.exists(f"{still.name} under way", still.of, elsewhere))

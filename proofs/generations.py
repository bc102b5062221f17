"""The generations of the kernel against which C is judged, put together from their bindings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from vgicheck.c.binding import Bound
from vgicheck.c.source import Stub, Unit
from vgicheck.c.stubs import linux
from vgicheck.engine.portfolio import Portfolio
from vgicheck.engine.verdict import Obligation

from .bindings import kvm_2012
from .obligations import Job, judge_function, names


@dataclass(frozen=True, slots=True)
class Generation:
    """What the kernel around a patch is taken to be, given by a binding.

    `functions` are those that are bound; `names(f)` lists what is claimed of a function, and
    `judge(unit, f, size, tell, portfolio)` judges it.  `sizes` are the values of the macro `size_macro` that are
    tried, `partial_claims` what is claimed of functions that only a tree shows.
    """

    name: str
    stubs: tuple[Stub, ...]
    entries: Stub
    functions: tuple[str, ...]
    names: Callable[[str], Sequence[str]]
    judge: Callable[[Unit, str, int, bool, Portfolio], Iterator[Obligation]]
    bounds: Callable[[str, Sequence[int]], str]
    size_macro: str
    sizes: tuple[int, ...]
    partial_claims: Mapping[str, str]


BOUNDS = {
    "vgic_maintenance_handler": "nr_lr 1..64, vCPUs 1..8, INTID {irqs}",
    "kvm_vgic_vcpu_init": "GICH_VTR any, vCPUs 1..8, INTID {irqs}",
    "kvm_vgic_init": "INTID {irqs}",
}


def october_2012() -> Generation:
    """Return the kernel of October 2012, as the mailed patch finds it."""
    stubs: tuple[Stub, ...] = (linux(), *kvm_2012.stubs())
    entries = kvm_2012.entries()
    ours = frozenset(s.name for s in (*stubs, entries))

    def judge(unit: Unit, function: str, size: int, tell: bool, portfolio: Portfolio) -> Iterator[Obligation]:
        target = kvm_2012.bound(size)[function]
        return judge_function(Job(unit.program, target, size, ours, portfolio, names(function, target), tell))

    def bounds(function: str, sizes: Sequence[int]) -> str:
        irqs = " and ".join(f"0..{min(size, 1020) - 1}" for size in sizes)
        return BOUNDS.get(function, "").format(irqs=irqs)

    bound = kvm_2012.bound(kvm_2012.SIZES[0])
    return Generation(
        name="2012-10",
        stubs=stubs,
        entries=entries,
        functions=tuple(bound),
        names=partial(_names, bound),
        judge=judge,
        bounds=bounds,
        size_macro="VGIC_NR_IRQS",
        sizes=kvm_2012.SIZES,
        partial_claims={"init_hyp_mode": "hyp-init-not-fatal", "kvm_dev_ioctl_check_extension": "hyp-init-not-fatal"},
    )


def _names(bound: dict[str, Bound], function: str) -> Sequence[str]:
    return names(function, bound[function]) if function in bound else ()

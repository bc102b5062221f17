"""The obligations of a bound C function, and how each is judged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from itertools import combinations
from typing import Any

from model.generation import OCTOBER_2012, REFERENCE, V3_10, Switches
from model.gich import FIRST_SPECIAL_INTID
from properties.property import At
from vgicheck.c.binding import Bound
from vgicheck.c.ir import Limit, Program, Unsupported
from vgicheck.c.judge import CODE, Judge
from vgicheck.engine.portfolio import Portfolio
from vgicheck.engine.values import fresh, lt
from vgicheck.engine.verdict import Location, Obligation, Verdict

from .bindings import flush
from .claims import claimed_of

REFINES = "refines-model"
SWITCHES: dict[str, tuple[str, ...]] = {
    "vgic_maintenance_handler": ("handler_", "irq_rearms"),
    "__kvm_vgic_sync_from_cpu": ("sync_processes_eisr", "irq_rearms"),
    "__kvm_vgic_sync_hwstate": ("sync_processes_eisr", "irq_rearms"),
    "vgic_process_maintenance": ("irq_rearms",),
    "vgic_queue_irq": ("marks_every_irq", "map_by_source", "queue_finds_", "requeue_"),
    **dict.fromkeys(flush.NAMES, ("queue_clears_", "queue_private_", "marks_every_irq", "flush_retires")),
    "vgic_update_irq_state": ("inject_skips_active", "lowering_"),
    "kvm_vgic_inject_irq": ("inject_skips_active", "lowering_"),
    "kvm_vgic_inject_irq, recomputing": ("inject_recomputes",),
    "vgic_kick_vcpus": (),
    "vgic_update_state": (),
    "compute_pending_for_cpu": (),
    "kvm_vgic_vcpu_init": ("lr_count_", "vcpu_id_", "vmcr_"),
    "kvm_vgic_hyp_init": ("hyp_",),
    "kvm_vgic_init": ("init_", "addresses_", "targets_"),
    "kvm_vgic_set_addr": ("addresses_", "set_addr_"),
    "vgic_handle_mmio": ("mmio_", "line_apart"),
    "vgic_dispatch_sgi": ("mmio_sgi_list", "mmio_sgi_reserved_"),
    "GICD": ("mmio_sgi_sources",),
    "GICD_CTLR": ("mmio_lanes",),
    "GICD_IGROUPR": ("mmio_lanes",),
    "GICD_ISENABLER": ("mmio_lanes",),
    "GICD_ICENABLER": ("mmio_lanes", "disabling_retires"),
    "GICD_ISPENDR": ("mmio_lanes", "mmio_sgi_pending_"),
    "GICD_ICPENDR": ("mmio_lanes", "mmio_sgi_pending_"),
    "GICD_IPRIORITYR": ("mmio_lanes", "mmio_priority_"),
    "GICD_ITARGETSR": ("mmio_lanes", "mmio_targets_"),
    "GICD_ICFGR": ("mmio_lanes", "mmio_cfg_", "line_apart"),
    "GICD_SGIR": ("mmio_lanes", "mmio_sgi_list", "mmio_sgi_reserved_", "mmio_sgi_whole_"),
}
"""Which switches of the model speak of which function, or handler of which registers, by the start of their names."""
NOT_THE_REFERENCE = (
    "__kvm_vgic_sync_from_cpu",
    "__kvm_vgic_sync_hwstate",
    *flush.NAMES,
    "vgic_process_maintenance",
    "vgic_update_irq_state",
    "kvm_vgic_inject_irq",
    "kvm_vgic_inject_irq, recomputing",
    "vgic_kick_vcpus",
    "vgic_update_state",
    "compute_pending_for_cpu",
)
"""What the reference does otherwise than by switches of these functions' models."""


@dataclass(frozen=True, slots=True)
class Job:
    """One function of one unit, built for so many interrupts, and the properties of it that are wanted."""

    program: Program
    bound: Bound
    nr_irqs: int
    ours: frozenset[str]
    portfolio: Portfolio
    wanted: Sequence[str]
    tell: bool = True


def names(function: str, bound: Bound) -> list[str]:
    """List the properties that are claimed of a bound function, in the order of the table."""
    return [*CODE, *of_the_model(function, bound)]


def of_the_model(function: str, bound: Bound) -> list[str]:
    """List those that speak of the model's state."""
    return [*(p.id for p in claimed_of(function)), *([REFINES] if bound.transition is not None else [])]


def judge_function(job: Job) -> Iterator[Obligation]:
    """Judge every obligation of a function; what it uses that is not understood is the verdict of all of them."""
    function = job.bound.function
    at = fresh(At, "at")
    judge = Judge(
        job.program,
        job.bound,
        at,
        lt(at.intid, min(job.nr_irqs, FIRST_SPECIAL_INTID)),
        at.lr,
        job.ours,
        frozenset(p.id for p in claimed_of(function)),
        job.portfolio,
        tell=job.tell,
    )
    try:
        judge.summarise()
    except Unsupported as cause:
        yield from (unsupported(function, name, cause) for name in job.wanted)
        return
    yield from _judged(judge, job)


def _judged(judge: Judge, job: Job) -> Iterator[Obligation]:
    function = job.bound.function
    claimed = {p.id: p for p in claimed_of(function)}
    for name in job.wanted:
        if name in CODE:
            yield _guarded(function, name, lambda name=name: judge.code(name))
        elif name in claimed:
            p = claimed[name]
            yield _guarded(function, name, lambda p=p: judge.property(p.id, p.formula, p.repeated))
        else:
            yield _guarded(function, name, lambda: _refines(judge, job))


def _guarded(function: str, name: str, judged: Any) -> Obligation:
    try:
        return judged()  # type: ignore[no-any-return]
    except Unsupported as cause:
        return unsupported(function, name, cause)


def unsupported(function: str, name: str, cause: Unsupported) -> Obligation:
    """Return the obligation of which something was not understood, or for which a limit was reached."""
    where = Location(cause.loc.file, cause.loc.line) if cause.loc else None
    verdict = Verdict.UNKNOWN if isinstance(cause, Limit) else Verdict.UNSUPPORTED
    return Obligation(name, function, verdict, reason=cause.construct, location=where)


def _refines(judge: Judge, job: Job) -> Obligation:
    """Look for the choices of the model that the function makes, in the order of `candidates`.

    A candidate that a counterexample to an earlier one refutes is not asked about again.  Of those that were asked
    about, the one is told that does what the function does in most of the counterexamples.
    """
    tried: list[Switches] = []
    refuted: list[Any] = []
    transition = job.bound.transition
    assert transition is not None
    subject = job.bound.like or job.bound.function
    for switches in candidates(subject):
        if any(not judge.agrees(transition, switches, counterexample) for counterexample in refuted):
            continue
        obligation, counterexample = judge.refines(_with(transition, switches))
        if obligation.verdict is Verdict.PROVED:
            obligation.method += f", equal to the model of {described(switches, subject)}"
            return obligation
        if obligation.verdict is not Verdict.REFUTED:
            return obligation
        refuted.append(counterexample)
        tried.append(switches)
    nearest = max(tried, key=lambda s: sum(judge.agrees(transition, s, c) for c in refuted))
    found, _ = judge.refines(_with(transition, nearest), anywhere=False)
    return replace(found, reason=f"{found.reason} (nearest: {described(nearest, subject)})")


def _with(transition: Any, switches: Switches) -> Any:
    return lambda state: transition(state, switches)


def candidates(function: str) -> Sequence[Switches]:
    """List the choices that concern a function: those of October 2012, the reference, also without lines that are kept
    apart, and v3.10, then others.

    Where October 2012 is least likely, or takes long to be refuted, it comes last.
    """
    prefixes = SWITCHES[function]
    without_lines = replace(REFERENCE, line_apart=False)
    free = [f.name for f in fields(Switches) if f.name.startswith(prefixes)]
    chosen = [OCTOBER_2012, V3_10] if function in NOT_THE_REFERENCE else [OCTOBER_2012, REFERENCE, without_lines, V3_10]
    if function.startswith("GICD_") or function == "__kvm_vgic_flush_hwstate":
        chosen.reverse()
    for count in range(1, len(free) + 1):
        chosen += [replace(OCTOBER_2012, **dict.fromkeys(on, True)) for on in combinations(free, count)]
    known: dict[tuple[bool, ...], Switches] = {}
    for switches in chosen:
        known.setdefault(tuple(getattr(switches, name) for name in free), switches)
    return tuple(known.values())


def described(switches: Switches, function: str) -> str:
    """Name a set of choices by what it adds to the October 2012 code."""
    if switches == OCTOBER_2012:
        return "2012-10"
    if switches == REFERENCE:
        return "reference"
    on = [f.name for f in fields(Switches) if getattr(switches, f.name) and f.name.startswith(SWITCHES[function])]
    return f"2012-10 with {', '.join(on)}"

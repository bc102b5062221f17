"""The model's own obligations: every property, claimed of the model's transitions for a set of switches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import cache, partial
from typing import Any, get_type_hints

import z3

from model.distributor import MAX_CPUS, NR_LRS, VgicCpu
from model.generation import GENERATIONS, Switches
from model.gich import FIRST_SPECIAL_INTID
from model.handler import HandlerState, vgic_maintenance_handler
from model.hardware import TRANSITIONS
from model.init import (
    HypInitState,
    VcpuInitState,
    VmInitState,
    init_hyp_mode,
    kvm_vgic_hyp_init,
    kvm_vgic_init,
    kvm_vgic_vcpu_init,
)
from model.mmio import MmioState, vgic_handle_mmio
from model.set_addr import SetAddrState, kvm_vgic_set_addr
from properties.cpu_interface import CPU_INTERFACE
from properties.handler import HANDLER
from properties.hardware import HARDWARE
from properties.init import INIT
from properties.init_errors import INIT_ERRORS
from properties.mmio import MMIO
from properties.property import At, Property
from properties.set_addr import SET_ADDR
from properties.vmcr import VMCR
from vgicheck.engine.judge import judge
from vgicheck.engine.maps import Map, MapOf
from vgicheck.engine.portfolio import Portfolio
from vgicheck.engine.tasks import Task
from vgicheck.engine.values import all_of, and_, field_of, fresh, is_symbolic, le, lt, not_, or_, same
from vgicheck.engine.verdict import Assumption, Change, Nearest, Obligation, Run, Value, Verdict

from .changes import by_size, changed, free, watched

METHOD = "model's transition, goal at arbitrary indices"
NR_IRQS = 1024


@dataclass(frozen=True, slots=True)
class Transition:
    """A transition of the model: the type of its state, what it does, and what is assumed of the state."""

    name: str
    subject: str
    state: type
    step: Callable[[Any, Switches], Any]
    assume: Callable[[Any], Sequence[tuple[bool, Assumption | None]]]
    bounds: str
    start: str = "from an arbitrary state; that the machine reaches it is not shown"


BOOT = "from any host, device tree and failure"
"""What initialisation starts from."""


def _nothing(old: Any) -> Sequence[tuple[bool, Assumption | None]]:
    return ()


def _cpu(cpu: VgicCpu) -> list[tuple[bool, Assumption | None]]:
    def legal(l: int) -> bool:
        return and_(not_(cpu.lr[l].hw), lt(cpu.lr[l].virtual_id, FIRST_SPECIAL_INTID))

    return [
        (and_(le(1, cpu.nr_lr), le(cpu.nr_lr, NR_LRS)), Assumption("nr_lr is 1..64", "kvm_vgic_vcpu_init")),
        (
            all_of(range(NR_LRS), legal),
            Assumption("a list register names an interrupt below 1020 and has HW clear", "vgic_queue_irq"),
        ),
    ]


def _handler(old: HandlerState) -> Sequence[tuple[bool, Assumption | None]]:
    return [
        *_cpu(old.cpu),
        (lt(old.vcpu_id, MAX_CPUS), Assumption("vcpu_id has a bank", "kvm_vgic_vcpu_init")),
        (same(old.hw.nr_lr, old.cpu.nr_lr), Assumption("nr_lr is that of this CPU", "kvm_vgic_vcpu_init")),
    ]


def _small(*books: str) -> Callable[[Any], Sequence[tuple[bool, Assumption | None]]]:
    """Books hold no absurd numbers, errors are negative."""

    def assume(old: Any) -> Sequence[tuple[bool, Assumption | None]]:
        small = [(lt(getattr(old, name), 1000), None) for name in books]
        errors = [(_error(getattr(old, f.name)), None) for f in fields(old) if f.name.endswith("_failure")]
        return [*small, *errors]

    return assume


def _error(value: Any) -> bool:
    return or_(value == 0, le((1 << 32) - 4095, value & 0xFFFFFFFF))


def _vm_init(s: VmInitState, switches: Switches) -> VmInitState:
    return kvm_vgic_init(s, switches, NR_IRQS)


def _mmio(s: MmioState) -> Sequence[tuple[bool, Assumption | None]]:
    whole_words = and_(field_of(s.nr_irqs, 4, 0) == 0, le(32, s.nr_irqs), le(s.nr_irqs, 1024))
    return [
        (and_(lt(s.vcpu, s.nr_cpus), le(s.nr_cpus, MAX_CPUS)), Assumption("the vCPU exists", "KVM_CREATE_VCPU")),
        (whole_words, Assumption("the number of interrupts is a multiple of 32", "VGIC_NR_IRQS")),
    ]


BOOKS = ("node_refs", "irq_requests", "iomaps", "hyp_maps", "notifiers")
SOFTWARE = (
    Transition(
        "vgic_maintenance_handler",
        "handler",
        HandlerState,
        vgic_maintenance_handler,
        _handler,
        "nr_lr 1..64, vCPUs 1..8, INTID 0..1019",
    ),
    Transition(
        "kvm_vgic_vcpu_init",
        "vcpu_init",
        VcpuInitState,
        kvm_vgic_vcpu_init,
        _nothing,
        "GICH_VTR any, INTID 0..1019",
        BOOT,
    ),
    Transition("kvm_vgic_hyp_init", "hyp_init", HypInitState, kvm_vgic_hyp_init, _small(*BOOKS), "CPUs 1..8", BOOT),
    Transition("init_hyp_mode", "init_hyp_mode", HypInitState, init_hyp_mode, _small(*BOOKS), "CPUs 1..8", BOOT),
    Transition("kvm_vgic_init", "vm_init", VmInitState, _vm_init, _small("guest_maps"), "INTID 0..1019", BOOT),
    Transition("kvm_vgic_set_addr", "set_addr", SetAddrState, kvm_vgic_set_addr, _nothing, "every address", BOOT),
    Transition(
        "vgic_handle_mmio",
        "mmio",
        MmioState,
        vgic_handle_mmio,
        _mmio,
        "every access, vCPUs 1..8, interrupts 32..1024, INTID 0..1019",
    ),
)


def _hardware(step: Callable[[Any], Any], old: Any, switches: Switches) -> Any:
    return step(old)


TABLE: tuple[Transition, ...] = (
    *SOFTWARE,
    *(
        Transition(name, name, state, partial(_hardware, step), _nothing, "nr_lr 1..64, every word")
        for name, (state, step) in TRANSITIONS.items()
    ),
)
PROPERTIES: tuple[Property, ...] = (*HANDLER, *INIT, *INIT_ERRORS, *SET_ADDR, *MMIO, *HARDWARE, *VMCR, *CPU_INTERFACE)

IDS = tuple(p.id for p in PROPERTIES)


def claims(names: Sequence[str] = ()) -> list[tuple[Transition, Property]]:
    """List what is claimed, of all properties or of those named."""
    return [(t, p) for t in TABLE for p in PROPERTIES if p.subject == t.subject and (not names or p.id in names)]


def tasks(names: Sequence[str], generation: str, portfolio: Portfolio) -> list[Task]:
    """Return the obligations of a generation, each a task of its own."""
    switches = GENERATIONS[generation]
    shared = cache(partial(taken, switches=switches))

    def run(claim: tuple[Transition, Property]) -> list[Obligation]:
        found = prove(claim, switches, portfolio, shared(claim[0]))
        if found.verdict is Verdict.REFUTED:
            found.nearest = _nearest(claim, switches, portfolio)
        return [found]

    return [
        Task(
            ("prove", generation, t.name, p.id),
            ((p.id, t.name),),
            partial(run, (t, p)),
            partial(shared, t),
        )
        for t, p in claims(names)
    ]


@dataclass(frozen=True, slots=True)
class Step:
    """A transition, taken from an arbitrary state: `facts` are what is assumed of `old`."""

    old: Any
    new: Any
    facts: Sequence[tuple[bool, Assumption | None]]


def taken(transition: Transition, switches: Switches) -> Step:
    """Take a transition from an arbitrary state."""
    old = fresh(transition.state, "old")
    return Step(old, transition.step(old, switches), transition.assume(old))


def prove(
    claim: tuple[Transition, Property], switches: Switches, portfolio: Portfolio, once: Step | None = None
) -> Obligation:
    """Judge one property of one transition; `once` is that transition taken, where it is at hand."""
    transition, prop = claim
    at = fresh(At, "at")

    def step(state: Any) -> Any:
        return transition.step(state, switches)

    once = once or taken(transition, switches)
    old = once.old
    start, new = (once.new, step(once.new)) if prop.repeated else (old, once.new)
    assumptions = [lt(at.intid, FIRST_SPECIAL_INTID), *(fact for fact, _ in once.facts)]
    finding = judge(prop.formula(start, new, at), assumptions, portfolio, split=at.lr)
    obligation = Obligation(
        prop.id,
        transition.name,
        finding.verdict,
        method=METHOD,
        bounds=transition.bounds,
        assumptions=tuple(a for _, a in once.facts if a is not None),
        solvers=finding.solvers,
        seconds=finding.seconds,
        reason=finding.reason,
        queries=finding.queries,
        cached=finding.cached,
    )
    if finding.verdict is Verdict.REFUTED:
        _replay(obligation, finding.model, step, prop, old, at, transition.start)
    return obligation


def _nearest(claim: tuple[Transition, Property], switches: Switches, portfolio: Portfolio) -> Nearest | None:
    """Return the smallest change of the switches that a transition reads with which its property is proved."""
    seen, read = watched(switches)
    taken(claim[0], seen)
    for names in filter(None, by_size(free(switches, read))):
        if prove(claim, changed(switches, names), portfolio).verdict is Verdict.PROVED:
            return Nearest(names, Verdict.PROVED)
    return None


def _replay(
    obligation: Obligation, model: Any, step: Callable[[Any], Any], prop: Property, old: Any, at: At, start: str
) -> None:
    """Run the transition on plain numbers; a counterexample that does not fail there is no refutation."""
    first, where = plain(old, model), plain(at, model)
    if prop.repeated:
        first = step(first)
    end = step(first)
    failing = [p for p in prop.formula(first, end, where) if p.premise is True and p.conclusion is False]
    if not failing:
        obligation.verdict = Verdict.UNKNOWN
        obligation.reason = "the solver's counterexample does not fail in plain Python"
        return
    before, after = dict(_cells(first, where)), dict(_cells(end, where))
    obligation.reason = failing[0].sentence
    obligation.run = Run(
        violated=failing[0].sentence,
        inputs=tuple(Value(name, str(value)) for name, value in before.items() if value),
        indices=tuple(Value(f.name, str(getattr(where, f.name))) for f in fields(where)),
        changes=tuple(
            Change(name, str(value), str(after[name]), matters=True)
            for name, value in before.items()
            if name in after and after[name] != value
        ),
        fault=None,
        path=(),
        returned=True,
        replayed=("python",),
        start=start,
    )


def plain(value: Any, model: Any) -> Any:
    """Return a value as the model of a solver has it, in plain Python."""
    if isinstance(value, Map):
        return Map(lambda key: plain(value[key], model))
    if is_dataclass(value):
        hints = get_type_hints(type(value), include_extras=True)
        kind: Any = type(value)
        return kind(*(_plain_field(getattr(value, f.name), hints[f.name], model) for f in fields(value)))
    if not is_symbolic(value):
        return value
    number = model.eval(value, model_completion=True)
    return bool(z3.is_true(number)) if z3.is_bool(number) else number.as_long()


def _plain_field(value: Any, hint: Any, model: Any) -> Any:
    found = plain(value, model)
    signed = any(getattr(extra, "signed", False) for extra in getattr(hint, "__metadata__", ()))
    return found - (1 << 32) if signed and found >> 31 else found


def _cells(state: Any, at: At, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the scalars of a plain state, maps at the arbitrary indices only."""
    hints = get_type_hints(type(state), include_extras=True)
    for f in fields(state):
        value, name = getattr(state, f.name), f"{path}{f.name}"
        if isinstance(value, Map):
            shape = next(e for e in hints[f.name].__metadata__ if isinstance(e, MapOf))
            key = at.key(shape.keys)
            found = value[key]
            label = f"{name}[{', '.join(str(k) for k in key)}]"
            if is_dataclass(found):
                yield from _cells(found, at, f"{label}.")
            else:
                yield label, found
        elif is_dataclass(value):
            yield from _cells(value, at, f"{name}.")
        else:
            yield name, value

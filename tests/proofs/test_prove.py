"""The model's own obligations: which are proved, what each generation and switch breaks, what a refutation is worth."""

from __future__ import annotations

import re
from dataclasses import fields, is_dataclass, replace
from functools import cache
from typing import Any, get_type_hints

import pytest

from model.generation import GENERATIONS, NOT_NEEDED, OCTOBER_2012, REFERENCE, Switches
from proofs.model import PROPERTIES, Step, Transition, claims, prove, taken
from proofs.obligations import SWITCHES
from properties.property import At, Part, Property
from tests.proofs import test_switches
from vgicheck.engine.maps import Map, MapOf
from vgicheck.engine.portfolio import Portfolio
from vgicheck.engine.values import fresh, is_symbolic, lt
from vgicheck.engine.verdict import Obligation, Run, Verdict

PORTFOLIO = Portfolio(120.0)
CLAIMS = claims()
BY_ID = {prop.id: (transition, prop) for transition, prop in CLAIMS}

BROKEN_IN_2012 = {
    "eoi-frees-lr": "the list register is reported empty to the sync",
    "handler-without-vcpu": "the maintenance line does not stay asserted",
    "handler-right-vcpu": "another vCPU's list registers are left alone",
    "vcpu-init-lr-count": "nr_lr is VTR.ListRegs + 1",
    "vcpu-init-clean": "GICH_VMCR is as after reset, but for the priority mask",
    "hyp-init-unwinds": "a failing probe does not keep a reference on the device node",
    "hyp-init-no-dangling": "a failing probe leaves no pointer to GICH",
    "maintenance-on-every-cpu": "a notifier enables it on a CPU that comes online later",
    "vm-init-leaves-no-trace": "irqchip_in_kernel is unchanged",
    "vm-address-parameterised": "the guest sees the distributor where the VMM put it",
    "targets-before-vcpus": "and is in the target map of vCPU 0, which does not exist yet",
    "vm-init-needs-probe": "without a VGIC in the host there is none for a VM",
    "vm-maps-only-gicv": "what the guest is given starts at a page",
    "vm-init-refuses": "no VGIC in the host is -ENODEV",
    "vcpu-init-has-bank": "a vCPU without a bank is refused with -EBUSY",
    "vm-address-set-once": "an address that is right is taken",
    "mmio-lanes": "a store leaves a priority in a byte that it does not address",
    "mmio-banked": "no other vCPU's priorities change",
    "mmio-set-clear": "the set register reads the pending bit",
    "mmio-one-byte-one-irq": "a store elsewhere leaves a shared interrupt's configuration",
    "mmio-fixed-bits": "an access to the page is answered",
    "mmio-one-target": "a target exists",
    "sgir-filter": "filter 0 reaches the vCPUs in the list",
    "mmio-write-noticed": "what can be delivered, and could not or to another vCPU, is noticed",
}
"""What the mailed patch does not keep, and the first sentence of each that fails."""

BROKEN_BY_SWITCH = {
    "handler_quiesces": {"handler-without-vcpu", "handler-right-vcpu"},
    "handler_reports_empty": {"eoi-frees-lr"},
    "lr_count_six_bits": {"vcpu-init-lr-count"},
    "vmcr_reset": {"vcpu-init-clean"},
    "vmcr_masked": {"vcpu-init-frame"},
    "hyp_puts_node": {"hyp-init-unwinds"},
    "hyp_forgets": {"hyp-init-no-dangling"},
    "hyp_hotplug": {"maintenance-on-every-cpu"},
    "init_needs_probe": {"vm-init-needs-probe", "vm-init-refuses"},
    "init_publishes_last": {"vm-init-leaves-no-trace"},
    "init_checks_gicv": {"vm-maps-only-gicv", "vm-init-refuses"},
    "addresses_from_vmm": {"vm-address-parameterised", "vm-init-refuses", "vm-address-set-once"},
    "set_addr_overlap": {"vm-address-set-once"},
    "set_addr_whole_region": {"vm-address-set-once"},
    "vcpu_id_checked": {"vcpu-init-has-bank"},
    "init_exists_first": {"vm-init-refuses"},
    "targets_every_vcpu": {"targets-before-vcpus"},
    "line_apart": {"mmio-set-clear", "mmio-write-noticed"},
    "mmio_lanes": {"mmio-lanes"},
    "mmio_whole_page": {"mmio-fixed-bits"},
    "mmio_no_special_ids": {"mmio-fixed-bits"},
    "mmio_priority_banked": {"mmio-banked"},
    "mmio_priority_five_bits": {"mmio-fixed-bits"},
    "mmio_targets_exist": {"mmio-one-target"},
    "mmio_cfg_both_halves": {"mmio-one-byte-one-irq", "mmio-fixed-bits"},
    "mmio_cfg_one_bit": {"mmio-lanes", "mmio-one-byte-one-irq", "mmio-fixed-bits"},
    "mmio_cfg_private_fixed": {"mmio-fixed-bits"},
    "mmio_sgi_list": {"sgir-filter"},
    "mmio_sgi_reserved_filter": {"sgir-filter"},
    "mmio_sgi_whole_word": {"sgir-filter"},
    "mmio_sgi_pending_fixed": {"mmio-set-clear", "mmio-fixed-bits"},
    "mmio_sgi_sources": {"mmio-set-clear"},
}
"""What breaks when one switch of the reference is turned off, and nothing else."""


@pytest.mark.parametrize("name", BY_ID)
def test_reference(name: str) -> None:
    """The reference keeps every property."""
    obligation = prove(BY_ID[name], REFERENCE, PORTFOLIO, once(BY_ID[name][0], REFERENCE))
    assert obligation.verdict is Verdict.PROVED, obligation.reason


def test_every_property_is_claimed() -> None:
    """No property is without a transition of which it is claimed, and none is claimed twice."""
    assert sorted(prop.id for _, prop in CLAIMS) == sorted(prop.id for prop in PROPERTIES)


@pytest.mark.parametrize("name", BY_ID)
def test_october_2012(name: str) -> None:
    """The mailed patch breaks exactly what `BROKEN_IN_2012` says, in the sentence that it says."""
    obligation = prove(BY_ID[name], OCTOBER_2012, PORTFOLIO, once(BY_ID[name][0], OCTOBER_2012))
    expected = Verdict.REFUTED if name in BROKEN_IN_2012 else Verdict.PROVED
    assert obligation.verdict is expected, obligation.reason
    if name in BROKEN_IN_2012:
        assert obligation.reason == BROKEN_IN_2012[name]
        assert obligation.run is not None and obligation.run.replayed == ("python",)


@pytest.mark.parametrize("name", BROKEN_IN_2012)
def test_run_is_the_whole_story(name: str) -> None:
    """A transition started from the listed inputs, with zero everywhere else, breaks the sentence in plain Python."""
    transition, prop = BY_ID[name]
    obligation = prove((transition, prop), OCTOBER_2012, PORTFOLIO, once(transition, OCTOBER_2012))
    assert obligation.run is not None
    assert violated(transition, prop, OCTOBER_2012, obligation.run) == obligation.run.violated


@pytest.mark.parametrize(
    "switch",
    [pytest.param(f.name, marks=[pytest.mark.slow] if f.name == "irq_rearms" else []) for f in fields(Switches)],
)
def test_each_switch(switch: str) -> None:
    """Turning one switch of the reference over breaks the properties listed for it, and no others."""
    switches = replace(REFERENCE, **{switch: not getattr(REFERENCE, switch)})
    broken = {o.property for o in judged_with(switch, switches) if o.verdict is not Verdict.PROVED}
    assert broken == BROKEN_BY_SWITCH.get(switch, set())


def test_switches_are_all_accounted_for() -> None:
    """Every switch breaks a property of a transition or of the machine when turned over, or has a reason why not."""
    of_machine = test_switches.BROKEN.keys() | test_switches.UNNOTICED.keys()
    assert BROKEN_BY_SWITCH.keys() | of_machine == {f.name for f in fields(Switches)}
    assert not (BROKEN_BY_SWITCH.keys() | test_switches.BROKEN.keys()) & test_switches.UNNOTICED.keys()


def test_the_mailed_patch_has_every_switch_off() -> None:
    """The mailed patch has every switch off but what all code does, the reference on but what it makes needless."""
    assert GENERATIONS["2012-10"] == OCTOBER_2012 and GENERATIONS["reference"] == REFERENCE
    on = {f.name for f in fields(Switches) if getattr(OCTOBER_2012, f.name)}
    assert on == {"oracle_set_bit", "block_queues_first"}
    off = {f.name for f in fields(Switches) if not getattr(REFERENCE, f.name)}
    assert off == set(NOT_NEEDED)


def judged_with(switch: str, switches: Switches) -> list[Obligation]:
    """Judge what a switch may change: a part that is the reference's, term by term, has the reference's answer."""
    found = []
    for transition, prop in CLAIMS:
        if speaks_of(switch, transition.name):
            before, after = asked(transition, prop, REFERENCE), asked(transition, prop, switches)
            changed = {n for n, (a, b) in enumerate(zip(before, after, strict=True)) if a != b}
            if changed:
                found.append(prove((transition, only(prop, changed)), switches, PORTFOLIO, once(transition, switches)))
    return found


def only(prop: Property, numbers: set[int]) -> Property:
    """Return a property with some of its parts."""

    def formula(old: Any, new: Any, at: At) -> list[Part]:
        return [part for n, part in enumerate(prop.formula(old, new, at)) if n in numbers]

    return replace(prop, formula=formula)


TERMS: dict[tuple[str, str, Switches], list[Part]] = {}
"""The parts that were asked for, kept so that the name of a term stays its own."""


def asked(transition: Transition, prop: Property, switches: Switches) -> list[tuple[object, object]]:
    """Premise and conclusion of each part, as names that equal terms share."""
    key = (transition.name, prop.id, switches)
    if key not in TERMS:
        step = once(transition, switches)
        twice = (step.new, transition.step(step.new, switches)) if prop.repeated else (step.old, step.new)
        TERMS[key] = list(prop.formula(*twice, fresh(At, "at")))
    return [(named(part.premise), named(part.conclusion)) for part in TERMS[key]]


@cache
def once(transition: Transition, switches: Switches) -> Step:
    """A transition taken, for all the properties that are claimed of it."""
    return taken(transition, switches)


def named(term: Any) -> object:
    return ("term", term.get_id()) if is_symbolic(term) else term


def speaks_of(switch: str, transition: str) -> bool:
    """Say whether a switch is one of those that a transition reads; `init_hyp_mode` runs the probe."""
    function = "kvm_vgic_hyp_init" if transition == "init_hyp_mode" else transition
    return switch.startswith(SWITCHES.get(function, ("no switch",)))


# Back from a run to a state ------------------------------------------------------------------------


def violated(transition: Transition, prop: Property, switches: Switches, run: Run) -> str:
    """Return the first sentence that fails when a run's inputs are all there is, or nothing."""
    cells = {value.name: value.value for value in run.inputs}
    at = At(**{value.name: int(value.value) for value in run.indices})
    old = rebuilt(transition.state, cells)
    assert all(fact is True for fact, _ in transition.assume(old)) and lt(at.intid, 1020)
    new = transition.step(old, switches)
    failing = [p.sentence for p in prop.formula(old, new, at) if p.premise is True and p.conclusion is False]
    return failing[0] if failing else ""


def rebuilt(kind: Any, cells: dict[str, str], path: str = "") -> Any:
    """Make a plain value of an annotated type from the cells below a path; what is not listed is zero."""
    if is_dataclass(kind) and isinstance(kind, type):
        hints = get_type_hints(kind, include_extras=True)
        prefix = f"{path}." if path else ""
        return kind(*(rebuilt(hints[f.name], cells, f"{prefix}{f.name}") for f in fields(kind)))
    shape = next((e for e in getattr(kind, "__metadata__", ()) if isinstance(e, MapOf)), None)
    if shape is not None:
        keys = {m.group(1) for name in cells if (m := re.match(rf"{re.escape(path)}\[([^]]*)\]", name))}
        known = {tuple(map(int, key.split(", "))): rebuilt(shape.value, cells, f"{path}[{key}]") for key in keys}
        return Map.of(known, rebuilt(shape.value, {}, path))
    text = cells.get(path, "0")
    return text == "True" if kind is bool else int(text)

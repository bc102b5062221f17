"""Mutants: every property has one that breaks it, and a sample of the campaigns is noticed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from model.generation import REFERENCE
from mutation import c_campaign, machine_campaign, model_campaign
from mutation.c_campaign import Example, prepared
from mutation.equivalents import EQUIVALENT, HOLES
from mutation.exchange import exchanged, faulty, text_of
from mutation.model_campaign import (
    CODEC,
    FAULTS_EACH,
    GICH,
    GICV,
    HANDLER,
    INIT,
    MMIO,
    MODEL,
    PROPERTIES,
    SET_ADDR,
    VMCR,
    Subject,
    judged,
    only,
    trials,
)
from mutation.mutant import Fate, MeaninglessError, Mutant, fate_of, sample, score
from mutation.python_mutants import mutants
from mutation.suite import NAME, by_tests
from proofs.model import PROPERTIES as CLAIMED
from proofs.model import claims, taken
from properties.property import At
from vgicheck.engine.portfolio import Portfolio
from vgicheck.engine.values import fresh
from vgicheck.engine.verdict import Verdict
from vgicheck.engine.workers import run_all

ROOT = Path(__file__).resolve().parents[2]
GOOD = ROOT / "examples" / "good-vgic-init.patch"
PORTFOLIO = Portfolio(60.0)


@dataclass(frozen=True, slots=True)
class Edit:
    """A fault written by hand: `old`, which stands once in the text of a module or function, becomes `new`."""

    where: Subject | str
    old: str
    new: str

    def of(self, text: str) -> str:
        return faulty(text, self.old, self.new)


ACTIVE, UIE, EOI = "irq_active.set(key, False, when)", "replace(s.cpu.hcr, uie=False)", "replace(lr, eoi=False)"
EEXIST = "refused += [(exists, -EEXIST), (no_node, -ENXIO)]"

KILLERS: dict[str, Edit] = {
    "eoi-clears-active": Edit(HANDLER, ACTIVE, "irq_active.set(key, True, when)"),
    "underflow-clears-uie": Edit(HANDLER, UIE, "replace(s.cpu.hcr, uie=True)"),
    "eoi-clears-lr-eoi": Edit(HANDLER, EOI, "replace(lr, eoi=True)"),
    "eoi-frees-lr": Edit(HANDLER, "or_(s.cpu.elrsr[l], empty)", "s.cpu.elrsr[l]"),
    "eoi-touches-nothing-else": Edit(HANDLER, EOI, "replace(lr, eoi=False, priority=0)"),
    "handler-says-handled": Edit(HANDLER, "result=IRQ_HANDLED)", "result=0)"),
    "uie-kept-without-underflow": Edit(
        HANDLER, "clear_uie(s, and_(acts(s, switches), s.cpu.misr.u))", "clear_uie(s, acts(s, switches))"
    ),
    "lr-shadow-matches-register": Edit(HANDLER, "ite(when, s.cpu.lr[l], s.hw.lr[l])", "s.hw.lr[l]"),
    "handler-ignores-unmarked": Edit(HANDLER, "acts(s, switches), s.cpu.misr.eoi, ", "acts(s, switches), "),
    "handler-without-vcpu": Edit(
        HANDLER, "quiesce(s, not_(acts(s, switches)))", "quiesce(s, and_(s.loaded, not_(acts(s, switches))))"
    ),
    "handler-once": Edit(HANDLER, UIE, "replace(s.cpu.hcr, uie=False, en=not_(s.cpu.hcr.en))"),
    "handler-right-vcpu": Edit(HANDLER, "return and_(s.loaded, s.live) if", "return s.loaded if"),
    "vcpu-init-lr-count": Edit(INIT, "widened(list_regs, 7) + 1", "widened(list_regs, 7)"),
    "vcpu-init-clean": Edit(
        INIT, "own(key, NR_PRIVATE_IRQS), lambda _: True", "own(key, NR_PRIVATE_IRQS), lambda _: False"
    ),
    "hyp-init-unwinds": Edit(INIT, "s.irq_requests + widened(flag(done)", "s.irq_requests + widened(flag(requested)"),
    "hyp-init-complete": Edit(INIT, "s.hyp_maps + widened(flag(done), 32)", "s.hyp_maps"),
    "hyp-init-no-dangling": Edit(INIT, "host_has_vgic = done, done", "host_has_vgic = found, done"),
    "maintenance-on-every-cpu": Edit(INIT, "and_(done, s.online[key[0]])", "and_(done, not_(s.online[key[0]]))"),
    "hyp-init-not-fatal": Edit(INIT, "probed.result == 0), result=0)", "probed.result == 0))"),
    "vm-init-once": Edit(INIT, EEXIST, "refused += [(no_node, -ENXIO)]"),
    "vm-init-leaves-no-trace": Edit(INIT, "guest_maps=ite(done,", "guest_maps=ite(passed,"),
    "vm-address-parameterised": Edit(INIT, "guest_ipa=ite(done, cpu_base,", "guest_ipa=ite(done, dist_base,"),
    "targets-before-vcpus": Edit(INIT, "is_spi(key[0])), lambda _: 0", "is_spi(key[0])), lambda _: 1"),
    "vm-init-needs-probe": Edit(INIT, "(not_(s.host_has_vgic), -ENODEV)", "(s.host_has_vgic, -ENODEV)"),
    "vm-maps-only-gicv": Edit(INIT, "guest_pa=ite(done, s.gicv_start,", "guest_pa=ite(done, s.gicv_end,"),
    "hyp-init-errors": Edit(INIT, "(not_(has_irq), -ENXIO)", "(not_(has_irq), -EINVAL)"),
    "vm-init-errors": Edit(INIT, "dist_size=ite(marked, DIST_SIZE,", "dist_size=ite(marked, CPU_SIZE,"),
    "vm-init-refuses": Edit(INIT, "refused += [(exists, -EEXIST), (no_node", "refused += [(exists, -EBUSY), (no_node"),
    "vcpu-init-frame": Edit(INIT, "return and_(created, same(key[0]", "return and_(same(key[0]"),
    "vcpu-init-has-bank": Edit(INIT, "ite(refused, -EBUSY,", "ite(refused, -EINVAL,"),
    "vm-address-set-once": Edit(SET_ADDR, "-EEXIST),", "-EINVAL),"),
    "mmio-lanes": Edit(MMIO, "reached = a.covers(byte) if", "reached = a.same_word(byte) if"),
    "mmio-banked": Edit(MMIO, "and_(a.exists(intid), same((bank, intid), priority_key(a, intid)))", "a.exists(intid)"),
    "mmio-set-clear": Edit(MMIO, "a.stores_one(ICPENDR, key)", "a.stores_one(ISPENDR, key)"),
    "mmio-one-byte-one-irq": Edit(MMIO, "a.covers(IPRIORITYR.byte_of(intid))", "a.covers(ITARGETSR.byte_of(intid))"),
    "mmio-fixed-bits": Edit(MMIO, "stored & 0xF8", "stored & 0xFC"),
    "mmio-one-target": Edit(MMIO, "candidate = lt(cpu, a.nr_cpus)", "candidate = le(cpu, a.nr_cpus)"),
    "sgir-filter": Edit(MMIO, "and_(target_filter == 2, target == sender)", "and_(target_filter == 2, others)"),
    "mmio-write-noticed": Edit(MMIO, "ICENABLER, ISPENDR, ICPENDR]", "ICENABLER, ICPENDR]"),
    "lr-codec": Edit(CODEC, "priority=field_of(word, 27, 23)", "priority=field_of(word, 26, 22)"),
    "elrsr-eisr-exact": Edit(GICH, "LRState.INVALID, or_(lr.hw, not_(lr.eoi)))", "LRState.INVALID)"),
    "misr-exact": Edit(GICH, "hcr.eoicount != 0", "hcr.eoicount == 0"),
    "vtr-exact": Edit(GICH, "gich.nr_lr - 1", "gich.nr_lr"),
    "chosen-lr-cycle": Edit(GICH, "state=LRState.ACTIVE)", "state=LRState.PENDING_ACTIVE)"),
    "vmcr-codec": Edit(
        VMCR, "replace(vmcr, pri_mask=field_of(word, 7, 3))", "replace(vmcr, pri_mask=field_of(word, 4, 0))"
    ),
    "priority-order": Edit(GICV, "lt(b_priority, a_priority)", "lt(a_priority, b_priority)"),
    "iar-value": Edit(GICV, "(ite(lr.hw, 0, lr.cpuid, width=3), 3)", "(0, 3)"),
    "active-priorities": Edit(GICV, "gich.apr & (gich.apr - 1)", "0"),
    "ack-eoi-cycle": Edit(GICV, "iff(gich.vmcr.eoi_mode, not_(drops))", "True"),
    "guest-access-abstracts": Edit(GICV, "hcr=ite(counts, counted(gich.hcr), gich.hcr)", "hcr=gich.hcr"),
    "signal-exact": Edit(GICV, "fiq = and_(gich.vmcr.fiq_en, not_(", "fiq = and_(not_("),
    "running-priority": Edit(GICV, "running = IDLE_PRIORITY", "running = IDLE_PRIORITY - 1"),
}
"""For each property of the model a fault that it refutes."""

LOCK = "\tvgic_cpu = &vcpu->arch.vgic_cpu;\n"
CODE_KILLERS: dict[str, Edit] = {
    "in-bounds": Edit("kvm_vgic_vcpu_init", "id >= VGIC_MAX_CPUS", "id > VGIC_MAX_CPUS"),
    "no-undefined": Edit("kvm_vgic_vcpu_init", "vtr = readl_relaxed(dist->vctrl_base + GICH_VTR);", ";"),
    "bug-on-unreachable": Edit("kvm_vgic_vcpu_init", "\tvtr = readl", "\tBUG_ON(id);\n\tvtr = readl"),
    "locks-balanced": Edit("kvm_vgic_init", "\tmutex_unlock(&kvm->lock);\n", ""),
    "lock-irq-safe": Edit("vgic_maintenance_handler", LOCK, LOCK + "\tspin_lock(&vcpu->kvm->arch.vgic.lock);\n"),
    "refines-model": Edit("kvm_vgic_vcpu_init", "vgic_hcr = VGIC_HCR_EN;", "vgic_hcr = VGIC_HCR_EN | VGIC_HCR_UIE;"),
}
"""For each property of C a fault in the example patch that it refutes."""


@pytest.fixture(scope="module")
def good() -> Example:
    return c_campaign.example(GOOD)


def test_every_property_has_a_killer(good: Example) -> None:
    """Each property of the model, and each that is claimed of C only, has a fault of its own in a table."""
    ids = {p.id for p in CLAIMED}
    assert KILLERS.keys() == ids
    assert CODE_KILLERS.keys() == {n for f in good.functions for n in good.generation.names(f)} - ids


@pytest.mark.parametrize("name", KILLERS)
def test_killer(name: str) -> None:
    """The fault turns the property from proved to refuted."""
    edit = KILLERS[name]
    assert isinstance(edit.where, Subject)
    text = text_of(edit.where.module)
    verdicts = [
        verdict
        for changed in (text, edit.of(text))
        for _, verdict in judged(edit.where, changed, [name], ["reference"], PORTFOLIO)
    ]
    assert verdicts == [Verdict.PROVED, Verdict.REFUTED]


@pytest.mark.parametrize("name", CODE_KILLERS)
def test_code_killer(name: str, good: Example) -> None:
    """The fault in the example patch is refuted under the property."""
    edit = CODE_KILLERS[name]
    function = str(edit.where)
    found = c_campaign.judged(good, function, function, edit.of(good.piece(function).text))
    assert next(verdict for obligation, verdict in found if obligation == name) is Verdict.REFUTED


@pytest.mark.parametrize("subject", [pytest.param(HANDLER, marks=pytest.mark.slow), INIT], ids=lambda s: str(s.module))
def test_sample_of_the_model(subject: Subject) -> None:
    """Of an even sample of the mutants of a module none goes unnoticed but those that are listed, with the reason."""
    chosen = sample(model_campaign.all_mutants(subject), 8)
    result = score(model_campaign.campaign(subject, chosen, 1), EQUIVALENT)
    assert result.counted >= 4
    assert {o.mutant.key for o in result.survivors} <= HOLES.keys()


def test_sample_of_the_patch(good: Example) -> None:
    """Of an even sample of the mutants of a C function none goes unnoticed but those that are listed as equivalent."""
    function = "kvm_vgic_vcpu_init"
    chosen = sample(c_campaign.all_mutants(good, function), 12)
    result = score(c_campaign.campaign(good, function, chosen, 1), EQUIVALENT)
    assert result.counted >= 6
    assert not result.survivors, [o.mutant.key for o in result.survivors]


def test_mutants_are_distinct(good: Example) -> None:
    """No two mutants have one key, no mutant is the original, and helpers of a handler are mutated with it."""
    listed = c_campaign.all_mutants(good, "vgic_maintenance_handler")
    assert len({m.key for m in listed}) == len(listed)
    assert {m.function for m in listed} >= {"vgic_maintenance_handler", "vgic_retire_lr"}
    assert all(m.source != good.piece(m.function).text for m in listed)


def test_a_mutant_without_meaning(good: Example) -> None:
    """A text that does not parse is no mutant that was noticed: it is not counted."""
    with pytest.raises(MeaninglessError):
        prepared(
            good,
            "kvm_vgic_vcpu_init",
            "kvm_vgic_vcpu_init",
            "int kvm_vgic_vcpu_init(struct kvm_vcpu *vcpu)\n{\n\treturn",
        )
    outcome = model_campaign.outcome(HANDLER, Mutant("f", 1, "cut off", "def f(:"), {})
    assert outcome.fate is Fate.INVALID
    assert score([outcome], {}).counted == 0


def test_no_answer_gives_nothing_away() -> None:
    """A question that was not answered in time does not count as noticing."""
    mutant = Mutant("f", 1, "a -> b", "b")
    outcome = fate_of(mutant, {"p": Verdict.PROVED}, [("p", Verdict.UNKNOWN)])
    assert outcome.fate is Fate.UNDECIDED
    assert score([outcome], {}).survivors == (outcome,)


def test_equivalents() -> None:
    """A survivor is excused only under its own key, and no mutant is both equivalent and a hole."""
    assert not EQUIVALENT.keys() & HOLES.keys()
    alive = fate_of(Mutant("f", 1, "a -> b", "b"), {"p": Verdict.PROVED}, [("p", Verdict.PROVED)])
    assert score([alive], {"f: a -> b": "same"}).counted == 0
    assert score([alive], {"f: a -> c": "same"}).survivors == (alive,)


def test_python_mutants() -> None:
    """The mutator changes an operator, a constant and a statement, and leaves a function alone that nothing uses."""
    text = "def f(a):\n    b = and_(a, True)\n    return not_(b)\n\ndef g(a):\n    return a + 1\n"
    assert [m.what for m in mutants(text, ["f"])] == [
        "b = and_(a, True) -> pass",
        "and_(a, True) -> or_(a, True)",
        "and_(a, True) -> and_(True)",
        "and_(a, True) -> and_(a)",
        "True -> False",
        "not_(b) -> b",
    ]


def test_every_transition_is_covered():
    """The campaigns over the model, and those over the properties, have every transition that something is claimed of."""
    names = {t.name for t, _ in claims()}
    for subjects in (MODEL, PROPERTIES):
        assert {name for s in subjects for name in s.transitions} == names


def noticed(module: str, text: str) -> list[tuple[str, Verdict]]:
    """Run the tests of a module that has another text."""
    with exchanged(module, text):
        return list(by_tests(module))


def test_the_tests_of_a_module() -> None:
    """The tests of a module notice a fault in it, the first to fail says so; without one they all pass."""
    text = text_of("model.vmcr")
    fault = faulty(text, "pri_mask=field_of(word, 7, 3)", "pri_mask=field_of(word, 4, 0)")
    tasks = [partial(noticed, "model.vmcr", changed) for changed in (text, fault)]
    sound, broken = run_all(tasks, 1, 60.0, lambda n, reason: [])
    assert sound == [(NAME, Verdict.PROVED)]
    assert [verdict for _, verdict in broken] == [Verdict.REFUTED] and broken[0][0].startswith(f"{NAME}: test_")


def test_a_sentence_of_a_property() -> None:
    """Of a fault that a property refutes by one sentence, that sentence alone refutes it; each is tried by its own."""
    edit = KILLERS["vmcr-codec"]
    fault = Mutant("f", 1, "killer", edit.of(text_of(VMCR.module)))
    ((name, sentence),) = set(model_campaign.refuted(VMCR, fault))
    (claim,) = claims([name])
    assert name == "vmcr-codec"
    parts = [{p.sentence for p in only(claim[1], s).formula(taken(claim[0], REFERENCE).old,
             taken(claim[0], REFERENCE).new, fresh(At, "at"))} for s in (sentence, "nothing says so")]  # fmt: skip
    assert parts == [{sentence}, set()]
    listed = {(name, sentence): [(VMCR.module, fault)] * 9, ("iar-value", "x"): [(VMCR.module, fault)]}
    of_vmcr = next(s for s in PROPERTIES if s.module == "properties.vmcr")
    chosen = trials(of_vmcr, claim[1].formula.__name__, listed)
    assert [said for said, _ in chosen] == [(name, sentence)] * FAULTS_EACH


def test_a_function_that_a_service_runs(good: Example) -> None:
    """A fault in the function that is run on each CPU is noticed by what is claimed of the one that hands it over."""
    function = "vgic_init_maintenance_interrupt"
    assert good.judges(function) == (function, "kvm_vgic_hyp_init")
    assert good.judges("kvm_vgic_hyp_init") == ("kvm_vgic_hyp_init",)
    fault = next(
        m for m in c_campaign.all_mutants(good, function) if m.what == "enable_percpu_irq(vgic_node_irq, 0); -> ;"
    )
    (found,) = c_campaign.campaign(good, function, [fault], 1)
    assert (found.fate, found.killer) == (Fate.KILLED, "kvm_vgic_hyp_init/maintenance-on-every-cpu")


@pytest.mark.slow
def test_listed_mutants_are_there(good: Example) -> None:
    """Each mutant that is listed is one of the text as it is now; of the mailed patch the first two are."""
    there = {m.key for s in (*MODEL, *PROPERTIES) for m in model_campaign.all_mutants(s)}
    there |= {m.key for module in machine_campaign.MODULES for m in machine_campaign.all_mutants(module)}
    there |= {m.key for function in good.functions for m in c_campaign.all_mutants(good, function)}
    gone = {key for key in EQUIVALENT | HOLES if key not in there}
    assert all(key.startswith("vgic_maintenance_handler: ") and "dist->vctrl_base" in key for key in gone), gone

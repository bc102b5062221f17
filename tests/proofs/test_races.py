"""Arguments about races: the verdict on each, of its own generation and of the reference, with runs that replay."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest

from model.generation import GENERATIONS, NOVEMBER_2012, OCTOBER_2012, REFERENCE, Switches
from proofs.argument import Argument
from proofs.arguments import ARGUMENTS
from proofs.arguments.cores import CORES
from proofs.delivery import DELIVERED
from proofs.instances import AT, INSTANCE, STEP, Size
from proofs.overlap import FUNCTION
from proofs.premise import Premise, Terms
from proofs.races import FOLLOWS, PREMISE, UNDECIDED, Scope, between_tasks, cause_tasks, judged, said, sized, tasks
from proofs.runs import failing, search
from properties.machine import INVARIANTS, STEP_PROPERTIES
from vgicheck.engine.litmus import Barrier, Litmus, Lock, Unlock, happens
from vgicheck.engine.verdict import Obligation, Verdict

P, R, V = Verdict.PROVED, Verdict.REFUTED, Verdict.VACUOUS
OF_ITS_TIME = {
    "comment-same-vcpu": (R, P, R),
    "comment-migrated": (P, R, R),
    "comment-only-active": (R, P, P),
    "handler-in-time": (R, P, R),
    "sync-sets-oracle": (P, P, P),
    "flush-clears-oracle": (R, P, R),
    "kick-before-entry": (R, R, R),
    "wfi-check": (P, P, P),
    "handler-vcpu-loaded": (R, P, P),
    "lock-in-handler": (R, P, R),
    "handler-rearms": (R, P, R),
    "sync-rearms": (R, P, R),
    "aborted-entry": (R, P, R),
}
"""Premise, following and conclusion, of the generation that an argument is about."""
PREMISE_IN_REFERENCE = {
    "kick-before-entry": R,
    "handler-in-time": P,
    "sync-sets-oracle": P,
    "flush-clears-oracle": P,
    "wfi-check": P,
    "aborted-entry": P,
}
"""The premise in the reference; the others speak of what does not happen there."""


@cache
def of(argument: Argument, generation: str = "") -> tuple[Obligation, ...]:
    """Return what came of an argument."""
    return tuple(judged(argument, GENERATIONS[generation or argument.generation], argument.sizes))


@pytest.mark.parametrize("name", ARGUMENTS)
def test_argument(name: str) -> None:
    """Each argument has the verdicts that the note on races tells, on premise, following and conclusion."""
    argument = ARGUMENTS[name]
    found = of(argument)
    delivered = [DELIVERED] if argument.delivers else []
    assert [o.property for o in found] == [PREMISE, FOLLOWS, argument.conclusion, *delivered]
    assert {o.subject for o in found} == {name}
    assert tuple(o.verdict for o in found[:3]) == OF_ITS_TIME[name], [o.reason for o in found]
    assert said(*OF_ITS_TIME[name]) != UNDECIDED
    assert all(o.verdict is R for o in found[3:]), "what is lost is not delivered"


@pytest.mark.parametrize("name", ARGUMENTS)
def test_reference(name: str) -> None:
    """In the reference every conclusion holds, whatever becomes of the premise."""
    premise, follows, conclusion, *delivered = of(ARGUMENTS[name], "reference")
    assert premise.verdict is PREMISE_IN_REFERENCE.get(name, V)
    assert {follows.verdict, conclusion.verdict, *(o.verdict for o in delivered)} == {P}
    assert said(premise.verdict, P, P) != UNDECIDED


@pytest.mark.parametrize("name", ARGUMENTS)
def test_runs_replay(name: str) -> None:
    """Each run breaks in plain Python what it is said to break, on the terms on which it was found, and nothing less."""
    argument = ARGUMENTS[name]
    switches = GENERATIONS[argument.generation]
    for o, believed in zip(of(argument), (0, 1, 0), strict=False):
        if o.run is None:
            assert o.verdict is P and argument.instances[0] in o.bounds
            continue
        terms = Terms((argument.premise,), (*argument.granted, *([argument.premise] if believed else [])))
        made = [(t.step, t.arguments) for t in o.run.turns]
        claim = argument.premise.id if o.property == PREMISE else argument.conclusion
        size = INSTANCE[o.run.instance]
        assert failing(claim, size, switches, made, terms) == o.run.violated
        assert failing(claim, size, switches, made[:-1], terms) is None
        assert o.run.replayed == ("python",)


def test_premises_speak_of_steps() -> None:
    """A premise names steps that there are, and takes their arguments."""
    for argument in ARGUMENTS.values():
        for premise in (argument.premise, *argument.granted):
            assert premise.steps and all(name in STEP for name in premise.steps)
    assert {a.conclusion for a in ARGUMENTS.values()} <= {c.id for c in (*INVARIANTS, *STEP_PROPERTIES)}


def test_what_is_not_decided_says_so() -> None:
    """Three verdicts that say nothing together are told as such."""
    assert said(P, Verdict.UNKNOWN, P) == UNDECIDED


# Planted races and their repaired twins ------------------------------------------------------------

PLANTED: dict[str, tuple[str, Switches, Switches]] = {
    "a word written back instead of one bit set": (
        "sync-sets-oracle", replace(OCTOBER_2012, oracle_set_bit=False), OCTOBER_2012),
    "the check before the wait queue": (
        "wfi-check", replace(OCTOBER_2012, block_queues_first=False), OCTOBER_2012),
    "no lock where the line is looked at": (
        "handler-rearms", NOVEMBER_2012, replace(NOVEMBER_2012, irq_locks=True, lock_irqs_off=True)),
    "no second look before the entry": (
        "kick-before-entry", replace(REFERENCE, entry_rechecks=False), REFERENCE),
    "interrupts on where the lock is held": (
        "lock-in-handler", replace(REFERENCE, irq_locks=True, lock_irqs_off=False, exit_turns_off=False),
        replace(REFERENCE, irq_locks=True, exit_turns_off=False)),
}  # fmt: skip
"""The argument that a race breaks, with the race and without it."""


@pytest.mark.parametrize("race", PLANTED)
def test_planted_race(race: str) -> None:
    """A race that was put in refutes the conclusion; with it taken out again the conclusion is proved."""
    name, with_race, without = PLANTED[race]
    argument = ARGUMENTS[name]
    broken, mended = (tuple(judged(argument, s, argument.sizes))[2] for s in (with_race, without))
    assert (broken.verdict, mended.verdict) == (R, P)


# Fails closed --------------------------------------------------------------------------------------


def test_a_premise_that_is_never_asked_is_vacuous() -> None:
    """A premise of a step that is never made is no proof of anything."""
    never = Premise("never", "nobody sleeps twice", ("doze",), lambda *_, **__: True)
    argument = replace(ARGUMENTS["wfi-check"], premise=never)
    premise, follows, *_ = judged(argument, OCTOBER_2012, argument.sizes)
    assert premise.verdict is V and "nothing" in premise.reason
    assert follows.verdict is P


def test_a_limit_is_unknown() -> None:
    """Where not every state was run nothing is proved, and the machine and its limit are named."""
    argument = ARGUMENTS["sync-sets-oracle"]
    for o in judged(argument, OCTOBER_2012, argument.sizes, limit=100):
        assert o.verdict is Verdict.UNKNOWN
        assert "a level interrupt, two vCPUs" in o.reason and "100" in o.reason


def test_a_premise_that_is_believed_makes_no_step() -> None:
    """Where a premise is believed that forbids the exits of the guest, nothing happens after them."""
    stays = Premise("stays", "nobody leaves the guest", ("leave", "kick_arrives"), lambda *_, **__: False)
    size = INSTANCE["a level interrupt, one vCPU"]
    assert search(size, OCTOBER_2012, ["level-not-lost"]).broken
    found = search(size, OCTOBER_2012, ["level-not-lost"], terms=Terms(believed=(stays,)))
    assert found.exploration.exhaustive and not found.broken


def test_sizes_of_the_command_line() -> None:
    """A machine of the command line has the numbers that were asked for, and is judged instead of the small ones."""
    size = sized(2, 2, 2, 1)
    assert (size.vcpus, size.cpus, size.lrs, len(size.irqs), size.pinned) == (2, 2, 1, 2, True)
    assert size.name == "2 vCPUs, 2 CPUs, 2 interrupts, 1 list register"
    one = sized(1, 1, 1, 1)
    assert not one.stores and not one.pinned
    (task,) = tasks([ARGUMENTS["comment-same-vcpu"]], Scope("", (one,)))
    assert [o.verdict for o in task.run()] == [R, P, R, R]
    assert task.promised[0] == (PREMISE, "comment-same-vcpu")


# Causes, and two functions --------------------------------------------------------------------------


def test_every_cause_once() -> None:
    """The steps that may break a conclusion are told apart, each with a run that it ends and that nothing broke before."""
    argument = ARGUMENTS["comment-same-vcpu"]
    (task,) = cause_tasks([argument], Scope())
    found = {o.property: o for o in task.run()}
    causes = {name.partition(AT)[2] for name, o in found.items() if o.verdict is R}
    assert causes == {"flush_end", "irq_lr"}
    for name, o in found.items():
        if o.run is not None:
            made = [(t.step, t.arguments) for t in o.run.turns]
            assert made[-1][0] == name.partition(AT)[2]
            for n in range(o.run.prologue, len(made)):
                assert failing(argument.conclusion, argument.sizes[0], OCTOBER_2012, made[:n]) is None


ONE = (INSTANCE["a level interrupt, one vCPU"],)


def between(one: str, two: str, generation: str, *names: str, sizes: tuple[Size, ...] = ONE) -> list[Obligation]:
    """Return what two functions that overlap break, of some properties."""
    (task,) = between_tasks(FUNCTION[one], FUNCTION[two], names, Scope(generation, sizes))
    return list(task.run())


@pytest.mark.parametrize(
    ("one", "two", "generation", "name", "verdict"),
    [
        ("vgic_maintenance_handler", "vgic_queue_irq", "2012-10", "level-not-lost", R),
        ("vgic_maintenance_handler", "vgic_queue_irq", "reference", "level-not-lost", P),
        ("__kvm_vgic_sync_from_cpu", "kvm_vgic_inject_irq", "2012-10", "level-not-lost", P),
        ("vgic_maintenance_handler", "kvm_vgic_inject_irq", "2012-11", "level-not-lost", R),
        ("kvm_arch_vcpu_ioctl_run", "kvm_vgic_inject_irq", "v3.9", "kick-not-lost", R),
        ("vgic_maintenance_handler", "__kvm_vgic_sync_from_cpu", "v3.9", "kick-not-lost", P),
    ],
)
def test_two_functions(one: str, two: str, generation: str, name: str, verdict: Verdict) -> None:
    """Two functions break a property where they overlap and no others do, or they do not."""
    (found,) = between(one, two, generation, name)
    assert found.verdict is verdict and not found.reason.startswith("without")


def test_what_no_overlap_is_needed_for() -> None:
    """What is broken by one function after the other is said to need no overlap."""
    (found,) = between("kvm_vcpu_block", "kvm_vgic_inject_irq", "2012-10", "lowered-not-delivered")
    assert found.verdict is R and found.reason.startswith("without any overlap: ")


# Cores ---------------------------------------------------------------------------------------------


def without_barrier(name: str, cpu: int) -> Litmus:
    """Return a core whose CPU has no barrier."""
    core = CORES[name]
    cpus = [tuple(a for a in c if n != cpu or not isinstance(a, Barrier)) for n, c in enumerate(core.cpus)]
    return replace(core, cpus=tuple(cpus))


@pytest.mark.parametrize("name", ["kick-before-entry", "wfi-check"])
def test_a_missing_barrier(name: str) -> None:
    """Kick and WFI need a barrier on both sides: without either the outcome happens, with store buffers only."""
    assert not happens(CORES[name], buffers=True)
    for cpu in (0, 1):
        broken = without_barrier(name, cpu)
        assert happens(broken, buffers=True) and not happens(broken, buffers=False)


def test_a_missing_lock() -> None:
    """The look at a line needs the lock: with it, in the sync, the outcome never happens; without, in the handler, it does."""
    assert happens(CORES["handler-rearms"], buffers=False)
    assert not happens(CORES["sync-rearms"], buffers=True)
    locked = CORES["sync-rearms"].cpus[1]
    assert tuple(a for a in locked if not isinstance(a, Lock | Unlock)) == CORES["handler-rearms"].cpus[1]


def test_cores_are_of_arguments() -> None:
    """Each core belongs to an argument and has its name."""
    assert CORES.keys() <= ARGUMENTS.keys() and all(core.name == name for name, core in CORES.items())

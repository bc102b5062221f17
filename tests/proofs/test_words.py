"""How a run is told: each step in the column of whoever makes it."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest

from model.generation import REFERENCE, SEPTEMBER_2012, V3_9
from model.gicd import CTLR, ICENABLER, SGIR
from model.machine import Exit
from model.steps import STEPS
from proofs.instances import Size, run, send, set_up
from proofs.words import register, told, turns

from ..model.scenario import Scenario

ONE = Size("a level interrupt, one vCPU", 1, 1, 1, ((34, 0),))
TWO_IRQS = Size("two level interrupts, one list register", 1, 1, 1, ((34, 0), (35, 0)))
SGI = Size("an SGI of two vCPUs", 2, 2, 2, ((1, 0), (1, 1)), (), (send(1, 0),), True)


def served() -> Scenario:
    """Let a guest serve interrupt 34, and the handler and the sync come after it."""
    run = Scenario(ONE, SEPTEMBER_2012)
    run.make("inject", 0, 34, True)
    run.enter(0, (34, 0))
    run.serve(0, 0)
    run.make("leave", 0, Exit.IRQ)
    for name, *arguments in (("irq_enter", 0), ("irq_lock", 0), ("irq_lr", 0, 0), ("irq_exit", 0)):
        run.make(name, *arguments)
    return run


def lines(run: Scenario) -> list[tuple[str, str]]:
    """Tell a run but for what set it up."""
    shown, _ = turns(run.size, run.switches, run.made)
    return [(t.by, t.does) for t in shown[len(set_up(run.size)) :]]


def test_columns():
    """A step of a thread or a handler is told of its CPU, one of a device of the device, both in the kernel's words."""
    assert lines(served()) == [
        ("device", "line of 34 rises: kvm_vgic_inject_irq()"),
        ("CPU0", "__kvm_vgic_sync_to_cpu(), takes the lock"),
        ("CPU0", "  vgic_queue_irq(): 34"),
        ("CPU0", "  clears its oracle bit"),
        ("CPU0", "enters the guest"),
        ("CPU0", "guest acknowledges 34 (LR0)"),
        ("CPU0", "guest EOIs 34 (LR0)"),
        ("CPU0", "exit: an interrupt"),
        ("CPU0", "vgic_maintenance_handler()"),
        ("CPU0", "  gets the lock"),
        ("CPU0", "  clears the active bit of 34 (LR0)"),
        ("CPU0", "  returns"),
    ]


def test_numbers_of_steps():
    """A turn has the name of its step and its arguments as plain numbers, so that the run can be made again."""
    run_ = served()
    shown, _ = turns(ONE, run_.switches, run_.made)
    assert [(t.step, t.arguments) for t in shown] == [(name, tuple(map(int, given))) for name, given in run_.made]
    assert all(type(a) is int for t in shown for a in t.arguments)


def test_what_did_not_fit():
    """An interrupt that found no list register is told as such, and UIE with it."""
    run_ = Scenario(TWO_IRQS)
    run_.make("inject", 0, 34, True)
    run_.make("inject", 0, 35, True)
    run_.flush(0, (34, 0), (35, 0))
    assert [does for _, does in lines(run_)[-3:]] == [
        "  vgic_queue_irq(): 34",
        "  no list register for 35",
        "  sets UIE",
    ]


def test_vcpus_are_told_apart():
    """With two vCPUs a step names its own, an SGI its sender, and the end says where each interrupt is."""
    run_ = Scenario(SGI)
    run_.enter(1)
    run_.store(1, send(1, 0))
    run_.enter(0, (1, 1))
    told_ = lines(run_)
    assert ("CPU1", "vcpu1: vgic_handle_mmio(): GICD_SGIR = 0x10001") in told_
    assert ("CPU0", "vcpu0:   vgic_queue_irq(): SGI 1 of vcpu1") in told_
    _, ends = turns(SGI, REFERENCE, run_.made)
    assert ends == (
        "vcpu0: guest, irq_pending_on_cpu clear, a kick under way",
        "vcpu1: host, irq_pending_on_cpu clear",
        "SGI 1 from vcpu0 of vcpu0: not pending",
        "SGI 1 from vcpu0 of vcpu1: not pending",
        "SGI 1 from vcpu1 of vcpu0: not pending, in LR0 of vcpu0 (pending)",
        "SGI 1 from vcpu1 of vcpu1: not pending",
    )


def test_end_of_a_run():
    """The end tells line, latch, active bit and list register of an interrupt, and whether it is enabled."""
    run_ = Scenario(ONE)
    run_.enter(0)
    run_.store(0, (ICENABLER.base + 4, 4, 4))
    run_.make("inject", 0, 34, True)
    _, ends = turns(ONE, REFERENCE, run_.made)
    assert ends[-1] == "interrupt 34: line high, disabled"
    _, ends = turns(ONE, SEPTEMBER_2012, served().made[:-4])
    assert ends[-1] == (
        "interrupt 34: line high, irq_state set, irq_active set, in LR0 of vcpu0 (invalid, EOI to be seen)"
    )


@cache
def all_steps() -> tuple[Scenario, ...]:
    """Return runs that make every step between them."""
    freed = Scenario(ONE)
    freed.make("inject", 0, 34, True)
    freed.enter(0, (34, 0))
    freed.serve(0, 0)
    freed.make("wrong_end", 0)
    freed.leave(0, 0)
    freed.flush(0, (34, 0))
    freed.make("turn_back", 0)
    woken = Scenario(ONE)
    woken.enter(0)
    woken.make("leave", 0, Exit.WFI)
    woken.sync(0)
    woken.make("vcpu_put", 0)
    woken.make("vcpu_load", 0, 0)
    woken.make("block", 0)
    woken.make("inject", 0, 34, True)
    woken.make("kick_arrives", 0)
    return served(), freed, woken, rearmed(), in_halves()


def rearmed() -> Scenario:
    """Let the handler and the sync of v3.9, whose interface stays on, look at lines again."""
    run = Scenario(ONE, replace(V3_9, exit_turns_off=False))
    run.make("inject", 0, 34, True)
    run.enter(0, (34, 0))
    run.serve(0, 0)
    run.make("leave", 0, Exit.IRQ)
    run.make("sync_begin", 0)
    run.make("sync_lr", 0, 0)
    run.make("sync_rearm", 0)
    for name, *arguments in (("irq_enter", 0), ("irq_lr", 0, 0), ("irq_rearm", 0), ("irq_exit", 0)):
        run.make(name, *arguments)
    return run


def in_halves() -> Scenario:
    """Let a thread do in two accesses what is one: write irq_pending_on_cpu, and go to sleep."""
    run = Scenario(ONE, replace(REFERENCE, oracle_set_bit=False, block_queues_first=False))
    run.make("inject", 0, 34, True)
    run.enter(0, (34, 0))
    run.make("leave", 0, Exit.IRQ)
    run.make("sync_begin", 0)
    run.make("sync_end", 0)
    run.make("sync_store", 0)
    run.make("resume", 0)
    run.make("flush_begin", 0)
    run.make("flush_pass", 0, 34, 0)
    run.make("flush_end", 0)
    run.make("enter", 0)
    run.serve(0, 0)
    run.make("leave", 0, Exit.WFI)
    run.make("inject", 0, 34, False)
    run.sync(0, 0)
    run.make("block", 0)
    run.make("doze", 0)
    return run


@pytest.mark.parametrize("step", [s.name for s in STEPS])
def test_every_step_has_words(step: str):
    """Each step can be told, in one line."""
    found = [does for way in all_steps() for does in told_as(way, step)]
    assert found and all(does.strip() and "\n" not in does for does in found)


def told_as(run_: Scenario, step: str) -> list[str]:
    """Tell all turns of a run that are of one step."""
    states = list(run(run_.size, run_.switches, run_.made))
    around = zip(run_.made, states, states[1:], strict=False)
    return [told(made, before, after)[1] for made, before, after in around if made[0] == step]


@pytest.mark.parametrize(
    ("offset", "name"),
    [(CTLR, "GICD_CTLR"), (SGIR, "GICD_SGIR"), (ICENABLER.base + 4, "GICD_ICENABLER+0x4"), (0xFD0, "GICD+0xfd0")],
)
def test_registers(offset: int, name: str):
    """A register of the distributor has the architecture's name, and its offset from the first of its kind."""
    assert register(offset) == name

"""Small instances: what their guests set up, what their steps are asked with, and that a run is made as it is told."""

from __future__ import annotations

import pytest

from model.generation import REFERENCE
from model.gicd import CTLR
from model.machine import Exit, Phase
from proofs.instances import QUICK, SMALL, STEP, Size, retarget, run, send, set_up

MIXED = Size("an SGI, a PPI, a level and an edge", 2, 2, 2, ((1, 0), (1, 1), (27, 0), (34, 0), (35, 0)), (35,))


@pytest.mark.parametrize("size", SMALL, ids=lambda size: size.name)
def test_set_up(size: Size):
    """An instance starts at the top of the loop with its distributor on, its interrupts enabled, and nothing pending."""
    *_, s = run(size, REFERENCE, set_up(size))
    assert s.vm.enabled and not s.locked
    for v in range(size.vcpus):
        assert s.thread.phase[v] == Phase.HOST and not s.vm.pending_on_cpu[v] and not s.thread.kick[v]
        assert s.thread.loaded[v] is (v == 0 or size.pinned)
    for intid, _ in size.irqs:
        assert s.vm.irq_enabled[0, intid] and not s.vm.irq_state[0, intid]
        if intid >= 32:
            assert s.vm.irq_cfg[0, intid] is (intid in size.edges) and s.vm.irq_spi_cpu[intid] == 0


def test_run_that_cannot_be_made():
    """A run with a step that is not possible is refused, after the machines before it."""
    states = run(MIXED, REFERENCE, [("vcpu_load", (0, 0)), ("enter", (0,))])
    assert next(states).thread.loaded[0] is False
    assert next(states).thread.loaded[0] is True
    with pytest.raises(ValueError, match="enter"):
        next(states)


def test_lines():
    """SGIs have no line, a private interrupt has one for each vCPU, and a shared one is nobody's."""
    asked = set(MIXED.arguments(STEP["inject"]))
    assert {(v, i) for v, i, _ in asked} == {(0, 27), (1, 27), (0, 34), (0, 35)}
    assert {level for *_, level in asked} == {False, True}


def test_exits():
    """A guest that stores nothing does not leave for a store."""
    assert {why for _, why in MIXED.arguments(STEP["leave"])} == {Exit.IRQ, Exit.WFI}
    storing = next(size for size in SMALL if size.stores)
    assert Exit.MMIO in {why for _, why in storing.arguments(STEP["leave"])}


def test_stores():
    """A store of one byte targets an interrupt, one word sends an SGI to one vCPU."""
    assert retarget(34, 1) == (0x822, 1, 2)
    assert send(1, 0) == (0xF00, 4, 0x0001_0001)
    assert send(3, 1) == (0xF00, 4, 0x0002_0003)


def test_pinned():
    """The vCPUs of a pinned instance are not moved, and its steps are otherwise those of the others."""
    moving = {s.name for s in QUICK[0].steps}
    pinned = {s.name for size in SMALL if size.pinned for s in size.steps}
    assert moving - pinned == {"vcpu_load", "vcpu_put"} and not pinned - moving


def test_names():
    """Instances are told apart by their names; the quick ones have one vCPU."""
    assert len({size.name for size in SMALL}) == len(SMALL)
    assert all(size.vcpus == 1 for size in QUICK) and set(QUICK) < set(SMALL)


def test_first_store_is_of_the_control_register():
    """The guest turns the distributor on first."""
    stores = [arguments for name, arguments in set_up(MIXED) if name == "mmio"]
    assert stores[0] == (0, CTLR, 4, 1)

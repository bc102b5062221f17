"""The machine as it starts, and that it starts with all that holds later."""

from __future__ import annotations

from dataclasses import replace

import pytest

from model.generation import GENERATIONS, REFERENCE
from model.gich import Hcr
from model.initial import initial
from model.machine import Phase
from proofs.instances import Size, fails
from properties.machine import INVARIANTS, LEMMAS
from vgicheck.engine.values import zeroed

EIGHT = Size("eight vCPUs", 8, 8, 2, ((1, 0), (1, 7), (27, 0), (34, 0)))


@pytest.mark.parametrize("vcpus", range(1, 9))
def test_sgis_are_enabled(vcpus: int):
    """SGIs are enabled for the vCPUs that exist, and nothing else is; private interrupts are edges, shared ones not."""
    s = initial(4, vcpus, REFERENCE)
    for intid in (0, 15, 16, 31, 32, 1019):
        assert [s.vm.irq_enabled[v, intid] for v in range(8)] == [v < vcpus and intid < 16 for v in range(8)]
        assert [s.vm.irq_cfg[v, intid] for v in range(8)] == [v < vcpus and intid < 32 for v in range(8)]


def test_shared_interrupts_go_to_vcpu_0():
    """Each shared interrupt is targeted at vCPU 0; without the switch it is in nobody's bitmap."""
    s = initial(4, 2, REFERENCE)
    assert all(s.vm.irq_spi_cpu[i] == 0 for i in range(1024)) and s.vm.irq_spi_target[0, 34]
    assert not s.vm.irq_spi_target[1, 34] and not s.vm.irq_spi_target[0, 31]
    assert not initial(4, 2, replace(REFERENCE, targets_every_vcpu=False)).vm.irq_spi_target[0, 34]


def test_nobody_runs():
    """Every thread is at the top of its loop and on no CPU, the interface is on in the shadow and off in the CPU."""
    s = initial(64, 8, REFERENCE)
    assert all(s.thread.phase[v] == Phase.HOST and not s.thread.loaded[v] for v in range(8))
    assert s.shadow.hcr[0] == replace(zeroed(Hcr), en=True) and not s.cpu.hcr[0].en
    assert not any(s.shadow.elrsr[0, l] for l in range(64))


@pytest.mark.parametrize("generation", GENERATIONS)
def test_start_keeps_everything(generation: str):
    """Every lemma and invariant holds of the initial state, in every generation."""
    switches = GENERATIONS[generation]
    s = initial(EIGHT.lrs, EIGHT.vcpus, switches)
    broken = [i.sentence for i in (*LEMMAS, *INVARIANTS) if fails(i, s, s, EIGHT, switches) is not False]
    assert broken == []

"""The flush made at once is the flush made turn by turn, each looking at what the turns before have left."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from model import queueing
from model.distributor import MAX_CPUS
from model.flush import SOURCES, FlushState, flush
from model.generation import NOVEMBER_2012, OCTOBER_2012, V3_10, Switches
from model.gich import Hcr
from model.machine import Machine, put
from vgicheck.engine.maps import Map
from vgicheck.engine.values import zeroed

IRQS, VCPUS = 36, 2
PRIVATE = [(bank, intid) for bank in range(VCPUS) for intid in range(32)]
BANKED = [*PRIVATE, *((0, intid) for intid in range(32, IRQS))]
SENT = [(to, sgi, by) for to in range(VCPUS) for sgi in range(16) for by in range(MAX_CPUS)]
TURNS = [(intid, source) for intid in range(IRQS) for source in range(MAX_CPUS if intid < 16 else 1)]


@pytest.fixture
def seed() -> int:
    """What the states are drawn from."""
    return 20121027


def drawn(pick: random.Random, looks: bool) -> FlushState:
    """Return any state of a vCPU, in which about half of everything waits; `looks` is its oracle bit."""

    def some(keys: list[tuple[int, ...]]) -> Map[bool]:
        return Map.of({key: pick.random() < 0.5 for key in keys}, False)

    cfg, active, state = (some(BANKED) for _ in range(3))  # type: ignore[arg-type]
    room = Map.of({(source, intid): pick.random() < 0.7 for intid, source in TURNS}, False)
    return replace(
        zeroed(FlushState),
        vcpu_id=1,
        hcr=replace(zeroed(Hcr), en=True, uie=pick.random() < 0.5),
        pending=some([(intid,) for intid in range(IRQS)]),
        irq_cfg=cfg,
        irq_active=active,
        irq_state=state,
        sgi_sources=Map.of({key: pick.random() < 0.2 for key in SENT}, False),
        pending_on_cpu=Map.of({(0,): pick.random() < 0.5, (1,): looks}, False),
        room=room,
    )


def turn_by_turn(s: FlushState, switches: Switches) -> tuple[Machine, set[tuple[int, int]], bool]:
    """Return the distributor after the turns, what was asked, by source and INTID, and whether something did not fit."""
    v = s.vcpu_id
    nothing = zeroed(Machine)
    vm = replace(
        nothing.vm, irq_cfg=s.irq_cfg, irq_active=s.irq_active, irq_state=s.irq_state, sgi_sources=s.sgi_sources
    )
    cached = Map.of({(v, intid): s.pending[intid] for intid in range(IRQS)}, False)
    m: Machine = replace(nothing, vm=vm, shadow=replace(nothing.shadow, cached=cached))
    asked: set[tuple[int, int]] = set()
    overflow = False
    if not s.pending_on_cpu[v]:
        return m, asked, False
    for intid, source in TURNS:
        if intid < 16 and source == 0 and s.pending[intid] and not any(s.sgi_sources[v, intid, c] for c in range(8)):
            m = replace(m, vm=put(m.vm, (v, intid), irq_state=False))
            if switches.queue_private_as_shared:
                m = replace(m, shadow=put(m.shadow, (v, intid), cached=False))
        if queueing.to_be_queued(m, v, intid, source, switches):
            asked.add((source, intid))
            fits = s.room[source, intid]
            overflow |= not fits
            m = queueing.take_note(m, v, intid, source, fits, SOURCES, switches)
    return m, asked, overflow


@pytest.mark.parametrize("switches", [OCTOBER_2012, NOVEMBER_2012, V3_10], ids=["2012-10", "2012-11", "v3.10"])
def test_no_turn_looks_at_what_another_leaves(switches: Switches, seed: int) -> None:
    """In every cell, and in what is asked; UIE and the oracle bit say that something did not fit."""
    pick = random.Random(seed)
    for looks in (True, False):
        s = drawn(pick, looks)
        new, (m, asked, overflow) = flush(s, switches, IRQS), turn_by_turn(s, switches)
        assert {(source, intid) for intid, source in TURNS if new.asked[source, intid]} == asked
        for key in [*pick.sample(PRIVATE[:32], 4), *PRIVATE[32:], *BANKED[64:]]:
            assert new.irq_state[key] == m.vm.irq_state[key] and new.irq_active[key] == m.vm.irq_active[key], key
        assert all(new.sgi_sources[key] == m.vm.sgi_sources[key] for key in pick.sample(SENT, 60))
        assert all(new.pending[intid] == m.shadow.cached[s.vcpu_id, intid] for intid in range(IRQS))
        assert new.hcr == replace(s.hcr, uie=overflow) and new.pending_on_cpu[s.vcpu_id] == overflow
        assert new.pending_on_cpu[0] == s.pending_on_cpu[0]
        assert bool(asked) == overflow == looks

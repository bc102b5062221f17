"""The registers' properties: which of them notice a fault in the decoding, a load or the configuration registers."""

from __future__ import annotations

import pytest

from mutation.exchange import faulty, text_of
from mutation.model_campaign import GICD, ICFGR, LOAD, MMIO, Subject, judged
from properties.mmio import MMIO as PROPERTIES
from vgicheck.engine.portfolio import Portfolio
from vgicheck.engine.verdict import Verdict

PORTFOLIO = Portfolio(60.0)
LANES, BANKED, SET_CLEAR, ONE_IRQ, FIXED, TARGET, FILTER, NOTICED = (p.id for p in PROPERTIES)

FAULTS: dict[tuple[Subject, str, str], set[str]] = {
    (GICD, "self.access.length)\n", "4)\n"): {LANES},
    (GICD, "field_of(access.offset, 1, 0) == 0", "field_of(access.offset, 0, 0) == 0"): {LANES},
    (GICD, "return and_(lt(intid, self.nr_irqs), not_(special))", "return not_(special)"): {FIXED},
    (GICD, "le(FIRST_SPECIAL_INTID, intid)", "lt(FIRST_SPECIAL_INTID, intid)"): {FIXED},
    (GICD, "target == self.vcpu, lt(source", "lt(source"): {BANKED},
    (LOAD, "a.vcpu == c, ", "c == 0, "): {FIXED},
    (LOAD, "0x4B00043B\n", "0x4B00043A\n"): {FIXED},
    (LOAD, "pending(vm, key, a.switches))", "vm.irq_state[key])"): {SET_CLEAR},
    (LOAD, "there = [(a.vcpu, ", "there = [(0, "): {SET_CLEAR},
    (LOAD, "lt(c, a.nr_cpus), b", "True, b"): {ONE_IRQ},
    (ICFGR, "(1, 1)))", "(0, 1)))"): {ONE_IRQ},
    (ICFGR, "half[n // 2] if n % 2 else False", "half[n // 2]"): {FIXED},
    (ICFGR, "le(NR_PRIVATE_IRQS, key[1]) if", "True if"): {FIXED},
    (MMIO, "key[2] == a.vcpu", "key[2] == 0"): {FILTER},
    (MMIO, "le(NR_PRIVATE_IRQS, ITARGETSR.first_of(offset))", "lt(ITARGETSR.first_of(offset), NR_PRIVATE_IRQS)"): {NOTICED},
    (MMIO, "reversed(range(MAX_CPUS))", "range(MAX_CPUS)"): {TARGET},
}  # fmt: skip
"""(where, text, the text of the fault): the properties that are refuted of it."""


@pytest.mark.parametrize(("where", "old", "new"), FAULTS, ids=lambda x: x if isinstance(x, str) else x.module)
def test_fault(where: Subject, old: str, new: str) -> None:
    """The properties that are named for a fault refute it."""
    noticed = FAULTS[where, old, new]
    found = judged(where, faulty(text_of(where.module), old, new), sorted(noticed), ["reference"], PORTFOLIO)
    assert {name for name, verdict in found if verdict is Verdict.REFUTED} == {f"{p} of reference" for p in noticed}

"""kvm_vgic_set_addr is held against the model: the right one is proved, a fault in it is not."""

from __future__ import annotations

import pytest

from vgicheck.engine.verdict import Obligation, Verdict

from .test_check import TEXT
from .test_refine import held, refuted

SET_ADDR = "kvm_vgic_set_addr"


def judged(text: str) -> Obligation:
    """Hold it against the model."""
    return held(text, SET_ADDR)


def test_the_example() -> None:
    """It compares the new address, and takes one whose region ends beyond the guest's memory."""
    found = judged(TEXT)
    assert found.verdict is Verdict.PROVED and found.method.endswith("addresses_from_vmm, set_addr_overlap"), found
    assert any(q.answer == "sat" for q in found.queries)


UNDONE = "\t\t*base = VGIC_ADDR_UNDEF;\n\t\tret = -EBUSY;\n"
FAULTS = {
    "an address that is set again": ("\tif (*base != VGIC_ADDR_UNDEF) {", "\tif (0) {"),
    "an address that is no page's": ("\tif (addr & ~PAGE_MASK)\n\t\treturn -EINVAL;\n", ""),
    "an address that stays": (UNDONE, UNDONE.partition("\n")[2]),
    "both addresses that go": (UNDONE, f"\t\tdist->vgic_dist_base = dist->vgic_cpu_base = VGIC_ADDR_UNDEF;\n{UNDONE}"),
    "another error": (UNDONE, UNDONE.replace("-EBUSY", "-EINVAL")),
    "the other address": ("\t\tbase = &dist->vgic_cpu_base;", "\t\tbase = &dist->vgic_dist_base;"),
    "a field beside": ("\t*base = addr;", "\tdist->enabled = 1;\n\t*base = addr;"),
}  # fmt: skip
"""What is replaced by what."""
QUICK = ("both addresses that go",)


@pytest.mark.parametrize("name", [pytest.param(n, marks=[] if n in QUICK else [pytest.mark.slow]) for n in FAULTS])
def test_a_fault_is_refuted(name: str) -> None:
    """Each fault is refuted by a run, from addresses that are apart."""
    old, new = FAULTS[name]
    refuted(old, new, SET_ADDR)

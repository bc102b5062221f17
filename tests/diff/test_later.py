"""A VGIC in the manner of v3.18 held against another: what lies behind pointers is where `check` has it."""

from __future__ import annotations

import pytest

from tests.check.test_later import FOLDER, HEADER, V2, VGIC, Texts
from vgicheck.check.tree import Source
from vgicheck.diff.diff import Change, compare
from vgicheck.diff.running import ORDER, SAME
from vgicheck.engine.portfolio import Portfolio
from vgicheck.engine.tasks import Runner
from vgicheck.engine.verdict import Obligation

FUNCTION = "kvm_vgic_target"
SAME_BY_ANOTHER_WAY = ("word >> 8 & 7", "(word >> 8) % 8")
DIFFERENT = {
    "a target": ("word >> 8 & 7", "(word >> 8) % 7"),
    "a row": ("vcpu->vcpu_id * 16", "vcpu->vcpu_id * 15"),
}


def compared(old: str, new: str) -> tuple[Change, list[Obligation]]:
    """Change vgic.c of the tree, compare a function, and return what became of it."""
    assert VGIC.count(old) == 1
    sources = []
    for vgic in (VGIC, VGIC.replace(old, new)):
        files = {"include/kvm/arm_vgic.h": HEADER, f"{FOLDER}/vgic.c": vgic, f"{FOLDER}/vgic-v2.c": V2}
        sources.append(Source("text", Texts(files), (f"{FOLDER}/vgic.c",)))
    found = compare(*sources, Runner(Portfolio(20), 1), FUNCTION)
    return next(f for f in found.functions if f.name == FUNCTION), list(found.obligations)


def test_equivalent() -> None:
    """What does the same to the maps is equivalent, and what is assumed of the pointers is told."""
    change, obligations = compared(*SAME_BY_ANOTHER_WAY)
    assert change.change == "equivalent" and {o.property for o in obligations} == {SAME, ORDER}
    told = {a.text for o in obligations for a in o.assumptions}
    assert "the maps of the VGIC are allocated, for 8 vCPUs and 256 interrupts" in told


@pytest.mark.parametrize("name", DIFFERENT)
def test_different(name: str) -> None:
    """What does something else to them is told by two runs."""
    change, _ = compared(*DIFFERENT[name])
    assert change.change == "different" and change.example is not None

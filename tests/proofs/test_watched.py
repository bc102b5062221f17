"""What our stubs do not write down in memory is written down by name when two sources are compared."""

from __future__ import annotations

from pathlib import Path

from proofs.bindings import vgic
from vgicheck.c.intrinsics import INTRINSICS
from vgicheck.c.ir import Assign, Call, Local, Void
from vgicheck.check.check import reading_of
from vgicheck.check.tree import find

EXAMPLE = Path(__file__).parents[2] / "examples/vgic"
CHECKS = {"vgicheck_claim", "vgicheck_assume"}
"""What a stub may call and still do nothing."""
PURE = {name for name in INTRINSICS if name.startswith(("test_bit", "find_", "ff", "fl", "__ff", "__fl"))} | {
    "readl", "vgicheck_container", "vgicheck_claim", "vgicheck_assume", "vgicheck_message", "__builtin_expect", "__builtin_unreachable",
}  # fmt: skip


ANSWERS = {"vgicheck_any", "vgicheck_unknown"}
"""What the kernel may answer, of which two programs need not get the same: refused where two are compared."""


def test_stubs_that_leave_no_trace_are_watched() -> None:
    """A service that gives nothing back and writes nothing does something that others notice."""
    program = reading_of(find(str(EXAMPLE)), "vgic.c").program
    silent = set()
    for name, function in program.functions.items():
        parts = [i for block in function.blocks for i in block.instructions]
        writes = any(isinstance(i, Assign) and not isinstance(i.target, Local) for i in parts)
        calls = {i.callee for i in parts if isinstance(i, Call)} - CHECKS
        if isinstance(function.result, Void) and not writes and not calls and function.loc.file != "vgic.c":
            silent.add(name)
    assert {"smp_mb", "kvm_vcpu_kick", "kvm_inject_dabt"} <= silent
    assert silent <= vgic.WATCHED.calls | vgic.WATCHED.order


def test_operations_that_are_given_are_told_apart() -> None:
    """Of the functions whose meaning is given, each only looks, or is watched, or is the plain form of one that is."""
    others = set(INTRINSICS) - PURE - ANSWERS - vgic.WATCHED.atomics - vgic.WATCHED.order
    assert {name.removeprefix("__") for name in others} <= vgic.WATCHED.atomics

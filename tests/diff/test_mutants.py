"""Functions of the example held against mutants of theirs: what is proved equivalent, no plain run tells apart."""

from __future__ import annotations

import random
import re
import shutil
from pathlib import Path

import pytest

from mutation.c_mutants import mutants
from vgicheck.check.tree import find
from vgicheck.diff.diff import Comparison
from vgicheck.diff.pair import attempts
from vgicheck.diff.plain import PlainRuns
from vgicheck.diff.running import ORDER, SAME, invariants
from vgicheck.engine.portfolio import Portfolio
from vgicheck.engine.verdict import Verdict

EXAMPLE = Path(__file__).parents[2] / "examples/vgic"
TEXT = (EXAMPLE / "vgic.c").read_text()
FUNCTIONS = ("vgic_kick_vcpus", "handle_sgir", "handle_target", "compute_pending_for_cpu", "vgic_queue_irq",
             "vgic_queue_sgi", "kvm_vgic_sync_hwstate", "kvm_vgic_vcpu_init")  # fmt: skip
"""Functions with loops, bit searches, or calls that get to one."""
DEAR = ("kvm_vgic_sync_hwstate", "vgic_queue_sgi")
"""Those that take minutes."""
MUTANTS, RUNS = 8, 2_000


@pytest.mark.slow
@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.long] if n in DEAR else []) for n in FUNCTIONS])
def test_no_proof_is_told_apart(tmp_path: Path, name: str) -> None:
    """Mutants are not all different; those that are proved not to be are run from states that the proof never saw."""
    found = re.search(rf"^[a-z][^\n;]*\b{name}\([^;{{]*?\)\n\{{.*?^\}}\n", TEXT, re.MULTILINE | re.DOTALL)
    assert found is not None
    chosen = mutants(name, found[0])
    random.Random(name).shuffle(chosen)
    shutil.copytree(EXAMPLE, tmp_path / "new")
    old, compared = find(str(EXAMPLE)), 0
    for mutant in chosen[:MUTANTS]:
        (tmp_path / "new" / "vgic.c").write_text(TEXT.replace(found[0], mutant.source))
        comparison = Comparison.of(old, find(str(tmp_path / "new")))
        if comparison.new.unread(name) is not None:
            continue
        pair = comparison.pair(name, name, Portfolio(10))
        attempt = attempts(pair, returned=True)[0]
        proved = [kind for kind in (SAME, ORDER) if attempt.obligation(kind).verdict is Verdict.PROVED]
        compared += 1
        if proved:
            apart = PlainRuns(pair, invariants(pair, of_the_state=True), RUNS, mutant.what).tried().apart
            assert not set(proved) & apart.keys(), mutant.what
    assert compared

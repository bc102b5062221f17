"""Runs of threads made again in compiled C: all of a source's, and what is seen where the C does otherwise."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from proofs import c_arguments
from proofs.arguments.in_c import IN_C
from proofs.meetings import Met, Source
from proofs.scenes import Scene
from tests.proofs.test_c_arguments import NOVEMBER, OCTOBER, judged, source
from vgicheck.c import native
from vgicheck.c.interleave import Broken
from vgicheck.cli import main
from vgicheck.engine.verdict import Verdict

pytestmark = pytest.mark.skipif(native.available() is not None, reason=f"needs native runs: {native.available()}")


def natively(path: Path, changes: tuple[tuple[str, str], ...]) -> Source:
    """Read the example with changes, whose refutations are to be replayed in compiled C."""
    return replace(source(path, changes), native=True)


@pytest.mark.parametrize(
    ("changes", "argument"),
    [
        (OCTOBER, "comment-same-vcpu"),
        pytest.param(NOVEMBER, "handler-rearms", marks=pytest.mark.slow),
        pytest.param((), "aborted-entry", marks=pytest.mark.slow),
    ],
)
def test_refutations_are_confirmed(changes: tuple[tuple[str, str], ...], argument: str, tmp_path: Path) -> None:
    """Each run that is shown was seen in compiled C too."""
    refuted = [o for o in judged(argument, natively(tmp_path, changes)) if o.verdict is Verdict.REFUTED]
    assert refuted and all(o.run is not None and o.run.replayed == ("python", "native") for o in refuted), [
        o.unconfirmed for o in refuted
    ]


@pytest.fixture(scope="module", name="lost")
def _lost(tmp_path_factory: pytest.TempPathFactory) -> tuple[Scene, Broken]:
    where = source(tmp_path_factory.mktemp("lost"), OCTOBER)
    met = Met.of(c_arguments.scenes(where.reading, IN_C["comment-same-vcpu"]), where.limit)
    return (met.in_turn | met.broken)["level-not-lost"]


def test_other_c(lost: tuple[Scene, Broken]) -> None:
    """C that leaves something else, that goes another way or that does not fail is told from the run."""
    scene, broken = lost
    active = next(c for c in broken.left if c.region.endswith("irq_active.shared[]"))
    wrong = replace(broken, left={**broken.left, active: 4})
    assert scene.natively(broken, True).differs == "" == scene.natively(broken, True).unconfirmed
    assert "compiled C leaves 0x0 in vgicheck_kvm.arch.vgic.irq_active" in scene.natively(wrong, True).differs
    assert "another order" in scene.natively(replace(broken, moves=broken.moves[1:]), True).unconfirmed
    assert scene.natively(replace(broken, trap="bug-on-unreachable: BUG()"), True).differs == (
        "compiled C goes on, where the run ends with `bug-on-unreachable: BUG()`"
    )
    shorter = replace(broken, moves=broken.moves[:-1])
    assert scene.natively(shorter, True).differs == "a thread has not ended in compiled C"


def test_another_text_is_compiled(lost: tuple[Scene, Broken]) -> None:
    """Where the text that is compiled is another one, the run is not confirmed."""
    scene, broken = lost
    text = scene.reading.text
    other = text.replace("cpu->vgic_lr[lr] &= ~GICH_LR_EOI;", "cpu->vgic_lr[lr] &= ~(GICH_LR_EOI | 2);")
    assert other != text
    scene.reading.text = other
    try:
        assert "vgic_lr" in scene.natively(broken, True).differs
    finally:
        scene.reading.text = text


def test_command(tmp_path: Path) -> None:
    """`--native` says where a run was seen, belongs to `--source`, and is off where it is not given."""

    def race(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(main, ["race", "--no-cache", "--jobs", "1", *arguments])
        return result.exit_code, result.output

    source(tmp_path, OCTOBER)
    of = ("comment-only-active", "--source", str(tmp_path / "vgic.c"))
    assert "seen in:    python\n" in race(*of)[1] and "seen in:    python, native\n" in race(*of, "--native")[1]
    assert race("lock-in-handler", "--native") == (
        2, "vgicheck: --native belongs to --source; the model is no C\n")  # fmt: skip

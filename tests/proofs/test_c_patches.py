"""Arguments judged of the C of a patch: as of the model of October 2012, with the switches that its handler stands for."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
from click.testing import CliRunner

from model.generation import OCTOBER_2012, Switches
from proofs import c_arguments, races
from proofs.arguments import ARGUMENTS
from proofs.arguments.in_c import IN_C
from proofs.bindings import kvm_2012
from proofs.meetings import Source
from proofs.scenes import around
from vgicheck.check.check import check, reading_of
from vgicheck.check.tree import find
from vgicheck.cli import main
from vgicheck.engine.portfolio import Portfolio
from vgicheck.engine.tasks import Runner
from vgicheck.engine.verdict import Verdict
from vgicheck.review.patch import load, read_patch
from vgicheck.review.shown import source_of

EXAMPLES = Path(__file__).parents[2] / "examples"
REST = kvm_2012.rest()
QUIESCES = replace(OCTOBER_2012, handler_quiesces=True)
REPORTS = replace(QUIESCES, handler_reports_empty=True)
PATCHES: dict[str, Switches] = {
    "bad-october-2012": OCTOBER_2012,
    "bad-elrsr-out-of-date": QUIESCES,
    "good-vgic-init": REPORTS,
    "bad-lock-in-handler": replace(REPORTS, irq_locks=True),
}
"""Patches, and the model that does what they do with what of the VGIC they do not show."""
QUICK = (
    ("bad-october-2012", "comment-same-vcpu"),
    ("good-vgic-init", "wfi-check"),
    ("bad-lock-in-handler", "lock-in-handler"),
)
LIMIT = 300_000
"""States of one machine of the model."""
UNDECIDED = (Verdict.UNKNOWN, Verdict.VACUOUS)
"""What one of the two may say where the other has an answer: C has no such step, or the model too many states."""


def _marks(name: str, argument: str) -> list[pytest.MarkDecorator]:
    """Leave to `make slow` what takes long and says little more."""
    return [] if (name, argument) in QUICK else [pytest.mark.slow, pytest.mark.long]


@pytest.fixture(scope="module", name="sources")
def _sources() -> dict[str, Source]:
    found = {}
    for name in PATCHES:
        patch = read_patch(*load(str(EXAMPLES / f"{name}.patch"), None))  # type: ignore[arg-type]
        source = source_of(patch, name, REST, kvm_2012.stubs())
        found[name] = Source(reading_of(source, source.paths[0], around()), source.paths[0], name)
    return found


@pytest.mark.parametrize(
    ("name", "argument"),
    [pytest.param(name, argument, marks=_marks(name, argument)) for name in PATCHES for argument in IN_C],
)
def test_c_and_model_agree(name: str, argument: str, sources: dict[str, Source]) -> None:
    """Premise, following and conclusion come out the same, of the patch's C and of the model."""
    of_c = [o.verdict for o in c_arguments.judged(ARGUMENTS[argument], sources[name])]
    whole = races.judged(ARGUMENTS[argument], PATCHES[name], ARGUMENTS[argument].sizes, LIMIT)
    of_model = [o.verdict for o in islice(whole, 3)]
    pairs = list(zip(of_c, of_model, strict=True))
    assert all(c is m or c in UNDECIDED or m in UNDECIDED for c, m in pairs), pairs
    assert of_c[2] is of_model[2]


@pytest.mark.slow
def test_the_rest_is_as_in_october_2012(tmp_path: Path) -> None:
    """What stands for what a patch does not show does what the model of October 2012 does, as far as that is bound."""
    (tmp_path / "vgic.c").write_text(REST.text)
    runner = Runner(Portfolio(60), 1)
    found = check(find(str(tmp_path)), ("refines-model",), runner).obligations
    assert {o.subject: (o.verdict, o.method.rpartition(" of ")[2]) for o in found} == dict.fromkeys(
        (
            "vgic_update_irq_state",
            "kvm_vgic_inject_irq",
            "vgic_kick_vcpus",
            "vgic_update_state",
            "compute_pending_for_cpu",
            "vgic_queue_irq",
            "__kvm_vgic_sync_to_cpu",
            "__kvm_vgic_sync_from_cpu",
            "vgic_maintenance_handler",
        ),
        (Verdict.PROVED, "2012-10"),
    )


def test_command(tmp_path: Path) -> None:
    """A patch is told from C by what it is; what it does not show is told, and wrong input is one line and status 2."""

    def race(source: str, *arguments: str, **more: bytes) -> tuple[int, str]:
        wanted = ["race", "--no-cache", "--jobs", "1", "--source", source, *arguments]
        result = CliRunner().invoke(main, wanted, **more)  # type: ignore[arg-type]
        return result.exit_code, result.output

    patch = EXAMPLES / "bad-october-2012.patch"
    code, output = race(str(patch), "comment-same-vcpu")
    shown = f"{patch}: arch/arm/kvm/vgic.c\n"
    assert code == 1 and output.startswith(shown)
    assert "so:         its premise is wrong, and the conclusion falls with it" in output
    assert "what the patch does not show is as in October 2012\n" in output
    line = next(
        n for n, text in enumerate(REST.text.split("\n"), 1) if "if (irq >= VGIC_NR_PRIVATE_IRQS && vgic" in text
    )
    assert (
        f"  rest_2012.c:{line}: if (irq >= VGIC_NR_PRIVATE_IRQS" in output and "vgic_maintenance_handler()\n" in output
    )
    again = race("-", "comment-same-vcpu", input=patch.read_bytes())
    assert again == (code, output.replace(shown, "-: arch/arm/kvm/vgic.c\n"))

    (tmp_path / "half.patch").write_bytes(patch.read_bytes()[:3000])
    (tmp_path / "words.txt").write_text("No diff, and no C.\n")
    for wrong, why in (
        (tmp_path / "half.patch", "the diff ends inside the hunk"),
        (tmp_path / "words.txt", "there is no function in words.txt"),
        (EXAMPLES / "bad-lr-count-five-bits.patch", "it changes none of"),
    ):
        code, output = race(str(wrong), "comment-same-vcpu")
        assert code == 2 and why in output and output.count("\n") == 1
    assert race("-", input=b"No diff.\n") == (2, "vgicheck: standard input: holds no diff; give a patch: a diff, a mail "
                                                "that carries one, or a saved Patchwork page\n")  # fmt: skip

"""Races planted in C, one of each kind: each is found, its repaired twin is proved, and cutting finer changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from proofs import c_races, meetings
from proofs.overlap import FUNCTION
from proofs.scenes import around
from vgicheck.check.check import reading_of
from vgicheck.check.tree import find
from vgicheck.cli import main
from vgicheck.engine.verdict import Obligation, Verdict

SOUND = (Path(__file__).parent / "races" / "vgic.c").read_text()
HANDLER, FLUSH, SYNC, INJECT = (
    "vgic_maintenance_handler", "kvm_vgic_flush_hwstate", "kvm_vgic_sync_hwstate", "kvm_vgic_inject_irq")  # fmt: skip
LOCKED = "spin_lock(&vcpu->kvm->arch.vgic.lock); /* handler */"
ARMED, ARMED_BY_PARTS = (
    "set_bit(vcpu->vcpu_id, &dist->irq_pending_on_cpu); /* arms */",
    "dist->irq_pending_on_cpu |= 1;",
)
CLEARED = "clear_bit(vcpu->vcpu_id, &dist->irq_pending_on_cpu); /* clears */"
CLEARED_BY_PARTS = "dist->irq_pending_on_cpu &= ~(1UL << vcpu->vcpu_id);"


def changed(*pairs: tuple[str, str], text: str = SOUND) -> str:
    """Replace parts of the sound source, each of which must be there."""
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    return text


def without_lock(where: str, text: str = SOUND) -> str:
    """Take out the lines with which a function takes and releases the lock."""
    mark = f"/* {where} */"
    assert mark in text
    return "\n".join("" if mark in line else line for line in text.split("\n"))


def by_sync(text: str) -> str:
    """Let the sync process the maintenance interrupt, as since v3.9."""
    old = "\tif (test_bit(0, (unsigned long *)cpu->vgic_elrsr))"
    assert old in text
    return text.replace(old, "\tvgic_process_maintenance(vcpu);\n" + old)


def judged(
    path: Path, text: str, one: str, two: str, limit: int = meetings.LIMIT, finer: bool = False
) -> dict[str, Obligation]:
    """Judge two functions of a text."""
    (path / "vgic.c").write_text(text)
    source = find(str(path / "vgic.c"))
    names = (FUNCTION[one].name, FUNCTION[two].name)
    read = meetings.Source(reading_of(source, "vgic.c", around()), "vgic.c", "", limit)
    task = c_races.between_task(read, *names, meetings.IDS, finer)
    return {o.property: o for o in task.run()}


HANDLER_UNLOCKED = without_lock("handler")
PLAIN_FLUSH = changed(
    ("spin_lock_irqsave(&dist->lock, flags); /* flush */", "spin_lock(&dist->lock);"),
    ("spin_unlock_irqrestore(&dist->lock, flags); /* flush */", "spin_unlock(&dist->lock);"),
)
TAKEN_FIRST = changed(
    (
        "if (test_bit(vcpu->vcpu_id, &dist->irq_pending_on_cpu))",
        "if (test_and_clear_bit(vcpu->vcpu_id, &dist->irq_pending_on_cpu))",
    ),
    (CLEARED, ""),
)
SWAPPED = (
    (
        "set_bit(irq_num, vcpu->arch.vgic_cpu.pending); /* first */",
        "set_bit(vcpu->vcpu_id, &dist->irq_pending_on_cpu);",
    ),
    (
        "set_bit(vcpu->vcpu_id, &dist->irq_pending_on_cpu); /* second */",
        "set_bit(irq_num, vcpu->arch.vgic_cpu.pending);",
    ),
)
UNARMED = "\n".join("" if "/* arms */" in line else line for line in SOUND.split("\n"))
PLANTED = {
    "missing lock": (HANDLER_UNLOCKED, SOUND, HANDLER, INJECT, "level-not-lost"),
    "missing lock in the sync": (without_lock("sync", by_sync(SOUND)), by_sync(SOUND), SYNC, INJECT, "level-not-lost"),
    "non-atomic |=": (
        without_lock("sync", by_sync(changed((ARMED, ARMED_BY_PARTS), (CLEARED, CLEARED_BY_PARTS)))),
        without_lock("sync", by_sync(SOUND)), SYNC, FLUSH, "level-not-lost"),
    "missing kick": (changed(("\t\tkvm_vcpu_kick(vcpu);", "\t\t;")), SOUND, FLUSH, INJECT, "kick-not-lost"),
    "wrong order": (without_lock("inject", changed(*SWAPPED, text=TAKEN_FIRST)), without_lock("inject", TAKEN_FIRST), FLUSH, INJECT, "level-not-lost"),
    "handler takes a lock held with interrupts on": (PLAIN_FLUSH, SOUND, HANDLER, FLUSH, "lock-irq-safe"),
}  # fmt: skip


@pytest.mark.parametrize("kind", PLANTED)
def test_planted(kind: str, tmp_path: Path) -> None:
    """A planted race is refuted with a run, and the twin without it is proved."""
    racy, mended, one, two, name = PLANTED[kind]
    found = judged(tmp_path, racy, one, two)[name]
    assert found.verdict is Verdict.REFUTED and found.run is not None and found.run.replayed == ("python",)
    assert found.reason.startswith("without any overlap") == (kind == "missing kick")
    assert judged(tmp_path, mended, one, two)[name].verdict is Verdict.PROVED


@pytest.mark.parametrize("kind", PLANTED)
def test_cut_finer(kind: str, tmp_path: Path) -> None:
    """With a step for every access to what is shared, needed or not, each verdict is the same."""
    racy, mended, one, two, _ = PLANTED[kind]
    for text in (racy, mended):
        coarse, fine = (judged(tmp_path, text, one, two, finer=finer) for finer in (False, True))
        assert {n: o.verdict for n, o in coarse.items()} == {n: o.verdict for n, o in fine.items()}


def test_without_overlap(tmp_path: Path) -> None:
    """What the functions break one after the other as well is said to be no matter of their overlap."""
    found = judged(tmp_path, UNARMED, HANDLER, FLUSH)["level-not-lost"]
    assert found.verdict is Verdict.REFUTED and found.reason.startswith("without any overlap: ")


def test_self_deadlock_and_a_lock_left(tmp_path: Path) -> None:
    """A lock taken twice breaks locks-balanced; one that is left held lets the other thread wait for ever."""
    mark = "spin_lock_irqsave(&dist->lock, flags); /* inject */"
    twice = changed((mark, mark + " spin_lock(&dist->lock);"))
    assert judged(tmp_path, twice, FLUSH, INJECT)["locks-balanced"].verdict is Verdict.REFUTED
    left = changed(
        ("spin_unlock_irqrestore(&dist->lock, flags); /* inject */", "if (!level) spin_unlock(&dist->lock);")
    )
    assert judged(tmp_path, left, HANDLER, INJECT)["no-deadlock"].verdict is Verdict.REFUTED


def test_not_understood(tmp_path: Path) -> None:
    """A call of an unknown function is unsupported, with its line, and nothing is proved."""
    text = changed(("\tvgic_process_maintenance(vcpu);\n\tspin", "\tvgic_unheard_of(vcpu);\n\tspin"))
    text = "void vgic_unheard_of(void *);\n" + text
    found = judged(tmp_path, text, HANDLER, INJECT)
    assert {o.verdict for o in found.values()} == {Verdict.UNSUPPORTED}
    line = 1 + next(n for n, line in enumerate(text.split("\n")) if "\tvgic_unheard_of(vcpu)" in line)
    assert all(o.location is not None and o.location.line == line for o in found.values())


def test_limit(tmp_path: Path) -> None:
    """A limit of states leaves unknown what it keeps from being seen."""
    found = judged(tmp_path, SOUND, HANDLER, INJECT, limit=5)
    assert found["level-not-lost"].verdict is Verdict.UNKNOWN and "limit of 5 states" in found["level-not-lost"].reason


def test_nothing_in_common(tmp_path: Path) -> None:
    """Functions of which neither touches what the other writes prove nothing."""
    text = changed((LOCKED, "return 0;"))
    assert judged(tmp_path, text, HANDLER, FLUSH)["level-not-lost"].verdict is Verdict.VACUOUS


def test_command(tmp_path: Path) -> None:
    """The command prints the run by CPU with source lines; wrong use is one line and exit code 2."""
    path = tmp_path / "vgic.c"
    path.write_text(HANDLER_UNLOCKED)

    def race(*arguments: str, source: str = str(path)) -> tuple[int, str]:
        result = CliRunner().invoke(main, ["race", "--no-cache", "--jobs", "1", "--source", source, *arguments])
        return result.exit_code, result.output

    between = ("--between", HANDLER, INJECT)
    code, output = race(*between, "--property", "level-not-lost")
    assert code == 1 and "CPU0" in output and "CPU1" in output
    (looks,) = (
        n for n, line in enumerate(HANDLER_UNLOCKED.split("\n"), 1) if "if (test_bit(irq - 32, dist->irq_state" in line
    )
    assert f"  {looks}: if (test_bit(irq - 32" in output
    assert '"subject": "vgic_maintenance_handler | kvm_vgic_inject_irq"' in race(*between, "--json", "-")[1]
    for wrong in ((HANDLER,), (*between, "--property", "none"), ("--between", HANDLER, HANDLER), ("--between", HANDLER, "vgic_handle_mmio"),
                  (*between, "--vcpus", "1")):  # fmt: skip
        code, output = race(*wrong)
        assert code == 2 and output.count("\n") == 1
    assert race(*between, source=str(tmp_path / "none.c"))[0] == 2

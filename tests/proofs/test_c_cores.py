"""The cores of runs of C as litmus tests: the run's outcome happens, is lost with what mends it, and has herd7's form."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from proofs import c_arguments
from proofs.arguments.in_c import IN_C
from proofs.meetings import Met
from proofs.scenes import Scene
from tests.proofs.test_c_arguments import (
    BY_SYNC,
    ENDLESS,
    HANDLER_UNLOCKED,
    NOVEMBER,
    SOUND,
    UNLOCKED_SYNC,
    source,
)
from vgicheck.c.core import NoCore, core
from vgicheck.c.interleave import Broken, Move
from vgicheck.cli import main
from vgicheck.engine.litmus import Barrier, Litmus, Lock, Read, Swap, Unlock, happens, herd7

FORM = re.compile(
    r"C [\w.-]+\n\n"
    r"\(\*\n(?: \* [^\n]*\n)+ \*\)\n\n"
    r"\{(?:\}|\n(?:\t\w+=\d+;\n)+\})\n\n"
    r"(?:P\d\((?:(?:int|spinlock_t) \*\w+(?:, )?)+\)\n\{\n(?:\tint r\d+;\n)*\n?"
    r"(?:\t(?:r\d+ = READ_ONCE\(\*\w+\)|WRITE_ONCE\(\*\w+, \d+\)|r\d+ = xchg(?:_relaxed)?\(\w+, \d+\)|spin_(?:un)?lock\(\w+\)"
    r"|smp_[rw]?mb\(\));(?: // \w[\w.]*:\d+, \w+\(\))?\n)+\}\n\n)+"
    r"exists \((?:(?:\d:r\d+|\w+)=\d+(?: /\\ )?)+\)\n"
)
"""A litmus test of the Linux kernel's memory model, as the C dialect of herd7 has it."""


def of_example(path: Path, changes: tuple[tuple[str, str], ...], argument: str, name: str) -> tuple[Scene, Broken]:
    """Return the run that breaks a property of the example with changes."""
    in_c = IN_C[argument]
    granted = frozenset(claim.sentence for claim in in_c.granted)
    met = Met.of(c_arguments.scenes(source(path, changes).reading, in_c), 10_000, believed=granted)
    return (met.in_turn | met.broken)[name]


def where(move: Move) -> str:
    """Name the innermost line of a step."""
    return f"{move.at[-1].file}:{move.at[-1].line}, f()"


def of_run(scene: Scene, broken: Broken) -> Litmus:
    """Return the core of a run."""
    return core("t", broken, scene.tasks, scene.first, where)


@pytest.fixture(scope="module", name="november")
def _november(tmp_path_factory: pytest.TempPathFactory) -> tuple[Scene, Broken]:
    return of_example(tmp_path_factory.mktemp("november"), NOVEMBER, "handler-rearms", "level-not-lost")


def test_the_outcome_of_a_run(november: tuple[Scene, Broken]) -> None:
    """The outcome happens with one access after the other, and what it says of each cell is what the run left there."""
    scene, broken = november
    litmus = of_run(scene, broken)
    assert happens(litmus, buffers=False) and happens(litmus, buffers=True)
    assert len(litmus.cpus) == 2 and FORM.fullmatch(herd7(litmus, ["a remark"]))
    left = {int(value) for cell, value in broken.left.items() if cell.region.endswith("irq_state.shared[]")}
    (line,) = (name for name in litmus.outcome if "irq_state" in name)
    assert {litmus.outcome[line]} == left
    reads = [(n, a) for n, cpu in enumerate(litmus.cpus) for a in cpu if isinstance(a, Read | Swap)]
    assert {f"{n}:{a.register}" for n, a in reads} == {what for what in litmus.outcome if ":" in what}


def test_another_outcome_does_not_happen(november: tuple[Scene, Broken]) -> None:
    """With the value of any one read changed, or what is left in a cell, no order of the accesses shows it."""
    litmus = of_run(*november)
    for what, value in litmus.outcome.items():
        assert not happens(replace(litmus, outcome={**litmus.outcome, what: value ^ 64}), buffers=True), what


def test_the_lock_that_mends_it(november: tuple[Scene, Broken]) -> None:
    """With what the handler does in one region under the lock that the injection takes the run cannot be."""
    litmus = of_run(*november)
    handler = tuple(a for a in litmus.cpus[0] if not isinstance(a, Lock | Unlock))
    (lock,) = {a.name for cpu in litmus.cpus for a in cpu if isinstance(a, Lock)}
    locked = replace(litmus, cpus=((Lock(lock), *handler, Unlock(lock)), litmus.cpus[1]), notes={})
    assert happens(replace(litmus, notes={}), buffers=False) and not happens(locked, buffers=True)


def test_what_is_left_out_is_of_one_cpu(november: tuple[Scene, Broken]) -> None:
    """Each variable is touched by both CPUs and written by one; no access of the run to such a cell is left out."""
    scene, broken = november
    litmus = of_run(scene, broken)
    for variable in litmus.variables:
        by = [n for n, cpu in enumerate(litmus.cpus) for a in cpu if getattr(a, "name", "") == variable]
        assert set(by) == {0, 1} and any(isinstance(a, Swap) and a.name == variable for cpu in litmus.cpus for a in cpu)
    of_cell: dict[object, set[int]] = {}
    for move in broken.moves:
        for cell, _ in (*move.reads, *move.writes):
            of_cell.setdefault(cell, set()).add(scene.tasks[move.task].cpu)
    written = {cell for move in broken.moves for cell, _ in move.writes}
    both = {cell for cell, by in of_cell.items() if len(by) > 1 and cell in written}
    kept = [c for m in broken.moves for c in {c for c, _ in (*m.reads, *m.writes)} & both if c.region[-5:] != ".held"]
    accesses = [a for cpu in litmus.cpus for a in cpu if not isinstance(a, Lock | Unlock | Barrier)]
    assert len(accesses) == len(kept) and len(litmus.locks) == 1


@pytest.mark.parametrize(
    ("changes", "argument", "name", "why"),
    [
        (HANDLER_UNLOCKED, "comment-same-vcpu", "premise", "no CPU touches"),
        pytest.param(
            (ENDLESS,), "comment-only-active", "active-iff-in-service", "no CPU touches", marks=pytest.mark.slow
        ),
    ],
)
def test_no_core(changes: tuple[tuple[str, str], ...], argument: str, name: str, why: str, tmp_path: Path) -> None:
    """A run of one CPU has no core."""
    with pytest.raises(NoCore, match=why):
        of_run(*of_example(tmp_path, changes, argument, name))


def test_a_run_that_ends_with_a_wait(november: tuple[Scene, Broken]) -> None:
    """What a thread that waits for a lock breaks is no outcome, and neither is a check that fails in the code."""
    scene, broken = november
    (last,) = broken.moves[-1:]
    waits = replace(broken, moves=(*broken.moves[:-1], replace(last, waits=next(iter(broken.left)))))
    for run in (waits, replace(broken, trap="bug-on-unreachable: BUG()")):
        with pytest.raises(NoCore, match="no outcome"):
            of_run(scene, run)


def test_an_outcome_that_does_not_happen_is_not_written(november: tuple[Scene, Broken]) -> None:
    """Where the run has a value that nobody wrote our search does not find the outcome, and there is no core."""
    scene, broken = november
    n, looks = next(
        (n, m)
        for n, m in enumerate(broken.moves)
        if not m.writes and m.reads and m.reads[0][0].region.endswith("irq_state.shared[]")
    )
    other = replace(looks, reads=tuple((cell, value ^ 64) for cell, value in looks.reads))
    with pytest.raises(NoCore, match="do not show the outcome"):
        of_run(scene, replace(broken, moves=(*broken.moves[:n], other, *broken.moves[n + 1 :])))


def test_barriers_of_the_source(tmp_path: Path) -> None:
    """A barrier of the source stands where it stands there, and what is no barrier is none."""
    clears = "\tclear_bit(vcpu->vcpu_id, &dist->irq_pending_on_cpu);\n"
    assert SOUND.count(clears) == 1

    def barriers(more: str) -> list[str]:
        changes = (*BY_SYNC, *UNLOCKED_SYNC, (clears, clears + more))
        litmus = of_run(*of_example(tmp_path, changes, "sync-rearms", "level-not-lost"))
        return [a.name for cpu in litmus.cpus for a in cpu if isinstance(a, Barrier)]

    without = barriers("\tbarrier();\n")
    assert barriers("\tsmp_wmb();\n") == [*without, "smp_wmb"] and barriers("\tmb();\n") == [*without, "smp_mb"]


def test_command(tmp_path: Path) -> None:
    """`--litmus` writes a file for each run that has a core, says of the others why not, and changes nothing else."""
    source(tmp_path, NOVEMBER)

    def race(*arguments: str) -> tuple[int, list[str]]:
        wanted = ["race", "--no-cache", "--jobs", "1", "--source", str(tmp_path / "vgic.c"), *arguments]
        result = CliRunner().invoke(main, wanted)
        return result.exit_code, result.output.splitlines()

    code, lines = race("handler-rearms", "comment-same-vcpu", "--litmus", str(tmp_path / "cores"))
    said = [line for line in lines if line.startswith("  litmus:")]
    assert code == 1 and race("handler-rearms", "comment-same-vcpu") == (1, [n for n in lines if n not in said])
    files = {file.name: file.read_text() for file in (tmp_path / "cores").iterdir()}
    assert "handler-rearms.level-not-lost.litmus" in files
    assert all(any(line.endswith(f": {name}") for line in said) for name in files)
    assert "handler-rearms.premise.litmus" not in files
    for text in files.values():
        assert FORM.fullmatch(text) and "on the CPU that it interrupts." in text
    lines = (tmp_path / "vgic.c").read_text().split("\n")
    (line,) = (n for n, text in enumerate(lines, 1) if text.startswith("\t\t\t\tclear_bit(cpu->vgic_lr[lr] & "))
    assert re.search(rf"xchg_relaxed\(\w+, \d+\); // vgic.c:{line}, ", files["handler-rearms.level-not-lost.litmus"])
    for wrong in (("--litmus", "/dev/null/here"), ("--litmus", "x", "--between", "vgic_maintenance_handler",
                                                  "kvm_vgic_inject_irq")):  # fmt: skip
        code, lines = race(*wrong)
        assert code == 2 and len(lines) == 1

"""Machines of C of other sizes, and every step that breaks a conclusion."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from proofs import c_arguments
from proofs.arguments import ARGUMENTS
from proofs.arguments.in_c import IN_C
from proofs.meetings import ANY_OTHER, Met, Source
from proofs.scenes import QUEUED, Extent
from tests.proofs.test_c_arguments import (
    EXAMPLE,
    INTERRUPTED,
    NOVEMBER,
    OCTOBER,
    PLANTED,
    PROVED,
    REFUTED,
    Change,
    judged,
    source,
)
from vgicheck.cli import main
from vgicheck.engine.portfolio import Portfolio
from vgicheck.engine.tasks import Runner
from vgicheck.engine.verdict import Obligation, Verdict

FULL: Change = ("\tif (lr >= cpu->nr_lr)\n\t\treturn false;\n", "\tif (lr >= cpu->nr_lr)\n\t\tlr = 0;\n")
"""A flush that takes the first list register where all are full."""

QUEUED_ONLY = replace(IN_C["comment-only-active"], casts=IN_C["comment-only-active"].casts[:1], situations=(QUEUED,))
"""Where an interrupt is in a list register, and no device changes its line."""


def sized(where: Source, vcpus: int, irqs: int, lrs: int | None = None) -> Source:
    """Return a source of which larger machines are run."""
    return replace(where, extent=Extent(vcpus, irqs), lrs=lrs)


@pytest.fixture(scope="module", name="sound")
def _sound(tmp_path_factory: pytest.TempPathFactory) -> Source:
    return source(tmp_path_factory.mktemp("sound"))


def states(where: Source, argument: str) -> int:
    """Return how many states there are, all of which are run."""
    met = Met.of(c_arguments.scenes(where.reading, IN_C[argument], where.lrs, where.extent), where.limit)
    assert not met.cut and met.trouble is None
    return met.states


@pytest.mark.slow
@pytest.mark.parametrize(
    ("vcpus", "irqs", "said"),
    [
        (3, 1, "up to 3 vCPUs, SPI 34, 1 list register;"),
        (2, 2, "up to 2 vCPUs, SPIs 34, 48, 1 list register;"),
    ],
)
def test_larger_machines(vcpus: int, irqs: int, said: str, sound: Source) -> None:
    """With more vCPUs or interrupts the conclusion still holds, of more states, and the bounds say of what."""
    where = sized(sound, vcpus, irqs)
    found = judged("sync-rearms", where)
    assert [o.verdict for o in found] == [PROVED] * 3 and all(said in o.bounds for o in found)
    assert states(where, "sync-rearms") > states(sound, "sync-rearms")


def test_the_default_is_two_vcpus_and_an_interrupt(sound: Source) -> None:
    """Asked for what is the default, the machines are the same."""
    assert judged("sync-rearms", sound) == judged("sync-rearms", sized(sound, 2, 1))


def test_a_full_set_of_list_registers(tmp_path: Path) -> None:
    """What only two interrupts for one vCPU break is found with two, and neither with one nor where there is room."""
    where = source(tmp_path, (FULL,))

    def broken(vcpus: int, irqs: int, lrs: int) -> bool:
        of = sized(where, vcpus, irqs, lrs)
        queued = (scene for scene in c_arguments.scenes(of.reading, QUEUED_ONLY, lrs, of.extent))
        met = Met.of(queued, of.limit)
        return "active-iff-in-service" in met.broken | met.in_turn

    assert [broken(2, irqs, lrs) for irqs, lrs in ((1, 1), (2, 1), (2, 2))] == [False, True, False]


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind", ["nobody looks again", "a line that rises unseen", "no handler, and no lock in the sync"]
)
@pytest.mark.parametrize(("vcpus", "irqs", "lrs"), [(3, 1, 1), (2, 2, 1), (3, 2, 2)])
def test_planted_in_larger_machines(kind: str, vcpus: int, irqs: int, lrs: int, tmp_path: Path) -> None:
    """What is planted is found in larger machines as well, also where another interrupt that rises would hide it."""
    changes, argument, expected = PLANTED[kind]
    found = judged(argument, sized(source(tmp_path, changes), vcpus, irqs, lrs))
    assert tuple(o.verdict for o in found) == expected, [o.reason for o in found]


def causes(argument: str, where: Source) -> list[Obligation]:
    """Return what is found of every step that breaks the conclusion of an argument."""
    (found,) = Runner(Portfolio(60), 1).run([c_arguments.cause_task(ARGUMENTS[argument], where)], 600)
    return found


def line_of(path: Path, text: str) -> int:
    """Return the line of a text of the source."""
    (line,) = (
        n for n, found in enumerate((path / "vgic.c").read_text().split("\n"), 1) if found.strip().startswith(text)
    )
    return line


def test_every_cause(tmp_path: Path) -> None:
    """An interrupt is lost in two ways: each has its step once, and a run with it that is made again."""
    where = source(tmp_path, OCTOBER)
    rest, *found = causes("comment-same-vcpu", where)
    assert (rest.property, rest.verdict) == (f"level-not-lost at {ANY_OTHER}", PROVED)
    assert {o.property.split(" at ")[1].split(":")[0] for o in found} == {
        "kvm_vgic_inject_irq",
        "kvm_vgic_flush_hwstate",
    }
    assert len({o.property for o in found}) == len(found)
    for o in found:
        line = int(o.property.rpartition(":")[2])
        assert o.verdict is REFUTED and o.run is not None and o.run.replayed == ("python",)
        assert any(line in turn.arguments for turn in o.run.turns)


def test_one_cause(tmp_path: Path) -> None:
    """With the handler in time only the line that rises unseen is left; its step comes between the look and the clearing."""
    where = source(tmp_path, NOVEMBER)
    (_, only) = causes("handler-rearms", where)
    assert only.run is not None and only.property.startswith("level-not-lost at kvm_vgic_inject_irq:")
    turns, line = only.run.turns, int(only.property.rpartition(":")[2])
    at = next(n for n, turn in enumerate(turns) if turn.arguments == (line,))
    assert "vgic_maintenance_handler" in {turn.step for turn in turns[:at]}
    cleared = line_of(tmp_path, "clear_bit(cpu->vgic_lr[lr] & GICH_LR_VIRTUALID, cpu->pending)")
    assert (cleared,) in {turn.arguments for turn in turns[at:]} - {turn.arguments for turn in turns[:at]}


def test_a_cause_that_is_a_wait(tmp_path: Path) -> None:
    """A step that waits for ever is a cause of its own, named by its line."""
    rest, *found = causes("lock-in-handler", source(tmp_path, (INTERRUPTED,)))
    assert rest.verdict is PROVED
    assert [o.property.split(":")[0] for o in found] == ["lock-irq-safe at vgic_maintenance_handler"]


def test_no_cause(sound: Source) -> None:
    """Where a conclusion holds no step breaks it; where not every state was run, that is not said."""
    assert [o.verdict for o in causes("sync-rearms", sound)] == [PROVED]
    assert [o.verdict for o in causes("sync-rearms", replace(sound, limit=20))] == [Verdict.UNKNOWN]


def test_command(tmp_path: Path) -> None:
    """Sizes and causes are asked for by options; what is not there for C is wrong use, in one line."""

    def race(*arguments: str, of: Path = EXAMPLE) -> tuple[int, str]:
        result = CliRunner().invoke(main, ["race", "--no-cache", "--jobs", "1", "--source", str(of), *arguments])
        return result.exit_code, result.output

    code, output = race("sync-rearms", "--vcpus", "2", "--irqs", "2", "--limit-states", "50")
    assert code == 3 and "the limit of 50 states was reached" in output and "proved for:" not in output
    source(tmp_path, NOVEMBER)
    code, output = race("handler-rearms", "--show-all", of=tmp_path)
    shown = [line for line in output.splitlines() if line.startswith("  level-not-lost at ")]
    assert code == 1 and len(shown) == 1 and "REFUTED" in shown[0] and "  [2]" in shown[0]
    for wrong in (("--vcpus", "1"), ("--cpus", "2"), ("--generation", "2012-11"), ("--fix?",),
                  ("--between", "vgic_maintenance_handler", "kvm_vgic_inject_irq", "--irqs", "2"),
                  ("--between", "vgic_maintenance_handler", "kvm_vgic_inject_irq", "--show-all")):  # fmt: skip
        code, output = race(*wrong)
        assert code == 2 and output.count("\n") == 1

"""Arguments judged of C: faults planted in the example, one for each way in which an argument can fail."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from proofs import c_arguments
from proofs.arguments import ARGUMENTS
from proofs.arguments.in_c import ELSEWHERE, IN_C
from proofs.meetings import Met, Source
from proofs.races import PREMISE
from proofs.scenes import around
from vgicheck.check.check import reading_of
from vgicheck.check.tree import find
from vgicheck.cli import main
from vgicheck.engine.verdict import Obligation, Verdict

EXAMPLE = Path(__file__).parents[2] / "examples/vgic"
SOUND = (EXAMPLE / "vgic.c").read_text()
Change = tuple[str, str]

SYNC_UNLOCKS = "\tspin_unlock_irqrestore(&vcpu->kvm->arch.vgic.lock, flags);\n"
LOOKS_AGAIN = "\tvgic_update_state(vcpu->kvm);\n" + SYNC_UNLOCKS
BLIND: Change = (
    LOOKS_AGAIN,
    "\tif (find_first_zero_bit((unsigned long *)cpu->vgic_elrsr, cpu->nr_lr) < cpu->nr_lr)\n"
    "\t\tset_bit(vcpu->vcpu_id, &vcpu->kvm->arch.vgic.irq_pending_on_cpu);\n" + SYNC_UNLOCKS,
)
"""A sync that looks at no line, but has the next flush look at all that waits while a list register is not empty."""
UNREPORTED: Change = (
    "\t\t\tif (!(cpu->vgic_lr[lr] & GICH_LR_STATE))\n\t\t\t\tset_bit(lr, (unsigned long *)cpu->vgic_elrsr);\n",
    "",
)
HANDLER_UNLOCKED: tuple[Change, ...] = (
    ("\tspin_lock(&dist->lock);\n\tif (cpu->vgic_misr & GICH_MISR_EOI)", "\tif (cpu->vgic_misr & GICH_MISR_EOI)"),
    ("\tspin_unlock(&dist->lock);\n\treturn IRQ_HANDLED;", "\treturn IRQ_HANDLED;"),
)
CLEARS = "\t\t\tvgic_assign(&dist->irq_active, vcpu->vcpu_id, cpu->vgic_lr[lr] & GICH_LR_VIRTUALID, 0);\n"
REARMS = """\
			if (vgic_test(&dist->irq_state, vcpu->vcpu_id, cpu->vgic_lr[lr] & GICH_LR_VIRTUALID)) {
				set_bit(cpu->vgic_lr[lr] & GICH_LR_VIRTUALID, cpu->pending);
				set_bit(vcpu->vcpu_id, &dist->irq_pending_on_cpu);
			} else {
				clear_bit(cpu->vgic_lr[lr] & GICH_LR_VIRTUALID, cpu->pending);
			}
"""
SYNC_LOCKS = "\tspin_lock_irqsave(&vcpu->kvm->arch.vgic.lock, flags);\n"
SYNC_FREES = "\tfor_each_set_bit(lr, (unsigned long *)cpu->vgic_elrsr, cpu->nr_lr)\n\t\tif (test_and_clear"
BY_SYNC: tuple[Change, ...] = (
    (
        SYNC_FREES,
        "\tfor_each_set_bit(lr, (unsigned long *)cpu->vgic_eisr, cpu->nr_lr) {\n"
        "\t\tstruct vgic_dist *dist = &vcpu->kvm->arch.vgic;\n\n"
        + CLEARS + REARMS +
        "\t\tcpu->vgic_lr[lr] &= ~GICH_LR_EOI;\n"
        "\t\tset_bit(lr, (unsigned long *)cpu->vgic_elrsr);\n\t}\n" + SYNC_FREES,
    ),
    (
        "static irqreturn_t vgic_maintenance_handler(int irq, void *data)\n{",
        "static irqreturn_t vgic_maintenance_handler(int irq, void *data)\n{\n\treturn IRQ_HANDLED;\n}\n\n"
        "static irqreturn_t vgic_former_handler(int irq, void *data)\n{",
    ),
)  # fmt: skip
UNLOCKED_SYNC: tuple[Change, ...] = ((SYNC_LOCKS, ""), (LOOKS_AGAIN, ""))
PLAIN_OR: tuple[Change, ...] = (
    (SYNC_LOCKS, ""),
    (LOOKS_AGAIN, "\tvcpu->kvm->arch.vgic.irq_pending_on_cpu |= 1UL << vcpu->vcpu_id;\n"),
)
OCTOBER = (BLIND, UNREPORTED, *HANDLER_UNLOCKED)
NOVEMBER = (*OCTOBER, (CLEARS, CLEARS + REARMS))
ENDLESS: Change = (
    "GICH_LR_PENDING_BIT;\n\t\tif (!vgic_test(&vcpu->kvm->arch.vgic.irq_cfg, vcpu->vcpu_id, irq))\n"
    "\t\t\tcpu->vgic_lr[lr] |= GICH_LR_EOI;\n",
    "GICH_LR_PENDING_BIT;\n",
)
INTERRUPTED: Change = (
    "\tspin_lock_irqsave(&dist->lock, flags);\n\tif (!kvm_vgic_vcpu_pending_irq(vcpu))",
    "\tspin_lock(&dist->lock);\n\tflags = 0;\n\tif (!kvm_vgic_vcpu_pending_irq(vcpu))",
)
UNKICKED: Change = ("\tif (kick)\n\t\tvgic_kick_vcpus(kvm);\n", "")
STALE: Change = ("\tclear_bit(lr, (unsigned long *)cpu->vgic_elrsr);\n\treturn true;", "\treturn true;")
"""A list register that is filled and still reported empty."""
FORGETFUL: Change = (
    "if (vgic_test(&dist->irq_active, 0, i))\n\t\t\tcontinue;",
    "if (vgic_test(&dist->irq_active, 0, i)) {\n\t\t\tclear_bit(i, cpu->pending);\n\t\t\tcontinue;\n\t\t}",
)
"""A flush that forgets what it passes."""

PROVED, REFUTED, VACUOUS = Verdict.PROVED, Verdict.REFUTED, Verdict.VACUOUS
PLANTED: dict[str, tuple[tuple[Change, ...], str, tuple[Verdict, Verdict, Verdict]]] = {
    "nobody looks again": (OCTOBER, "comment-same-vcpu", (REFUTED, PROVED, REFUTED)),
    "nobody looks elsewhere": ((*OCTOBER, FORGETFUL), "comment-migrated", (PROVED, REFUTED, REFUTED)),
    "an end that nobody hears of": ((ENDLESS,), "comment-only-active", (REFUTED, PROVED, REFUTED)),
    "the handler comes late": (OCTOBER, "handler-in-time", (REFUTED, PROVED, REFUTED)),
    "a word written back": (PLAIN_OR, "sync-sets-oracle", (REFUTED, PROVED, PROVED)),
    "a line that rises unseen": (NOVEMBER, "handler-rearms", (REFUTED, PROVED, REFUTED)),
    "the same, in a flush": ((*NOVEMBER, FORGETFUL), "flush-clears-oracle", (REFUTED, PROVED, PROVED)),
    "nobody is woken": ((UNKICKED,), "wfi-check", (PROVED, REFUTED, REFUTED)),
    "a lock that the thread holds": ((INTERRUPTED,), "lock-in-handler", (REFUTED, PROVED, REFUTED)),
    "no handler, and no lock in the sync": ((*BY_SYNC, *UNLOCKED_SYNC), "sync-rearms", (REFUTED, PROVED, REFUTED)),
    "no handler, and none in time": ((*BY_SYNC, *UNLOCKED_SYNC), "handler-rearms", (VACUOUS, REFUTED, REFUTED)),
    "what was saved is stale": ((STALE,), "aborted-entry", (REFUTED, PROVED, REFUTED)),
}  # fmt: skip
"""What is changed in the example, and the verdicts on an argument: premise, following, conclusion."""
AS_IT_IS = {
    "comment-same-vcpu": REFUTED,
    "comment-migrated": PROVED,
    "comment-only-active": REFUTED,
    "handler-in-time": REFUTED,
    "sync-sets-oracle": PROVED,
    "flush-clears-oracle": REFUTED,
    "wfi-check": PROVED,
    "lock-in-handler": PROVED,
    "handler-rearms": VACUOUS,
    "sync-rearms": PROVED,
    "aborted-entry": REFUTED,
}
"""The verdict on each premise in the example, in which every conclusion holds."""
LONG = ("aborted-entry", "flush-clears-oracle", "sync-sets-oracle")
"""Arguments that have most states in the example."""


def source(path: Path, changes: tuple[Change, ...] = ()) -> Source:
    """Read the example with changes, each in a place of its own."""
    text = SOUND
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    (path / "vgic.c").write_text(text)
    (path / "kvm_vgic.h").write_text((EXAMPLE / "kvm_vgic.h").read_text())
    reading = reading_of(find(str(path / "vgic.c")), "vgic.c", around())
    assert not reading.unread.keys() & reading.places.keys()
    return Source(reading, "vgic.c", "")


def judged(argument: str, where: Source) -> list[Obligation]:
    """Judge an argument: premise, following, conclusion."""
    return list(c_arguments.judged(ARGUMENTS[argument], where))


DEAR = "what was saved is stale"
"""What is planted that takes longest to find."""


@pytest.mark.parametrize("kind", [pytest.param(k, marks=[pytest.mark.slow] if k == DEAR else []) for k in PLANTED])
def test_planted(kind: str, tmp_path: Path) -> None:
    """What is refuted has a run of the source's own lines, which was made again."""
    changes, argument, expected = PLANTED[kind]
    found = judged(argument, source(tmp_path, changes))
    assert tuple(o.verdict for o in found) == expected, [o.reason for o in found]
    for o in found:
        assert (o.run is not None) is (o.verdict is REFUTED)
        assert o.run is None or (o.run.replayed == ("python",) and o.run.turns)


@pytest.fixture(scope="module", name="sound")
def _sound(tmp_path_factory: pytest.TempPathFactory) -> Source:
    return source(tmp_path_factory.mktemp("sound"))


@pytest.mark.parametrize(
    "argument", [pytest.param(name, marks=[pytest.mark.slow] if name in LONG else []) for name in IN_C]
)
def test_the_example(argument: str, sound: Source) -> None:
    """In the example every conclusion holds, whatever becomes of the premise."""
    found = judged(argument, sound)
    assert [o.verdict for o in found] == [AS_IT_IS[argument], PROVED, PROVED], [o.reason for o in found]


@pytest.mark.parametrize(
    "kind",
    [
        "nobody looks again",
        pytest.param("a line that rises unseen", marks=pytest.mark.slow),
        pytest.param("no handler, and no lock in the sync", marks=pytest.mark.slow),
    ],
)
def test_cut_finer(kind: str, tmp_path: Path) -> None:
    """With a step for every access to what is shared the same things fail, and the same are met."""
    changes, argument, _ = PLANTED[kind]
    where, in_c = source(tmp_path, changes), IN_C[argument]
    granted = frozenset(claim.sentence for claim in in_c.granted)
    for believed in (granted, granted | {PREMISE}):
        coarse, fine = (
            Met.of(c_arguments.scenes(where.reading, in_c), where.limit, finer, believed) for finer in (False, True)
        )
        assert coarse.states < fine.states and not fine.cut
        assert coarse.broken.keys() | coarse.in_turn.keys() == fine.broken.keys() | fine.in_turn.keys()
        assert coarse.met == fine.met


def test_every_argument_is_judged_or_says_why_not(tmp_path: Path) -> None:
    """An argument of code outside of vgic.c is unsupported, and one of a function that is not there vacuous."""
    assert IN_C.keys() | ELSEWHERE.keys() == ARGUMENTS.keys() and not IN_C.keys() & ELSEWHERE.keys()
    renamed = (("int kvm_vgic_vcpu_pending_irq(", "int vgic_waits("), ("!kvm_vgic_vcpu_pending_irq(", "!vgic_waits("))
    where = source(tmp_path, renamed)
    for argument in ELSEWHERE:
        assert {(o.verdict, ELSEWHERE[argument] in o.reason) for o in judged(argument, where)} == {
            (Verdict.UNSUPPORTED, True)
        }
    assert {o.verdict for o in judged("wfi-check", where)} == {VACUOUS}


def test_a_limit(sound: Source) -> None:
    """Where not every state was run nothing is proved."""
    few = Source(sound.reading, sound.path, sound.text, 20)
    assert Verdict.PROVED not in {o.verdict for o in judged("sync-rearms", few)}


def test_command(tmp_path: Path) -> None:
    """The command judges the arguments named, with CPU columns and source lines; wrong use is one line and status 2."""

    def race(*arguments: str, of: Path = EXAMPLE) -> tuple[int, str]:
        result = CliRunner().invoke(main, ["race", "--no-cache", "--jobs", "1", "--source", str(of), *arguments])
        return result.exit_code, result.output

    code, output = race("comment-same-vcpu")
    assert code == 1 and "so:         its premise is wrong; the conclusion holds all the same" in output
    (line,) = (n for n, text in enumerate(SOUND.split("\n"), 1) if text == "\t\tclear_bit(irq, bits);")
    assert (
        "vgic_maintenance_handler()\n" in output and f"  {line}: clear_bit(irq, bits);" in output and "CPU0" in output
    )
    assert race("lock-in-handler")[0] == 0
    for wrong in (
        ("no-such-argument",),
        ("lock-in-handler", "--property", "level-not-lost"),
        ("lock-in-handler", "--between", "vgic_maintenance_handler", "kvm_vgic_inject_irq"),
        ("lock-in-handler", "--fix"),
    ):
        code, output = race(*wrong)
        assert code == 2 and output.count("\n") == 1
    (tmp_path / "empty.c").write_text("")
    code, output = race("lock-in-handler", of=tmp_path / "empty.c")
    assert code == 2 and output.count("\n") == 1 and "no function" in output

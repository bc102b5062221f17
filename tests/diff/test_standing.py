"""What two programs have in common stands for itself: nothing that differs before, around or after it is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from vgicheck.check.tree import find
from vgicheck.diff.diff import Comparison
from vgicheck.diff.pair import STANDING, Attempt, attempts
from vgicheck.diff.running import ORDER, SAME, Pair
from vgicheck.engine.portfolio import Portfolio
from vgicheck.engine.verdict import Verdict

EXAMPLE = Path(__file__).parents[2] / "examples/vgic"
OLD = """
static u32 table[64], other[64], total, kept;

static u32 summed(u32 from)
{
	u32 i, found = 0;

	for (i = from; i < 64; i++) {
		found += table[i];
		table[i] = found;
	}
	total = found;
	return found;
}

static void filled(u32 *least, u32 n)
{
	u32 i;

	for (i = 0; i < n; i++)
		if (table[i] < *least)
			*least = table[i];
}

u32 called(u32 a, u32 b)
{
	u32 got;

	kept = a & 0xff;
	table[3] = b;
	got = summed(a);
	return got + total;
}

u32 looped(u32 a, u32 n)
{
	u32 i, least = 7;

	other[5] = a;
	kept = a;
	for (i = 0; i < n; i++) {
		table[i & 63] += other[i & 63];
		if (table[i & 63] == 9)
			least = i;
	}
	table[0] = 1;
	return least;
}

u32 passed(u32 a)
{
	u32 least = 100;

	filled(&least, 64);
	kept = 3;
	return least + a;
}

u32 twice(u32 a)
{
	u32 x = summed(a);

	spin_lock(&lock);
	x += summed(x);
	spin_unlock(&lock);
	return x;
}

void kicks(struct kvm_vcpu *vcpu, u32 a)
{
	summed(a);
	if (a == 70)
		kvm_vcpu_kick(vcpu);
}

void back(u32 a)
{
	u32 was = table[3];

	summed(a);
	kept = was;
	summed(a);
}

u32 sums(u32 n)
{
	u32 i, a = 0, b = 0;

	kept = n << 1;
	for (i = 0; i < n; i++) {
		a += table[i & 63];
		b += other[i & 63];
	}
	return a;
}

u32 sought(u32 n)
{
	u32 i;

	kept = n << 1;
	for (i = 0; i < n; i++) {
		if (table[i & 63] == 3)
			return i;
		if (other[i & 63] == 3)
			goto out;
	}
	total = 1;
out:
	kept = 4;
	return 64;
}

void searched(struct kvm_vcpu *vcpu, u32 limit)
{
	u32 lr;

	kept = limit << 1;
	for_each_set_bit(lr, vcpu->arch.vgic_cpu.lr_used, vcpu->arch.vgic_cpu.nr_lr)
		table[lr] = other[lr];
	table[1] = kept;
}
""".replace("static u32 table", "static DEFINE_SPINLOCK(lock);\nstatic u32 table")
THE_SAME = {
    "a mask written otherwise": ("called", "kept = a & 0xff;", "kept = (a << 24) >> 24;"),
    "stores in another order": ("called", "kept = a & 0xff;\n\ttable[3] = b;", "table[3] = b;\n\tkept = a & 0xff;"),
    "a sum the other way round": ("called", "return got + total;", "return total + got;"),
    "a store moved past a loop that does not see it": ("looped", "\tkept = a;\n\tfor (i", "\tkept = a + 0;\n\tfor (i"),
    "a local of another name": ("looped", "u32 i, least = 7;", "u32 i, least = 3 + 4;"),
    "a local written otherwise": ("passed", "u32 least = 100;", "u32 least = 50 + 50;"),
    "a store before and after": ("passed", "return least + a;", "return a + least;"),
    "the second argument written otherwise": ("twice", "x += summed(x);", "x = summed(x) + x;"),
    "a shift before a loop with three ways out": ("sought", "kept = n << 1", "kept = n * 2"),
    "a shift as a product": ("searched", "limit << 1", "limit * 2"),
}  # fmt: skip
NOT_THE_SAME = {
    "another argument": ("called", SAME, "summed(a)", "summed(a + 1)"),
    "another state before": ("called", SAME, "table[3] = b;", "table[3] = b + 1;"),
    "one store less before": ("called", SAME, "\ttable[3] = b;\n", ""),
    "a store after that was before": ("called", SAME, "\ttable[3] = b;\n\tgot = summed(a);",
                                      "\tgot = summed(a);\n\ttable[3] = b;"),
    "what is left alone": ("called", SAME, "kept = a & 0xff;", "kept = a & 0x7f;"),
    "another result": ("called", SAME, "return got + total;", "return got - total;"),
    "not called always": ("called", SAME, "got = summed(a);", "got = 0;\n\tif (a != 70)\n\t\tgot = summed(a);"),
    "another cell that the loop reads": ("looped", SAME, "other[5] = a;", "other[6] = a;"),
    "another local": ("looped", SAME, "least = 7", "least = 8"),
    "one store less after": ("looped", SAME, "\ttable[0] = 1;\n", ""),
    "another cell after": ("looped", SAME, "table[0] = 1;", "table[2] = 1;"),
    "a store before instead of after": ("looped", SAME, "other[5] = a;", "other[5] = a;\n\ttable[7] = a;"),
    "a cell put back": ("back", SAME, "kept = was;", "kept = was;\n\ttable[3] = was;"),
    "an argument of what returns nothing": ("back", SAME, "kept = was;\n\tsummed(a);",
                                            "kept = was;\n\tsummed(a + 1);"),
    "another local passed": ("passed", SAME, "least = 100", "least = 101"),
    "a local that is left alone": ("passed", SAME, "return least + a;", "return 100 + a;"),
    "one call instead of two": ("twice", SAME, "x += summed(x);", "x += x;"),
    "a kick at another time": ("kicks", SAME, "a == 70", "a == 71"),
    "a lock that is released twice": ("twice", SAME, "spin_unlock(&lock);", "spin_unlock(&lock);\n\tspin_unlock(&lock);"),
    "a call before the lock": ("twice", ORDER, "\tspin_lock(&lock);\n\tx += summed(x);",
                               "\tx += summed(x);\n\tspin_lock(&lock);"),
    "another of two sums": ("sums", SAME, "return a;", "return b;"),
    "a local after one of two ways out": ("sought", SAME, "return i;", "return i + 1;"),
    "a store after one of two ways out": ("sought", SAME, "total = 1;", "total = 2;"),
    "a store after both": ("sought", SAME, "kept = 4;", "kept = 5;"),
    "another bitmap": ("searched", SAME, "for_each_set_bit(lr, vcpu->arch.vgic_cpu.lr_used",
                       "set_bit(2, vcpu->arch.vgic_cpu.lr_used);\n\tfor_each_set_bit(lr, vcpu->arch.vgic_cpu.lr_used"),
    "one bit further": ("searched", SAME, "table[1] = kept;", "table[2] = kept;"),
}  # fmt: skip


def standing_in(folder: Path, function: str, old: str, new: str) -> tuple[Attempt, bool]:
    """Return the attempt at a function in which something stands in, and whether it does so in both programs."""
    start = OLD.index(f" {function}(")
    assert OLD.index(old, start) < OLD.index("\n}", start)
    changed = OLD[:start] + OLD[start:].replace(old, new, 1)
    sources = []
    for name, text in (("old", OLD), ("new", changed)):
        (folder / name).mkdir()
        (folder / name / "kvm_vgic.h").write_text((EXAMPLE / "kvm_vgic.h").read_text())
        (folder / name / "vgic.c").write_text(text)
        sources.append(find(str(folder / name)))
    pair: Pair = Comparison.of(*sources).pair(function, function, Portfolio(20))
    attempt = next(a for a in attempts(pair, returned=True) if a.stand is not None)
    assert attempt.stand is not None
    attempt.obligation(SAME)
    return attempt, all(s.used for s in attempt.stand)


@pytest.mark.parametrize("name", THE_SAME)
def test_a_change_around_it_is_judged_without_looking_into_it(tmp_path: Path, name: str) -> None:
    """What does the same around a loop or a call is equivalent, and the loop is not run."""
    attempt, used = standing_in(tmp_path, *THE_SAME[name])
    assert used
    for kind in (SAME, ORDER):
        found = attempt.obligation(kind)
        assert found.verdict is Verdict.PROVED or (kind is ORDER and "order" in name), (kind, found.reason)
        assert found.method == STANDING


@pytest.mark.parametrize("name", NOT_THE_SAME)
def test_nothing_that_differs_is_lost(tmp_path: Path, name: str) -> None:
    """What a loop or a call meets, how it is called, and what comes of it, are all seen."""
    function, kind, old, new = NOT_THE_SAME[name]
    attempt, _ = standing_in(tmp_path, function, old, new)
    assert attempt.obligation(kind).verdict is Verdict.UNKNOWN

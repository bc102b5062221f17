"""A loop that was written otherwise is compared by one turn from any state: no difference between two turns is lost."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.diff.test_standing import EXAMPLE
from vgicheck.check.tree import find
from vgicheck.diff.diff import Comparison
from vgicheck.diff.pair import STANDING, Attempt, attempts
from vgicheck.diff.running import ORDER, SAME
from vgicheck.engine.portfolio import Portfolio
from vgicheck.engine.verdict import Verdict

OLD = """
struct pair { u32 a, b; };
static DEFINE_SPINLOCK(lock);
static u32 table[8], other[8], kept, seen;
static struct pair pairs[8];

static u32 twice(u32 x)
{
	return x * 2;
}

u32 sums(u32 n)
{
	u32 i, a = n, b = 0;

	for (i = 0; i < 7; i++) {
		a += table[i] * 2;
		b += other[i];
	}
	kept = b;
	return a;
}

u32 one_of(u32 n)
{
	u32 i, a = 0, b = 0;

	for (i = 0; i < 7; i++) {
		a += table[i];
		b += other[i] * 2;
	}
	return a;
}

u32 carried(u32 n)
{
	u32 i, a = n;

	for (i = 0; i < 6; i++) {
		table[i] = a ^ 1;
		a += other[i];
	}
	return a;
}

u32 sought(u32 n)
{
	u32 i;

	for (i = 0; i < 7; i++) {
		if (table[i] == n)
			return i;
		if (other[i] == n)
			goto out;
		if (table[i] == 99)
			break;
		seen = i;
	}
	kept = 1;
out:
	return 8;
}

u32 ways(u32 n)
{
	u32 i;

	for (i = 0; i < 5; i++) {
		if (table[i] == n)
			goto one;
		if (other[i] == n)
			goto two;
	}
	return 0;
one:
	return 1;
two:
	return 2;
}

static u32 way(u32 n)
{
	u32 i;

	for (i = 0; i < 5; i++)
		if (table[i] == n)
			return 1;
	return 0;
}

void ways_twice(u32 n)
{
	u32 first = way(n), second = way(n + 1);

	if (first && !second)
		kept = 7;
}

u32 nested(u32 n)
{
	u32 i, j, a = 0;

	for (i = 0; i < 4; i++) {
		for (j = 0; j < 3; j++)
			a += table[j] << 1;
		other[i] = a;
	}
	return a;
}

u32 calls(u32 n)
{
	u32 i, a = 0;

	for (i = 0; i < 5; i++)
		a += twice(table[i]);
	return a;
}

static void least(u32 *found, u32 n)
{
	u32 i;

	for (i = 0; i < n; i++)
		if (table[i & 7] < *found)
			*found = table[i & 7];
}

u32 passed(u32 n)
{
	u32 found = n, rest = n;

	least(&found, 5);
	return found + rest;
}

static void add_all(u32 *to, u32 n)
{
	u32 i;

	for (i = 0; i < n; i++)
		*to += table[i & 7] * 2;
}

void placed(u32 n)
{
	kept = n;
	seen = n;
	add_all(&kept, 5);
	add_all(&seen, 5);
	other[0] = seen;
}

void kicked(struct kvm *kvm)
{
	struct kvm_vcpu *vcpu;
	int c;

	kvm_for_each_vcpu(c, vcpu, kvm) {
		spin_lock(&lock);
		table[c] = c;
		set_bit(c, &kvm->arch.vgic.irq_pending_on_cpu);
		spin_unlock(&lock);
		kvm_vcpu_kick(vcpu);
	}
}

void searched(struct kvm_vcpu *vcpu)
{
	u32 lr;

	for_each_set_bit(lr, vcpu->arch.vgic_cpu.lr_used, 3) {
		vcpu->arch.vgic_cpu.vgic_lr[lr] &= ~1;
		vcpu->arch.vgic_cpu.vgic_lr[lr] &= ~2;
	}
}

u32 unset(u32 n)
{
	u32 i, a;

	for (i = 0; i < 3; i++) {
		kept = i;
		a = table[i];
	}
	return a;
}

void declared(u32 n)
{
	u32 i;

	for (i = 0; i < 3; i++) {
		u32 x;

		if (i == n)
			kept = x * 2;
		x = i;
	}
}

u32 unset_cell(u32 n)
{
	u32 i, b[1];

	for (i = 0; i < 3; i++) {
		kept = i;
		b[0] = table[i];
	}
	return b[0];
}

void counted(struct kvm *kvm)
{
	struct kvm_vcpu *vcpu;
	int c;

	kvm->online_vcpus.counter = 3;
	for (c = 0; c < kvm->online_vcpus.counter; c++) {
		vcpu = kvm->vcpus[c];
		if (!vcpu)
			continue;
		vcpu->arch.vgic_cpu.nr_lr = 1;
	}
}

void counts(struct kvm *kvm)
{
	struct kvm_vcpu *vcpu;
	int c;

	for (c = 0; c < kvm->online_vcpus.counter; c++) {
		vcpu = kvm->vcpus[c];
		if (!vcpu)
			continue;
		vcpu->arch.vgic_cpu.nr_lr = 1;
		if (c < 3)
			kvm->online_vcpus.counter = 4;
	}
}

u32 pointed(u32 n)
{
	u32 *p, a = 0;

	for (p = table; p != table + 8; p++)
		a += *p * 2;
	return a;
}

void two(u32 n)
{
	u32 i;

	if (n & 1)
		for (i = 0; i < 3; i++)
			table[i] += n * 2;
	else
		for (i = 0; i < 3; i++)
			table[i] ^= n * 2;
}

void raised(struct kvm *kvm)
{
	u32 i;

	for (i = 0; i < 3; i++)
		set_bit(i, &kvm->arch.vgic.irq_pending_on_cpu);
}

void met(u32 n)
{
	struct pair p;
	u32 i;

	p.a = 1;
	pairs[3] = p;
	for (i = 0; i < 4; i++)
		kept = 0;
}

void stored(u32 n)
{
	u32 i;

	for (i = 0; i < 3; i++) {
		struct pair p;

		p.a = i;
		kept = 0;
		pairs[i + 1] = p;
	}
}
"""
THE_SAME = {
    "a product as a shift": ("sums", "table[i] * 2", "table[i] << 1"),
    "sums in another order": ("sums", "\t\ta += table[i] * 2;\n\t\tb += other[i];", "\t\tb += other[i];\n\t\ta += table[i] * 2;"),
    "what is carried under another name": ("sums", "b", "c", "* 2", "<< 1"),
    "a cell written back": ("sums", "b += other[i];", "b += other[i];\n\t\tother[i] = other[i];"),
    "a local in the body": ("carried", "table[i] = a ^ 1;", "u32 x = 1 ^ a;\n\t\ttable[i] = x;"),
    "a local in memory in the body": ("carried", "table[i] = a ^ 1;", "u32 x[2];\n\t\tx[1] = a ^ 1;\n\t\ttable[i] = x[1];"),
    "three ways out": ("sought", "if (table[i] == 99)", "if (99 == table[i])"),
    "an inner loop": ("nested", "table[j] << 1", "table[j] * 2"),
    "around an inner loop": ("nested", "other[i] = a;", "other[i] = a + 0;"),
    "a callee": ("twice", "x * 2", "x + x"),
    "a local that is passed": ("least", "*found = table[i & 7];", "*found = table[7 & i];"),
    "a counter of vCPUs": ("kicked", "table[c] = c;", "table[c] = c + 0;"),
    "a search for bits": ("searched", "vgic_lr[lr] &= ~1;\n\t\tvcpu->arch.vgic_cpu.vgic_lr[lr] &= ~2;", "vgic_lr[lr] &= ~3;"),
}  # fmt: skip
CALLED = {"way": "ways_twice", "add_all": "placed", "twice": "calls", "least": "passed"}
"""The functions by which others are called."""
ANOTHER_TURN = {
    "a carried sum": ("sums", "b += other[i];", "b += other[i] + (i == 6);"),
    "a narrower sum": ("sums", "a = n, b = 0;", "a = n; u8 b = 0;"),
    "a bound": ("sums", "i < 7", "i < 6"),
    "a bound after all": ("sums", "i < 7", "i <= 7"),
    "a step": ("carried", "i++", "i += 2"),
    "a carried value before its use": ("carried", "\t\ttable[i] = a ^ 1;\n\t\ta += other[i];", "\t\ta += other[i];\n\t\ttable[i] = a ^ 1;"),
    "a cell that a later turn reads": ("carried", "a += other[i];", "a += other[i];\n\t\tother[i + 1] = 0;"),
    "a cell": ("carried", "table[i] =", "table[i + 1] ="),
    "another of two results": ("one_of", "other[i] * 2;\n\t}\n\treturn a;", "other[i] << 1;\n\t}\n\treturn b;"),
    "two names that changed places": ("one_of", "\t\ta += table[i];\n\t\tb +=", "\t\tb += table[i];\n\t\ta +="),
    "no break": ("sought", "\t\tif (table[i] == 99)\n\t\t\tbreak;\n", ""),
    "another way out": ("sought", "\t\t\treturn i;", "\t\t\tbreak;"),
    "two ways out that changed places": ("sought", "\t\t\treturn i;\n\t\tif (other[i] == n)\n\t\t\tgoto out;", "\t\t\tgoto out;\n\t\tif (other[i] == n)\n\t\t\treturn i;"),
    "two ways out that leave the same": ("ways", "table[i] == n)\n\t\t\tgoto one;\n\t\tif (other[i] ==", "other[i] == n)\n\t\t\tgoto one;\n\t\tif (table[i] =="),
    "on instead of out": ("sought", "break;", "continue;"),
    "an inner bound": ("nested", "j < 3", "j < 2"),
    "around an inner loop": ("nested", "other[i] = a;", "other[i] = a + (i == 3);"),
    "an inner sum": ("nested", "table[j] << 1", "table[i] << 1"),
    "a callee": ("twice", "x * 2", "x * 3"),
    "through a pointer": ("least", "*found = table[i & 7];", "*found = table[i & 7] + 1;"),
    "no kick": ("kicked", "kvm_vcpu_kick(vcpu);", "if (c != 7)\n\t\t\tkvm_vcpu_kick(vcpu);"),
    "a kick under the lock": ("kicked", "\t\tspin_unlock(&lock);\n\t\tkvm_vcpu_kick(vcpu);", "\t\tkvm_vcpu_kick(vcpu);\n\t\tspin_unlock(&lock);"),
    "a store after the lock": ("kicked", "\t\ttable[c] = c;\n", "\t\t;\n\t\tif (0)\n\t\t\tseen = 1;\n"),
    "two accesses instead of one": ("raised", "set_bit(i, &kvm->arch.vgic.irq_pending_on_cpu);", "kvm->arch.vgic.irq_pending_on_cpu |= 1 << i;"),
    "a lock that is left": ("kicked", "\t\tspin_unlock(&lock);\n", "\t\tif (c != 7)\n\t\t\tspin_unlock(&lock);\n"),
    "a bit more": ("searched", "vgic_lr[lr] &= ~2;", "vgic_lr[lr] &= ~6;"),
    "outside of an array": ("carried", "table[i] = a ^ 1;", "table[i] = a ^ 1;\n\t\tif (a == 77)\n\t\t\tseen = table[i + 8];\n\t\tseen = seen;"),
    "a scalar that is not initialised": ("unset", "kept = i;", "kept = i + (a & 0);"),
    "a local that is not initialised": ("unset_cell", "kept = i;", "kept = i + (b[0] & 0);"),
    "a member that was not initialised": ("met", "kept = 0;", "kept = pairs[i].b & 0;"),
    "a pointer that need not lead anywhere": ("counted", "\t\tif (!vcpu)\n\t\t\tcontinue;\n", ""),
    "a pointer that need lead nowhere after a turn": ("counts", "\t\tif (!vcpu)\n\t\t\tcontinue;\n", ""),
    "a pointer that moves": ("pointed", "*p * 2", "(p == table + 5 ? 0 : *p * 2)"),
    "a member that is not initialised": ("stored", "kept = 0;", "kept = pairs[i].b & 0;"),
}  # fmt: skip
AROUND = {
    "what decides by which way it is left": ("ways", "\tfor (i", "\tn ^= 1;\n\n\tfor (i"),
    "what comes of two ways out": ("way", "kept = 7", "kept = 8"),
    "what comes of the same loop elsewhere": ("add_all", "other[0] = seen;", "other[0] = n;"),
    "the other of two": ("two", "n & 1", "!(n & 1)"),
    "what is carried into it": ("sums", "a = n", "a = n + 1"),
    "what comes of it": ("sums", "return a;", "return a + 1;"),
    "what is left in it": ("carried", "return a;", "return other[5] + 1 + a;"),
    "what it meets": ("sums", "\tfor (i", "\ttable[3] = 0;\n\tfor (i"),
    "what comes after one way out": ("sought", "return i;", "return i + 1;"),
    "what comes after another": ("sought", "kept = 1;", "kept = 2;"),
}
"""Changes around a loop that was written otherwise, of which a turn is the same."""
OTHERWISE = {
    "sums": ("table[i] * 2", "table[i] << 1"),
    "carried": ("a ^ 1", "1 ^ a"),
    "ways": ("table[i] == n", "n == table[i]"),
    "way": ("table[i] == n", "n == table[i]"),
    "add_all": ("* 2", "<< 1"),
    "two": ("n * 2", "n << 1", "n * 2", "n << 1"),
    "sought": ("table[i] == 99", "99 == table[i]"),
    "least": ("*found = table[i & 7];", "*found = table[7 & i];"),
}


def compared(folder: Path, function: str, *changes: str) -> tuple[Attempt, set[str]]:
    """Return the attempt in which something stands in for loops, made, and the loops of which a turn is the same."""
    start = OLD.index(f" {function}(")
    end = OLD.index("\n}", start)
    text = OLD[start:]
    for before, after in zip(changes[::2], changes[1::2], strict=True):
        assert before in text
        if before.isidentifier():
            text = re.sub(rf"\b{before}\b", after, text[: end - start]) + text[end - start :]
        else:
            text = text.replace(before, after, 1)
    sources = []
    for name, source in (("old", OLD), ("new", OLD[:start] + text)):
        (folder / name).mkdir()
        (folder / name / "kvm_vgic.h").write_text((EXAMPLE / "kvm_vgic.h").read_text())
        (folder / name / "vgic.c").write_text(source)
        sources.append(find(str(folder / name)))
    root = CALLED.get(function, function)
    attempt = attempts(Comparison.of(*sources).pair(root, root, Portfolio(20)), returned=True)[0]
    assert attempt.stand is not None
    attempt.obligation(SAME)
    return attempt, {label for label, twins in attempt.stand[0].twins.items() if twins.proofs}


@pytest.mark.parametrize("name", THE_SAME)
def test_a_turn_that_does_the_same(tmp_path: Path, name: str) -> None:
    """Loops of which a turn does the same are not run, and what contains them is equivalent."""
    attempt, same = compared(tmp_path, *THE_SAME[name])
    found = attempt.obligation(SAME)
    assert found.verdict is Verdict.PROVED and found.method == STANDING, found.reason
    assert same and len(found.queries) > len(same)


@pytest.mark.parametrize("name", ANOTHER_TURN)
def test_a_turn_that_does_something_else(tmp_path: Path, name: str) -> None:
    """What a turn does to memory and to what is carried, what it calls, breaks, and where it goes, are all seen."""
    attempt, same = compared(tmp_path, *ANOTHER_TURN[name])
    function = CALLED.get(ANOTHER_TURN[name][0], ANOTHER_TURN[name][0])
    assert not {label for label in same if label.count(" of ") == 2}, function
    assert any(attempt.obligation(kind).verdict is not Verdict.PROVED for kind in (SAME, ORDER))


@pytest.mark.parametrize("name", AROUND)
def test_a_change_around_loops_that_do_the_same(tmp_path: Path, name: str) -> None:
    """What two loops that do the same meet, and what comes of them, is looked at as before."""
    function, *change = AROUND[name]
    attempt, same = compared(tmp_path, function, *OTHERWISE[function], *change)
    assert same and attempt.obligation(SAME).verdict is not Verdict.PROVED


def test_a_value_that_ends_with_each_turn_is_not_carried(tmp_path: Path) -> None:
    """A local of the body that is read before it is assigned has no value to start a turn with."""
    attempt, _ = compared(tmp_path, "declared", "x * 2", "x << 1")
    assert attempt.stand is not None and not attempt.stand[0].twins

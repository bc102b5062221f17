"""Two sources compared: what is the same by another way is equivalent, and what is not is told with two runs."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest
from click.testing import CliRunner

from vgicheck.check.tree import SourceError, find
from vgicheck.cli import main
from vgicheck.diff.diff import OF_EQUIVALENTS, THE_SAME_PROGRAM, Change, compare
from vgicheck.diff.running import ORDER, SAME
from vgicheck.engine.portfolio import Portfolio
from vgicheck.engine.tasks import Runner
from vgicheck.engine.verdict import Obligation, Verdict

EXAMPLE = Path(__file__).parents[2] / "examples/vgic"
OLD = """
static u32 shadow;
static int many[8];

static u32 masked(u32 value)
{
	return value & 0xff;
}

void set(struct kvm *kvm, u32 value)
{
	spin_lock(&kvm->arch.vgic.lock);
	shadow = masked(value);
	set_bit(1, &kvm->arch.vgic.irq_pending_on_cpu);
	spin_unlock(&kvm->arch.vgic.lock);
}

int get(int i)
{
	if (i < 0 || i >= 8)
		return -EINVAL;
	return many[i];
}

void wake(struct kvm_vcpu *vcpu)
{
	shadow = 1;
	smp_mb();
	kvm_vcpu_kick(vcpu);
}

u32 low(u32 value)
{
	int i;
	u32 found = 0;

	for (i = 0; i < 4; i++)
		found |= value & 1U << i;
	return found;
}
"""
SAME_BY_ANOTHER_WAY = {
    "a sum written otherwise": ("return value & 0xff;", "return (value << 24) >> 24;", "masked"),
    "a loop unrolled": ("\tfor (i = 0; i < 4; i++)\n\t\tfound |= value & 1U << i;", "\ti = 0;\n\tfound = value & 0xf;",
                        "low"),
    "bounds in one comparison": ("if (i < 0 || i >= 8)", "if ((unsigned int)i > 7)", "get"),
    "a local of another name": ("u32 found = 0;", "u32 bits = 0;", "low"),
}  # fmt: skip
IN_ONE_GO = {
    "another mask": ("return value & 0xff;", "return value & 0x7f;", "masked", "the result"),
    "a bound that is one more": ("i >= 8", "i > 8", "get", "in-bounds"),
    "an error that is another": ("-EINVAL", "-ENXIO", "get", "the result"),
    "a kick that is gone": ("kvm_vcpu_kick(vcpu);", ";", "wake", "lock, barrier or call"),
    "a store that is gone": ("\tshadow = 1;\n", "", "wake", "shadow"),
    "one bit less": ("i < 4", "i < 3", "low", "the result"),
}
AS_OTHERS_SEE_IT = {
    "no barrier": ("\tsmp_mb();\n", "", "wake"),
    "the barrier too early": ("\tshadow = 1;\n\tsmp_mb();", "\tsmp_mb();\n\tshadow = 1;", "wake"),
    "no lock": ("\tspin_lock(&kvm->arch.vgic.lock);\n\tshadow = masked(value);", "\tshadow = masked(value);", "set"),
    "a store before the lock": ("\tspin_lock(&kvm->arch.vgic.lock);\n\tshadow = masked(value);",
                                "\tshadow = masked(value);\n\tspin_lock(&kvm->arch.vgic.lock);", "set"),
    "two accesses instead of one": ("set_bit(1, &kvm->arch.vgic.irq_pending_on_cpu);",
                                    "kvm->arch.vgic.irq_pending_on_cpu |= 2;", "set"),
}  # fmt: skip
"""Of these the one without a lock releases one that is not held: it is taken away as well."""


def compared(
    folder: Path, new: str, function: str = "", old: str = OLD
) -> tuple[dict[str, Change], dict[str, Obligation]]:
    """Compare the source above, or another, with a new one; return what became of each function, and its obligations."""
    sources = []
    for name, text in (("old", old), ("new", new)):
        (folder / name).mkdir(exist_ok=True)
        (folder / name / "kvm_vgic.h").write_text((EXAMPLE / "kvm_vgic.h").read_text())
        (folder / name / "vgic.c").write_text(text)
        sources.append(find(str(folder / name)))
    found = compare(*sources, Runner(Portfolio(20)), function)
    return {f.name: f for f in found.functions}, {o.id: o for o in found.obligations}


def changed(old: str, new: str) -> str:
    """Put a change into the source."""
    assert OLD.count(old) == 1
    text = OLD.replace(old, new)
    if "spin_lock(" not in text:
        text = text.replace("\tspin_unlock(&kvm->arch.vgic.lock);\n", "")
    return text.replace("found |=", "bits |=").replace("return found", "return bits") if "bits" in new else text


def test_the_same_source(tmp_path: Path) -> None:
    """A source is the same as itself, without any solver, and whatever lines it stands on."""
    functions, obligations = compared(tmp_path, "\n\n" + OLD.replace("\t", "    "))
    here = [name for name in functions if name in OLD]
    assert sorted(here) == ["get", "low", "masked", "set", "wake"]
    assert {f.change for f in functions.values()} == {"equivalent"}
    assert {o.method for o in obligations.values()} == {THE_SAME_PROGRAM}


def test_what_has_no_tag_is_called_by_what_holds_it(tmp_path: Path) -> None:
    """Lines before a structure without a tag change nothing; another size of it, or another place of its members, do."""
    text = """
struct both {
	union { u32 reg[2]; unsigned long ul[2]; } few;
	struct { u32 a, b; } own;
};
static struct both both;

u32 first(void)
{
	return both.few.reg[0] + both.own.b;
}
"""
    for new, change in (
        ("\n\n" + text, THE_SAME_PROGRAM),
        (text.replace("u32 a, b;", "u16 a, b;"), ""),
        (text.replace("[2]", "[4]"), ""),
    ):
        _, obligations = compared(tmp_path, new, "first", old=text)
        assert (obligations[f"first/{SAME}"].method == THE_SAME_PROGRAM) == bool(change)


@pytest.mark.parametrize("name", SAME_BY_ANOTHER_WAY)
def test_equivalent(tmp_path: Path, name: str) -> None:
    """What does the same in every state is equivalent, and so is what calls it."""
    old, new, function = SAME_BY_ANOTHER_WAY[name]
    functions, obligations = compared(tmp_path, changed(old, new))
    assert {f.change for f in functions.values()} == {"equivalent"}
    assert {o.verdict for o in obligations.values()} == {Verdict.PROVED}
    if function == "masked":
        assert obligations[f"masked/{SAME}"].solvers and obligations[f"set/{SAME}"].method == OF_EQUIVALENTS
    elif "name" not in name:
        assert obligations[f"{function}/{SAME}"].queries


@pytest.mark.parametrize("name", IN_ONE_GO)
def test_different(tmp_path: Path, name: str) -> None:
    """What differs is told by two runs from one state, with what differs first."""
    old, new, function, what = IN_ONE_GO[name]
    functions, obligations = compared(tmp_path, changed(old, new))
    found = obligations[f"{function}/{SAME}"]
    assert found.verdict is Verdict.REFUTED and found.run is not None and found.run.replayed == ("python",)
    assert found.run.changes[0].name == what and found.run.changes[0].before != found.run.changes[0].after
    assert functions[function].change == "different" and functions[function].example == found.run
    assert obligations[f"{function}/{ORDER}"].verdict in (Verdict.NOT_RUN, Verdict.PROVED)
    others = {n: f.change for n, f in functions.items() if n not in (function, "set")}
    assert set(others.values()) == {"equivalent"}


def test_bitmaps_that_are_declared_otherwise(tmp_path: Path) -> None:
    """A bit is the same bit whether its union views words as bits or declares how many there are."""
    text = """
union few { u32 reg[2]; unsigned long ul[%d]; };
static union few few;

int asked(unsigned int n)
{
	return n < 64 ? test_bit(n, few.ul) : 0;
}

u32 first(void)
{
	return few.reg[0];
}
"""
    functions, _ = compared(tmp_path, text % 0, old=text % 2)
    assert functions["first"].change == "equivalent"
    assert functions["asked"].change in ("equivalent", "unknown")
    functions, _ = compared(tmp_path, (text % 0).replace("n < 64", "n < 63"), old=text % 2)
    found = functions["asked"].example
    assert found is not None and {v.name: v.value for v in found.inputs}.keys() == {"n", "few[1]"}


@pytest.mark.parametrize("name", AS_OTHERS_SEE_IT)
def test_different_as_others_see_it(tmp_path: Path, name: str) -> None:
    """A lock, a barrier or an atomic operation that is taken away leaves the same in memory, and is told."""
    old, new, function = AS_OTHERS_SEE_IT[name]
    functions, obligations = compared(tmp_path, changed(old, new))
    found = obligations[f"{function}/{ORDER}"]
    assert found.verdict is Verdict.REFUTED and found.run is not None
    assert obligations[f"{function}/{SAME}"].verdict is Verdict.PROVED
    assert functions[function].change == "different" and "not as others see it" in functions[function].note


def test_what_stands_at_file_scope(tmp_path: Path) -> None:
    """The text of a function is the same, and what it reads is not: it is compared, not taken for the same."""
    functions, obligations = compared(tmp_path, changed("static int many[8];", "static int many[7];"))
    assert functions["get"].change == "different" and functions["low"].change == "equivalent"
    functions, obligations = compared(tmp_path, changed("static int many[8];", "static int many[16];"))
    assert obligations[f"get/{SAME}"].verdict is Verdict.PROVED and obligations[f"get/{SAME}"].queries


def test_a_service_that_the_old_source_brings_itself(tmp_path: Path) -> None:
    """Where a function of the old source goes, and ours of the same name is called, callers do not just follow."""
    own = "void kvm_vcpu_kick(struct kvm_vcpu *vcpu)\n{\n\tshadow = 2;\n}\n\nvoid wake"
    (tmp_path / "with").mkdir()
    (tmp_path / "with" / "kvm_vgic.h").write_text((EXAMPLE / "kvm_vgic.h").read_text())
    (tmp_path / "with" / "vgic.c").write_text(OLD.replace("void wake", own))
    compared(tmp_path, OLD)
    found = compare(find(str(tmp_path / "with")), find(str(tmp_path / "new")), Runner(Portfolio(20)))
    told = {f.name: f.change for f in found.functions}
    assert told["kvm_vcpu_kick"] == "removed" and told["wake"] == "different" and told["get"] == "equivalent"


def test_when_it_differs(tmp_path: Path) -> None:
    """The condition is one on the inputs, as weak as was found, under which the two always differ."""
    functions, _ = compared(tmp_path, changed("return value & 0xff;", "return value == 7 ? 0 : value & 0xff;"))
    assert functions["masked"].differs_when == "value == 7"
    functions, _ = compared(tmp_path, changed("i < 0 || i >= 8", "i < 0 || i >= 7"))
    assert functions["get"].differs_when.endswith("and i == 7")


def test_renamed_inlined_and_split(tmp_path: Path) -> None:
    """A function under a new name is found; one that went into its caller, or came out of it, is told as that."""
    functions, _ = compared(tmp_path, OLD.replace("masked(", "lowest_byte("))
    assert functions["lowest_byte"].was == "masked" and {f.change for f in functions.values()} == {"equivalent"}
    gone = OLD.replace("shadow = masked(value);", "shadow = value & 0xff;")
    gone = gone[: gone.index("static u32 masked")] + gone[gone.index("void set") :]
    functions, _ = compared(tmp_path, gone)
    assert functions["masked"].change == "removed" and functions["masked"].note.startswith("gone into others: set()")
    assert functions["set"].change == "equivalent"
    split = OLD.replace("\tshadow = 1;\n", "\traise();\n").replace(
        "void wake", "static void raise(void)\n{\n\tshadow = 1;\n}\n\nvoid wake"
    )
    functions, _ = compared(tmp_path, split)
    assert functions["raise"].change == "added" and functions["raise"].note.startswith("split off: wake()")


def test_what_is_not_understood(tmp_path: Path) -> None:
    """A function that cannot be read or evaluated is unsupported, with its line; it is never equivalent."""
    functions, obligations = compared(tmp_path, changed("return value & 0xff;", "return nobody_knows(value);"))
    assert functions["masked"].change == "unsupported" and functions["set"].change == "unsupported"
    assert obligations[f"masked/{SAME}"].location is not None
    functions, _ = compared(tmp_path, changed("int get(int i)", "int get(long long i)"))
    assert functions["get"].change == "unsupported"


def test_a_parameter_that_became_wider(tmp_path: Path) -> None:
    """An unsigned parameter of another width is called with what fits in both, which is then assumed."""
    wide = changed("static u32 masked(u32 value)", "static u32 masked(u64 value)")
    functions, obligations = compared(tmp_path, wide.replace("value & 0xff", "value & 0x1000000ffull"), "masked")
    assert functions["masked"].change == "equivalent"
    assert [a.text for a in obligations[f"masked/{SAME}"].assumptions] == ["value fits in 32 bits"]
    functions, obligations = compared(
        tmp_path, wide.replace("value & 0xff", "value >> 31 ? 3 : value & 0xff"), "masked"
    )
    assert functions["masked"].change == "different" and functions["masked"].example is not None


def test_one_function_and_wrong_use(tmp_path: Path) -> None:
    """One function can be asked for; what is in neither source is wrong use."""
    functions, _ = compared(tmp_path, OLD, "get")
    assert list(functions) == ["get"]
    for name in ("nobody", "masked2"):
        with pytest.raises(SourceError):
            compared(tmp_path, OLD.replace("masked(", "masked2(") if name == "masked2" else OLD, "nobody")


@cache
def _ran(*arguments: str) -> tuple[int, str]:
    ended = CliRunner().invoke(main, ["diff", "--no-cache", *arguments])
    return ended.exit_code, ended.output


def test_the_command_line(tmp_path: Path) -> None:
    """The text names the line and both values; JSON has a function's change, and its example."""
    compared(tmp_path, changed("-EINVAL", "-ENXIO"))
    old, new = str(tmp_path / "old"), str(tmp_path / "new")
    code, output = _ran(old, new)
    assert code == 1 and "get()" in output and "before: 0xffffffea" in output and "vgic.c:21: return -ENXIO;" in output
    assert _ran(old, old)[0] == 0
    code, output = _ran(old, new, "--json", "-")
    document = json.loads(output)
    (told,) = [f for f in document["functions"] if f["name"] == "get"]
    assert told["change"] == "different" and told["example"]["changes"] and told["differs_when"]
    code, output = _ran(old, str(tmp_path / "nowhere"))
    assert code == 2 and len(output.strip().split("\n")) == 1

"""A small VGIC of ours is proved whole; with a fault planted in it, the function with the fault is refuted by a run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from proofs.bindings import vgic
from vgicheck.c.stubs import linux
from vgicheck.check import rules
from vgicheck.check.check import check, wanted_of
from vgicheck.check.entries import entries
from vgicheck.check.reading import Part, Reading, read
from vgicheck.check.tree import Files, Source, find
from vgicheck.cli import main
from vgicheck.engine.portfolio import Portfolio
from vgicheck.engine.tasks import Runner
from vgicheck.engine.verdict import Obligation, Verdict

EXAMPLE = Path(__file__).parents[2] / "examples/vgic"
TEXT = (EXAMPLE / "vgic.c").read_text()


def reading_of(text: str, header: str | None = None) -> Reading:
    """Read a source beside the example's header."""
    before, defines = vgic.headers(Files(EXAMPLE), ".")
    parts = [
        Part("linux.h", linux().text, ours=True),
        *(
            Part(h.name, header if h.structures and header else h.text, ours=h.ours, judged=h.structures)
            for h in before
        ),
        Part("vgic.c", text, judged=True),
    ]
    return read(parts, defines)


def judged(text: str, root: str) -> dict[tuple[str, str], Obligation]:
    """Judge one function that is called from outside, with all that it gets to."""
    reading = reading_of(text)
    assert not reading.unread, reading.unread
    known = entries(reading)
    handler = root in known.handlers
    context = vgic.Context(root, handler, handler and "spin_lock(&vcpu" in text)
    job = rules.Job(reading, context, tuple(wanted_of(reading, known, (), root)), Portfolio(20))
    return {(o.subject, o.property): o for o in rules.judge(job)}


@pytest.mark.parametrize("properties", [tuple(rules.RULES), pytest.param((), marks=pytest.mark.slow)], ids=len)
def test_the_example_is_proved(properties: tuple[str, ...]) -> None:
    """Everything asked of the example is proved, with a method, the solvers and a question that has an answer."""
    found = check(find(str(EXAMPLE)), properties, Runner(Portfolio(20), 2)).obligations
    assert len(found) > 150
    for o in found:
        assert o.verdict is Verdict.PROVED, o
        assert o.queries and o.solvers and o.method and o.bounds.endswith(", INTID 0..127")


FAULTS = {
    "a byte access takes a whole word": (
        "mmio->len < 4 ? (1U << (mmio->len * 8)) - 1 : ~0U", "(1UL << (mmio->len * 8)) - 1",
        "vgic_handle_mmio", "vgic_access", "no-undefined"),
    "bytes of four private interrupts only": (
        "if (word < VGIC_NR_PRIVATE_IRQS / 4)", "if (word < 4)", "vgic_handle_mmio", "vgic_access", "in-bounds"),
    "a table without an end that is called": (
        "if (!range->handle)\n\t\treturn false;\n", "", "vgic_handle_mmio", "vgic_handle_mmio", "no-undefined"),
    "an SGI register that is not initialised": (
        "u32 reg = 0;\n\tint c, from", "u32 reg;\n\tint c, from", "vgic_handle_mmio", "vgic_access", "no-undefined"),
    "a vCPU that is not there": (
        "\tif (!vcpu) {\n\t\tret = -EINVAL;\n\t\tgoto out;\n\t}\n", "",
        "kvm_vgic_inject_irq", "kvm_vgic_inject_irq", "no-undefined"),
    "a lock that is kept on an error": (
        "\t\tret = -EINVAL;\n\t\tgoto out;\n", "\t\treturn -EINVAL;\n",
        "kvm_vgic_inject_irq", "kvm_vgic_inject_irq", "locks-balanced"),
    "interrupts that stay off": (
        "vgic_update_state(vcpu->kvm);\n\tspin_unlock_irqrestore(&vcpu->kvm->arch.vgic.lock, flags);",
        "vgic_update_state(vcpu->kvm);\n\tspin_unlock(&vcpu->kvm->arch.vgic.lock);",
        "kvm_vgic_sync_hwstate", "kvm_vgic_sync_hwstate", "locks-balanced"),
    "a mutex that is kept on an error": (
        "\t\tret = -ENODEV;\n\t\tgoto out;", "\t\treturn -ENODEV;",
        "kvm_vgic_set_addr", "kvm_vgic_set_addr", "locks-balanced"),
    "a lock that the handler may find taken": (
        "spin_lock_irqsave(&vcpu->kvm->arch.vgic.lock, flags);", "spin_lock(&vcpu->kvm->arch.vgic.lock); flags = 0;",
        "vgic_maintenance_handler", "vgic_maintenance_handler", "lock-irq-safe"),
    "a handler without a vCPU": (
        "!vcpu || vcpu != __get", "vcpu != __get", "vgic_maintenance_handler", "vgic_maintenance_handler", "no-undefined"),
    "a vcpu_id that is too large": (
        "vcpu->vcpu_id >= VGIC_MAX_CPUS)", "vcpu->vcpu_id > VGIC_MAX_CPUS)",
        "kvm_vgic_vcpu_init", "vgic_assign", "in-bounds"),
    "one list register too many": (
        "(readl_relaxed(vgic_vctrl_base + GICH_VTR) & 0x3f) + 1", "(readl_relaxed(vgic_vctrl_base + GICH_VTR) & 0x7f) + 1",
        "kvm_vgic_vcpu_init", "kvm_vgic_vcpu_init", "representation-kept"),
    "a node that is put twice": (
        "out_put:\n", "out_put:\n\tof_node_put(vgic_node);\n", "kvm_vgic_hyp_init", "kvm_vgic_hyp_init", "hyp-init-unwinds"),
}  # fmt: skip
"""What is replaced by what, in what is called from outside, and which function then breaks which property."""
IN_LOOPS = {
    "a step that does not divide": (
        "spi += 4", "spi += 5", "kvm_vgic_init", "vgic_set_target_reg", "in-bounds"),
    "a BUG_ON that fires": (
        "BUG_ON(irq >= VGIC_NR_IRQS);", "BUG_ON(irq >= VGIC_NR_IRQS - 1);",
        "kvm_vgic_flush_hwstate", "vgic_queue_irq", "bug-on-unreachable"),
    "a target that no vCPU can have": (
        "dist->irq_spi_cpu[spi + i] = target;", "dist->irq_spi_cpu[spi + i] = target + 8;",
        "kvm_vgic_init", "kvm_vgic_init", "representation-kept"),
    "a loop over one interrupt too many": (
        "for (i = 0; i < VGIC_NR_IRQS; i++) {", "for (i = 0; i <= VGIC_NR_IRQS; i++) {",
        "kvm_vgic_vcpu_init", "kvm_vgic_vcpu_init", "in-bounds"),
    "an SPI taken for a private interrupt": (
        "clear_bit(i - VGIC_NR_PRIVATE_IRQS, dist->irq_state.shared.reg_ul)", "clear_bit(i, dist->irq_state.shared.reg_ul)",
        "kvm_vgic_flush_hwstate", "kvm_vgic_flush_hwstate", "in-bounds"),
}  # fmt: skip
"""The same, where a run has to get to one iteration of a loop: it may be missed, but the fault is not."""


@pytest.mark.parametrize("name", IN_LOOPS)
def test_a_fault_in_a_loop_is_not_missed(name: str) -> None:
    """A function with a fault that shows in some iteration of a loop is not proved."""
    old, new, root, function, kind = IN_LOOPS[name]
    assert TEXT.count(old) == 1
    fault = judged(TEXT.replace(old, new), root)[function, kind]
    assert fault.verdict in (Verdict.REFUTED, Verdict.UNKNOWN) and fault.location is not None


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_refuted_where_it_is(name: str) -> None:
    """The function with a fault is refuted, by a run; nothing that other functions are asked is refuted instead."""
    old, new, root, function, kind = FAULTS[name]
    assert TEXT.count(old) == 1
    found = judged(TEXT.replace(old, new), root)
    fault = found[function, kind]
    assert fault.verdict is Verdict.REFUTED, fault
    assert fault.run is not None and fault.run.replayed == ("python",) and fault.location is not None
    lines = TEXT.replace(old, new).split("\n")
    assert fault.location.line <= len(lines)


# A pointer to integers that comes from outside ---------------------------------------------------------------------------

READS = {
    "the first": ("words[0]", Verdict.PROVED),
    "the second": ("words[1]", Verdict.UNSUPPORTED),
    "any": ("words[n]", Verdict.UNSUPPORTED),
    "any that is the first": ("(n ? 0 : words[n])", Verdict.PROVED),
    "a bit of the first": ("test_bit(n & 31, (unsigned long *)words)", Verdict.PROVED),
    "any bit": ("test_bit(n, (unsigned long *)words)", Verdict.UNSUPPORTED),
    "a bit search": ("find_first_bit((unsigned long *)words, n)", Verdict.UNSUPPORTED),
    "a comparison": ("(words + n == (u32 *)kvm->arch.vgic.irq_enabled.shared.reg)", Verdict.UNSUPPORTED),
}
"""What a function reads at a pointer that it is given, and whether that is in bounds."""


@pytest.mark.parametrize("name", READS)
def test_of_a_pointer_from_outside_only_the_beginning_is_known(name: str) -> None:
    """Of how much there is behind a pointer to integers, only a caller knows: beyond the first nothing is refuted."""
    read, expected = READS[name]
    text = f"{TEXT}\nu32 at(struct kvm *kvm, u32 *words, unsigned int n)\n{{\n\treturn {read};\n}}\n"
    found = judged(text, "at")
    assert {found["at", kind].verdict for kind in ("in-bounds", "no-undefined")} == {expected}, found
    if expected is Verdict.UNSUPPORTED:
        location = found["at", "in-bounds"].location
        assert location is not None and text.split("\n")[location.line - 1] == f"\treturn {read};"


def test_a_caller_that_shows_the_size_is_held_to_it() -> None:
    """The same read of an array that a caller of the file passes is refuted where the array ends."""
    text = TEXT + (
        "\nstatic u32 at(u32 *words, unsigned int n)\n{\n\treturn words[n];\n}\n"
        "\nu32 of_shared(struct kvm *kvm, unsigned int n)\n{\n"
        "\treturn at(kvm->arch.vgic.irq_enabled.shared.reg, n);\n}\n"
    )
    assert judged(text, "of_shared")["at", "in-bounds"].verdict is Verdict.REFUTED
    bounded = text.replace("shared.reg, n)", "shared.reg, n % (VGIC_NR_SHARED_IRQS / 32))")
    assert judged(bounded, "of_shared")["at", "in-bounds"].verdict is Verdict.PROVED


# What is not understood -----------------------------------------------------------------------------------------------

STRANGE = "\tfloat strange = 1;\n"


def test_a_construct_that_is_not_understood_costs_what_uses_it() -> None:
    """The function with it, and those that call it, are unsupported with its line; the rest has verdicts."""
    text = TEXT.replace("vcpu, int sgi)\n{\n", f"vcpu, int sgi)\n{{\n{STRANGE}")
    found = check(source_of(text), ("in-bounds", "locks-balanced"), Runner(Portfolio(20), 2)).obligations
    lost = {o.subject for o in found if o.verdict is Verdict.UNSUPPORTED}
    assert lost == {"vgic_queue_sgi", "kvm_vgic_flush_hwstate"}
    (where,) = {o.location.line for o in found if o.verdict is Verdict.UNSUPPORTED and o.location}
    assert text.split("\n")[where - 1] + "\n" == STRANGE
    queue = [o for o in found if o.subject == "vgic_queue_irq"]
    assert {o.verdict for o in queue} <= {Verdict.PROVED, Verdict.UNKNOWN} and len(queue) == 2
    assert not [o for o in found if o.verdict is Verdict.REFUTED]
    assert len([o for o in found if o.verdict is Verdict.PROVED]) > 40


def source_of(text: str) -> Source:
    """A source whose text is not on the disk."""

    class Beside:
        def read(self, path: str) -> str | None:
            return text if path == "vgic.c" else Files(EXAMPLE).read(path)

        def names(self, folder: str) -> list[str]:
            return []

    return Source("text", Beside(), ("vgic.c",))


def test_a_header_that_does_not_compile_costs_what_uses_it() -> None:
    """A member of an unknown type takes with it the functions that use that member, and no other."""
    header = (EXAMPLE / "kvm_vgic.h").read_text().replace("\tu32 vgic_misr;", "\tstruct unknown_thing vgic_misr;")
    reading = reading_of(TEXT, header)
    assert set(reading.unread) == {"vgic_maintenance_handler"}
    assert "vgic_misr" in reading.unread["vgic_maintenance_handler"].construct


def test_a_function_that_the_preprocessor_leaves_out_is_not_judged() -> None:
    """What was not compiled was not read."""
    text = TEXT.replace("int kvm_vgic_init(", "#ifdef CONFIG_NOT_SET\nint kvm_vgic_init(", 1)
    text = text.replace("static bool vgic_overlap(", "#endif\nstatic bool vgic_overlap(", 1)
    reading = reading_of(text)
    assert list(reading.unread) == ["kvm_vgic_init"]
    assert "preprocessor" in reading.unread["kvm_vgic_init"].construct


# The command ------------------------------------------------------------------------------------------------------------


def test_the_command_writes_json_and_says_how_it_went(tmp_path: Path) -> None:
    """Exit code 1 with a refutation, told with its run; the JSON names what the design says."""
    (tmp_path / "kvm_vgic.h").write_text((EXAMPLE / "kvm_vgic.h").read_text())
    old, new, _, function, kind = FAULTS["a mutex that is kept on an error"]
    (tmp_path / "vgic.c").write_text(TEXT.replace(old, new))
    result = CliRunner().invoke(main, ["check", str(tmp_path), "locks-balanced", "--json", "-", "--jobs", "2"])
    assert result.exit_code == 1, result.output
    document = json.loads(result.stdout)
    assert document["schema"] == "vgicheck/1" and document["command"] == "check"
    assert {"name": "text", "files": ["vgic.c"]}.keys() == document["source"].keys()
    refuted = [o for o in document["obligations"] if o["verdict"] == "refuted"]
    assert [o["id"] for o in refuted] == [f"{function}/{kind}"]
    assert {o["property"] for o in document["obligations"]} == {"locks-balanced"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["check", "/no/such/place"], "no such file or directory"),
        (["check", "tests"], "there is none of vgic.c, arch/arm/kvm/vgic.c"),
        (["check", "examples/vgic", "no-such-property"], "no property has this id"),
        (["check", "examples/vgic", "lr-unique"], "it is not judged of whole files"),
        (["check", "examples@nope"], "nope"),
        (["check", ""], "no name"),
    ],
)
def test_bad_input_is_one_line(arguments: list[str], says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wrong use ends with one line and exit code 2."""
    monkeypatch.chdir(EXAMPLE.parents[1])
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert says in result.stderr and result.stderr.count("\n") == 1 and not result.stdout

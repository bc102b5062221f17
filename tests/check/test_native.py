"""Refutations of whole files in compiled C: what it confirms, contradicts and cannot show, and that none runs unasked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from proofs.bindings import functions, vgic
from vgicheck.c import domain, native
from vgicheck.c.confirm import confirmed
from vgicheck.check import rules
from vgicheck.check.check import check
from vgicheck.check.tree import find
from vgicheck.cli import main
from vgicheck.engine.portfolio import Portfolio
from vgicheck.engine.tasks import Runner
from vgicheck.engine.verdict import Obligation, Verdict

from .test_check import FAULTS as CODE_FAULTS
from .test_check import TEXT as EXAMPLE
from .test_check import judged, reading_of
from .test_refine import FAULTS as MODEL_FAULTS
from .test_refine import HANDLER, VCPU_FAULTS, refined

needs_native = pytest.mark.skipif(native.available() is not None, reason=f"no native runs here: {native.available()}")

SOURCE = Path(__file__).with_name("native.c")
ASKED = ("in-bounds", "no-undefined", "bug-on-unreachable", "locks-balanced", "vcpu-init-lr-count")
UNSEEN = "what is not set does not show: compiled C leaves the same for two values of it"
BAD = {
    "bad_index": "in-bounds",
    "bad_neighbour": "in-bounds",
    "bad_shift": "no-undefined",
    "bad_pointer": "no-undefined",
    "bad_local": "no-undefined",
    "bad_local_unseen": "no-undefined",
    "bad_check": "bug-on-unreachable",
    "bad_lock": "locks-balanced",
    "bad_lock_twice": "locks-balanced",
    "kvm_vgic_vcpu_init": "vcpu-init-lr-count",
}
"""The functions of the source that break a rule, and which; all other obligations are proved."""


def checked(with_native: bool) -> dict[str, Obligation]:
    """The obligations of the source by id."""
    found = check(find(str(SOURCE)), ASKED, Runner(Portfolio(20), 2), with_native)
    return {o.id: o for o in found.obligations}


@needs_native
def test_each_refutation_is_confirmed() -> None:
    """What breaks a rule is refuted in both readings, but for a value whose use nothing shows; the rest is proved."""
    found = checked(with_native=True)
    refuted = {name: o for name, o in found.items() if o.verdict is Verdict.REFUTED}
    assert refuted.keys() == {f"{function}/{rule}" for function, rule in BAD.items()}
    for name, o in refuted.items():
        unseen = name.startswith("bad_local_unseen/")
        assert o.run is not None and o.run.replayed == ("python", "native")[: 1 if unseen else 2], o
        assert o.unconfirmed == (UNSEEN if unseen else "")
    assert {o.verdict for name, o in found.items() if name not in refuted} == {Verdict.PROVED}


@needs_native
@pytest.mark.parametrize(
    "name", [n if n == "a node that is put twice" else pytest.param(n, marks=pytest.mark.slow) for n in CODE_FAULTS]
)
def test_a_fault_in_the_example_is_confirmed(name: str) -> None:
    """A fault planted in the example is refuted in both readings, wherever it is from where the run begins."""
    old, new, root, function, kind = CODE_FAULTS[name]
    text = EXAMPLE.replace(old, new)
    seen(judged(text, root)[function, kind], text)


@needs_native
@pytest.mark.parametrize(
    ("function", "name"),
    [
        ("kvm_vgic_vcpu_init", "priorities that stay masked"),
        pytest.param(HANDLER, "the wrong list register", marks=pytest.mark.slow),
        pytest.param(HANDLER, "a field of which the model knows nothing", marks=pytest.mark.slow),
    ],
)
def test_what_is_not_the_models_is_confirmed(function: str, name: str) -> None:
    """A function that is not what the model says leaves in compiled C what the evaluator says, in every cell."""
    old, new, kind = {**MODEL_FAULTS, **VCPU_FAULTS}[name]
    text = EXAMPLE.replace(old, new)
    seen(refined(text, function, kind)[kind], text)


def seen(found: Obligation, text: str) -> None:
    """A refutation is one in both readings."""
    reading = reading_of(text)
    o = confirmed(found, reading.text, reading.defines)
    assert o.verdict is Verdict.REFUTED and o.run is not None
    assert (o.run.replayed, o.unconfirmed) == (("python", "native"), "")


# An evaluator that is wrong --------------------------------------------------------------------------------------------


def init(returned: str, count: str) -> str:
    """A source that starts vCPUs."""
    return (
        "int kvm_vgic_vcpu_init(struct kvm_vcpu *vcpu)\n{\n"
        "\tu32 vtr = readl_relaxed(vgicheck_gich + GICH_VTR);\n\n"
        f"\tvcpu->arch.vgic_cpu.nr_lr = {count};\n\treturn {returned};\n}}\n"
    )


def promised(text: str) -> Obligation:
    """What comes of the promise of the function that starts vCPUs, in compiled C as well."""
    reading, name = reading_of(text), "kvm_vgic_vcpu_init"
    promise = next(p for p in functions.PROMISES if name in p.functions)
    job = rules.Job(reading, vgic.Context(name), ((promise.property, name),), Portfolio(20), promise)
    (found,) = rules.judge(job)
    return confirmed(found, reading.text, reading.defines)


@needs_native
@pytest.mark.parametrize(
    ("text", "op", "reason"),
    [
        (init("0", "1 * (vtr & 0x3f) + 1"), "*", "compiled C leaves 0x1 in vgicheck_vcpus[0].arch.vgic_cpu.nr_lr"),
        (init("5 ^ vcpu->vcpu_id", "(vtr & 0x1f) + 1"), "^", "compiled C returns 0x5, the evaluator 0x6"),
    ],
    ids=["a cell", "the result"],
)
def test_a_wrong_evaluator_is_found_out(text: str, op: str, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an operator that the evaluator gets wrong comes to in a run makes the verdict unknown, and is told."""
    right = domain._arithmetic

    def wrong(operator: str, *operands: Any) -> Any:
        return right(operator, *operands) + (1 if operator == op else 0)

    monkeypatch.setattr(domain, "_arithmetic", wrong)
    o = promised(text)
    assert (o.verdict, o.run) == (Verdict.UNKNOWN, None)
    assert o.reason.startswith(reason)


@needs_native
def test_the_same_by_a_right_evaluator() -> None:
    """Without the fault the one function is proved, and the other's refutation is confirmed."""
    assert promised(init("0", "1 * (vtr & 0x3f) + 1")).verdict is Verdict.PROVED
    o = promised(init("5 ^ vcpu->vcpu_id", "(vtr & 0x1f) + 1"))
    assert o.run is not None and o.run.replayed == ("python", "native")


# The switch ---------------------------------------------------------------------------------------------------------------


class Compiled(Exception):
    """The compiler was called."""


def test_nothing_runs_unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without --native no code of the source is compiled or run; with it, it is."""

    def refuse(*arguments: Sequence[Any], **more: Any) -> None:
        raise Compiled

    monkeypatch.setattr("vgicheck.c.native._compiler", refuse)
    monkeypatch.setattr("vgicheck.c.native.available", lambda: None)
    found = checked(with_native=False).values()
    assert {o.run.replayed for o in found if o.run is not None} == {("python",)}
    assert not any(o.unconfirmed for o in found)
    asked = CliRunner().invoke(main, ["check", str(SOURCE), "bug-on-unreachable", "--native"])
    assert isinstance(asked.exception, Compiled)


def test_no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where native runs are not to be had, --native is refused in one line with exit code 2."""
    monkeypatch.setattr("vgicheck.c.native.available", lambda: "no gcc on the PATH")
    result = CliRunner().invoke(main, ["check", str(SOURCE), "--native"])
    assert (result.exit_code, result.stderr, result.stdout) == (2, "vgicheck: --native: no gcc on the PATH\n", "")

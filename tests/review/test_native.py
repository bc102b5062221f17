"""Refutations in compiled C: what it confirms, contradicts and cannot show, and that none runs unasked."""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from proofs.generations import october_2012
from vgicheck.c import native
from vgicheck.cli import main
from vgicheck.engine.portfolio import Portfolio
from vgicheck.engine.tasks import Runner
from vgicheck.engine.verdict import Obligation, Replay, Verdict
from vgicheck.review.native import confirm
from vgicheck.review.patch import read_patch
from vgicheck.review.review import Review, review

needs_native = pytest.mark.skipif(native.available() is not None, reason=f"no native runs here: {native.available()}")

SEEDS = sorted((Path(__file__).parents[3] / "shared" / "seeds").glob("*.txt"))
SECONDS = 30.0

VCPU = """\
void kvm_vgic_vcpu_init(struct kvm_vcpu *vcpu)
{
	struct vgic_cpu *vgic_cpu = &vcpu->arch.vgic_cpu;
	struct vgic_dist *dist = &vcpu->kvm->arch.vgic;
	u32 reg;

	if (!irqchip_in_kernel(vcpu->kvm))
		return;
	reg = readl_relaxed(dist->vctrl_base + GICH_VTR);
	BUG_ON(reg == 0x90);
	dist->irq_enabled.percpu[vcpu->vcpu_id].reg[0] = 0x7ffe;
	vgic_cpu->vgic_hcr = 1 << (reg >> 26);
	vgic_cpu->nr_lr = (reg & 0xf) + 1;
	vgic_cpu->vgic_irq_lr_map[5] = LR_EMPTY;
	spin_lock(&dist->lock);
	set_bit(reg & 7, dist->irq_cfg.shared.reg_ul);
	if (reg & 0x100)
		spin_lock(&dist->lock);
	if (reg & 0x200)
		return;
	spin_unlock(&dist->lock);
}
"""

PROBE = """\
int kvm_vgic_hyp_init(void)
{
	struct resource vctrl_res;
	int ret;

	vgic_node = of_find_compatible_node(NULL, NULL, "arm,cortex-a15-gic");
	if (!vgic_node)
		return -ENODEV;
	ret = of_address_to_resource(vgic_node, 2, &vctrl_res);
	if (ret)
		of_node_put(vgic_node);
	of_node_put(vgic_node);
	return ret;
}
"""

HANDLER = """\
static irqreturn_t vgic_maintenance_handler(int irq, void *data)
{
	struct kvm_vcpu *vcpu = *(struct kvm_vcpu **)data;
	struct vgic_dist *dist;

	if (!vcpu)
		return IRQ_HANDLED;
	dist = &vcpu->kvm->arch.vgic;
	vcpu->arch.vgic_cpu.vgic_hcr ^= VGIC_HCR_UIE;
	dist->irq_active.percpu[vcpu->vcpu_id].reg_ul[0] += 1;
	dist->irq_active.shared.reg[1] += 1;
	return IRQ_HANDLED;
}
"""


def mail(function: str) -> bytes:
    """A diff that brings a function."""
    lines = function.splitlines()
    head = ["diff --git a/arch/arm/kvm/vgic.c b/arch/arm/kvm/vgic.c", "new file mode 100644", "--- /dev/null"]
    body = ["+++ b/arch/arm/kvm/vgic.c", f"@@ -0,0 +1,{len(lines)} @@", *(f"+{line}" for line in lines)]
    return "\n".join([*head, *body, ""]).encode()


def judged(data: bytes) -> Review:
    """The review of a patch, before anything runs natively."""
    return review(read_patch(data, "test"), october_2012(), Runner(Portfolio(SECONDS), 2))


def confirmed(found: Review) -> dict[str, Obligation]:
    """What native runs make of a review's obligations."""
    return {o.id: o for o in confirm(found, october_2012()).obligations}


def refuted(found: Review) -> dict[str, Replay]:
    """The replays of a review's refutations."""
    replays = {o.id: o.replay for o in found.obligations if o.verdict is Verdict.REFUTED}
    assert all(replays.values())
    return {name: replay for name, replay in replays.items() if replay}


@pytest.fixture(scope="module")
def vcpu() -> Review:
    return judged(mail(VCPU))


@pytest.fixture(scope="module")
def probe() -> Review:
    return judged(mail(PROBE))


@pytest.fixture(scope="module")
def vcpu_confirmed(vcpu: Review) -> dict[str, Obligation]:
    return confirmed(vcpu)


def with_replay(found: Review, name: str, **changes: Any) -> Review:
    """A review in which what one replay says is another."""

    def changed(o: Obligation) -> Obligation:
        return replace(o, replay=replace(o.replay, **changes)) if o.id == name and o.replay else o

    return replace(found, obligations=tuple(changed(o) for o in found.obligations if o.id == name))


def unanimous(obligations: dict[str, Obligation], names: Set[str]) -> None:
    """All of these are refuted, and seen to be in both readings."""
    runs = {name: o.run and o.run.replayed for name, o in obligations.items() if o.verdict is Verdict.REFUTED}
    assert runs == dict.fromkeys(names, ("python", "native"))


@needs_native
def test_small_patch_with_every_kind_of_fault(vcpu_confirmed: dict[str, Obligation]) -> None:
    """Compiled C confirms a wrong state, an access out of bounds, a wide shift, a BUG_ON and a lock taken twice."""
    code = {"in-bounds", "no-undefined", "bug-on-unreachable", "locks-balanced"}
    state = {"vcpu-init-lr-count", "vcpu-init-clean", "refines-model"}
    unanimous(vcpu_confirmed, {f"kvm_vgic_vcpu_init/{name}" for name in code | state})


@needs_native
def test_failed_check_of_a_stub(probe: Review) -> None:
    """Compiled C confirms every refutation of a probe, that of releasing a node twice included."""
    assert refuted(probe).keys() >= {"kvm_vgic_hyp_init/hyp-init-unwinds", "kvm_vgic_hyp_init/refines-model"}
    unanimous(confirmed(probe), set(refuted(probe)))


@needs_native
@pytest.mark.slow
def test_bitmaps_and_second_runs() -> None:
    """Compiled C confirms refutations about bits of bitmaps, and one that takes two runs of the function."""
    found = judged(mail(HANDLER))
    replays = refuted(found)
    unanimous(confirmed(found), set(replays))
    twice = "vgic_maintenance_handler/handler-once"
    assert replays[twice].calls == 2
    (o,) = confirmed(with_replay(found, twice, calls=1)).values()
    assert o.verdict is Verdict.UNKNOWN
    assert "vgicheck_kvm.arch.vgic.irq_active.shared.reg[1] >> 0 & 1" in {e for e, _, _ in replays[twice].outputs}


@needs_native
def test_any_other_value_of_any_cell_is_a_disagreement(vcpu: Review) -> None:
    """A cell in which the evaluator leaves another value than compiled C makes the verdict unknown and is named."""
    tried = 0
    for name, replay in refuted(vcpu).items():
        for n, (expression, bits, value) in list(enumerate(replay.outputs))[::25]:
            false = (expression, bits, value ^ 1)
            outputs = (*replay.outputs[:n], false, *replay.outputs[n + 1 :])
            (o,) = confirmed(with_replay(vcpu, name, outputs=outputs)).values()
            assert (o.verdict, o.run) == (Verdict.UNKNOWN, None)
            assert f"leaves {value:#x} in {expression}, the evaluator {value ^ 1:#x}" in o.reason
            tried += 1
    assert tried >= 5


@needs_native
def test_check_that_does_not_fail_natively(vcpu: Review) -> None:
    """A BUG_ON that the evaluator claims to fail and that does not fail in compiled C makes the verdict unknown."""
    (o,) = confirmed(with_replay(vcpu, "kvm_vgic_vcpu_init/bug-on-unreachable", inputs=())).values()
    assert o.verdict is Verdict.UNKNOWN
    assert o.reason.startswith("compiled C returns, where the evaluator sees `bug-on-unreachable: BUG_ON(reg == 0x90)`")


@needs_native
def test_other_check_that_fails_natively(vcpu: Review) -> None:
    """A native run that ends in another check than the one that was refuted makes the verdict unknown."""
    name = "kvm_vgic_vcpu_init/bug-on-unreachable"
    (o,) = confirmed(with_replay(vcpu, name, claim="bug-on-unreachable: BUG_ON(other)")).values()
    assert o.verdict is Verdict.UNKNOWN
    assert "ends with `bug-on-unreachable: BUG_ON(reg == 0x90)`" in o.reason


@needs_native
def test_trap_where_a_state_was_expected(vcpu: Review) -> None:
    """A native run that traps where the evaluator returns makes the verdict unknown."""
    trap = refuted(vcpu)["kvm_vgic_vcpu_init/bug-on-unreachable"].inputs
    (o,) = confirmed(with_replay(vcpu, "kvm_vgic_vcpu_init/vcpu-init-lr-count", inputs=trap)).values()
    assert o.verdict is Verdict.UNKNOWN
    assert "where the evaluator sees the function return" in o.reason


@needs_native
@pytest.mark.parametrize("name", ["in-bounds", "no-undefined"])
def test_silent_checks_confirm_nothing(vcpu: Review, name: str) -> None:
    """Where gcc's checks see nothing wrong, a claim about the language stays refuted, and unconfirmed."""
    harmless = with_replay(vcpu, f"kvm_vgic_vcpu_init/{name}", inputs=(("vgicheck_entry.vm_has_vgic", 1),))
    (o,) = confirmed(harmless).values()
    assert o.verdict is Verdict.REFUTED
    assert o.run is not None and o.run.replayed == ("python",)
    assert o.unconfirmed.startswith("gcc's checks do not see this")


@needs_native
def test_code_that_does_not_compile(vcpu: Review) -> None:
    """A unit that gcc does not take leaves the refutation as it was, with gcc's complaint."""
    (o,) = confirmed(with_replay(vcpu, "kvm_vgic_vcpu_init/vcpu-init-clean", entry="no_such_function")).values()
    assert o.verdict is Verdict.REFUTED
    assert o.run is not None and o.run.replayed == ("python",)
    assert "no_such_function" in o.unconfirmed


@needs_native
def test_run_that_shows_nothing(vcpu: Review) -> None:
    """A run without a cell to compare is not confirmed."""
    (o,) = confirmed(with_replay(vcpu, "kvm_vgic_vcpu_init/vcpu-init-clean", outputs=())).values()
    assert o.run is not None and o.run.replayed == ("python",)
    assert "neither reads nor writes" in o.unconfirmed


@needs_native
@pytest.mark.skipif(not SEEDS, reason="there are no real patches beside the repository")
@pytest.mark.parametrize("seed", SEEDS, ids=lambda path: path.name)
def test_real_patch(seed: Path) -> None:
    """Compiled C confirms every refutation of a real patch, but for what gcc's checks do not see."""
    found = judged(seed.read_bytes())
    after, replays = confirmed(found), refuted(found)
    unseen = {name for name, replay in replays.items() if replay.undefined and after[name].unconfirmed}
    assert len(unseen) < len(replays)
    for run in (after[name].run for name in unseen):
        assert run is not None and run.replayed == ("python",)
    unanimous({name: o for name, o in after.items() if name not in unseen}, replays.keys() - unseen)


class Compiled(Exception):
    """Somebody compiles or runs C."""


@pytest.fixture
def nothing_runs(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Compiling and running raise, wherever they are called from."""

    def refuse(*args: object, **more: object) -> None:
        raise Compiled

    monkeypatch.setattr("vgicheck.c.native.compile_unit", refuse)
    monkeypatch.setattr("vgicheck.c.confirm.compile_unit", refuse)
    monkeypatch.setattr("vgicheck.c.native._compiler", refuse)
    monkeypatch.setattr("vgicheck.c.native.NativeProgram.run_many", refuse)
    monkeypatch.setattr("vgicheck.c.native.available", lambda: None)
    yield


@pytest.mark.usefixtures("nothing_runs")
def test_nothing_runs_unasked(tmp_path: Path) -> None:
    """Without --native no code of the patch is compiled or run; with it, it is."""
    (tmp_path / "patch").write_bytes(mail(PROBE))
    quiet = CliRunner().invoke(main, ["review", str(tmp_path / "patch")])
    assert (quiet.exit_code, "seen in:    python\n" in quiet.output, "native" in quiet.output) == (1, True, False)
    asked = CliRunner().invoke(main, ["review", "--native", str(tmp_path / "patch")])
    assert isinstance(asked.exception, Compiled)


def test_no_compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where native runs are not to be had, --native is refused in one line with exit code 2."""
    (tmp_path / "patch").write_bytes(mail(PROBE))
    monkeypatch.setattr("vgicheck.c.native.available", lambda: "no gcc on the PATH")
    result = CliRunner().invoke(main, ["review", "--native", str(tmp_path / "patch")])
    assert (result.exit_code, result.stderr, result.stdout) == (2, "vgicheck: --native: no gcc on the PATH\n", "")

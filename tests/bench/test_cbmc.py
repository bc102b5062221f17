"""CBMC beside our judge: the harness says what we ask, verdicts are read as they are meant, and faults are told."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bench import cbmc
from bench.check import EXAMPLE
from bench.measure import GOOD
from vgicheck.engine.verdict import Verdict

SLOW = pytest.mark.slow
needs_cbmc = pytest.mark.skipif(shutil.which("cbmc") is None, reason="cbmc is not installed")
FORGOTTEN = "\tclear_bit(lr, (unsigned long *)cpu->vgic_elrsr);\n"
"""What keeps a list register that vgic_queue_irq() fills from being reported empty."""


def faulty(text: str) -> str:
    return text.replace(FORGOTTEN, "")


def fake(folder: Path, told: str) -> str:
    """A program that is called as CBMC is, and prints what CBMC would."""
    program = folder / "cbmc"
    program.write_text(
        f"#!/bin/sh\n[ \"$1\" = --version ] && echo '6.3.1 (cbmc-6.3.1)' && exit\ncat <<'END'\n{told}\nEND\n"
    )
    program.chmod(0o755)
    return str(program)


@pytest.mark.parametrize(
    ("told", "verdict"),
    [
        ("[f.assertion.1] line 3 x: SUCCESS\n\n** 0 of 1 failed\nVERIFICATION SUCCESSFUL", Verdict.PROVED),
        ("[f.assertion.1] line 3 x: FAILURE\n\n** 1 of 1 failed\nVERIFICATION FAILED", Verdict.REFUTED),
    ],
)
def test_a_verdict(told: str, verdict: Verdict) -> None:
    """What CBMC ends with is its verdict."""
    assert cbmc.verdict_of(told) is verdict


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ("[f.unwind.0] line 3 unwinding assertion loop 0: FAILURE\nVERIFICATION FAILED", "did not unroll f.unwind.0"),
        ("CONVERSION ERROR", "no verdict: CONVERSION ERROR"),
        ("VERIFICATION FAILED", "no verdict"),
        ("[f.assertion.1] line 3 x: FAILURE\nVERIFICATION SUCCESSFUL", "no verdict"),
    ],
)
def test_no_verdict(told: str, reason: str) -> None:
    """A loop that was cut short, or an end without a verdict, is none."""
    with pytest.raises(ValueError, match=reason):
        cbmc.verdict_of(told)


def test_without_cbmc(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is missing one line says so, and nothing is asked."""
    monkeypatch.setenv("PATH", "")
    assert list(cbmc.comparison([])) == [("CBMC", "not installed, skipped")]


def test_the_ratio_and_a_disagreement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two that agree are told with their ratio; two that do not stop the bench."""
    fake(tmp_path, "VERIFICATION SUCCESSFUL")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    proved, refuted = (
        cbmc.Question("q", lambda: "", (), {}, lambda verdict=v: verdict)  # type: ignore[misc]
        for v in (Verdict.PROVED, Verdict.REFUTED)
    )
    rows = dict(cbmc.comparison([proved]))
    assert rows["CBMC"] == "6.3.1 (cbmc-6.3.1)" and "CBMC / ours" in rows["  CBMC"]
    with pytest.raises(ValueError, match="q: ours refuted, CBMC proved"):
        list(cbmc.comparison([refuted]))


def test_the_handler_is_asked_in_c() -> None:
    """The harness assumes something of each list register, calls the entry and asserts what the property says."""
    text = cbmc.handler(GOOD, "eoi-clears-active").harness()
    body = text[text.index(f"void {cbmc.ENTRY}(void)") :]
    assert body.count("__CPROVER_assume(") > 64
    call, end = body.index("vgicheck_run_vgic_maintenance_handler();"), body.index("__CPROVER_assert(")
    assert "__CPROVER_assume(" not in body[call:] and call < end
    assert '"the active bit of a flagged interrupt is clear"' in body[end:]
    assert all(f"vgic_cpu.vgic_lr[{n}]" in body[:call] for n in range(64))


@SLOW
def test_a_fault_in_the_queueing_is_refuted_by_ours() -> None:
    """The question that CBMC is asked has an answer that can be no."""
    question = cbmc.queueing(EXAMPLE, faulty)
    assert FORGOTTEN in cbmc.queueing(EXAMPLE).harness() and FORGOTTEN not in question.harness()
    assert question.ours() is Verdict.REFUTED


@SLOW
@needs_cbmc
def test_cbmc_does_not_say_otherwise() -> None:
    """Of the queueing with the fault CBMC finds the fault, or gives no answer within its time; it proves nothing."""
    found = cbmc.asked(str(shutil.which("cbmc")), cbmc.queueing(EXAMPLE, faulty), 60.0)
    assert found.verdict in (Verdict.REFUTED, Verdict.UNKNOWN)

"""`vgicheck race`: what it prints, its exit codes, and its JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from proofs.arguments import ARGUMENTS
from vgicheck.cli import main
from vgicheck.engine.pdr import installed


def race(*arguments: str) -> Result:
    """Run the command on one machine of one CPU, or as asked."""
    return CliRunner().invoke(main, ["race", "--no-cache", "--jobs", "1", *arguments])


def test_the_comment() -> None:
    """An argument is told in its words, with what came of it, and its runs in columns; one run has one number."""
    result = race("comment-same-vcpu")
    assert result.exit_code == 1
    assert "comment-same-vcpu  [2012-10]" in result.output
    assert "so:         its premise is wrong, and the conclusion falls with it" in result.output
    assert "follows                   proved" in result.output
    runs = [line for line in result.output.splitlines() if line.startswith("[")]
    assert runs == [f"[{n}] comment-same-vcpu: {name}" for n, name in
                    enumerate(("premise", "level-not-lost", "eventually-delivered"), 1)]  # fmt: skip
    assert "      clears the active bit of 34 (LR0)" in result.output
    assert result.output.endswith("1 proved, 3 refuted\n")


def test_the_same_twice() -> None:
    """Two runs print the same bytes, whatever the number of processes."""
    assert race("lock-in-handler").output == race("lock-in-handler", "--jobs", "2").output


def test_a_generation_in_which_it_holds() -> None:
    """Of the reference every conclusion is proved, but a premise that speaks of nothing is vacuous: exit code 3."""
    result = race("lock-in-handler", "--generation", "reference")
    assert result.exit_code == 3 and "what it speaks of does not happen; the conclusion holds" in result.output
    assert race("wfi-check", "--generation", "reference").exit_code == 0


def test_json() -> None:
    """The JSON names the argument as the subject, what was asked as the property, and holds the run step by step."""
    result = race("lock-in-handler", "--json", "-")
    document = json.loads(result.output)
    assert document["schema"] == "vgicheck/1" and document["command"] == "race"
    assert [o["id"] for o in document["obligations"]] == [
        f"lock-in-handler/{name}" for name in ("premise", "follows", "lock-irq-safe")
    ]
    run = document["obligations"][2]["run"]
    assert run["turns"][-1]["step"] == "irq_enter" and run["replayed"] == ["python"]
    assert document["summary"] == {"proved": 1, "refuted": 2}


@pytest.mark.skipif(not installed(), reason="berkeley-abc is not installed")
def test_two_engines() -> None:
    """With --solver two a proof says by which engines it is one, and nothing else of the answer changes."""
    result = race("lock-in-handler", "--solver", "two")
    assert result.exit_code == 1 and result.output.endswith("1 proved, 2 refuted\n")
    assert "  proved by:  every state of small machines, and an inductive invariant of each\n" in result.output
    alone = race("lock-in-handler").output
    assert alone == result.output.replace(", and an inductive invariant of each", "")
    document = json.loads(race("lock-in-handler", "--solver", "two", "--json", "-").output)
    solvers = {o["verdict"]: o["solvers"] for o in document["obligations"]}
    assert solvers == {"proved": ["abc", "z3"], "refuted": []}


def test_a_second_engine_that_is_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Asked for a second engine that is not installed, or that does not run C, it says so in one line: exit code 2."""
    monkeypatch.setenv("PATH", str(tmp_path))
    for arguments, why in ((["wfi-check"], "berkeley-abc"), (["--source", "vgic.c"], "no second engine runs C")):
        result = race("--solver", "two", *arguments)
        assert result.exit_code == 2 and why in result.stderr and result.stderr.count("\n") == 1
        assert result.stdout == ""


def test_every_cause() -> None:
    """With --show-all each step that may break the conclusion has a line and a run."""
    result = race("comment-same-vcpu", "--show-all")
    lines = [line for line in result.output.splitlines() if line.startswith("  level-not-lost at ")]
    assert [line.split()[2] for line in lines] == ["flush_end", "irq_lr"]


def test_one_machine_of_a_size() -> None:
    """Sizes on the command line take the place of the argument's own machines, and a limit of states is told."""
    result = race("wfi-check", "--vcpus", "1", "--irqs", "2", "--lrs", "2")
    assert result.exit_code == 0 and "1 vCPU, 1 CPU, 2 interrupts, 2 list registers" in result.output
    limited = race("wfi-check", "--vcpus", "1", "--limit-states", "20")
    assert limited.exit_code == 3 and "the limit of 20 states was reached" in limited.output
    assert "proved for:" not in limited.output


def test_between() -> None:
    """Two functions that overlap break a property, or they do not; what does not happen at all is vacuous."""
    asked = ("--property", "level-not-lost", "--vcpus", "1")
    broken = race("--between", "vgic_maintenance_handler", "__kvm_vgic_sync_to_cpu", *asked)
    assert broken.exit_code == 1 and "vgic_maintenance_handler | __kvm_vgic_sync_to_cpu()" in broken.output
    assert "passes 34" in broken.output
    assert race("--between", "kvm_vcpu_block", "kvm_vgic_inject_irq", *asked).exit_code == 0


@pytest.mark.slow
def test_what_mends_it() -> None:
    """With --fix? the smallest change stands beside the run of a refuted conclusion."""
    result = race("lock-in-handler", "--fix?", "--vcpus", "1")
    assert result.exit_code == 1
    (line,) = (line for line in result.output.splitlines() if "proved with:" in line or "mended by:" in line)
    assert line.split()[2].rstrip(",") in ("irq_locks", "lock_irqs_off", "exit_turns_off")


def test_litmus_tests(tmp_path: Path) -> None:
    """The cores of arguments are written for herd7, with what becomes of them; without any that is wrong use."""
    result = race("handler-rearms", "wfi-check", "--litmus", str(tmp_path))
    assert "reordering: breaks it with one access after the other" in result.output
    assert "reordering: does not break it, with store buffers either" in result.output
    assert {p.name for p in tmp_path.iterdir()} == {"handler-rearms.litmus", "wfi-check.litmus"}
    text = (tmp_path / "handler-rearms.litmus").read_text()
    assert text.startswith("C handler-rearms\n") and text.endswith("exists (line=1 /\\ cached=0)\n")
    assert "spin_lock(lock);" in text and "if (!r0)" in text
    assert race("comment-only-active", "--litmus", str(tmp_path)).exit_code == 2
    assert race("wfi-check", "--litmus", "/dev/null/here").exit_code == 2


def test_list_of_arguments() -> None:
    """Each argument is listed with its words."""
    result = CliRunner().invoke(main, ["list", "arguments"])
    assert result.exit_code == 0
    assert [line.split()[0] for line in result.output.splitlines()] == list(ARGUMENTS)

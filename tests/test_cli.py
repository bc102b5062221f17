"""The command line: exit codes, one line for wrong input, the same bytes on every run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from .shared import EXAMPLES, ROOT, SEEDS, needs_seed

HANDLER = "static irqreturn_t vgic_maintenance_handler(int irq, void *data)\n{\n"
FILE = "arch/arm/kvm/vgic.c"


def run(*args: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-c", "from vgicheck.cli import main; main()", *args]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, input=stdin, capture_output=True, timeout=150, check=False, env=environment)


def new_file(body: str, name: str = FILE) -> bytes:
    lines = body.split("\n")
    head = f"--- /dev/null\n+++ b/{name}\n@@ -0,0 +1,{len(lines)} @@\n"
    return (head + "".join(f"+{line}\n" for line in lines)).encode()


def only_line(text: bytes) -> str:
    lines = text.decode().splitlines()
    assert len(lines) == 1, lines
    return lines[0]


WRONG = {
    "empty": b"",
    "binary": bytes(range(256)) * 20,
    "no diff": b"Hello,\n\nthanks for the patch, looks good.\n",
    "not C": b"--- a/README\n+++ b/README\n@@ -1 +1 @@\n-a\n+b\n",
    "cut": new_file(HANDLER + "\treturn IRQ_HANDLED;\n}")[:-30],
    "no function": new_file("#define VGIC_ADDED 1"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_input_is_one_line(name: str):
    """Input that is no patch of C functions gives exit code 2, one line on stderr and nothing on stdout."""
    result = run("review", "-", stdin=WRONG[name])
    assert result.returncode == 2
    assert result.stdout == b""
    assert only_line(result.stderr).startswith("vgicheck: ")


def test_missing_file_and_directory(tmp_path: Path):
    """A file that is not there and a directory are wrong input, each by its name."""
    for path in (tmp_path, tmp_path / "nothing"):
        result = run("review", str(path))
        assert result.returncode == 2
        assert str(path) in only_line(result.stderr)


def test_huge_input_is_refused_soon(tmp_path: Path):
    """A file of 50 MB is refused without being read whole."""
    path = tmp_path / "huge"
    path.write_bytes(b"diff --git a/x.c b/x.c\n" + b"+x\n" * 17_000_000)
    result = run("review", str(path))
    assert result.returncode == 2
    assert "larger than" in only_line(result.stderr)


UNSUPPORTED = {
    "macro": (HANDLER + "\tFOO_UNKNOWN(irq);\n\treturn IRQ_HANDLED;\n}", "FOO_UNKNOWN", 3),
    "recursion": (
        "static int f(int n)\n{\n\treturn n ? f(n - 1) : 0;\n}\n\n" + HANDLER + "\treturn f(irq);\n}",
        "recursion through f()",
        3,
    ),
    "assembly": (HANDLER + '\tasm volatile("wfi");\n\treturn IRQ_HANDLED;\n}', "inline assembly", 3),
    "long": (HANDLER + "\tirq++;\n" * 100_000 + "\treturn IRQ_HANDLED;\n}", "a function of 100004 lines", 1),
    "floating": (HANDLER + "\tdouble d = irq;\n\treturn (int)d;\n}", "floating point", 3),
    "deep": (HANDLER + "\tirq = " + "(" * 3000 + "1" + ")" * 3000 + ";\n\treturn 1;\n}", "nesting", 3),
    "unbounded": (HANDLER + "\twhile (irq)\n\t\tirq += 2;\n\treturn IRQ_HANDLED;\n}", "a loop", 3),
    "for ever": (HANDLER + "\tfor (;;)\n\t\t;\n\treturn IRQ_HANDLED;\n}", "a loop", None),
    "into a loop": (
        HANDLER + "\tif (irq)\n\t\tgoto in;\n\twhile (irq < 5) {\nin:\n\t\tirq++;\n\t}\n\treturn 1;\n}",
        "jump into the middle of a loop",
        None,
    ),
    "wrong signature": (
        "static void vgic_maintenance_handler(struct kvm_vcpu *v)\n{\n}",
        "not declared as the binding knows it",
        1,
    ),
}


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_what_is_not_understood_is_named(name: str):
    """A construct that is not understood makes every property of its function unsupported, with construct and line."""
    body, words, line = UNSUPPORTED[name]
    result = run("review", "-", "--json", "-", stdin=new_file(body))
    assert result.stderr == b""
    assert result.returncode == 3
    obligations = [o for o in json.loads(result.stdout)["obligations"] if o["subject"] == "vgic_maintenance_handler"]
    assert obligations
    for o in obligations:
        assert o["verdict"] == "unsupported"
        assert words in o["reason"]
        assert line is None or o["location"] == {"file": FILE, "line": line}


def test_unbound_function_is_unsupported():
    """A function of which nothing is claimed is no silent success."""
    result = run("review", "-", stdin=new_file("int kvm_foo(void)\n{\n\treturn 0;\n}"))
    assert result.returncode == 3
    assert b"nothing is claimed of it" in result.stdout


def test_two_runs_print_the_same():
    """Two runs print the same bytes, as text and as JSON."""
    path = str(EXAMPLES / "bad-node-leak.patch")
    assert run("review", path).stdout == run("review", path, "--jobs", "1").stdout
    assert run("review", path, "--json", "-").stdout == run("review", path, "--json", "-").stdout


def test_carriage_returns_change_nothing():
    """A patch with CRLF line ends gets the verdicts that it gets with LF."""
    data = (EXAMPLES / "bad-node-leak.patch").read_bytes()
    with_cr = run("review", "-", "--json", "-", stdin=data.replace(b"\n", b"\r\n"))
    without = run("review", "-", "--json", "-", stdin=data)
    assert with_cr.returncode == without.returncode == 1
    assert with_cr.stdout == without.stdout


@needs_seed
def test_the_mailed_page():
    """The Patchwork page is refuted, with runs, and its summary counts."""
    result = run("review", str(SEEDS[0]))
    assert result.returncode == 1
    assert result.stdout.decode().splitlines()[-1] == "39 proved, 14 refuted, 2 unsupported"


def test_json_and_kept_questions(tmp_path: Path):
    """--json FILE has the schema's fields, and --keep leaves a question with its answer under each obligation."""
    file, kept = tmp_path / "out.json", tmp_path / "kept"
    result = run("review", str(EXAMPLES / "bad-october-2012.patch"), "--json", str(file), "--keep", str(kept))
    assert result.returncode == 1
    document = json.loads(file.read_text())
    assert document["schema"] == "vgicheck/1"
    assert document["command"] == "review"
    assert sum(document["summary"].values()) == len(document["obligations"])
    expected = {"id", "property", "subject", "verdict", "method", "bounds", "assumptions", "solvers", "seconds",
                "cached", "location", "run"}  # fmt: skip
    for o in document["obligations"]:
        assert expected <= o.keys()
        assert (o["run"] is not None) == (o["verdict"] == "refuted")
    answers = list(kept.glob("vgic_maintenance_handler/eoi-clears-active/*.answer"))
    found = {a.stem: a.read_text() for a in answers}
    assert found and all(answer == ("sat\n" if "witness" in name else "unsat\n") for name, answer in found.items())
    assert all(a.with_suffix(".smt2").exists() for a in answers)


def test_wrong_options():
    """Options that make no sense are wrong use."""
    for args in (
        ("prove", "no-such-property"),
        ("prove", "--generation", "1999-01"),
        ("prove", "--timeout", "soon"),
        ("race", "no-such-argument"),
        ("race", "--generation", "v9.9"),
        ("race", "--between", "vgic_maintenance_handler", "no_such_function"),
        ("race", "--between", "vgic_maintenance_handler", "kvm_vcpu_block", "wfi-check"),
        ("race", "--property", "level-not-lost"),
        ("race", "--property", "no-such-property", "--between", "kvm_vcpu_block", "kvm_vcpu_block"),
        ("race", "--vcpus", "9"),
        ("review", str(EXAMPLES / "bad-october-2012.patch"), "--json", "/nowhere/at/all.json"),
    ):
        result = run(*args)
        assert result.returncode == 2, args
        assert only_line(result.stderr)


def test_lists():
    """What there is to ask about can be listed."""
    assert b"eoi-clears-active" in run("list", "properties").stdout
    assert b"2012-10" in run("list", "generations").stdout
    assert b"kvm_vgic_init" in run("list", "functions").stdout

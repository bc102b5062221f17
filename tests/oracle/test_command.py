"""`python -m oracle`: one line of summary, one line for what is wrong."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from .shared import needs_qemu


def run(*arguments: str, path: str = os.environ["PATH"]) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.getcwd(), "PATH": path}
    command = [sys.executable, "-m", "oracle", *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, env=environment)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--operations", "0"), "0 is not in the range"),
        (("--seed", "x"), "'x' is not a valid integer"),
        (("--fast",), "No such option"),
        (("more",), "unexpected extra argument"),
    ],
)
def test_wrong_use(arguments: tuple[str, ...], told: str) -> None:
    """Wrong use is one line that names what is wrong, and exit code 2."""
    result = run(*arguments)
    assert (result.returncode, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert result.stderr.startswith("oracle: ") and told in result.stderr


def test_without_qemu(tmp_path: Path) -> None:
    """Without QEMU the command says what to install, in one line, and exits with 2."""
    result = run(path=str(tmp_path))
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == "oracle: qemu-system-aarch64 is not installed: apt-get install qemu-system-arm\n"


@needs_qemu
def test_summary() -> None:
    """The last line says how much was compared and from which seed; two runs from one seed say the same."""
    first, second = (run("--operations", "600", "--seed", "4", "--stride", "500") for _ in range(2))
    assert (first.returncode, first.stderr) == (0, "")
    pattern = r"6\d\d operations and 132 register files, seed 4: 0 unexplained differences in \d+ s\n"
    assert re.fullmatch(pattern, first.stdout)
    assert first.stdout.split(" in ")[0] == second.stdout.split(" in ")[0]

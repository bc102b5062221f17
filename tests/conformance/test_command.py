"""`python -m conformance`: a summary for each kind, one line for what is wrong."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from vgicheck.c import native


def run(*arguments: str, path: str = os.environ["PATH"]) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.getcwd(), "PATH": path}
    command = [sys.executable, "-m", "conformance", *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, env=environment)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--programs", "0"), "0 is not in the range"),
        (("--kind", "x"), "'x' is not one of"),
        (("more",), "unexpected extra argument"),
    ],
)
def test_wrong_use(arguments: tuple[str, ...], told: str) -> None:
    """Wrong use is one line that names what is wrong, and exit code 2."""
    result = run(*arguments)
    assert (result.returncode, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert result.stderr.startswith("conformance: ") and told in result.stderr


def test_without_a_compiler(tmp_path: Path) -> None:
    """Without gcc nothing can be compared: one line says so, and the exit code is 2."""
    result = run(path=str(tmp_path))
    assert (result.returncode, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert "gcc" in result.stderr


@pytest.mark.skipif(native.available() is not None, reason=f"no native runs here: {native.available()}")
def test_without_csmith(tmp_path: Path) -> None:
    """Without csmith its kinds say what to install; ours is compared all the same."""
    for tool in ("gcc", "as", "ld"):
        (tmp_path / tool).symlink_to(str(shutil.which(tool)))
    missing = run("--programs", "1", path=str(tmp_path))
    assert (missing.returncode, missing.stdout) == (2, "")
    assert missing.stderr == "conformance: csmith is not installed: apt-get install csmith\n"
    ours = run("--programs", "2", "--kind", "kernel", "--seed", "4", path=str(tmp_path))
    assert (ours.returncode, ours.stderr) == (0, "")
    told = r"seed 4\nkernel: 2 programs, 2 agree on 6 runs, 2 as formulas too, 0 differences in \d+ s\n"
    assert re.fullmatch(told, ours.stdout)

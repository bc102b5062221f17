"""Texts parsed on trial: what breaks a trial breaks that trial alone, and nothing outlives who asked."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from vgicheck.c import clang, libclang, rehearsal
from vgicheck.c.libclang import LibclangError

BREAKS = f"int f(int a) {{ return {'!' * 30_000}a; }}"


def _tried(text: str) -> list[libclang.Diagnostic]:
    return rehearsal.rehearse("/t.c", text, ["-std=gnu89"])


def test_messages_are_those_of_the_library() -> None:
    """A trial tells what the library tells when it parses in this process."""
    text = "int f(void) { return unknown; }\nint *p = 1;\nint é;"
    here = libclang.load().parse("/t.c", text, ["-std=gnu89"]).diagnostics()
    assert here and _tried(text) == here


def test_one_that_breaks_leaves_the_server() -> None:
    """The text after one that breaks the parser is parsed, by the same server."""
    assert _tried("int a;") == []
    server = rehearsal._servers[os.getpid()]
    with pytest.raises(LibclangError, match="broke down"):
        _tried(BREAKS)
    assert _tried("int a;") == [] and rehearsal._servers[os.getpid()] is server


def test_a_server_that_is_gone_is_replaced() -> None:
    """A server that was killed costs the text that it was asked of; the next one has another."""
    _tried("int a;")
    os.kill(rehearsal._servers[os.getpid()]._process.pid, signal.SIGKILL)
    with pytest.raises(LibclangError, match="was ended"):
        _tried("int a;")
    assert _tried("int a;") == []


def test_a_fork_has_a_server_of_its_own() -> None:
    """A process and its fork ask at the same time, and each hears what it asked."""
    _tried("int a;")
    pid = os.fork()
    if pid == 0:
        try:
            right = all(not _tried("int a;") for _ in range(20)) and len(rehearsal._servers) == 2
            rehearsal._servers[os.getpid()]._end()
            os._exit(0 if right else 1)
        finally:
            os._exit(2)
    assert all(_tried("int b = c;") for _ in range(20))
    assert os.waitpid(pid, 0)[1] == 0


def test_nothing_is_left_behind() -> None:
    """A server ends with the process that asked, however that ends."""
    script = (
        "import os; from vgicheck.c import rehearsal; rehearsal.rehearse('/t.c', '', [])\n"
        "print(rehearsal._servers[os.getpid()]._process.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    where = {**os.environ, "PYTHONPATH": str(Path(clang.__file__).parents[2])}
    ended = subprocess.run([sys.executable, "-c", script], env=where, stdout=subprocess.PIPE, text=True, check=False)
    assert ended.returncode == -signal.SIGKILL
    for _ in range(100):
        stat = Path(f"/proc/{int(ended.stdout)}/stat")
        if not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z":
            return
        time.sleep(0.05)
    raise AssertionError("the server lives on")

"""QEMU under qtest: it never outlives its client, and whatever is wrong with it is one line."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from oracle.machine import GICH, GICV
from oracle.qtest import Qemu, QemuError

from .shared import needs_qemu

CLIENT = """
import os, signal, sys
from oracle.qtest import Qemu
qemu = Qemu()
print(qemu.process.pid, flush=True)
{end}
"""


def running(pid: int) -> bool:
    """Say whether a process runs; one that has ended and that nobody has waited for does not."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def program(directory: Path, text: str) -> str:
    """Write a shell script that stands in for QEMU."""
    path = directory / "qemu"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


@needs_qemu
def test_reset_values() -> None:
    """After reset GICH_VTR states 4 list registers and 5 priority bits, GICH_VMCR its reset value, and GICV_RPR idle."""
    with Qemu() as qemu:
        vtr, vmcr, rpr = qemu.ask([f"readl {a:#x}" for a in (GICH + 4, GICH + 8, GICV + 0x14)])
    assert (vtr.number, vmcr.number, rpr.number) == (0x90000003, 0x004C0000, 0xFF)
    assert not running(qemu.process.pid)


@needs_qemu
@pytest.mark.parametrize("end", ["os.kill(os.getpid(), signal.SIGKILL)", "os._exit(1)", "raise ValueError", "pass"])
def test_qemu_ends_with_its_client(end: str) -> None:
    """However the client ends, killed, at once, by an exception or in order, no QEMU is left."""
    command = [sys.executable, "-c", CLIENT.format(end=end)]
    client = subprocess.run(
        command, check=False, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": os.getcwd()}
    )
    pid = int(client.stdout)
    deadline = time.monotonic() + 5
    while running(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not running(pid)


@needs_qemu
def test_qemu_that_dies() -> None:
    """A QEMU that ends while it is asked is reported in one line."""
    with Qemu() as qemu:
        qemu.process.send_signal(signal.SIGKILL)
        qemu.process.wait()
        with pytest.raises(QemuError, match=r"^qemu-system-aarch64 ended with status -9: it said nothing$"):
            qemu.ask(["readl 0x8030004"])


@needs_qemu
def test_command_that_is_refused() -> None:
    """An answer that is not understood is reported with its text."""
    with Qemu() as qemu, pytest.raises(QemuError, match="answered: FAIL"):
        qemu.ask(["no_such_command"])


def test_missing() -> None:
    """Without QEMU the line says what to install."""
    with pytest.raises(QemuError, match=r"^no-such-qemu is not installed: apt-get install qemu-system-arm$"):
        Qemu("no-such-qemu")


def test_does_not_answer(tmp_path: Path) -> None:
    """A QEMU that is silent is given up after the time limit, and ended."""
    with pytest.raises(QemuError, match=r"has not answered within 0\.2 s$"):
        Qemu(program(tmp_path, "exec sleep 60"), seconds=0.2)


def test_does_not_start(tmp_path: Path) -> None:
    """A QEMU that ends at once is reported with the last line that it said."""
    with pytest.raises(QemuError, match=r"ended with status 3: no such machine$"):
        Qemu(program(tmp_path, "echo first >&2; echo no such machine >&2; exit 3"))

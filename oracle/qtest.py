"""QEMU with a GICv2 virtualization extension, driven register by register over its qtest protocol.

QEMU runs no guest code here: the machine is stopped, and every access comes down one socket as a line of text that is
answered in order, so that many can be under way at once.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

PROGRAM = "qemu-system-aarch64"
MACHINE = (
    *("-M", "virt,virtualization=on,gic-version=2", "-cpu", "cortex-a57", "-smp", "1", "-m", "64"),
    *("-display", "none", "-nodefaults", "-no-user-config", "-accel", "tcg", "-S"),
    *("-qtest-log", "none", "-qtest", "stdio"),
)
CPU = "/machine/unattached/device[0]"
VIRQ, VFIQ = 2, 3
"""The inputs of QEMU's CPU that the virtual interface drives."""
SECONDS = 20.0
"""How long an answer may take: QEMU's own take well below a millisecond."""
WITH_PARENT = ("setpriv", "--pdeathsig", "KILL")
"""Has the kernel kill what is started when the process that started it ends (util-linux)."""


class QemuError(Exception):
    """QEMU is missing, does not start, does not answer, or answers what is not understood; its text is one line."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command was answered: a number or bytes, if any, and the level of each line after it."""

    text: str
    virq: bool
    vfiq: bool

    @property
    def number(self) -> int:
        """The answer of `readl`."""
        return int(self.text, 16)

    def words(self) -> tuple[int, ...]:
        """The answer of `read`: 32-bit little-endian words."""
        data = bytes.fromhex(self.text[2:])
        return tuple(int.from_bytes(data[i : i + 4], "little") for i in range(0, len(data), 4))


class Qemu:
    """A running QEMU; a context manager that ends it. It also ends when this process does, however that happens."""

    def __init__(self, program: str = PROGRAM, seconds: float = SECONDS):
        """Start QEMU and have it report the virtual lines. Raises `QemuError`."""
        if shutil.which(program) is None:
            raise QemuError(f"{program} is not installed: apt-get install qemu-system-arm")
        ours, theirs = socket.socketpair()
        ours.settimeout(seconds)
        self._socket, self._pending, self._seconds = ours, b"", seconds
        self._virq = self._vfiq = False
        with theirs:
            self.process = subprocess.Popen(
                [*WITH_PARENT, program, *MACHINE], stdin=theirs.fileno(), stdout=theirs.fileno(), stderr=subprocess.PIPE
            )
        try:
            self.ask([f"irq_intercept_in {CPU}"])
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End QEMU, at once."""
        self.process.kill()
        self.process.wait()
        self._socket.close()
        if self.process.stderr:
            self.process.stderr.close()

    def ask(self, commands: Sequence[str]) -> list[Answer]:
        """Send commands in one go and return their answers.

        Together they should stay below what a socket holds, some thousands. Raises `QemuError`.
        """
        try:
            self._socket.sendall("".join(f"{c}\n" for c in commands).encode())
            return self._answers(len(commands))
        except TimeoutError:
            raise QemuError(f"{PROGRAM} has not answered within {self._seconds:g} s") from None
        except OSError:
            raise QemuError(self._death()) from None

    def _answers(self, count: int) -> list[Answer]:
        answers: list[Answer] = []
        deadline = time.monotonic() + self._seconds
        while len(answers) < count:
            received = self._socket.recv(1 << 18)
            if not received:
                raise QemuError(self._death())
            if time.monotonic() > deadline:
                raise TimeoutError
            *lines, self._pending = (self._pending + received).split(b"\n")
            for line in lines:
                word, _, rest = line.decode().partition(" ")
                if word == "OK":
                    answers.append(Answer(rest.strip(), self._virq, self._vfiq))
                elif word == "IRQ":
                    self._event(rest)
                else:
                    raise QemuError(f"{PROGRAM} answered: {line.decode()}")
        return answers

    def _event(self, text: str) -> None:
        level, _, number = text.partition(" ")
        if int(number) == VIRQ:
            self._virq = level == "raise"
        elif int(number) == VFIQ:
            self._vfiq = level == "raise"

    def _death(self) -> str:
        status = self.process.wait()
        said = self.process.stderr.read() if self.process.stderr else b""
        told = said.decode(errors="replace").strip().splitlines()
        return f"{PROGRAM} ended with status {status}: {told[-1] if told else 'it said nothing'}"

"""Texts parsed on trial, each in a process of its own: one that breaks the parser, or that it cannot finish, ends that.

A server has the library loaded and parses nothing itself; for each text it forks a process that does.  So a trial costs
what the parser takes, and not the start of an interpreter and of the library.  Each process that asks has a server of
its own, which ends with it.
"""

from __future__ import annotations

import atexit
import json
import os
import resource
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NoReturn

from .libclang import Diagnostic, LibclangError, Library, Place, library_path

SECONDS: Final = 20
"""What the parser may take for a text, by the clock and of the processor."""
BYTES: Final = 1 << 30
"""Of address space, likewise."""

_ROOT: Final = Path(__file__).parents[2]
_START: Final = "import sys; sys.path[:0] = [sys.argv[1]]; from vgicheck.c.rehearsal import serve; serve(sys.argv[2])"
_BROKE_DOWN: Final = "the C parser broke down: nested too deeply, or macros that expand without end"


def rehearse(name: str, text: str, arguments: Sequence[str]) -> list[Diagnostic]:
    """Parse a text in a process of its own, with bounded time and memory, and return every message of the compiler.

    That process can open no file, so what a text wants of one is an error, by whatever directive.  Raises
    `LibclangError` where that does not end well.
    """
    asked = {"name": name, "text": text, "arguments": list(arguments), "seconds": SECONDS, "bytes": BYTES}
    server = _servers.get(os.getpid())
    if server is None:
        server = _servers[os.getpid()] = _Server()
    try:
        found = server.answer(json.dumps(asked).encode(), SECONDS)
    except LibclangError:
        del _servers[os.getpid()]
        raise
    if found is None:
        raise LibclangError(_BROKE_DOWN)
    return [Diagnostic(severity, message, Place(*place)) for severity, message, place in found]


class _Server:
    """The asking side of a server."""

    def __init__(self) -> None:
        command = [sys.executable, "-I", "-S", "-c", _START, str(_ROOT), library_path()]
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            raise LibclangError(f"the C parser could not be started: {error}") from error
        self._asking = threading.Lock()
        atexit.register(self._end)

    def answer(self, request: bytes, seconds: float) -> list[Any] | None:
        """Return what came of a request, None where its process broke down."""
        asks, answers = self._process.stdin, self._process.stdout
        assert asks is not None and answers is not None
        with self._asking:
            poll = select.poll()
            poll.register(answers, select.POLLIN)
            try:
                asks.write(request + b"\n")
                asks.flush()
                if not poll.poll(1000 * seconds):
                    self._end()
                    raise LibclangError(f"the C parser did not finish within {seconds} s")
                line = answers.readline()
            except OSError:
                line = b""
            if not line.endswith(b"\n"):
                self._end()
                raise LibclangError("the C parser could not be started, or was ended")
            found: list[Any] | None = json.loads(line)
            return found

    def _end(self) -> None:
        """End the server and what it has started, if that has not happened yet."""
        atexit.unregister(self._end)
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):  # of what could not be sent
                assert pipe is not None
                pipe.close()


_servers: Final[dict[int, _Server]] = {}
"""By the process that asks: what a fork inherits is the parent's."""


def serve(path: str) -> NoReturn:
    """Answer requests, a line each, for as long as somebody may make some."""
    with os.fdopen(os.dup(1), "wb") as answers:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the library may print
        library = Library(path)
        for line in sys.stdin.buffer:
            answers.write(_tried(library, json.loads(line)) + b"\n")
            answers.flush()
    os._exit(0)


def _tried(library: Library, request: Mapping[str, Any]) -> bytes:
    """Return what a process of its own says of a request; `null` where it ended otherwise than by itself."""
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            seconds, size = request["seconds"], request["bytes"]
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
            resource.setrlimit(resource.RLIMIT_AS, (size, size))
            resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
            tree = library.parse(request["name"], request["text"], request["arguments"])
            with os.fdopen(theirs, "wb") as answer:
                answer.write(json.dumps(tree.diagnostics()).encode())
            status = 0
        finally:
            os._exit(status)
    os.close(theirs)
    with os.fdopen(ours, "rb") as answer:
        found = answer.read()
    return found if os.waitpid(pid, 0)[1] == 0 else b"null"

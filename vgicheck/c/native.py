"""Running a C translation unit natively, on 32-bit types, as the second opinion on what the C means.

The unit is compiled for i386, whose integers, pointers and byte order are those of 32-bit ARM once `char` is unsigned
and `long long` is aligned to 8 bytes. It differs from ARM where C leaves room: the layout of bit-fields of mixed types,
shifts by the width or more, and division by zero or of `INT_MIN` by -1: `signal SIGFPE` here, or `signal SIGILL`
where gcc sees it coming. Addresses of locals, and locals that are read before they are written, vary from run to run.

The C may be a stranger's, so it is run only when the caller's user has asked for that, and then:

* text that could make the compiler read another file or pass text on to the assembler is refused;
* the compiler has limits on time, memory and the size of what it writes;
* the program has no libc, and before the unit's first instruction a seccomp filter leaves it `exit`, `read` from
  descriptor 0 and `write` to descriptor 1: no files, no sockets, no processes. Where that is refused, nothing runs.

A unit that sets out to can still forge its own answers: they are as trustworthy as the unit.
The runtime itself is `stubs/native.h`.
"""

from __future__ import annotations

import functools
import math
import os
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import BinaryIO

TEXT_BYTES = 4 << 20
"""The longest unit, in bytes."""

COMPILE_SECONDS = 20.0
"""What the compiler may take, wall clock, for each of its three passes."""

LONGEST_SECONDS = 86400
"""The longest time limit that a program may be given, in seconds."""

_PREPROCESSED_BYTES = 8 << 20
_COMPILER_LIMITS = {"AS": 1 << 30, "FSIZE": 64 << 20, "CPU": int(COMPILE_SECONDS) + 1, "CORE": 0}
_TRAP_MAX = 255
_NO_SANDBOX = 120
_NO_MEMORY = 121
_WORD = struct.Struct("<Q")

_LAUNCHER = """
import os, resource, sys
for pair in sys.argv[1].split(","):
    name, value = pair.split("=")
    kind = getattr(resource, "RLIMIT_" + name)
    hard = resource.getrlimit(kind)[1]
    value = int(value) if hard == resource.RLIM_INFINITY else min(int(value), hard)
    resource.setrlimit(kind, (value, value))
os.execv(sys.argv[2], sys.argv[2:])
"""

_TARGET = ("-std=gnu89", "-m32", "-malign-double", "-funsigned-char", "-fno-short-enums")
_FREESTANDING = ("-nostdinc", "-ffreestanding", "-fno-stack-protector", "-fcf-protection=none", "-fno-pic")
_AS_THE_KERNEL = ("-fwrapv", "-fno-strict-overflow", "-fno-strict-aliasing", "-fno-delete-null-pointer-checks")
_COMPLAINTS = ("-w", "-fmax-errors=1", "-fno-diagnostics-show-caret")
_FLAGS = (*_TARGET, *_FREESTANDING, *_AS_THE_KERNEL, *_COMPLAINTS, "-fno-asynchronous-unwind-tables")
# A function that nothing of the run calls may call what is not there.
_SECTIONS = ("-ffunction-sections", "-fdata-sections")
_TELLING = ("-fsanitize=thread",)
_LINK = ("-nostdlib", "-static", "-no-pie", "-Wl,-e,_start,-z,noexecstack,-z,norelro,--build-id=none,--gc-sections")


WATCHED = "access to the watched address"
"""The trap of a run that reads or writes at the address that is watched."""
ASTRAY = "an access that is not the next one"
"""The trap of threads that take turns, where one makes another access than was said."""


class NativeError(ValueError):
    """A unit that is refused, does not compile, or cannot be run here; the message is one line."""


@dataclass(frozen=True, slots=True)
class NativeResult:
    """What one vector gave: the observed values, or the trap that ended it (and then no values).

    A value is a 64-bit word, 0 to 2**64 - 1; a negative integer appears in two's complement.
    A trap is what the unit handed to `vgicheck_trap` (`BUG_ON`), `signal SIGSEGV` or another
    signal, `time limit`, `memory limit` (for the unit's data, so for each vector), or `malformed answer`.
    """

    values: tuple[int, ...] = ()
    trap: str | None = None


@dataclass(frozen=True, slots=True)
class NativeProgram:
    """A compiled unit: what each word of a vector is assigned to, what is observed, and its limits in seconds.

    Built by `compile_unit`, and usable while that context lasts.
    """

    directory: Path
    inputs: tuple[str, ...]
    observe: tuple[str, ...]
    seconds: float
    batch_seconds: float

    def run(self, values: Sequence[int]) -> NativeResult:
        """Run one vector, an integer for each input. Raises NativeError as `run_many` does."""
        return self.run_many([values])[0]

    def run_many(self, vectors: Sequence[Sequence[int]]) -> list[NativeResult]:
        """Run the vectors in order, each from the state in which the program starts; a result for each.

        One process runs them all; a vector that dies of a signal or a limit costs a new process for those behind it.
        A vector has `seconds` of wall clock, the batch `batch_seconds`: vectors not reached by then are
        `time limit` too. Raises NativeError when a vector has not one 64-bit integer (signed or unsigned)
        for each input, and when the program cannot be run in its sandbox.
        """
        results: list[NativeResult] = []
        with tempfile.TemporaryFile(dir=self.directory) as source:
            for number, vector in enumerate(vectors):
                source.write(self._encode(number, vector))
            source.flush()
            deadline = time.monotonic() + self.batch_seconds
            while len(results) < len(vectors):
                if time.monotonic() >= deadline:
                    results.extend([NativeResult(trap="time limit")] * (len(vectors) - len(results)))
                    break
                os.lseek(source.fileno(), len(results) * _WORD.size * (1 + len(self.inputs)), os.SEEK_SET)
                results.extend(self._run_process(source, len(vectors) - len(results), deadline))
        return results

    def _encode(self, number: int, vector: Sequence[int]) -> bytes:
        """A vector as the runtime reads it: a word without meaning, then the values."""
        if len(vector) != len(self.inputs):
            raise NativeError(f"vector {number}: {len(vector)} values for {len(self.inputs)} inputs")
        for lvalue, value in zip(self.inputs, vector, strict=True):
            if not -(1 << 63) <= value < 1 << 64:
                raise NativeError(f"vector {number}: {lvalue}: {value} does not fit in 64 bits")
        return struct.pack(f"<{1 + len(vector)}Q", 0, *(value & (1 << 64) - 1 for value in vector))

    def _run_process(self, source: BinaryIO, count: int, deadline: float) -> list[NativeResult]:
        """The results of up to `count` vectors, and at least one; fewer when the last of them killed the process."""
        try:
            process = subprocess.Popen(
                [self.directory / "unit"],
                stdin=source,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd=self.directory,
                env={},
                start_new_session=True,
                bufsize=0,
            )
        except OSError as error:
            raise NativeError(f"cannot execute a 32-bit program in {self.directory.parent}: {error.strerror}") from None
        with process:
            assert process.stdout is not None
            try:
                return self._collect(process, process.stdout.fileno(), count, deadline)
            finally:
                _kill(process)

    def _collect(
        self, process: subprocess.Popen[bytes], output: int, count: int, deadline: float
    ) -> list[NativeResult]:
        """Read answers until `count` are there, or the process ends, stalls or writes what is no answer."""
        results: list[NativeResult] = []
        pending = b""
        poll = select.poll()
        poll.register(output, select.POLLIN)
        patience = min(time.monotonic() + self.seconds, deadline)
        while len(results) < count:
            if not poll.poll(max(0.0, patience - time.monotonic()) * 1000):
                return [*results, NativeResult(trap="time limit")]
            chunk = os.read(output, 1 << 16)
            if not chunk:
                return results + _ended(process.wait(), count - len(results))
            answers, pending, malformed = _decode(pending + chunk, len(self.observe))
            if answers:
                patience = min(time.monotonic() + self.seconds, deadline)
            results.extend(answers)
            if malformed:
                results.append(NativeResult(trap="malformed answer"))
                break
        return results[:count]


@contextmanager
def compile_unit(
    text: str,
    inputs: Sequence[str],
    call: str,
    observe: Sequence[str],
    *,
    reset: str | None = None,
    optimise: int = 2,
    defines: Mapping[str, str] | None = None,
    sanitize: Sequence[str] = (),
    watch: str = "",
    tells: bool = False,
    locals_are: str = "",
    seconds: float = 2.0,
    batch_seconds: float = 60.0,
) -> Iterator[NativeProgram]:
    """Compile a translation unit and what to do with it; the program lives as long as the context.

    For each vector the unit's data are put back to what they are when the program starts, then `reset` is evaluated,
    each lvalue of `inputs` is assigned its value in order, `call` is evaluated, and each integer expression of
    `observe` is converted to `unsigned long long` (write `(unsigned long)pointer` for a pointer).
    The text has no `main`, and may use `vgicheck_trap(const char *)`, which ends the vector, and
    `vgicheck_result`, an `unsigned long long` for the call to keep its value in; both are declared ahead of it.
    `sanitize` are checks of gcc's -fsanitize= that trap in the unit, `signal SIGILL`, when they fail.
    With an address to `watch`, an expression, an access of the call to that very address traps with `WATCHED`.
    Where the unit `tells` of its accesses the call may be of `vgicheck_take`, see `stubs/native.h`; a thread that comes
    to another access than its move says traps with `ASTRAY`.
    `locals_are` says what is in locals that nothing was written to, where `optimise` is 0: `zero`, or a `pattern`.
    `optimise` is the level of -O, 0 to 3; `seconds` and `batch_seconds` are as in `NativeProgram.run_many`.

    Raises NativeError: for text that includes files, has pragmas, assembly or attributes with strings; for
    text that does not compile or link within the limits; and when there is no compiler for 32 bits.
    """
    if optimise not in range(4):
        raise NativeError(f"optimise: {optimise} is no level from 0 to 3")
    if not (0 < seconds <= LONGEST_SECONDS and 0 < batch_seconds <= LONGEST_SECONDS):
        raise NativeError(f"time limits of {seconds} s and {batch_seconds} s are not within 0 to {LONGEST_SECONDS} s")
    if locals_are not in ("", "zero", "pattern") or (locals_are and optimise):
        raise NativeError(f"locals_are: {locals_are} is neither zero nor pattern, or the level of -O is not 0")
    unit = text + _driver(inputs, call, observe, reset, watch)
    options = [f"-O{optimise}", *_definitions(defines or {})]
    _refuse_directives(unit)
    try:
        encoded = unit.encode()
    except UnicodeEncodeError as error:
        raise NativeError(f"the unit cannot be encoded: {error.reason}") from None
    if len(encoded) > TEXT_BYTES:
        raise NativeError(f"the unit has {len(encoded)} bytes, more than the limit of {TEXT_BYTES}")
    with tempfile.TemporaryDirectory(prefix="vgicheck-") as name:
        directory = Path(name)
        (directory / "unit.c").write_bytes(encoded)
        (directory / "native.h").write_bytes((resources.files(__package__) / "stubs" / "native.h").read_bytes())
        _compiler(directory, [*_FLAGS, *options, "-include", "native.h", "-E", "unit.c", "-o", "unit.i"])
        _refuse_tokens(_preprocessed(directory))
        runtime = [
            "-DVGICHECK_RUNTIME",
            f"-DVGICHECK_TRAP_MAX={_TRAP_MAX}",
            f"-DVGICHECK_NO_SANDBOX={_NO_SANDBOX}",
            f"-DVGICHECK_NO_MEMORY={_NO_MEMORY}",
            f'-DVGICHECK_WATCHED="{WATCHED}"',
            f'-DVGICHECK_ASTRAY="{ASTRAY}"',
            f"-DVGICHECK_CPU_SECONDS={math.ceil(batch_seconds) + 1}",
        ]
        checks = [f"-fsanitize={','.join(sanitize)}", "-fsanitize-undefined-trap-on-error"] if sanitize else []
        checks += _TELLING if watch or tells else []
        checks += [f"-ftrivial-auto-var-init={locals_are}"] if locals_are else []
        unit_flags = [*_FLAGS, *_SECTIONS, f"-O{optimise}", *checks]
        _compiler(directory, [*unit_flags, "-c", "-x", "cpp-output", "unit.i", "-o", "unit.o"])
        sources = ["unit.o", "-x", "c", "native.h"]
        _compiler(directory, [*_FLAGS, *_LINK, f"-O{optimise}", *runtime, *sources, "-o", "unit"])
        yield NativeProgram(directory, tuple(inputs), tuple(observe), seconds, batch_seconds)


@functools.cache
def available() -> str | None:
    """None when units can be compiled and run here, in their sandbox; else the reason, in one line."""
    try:
        with compile_unit("unsigned long word;", ["word"], "word += 1", ["word", "sizeof(word)"], seconds=10) as probe:
            result = probe.run([41])
    except NativeError as error:
        return str(error)
    return None if result == NativeResult((42, 4)) else f"a probe of native runs gave {result}"


def _driver(inputs: Sequence[str], call: str, observe: Sequence[str], reset: str | None, watch: str) -> str:
    """What is compiled behind the text, in the same unit, so that it sees the unit's types and static objects."""
    lines = [
        "",
        '#line 1 "driver.c"',
        f"unsigned long long vgicheck_inputs[{1 + len(inputs)}], vgicheck_outputs[{1 + len(observe)}];",
        "const unsigned long vgicheck_input_bytes = sizeof(vgicheck_inputs);",
        "const unsigned long vgicheck_output_bytes = sizeof(vgicheck_outputs);",
        "void vgicheck_vector(void)",
        "{",
        *([f"\t{reset};"] if reset else []),
        *(f"\t{lvalue} = vgicheck_inputs[{index}];" for index, lvalue in enumerate(inputs, 1)),
        *([f"\tvgicheck_watched = (unsigned long)({watch});"] if watch else []),
        f"\t{call};",
        "\tvgicheck_watched = 0;",
        *(f"\tvgicheck_outputs[{index}] = (unsigned long long)({value});" for index, value in enumerate(observe, 1)),
        "}",
        "",
    ]
    return "\n".join(lines)


def _definitions(defines: Mapping[str, str]) -> list[str]:
    for name, value in defines.items():
        if not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII) or not value.isprintable():
            raise NativeError(f"define: {name!r} is no macro name, or its value no single line of text")
    return [f"-D{name}={value}" for name, value in defines.items()]


# Refusals --------------------------------------------------------------------------------------

_SPLICE = re.compile(r"\\[ \t\f\v]*\n")
_DIRECTIVE = re.compile(
    r"(?:#|%:)\s*(/[*/]|(?:include|include_next|import|embed|pragma|ident|sccs)\b)"
    r"|\b(__has_include|__has_include_next|__has_embed|_Pragma|__pragma)\b",
    re.ASCII,
)
_LINE_MARKER = re.compile(r'# \d+ "(?:\\.|[^"\\\n])*"[ \d]*')
_TOKEN = re.compile(
    r"""
    ^[ \t\f\v]*(?:\#|%:)[^\n]*                         # a line marker, or what looks like a directive
    | "(?>\\.|[^"\\\n])*+(?:"|$) | '(?>\\.|[^'\\\n])*+(?:'|$)  # to the end of the line, if it is not closed
    | [A-Za-z_$][\w$]*
    | (?:\[|<:)\s*(?:\[|<:)
    | [()]
    """,
    re.MULTILINE | re.VERBOSE | re.ASCII,
)
_REFUSED_WORDS = frozenset({"asm", "__asm", "__asm__", "_Pragma", "__pragma", "__RTL", "__GIMPLE"})


def _refuse_directives(unit: str) -> None:
    """Refuse what makes the preprocessor read, or look for, another file, wherever in the text it stands.

    Text in a comment or a string that looks like such a directive is refused too, so that no difference between this
    reading and gcc's can hide one. For the same reason control characters are refused, and a comment behind `#`.
    """
    plain = unit.replace("\r\n", "\n")
    if control := re.search(r"[\0-\x08\r\x0e-\x1f\x7f]", plain):
        raise NativeError(f"refused: control character {control[0]!r} in the unit")
    if found := _DIRECTIVE.search(_SPLICE.sub("", plain)):
        word = f"#{found[1]}" if found[1] else found[2]
        raise NativeError(f"refused: `{word}` in the unit, which must read no other file")


def _refuse_tokens(preprocessed: str) -> None:
    """Refuse what reaches the assembler as it stands: assembly, pragmas, and strings in attributes (section names)."""
    depth: int | None = None
    for match in _TOKEN.finditer(preprocessed):
        token = match[0]
        if token in _REFUSED_WORDS:
            raise NativeError(f"refused: `{token}` in the unit")
        if token.lstrip().startswith(("#", "%:")):
            if not _LINE_MARKER.fullmatch(token):
                raise NativeError(f"refused: `{token.strip()[:60]}` in the unit")
        elif token.startswith(("[", "<:")):
            raise NativeError("refused: `[[` in the unit")
        elif token in ("__attribute__", "__attribute"):
            depth = 0
        elif depth is not None:
            if token.startswith('"'):
                raise NativeError(f"refused: an attribute with the string {token[:60]}")
            depth += {"(": 1, ")": -1}.get(token, 0)
            if depth <= 0:
                depth = None


# Processes -------------------------------------------------------------------------------------


def _compiler(directory: Path, arguments: Sequence[str]) -> None:
    """Run gcc in the directory, within its limits. Raises NativeError with its first complaint."""
    path = os.environ.get("PATH", os.defpath)
    gcc = shutil.which("gcc", path=path)
    if gcc is None:
        raise NativeError("no gcc on the PATH: native runs need gcc with -m32")
    limits = ",".join(f"{name}={value}" for name, value in _COMPILER_LIMITS.items())
    environment = {"PATH": path, "LC_ALL": "C", "TMPDIR": str(directory)}
    with (directory / "complaints").open("w+b") as complaints:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _LAUNCHER, limits, os.path.abspath(gcc), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=complaints,
            cwd=directory,
            env=environment,
            start_new_session=True,
        )
        try:
            status = process.wait(COMPILE_SECONDS)
        except subprocess.TimeoutExpired:
            raise NativeError(f"gcc took more than {COMPILE_SECONDS:.0f} s") from None
        finally:
            _kill(process)
        if status:
            complaints.seek(0)
            raise NativeError(f"gcc: {_first_error(complaints.read(1 << 16).decode(errors='replace'))}")


def _first_error(complaints: str) -> str:
    """The line that says why gcc failed, without the names of its temporary files."""
    if found := re.search(r"(?:undefined reference to|multiple definition of) `\w+'", complaints):
        return found[0]
    lines = re.sub(r"\S*/cc\w+\.[so]\b", "the assembler", complaints).splitlines() or ["failed without a reason"]
    return _printable(next((line for line in lines if "error: " in line), lines[0]))[:300]


def _printable(text: str) -> str:
    """The text without what a terminal would obey."""
    return "".join(character if character.isprintable() else "?" for character in text)


def _preprocessed(directory: Path) -> str:
    """The preprocessed unit; its size is bounded because reading it takes Python's time."""
    path = directory / "unit.i"
    if (size := path.stat().st_size) > _PREPROCESSED_BYTES:
        raise NativeError(f"the unit has {size} bytes once preprocessed, more than the limit of {_PREPROCESSED_BYTES}")
    return path.read_text(encoding="utf-8", errors="replace")


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the process and what it started. Its session is its own, and its number is not reused before the wait."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _ended(status: int, remaining: int) -> list[NativeResult]:
    """The results of a process that ended before it had answered: of the vector at hand, or of all of the rest."""
    if status == -signal.SIGXCPU:
        return [NativeResult(trap="time limit")]
    if status < 0:
        return [NativeResult(trap=f"signal {signal.Signals(-status).name}")]
    if status == _NO_MEMORY:
        return [NativeResult(trap="memory limit")] * remaining
    if status == _NO_SANDBOX:
        raise NativeError("the sandbox (resource limits, seccomp filter) is refused here; nothing was run")
    raise NativeError(f"the program ended with status {status} and {remaining} vectors left")


def _decode(data: bytes, observed: int) -> tuple[list[NativeResult], bytes, bool]:
    """The whole answers at the head of the data, the bytes behind them, and whether those cannot become an answer."""
    answers: list[NativeResult] = []
    values = struct.Struct(f"<{observed}Q")
    at = 0
    while at + _WORD.size <= len(data):
        (length,) = _WORD.unpack_from(data, at)
        if length > _TRAP_MAX:
            return answers, b"", True
        body = at + _WORD.size
        end = body + (length or values.size)
        if end > len(data):
            break
        if length:
            answers.append(NativeResult(trap=_printable(data[body:end].decode("ascii", "replace"))))
        else:
            answers.append(NativeResult(values.unpack_from(data, body)))
        at = end
    return answers, data[at:], False

"""Random programs from csmith, with integers of every width, pointers, arrays, structs, loops and gotos.

csmith guards each operation that C may leave undefined by a function of its header; here those functions are ours, and
say no more than the kernel's flags leave open: sums and products wrap.  `raw` programs have no such functions at all.
What csmith writes is used and thrown away; it is not kept.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from random import Random

from .sample import Sample

MISSING = "csmith is not installed: apt-get install csmith"
SECONDS = 20.0
"""What csmith may take for one program; now and then it never ends."""

TYPES = (
    "typedef signed char int8_t; typedef short int16_t; typedef int int32_t; typedef long long int64_t;",
    "typedef unsigned char uint8_t; typedef unsigned short uint16_t;",
    "typedef unsigned int uint32_t; typedef unsigned long long uint64_t;",
)
WIDTHS = {f"{sign}int{bits}_t": bits for sign in ("", "u") for bits in (8, 16, 32, 64)}
OUTSIDE = ("--nomain", "--concise", "--no-bitfields", "--no-volatiles", "--no-packed-struct")
"""What is not asked for: bit-fields are refused, and nothing but the program changes its memory."""
OPERATORS = {"add": "+", "sub": "-", "mul": "*", "div": "/", "mod": "%", "lshift": "<<", "rshift": ">>"}


class CsmithError(Exception):
    """csmith is missing or gave no program; the message is one line."""


def available() -> str | None:
    """Return None where csmith is installed, else what to do, in one line."""
    return None if shutil.which("csmith") else MISSING


def guarded(random: Random, number: int) -> Sample:
    """Make a program in which nothing is undefined."""
    return _sample(random, number, ())


def raw(random: Random, number: int) -> Sample:
    """Make a program whose shifts and divisions may be undefined."""
    return _sample(random, number, ("--no-safe-math",))


def _sample(random: Random, number: int, options: tuple[str, ...]) -> Sample:
    while True:
        seed = random.getrandbits(32)
        try:
            text = _written(seed, (*_sizes(random), *options))
        except subprocess.TimeoutExpired:
            continue
        text = re.sub(r"\b(g_\d+|func_\d+|[SU]\d+)\b", rf"\1_{number}", text)
        text += f"void entry_{number}(void) {{ func_1_{number}(); }}\n"
        return Sample(number, (*TYPES, *_helpers(text)), text, f"entry_{number}", _inputs(random, text))


def _sizes(random: Random) -> tuple[str, ...]:
    numbers = {
        "--max-funcs": random.randint(1, 5),
        "--max-block-depth": random.randint(1, 3),
        "--max-block-size": random.randint(2, 5),
        "--max-expr-complexity": random.randint(2, 8),
        "--max-array-dim": random.randint(1, 3),
        "--max-array-len-per-dim": random.randint(2, 5),
        "--max-pointer-depth": random.randint(2, 3),
        "--max-struct-fields": random.randint(2, 6),
    }
    written = tuple(word for name, value in numbers.items() for word in (name, str(value)))
    return (*written, "--unions" if random.random() < 0.1 else "--no-unions")


def _written(seed: int, options: tuple[str, ...]) -> str:
    command = ["csmith", "--seed", str(seed), *OUTSIDE, *options]
    with tempfile.TemporaryDirectory() as directory:
        try:
            run = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False, timeout=SECONDS)
        except FileNotFoundError:
            raise CsmithError(MISSING) from None
    if run.returncode or "func_1" not in run.stdout:
        raise CsmithError(f"csmith --seed {seed} gave no program: {' '.join(run.stderr.split())}")
    return run.stdout.replace('#include "csmith.h"\n', "").replace("static long __undefined;\n", "")


def _inputs(random: Random, text: str) -> dict[str, int]:
    """Choose a few scalars of static storage that take arbitrary values: what is defined does not depend on them."""
    scalars = re.findall(r"^static (u?int\d+_t) (g_\w+) = ", text, re.MULTILINE)
    return {name: WIDTHS[kind] for kind, name in random.sample(scalars, min(len(scalars), random.randint(1, 3)))}


def _helpers(text: str) -> tuple[str, ...]:
    """Define the functions of csmith's header that a text calls."""
    return tuple(_helper(name) for name in dict.fromkeys(re.findall(r"\bsafe_\w+", text)))


def _helper(name: str) -> str:
    parts = re.fullmatch(r"safe_(unary_minus|[a-z]+)_func_((u?)int(\d+)_t)_([su]+)(?:_([su]))?", name)
    if parts is None:
        raise CsmithError(f"a function of csmith's header that is not known: {name}")
    what, kind, unsigned, bits = parts[1], parts[2], bool(parts[3]), int(parts[4])
    if what == "unary_minus":
        return f"static {kind} {name}({kind} a) {{ return -a; }}"
    operator, other = OPERATORS[what], kind
    if what in ("lshift", "rshift"):
        other = "unsigned int" if parts[6] == "u" else "int"
        guard = f"(unsigned int)b >= {max(bits, 32)}u"
    elif what in ("div", "mod"):
        guard = "b == 0" if unsigned else f"b == 0 || (b == -1 && a == ({kind})(1ull << {bits - 1}))"
    else:
        guard = "0"
    return f"static {kind} {name}({kind} a, {other} b) {{ return {guard} ? a : a {operator} b; }}"

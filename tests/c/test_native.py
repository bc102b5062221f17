"""Native runs: what i386 computes, how a vector may end, and what neither compiler nor program is let do."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path

import pytest

from vgicheck.c import native
from vgicheck.c.native import NativeError, NativeProgram, NativeResult, available, compile_unit

needs_native = pytest.mark.skipif(available() is not None, reason=f"no native runs here: {available()}")

LEVELS = (0, 2)

MASK32 = (1 << 32) - 1
MASK64 = (1 << 64) - 1


def signed(value: int, bits: int) -> int:
    """The low bits of a value, read in two's complement."""
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def truncated_division(n: int, d: int) -> tuple[int, int]:
    """Quotient and remainder as C has them, rounded to zero."""
    quotient = abs(n) // abs(d) * (1 if (n < 0) == (d < 0) else -1)
    return quotient, n - quotient * d


OPERATIONS: dict[str, Callable[[int, int], int]] = {
    "a + b": lambda a, b: a + b & MASK32,
    "a - b": lambda a, b: a - b & MASK32,
    "a * b": lambda a, b: a * b & MASK32,
    "a / b": lambda a, b: a // b,
    "a % b": lambda a, b: a % b,
    "a & ~b": lambda a, b: a & ~b & MASK32,
    "a << (b & 31)": lambda a, b: a << (b & 31) & MASK32,
    "a >> (b & 31)": lambda a, b: a >> (b & 31),
    "(s32)a >> (b & 31)": lambda a, b: signed(a, 32) >> (b & 31),
    "(s32)a / (s32)(b | 1 << 30 & ~(1u << 31))": lambda a, b: truncated_division(
        signed(a, 32), signed(b | 1 << 30, 32)
    )[0],
    "(s32)a < (s32)b": lambda a, b: signed(a, 32) < signed(b, 32),
    "a < b": lambda a, b: a < b,
    "(signed char)a": lambda a, b: signed(a, 8),
    "(char)a": lambda a, b: a & 0xFF,
    "(unsigned short)a - b": lambda a, b: (a & 0xFFFF) - b & MASK32,
    "(long)a": lambda a, b: signed(a, 32),
    "(u64)a * b": lambda a, b: a * b,
}

WIDE_OPERATIONS: dict[str, Callable[[int, int], int]] = {
    "x + y": lambda x, y: x + y,
    "x * y": lambda x, y: x * y,
    "x / y": lambda x, y: x // y,
    "x % y": lambda x, y: x % y,
    "x << (y & 63)": lambda x, y: x << (y & 63),
    "(s64)x >> (y & 63)": lambda x, y: signed(x, 64) >> (y & 63),
    "(s64)x / (s64)y": lambda x, y: truncated_division(signed(x, 64), signed(y, 64))[0],
    "(s64)x % (s64)y": lambda x, y: truncated_division(signed(x, 64), signed(y, 64))[1],
    "(s64)x < (s64)y": lambda x, y: signed(x, 64) < signed(y, 64),
    "__builtin_popcountll(x)": lambda x, y: x.bit_count(),
    "__builtin_parityll(x)": lambda x, y: x.bit_count() & 1,
    "__builtin_ffsll(x)": lambda x, y: (x & -x).bit_length(),
    "__builtin_clzll(y)": lambda x, y: 64 - y.bit_length(),
    "__builtin_ctzll(y)": lambda x, y: (y & -y).bit_length() - 1,
}

TYPES = """
typedef unsigned char u8; typedef unsigned int u32; typedef int s32;
typedef unsigned long long u64; typedef long long s64;
"""

ENDINGS = (
    TYPES
    + """
#define BUG_ON(condition) do { if (condition) vgicheck_trap("BUG_ON"); } while (0)
static u32 mode, seen;
static volatile u32 zero;
static u8 table[4] = { 1, 2, 3, 4 };
static u32 recurse(u32 depth) { volatile u8 room[4096]; room[0] = depth; return recurse(depth + 1) + room[0]; }
static u32 entry(void)
{
	seen++;
	table[1] += 5;
	BUG_ON(mode == 1);
	if (mode == 2) *(volatile u32 *)0x40 = 1;
	if (mode == 3) for (;;) ;
	if (mode == 4) return 7 / zero;
	if (mode == 5) return recurse(0);
	if (mode == 6) vgicheck_trap("\\033[31mred");
	if (mode == 7) vgicheck_trap("");
	return 100 + seen + table[1];
}
"""
)
FINE = NativeResult((100 + 1 + 7,))
"""What `entry` gives in mode 0, whatever ran before it."""


@pytest.fixture(scope="module")
def endings() -> Iterator[NativeProgram]:
    """A program whose one input chooses how a vector ends."""
    with compile_unit(ENDINGS, ["mode"], "vgicheck_result = entry()", ["vgicheck_result"], seconds=0.3) as program:
        yield program


def random_words(random_: random.Random, bits: int) -> int:
    """A word in which edges are as likely as anything else."""
    return random_.choice(
        [random_.getrandbits(bits), random_.getrandbits(5), (1 << bits) - 1 - random_.getrandbits(3), 1 << bits - 1]
    )


@needs_native
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(("bits", "names", "operations"), [(32, "ab", OPERATIONS), (64, "xy", WIDE_OPERATIONS)])
def test_arithmetic(level: int, bits: int, names: str, operations: dict[str, Callable[[int, int], int]]) -> None:
    """Arithmetic on random 32-bit and 64-bit words is that of Python cut to the width, at -O0 and -O2."""
    seed = random.SystemRandom().getrandbits(32)
    print(f"seed {seed}")
    source = random.Random(seed)
    pairs = [(random_words(source, bits), random_words(source, bits)) for _ in range(500)]
    # A divisor is neither 0 nor -1: those trap.
    pairs = [(a, b) for a, b in pairs if b not in (0, (1 << bits) - 1)]
    observe = [f"({expression})" for expression in operations]
    with compile_unit(TYPES + "u32 a, b; u64 x, y;", list(names), "0", observe, optimise=level) as program:
        results = program.run_many(pairs)
    for pair, result in zip(pairs, results, strict=True):
        expected = tuple(int(operation(*pair)) & MASK64 for operation in operations.values())
        assert dict(zip(operations, result.values, strict=True)) == dict(zip(operations, expected, strict=True)), pair


@needs_native
@pytest.mark.parametrize("level", LEVELS)
def test_types_are_those_of_32_bit_arm(level: int) -> None:
    """`long` and pointers have 32 bits, `char` is unsigned, a u64 is aligned to 8, and bytes are little endian."""
    text = TYPES + "struct mixed { u32 a; u64 b; }; enum small { SMALL }; char c = -1; u32 word = 0x11223344;"
    expected = {
        "sizeof(long)": 4,
        "sizeof(void *)": 4,
        "sizeof(enum small)": 4,
        "sizeof(struct mixed)": 16,
        "__builtin_offsetof(struct mixed, b)": 8,
        "__alignof__(u64)": 8,
        "c == 255": 1,
        "*(u8 *)&word": 0x44,
    }
    with compile_unit(text, [], "0", list(expected), optimise=level) as program:
        assert dict(zip(expected, program.run([]).values, strict=True)) == expected


@needs_native
def test_inputs_reach_every_kind_of_integer_lvalue() -> None:
    """An input is converted to its lvalue's type as C converts: a bit-field, a _Bool, an element of a member."""
    text = "struct lr { unsigned state : 2; _Bool eoi; unsigned short lr[2]; } cpu[2]; long long wide;"
    lvalues = ["cpu[1].state", "cpu[1].eoi", "cpu[1].lr[1]", "wide"]
    with compile_unit(text, lvalues, "0", [*lvalues, "cpu[0].state"]) as program:
        assert program.run([7, 2, 0x12345, -5]).values == (3, 1, 0x2345, MASK64 - 4, 0)
        assert program.run([1, 0, 1, MASK64]).values == (1, 0, 1, MASK64, 0)


@needs_native
def test_reset_is_evaluated_ahead_of_the_inputs() -> None:
    """`reset` sees the data that the program starts with, and the inputs are assigned behind it."""
    text = "unsigned a = 3, b; static void reset(void) { b = a * 2; a = 50; }"
    with compile_unit(text, ["a"], "b += a", ["b"], reset="reset()") as program:
        assert program.run_many([[1], [2], [1]]) == [NativeResult((7,)), NativeResult((8,)), NativeResult((7,))]


@needs_native
def test_defines_reach_the_unit() -> None:
    """A macro given by `defines` is seen by the unit."""
    with compile_unit("int n = VGIC_MAX_LRS;", [], "0", ["n"], defines={"VGIC_MAX_LRS": "(1 << 6)"}) as program:
        assert program.run([]).values == (64,)


WATCH = """
struct { int low[4], high[4]; } s;
int *p = s.low, index;
char bytes[8];
"""


@needs_native
@pytest.mark.parametrize(
    ("call", "watch", "seen"),
    [
        ("vgicheck_result = p[index]", "&s.low[4]", True),
        ("p[index] = 1", "&s.high[0]", True),
        ("bytes[index]++", "&bytes[4]", True),
        ("vgicheck_result = *(long long *)(p + index)", "&s.high", True),
        ("vgicheck_result = p[index]", "&s.low[3]", False),
        ("vgicheck_result = p[index]", "&s.low[5]", False),
        ("s.high[0]++", "&s.low[4]", True),
    ],
)
def test_an_access_to_a_watched_address(call: str, watch: str, seen: bool) -> None:
    """An access of the call to the very address traps; one beside it, and what assigns the inputs, do not."""
    inputs = ["index", "s.low[3]", "s.low[4]", "s.low[5]"]
    with compile_unit(WATCH, inputs, call, ["index"], optimise=0, watch=watch) as program:
        assert (program.run([4, 0, 0, 0]).trap == native.WATCHED) is seen


TURNS = """
unsigned x, seen[2];
static void add(void) { x += 1; }
static void look(void) { seen[0] = x; seen[1] = x; }
static void own(unsigned int thread, int in) { }
static void (*const threads[])(void) = { add, look };
static const struct vgicheck_cut cuts[] = { { (unsigned long)&x, 3 } };
static const struct vgicheck_move moves[] = { MOVES };
static const struct vgicheck_turns turns = { 1, sizeof(moves) / sizeof(moves[0]), cuts, moves, threads, own };
"""


@needs_native
@pytest.mark.parametrize(
    ("moves", "left"),
    [
        ("{ 0, X, 1, 0 }, { 0, X, 0, 1 }, { 1, X, 1, 0 }, { 1, X, 1, 0 }", (3, 6, 6, 6)),
        ("{ 1, X, 1, 0 }, { 0, X, 1, 0 }, { 0, X, 0, 1 }, { 1, X, 1, 0 }", (3, 6, 5, 6)),
        ("{ 0, X, 1, 0 }, { 1, X, 1, 0 }", (0, 5, 5, 0)),
        ("{ 0, X, 1, 1 }, { 0, 0, 0, 0 }", (1, 6, 0, 0)),
        ("{ 0, X, 0, 0 }", (0, 5, 0, 0)),
        ("{ 0, X, 0, 1 }", native.ASTRAY),
        ("{ 0, X + 4, 1, 0 }", native.ASTRAY),
        ("{ 0, X, 1, 0 }, { 0, 0, 0, 0 }", native.ASTRAY),
        ("{ 0, X, 1, 1 }, { 0, X, 1, 0 }", native.ASTRAY),
    ],
)
def test_threads_take_turns(moves: str, left: tuple[int, ...] | str) -> None:
    """Threads make the accesses that are said, in that order: which have ended, and what is left; no others."""
    observed = ["vgicheck_result", "x", "seen[0]", "seen[1]"]
    with compile_unit(TURNS.replace("MOVES", moves.replace("X", "(unsigned long)&x")), ["x"],
                      "vgicheck_result = vgicheck_take(&turns)", observed, optimise=0, tells=True) as program:  # fmt: skip
        expected = NativeResult(trap=left) if isinstance(left, str) else NativeResult(left)
        assert program.run_many([[5], [5]]) == [expected] * 2


@needs_native
def test_what_locals_are() -> None:
    """A local that nothing was written to is zero or not, as is wanted; what was written stays."""
    text = "int given; int f(void) { int other; if (given) other = 7; return other; }"
    for locals_are, expected in (("zero", [0, 7]), ("pattern", [0xFEFEFEFE, 7])):
        with compile_unit(text, ["given"], "vgicheck_result = (unsigned)f()", ["vgicheck_result"], optimise=0,
                          locals_are=locals_are) as program:  # fmt: skip
            assert [r.values[0] for r in program.run_many([[0], [1]])] == expected


@needs_native
def test_what_the_compiler_calls_is_there() -> None:
    """Large copies, fills, overlapping moves and comparisons link and work without a libc."""
    text = "struct page { unsigned char at[4000]; } a, b; unsigned char fill;"
    call = (
        "__builtin_memset(&a, fill, sizeof(a)), a.at[7] = 1, b = a, __builtin_memmove(b.at + 1, b.at, 3999), "
        "__builtin_memmove(b.at + 100, b.at + 101, 50)"
    )
    observe = ["b.at[7]", "b.at[8]", "b.at[3999]", "__builtin_memcmp(&a, &b, 7)", "__builtin_memcmp(&a, &b, 8) < 0"]
    for level in LEVELS:
        with compile_unit(text, ["fill"], call, observe, optimise=level) as program:
            assert program.run([9]).values == (9, 1, 9, 0, 1)


@needs_native
@pytest.mark.parametrize(
    ("mode", "trap"),
    [
        (1, "BUG_ON"),
        (2, "signal SIGSEGV"),
        (3, "time limit"),
        (4, "signal SIGFPE"),
        (5, "signal SIGSEGV"),
        (6, "?[31mred"),
        (7, "trap"),
    ],
)
def test_a_trap_ends_its_vector_only(endings: NativeProgram, mode: int, trap: str) -> None:
    """BUG_ON, a wild pointer, an endless loop, a division by zero and an endless recursion are traps of one vector."""
    assert endings.run_many([[0], [mode], [0]]) == [FINE, NativeResult(trap=trap), FINE]


@needs_native
def test_vectors_do_not_see_each_other(endings: NativeProgram) -> None:
    """The unit's data, initialised or not, are as at the start for each vector, behind a trap too."""
    assert endings.run_many([[0], [0], [1], [0]]) == [FINE, FINE, NativeResult(trap="BUG_ON"), FINE]


@needs_native
def test_a_batch_has_a_time_limit() -> None:
    """Vectors that are not reached before the batch's time is over have the trap `time limit`, soon after."""
    with compile_unit(ENDINGS, ["mode"], "entry()", [], seconds=0.2, batch_seconds=0.5) as program:
        start = time.monotonic()
        results = program.run_many([[3]] * 1000)
        assert time.monotonic() - start < 5
    assert results == [NativeResult(trap="time limit")] * 1000


@needs_native
def test_memory_has_a_limit() -> None:
    """A unit whose data exceed the memory limit traps in every vector, and does not run."""
    with compile_unit("char data[300 << 20];", [], "data[0]++", []) as program:
        assert program.run_many([[], []]) == [NativeResult(trap="memory limit")] * 2


@needs_native
@pytest.mark.parametrize("mode", [0, 1])
def test_a_batch_is_fast(endings: NativeProgram, mode: int) -> None:
    """Ten thousand vectors take one process, also where each of them is a BUG_ON."""
    start = time.monotonic()
    results = endings.run_many([[mode]] * 10_000)
    elapsed = time.monotonic() - start
    print(f"{10_000 / elapsed:.0f} vectors a second")
    assert results == [FINE if mode == 0 else NativeResult(trap="BUG_ON")] * 10_000
    assert elapsed < 10


@needs_native
def test_no_vectors_no_results(endings: NativeProgram) -> None:
    """An empty batch has no results."""
    assert endings.run_many([]) == []


@needs_native
@pytest.mark.parametrize("vector", [[], [0, 0], [1 << 64], [-(1 << 63) - 1]])
def test_a_vector_that_does_not_fit_is_refused(endings: NativeProgram, vector: list[int]) -> None:
    """A vector with too few or too many values, or one beyond 64 bits, is an error that names the vector."""
    with pytest.raises(NativeError, match=r"^vector 1: "):
        endings.run_many([[0], vector])


@needs_native
def test_the_directory_is_removed() -> None:
    """Nothing of a program is left behind its context, also when that ends in an exception."""
    directories = []

    def fail_inside() -> None:
        with compile_unit("", [], "0", []) as program:
            directories.append(program.directory)
            assert (program.directory / "unit").exists()
            raise KeyError

    with pytest.raises(KeyError):
        fail_inside()
    assert not directories[0].exists()


# Refusals --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        '#include "/etc/passwd"',
        '  #  include "/etc/passwd"',
        '#inc\\\nlude "/etc/passwd"',
        '#inc\\ \t\nlude "/etc/passwd"',
        '#inc\\\r\nlude "/etc/passwd"',
        '%: include "/etc/passwd"',
        '#/* */include "/etc/passwd"',
        '#\\\n/* */include "/etc/passwd"',
        "' /*\n#include \"/etc/passwd\"\n*/ '",
        '#define F "/etc/passwd"\n#include_next F',
        '#import "/etc/passwd"',
        "char x[] = {\n#embed </etc/passwd>\n};",
        "#pragma GCC optimize(0)",
        '#if __has_include("/etc/passwd")\n#endif',
        '_Pragma("GCC optimize(0)")',
        "#\rinclude",
        "int x;\0",
        "\x1b[31m",
        "\udcff",
        " " * (native.TEXT_BYTES + 1),
    ],
)
def test_text_that_reads_other_files_is_refused(text: str) -> None:
    """Inclusion, embedding, pragmas and probes for files are refused, however spelt, before gcc sees them."""
    with pytest.raises(NativeError) as refusal, compile_unit(text, [], "0", []):
        pass
    assert "gcc" not in str(refusal.value)
    assert "\n" not in str(refusal.value)


@needs_native
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('__asm__("int $0x80");', "refused: `__asm__`"),
        ('void f(void) { asm volatile("nop"); }', "refused: `asm`"),
        ('int name __asm__("other");', "refused: `__asm__`"),
        ('#define JOIN(a, b) a ## b\nJOIN(__as, m)(".incbin \\"/etc/passwd\\"");', "refused: `__asm`"),
        ('#define JOIN(a, b) a ## b\nJOIN(_Pra, gma)("GCC optimize(0)")', "refused: `#pragma"),
        ('int x __attribute__((section(".x\\n.incbin \\"/etc/passwd\\"#")));', "refused: an attribute with the string"),
        ('int x __attribute__((aligned(4), section(".interp")));', "refused: an attribute with the string"),
        ('int x [[gnu::section(".interp")]];', "refused: `[[`"),
        ('int __RTL("expand") f(void) { }', "refused: `__RTL`"),
    ],
)
def test_text_that_reaches_the_assembler_is_refused(text: str, reason: str) -> None:
    """Assembly, pragmas and strings in attributes are refused, also where macros put them together."""
    with pytest.raises(NativeError) as refusal, compile_unit(text, [], "0", []):
        pass
    assert str(refusal.value).startswith(reason)


@needs_native
def test_words_in_strings_and_comments_are_no_assembly() -> None:
    """A comment or a string may hold the words that are refused as code, and a `[` may follow an index."""
    text = 'char *s = "asm [["; /* asm, include, don\'t */ int a[2], section = 1; int b __attribute__((aligned(8)));'
    with compile_unit(text, [], "a[a[0]] = section", ["s[1]", "a[0]"]) as program:
        assert program.run([]).values == (ord("s"), 1)


@needs_native
@pytest.mark.parametrize(
    ("text", "call", "reason"),
    [
        ("int f( {", "0", "gcc: unit.c:1:8: error: expected"),
        ("int f(void);", "f()", "gcc: undefined reference to `f'"),
        ("int x;", "y = 1", "gcc: driver.c:6:2: error: 'y' undeclared"),
        ("void _start(void) { }", "0", "gcc: multiple definition of `_start'"),
        ("#if 1", "0", "gcc: unit.c:1: error: unterminated #if"),
        ("#error \x9b31m", "0", "gcc: unit.c:1:2: error: #error ?31m"),
        ('#line 1 "/etc/passwd"\nint int;', "0", "gcc: /etc/passwd:1:5: error: two or more data types"),
    ],
)
def test_a_unit_that_does_not_compile_is_one_line(text: str, call: str, reason: str) -> None:
    """What gcc complains of first is the message, in one line, with nothing that a terminal would obey."""
    with pytest.raises(NativeError) as refusal, compile_unit(text, [], call, []):
        pass
    assert str(refusal.value).startswith(reason)
    assert str(refusal.value).isprintable()


@needs_native
def test_compilation_has_a_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A unit on which gcc takes too long is refused, and gcc is gone."""
    monkeypatch.setattr(native, "COMPILE_SECONDS", 0.2)
    bomb = "\n".join(f"#define M{n + 1} " + f"M{n} " * 8 for n in range(9)) + "\nint x[] = { M9 };"
    with pytest.raises(NativeError, match=r"^gcc took more than"), compile_unit(bomb, [], "0", []):
        pass


@pytest.mark.parametrize(
    "options",
    [
        {"optimise": 4},
        {"optimise": -1},
        {"locals_are": "odd", "optimise": 0},
        {"locals_are": "zero"},
        {"seconds": 0},
        {"seconds": float("nan")},
        {"batch_seconds": float("inf")},
        {"defines": {"a b": "1"}},
        {"defines": {"A": "1\n#include"}},
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, object]) -> None:
    """A level, a time limit or a macro that cannot be meant is refused before anything is compiled."""
    with pytest.raises(NativeError), compile_unit("", [], "0", [], **options):  # type: ignore[arg-type]
        pass


def test_no_compiler_is_a_reason(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without gcc on the PATH, `available` says so in one line."""
    monkeypatch.setenv("PATH", str(tmp_path))
    reason = available.__wrapped__()
    assert reason == "no gcc on the PATH: native runs need gcc with -m32"


def test_a_compiler_without_32_bits_is_a_reason(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where gcc refuses -m32, `available` gives its complaint."""
    gcc = tmp_path / "gcc"
    gcc.write_text("#!/bin/sh\necho \"gcc: error: unrecognized command-line option '-m32'\" >&2\nexit 1\n")
    gcc.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert available.__wrapped__() == "gcc: gcc: error: unrecognized command-line option '-m32'"


# The sandbox, with the refusal of assembly switched off ----------------------------------------


def system_call(number: int, b: int, c: int = 0, d: int = 0) -> str:
    """A unit whose `attack` makes one i386 system call."""
    return (
        "static int attack(void) { int r; "
        f'__asm__ volatile("int $0x80" : "=a"(r) : "a"({number}), "b"({b}), "c"({c}), "d"({d}) : "memory"); '
        "return r; }"
    )


LONG_MODE = """
static int attack(void)
{
	__asm__ volatile("ljmp $0x33, $1f\\n1: .code64\\n movl $39, %eax\\n syscall\\n .code32\\n");
	return 0;
}
"""


@needs_native
@pytest.mark.parametrize(
    "text",
    [
        pytest.param(
            'static char path[] = "/etc/passwd";\n' + system_call(5, 0).replace('"b"(0)', '"b"(path)'), id="open"
        ),
        pytest.param(system_call(359, 2, 1), id="socket"),
        pytest.param(system_call(2, 0), id="fork"),
        pytest.param(system_call(37, 1, 9), id="kill"),
        pytest.param(system_call(20, 0), id="getpid"),
        pytest.param(system_call(3, 2), id="read-from-2"),
        pytest.param(system_call(4, 2), id="write-to-2"),
        pytest.param(LONG_MODE, id="64-bit-getpid"),
    ],
)
def test_the_sandbox_kills(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """A unit that makes any other system call, of i386 or x86-64, is killed there, assembly or not."""
    monkeypatch.setattr(native, "_refuse_tokens", lambda preprocessed: None)
    with compile_unit(text, [], "vgicheck_result = attack()", ["vgicheck_result"]) as program:
        assert program.run([]) == NativeResult(trap="signal SIGSYS")


@needs_native
def test_a_unit_that_writes_rubbish_is_a_malformed_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes that cannot be an answer are a trap of the vector that wrote them; the next one runs."""
    monkeypatch.setattr(native, "_refuse_tokens", lambda preprocessed: None)
    text = 'int bad; static char rubbish[] = "rubbish!";\n' + system_call(4, 1, 0, 8).replace('"c"(0)', '"c"(rubbish)')
    with compile_unit(text, ["bad"], "bad ? attack() : 0", ["bad"]) as program:
        assert program.run_many([[1], [0]]) == [NativeResult(trap="malformed answer"), NativeResult((0,))]


@needs_native
def test_no_sandbox_no_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where the kernel refuses the filter, the program ends before the unit runs, and that is an error."""
    runtime = (resources.files("vgicheck.c") / "stubs" / "native.h").read_text()
    without_mode = runtime.replace("SECCOMP_MODE_FILTER = 2", "SECCOMP_MODE_FILTER = 77")
    assert without_mode != runtime
    (tmp_path / "stubs").mkdir()
    (tmp_path / "stubs" / "native.h").write_text(without_mode)
    monkeypatch.setattr(resources, "files", lambda package: tmp_path)
    with (
        compile_unit("", [], 'vgicheck_trap("ran")', []) as program,
        pytest.raises(NativeError, match=r"^the sandbox .* is refused here; nothing was run$"),
    ):
        program.run([])


@needs_native
def test_a_run_leaves_nothing_behind(endings: NativeProgram) -> None:
    """A batch leaves no descriptor open and no child unwaited in the caller."""
    endings.run([0])
    children = Path("/proc/thread-self/children")
    before = sorted(os.listdir("/proc/self/fd")), children.read_text()
    endings.run_many([[0], [2], [3]])
    assert (sorted(os.listdir("/proc/self/fd")), children.read_text()) == before

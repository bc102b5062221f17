"""Lowering of C to the IR: what is lowered means what is compiled; what is not understood is refused on its line."""

from __future__ import annotations

import itertools
import re
import shutil
import struct
import subprocess
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest

from tests.c.interpret import Machine
from vgicheck.c import clang
from vgicheck.c.ir import (
    Assign,
    Block,
    Branch,
    Call,
    Function,
    FunctionType,
    Goto,
    Int,
    Loc,
    Pointer,
    Program,
    Return,
    Unreachable,
)
from vgicheck.c.lower import lower

HERE = Path(__file__).parent
GOOD = HERE / "good_constructs.c"
BAD = HERE / "bad_constructs.c"
ARGUMENTS = tuple(itertools.product((-7, -1, 0, 1, 2, 3, 5, 12, 255, 256, 1000), repeat=2))
COMPARED = re.findall(r"^int (good_\w+)\(int a, int b\)", GOOD.read_text(), re.MULTILINE)
REFUSED = re.findall(r"^\w+ (bad_\w+)\(", BAD.read_text(), re.MULTILINE)

START = """
void _start(void)
{
	static int (*const functions[])(int, int) = { %s };
	static const int arguments[][2] = { %s };
	static int results[sizeof(functions) / sizeof(functions[0])][sizeof(arguments) / sizeof(arguments[0])];
	unsigned int f, n;
	long ignored;
	for (f = 0; f < sizeof(functions) / sizeof(functions[0]); f++)
		for (n = 0; n < sizeof(arguments) / sizeof(arguments[0]); n++)
			results[f][n] = functions[f](arguments[n][0], arguments[n][1]);
	asm volatile("int $0x80" : "=a"(ignored) : "a"(4), "b"(1), "c"(results), "d"(sizeof(results)) : "memory");
	asm volatile("int $0x80" : "=a"(ignored) : "a"(1), "b"(0));
}
"""
OPTIONS = ("-m32", "-std=gnu11", "-w", "-funsigned-char", "-ffreestanding", "-nostdlib", "-static", "-fno-pie")


def lowered(text: str) -> Program:
    return lower(clang.parse(text, name="t.c", origin=lambda line: Loc("t.c", line)))


def function(text: str, name: str = "f") -> Function:
    program = lowered(text)
    assert not program.unsupported, program.unsupported
    return program.functions[name]


def refusal(text: str, name: str = "f") -> str:
    program = lowered(text)
    assert name not in program.functions
    return str(program.unsupported[name])


@cache
def good_program() -> Program:
    return lowered(GOOD.read_text())


@cache
def bad_program() -> Program:
    return lowered(BAD.read_text())


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, tuple[int, ...]]:
    """What the compiled functions give for ARGUMENTS."""
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    directory = tmp_path_factory.mktemp("compiled")
    arguments = ", ".join(f"{{ {a}, {b} }}" for a, b in ARGUMENTS)
    source, program = directory / "good.c", directory / "good"
    source.write_text("void _start(void) { }")
    if subprocess.run(["gcc", *OPTIONS, source, "-o", program], capture_output=True, check=False).returncode:
        pytest.skip("gcc does not build for 32-bit x86")
    source.write_text(GOOD.read_text() + START % (", ".join(COMPARED), arguments))
    subprocess.run(["gcc", *OPTIONS, source, "-o", program], check=True)
    output = subprocess.run([program], capture_output=True, check=True).stdout
    numbers = struct.unpack(f"<{len(output) // 4}i", output)
    size = len(ARGUMENTS)
    return {name: numbers[index * size : (index + 1) * size] for index, name in enumerate(COMPARED)}


def test_every_good_construct_is_lowered() -> None:
    """No function of the good constructs is set aside."""
    assert good_program().unsupported == {}


@pytest.mark.parametrize("name", COMPARED)
def test_lowered_as_compiled(name: str, compiled: Mapping[str, tuple[int, ...]]) -> None:
    """A lowered function gives what the compiled one gives, for every pair of arguments."""
    found = tuple(Machine(good_program()).call(name, arguments) for arguments in ARGUMENTS)
    assert found == compiled[name]


@pytest.mark.parametrize("name", REFUSED)
def test_refused_where_it_stands(name: str) -> None:
    """A construct that is not understood is refused with its name and its line, in the function that uses it."""
    lines = BAD.read_text().split("\n")
    start = next(number for number, line in enumerate(lines) if re.match(rf"\w+ {name}\(", line))
    expected = next(number for number in range(start, len(lines)) if "refused: " in lines[number])
    construct = lines[expected].split("refused: ")[1].removesuffix(" */")
    reason = bad_program().unsupported[name]
    assert construct in reason.construct
    assert reason.loc is not None
    assert reason.loc.line == expected + 1


def test_only_the_bad_are_refused() -> None:
    """Functions next to one that is not understood are lowered."""
    assert set(bad_program().unsupported) == set(REFUSED)
    assert list(bad_program().functions) == ["good_prints"]


def test_left_to_right() -> None:
    """The value of an operand is taken before an operand to its right calls a function that changes it."""
    assert Machine(good_program()).call("left_to_right", (3, 4)) == 0 + 7 + 100


def calls(found: Function) -> list[Call]:
    return [each for block in found.blocks for each in block.instructions if isinstance(each, Call)]


def test_a_macro_stands_where_it_is_used() -> None:
    """What a macro expands to has the line of its use, and the functions have the lines of their names and ends."""
    text = """
    void g(int);
    #define TWICE(x) do { g(x); \\
            g((x) + 1); } while (0)
    void f(int a)
    {
        g(0);
        TWICE(a);
        if (a)
            g(a
              + 2);
    }
    """
    found = function(text)
    assert [call.loc.line for call in calls(found)] == [7, 8, 8, 10]
    assert (found.loc.line, found.end.line, calls(found)[0].loc.column) == (5, 12, 9)
    branches = [block.terminator.loc.line for block in found.blocks if isinstance(block.terminator, Branch)]
    assert branches == [9]


def test_the_readers_own_places_are_kept() -> None:
    """Places are those that the caller says the lines of the text come from; only the column is the text's."""
    text = "int f(int a)\n{\n\treturn a / 2;\n}\n"
    program = lower(clang.parse(text, name="t.c", origin=lambda line: Loc("vgic.c", line + 900)))
    terminator = program.functions["f"].blocks[0].terminator
    assert isinstance(terminator, Return)
    assert terminator.loc == Loc("vgic.c", 903, 2)


def test_a_line_directive_moves_nothing() -> None:
    """`#line` in the text does not change where things stand."""
    assert function('#line 700 "other.c"\nint f(void) { return 1; }').loc == Loc("t.c", 2, 5)


def test_types_of_the_target() -> None:
    """`long` and pointers have 32 bits and `char` is unsigned, as on 32-bit ARM Linux; `long long` is aligned to 8."""
    program = lowered("""
    struct s { char c; long long ll; long l; void *p; enum { A } e; _Bool b; short h[3]; signed char sc; } v;
    struct later; union u { int i; struct later *l; };
    """)
    fields = {field.name: (field.type, field.offset) for field in program.structs["s"].fields}
    assert fields["c"] == (Int(8, False), 0)
    assert fields["ll"] == (Int(64, True), 8)
    assert fields["l"] == (Int(32, True), 16)
    assert fields["p"][1] == 20
    assert fields["e"] == (Int(32, False), 24)
    assert fields["b"] == (Int(8, False, is_bool=True), 28)
    assert fields["h"][1] == 30
    assert fields["sc"] == (Int(8, True), 36)
    assert program.structs["s"].size == 40
    assert program.structs["u"].is_union
    assert (program.structs["later"].fields, program.structs["later"].size) == ((), 0)


def test_tags_of_anonymous_structs() -> None:
    """A struct without a tag is known by its typedef or its place; two of them at one place are told apart."""
    program = lowered("""
    typedef struct { int a; } lock_t;
    #define TWO struct { int b; } x; struct { int c; } y;
    struct s { TWO struct { int d; }; struct { int e; }; };
    """)
    places = {name for name in program.structs if name.startswith("struct@t.c:4:")}
    assert set(program.structs) == {"lock_t", "s"} | places
    assert len(places) == 4
    assert [field.name for field in program.structs["s"].fields] == ["x", "y", "", ".1"]


def test_a_shadowed_tag_is_another_struct() -> None:
    """A struct of a function has a tag of its own when one outside has the same."""
    program = lowered("struct s { int a; }; int f(void) { struct s { char c; } v; v.c = 1; return v.c; }")
    assert [field.name for field in program.structs["s.1"].fields] == ["c"]


def test_globals_and_their_initial_values() -> None:
    """Globals have the values that the source writes; without an initialiser none, and no entry when only declared."""
    program = lowered("""
    int f(int);
    extern int outside;
    extern int defined_later;
    int defined_later = 4;
    static int nothing;
    static const unsigned char bytes[] = { 1, [3] = 255 };
    int (*pointer)(int) = f;
    int *inner = &defined_later + 1, computed = 1 << 4 | 3;
    """)
    assert set(program.globals) == {
        "outside", "defined_later", "nothing", "bytes", "pointer", "inner", "computed"
    }  # fmt: skip
    assert "outside" not in program.constants
    assert program.constants["nothing"].values == {}
    assert list(program.constants["bytes"].values) == [(0,), (3,)]
    assert str(program.constants["pointer"].values[()]).startswith("FunctionRef(name='f'")
    assert getattr(program.constants["computed"].values[()], "value", None) == 19
    assert program.declared == {"f": FunctionType(Int(32, True), (Int(32, True),))}


def test_static_locals_are_globals() -> None:
    """Static locals stand among the globals under the names of their functions, made unique."""
    program = lowered("int f(void) { static int n = 3; { static int n; n++; } return n++; }")
    assert set(program.globals) == {"f.n", "f.n.1"}
    assert program.functions["f"].locals.keys() <= {"$1"}


def test_shadowed_locals_have_names_of_their_own() -> None:
    """A local that shadows another is numbered; temporaries are declared with their types."""
    found = function("int g(void); int f(int n) { { int n = g() + g(); return n; } }")
    assert found.params == ("n",)
    assert list(found.locals) == ["n", "n.1", "$1", "$2"]


def test_the_end_of_a_function() -> None:
    """A void function returns at its end; another one must not come there, but may have `return;`."""
    ends = function("void g(void); void f(int a) { if (a) g(); }").blocks[-1].terminator
    assert ends == Return(None, Loc("t.c", 1, 43))
    falls = function("int f(int a) { if (a) return 1; }").blocks[-1].terminator
    assert falls == Unreachable(Loc("t.c", 1, 33))


def test_unreachable_code_is_left_out() -> None:
    """What no path leads to is not in the graph, and jumps pass over empty blocks."""
    found = function("int f(int a) { goto out; a = 1; out: if (a) ; else ; return a; a = 2; }")
    assert [type(block.terminator) for block in found.blocks] == [Goto, Branch, Return]
    assert all(not block.instructions for block in found.blocks)


def test_an_empty_endless_loop() -> None:
    """A loop that does nothing for ever is a block that jumps to itself, behind the entry."""
    assert function("void f(void) { for (;;) ; }").blocks == [Block([], Goto(1)), Block([], Goto(1))]


def test_blocks_come_after_their_predecessors() -> None:
    """Apart from loops, a block has a higher number than those that jump to it."""
    found = function("int f(int a, int b) { int n = 0; if (a && b || n) n = 1; else n = a ? b : 2; return n; }")
    for number, block in enumerate(found.blocks):
        if isinstance(block.terminator, Goto):
            assert block.terminator.block > number
        elif isinstance(block.terminator, Branch):
            assert min(block.terminator.then, block.terminator.otherwise) > number


def test_a_condition_is_control_flow() -> None:
    """`&&`, `||`, `!` and the expectation in a condition need no temporary."""
    found = function("int f(int a, int b) { if (__builtin_expect(!!(a && !b), 1) || a > b) return 1; return 0; }")
    assert set(found.locals) == {"a", "b"}


def test_a_result_goes_where_it_is_stored() -> None:
    """A call whose result initialises or is assigned to a variable has it as its target."""
    found = function("int g(void); int f(void) { int n = g(); n = g(); return n; }")
    assert "$1" not in found.locals
    assert len(calls(found)) == 2


def test_a_discarded_read_stays() -> None:
    """An expression without use that may go wrong is still worked out."""
    found = function("void f(int *p) { *p; }")
    assert [type(each) for each in found.blocks[0].instructions] == [Assign]


def test_pointers_to_functions() -> None:
    """The type of a pointer to a function has the result and the parameters."""
    program = lowered("int f(int (*g)(char, void *, ...)) { return g(1, 0, 2); }")
    pointed = program.functions["f"].locals["g"]
    assert isinstance(pointed, Pointer)
    assert isinstance(pointed.target, FunctionType)
    assert pointed.target.variadic
    assert pointed.target.params[0] == Int(8, False)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("return " + "!" * 600 + "a;", "nested more than 150 levels"),
        ("return " + " + ".join(["a"] * 900) + ";", "nested more than 150 levels"),
        (" else ".join(f"if (a == {n}) a = 2;" for n in range(900)) + " return a;", "nested more than 150 levels"),
        ("a++;" * 25_000 + "return a;", "more than 20000 operators and operands"),
        ("a++;\n" * 100_000 + "return a;", "more than 20000 operators and operands"),
    ],
)
def test_a_hostile_function_is_refused(body: str, reason: str) -> None:
    """A function that is too deep or too long is refused by name; the one beside it is lowered."""
    program = lowered(f"int g(int a) {{ return a; }}\nint f(int a) {{ {body} }}")
    assert reason in program.unsupported["f"].construct
    assert list(program.functions) == ["g"]


@pytest.mark.parametrize(
    "body",
    [
        "return {}a{};".format("f(" * 48 + "({ a + (", ") + 1; })" + ")" * 48),
        "return {}a{};".format("v[" * 60, "]" * 60),
        "return {}a{};".format("(a ? 1 : " * 60, ")" * 60),
        "{}a = 1;{} return a;".format("if (a) { while (a) { " * 35, "}}" * 35),
        "return {}a{};".format("({ " * 60, "; })" * 60),
    ],
)
def test_depth_within_the_limits_is_lowered(body: str) -> None:
    """What is nested within the limits is lowered without running out of Python's stack."""
    assert function(f"int v[9]; int f(int a) {{ {body} }}").blocks


def test_a_deep_type_is_refused() -> None:
    """A type of too many levels is refused where it is used."""
    assert "a type of more than 40 levels" in refusal(f"int f(void) {{ int {'*' * 500}p = 0; return !p; }}")


def test_structs_in_structs_without_end() -> None:
    """A tower of structs is refused where it would have to be initialised member by member."""
    tower = "struct s0 { int a; };" + "".join(f"struct s{n} {{ struct s{n - 1} s; }};" for n in range(1, 1500))
    assert "more than 40 levels" in refusal(f"{tower} int f(void) {{ struct s1499 v = {{ }}; return 0; }}")


def test_an_error_inside_a_function() -> None:
    """A function in which an error of the compiler lies is refused, at the error; the others are lowered."""
    program = lowered("int g(void) { return 1; }\nint f(void)\n{\n\treturn undeclared;\n}")
    assert str(program.unsupported["f"]) == ("t.c:4: what does not compile: use of undeclared identifier 'undeclared'")
    assert list(program.functions) == ["g"]


def test_an_error_outside_of_functions() -> None:
    """An error outside of any function makes all functions unbelievable."""
    program = lowered("struct s { unknown_t a; };\nint f(struct s *p) { return 1; }\nint g(void) { return 2; }")
    assert set(program.unsupported) == {"f", "g"}
    assert not program.functions


def test_a_second_definition() -> None:
    """A function defined twice, as gnu89 allows for `extern inline`, is refused."""
    assert "second definition" in refusal("extern inline int f(void) { return 1; } int f(void) { return 2; }")


def test_lowering_is_fast() -> None:
    """Some 1,500 lines are lowered in a second at most, on a machine that does other things too."""
    text = GOOD.read_text()
    head, body = text[: text.index("int good_if_else")], text[text.index("int good_if_else") :]
    copies = "".join(re.sub(r"\bgood_(\w+)\(", rf"good_\1_{n}(", body) for n in range(6))
    unit = clang.parse(head + copies, name="t.c", origin=lambda line: Loc("t.c", line))
    start = time.process_time()
    program = lower(unit)
    assert time.process_time() - start < 1
    assert len(program.functions) > 6 * len(COMPARED)

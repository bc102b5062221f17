"""Parsing of C as 32-bit ARM Linux: errors are found and placed, nothing foreign is read, nothing breaks the caller."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from vgicheck.c import clang, libclang, rehearsal
from vgicheck.c.clang import Kind, Node, Unit
from vgicheck.c.ir import Loc, Unsupported
from vgicheck.c.libclang import LibclangError, Library


def parsed(text: str, **defines: str) -> Unit:
    return clang.parse(text, name="t.c", origin=lambda line: Loc("t.c", line), defines=defines)


def body(unit: Unit) -> Node:
    """The body of the last function."""
    last = list(unit.declarations())[-1]
    return unit.nodes(unit.library.children(last)[-1])


def test_a_correct_text_has_no_errors() -> None:
    """A text that compiles has no errors, and its declarations can be listed."""
    unit = parsed("typedef unsigned long ulong;\nulong f(int a) { return a; }")
    assert unit.errors == ()
    assert [cursor.kind for cursor in unit.declarations()] == [Kind.TYPEDEF_DECL, Kind.FUNCTION_DECL]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("undeclared(1);", "implicit declaration of function 'undeclared'"),
        ("p = q;", "incompatible pointer types"),
        ("a = p;", "incompatible pointer to integer conversion"),
        ("p = a;", "incompatible integer to pointer conversion"),
        ("h = f;", "incompatible function pointer types"),
        ("a = a++ + a;", "unsequenced modification and access to 'a'"),
        ("static implicit;", "type specifier missing"),
        ("a = unknown;", "use of undeclared identifier 'unknown'"),
        ("#error stop", "stop"),
        ('#include "other.h"', "other.h is not opened: a text is read by itself"),
    ],
)
def test_an_error_has_its_line(line: str, message: str) -> None:
    """What gnu89 lets pass and must not be trusted is an error, with its line in the text."""
    text = f"int f(int a, int *p, long long *q, void (*h)(void))\n{{\n{line}\nreturn a;\n}}"
    ((found, where),) = parsed(text).errors
    assert message in found
    assert where == 3


def test_harmless_warnings_are_no_errors() -> None:
    """Warnings that say nothing about the tree are not reported."""
    assert parsed("int f(int a) { int unused; if (a = 1) return 2; for (int i = 0; ; ) ; }").errors == ()


def test_every_error_is_found() -> None:
    """The compiler does not give up after a number of errors."""
    assert len(parsed("\n".join(f"unknown_{number} x;" for number in range(100))).errors) >= 100


def test_a_fatal_error_is_an_error() -> None:
    """An error after which the compiler stops is reported with the others."""
    ((message, line),) = parsed(f"int f(int a)\n{{\nreturn {'(' * 300}a{')' * 300};\n}}").errors
    assert "nesting level" in message
    assert line == 3


def test_errors_in_macros_have_the_line_of_the_use() -> None:
    """An error in what a macro expands to stands where the macro is used."""
    assert [line for _, line in parsed("#define BAD unknown\nint f(void) {\n return BAD;\n}").errors] == [3]


def test_defines_reach_the_text() -> None:
    """Macros given by the caller are defined in the text."""
    assert parsed("int a[CPUS == 8 ? 1 : -1];", CPUS="8").errors == ()
    assert parsed("int a[CPUS == 8 ? 1 : -1];", CPUS="4").errors


@pytest.mark.parametrize(
    "directive",
    [
        '#include "{0}"',
        "# /* */ include <{0}>",
        "%:include <{0}>",
        "#inc\\\nlude <{0}>",
        "/* a\nb */ #include <{0}>",
        '#define X "{0}"\n#include X',
        "#include <{0}>",
        "#include_next <{0}>",
        '#import "{0}"',
        '#inc\\\f\nlude "{0}"',
        '#inc\\ \v\nlude "{0}"',
        '#inc\\\r\nlude "{0}"',
        '# /*\n*/ include "{0}"',
        'int a;\r#include "{0}"',
        '#if __has_include("{0}")\n#endif',
        '#pragma GCC dependency "{0}"',
        '"\\"/*"; \n#include "{0}"\n/*"*/',
    ],
)
def test_no_other_file_is_read(directive: str, tmp_path: Path) -> None:
    """An absolute path, a path upwards and a computed path are not followed, however they are written."""
    (tmp_path / "secret.h").write_text("#error the secret\n")
    unit = parsed(directive.replace("{0}", str(tmp_path / "secret.h")))
    assert any(message.endswith("is not opened: a text is read by itself") for message, _ in unit.errors)
    assert not any("the secret" in message for message, _ in unit.errors)


def test_an_include_in_a_comment_or_string_is_no_include() -> None:
    """Text that only looks like an `#include` is left alone, and the lines keep their numbers."""
    unit = parsed('/*\n#include <a>\n*/\nconst char *s = "\\\n#include <b>";\n// \\\n#include <c>\nint v;')
    assert unit.errors == ()
    assert [unit.loc(cursor).line for cursor in unit.declarations()] == [4, 8]


@pytest.mark.parametrize(
    "text",
    [
        f"int f(int a) {{ return {'!' * 30_000}a; }}",
        f"int f(int a) {{ return {'a+' * 100_000}a; }}",
        f"int f(int a) {{ {'else '.join(f'if (a == {number}) ;' for number in range(30_000))} }}",
    ],
)
def test_a_text_that_breaks_the_parser(text: str) -> None:
    """A text that overflows the parser's stack is refused, and the caller lives on."""
    with pytest.raises(Unsupported, match="the C parser broke down"):
        parsed(text)


def test_macros_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Macros that expand to billions of tokens are refused within bounded time and memory."""
    monkeypatch.setattr(rehearsal, "SECONDS", 1)
    macros = "\n".join(f"#define A{number} A{number + 1} A{number + 1}" for number in range(60))
    start = time.monotonic()
    with pytest.raises(Unsupported, match=r"within 1 s|broke down"):
        parsed(f"{macros}\nA0")
    assert time.monotonic() - start < 10


def test_a_text_that_is_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """A text beyond the limit is refused before it is looked at."""
    monkeypatch.setattr(clang, "MAX_TEXT", 10)
    with pytest.raises(Unsupported, match="more than 10 characters"):
        parsed("int a, b, c;")


@pytest.mark.parametrize("text", ["", "\0", "int \udc80;", "\ud800", "/*", '"', "#if", "\\", "int f(", "\r\n\f\v"])
def test_odd_texts(text: str) -> None:
    """No text makes the reader fail in another way than its own."""
    assert isinstance(parsed(text), Unit)


def test_operator_kinds_come_from_the_tree() -> None:
    """Operators that macros hide have their kinds, compound assignments too."""
    unit = parsed("#define PLUS +\n#define BUMP(x) ((x) <<= 1)\nint f(int a) { BUMP(a); return -a PLUS 1; }")
    assert unit.errors == ()
    calls = unit.library.calls
    found, pending = set[tuple[int, int]](), [body(unit)]
    while pending:
        node = pending.pop()
        pending += node.children
        binary = calls.clang_getCursorBinaryOperatorKind(node.cursor)
        unary = calls.clang_getCursorUnaryOperatorKind(node.cursor)
        found.add((binary, unary))
    assert found == {
        (0, 0), (clang.BinaryOperator.SHL_ASSIGN, 0), (clang.BinaryOperator.ADD, 0), (0, clang.UnaryOperator.MINUS)
    }  # fmt: skip


@pytest.mark.parametrize("empty", range(8))
@pytest.mark.parametrize("macro", [False, True])
def test_parts_of_a_for(empty: int, macro: bool) -> None:
    """Which parts of a `for` are empty is told from the compiler's own node, also when a macro wrote it."""
    parts = [part if not empty & 1 << number else "" for number, part in enumerate(("a = 1", "a < 2", "a++"))]
    loop = f"for ({'; '.join(parts)})"
    text = f"#define LOOP {loop}\nint f(int a) {{ LOOP a--; }}" if macro else f"int f(int a) {{ {loop} a--; }}"
    unit = parsed(text)
    found = unit.for_parts(body(unit).children[0])
    given = [found.initial is not None, found.condition is not None, found.step is not None]
    assert given == [bool(part) for part in parts]
    assert unit.library.calls.clang_getCursorUnaryOperatorKind(found.body.cursor) == clang.UnaryOperator.POST_DEC


def test_parts_of_a_for_that_do_not_agree() -> None:
    """Children that are not what the compiler's node holds are refused, not guessed at."""
    unit = parsed("int f(int a) { for (;;) a--; }")
    loop = body(unit).children[0]
    loop.children.append(Node(Kind.NULL_STMT, body(unit).cursor))
    with pytest.raises(Unsupported, match="cannot be told apart"):
        unit.for_parts(loop)


def test_strings_are_read_to_the_byte() -> None:
    """The bytes of a string literal are exact: escapes, joined literals, NUL and bytes beyond ASCII."""
    unit = parsed(r'const char *s = "a\n\"\\" "\0\x7f\377?" "é";')
    (variable,) = unit.declarations()
    literal = unit.nodes(variable)
    while literal.children:
        (literal,) = literal.children
    assert unit.library.string(literal.cursor) == b'a\n"\\\0\x7f\xff?' + "é".encode()


def test_another_release_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A library of another release is refused, with what to install."""
    monkeypatch.setattr(libclang, "RELEASE", "18.1.2")
    with pytest.raises(LibclangError, match=r"libclang 18\.1\.2 is needed, found .*pip install libclang==18\.1\.2"):
        Library(libclang.library_path())


def test_no_library_is_refused(tmp_path: Path) -> None:
    """A path without the library is refused in one line."""
    with pytest.raises(LibclangError, match="is needed"):
        Library(str(tmp_path / "libclang.so"))


def test_a_missing_wheel_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the wheel, parsing ends in the one error that callers know, with what to install."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    libclang.load.cache_clear()
    with pytest.raises(Unsupported, match="pip install libclang"):
        parsed("int a;")


def test_names_of_files_do_not_outlive_their_tree() -> None:
    """A line is that of the text at hand, however many texts of other names were parsed and dropped before."""
    for n in range(60):
        name = f"t{n % 7}.c"
        unit = clang.parse("int f(void)\n{\n\treturn 1;\n}\n", name=name, origin=lambda line: Loc("here.c", line + 100))
        declared = next(iter(unit.declarations()))
        assert unit.loc(declared).file == "here.c"
        assert unit.loc(declared).line == 101

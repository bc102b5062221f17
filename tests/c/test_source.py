"""A unit put together from stubs, pieces and entries: every line keeps its place, a bad piece spoils no other."""

from __future__ import annotations

import pytest

from vgicheck.c.ir import Unsupported
from vgicheck.c.source import MOST_LINES, Chunk, Stub, Unit, assemble

STUB = Stub("stub.h", "typedef unsigned int u32;\n#define LIMIT 4\nint helper(int x);\nu32 shared;")
ENTRIES = Stub(
    "entry.h",
    "struct entry { int argument, result; } vgicheck_entry;\n"
    "#ifdef VGICHECK_FUNCTION_good\nvoid entry_good(void)\n{\n"
    "\tVGICHECK_RESULT_good good(vgicheck_entry.argument);\n}\n#endif\n"
    "#ifdef VGICHECK_FUNCTION_other\nvoid entry_other(void)\n{\n\tVGICHECK_RESULT_other other();\n}\n#endif",
)


def function(name: str, text: str, first_line: int = 10) -> Chunk:
    """A function of the file under review."""
    return Chunk("function", name, text, "vgic.c", first_line)


def declaration(name: str, text: str, first_line: int = 1) -> Chunk:
    """A declaration of the file under review."""
    return Chunk("declaration", name, text, "vgic.h", first_line)


GOOD = function("good", "int good(int x)\n{\n\treturn x + LIMIT;\n}")
OTHER = function("other", "static void other(void)\n{\n\tshared = good(2);\n}", 40)


def assembled(*chunks: Chunk) -> Unit:
    """The unit of some pieces."""
    return assemble([STUB], chunks, ENTRIES, {})


def test_pieces_become_a_program() -> None:
    """Functions in any order are in the program, with the entries that call them."""
    unit = assembled(OTHER, GOOD)
    assert unit.unsupported == {}
    assert {"good", "other", "entry_good", "entry_other"} <= unit.program.functions.keys()


def test_lines_are_those_of_the_file() -> None:
    """Every place in the program is the line of the file that the piece came from."""
    unit = assembled(GOOD, OTHER)
    assert str(unit.program.functions["good"].loc) == "vgic.c:10"
    call = unit.program.functions["other"].blocks[0].instructions[0]
    assert str(call.loc) == "vgic.c:42"


def test_a_piece_that_does_not_parse_is_taken_out() -> None:
    """A function that is not C is refused on its line, and the others stay."""
    unit = assembled(GOOD, function("other", "static void other(void)\n{\n\tshared = = 2;\n}", 40))
    assert str(unit.unsupported["other"]).startswith("vgic.c:42: ")
    assert "other" not in unit.program.functions
    assert "entry_good" in unit.program.functions


def test_an_unknown_name_is_refused_where_it_stands() -> None:
    """A call of a function that is nowhere declared spoils the function that makes it only."""
    unit = assembled(GOOD, function("other", "static void other(void)\n{\n\tmissing();\n}", 40))
    assert str(unit.unsupported["other"]).startswith("vgic.c:42: ")
    assert "missing" in unit.unsupported["other"].construct
    assert "good" in unit.program.functions


def test_a_lost_declaration_takes_its_users_with_it() -> None:
    """A function that uses a declaration which could not be parsed is refused with the cause; the others stay."""
    broken = declaration("struct state", "struct state { nonsense field; };", 5)
    named = declaration("table", "static nonsense table[3];", 7)
    unit = assembled(broken, named, GOOD, function("other", "static void other(void)\n{\n\ttable[0] = 1;\n}", 40))
    assert "other" in unit.unsupported
    assert "other" not in unit.program.functions


def test_an_entry_that_does_not_fit_refuses_its_function() -> None:
    """A function whose parameters are not those that the entry passes is refused on its first line."""
    unit = assembled(function("good", "int good(int *x, int y)\n{\n\treturn *x + y;\n}"), OTHER)
    assert str(unit.unsupported["good"]).startswith("vgic.c:10: good() is not declared as the binding knows it")


def test_a_define_replaces_that_of_the_stubs() -> None:
    """A macro of the file under review means there what the file says, also where the stubs define it."""
    unit = assembled(Chunk("define", "LIMIT", "#define LIMIT 9", "vgic.h", 3), GOOD)
    assert "return x + LIMIT" in unit.text
    assert "9" in repr(unit.program.functions["good"].blocks)


def test_a_function_that_is_too_long_is_refused() -> None:
    """A function of more lines than the limit is refused with its length."""
    unit = assembled(GOOD, function("other", "static void other(void)\n{\n" + "\n" * MOST_LINES + "}", 40))
    assert str(MOST_LINES) in unit.unsupported["other"].construct
    assert "good" in unit.program.functions


def test_stubs_that_do_not_fit_are_an_error() -> None:
    """Where nothing under review is to blame there is one error, with the line of the stub."""
    with pytest.raises(Unsupported, match=r"stub\.h:2: the pieces do not fit our stubs"):
        assemble([Stub("stub.h", "int a;\nint b = ;")], [GOOD], Stub("entry.h", ""), {})


def test_hostile_pieces_end_in_refusals() -> None:
    """Unbalanced, empty and redefined pieces are refused without an exception, and a good function stays."""
    unfinished, twice = "static void other(void)\n{\n\tif (", "int good(int x) { return 1; }"
    for text in (unfinished, "", "}", twice, "#if 1\nvoid other(void) { }"):
        try:
            unit = assembled(GOOD, function("other", text, 40))
        except Unsupported as refused:
            assert refused.loc is not None
        else:
            assert "other" in unit.unsupported or "good" in unit.program.functions


def test_defines_of_the_caller_are_seen() -> None:
    """Definitions that are handed over hold in the whole unit."""
    unit = assemble([STUB], [function("good", "int good(int x)\n{\n\treturn x + EXTRA;\n}")], ENTRIES, {"EXTRA": "41"})
    assert "41" in repr(unit.program.functions["good"].blocks)

"""Each construct of C in files of good and bad functions: what they give, what is claimed of them, what is refused."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from conformance.readings import Outcome, Symbolic, Vector, compiled, plain
from conformance.start import started
from vgicheck.c import clang
from vgicheck.c.ir import Loc, Program, Unsupported
from vgicheck.c.lower import lower
from vgicheck.c.native import available

needs_native = pytest.mark.skipif(available() is not None, reason=f"no native runs here: {available()}")

HERE = Path(__file__).parent
FUNCTION = re.compile(r"^int ((?:good|bad)_\w+)\(int a, int b\)", re.MULTILINE)
NUMBERS = (-7, 0, 1, 3, 1000)
PAIRS = tuple(itertools.product(NUMBERS, repeat=2))
FEW = ((-7, 3), (0, 0), (1, 1), (1000, -7))
"""Arguments that are put into formulas, which takes longer."""
RESULT = ("result",)
UNDEFINED, REFUSED = "undefined: ", "unsupported: "


@dataclass(frozen=True, slots=True)
class Source:
    """A file of functions of two numbers, each of which has an entry behind it that takes them from memory."""

    path: Path

    @property
    def text(self) -> str:
        """The file, without what gnu89, of which native runs are, does not have: declarations in the head of a loop."""
        return re.sub(r".*for \(int .*", "", self.path.read_text())

    @property
    def names(self) -> list[str]:
        """The functions, in order."""
        return FUNCTION.findall(self.text)

    @property
    def unit(self) -> str:
        """The file with the entries."""
        entries = "".join(f"void run_{name}(void) {{ result = {name}(a, b); }}\n" for name in self.names)
        return f"{self.text}\nint a, b, result;\n{entries}"

    def told(self, name: str, mark: str) -> tuple[str, int] | None:
        """What stands behind a mark in a function, or in one that says who calls it, and on which line."""
        lines = self.text.split("\n")
        start = next(n for n, line in enumerate(lines) if re.match(rf"int {name}\(", line))
        own = range(start, start + 1 if lines[start].endswith("}") else lines.index("}", start))
        for number, line in enumerate(lines):
            found = re.search(rf"/\* {mark}(.*?)(?:, called by (\w+))? \*/", line)
            if found is not None and (found[2] == name or (found[2] is None and number in own)):
                return found[1], number + 1
        return None


GOOD = Source(HERE / "good_constructs.c")
DEFINED = Source(HERE / "good_defined.c")
KERNEL = Source(HERE / "good_kernel.c")
BAD = Source(HERE / "bad_undefined.c")
NOT_EVALUATED = Source(HERE / "unsupported_constructs.c")


@cache
def lowered(source: Source) -> Program:
    """The functions of a file."""
    unit = clang.parse(source.unit, name=source.path.name, origin=lambda line: Loc(source.path.name, line))
    assert not unit.errors, unit.errors
    found = lower(unit)
    assert not found.unsupported, found.unsupported
    return found


@cache
def from_the_start(source: Source) -> tuple[Program, dict[str, str]]:
    """The same, with a function for each that runs it from what the file initialises."""
    found = lower(clang.parse(source.unit, name=source.path.name, origin=lambda line: Loc(source.path.name, line)))
    return found, {name: started(found, f"run_{name}", ("a", "b")) for name in source.names}


def vector(arguments: tuple[int, int]) -> Vector:
    """The arguments as the numbers that are put into memory."""
    return {"a": arguments[0] & 0xFFFFFFFF, "b": arguments[1] & 0xFFFFFFFF}


@cache
def results(
    source: Source, optimise: int, pairs: tuple[tuple[int, int], ...] = PAIRS
) -> dict[str, list[Outcome | str]]:
    """What the functions of a file give compiled."""
    cases = "".join(f"case {n}: run_{name}(); break;\n" for n, name in enumerate(source.names))
    text = f"{source.unit}int which;\nvoid dispatch(void) {{ switch (which) {{\n{cases}}} }}\n"
    vectors = [{**vector(pair), "which": n} for n in range(len(source.names)) for pair in pairs]
    found = iter(compiled(text, ("a", "b", "which"), "dispatch()", RESULT, vectors, optimise))
    return {
        name: [r if isinstance(r, str) else Outcome(r) for r in itertools.islice(found, len(pairs))]
        for name in source.names
    }


def cases(*sources: Source) -> list[tuple[Source, str]]:
    """Every function of some files."""
    return [(source, name) for source in sources for name in source.names]


def named(value: Source | str) -> str:
    """How a case is called: a file by its own name."""
    return value.path.stem if isinstance(value, Source) else value


@pytest.mark.parametrize(("source", "name"), cases(GOOD, DEFINED, KERNEL), ids=named)
def test_formulas_of_a_good_construct(source: Source, name: str) -> None:
    """A good function is interpreted without a claim, and gives as a formula what it gives on numbers."""
    program, runs = from_the_start(source)
    symbolic = Symbolic(program, runs[name])
    for pair in FEW:
        expected = on_numbers(source, name)[PAIRS.index(pair)]
        assert not expected.faults
        assert symbolic.at(vector(pair), RESULT) == expected


@cache
def on_numbers(source: Source, name: str, pairs: tuple[tuple[int, int], ...] = PAIRS) -> list[Outcome]:
    """What a function gives interpreted."""
    program, runs = from_the_start(source)
    return [plain(program, runs[name], vector(pair), RESULT) for pair in pairs]


@needs_native
@pytest.mark.parametrize("source", [GOOD, DEFINED, KERNEL], ids=named)
def test_good_constructs_are_compiled_as_read(source: Source) -> None:
    """A good function gives interpreted what it gives compiled, at -O0 and -O2."""
    for optimise in (0, 2):
        for name, natives in results(source, optimise).items():
            assert natives == on_numbers(source, name), (name, optimise, PAIRS)


@pytest.mark.parametrize("name", BAD.names)
def test_undefined_is_claimed_on_its_line(name: str) -> None:
    """What is undefined is claimed on its line, interpreted and in formulas, and only where it happens."""
    program, told = lowered(BAD), BAD.told(name, UNDEFINED)
    assert told is not None
    symbolic = Symbolic(program, f"run_{name}")
    bad, good = (plain(program, f"run_{name}", vector(pair), RESULT) for pair in ((0, 0), (1, 1)))
    assert told in bad.faults
    assert {line for _, line in bad.faults} == {told[1]}
    assert symbolic.at(vector((0, 0)), RESULT) == bad
    assert not good.faults
    assert symbolic.at(vector((1, 1)), RESULT) == good


@needs_native
def test_bad_functions_are_compiled_as_read_where_they_are_good() -> None:
    """Where a bad function does nothing undefined it gives interpreted what it gives compiled, at -O0 and -O2."""
    good = ((1, 1),)
    for optimise in (0, 2):
        for name, natives in results(BAD, optimise, good).items():
            assert natives == on_numbers(BAD, name, good), (name, optimise)


@pytest.mark.parametrize("name", NOT_EVALUATED.names)
def test_what_is_not_evaluated_is_refused_on_its_line(name: str) -> None:
    """A construct that is not supported is refused by what it is, with its line, in both readings."""
    program, told = lowered(NOT_EVALUATED), NOT_EVALUATED.told(name, REFUSED)
    assert told is not None
    for read in (
        lambda: plain(program, f"run_{name}", vector((1, 1)), RESULT),
        lambda: Symbolic(program, f"run_{name}"),
    ):
        with pytest.raises(Unsupported, match=re.escape(told[0])) as refused:
            read()
        assert refused.value.loc is not None
        assert (refused.value.loc.file, refused.value.loc.line) == (NOT_EVALUATED.path.name, told[1])

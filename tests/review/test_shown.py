"""A source of which only a patch is known: what stands where, and what is refused."""

from __future__ import annotations

import pytest

from vgicheck.c.source import Stub
from vgicheck.review.patch import PatchError, read_patch
from vgicheck.review.shown import source_of

REST = Stub("rest.c", "int one(void)\n{\n\treturn 1;\n}\n\nint two(void)\n{\n\treturn one();\n}\n")
STUBS = (Stub("stub.h", "struct kept {\n\tint a, c;\n};\n\nstatic inline void helps(void)\n{\n}\n"),)
PATH = "arch/arm/kvm/vgic.c"


def diff(*hunks: str, path: str = PATH) -> str:
    return f"--- a/{path}\n+++ b/{path}\n" + "".join(hunks)


ADDS_ONE = "@@ -40,2 +40,6 @@\n \n+int one(void)\n+{\n+\treturn 3;\n+}\n \n"
PART_OF_ONE = "@@ -40,3 +40,3 @@ int one(void)\n \tint a;\n-\ta = 1;\n+\ta = 2;\n \treturn a;\n"
TAKES_TWO_AWAY = "@@ -40,6 +40,2 @@\n \n-int two(void)\n-{\n-\treturn 3;\n-}\n \n"
ADDS_OTHERS = (
    "@@ -9,2 +9,3 @@\n \n+#define LIMIT 4\n \n@@ -60,2 +61,6 @@\n \n+int three(void)\n+{\n+\treturn 3;\n+}\n \n"
)


def test_each_piece_stands_on_its_line() -> None:
    """A function that the patch shows takes the place of ours, lines of both are where they were."""
    source = source_of(read_patch(diff(ADDS_ONE).encode(), "p"), "p", REST)
    (path,) = source.paths
    shown, rest = source.tree.read(path), source.tree.read("rest.c")
    assert path == PATH and source.beside == {PATH: ("rest.c",)}
    assert shown is not None and shown.split("\n")[39:] == ["", "int one(void)", "{", "\treturn 3;", "}"]
    assert rest is not None and rest.split("\n")[:7] == ["", "", "", "", "", "int two(void)", "{"]


def test_a_prototype_is_no_part() -> None:
    """Where a function of ours is declared as well, the patch says no more of it."""
    declared = "@@ -20,2 +20,3 @@\n \n+int two(void);\n \n"
    source = source_of(read_patch(diff(declared, ADDS_ONE.replace("+40,2", "+41,2")).encode(), "p"), "p", REST, STUBS)
    text = source.tree.read(PATH)
    assert text is not None and text.split("\n")[20] == "int two(void);"


def test_other_files_are_not_looked_at() -> None:
    """The file with a function of ours is the one, whatever else there is."""
    other = diff(ADDS_OTHERS, path="arch/arm/kvm/arm.c")
    source = source_of(read_patch((other + diff(ADDS_OTHERS.replace("three", "two"))).encode(), "p"), "p", REST)
    assert source.paths == (PATH,)
    text = source.tree.read(PATH)
    assert text is not None and text.split("\n")[9] == "#define LIMIT 4" and "int two(void)" in text
    assert source.tree.read("arch/arm/kvm/arm.c") is None


@pytest.mark.parametrize(
    ("hunk", "why"),
    [
        (PART_OF_ONE, f"{PATH}:40: one() is shown only in part; give a tree with the patch applied"),
        (TAKES_TWO_AWAY, f"{PATH}:41: two() is removed; give a tree with the patch applied"),
        (ADDS_OTHERS, "p: it changes none of one, two; give one that does, or a tree"),
        (
            PART_OF_ONE.replace("one", "helps") + ADDS_ONE.replace("-40,2 +40", "-80,2 +80"),
            f"{PATH}:40: helps() is shown only in part; give a tree with the patch applied",
        ),
        (
            ADDS_ONE + "@@ -80,2 +84,3 @@ struct kept {\n \tint a;\n+\tint b;\n \tint c;\n",
            f"{PATH}:84: struct kept is changed; give a tree with the patch applied",
        ),
    ],
)
def test_refused(hunk: str, why: str) -> None:
    """Where the file cannot be put together that is said in one line."""
    with pytest.raises(PatchError) as error:
        source_of(read_patch(diff(hunk).encode(), "p"), "p", REST, STUBS)
    assert str(error.value) == why

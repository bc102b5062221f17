"""From hunks to pieces of C."""

from __future__ import annotations

import difflib
import random
import re
from pathlib import Path

import pytest

from vgicheck.review.fragments import Piece, all_pieces, pieces, removed_functions
from vgicheck.review.patch import PatchedFile, read_patch

SEEDS = Path(__file__).resolve().parents[3] / "shared" / "seeds"


def file_of(hunk: str, section: str = "", start: int = 100) -> PatchedFile:
    """Make a file of one hunk from its lines with their markers; both sides start at line `start`."""
    lines = hunk.removesuffix("\n").split("\n")
    old = sum(line[:1] != "+" for line in lines)
    new = sum(line[:1] != "-" for line in lines)
    header = f"@@ -{start if old else start - 1},{old} +{start if new else start - 1},{new} @@ {section}"
    return read_patch(f"--- a/toy.c\n+++ b/toy.c\n{header}\n{hunk}".encode(), "toy.patch").files[0]


def new_file(text: str) -> PatchedFile:
    """Make a file that the patch adds."""
    body = "".join(f"+{line}\n" for line in text.removesuffix("\n").split("\n"))
    count = body.count("\n")
    return read_patch(f"--- /dev/null\n+++ b/toy.c\n@@ -0,0 +1,{count} @@\n{body}".encode(), "toy.patch").files[0]


def outline(found: tuple[Piece, ...]) -> list[tuple[str, str, str]]:
    return [(piece.kind, piece.name, piece.change) for piece in found]


def names(text: str) -> list[tuple[str, str]]:
    return [(piece.kind, piece.name) for piece in pieces(new_file(text))]


# Whole things ----------------------------------------------------------------------------------


def test_new_function() -> None:
    """A function of added lines is whole, added, and knows its text, its lines and whom it calls."""
    text = "/* Count. */\nstatic int toy_count(struct toy *toy)\n{\n\tif (!toy)\n\t\treturn (int)toy_none(0);\n\ttoy_do(toy_none);\n}\n"
    (piece,) = pieces(new_file(text))
    assert (piece.kind, piece.name, piece.change, piece.file) == ("function", "toy_count", "added", "toy.c")
    assert (piece.first_line, piece.last_line) == (2, 7)
    assert piece.text == text.removesuffix("\n").partition("\n")[2]
    assert piece.called_names == ("toy_none", "toy_do")
    assert piece.before is None


@pytest.mark.parametrize(
    "head",
    [
        "void toy(void)",
        "static int __init toy(struct x *x,\n\t\tint b)",
        "struct x *toy(void)",
        "int\ntoy(int a)",
        "static int __init\ntoy(int a)",
        "static inline u32 __must_check toy(u32 a)\n\t__acquires(a)",
        "asmlinkage __printf(1, 2) void toy(const char *f, ...)",
        "static void __unheard_of toy(void)",
        "void (*toy(int a))(int)",
        "__attribute__((noinline)) int toy(void)",
        "#ifdef A\nint toy(int a)\n#else\nint toy(void)\n#endif",
    ],
)
def test_heads(head: str) -> None:
    """A function is known by its name whatever its head looks like, and does no harm to what follows."""
    found = names(f"{head}\n{{\n\treturn;\n}}\nint after;\n")
    assert found[-2:] == [("function", "toy"), ("declaration", "after")]


def test_macro_head() -> None:
    """A function that a macro defines is called by the macro and its first argument."""
    assert names("SYSCALL_DEFINE1(toy, int, a)\n{\n\treturn 0;\n}\n") == [("function", "SYSCALL_DEFINE1(toy)")]


@pytest.mark.parametrize(
    "body",
    [
        "\tfor_each_toy(t, &list) {\n\t\tf(t);\n\t}",
        '\tpr_err("} {\\"");\n\tc = \'}\';',
        "\t/* } don't { */\n\t// }",
        "#ifdef A\n\tif (a) {\n#else\n\tif (b) {\n#endif\n\t\tf();\n\t}",
        "#define LOCAL(x) do { \\\n\tf(x); \\\n\t} while (0)",
        "out:\n\tf();",
        "\tx = ({ int y; y; });",
        "\tstruct toy t = {\n\t\t.a = 1,\n\t};",
        "\tx = @ $;",
    ],
)
def test_bodies(body: str) -> None:
    """A body ends with the brace at column 0 that closes it, whatever stands in it."""
    text = f"int toy(void)\n{{\n{body}\n}}"
    (first, second) = pieces(new_file(f"{text}\nint after(void)\n{{\n}}\n"))
    assert (first.kind, first.name, first.text) == ("function", "toy", text)
    assert (second.kind, second.name) == ("function", "after")


@pytest.mark.parametrize(
    "text", ["static inline void toy(void) {}", "void toy(void) {\n\tf();\n}", "void toy(void) { f(); };"]
)
def test_other_layouts(text: str) -> None:
    """A function on one line, or with its brace on the line of the head, is whole."""
    assert names(f"{text}\nint after;\n") == [("function", "toy"), ("declaration", "after")]


def test_unbalanced_function() -> None:
    """A function whose braces do not balance is partial, and its neighbours are whole."""
    text = "int toy(void)\n{\n\tif (a) {\n\treturn 0;\n}\n\nint after(void)\n{\n}\n"
    assert names(text) == [("partial", "toy"), ("function", "after")]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("static bool toy;", "toy"),
        ("static void __iomem *toy;", "toy"),
        ("struct toy_node *toy, *other;", "toy"),
        ("int toy(struct kvm *kvm,\n\tint a);", "toy"),
        ("static DEFINE_SPINLOCK(toy);", "toy"),
        ("static DEFINE_PER_CPU(struct kvm_vcpu *, toy);", "toy"),
        ("DEFINE_PER_CPU(int, toy) = 5;", "toy"),
        ("module_init(toy);", "toy"),
        ("EXPORT_SYMBOL_GPL(toy);", "toy"),
        ("EXPORT_SYMBOL_GPL(toy)", "toy"),
        ('MODULE_LICENSE("GPL");', "MODULE_LICENSE"),
        ("struct toy;", "struct toy"),
        ("struct toy {\n\tint a;\n#ifdef B\n\tint b;\n#endif\n};", "struct toy"),
        ("union toy {\n\tint a;\n} __packed;", "union toy"),
        ("struct toy {\n\tint a;\n} __attribute__((packed)) *other;", "other"),
        ("enum toy {\n\tA,\n\tB,\n};", "enum toy"),
        ("enum {\n\tA,\n};", "toy.c:4"),
        ("typedef int (*toy)(int);", "toy"),
        ("typedef struct {\n\tint a;\n} toy;", "toy"),
        ("static const struct ops toy = {\n\t.a = f,\n\t.b = { 1 },\n};", "toy"),
        ("static struct ops __unheard_of toy[] = {\n\t{ 1 },\n};", "toy"),
        ("static u32 (*toy)(int);", "toy"),
        (
            "TRACE_EVENT(toy,\n\tTP_STRUCT__entry(\n\t\t__field(int, a)\n\t),\n\tTP_fast_assign(\n\t\t{ }\n\t)\n);",
            "toy",
        ),
    ],
)
def test_declarations(text: str, name: str) -> None:
    """A declaration is whole and named by what it declares, and so are the functions around it."""
    found = pieces(new_file(f"int f(void)\n{{\n}}\n{text}\nint g(void)\n{{\n}}\n"))
    assert [(piece.kind, piece.name) for piece in found] == [
        ("function", "f"),
        ("declaration", name),
        ("function", "g"),
    ]
    assert found[1].text == text


def test_directives() -> None:
    """Macros, includes and conditions are pieces; a macro reaches to the end of its last continuation line."""
    text = '#include <linux/a.h>\n#include "b.h"\n#ifdef C\n# define D(x) \\\n\tf(x) /* more\n */\n#undef E\n#else\n#endif /* C */\n'
    found = pieces(new_file(text))
    assert outline(found) == [
        ("include", "linux/a.h", "added"),
        ("include", "b.h", "added"),
        ("conditional", "#ifdef C", "added"),
        ("define", "D", "added"),
        ("define", "E", "added"),
        ("conditional", "#else", "added"),
        ("conditional", "#endif", "added"),
    ]
    assert (found[3].first_line, found[3].last_line) == (4, 6)


# Parts -----------------------------------------------------------------------------------------


def test_middle_of_function() -> None:
    """A hunk inside a function is a part of the function that the section names."""
    found = pieces(
        file_of(" \tswitch (a) {\n #ifdef B\n+\tcase 1:\n+\t\tf();\n #endif\n \tcase 2:\n", "int toy(int a)")
    )
    assert outline(found) == [("partial", "toy", "changed")]
    assert (found[0].first_line, found[0].last_line, found[0].called_names) == (100, 105, ("f",))


def test_tail_before_new_function() -> None:
    """The untouched end of the function before an added one is context."""
    hunk = " \n \treturn 0;\n }\n+\n+int toy(void)\n+{\n+}\n"
    assert outline(pieces(file_of(hunk, "int prev(struct kvm *kvm, int cpuid,"))) == [
        ("partial", "prev", "context"),
        ("function", "toy", "added"),
    ]


def test_head_of_next_function() -> None:
    """A function of which only the start is shown is a part, named by its head."""
    hunk = "+int a;\n \n static void toy(struct kvm *kvm)\n {\n \tf(kvm);\n"
    found = pieces(file_of(hunk))
    assert outline(found) == [("declaration", "a", "added"), ("partial", "toy", "context")]
    assert found[1].called_names == ("f",)


@pytest.mark.parametrize(
    "section",
    [
        "static atomic64_t gen = ATOMIC64_INIT(1);",
        "struct kvm_run;",
        "static DEFINE_SPINLOCK(lock);",
        'MODULE_LICENSE("GPL")',
        "typedef int (*fn)(int)",
        "out:",
        "",
    ],
)
def test_section_that_is_no_function(section: str) -> None:
    """A section that is not the head of a function names no part of one; the place does."""
    assert outline(pieces(file_of(" \ta = 1;\n+\tb = 2;\n \tc = 3;\n", section))) == [
        ("partial", "toy.c:100", "changed")
    ]


def test_part_of_struct() -> None:
    """A part of what is no function is named by the line that opens it."""
    assert outline(pieces(file_of(" \tint a;\n+\tint b;\n };\n", "struct toy {"))) == [
        ("partial", "struct toy {", "changed")
    ]
    assert outline(pieces(file_of(" struct toy {\n+\tint b;\n \tint a;\n"))) == [("partial", "struct toy {", "changed")]


def test_end_of_struct_after_function() -> None:
    """What ends with a brace and a semicolon is no function, though the section is one."""
    hunk = " \t.a = 1,\n+\t.b = 2,\n };\n"
    assert outline(pieces(file_of(hunk, "int toy(void)"))) == [("partial", "toy.c:100", "changed")]


@pytest.mark.parametrize(
    "hunk",
    [
        " \t * words */\n+\tf();\n \treturn;\n }\n",
        "  * don't } {\n  */\n+\tf();\n }\n",
        " out:\n+\tf();\n \treturn;\n }\n",
        " {\n+\tf();\n }\n",
        " \t\tint b)\n {\n+\tf();\n }\n",
        ' debug("x");\n+\tf();\n \treturn;\n }\n',
        ' debug("x");\n+\tf();\n \treturn;\n',
        ' \tg();\n+debug("x");\n \th();\n',
        " \t\tg();\n \t} else {\n+\t\tf();\n \t}\n }\n",
        " \n #ifdef A\n+\tf();\n #endif\n \treturn;\n",
    ],
)
def test_begins_inside(hunk: str) -> None:
    """A hunk may begin in a comment, in a parameter list, at a label or deep in a body: it is a part of the function."""
    found = pieces(file_of(hunk, "int toy(int a)"))
    assert [piece for piece in outline(found) if piece[0] != "conditional"] == [("partial", "toy", "changed")]


def test_begins_in_prototype() -> None:
    """The rest of a prototype ends before what follows it."""
    hunk = " \t\tint b);\n+int toy(void);\n EXPORT(x);\n"
    assert outline(pieces(file_of(hunk, "int prev(int a,"))) == [
        ("partial", "prev", "context"),
        ("declaration", "toy", "added"),
        ("declaration", "x", "context"),
    ]


def test_begins_in_macro() -> None:
    """The rest of a macro whose `#define` is not shown is a part without a name, and nothing more is lost."""
    hunk = " \tf(x); \\\n+\tg(x); \\\n \t} while (0)\n \n int toy(void)\n {\n }\n"
    assert outline(pieces(file_of(hunk, "int prev(void)"))) == [
        ("partial", "toy.c:100", "changed"),
        ("function", "toy", "context"),
    ]


def test_ends_in_macro() -> None:
    """A macro that goes on below the hunk is a part."""
    assert outline(pieces(file_of("+#define TOY(x) \\\n+\tf(x); \\\n"))) == [("partial", "toy.c:100", "changed")]


def test_comment_only() -> None:
    """A hunk that shows only comment has no pieces."""
    assert pieces(file_of("  * one\n+ * two {\n  * three\n", "int toy(void)")) == ()


def test_deletion_without_context() -> None:
    """A part of a function of which nothing is left to see is changed, with no text."""
    file = read_patch(b"--- a/x.c\n+++ b/x.c\n@@ -5,2 +4,0 @@ int toy(void)\n-\tf();\n-\tg();\n", "x").files[0]
    assert [(p.kind, p.name, p.change, p.text, p.first_line) for p in pieces(file)] == [
        ("partial", "toy", "changed", "", 4)
    ]


def test_first_line_of_file() -> None:
    """What is shown from the first line of a file is not inside anything, whatever its indentation."""
    assert names("\tenum toy {\n\t\tA,\n\t};\nint after;\n") == [("declaration", "enum toy"), ("declaration", "after")]
    assert outline(pieces(file_of(" \tint a;\n+int b;\n", "", start=1))) == [
        ("declaration", "a", "context"),
        ("declaration", "b", "added"),
    ]


def test_touching_hunks() -> None:
    """Hunks that touch are read as one."""
    text = "--- a/x.c\n+++ b/x.c\n@@ -1,2 +1,2 @@\n int toy(void)\n-{a();\n+{b();\n@@ -3,1 +3,1 @@ int toy(void)\n }\n"
    assert outline(pieces(read_patch(text.encode(), "x").files[0])) == [("function", "toy", "changed")]


def test_replaced_head() -> None:
    """A part below a head that an earlier hunk has replaced belongs to the new function; nothing is left of the old."""
    text = (
        "--- a/x.c\n+++ b/x.c\n@@ -1,3 +1,3 @@\n-int old(void)\n+int new(void)\n {\n \ta();\n"
        "@@ -9,2 +9,3 @@ int old(void)\n \tb();\n+\tc();\n }\n"
    )
    file = read_patch(text.encode(), "x").files[0]
    assert [(piece.name, piece.change, bool(piece.text)) for piece in pieces(file)] == [
        ("old", "changed", False),
        ("new", "changed", True),
        ("new", "changed", True),
    ]


# Before and after ------------------------------------------------------------------------------


def test_changed_function() -> None:
    """A function that is whole on both sides is changed, and has its text of before."""
    (piece,) = pieces(file_of(" int toy(void)\n {\n-\ta();\n+\tb();\n }\n"))
    assert (piece.kind, piece.change) == ("function", "changed")
    assert piece.before == "int toy(void)\n{\n\ta();\n}"
    assert piece.text == "int toy(void)\n{\n\tb();\n}"


def test_untouched_function() -> None:
    """A function of untouched lines is context, though the lines next to it are touched."""
    hunk = "-int a;\n int toy(void)\n {\n }\n+int b;\n"
    assert outline(pieces(file_of(hunk))) == [("function", "toy", "context"), ("declaration", "b", "added")]


def test_borrowed_brace() -> None:
    """A function stays what it was when diff gives its brace to an added neighbour."""
    hunk = " int one(void)\n {\n \ta();\n+}\n+\n+int two(void)\n+{\n+\tb();\n }\n"
    assert outline(pieces(file_of(hunk))) == [("function", "one", "context"), ("function", "two", "added")]
    hunk = hunk.replace("\n+", "\n-")
    assert outline(pieces(file_of(hunk))) == [("function", "one", "context")]
    assert outline(removed_functions(file_of(hunk))) == [("function", "two", "removed")]


def test_renamed_function() -> None:
    """A function under a new name is added, and the one of the old name removed."""
    file = file_of("-int old(void)\n+int new(void)\n {\n \ta();\n }\n")
    assert outline(pieces(file)) == [("function", "new", "added")]
    assert outline(removed_functions(file)) == [("function", "old", "removed")]


def test_moved_function() -> None:
    """A function that moves within the file is changed, not added, and is not removed."""
    file = file_of("-int toy(void)\n-{\n-\ta();\n-}\n-\n int b;\n+\n+int toy(void)\n+{\n+\ta();\n+}\n")
    piece = pieces(file)[-1]
    assert (piece.name, piece.change, piece.before) == ("toy", "changed", piece.text)
    assert removed_functions(file) == ()


def test_alternative_definition() -> None:
    """A stub for the other branch of a condition is added beside the function of its name."""
    hunk = " #ifdef A\n int toy(void)\n {\n \treturn 1;\n }\n+#else\n+int toy(void)\n+{\n+\treturn 0;\n+}\n #endif\n"
    assert [p[2] for p in outline(pieces(file_of(hunk))) if p[0] == "function"] == ["context", "added"]


def test_changed_macro_and_declaration() -> None:
    """A macro or declaration that is replaced under its name is changed."""
    found = pieces(file_of("-#define A 1\n+#define A 2\n-static int b;\n+static long b;\n int c;\n"))
    assert outline(found) == [
        ("define", "A", "changed"),
        ("declaration", "b", "changed"),
        ("declaration", "c", "context"),
    ]
    assert [piece.before for piece in found] == ["#define A 1", "static int b;", None]


def test_removed_function() -> None:
    """A removed function is given with the text and the lines that it had."""
    file = file_of(" int a;\n-int toy(void)\n-{\n-\tf();\n-}\n int b;\n")
    (piece,) = removed_functions(file)
    assert (piece.name, piece.first_line, piece.last_line, piece.called_names) == ("toy", 101, 104, ("f",))
    assert outline(pieces(file)) == [("declaration", "a", "context"), ("declaration", "b", "context")]


def test_removed_file() -> None:
    """A removed file has no pieces, and its functions are removed."""
    file = read_patch(b"--- a/x.c\n+++ /dev/null\n@@ -1,3 +0,0 @@\n-int toy(void)\n-{\n-}\n", "x").files[0]
    assert pieces(file) == ()
    assert outline(removed_functions(file)) == [("function", "toy", "removed")]


# Size ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        "\tx = f(x);\n" * 100_000,
        "\tx = " + "(" * 200_000 + "1" + ")" * 200_000 + ";\n",
        "\tif (f(x)) {\n" * 20_000 + "\t}\n" * 20_000,
    ],
)
def test_large_function(body: str) -> None:
    """A function of very many lines or of very deep nesting is read like any other."""
    (piece,) = pieces(new_file(f"int toy(void)\n{{\n{body}}}\n"))
    assert (piece.kind, piece.name) == ("function", "toy")
    assert piece.text.endswith(body + "}")


@pytest.mark.parametrize(
    "line", ["foo bar", "foo(bar)", "struct x {", "#if 1", "#define x \\", '\\"' * 50, "/*", "\tint a;", "("]
)
def test_endless_fragment(line: str) -> None:
    """Text that never comes to an end is read in a time that grows with its length, into pieces that cover it."""
    found = pieces(new_file(f"{line}\n" * 5_000))
    covered = sum(piece.last_line - piece.first_line + 1 for piece in found)
    assert covered == (0 if line == "/*" else 5_000)


# Against a known truth -------------------------------------------------------------------------

STATEMENTS = [
    "\tspin_lock(&d->lock);",
    "\tif (a) {\n\t\tb = foo(a);\n\t}",
    "\tif (x)\n\t\treturn 0;",
    "out:",
    "#ifdef CONFIG_A\n\tif (q) {\n#else\n\tif (r) {\n#endif\n\t\tbaz();\n\t}",
    "\tswitch (x) {\n\tcase 1:\n\t\tbreak;\n\t}",
    "",
    '\tpr_err("} {\\"");',
    "\tfoo(a,\n\t    b);",
]
HEADS = [
    "static int {}(int a)",
    "void __init {}(struct kvm *kvm,\n\t\tint b)",
    "static inline u32 __must_check {}(u32 a)\n\t__acquires(lock)",
    "int\n{}(int a)",
]
OTHERS = [
    "static DEFINE_SPINLOCK({});",
    "int {}(struct kvm *kvm,\n\t\tunsigned long b);",
    "struct {} {{\n\tint a;\n#ifdef X\n\tint c;\n#endif\n}};",
    "static struct foo {} = {{\n\t.a = 1,\n\t.b = {{ 1, 2 }},\n}};",
    "#define {}(x) \\\n\tdo {{ \\\n\t\tfoo(x); \\\n\t}} while (0)",
    "/*\n * About {}'s }} use.\n */",
    "#ifdef {0}\nextern int {0};\n#endif",
]

Item = tuple[str, str]


def random_function(r: random.Random, name: str) -> Item:
    body = "\n".join(r.choice(STATEMENTS) for _ in range(r.randint(1, 12)))
    return name, f"{r.choice(HEADS).format(name)}\n{{\n{body}\n}}"


def random_item(r: random.Random, number: int) -> Item:
    if r.random() < 0.6:
        return random_function(r, f"fn_{number}")
    return f"other_{number}", r.choice(OTHERS).format(f"other_{number}")


def random_change(r: random.Random, items: list[Item]) -> list[Item]:
    """Remove items, add some, and add statements at the start or end of functions."""
    changed: list[Item] = []
    for name, text in items:
        if r.random() < 0.1:
            continue
        if name.startswith("fn_") and r.random() < 0.2:
            head, body = text.split("\n{\n", 1)
            statement = r.choice([s for s in STATEMENTS if s])
            text = f"{head}\n{{\n{statement}\n{body}" if r.random() < 0.5 else f"{text[:-1]}{statement}\n}}"
        changed.append((name, text))
        if r.random() < 0.1:
            changed.append(random_item(r, 100 + len(changed)))
    return changed


def diff(old: list[str], new: list[str], context: int) -> str:
    """Make a unified diff with sections, as git does."""
    lines = list(difflib.unified_diff(old, new, "a/toy.c", "b/toy.c", n=context, lineterm=""))
    for i, line in enumerate(lines):
        header = re.match(r"@@ -(\d+)(,0 )?", line)
        if header:
            above = old[: int(header.group(1)) - (0 if header.group(2) else 1)]
            heads = [text for text in above if re.match(r"[A-Za-z_]", text) and not re.match(r"\w+:", text)]
            lines[i] += f" {heads[-1][:80]}" if heads else ""
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("context", [1, 3, 8])
def test_random_patches(context: int) -> None:
    """In random patches no changed function is missed, and every whole function has its true text, before and after."""
    r = random.Random(context)
    whole = 0
    for _ in range(150):
        items = [random_item(r, i) for i in range(r.randint(1, 10))]
        changed = random_change(r, items)
        old = [line for _, text in items for line in [*text.split("\n"), ""]]
        new = [line for _, text in changed for line in [*text.split("\n"), ""]]
        if old == new:
            continue
        file = read_patch(diff(old, new, context).encode(), "toy.patch").files[0]
        before = {name: text for name, text in items if name.startswith("fn_")}
        after = {name: text for name, text in changed if name.startswith("fn_")}
        found = pieces(file)
        touched = {piece.name for piece in found if piece.change != "context"}
        assert {name for name, text in after.items() if before.get(name) != text} <= touched
        for piece in found:
            assert piece.text in ("", "\n".join(new[piece.first_line - 1 : piece.last_line]))
            if piece.kind == "function":
                whole += 1
                assert piece.text == after[piece.name]
                assert piece.before in (None, before.get(piece.name))
                assert (piece.change == "added") == (piece.name not in before)
                assert piece.change != "context" or piece.text == before[piece.name]
            if piece.kind == "partial" and piece.text and piece.name.startswith("fn_"):
                assert piece.name in after
        for piece in removed_functions(file):
            assert piece.name not in after
            assert piece.text == before[piece.name]
    assert whole > 40


# The mailed patch ------------------------------------------------------------------------------


def test_seed() -> None:
    """The mailed patch adds five functions, changes parts of two, and declares what they need."""
    paths = sorted(SEEDS.glob("*.txt"))
    if not paths:
        pytest.skip("the mailed patch is not at hand")
    patch = read_patch(paths[0].read_bytes(), "seed")
    found = all_pieces(patch)

    def named(kind: str, change: str, suffix: str = ".c") -> list[str]:
        return [p.name for p in found if (p.kind, p.change) == (kind, change) and p.file.endswith(suffix)]

    assert named("function", "added") == [
        "vgic_maintenance_handler",
        "kvm_vgic_vcpu_init",
        "vgic_init_maintenance_interrupt",
        "kvm_vgic_hyp_init",
        "kvm_vgic_init",
    ]
    assert len([p for p in found if p.kind == "function"]) == 5
    assert named("partial", "changed") == ["kvm_dev_ioctl_check_extension", "init_hyp_mode"]
    assert named("partial", "context", "vgic.c") == ["kvm_vgic_inject_irq"]
    assert named("declaration", "added") == ["vgic_present", "vgic_vctrl_base", "vgic_node"]
    assert named("declaration", "added", ".h") == ["kvm_vgic_hyp_init", "kvm_vgic_init", "kvm_vgic_vcpu_init"]
    assert named("define", "added") == ["VGIC_CPU_BASE", "VGIC_CPU_SIZE"]
    assert named("define", "context") == ["VGIC_DIST_BASE", "VGIC_DIST_SIZE", "ACCESS_READ_VALUE", "ACCESS_READ_RAZ"]
    handler = next(p for p in found if p.name == "vgic_maintenance_handler")
    assert {"kvm_debug", "for_each_set_bit", "vgic_bitmap_set_irq_val", "writel_relaxed"} <= set(handler.called_names)
    assert (handler.first_line, handler.last_line) == (926, 978)
    assert all(removed_functions(file) == () for file in patch.files)

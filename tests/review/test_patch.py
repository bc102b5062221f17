"""Reading a patch: the forms it comes in, and what is refused."""

from __future__ import annotations

import base64
import io
import quopri
from collections.abc import Callable
from pathlib import Path

import pytest

from vgicheck.review.patch import MAX_BYTES, Form, Patch, PatchError, load, read_patch

SEEDS = Path(__file__).resolve().parents[3] / "shared" / "seeds"

DIFF = """\
diff --git a/virt/toy.c b/virt/toy.c
index 1111111..2222222 100644
--- a/virt/toy.c
+++ b/virt/toy.c
@@ -10,7 +10,8 @@ static int toy_count(struct toy *toy)
 {
 	int n = 0;
 
-	n = toy->a;
+	n = toy->b;
+	n += toy->c;
 	return n;
 }
 
"""

MAKEFILE = """\
diff --git a/virt/Makefile b/virt/Makefile
index 1111111..2222222 100644
--- a/virt/Makefile
+++ b/virt/Makefile
@@ -1 +1,2 @@
 obj-y += toy.o
+obj-y += other.o
"""

HEADERS = "From: A Developer <a@example.org>\nDate: Mon, 1 Oct 2012 09:14:26 +0100\n"
SEPARATOR = "From a@example.org Mon Oct  1 09:14:26 2012\n"
EXPORTED = "From 0123456789abcdef0123456789abcdef01234567 Mon Sep 17 00:00:00 2001\n"

PAGE = """\
diff mbox

[v3,2/4] virt: count what is there

Message ID 1234@example.org (mailing list archive)
State New, archived
Headers show

Commit Message

A Developer Oct. 1, 2012, 9:14 a.m. UTC
Count b and c.
---
 virt/toy.c | 3 ++-
 1 file changed, 2 insertions(+), 1 deletion(-)

Comments

{comments}
diff mbox

Patch

{diff}"""


def quoted(text: str) -> str:
    return "".join(f"> {line}\n" for line in text.splitlines())


def mail(subject: str, body: str, extra: str = "") -> str:
    return f"{SEPARATOR}{HEADERS}Subject: {subject}\n{extra}\n{body}\n\n"


def read(text: str) -> Patch:
    return read_patch(text.encode(), "toy.patch")


def refusal(data: str | bytes) -> str:
    with pytest.raises(PatchError) as caught:
        read_patch(data.encode() if isinstance(data, str) else data, "toy.patch")
    message = str(caught.value)
    assert "\n" not in message
    return message


def added(patch: Patch) -> list[str]:
    return [line.text for file in patch.files for hunk in file.hunks for line in hunk.lines if line.kind == "added"]


EXPECTED = ["\tn = toy->b;", "\tn += toy->c;"]


# Forms -----------------------------------------------------------------------------------------


def test_bare_diff() -> None:
    """A git diff alone is read, with paths freed of their prefixes and every line numbered on its sides."""
    patch = read(DIFF)
    assert (patch.form, patch.subject, patch.ignored) == ("diff", "", ())
    (file,) = patch.files
    assert (file.old_path, file.new_path) == ("virt/toy.c", "virt/toy.c")
    (hunk,) = file.hunks
    assert (hunk.old_start, hunk.old_count, hunk.new_start, hunk.new_count) == (10, 7, 10, 8)
    assert hunk.section == "static int toy_count(struct toy *toy)"
    assert [(line.kind, line.old_line, line.new_line) for line in hunk.lines[3:6]] == [
        ("removed", 13, None),
        ("added", None, 13),
        ("added", None, 14),
    ]
    assert [line.new_line for line in hunk.after] == list(range(10, 18))
    assert [line.old_line for line in hunk.before] == list(range(10, 17))


def test_plain_diff() -> None:
    """A diff without the headers of git is read; what stands before it is no part of it."""
    plain = (
        "Count more.\n\nIndex: toy.c\n=====\n--- toy.c.orig\t2012-10-01\n+++ toy.c\t2012-10-02\n@@ -1 +1 @@\n-a;\n+b;\n"
    )
    (file,) = read(plain).files
    assert (file.old_path, file.new_path) == ("toy.c.orig", "toy.c")


def test_page() -> None:
    """A Patchwork page yields its title and the diff below its last line `Patch`."""
    patch = read(PAGE.format(comments="Looks good.\n", diff=DIFF.replace("@@ static", "@@  static")))
    assert (patch.form, patch.subject) == ("patchwork page", "[v3,2/4] virt: count what is there")
    assert added(patch) == EXPECTED
    assert patch.files[0].hunks[0].section == "static int toy_count(struct toy *toy)"


@pytest.mark.parametrize("quote", [quoted(DIFF), DIFF.replace("toy->b", "toy->wrong"), "Patch\n\n" + MAKEFILE])
def test_page_replies(quote: str) -> None:
    """A diff in the discussion above is never the patch, quoted or not, nor below another line `Patch`."""
    assert added(read(PAGE.format(comments=quote, diff=DIFF))) == EXPECTED


def test_page_without_patch() -> None:
    """A page that was cut above its diff is refused, whatever its replies quote."""
    page = PAGE.format(comments=DIFF, diff="")
    assert "no diff below Patch" in refusal(page)
    assert "without its section Patch" in refusal(page.replace("\nPatch\n", "\n"))


@pytest.mark.parametrize(
    ("head", "form"), [(EXPORTED, "format-patch"), (SEPARATOR, "mbox"), ("", "mbox"), ("\n\n" + SEPARATOR, "mbox")]
)
def test_single_mail(head: str, form: Form) -> None:
    """One mail is read with or without its separator, and its signature is no part of the diff."""
    patch = read(
        f"{head}{HEADERS}Subject: [PATCH 1/2] virt:\n count\n\nText.\n---\n toy.c | 3\n\n{DIFF}-- \n2.39.0\n\n"
    )
    assert (patch.form, patch.subject) == (form, "[PATCH 1/2] virt: count")
    assert added(patch) == EXPECTED


def test_thread() -> None:
    """Of a cover letter, a patch and a reply that holds the diff unquoted, the patch is read."""
    box = (
        mail("[PATCH 0/1] x", " toy.c | 3")
        + mail("[PATCH 1/1] x", DIFF)
        + mail("Re: [PATCH 1/1] x", DIFF + quoted(DIFF))
    )
    patch = read(box)
    assert (patch.subject, added(patch)) == ("[PATCH 1/1] x", EXPECTED)


def test_reply_with_only_diff() -> None:
    """A reply is the patch when no other mail has an unquoted diff."""
    assert read(mail("question", "hm") + mail("RE: question", f"Try this:\n\n{DIFF}")).subject == "RE: question"


def test_two_patches() -> None:
    """A series is refused by the subjects of its patches."""
    message = refusal(mail("[PATCH 1/2] one", DIFF) + mail("[PATCH 2/2] two", MAKEFILE))
    assert '2 mails carry a patch: "[PATCH 1/2] one", "[PATCH 2/2] two"; give one' in message


def test_quoting_mail() -> None:
    """A mail that only quotes a diff carries no patch."""
    assert "only a quoted one" in refusal(mail("Re: x", quoted(DIFF)))
    assert "the mail holds no diff;" in refusal(mail("x", "words"))


@pytest.mark.parametrize("encoding", ["quoted-printable", "base64", "8bit"])
def test_transfer_encodings(encoding: str) -> None:
    """A mail is decoded, its subject too."""
    text = DIFF.replace("int n = 0;", "int n = 0; /* Größe */").encode()
    encoders: dict[str, Callable[[bytes], bytes]] = {
        "quoted-printable": quopri.encodestring,
        "base64": base64.encodebytes,
        "8bit": bytes,
    }
    head = f"{HEADERS}Subject: =?utf-8?q?Gr=C3=B6=C3=9Fe?=\nContent-Type: text/plain; charset=utf-8\n"
    patch = read_patch(
        head.encode() + f"Content-Transfer-Encoding: {encoding}\n\n".encode() + encoders[encoding](text), "m"
    )
    assert (patch.subject, added(patch)) == ("Größe", EXPECTED)
    assert "Größe" in patch.files[0].hunks[0].lines[1].text


def test_declared_charset() -> None:
    """A mail is decoded by the character set that it declares, and refused when that is not known."""
    text = DIFF.replace("n = 0;", "n = 0; /* ö */").encode("latin-1")
    head = HEADERS.encode() + b"Subject: x\nContent-Type: text/plain; charset=%s\n\n"
    assert "ö" in read_patch(head % b"iso-8859-1" + text, "m").files[0].hunks[0].lines[1].text
    assert "character set klingon is not known" in refusal(head % b"klingon" + text)
    assert "is not utf-8 text" in refusal(head % b"utf-8" + text)


def test_attachment() -> None:
    """A patch that is attached to a mail is found; two of them are refused."""
    part = f"--b\nContent-Type: text/x-patch\n\n{DIFF}\n"
    head = (
        f'{HEADERS}Subject: x\nContent-Type: multipart/mixed; boundary="b"\n\n--b\nContent-Type: text/plain\n\nHello\n'
    )
    assert added(read(head + part + "--b--\n")) == EXPECTED
    assert "the mail carries 2 diffs" in refusal(head + part + part + "--b--\n")


@pytest.mark.parametrize("text", [DIFF, PAGE.format(comments="", diff=DIFF), mail("x", DIFF)])
def test_dos_line_ends(text: str) -> None:
    """CRLF line ends give the same patch as LF, and so does a byte-order mark."""
    assert read(text.replace("\n", "\r\n")) == read(text)
    assert read("\ufeff" + text) == read(text)


def test_stripped_blank_lines() -> None:
    """A blank line of context that lost its space is context, inside a hunk and at its end."""
    assert read(DIFF.replace("\n \n", "\n\n")).files == read(DIFF).files


def test_no_newline_at_end() -> None:
    """The marker of a missing newline is no line."""
    text = "--- a/x.c\n+++ b/x.c\n@@ -1 +1 @@\n-a;\n\\ No newline at end of file\n+b;\n\\ No newline at end of file\n"
    assert [line.text for line in read(text).files[0].hunks[0].lines] == ["a;", "b;"]


def test_added_and_removed_files() -> None:
    """A file that the patch adds or removes has no path on the other side."""
    text = "--- /dev/null\n+++ b/x.c\n@@ -0,0 +1 @@\n+a;\n--- a/y.h\n+++ /dev/null\n@@ -1 +0,0 @@\n-b;\n"
    assert [(file.old_path, file.new_path, file.path) for file in read(text).files] == [
        (None, "x.c", "x.c"),
        ("y.h", None, "y.h"),
    ]


def test_renamed_file() -> None:
    """A C file that is only renamed is a file without hunks."""
    text = "diff --git a/x.c b/y.c\nsimilarity index 100%\nrename from x.c\nrename to y.c\n"
    (file,) = read(text).files
    assert (file.old_path, file.new_path, file.hunks) == ("x.c", "y.c", ())


def test_quoted_path() -> None:
    """A path that git has quoted is given as it is."""
    text = '--- "a/gr\\303\\266.c"\n+++ "b/gr\\303\\266.c"\n@@ -1 +1 @@\n-a;\n+b;\n'
    assert read(text).files[0].new_path == "grö.c"


def test_ignored_files() -> None:
    """Files that are no C are listed by path, binary ones too."""
    binary = "diff --git a/logo.png b/logo.png\nindex 1..2 100644\nBinary files a/logo.png and b/logo.png differ\n"
    patch = read(MAKEFILE + binary + DIFF)
    assert patch.ignored == ("virt/Makefile", "logo.png")
    assert [file.path for file in patch.files] == ["virt/toy.c"]


def test_removed_lines_that_look_like_headers() -> None:
    """Lines of a hunk whose text begins with dashes or pluses are lines of that hunk."""
    text = "--- a/x.c\n+++ b/x.c\n@@ -1,2 +1,2 @@\n--- a;\n+++ b;\n-- \n+- \n"
    assert [line.text for line in read(text).files[0].hunks[0].lines] == ["-- a;", "++ b;", "- ", "- "]


def test_formfeed_is_no_line_end() -> None:
    """Only a line feed ends a line."""
    text = "--- a/x.c\n+++ b/x.c\n@@ -1 +1 @@\n-a;\f b;\u2028\n+b;\x0b\n"
    assert [line.text for line in read(text).files[0].hunks[0].lines] == ["a;\f b;\u2028", "b;\x0b"]


# Refusals --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "toy.patch: is empty"),
        (b"\n \n", "is empty"),
        (b"a\nb\0c", "toy.patch:2: is binary"),
        (b"a\nb\n\xff", "toy.patch:3: is not utf-8 text"),
        (b"\x1f\x8b\x08", "gzip"),
        (b"<!DOCTYPE html><html>", "is HTML"),
        (b"only words\n", "holds no diff"),
        (quoted(DIFF).encode(), "only quotes a diff"),
        (b"x" * (MAX_BYTES + 1), "larger than 16 MiB"),
        (b"\n" * 400_001 + b"x", "more than 400000 lines"),
        ((SEPARATOR + "A: b\n\n").encode() * 1001, "more than 1000 mails"),
    ],
)
def test_refused_input(data: bytes, what: str) -> None:
    """What is no patch is refused in one line that names the fault."""
    assert what in refusal(data)


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("10,7 +10,8", "10,8 +10,9", "toy.patch:14: the diff ends inside the hunk of line 5"),
        ("10,7 +10,8", "10,6 +10,7", None),
        ("10,7 +10,8", "10,5 +10,6", "toy.patch:13: no hunk header before this line counts it"),
        ("10,7 +10,8", "10,7 +10,7", "wrong counts"),
        ("10,7 +10,8", "0,7 +10,8", "wrong counts"),
        ("10,7 +10,8", "10,7 +1000000000000,8", "toy.patch:5: the hunk header has an absurd line number"),
        ("10,7 +10,8", "10,1000000000000 +10,1000000000000", "absurd"),
        ("10,7 +10,8", "10,2000000000 +10,2000000000", "ends inside"),
        ("10,7 +10,8", "x,7 +10,8", "toy.patch:5: the hunk header is not understood"),
        ("@@ -10,7 +10,8 @@ static int toy_count(struct toy *toy)\n", "", "toy.patch:5: no hunk header"),
        ("+\tn += toy->c;\n", "", "ends inside"),
        (" }\n \n", "-- \n2.39.0\n", "the hunk of line 5 has fewer lines"),
        (" \n-\tn =", "\n-\tn =", None),
        ("a/virt/toy.c", "a/../toy.c", "does not lie in a tree"),
        ("virt/toy.c", "virt/toy.S", "touches no C file (only virt/toy.S)"),
        ("diff --git", "diff --cc virt/toy.c\ndiff --git", "combined diff of a merge"),
    ],
)
def test_damaged_diff(old: str, new: str, what: str | None) -> None:
    """A hunk that does not hold what its header says, and a path that is none, are refused where they stand."""
    text = DIFF.replace(old, new)
    assert text != DIFF
    if what is None:
        assert added(read(text)) == EXPECTED
    else:
        assert what in refusal(text)


def test_cut_anywhere() -> None:
    """A diff that ends above its last two lines is refused, also when blank lines or a signature follow."""
    lines = DIFF.splitlines(keepends=True)
    for n in range(1, len(lines) - 1):
        for end in ("", "-- \n2.39.0\n", "\n\n"):
            refusal("".join(lines[:n]) + end)


def test_cut_before_blank_context() -> None:
    """A blank line at the end is the last line of context only in a diff whose blank lines have lost their space."""
    body = DIFF[: DIFF.rindex(" \n")] + "\n"
    assert "ends inside a hunk" in refusal(body)
    assert read(body.replace("\n \n", "\n\n")).files == read(DIFF).files


def test_signature_is_no_removed_line() -> None:
    """A signature does not stand in for a removed line that was cut off."""
    assert "ends inside a hunk" in refusal("--- a/x.c\n+++ b/x.c\n@@ -1,2 +1 @@\n-a;\n+b;\n-- \n2.39.0\n")


def test_cut_between_header_and_hunk() -> None:
    """A file of which only the header is there is refused."""
    assert "virt/Makefile has no hunks" in refusal(DIFF + "".join(MAKEFILE.splitlines(keepends=True)[:2]))


def test_hunks_out_of_order() -> None:
    """Hunks that overlap or go backwards are refused."""
    hunk = DIFF[DIFF.index("@@") :]
    assert "toy.patch:15: the hunk overlaps the one before" in refusal(DIFF + hunk)


def test_several_patches_in_a_row() -> None:
    """A file that is changed twice, or the head of a further commit, means several patches."""
    assert "changes virt/toy.c twice" in refusal(DIFF + DIFF)
    assert "another commit begins" in refusal(DIFF + f"commit {'0' * 40}\n\n    Text.\n\n" + MAKEFILE)


def test_binary_only() -> None:
    """A patch that changes only binary files is refused, and so is a binary change of a C file."""
    head = "diff --git a/x.{0} b/x.{0}\nindex 1111111..2222222 100644\n"
    assert "only binary changes" in refusal(head.format("png") + "Binary files a/x.png and b/x.png differ\n")
    assert "only binary changes" in refusal(head.format("png") + "GIT binary patch\nliteral 1\nIcmZPo000310RR91\n\n")
    assert "the change of x.c is binary" in refusal(head.format("c") + "Binary files a/x.c and b/x.c differ\n")


def test_line_of_mail() -> None:
    """A fault in a mail is located by its line in the file, unless the mail is encoded."""
    damaged = DIFF.replace("@@ -10", "@@ -x")
    text = mail("x", "y") + mail("[PATCH] x", damaged)
    line = text[: text.index("@@ -x")].count("\n") + 1
    assert refusal(text).startswith(f"toy.patch:{line}: ")
    body = base64.encodebytes(damaged.encode()).decode()
    assert refusal(mail("x", body, "Content-Transfer-Encoding: base64\n")).startswith("toy.patch (decoded text):5: ")


def test_control_characters_in_messages() -> None:
    """A message stays one printable line whatever the input puts into it."""
    assert refusal(mail("[PATCH 1/2] \x1b[31m one", DIFF) + mail("two", DIFF)).isprintable()


# Loading ---------------------------------------------------------------------------------------


def test_load_file(tmp_path: Path) -> None:
    """A file is loaded under its path."""
    path = tmp_path / "x.patch"
    path.write_bytes(b"abc")
    assert load(str(path), io.BytesIO()) == (b"abc", str(path))


def test_load_standard_input() -> None:
    """A dash means standard input, of which no more is read than tells that it is too much."""
    assert load("-", io.BytesIO(b"abc")) == (b"abc", "standard input")
    assert len(load("-", io.BytesIO(bytes(MAX_BYTES + 100)))[0]) == MAX_BYTES + 1


@pytest.mark.parametrize(
    ("name", "what"), [("none", "no such file"), (".", "is a directory"), ("a\0b", "cannot be read")]
)
def test_load_refusals(tmp_path: Path, name: str, what: str) -> None:
    """What is no readable file is refused in one line."""
    with pytest.raises(PatchError, match=what) as caught:
        load(f"{tmp_path}/{name}", io.BytesIO())
    assert "\n" not in str(caught.value)


# The mailed patch ------------------------------------------------------------------------------


@pytest.fixture
def seed() -> bytes:
    paths = sorted(SEEDS.glob("*.txt"))
    if not paths:
        pytest.skip("the mailed patch is not at hand")
    return paths[0].read_bytes()


def test_seed(seed: bytes) -> None:
    """The mailed patch has three C files, seven hunks, 208 added lines and 2 removed ones, as its diffstat says."""
    patch = read_patch(seed, "seed")
    assert (patch.form, patch.subject) == ("patchwork page", "[v2,08/10] ARM: KVM: VGIC initialisation code")
    names = ["arch/arm/include/asm/kvm_vgic.h", "arch/arm/kvm/arm.c", "arch/arm/kvm/vgic.c"]
    assert ([file.path for file in patch.files], patch.ignored) == (names, ())
    hunks = [hunk for file in patch.files for hunk in file.hunks]
    kinds = [line.kind for hunk in hunks for line in hunk.lines]
    assert (len(hunks), kinds.count("added"), kinds.count("removed")) == (7, 208, 2)


def test_seed_without_a_line(seed: bytes) -> None:
    """No line of a hunk of the mailed patch can be lost unnoticed."""
    lines = seed.split(b"\n")
    start = lines.index(b"Patch")
    body = [i for i in range(start + 1, len(lines)) if lines[i][:1] in (b" ", b"+", b"-", b"@")]
    body = [i for i in body if not lines[i].startswith((b"--- a/", b"+++ b/"))]
    assert len(body) > 200
    for i in body:
        refusal(b"\n".join(lines[start + 1 : i] + lines[i + 1 :]))

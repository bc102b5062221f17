"""Reading a patch in the forms in which people have it, down to hunks of numbered lines.

Four forms are understood: a Patchwork page saved as text (discussion above, the patch after the last line `Patch`),
an mbox or a single mail (quoted-printable, base64, attachments, replies and cover letters among them), a file of
`git format-patch`, and a bare diff.  A diff that somebody quotes is never the patch.  The diff itself is parsed by
`unidiff`; what that library lets pass and a reviewer would not want to lose (lines beyond the count of a hunk, a hunk
header it does not recognise, a file header without hunks, hunks out of order) is refused here.

Whatever is wrong with the input is a `PatchError`, one line long.  Input beyond `MAX_BYTES`, `MAX_LINES` or
`MAX_MAILS` is refused before it costs memory.  Not undone: the line wrapping of `format=flowed` mail.
"""

from __future__ import annotations

import codecs
import email
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message
from typing import BinaryIO, Literal

import unidiff.patch
from unidiff.errors import UnidiffParseError

MAX_BYTES = 16 * 1024 * 1024
"""The largest input that is read, in bytes."""

MAX_LINES = 400_000
"""The most lines that an input may have."""

MAX_MAILS = 1_000
"""The most mails that an mbox may have."""

_AS_MADE = "give the patch as it was made"
_WHOLE_PAGE = "save the whole page, down to the end of its diff"
_MAX_PARTS = 64
_MAX_HEADER_BYTES = 64 * 1024
_MAX_SUBJECT = 1_000
_MAX_LINE_NUMBER = 2**31 - 1

Form = Literal["patchwork page", "mbox", "format-patch", "diff"]
LineKind = Literal["added", "removed", "context"]


class PatchError(ValueError):
    """The input is no patch that can be reviewed. Its text is one line: where, what, and what to do about it."""

    def __init__(self, where: str, what: str, remedy: str) -> None:
        text = f"{where}: {what}; {remedy}"
        super().__init__("".join(c if c.isprintable() else "?" for c in text))


class NoDiff(PatchError):
    """There is nothing in the input that could be a patch."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a hunk without its marker and line end; a number from 1 on each side where it stands, else None."""

    text: str
    kind: LineKind
    old_line: int | None
    new_line: int | None


@dataclass(frozen=True, slots=True)
class Hunk:
    """A hunk: the numbers of its header, the text after the second `@@` (stripped), and its lines.

    On a side without lines the start is that of the line before, as diff writes it.
    """

    old_start: int
    old_count: int
    new_start: int
    new_count: int
    section: str
    lines: tuple[Line, ...]

    @property
    def before(self) -> tuple[Line, ...]:
        """The lines of the pre-image."""
        return tuple(line for line in self.lines if line.kind != "added")

    @property
    def after(self) -> tuple[Line, ...]:
        """The lines of the post-image."""
        return tuple(line for line in self.lines if line.kind != "removed")


@dataclass(frozen=True, slots=True)
class PatchedFile:
    """A C file that the patch touches; paths are those of the tree, None for the side on which it does not exist."""

    old_path: str | None
    new_path: str | None
    hunks: tuple[Hunk, ...]

    @property
    def path(self) -> str:
        """The path after the patch, or before it when the patch removes the file."""
        return self.new_path or self.old_path or ""


@dataclass(frozen=True, slots=True)
class Patch:
    """A patch: the subject (empty for a bare diff), the form it came in, its C files, and the paths of the others."""

    subject: str
    form: Form
    files: tuple[PatchedFile, ...]
    ignored: tuple[str, ...]


def load(path_or_dash: str, stdin: BinaryIO) -> tuple[bytes, str]:
    """Return the bytes of a file, or of `stdin` for `-`, and the name by which messages shall call it.

    At most `MAX_BYTES` + 1 bytes are read, so that `read_patch` can tell that there are too many.  What cannot be read
    is a `PatchError`.
    """
    if path_or_dash == "-":
        name = "standard input"
        try:
            return stdin.read(MAX_BYTES + 1), name
        except OSError as error:
            raise PatchError(name, f"cannot be read ({error.strerror})", "pipe a patch into it") from error
    try:
        with open(path_or_dash, "rb") as file:
            return file.read(MAX_BYTES + 1), path_or_dash
    except FileNotFoundError as error:
        raise PatchError(path_or_dash, "no such file", "give the path of a patch, or - for standard input") from error
    except IsADirectoryError as error:
        raise PatchError(path_or_dash, "is a directory", "give the path of one patch") from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise PatchError(path_or_dash, f"cannot be read ({reason})", "give a file that can be read") from error


def read_patch(data: bytes, name: str) -> Patch:
    """Return the one patch in `data`; `name` stands for the input in messages.

    Raises `PatchError` when the input is too large, is not text, holds no unquoted diff or several patches, when its
    diff is damaged, or when the diff touches no C file.
    """
    data = _text_bytes(data, name).replace(b"\r\n", b"\n")
    if _looks_like_mail(data):
        subject, form, text = _from_mails(data, name)
    else:
        page = _Text(_decode(data, "utf-8", name).split("\n"), name, 0)
        subject, form, text = _from_page(page) if _looks_like_page(page.lines) else ("", "diff", page)
    start = _diff_start(text.lines)
    if start is None:
        raise _no_diff(text, name)
    files, ignored = _parse(_Text(text.lines[start:], text.label, text.offset + start))
    return Patch(subject, form, files, ignored)


@dataclass(frozen=True, slots=True)
class _Text:
    """Lines without their ends, and how to speak of them: `label`:number, the number being index + 1 + `offset`."""

    lines: list[str]
    label: str
    offset: int

    def where(self, index: int) -> str:
        return f"{self.label}:{index + 1 + self.offset}"


# Bytes -----------------------------------------------------------------------------------------


def _text_bytes(data: bytes, name: str) -> bytes:
    """Refuse what cannot be the text of a patch; drop a byte-order mark."""
    if len(data) > MAX_BYTES:
        raise PatchError(name, f"is larger than {MAX_BYTES // 2**20} MiB", "give one patch, not a series or a tree")
    data = data.removeprefix(codecs.BOM_UTF8)
    if not data.strip():
        raise PatchError(name, "is empty", "give a patch")
    if data.startswith(b"\x1f\x8b"):
        raise PatchError(name, "is compressed with gzip", "unpack it first")
    if b"\0" in data:
        line = data[: data.index(b"\0")].count(b"\n") + 1
        raise PatchError(f"{name}:{line}", "is binary (it has NUL bytes)", "give a patch as UTF-8 text")
    if data.lstrip()[:15].lower().startswith((b"<!doctype html", b"<html")):
        raise PatchError(name, "is HTML", "save the page as text, or give its mbox")
    if data.count(b"\n") > MAX_LINES:
        raise PatchError(name, f"has more than {MAX_LINES} lines", "give one patch, not a series or a tree")
    return data


def _decode(data: bytes, charset: str, name: str) -> str:
    try:
        return data.decode(charset)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise PatchError(f"{name}:{line}", f"is not {charset} text", "give the patch as UTF-8 text") from error


# A Patchwork page ------------------------------------------------------------------------------

_PAGE_MARKS = (
    re.compile(r"Message ID\b"),
    re.compile(r"diff mbox\b"),
    re.compile(r"Headers\s+show\b"),
    re.compile(r"Commit Message\s*$"),
    re.compile(r"Patch\s*$"),
)


def _looks_like_page(lines: list[str]) -> bool:
    """Say whether two different furnishings of a Patchwork page stand in the text, each at the start of a line."""
    return sum(any(mark.match(line) for line in lines) for mark in _PAGE_MARKS) >= 2


def _from_page(page: _Text) -> tuple[str, Form, _Text]:
    """Return the title, the form and what stands below the page's own heading `Patch`: its last, above are replies."""
    headings = [i for i, line in enumerate(page.lines) if line.rstrip() == "Patch"]
    if not headings:
        raise PatchError(page.label, "is a Patchwork page without its section Patch", _WHOLE_PAGE)
    below = headings[-1] + 1
    text = _Text(page.lines[below:], page.label, below)
    if _diff_start(text.lines) is None:
        raise PatchError(page.where(below - 1), "the Patchwork page has no diff below Patch", _WHOLE_PAGE)
    ident = next((i for i, line in enumerate(page.lines) if line.startswith("Message ID")), 0)
    title = next((line for line in reversed(page.lines[:ident]) if line.strip()), "")
    return " ".join(title.split()), "patchwork page", text


# Mails -----------------------------------------------------------------------------------------

_HEADER = re.compile(rb"[!-9;-~]+:(?:[ \t]|$)")
_MAIL_HEADER = re.compile(rb"^(?:From|Subject|Date|Message-ID):", re.IGNORECASE | re.MULTILINE)
_MULTIPART = re.compile(rb"^content-type:[ \t]*(?:multipart|message)/", re.IGNORECASE | re.MULTILINE)
_FORMAT_PATCH = re.compile(rb"From [0-9a-f]{40,64} Mon Sep 17 00:00:00 2001")
_TIME = re.compile(rb"\d\d:\d\d")
_REPLY = re.compile(r"(?:re|aw|sv)(?:\[\d+\])?:", re.IGNORECASE)
_CHARSET = re.compile(r"utf-8|ascii|iso8859-\d+|cp125\d|gb\w+|big5|euc_\w+|iso2022_jp\w*|shift_jis|koi8-[ru]")


@dataclass(frozen=True, slots=True)
class _Mail:
    """A mail and those of its texts that hold an unquoted diff."""

    subject: str
    first_line: int
    texts: tuple[_Text, ...]
    quotes_diff: bool

    @property
    def is_reply(self) -> bool:
        return _REPLY.match(self.subject) is not None


def _looks_like_mail(data: bytes) -> bool:
    data = data.lstrip(b"\n")
    first, _, rest = data.partition(b"\n")
    if _is_separator(first, rest.partition(b"\n")[0]):
        return True
    return bool(_HEADER.match(first)) and bool(_MAIL_HEADER.search(data.partition(b"\n\n")[0]))


def _is_separator(line: bytes, following: bytes) -> bool:
    """Say whether `line` is the `From ` line between the mails of an mbox: it has a time, and a header follows."""
    return line.startswith(b"From ") and bool(_TIME.search(line)) and bool(_HEADER.match(following))


def _from_mails(data: bytes, name: str) -> tuple[str, Form, _Text]:
    """Return subject, form and text of the one mail that carries the patch."""
    lines = data.split(b"\n")
    starts = [i for i in range(len(lines) - 1) if _is_separator(lines[i], lines[i + 1])]
    first = next(i for i, line in enumerate(lines) if line)
    if not starts or starts[0] > first:
        starts.insert(0, first)
    if len(starts) > MAX_MAILS:
        raise PatchError(name, f"holds more than {MAX_MAILS} mails", "give one patch")
    ends = [*starts[1:], len(lines)]
    mails = [_read_mail(lines[a:b], a, name) for a, b in zip(starts, ends, strict=True)]
    carriers = [mail for mail in mails if mail.texts]
    chosen = [mail for mail in carriers if not mail.is_reply] or carriers
    if not chosen:
        what = "holds no diff, or only a quoted one" if any(mail.quotes_diff for mail in mails) else "holds no diff"
        who = "the mail" if len(mails) == 1 else f"each of its {len(mails)} mails"
        raise PatchError(name, f"{who} {what}", "give the mail that carries the patch")
    if len(chosen) > 1:
        subjects = ", ".join(f'"{mail.subject[:100]}"' for mail in chosen[:5])
        more = f" and {len(chosen) - 5} more" if len(chosen) > 5 else ""
        raise PatchError(name, f"{len(chosen)} mails carry a patch: {subjects}{more}", "give one of them")
    mail = chosen[0]
    if len(mail.texts) > 1:
        where = f"{name}:{mail.first_line}"
        raise PatchError(where, f"the mail carries {len(mail.texts)} diffs", "give one of them as a file")
    exported = len(mails) == 1 and _FORMAT_PATCH.match(lines[starts[0]])
    return mail.subject, "format-patch" if exported else "mbox", mail.texts[0]


def _read_mail(lines: list[bytes], index: int, name: str) -> _Mail:
    """Read the mail whose first line is line `index`, from 0, of the input."""
    where = f"{name}:{index + 1}"
    skip = 1 if lines[0].startswith(b"From ") else 0
    raw = b"\n".join(lines[skip:])
    header = raw.partition(b"\n\n")[0]
    if len(header) > _MAX_HEADER_BYTES:
        raise PatchError(where, "the mail's header is too long", "give the patch as a bare diff")
    if len(_MULTIPART.findall(raw)) > _MAX_PARTS:
        raise PatchError(where, "the mail has too many parts", "give the patch as a bare diff")
    message = email.message_from_bytes(raw)
    texts: list[_Text] = []
    quotes = False
    for part in message.walk():
        if part.get_content_maintype() == "multipart" or part.get_content_type() == "text/html":
            continue
        encoding = str(part.get("Content-Transfer-Encoding", "7bit")).strip().lower()
        plain = part is message and encoding in ("7bit", "8bit", "binary")
        offset = index + skip + header.count(b"\n") + 2 if plain else 0
        text = _part_text(part, where, _Text([], name if plain else f"{name} (decoded text)", offset))
        if _diff_start(text.lines) is not None:
            texts.append(text)
        quotes = quotes or _quotes_diff(text.lines)
    return _Mail(_subject(message), index + 1, tuple(texts), quotes)


def _part_text(part: Message, where: str, empty: _Text) -> _Text:
    """Return the decoded text of a leaf of a mail; an attachment that is no text and no patch is left empty."""
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes):
        return empty
    if part.get_content_maintype() != "text" and b"\n@@ " not in payload:
        return empty
    if b"\0" in payload:
        raise PatchError(where, "the mail's text is binary (it has NUL bytes)", "give the patch as UTF-8 text")
    payload = payload.replace(b"\r\n", b"\n")
    if payload.count(b"\n") > MAX_LINES:
        raise PatchError(where, f"the mail has more than {MAX_LINES} lines", "give one patch, not a series or a tree")
    charset = part.get_content_charset() or "utf-8"
    try:
        codec = codecs.lookup(charset).name
    except (LookupError, ValueError):
        codec = ""
    if not _CHARSET.fullmatch(codec):
        raise PatchError(where, f"the mail's character set {charset[:40]} is not known", "give the patch as UTF-8 text")
    text = _decode(payload, "utf-8" if codec == "ascii" else codec, where)
    return _Text(text.split("\n"), empty.label, empty.offset)


def _subject(message: Message) -> str:
    raw = str(message.get("Subject", ""))[:_MAX_SUBJECT]
    with suppress(HeaderParseError, LookupError, ValueError):  # an encoded word that does not decode stays as it is
        raw = str(make_header(decode_header(raw)))
    return " ".join(raw.split())


# The diff --------------------------------------------------------------------------------------

_GIT_HEADERS = ("diff --git ", "diff --cc ", "diff --combined ")
_BINARY = re.compile(r"Binary files? ")
_QUOTED_DIFF = re.compile(r"[>|][>| ]*(?:diff --git |\+\+\+ |@@ -\d)")
_HUNK_HEADER = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_SIGNATURE = ("-- ", "--")
_COMMIT = re.compile(r"commit [0-9a-f]{40}\b")
_VERSION = re.compile(r"\d+\.\d+")
_NO_CONTENT = (
    "old mode ",
    "new mode ",
    "deleted file mode ",
    "new file mode ",
    "rename ",
    "copy ",
    "similarity index ",
)
_EMPTY_BLOB = "e69de29"
_PREFIXES = {("a", "b"), ("b", "a"), ("c", "i"), ("c", "w"), ("i", "w"), ("o", "w"), ("1", "2")}
_ESCAPE = re.compile(rb'\\([0-7]{3}|[abtnvfr"\\])')
_ESCAPED = {b"a": b"\a", b"b": b"\b", b"t": b"\t", b"n": b"\n", b"v": b"\v", b"f": b"\f", b"r": b"\r"}


def _diff_start(lines: list[str]) -> int | None:
    """Return the index of the first line of the first unquoted diff."""
    for i, line in enumerate(lines):
        if line.startswith(_GIT_HEADERS) or (_BINARY.match(line) and line.endswith(" differ")):
            return i
        if _is_file_header(lines, i) and i + 2 < len(lines) and lines[i + 2].startswith("@@"):
            return i
    return None


def _is_file_header(lines: list[str], index: int) -> bool:
    """Say whether a `---` line with its `+++` line stands at `index`."""
    return lines[index].startswith("--- ") and index + 1 < len(lines) and lines[index + 1].startswith("+++ ")


def _quotes_diff(lines: list[str]) -> bool:
    return any(_QUOTED_DIFF.match(line) for line in lines)


def _no_diff(text: _Text, name: str) -> NoDiff:
    what = "only quotes a diff" if _quotes_diff(text.lines) else "holds no diff"
    return NoDiff(name, what, "give a patch: a diff, a mail that carries one, or a saved Patchwork page")


class _Feed:
    """Lines for the parser of the library, and how many it has taken."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.taken = 0

    def __iter__(self) -> Iterator[str]:
        for line in self.lines:
            self.taken += 1
            yield line + "\n"


def _parse(text: _Text) -> tuple[tuple[PatchedFile, ...], tuple[str, ...]]:
    """Parse a diff that begins with the first line of `text`; return its C files and the paths of the others."""
    if not text.lines[-1]:
        text = _Text(text.lines[:-1], text.label, text.offset)
    _refuse_early(text)
    feed = _Feed(text.lines)
    try:
        parsed = unidiff.patch.PatchSet(feed)
    except UnidiffParseError as error:
        raise _translated(error, text, feed.taken - 1) from error
    _refuse_lost_lines(text, parsed)
    files: list[PatchedFile] = []
    ignored: list[str] = []
    seen: set[str] = set()
    binary = 0
    for entry in parsed:
        where = text.where((entry.diff_line_no or 1) - 1)
        file = _convert(entry, text, where)
        if file.path in seen:
            raise PatchError(where, f"the diff changes {file.path} twice", "give one patch, not several in a row")
        seen.add(file.path)
        binary += entry.is_binary_file
        if not file.path.endswith((".c", ".h")):
            ignored.append(file.path)
        elif entry.is_binary_file:
            raise PatchError(where, f"the change of {file.path} is binary", "make the diff with --text")
        else:
            files.append(file)
    if not files:
        if binary == len(parsed):
            raise PatchError(text.where(0), "the diff holds only binary changes", "give a patch of C files")
        others = ", ".join(ignored[:3]) + (", ..." if len(ignored) > 3 else "")
        raise PatchError(text.where(0), f"the diff touches no C file (only {others})", "give a patch of .c or .h files")
    return tuple(files), tuple(ignored)


def _refuse_early(text: _Text) -> None:
    """Refuse what the library would misread, or read at a cost."""
    for i, line in enumerate(text.lines):
        if line.startswith(("diff --cc ", "diff --combined ", "@@@ ")):
            raise PatchError(text.where(i), "is the combined diff of a merge", "give the diff against one parent")
        if _BINARY.match(line) and line.count(" and ") > 8:
            raise PatchError(text.where(i), "is not understood", "leave binary files out of the diff")
        header = _HUNK_HEADER.match(line)
        if header and any(len(n or "") > 10 or int(n or 0) > _MAX_LINE_NUMBER for n in header.groups()):
            raise PatchError(text.where(i), "the hunk header has an absurd line number", _AS_MADE)


def _translated(error: UnidiffParseError, text: _Text, index: int) -> PatchError:
    """Say what the library found wrong at line `index`, in the words of whoever has to mend it."""
    index = min(max(index, 0), len(text.lines) - 1)
    hunk = next((i for i in range(index, -1, -1) if text.lines[i].startswith("@@ ")), index)
    message = str(error).partition("\n")[0]
    at = f"the hunk of line {hunk + 1 + text.offset}"
    if message.startswith("Hunk is shorter"):
        return PatchError(text.where(index), f"the diff ends inside {at}", "give the whole patch")
    if message.startswith("Hunk diff line expected"):
        what = f"{at} has fewer lines than its header says, or is damaged here"
        return PatchError(text.where(index), what, "give the whole patch as it was made")
    if message.startswith("Hunk is longer"):
        what = f"the header of {at} has wrong counts"
        return PatchError(text.where(index), what, _AS_MADE)
    return PatchError(text.where(index), f"the diff is damaged ({message[:120]})", _AS_MADE)


def _refuse_lost_lines(text: _Text, parsed: unidiff.patch.PatchSet) -> None:
    """Refuse what looks like a part of the diff and lies in none of the parsed hunks, or the reverse."""
    ends: dict[int, int] = {}
    for hunk in (hunk for entry in parsed for hunk in entry):
        numbers = [line.diff_line_no for line in hunk if line.diff_line_no is not None]
        ends[numbers[0] - 1] = numbers[-1]
    in_diff = True
    i = 0
    while i < len(text.lines):
        if i in ends:
            i = ends[i]
            _refuse_false_end(text, i)
            in_diff = True
            continue
        line = text.lines[i]
        if line.startswith("@@") and i + 1 not in ends:
            raise PatchError(text.where(i), "the hunk header is not understood", _AS_MADE)
        if _COMMIT.match(line):
            raise PatchError(text.where(i), "another commit begins", "give one patch, not several in a row")
        header = _is_file_header(text.lines, i)
        if line.startswith("diff ") or header:
            in_diff = True
        elif line in _SIGNATURE:
            in_diff = False
        elif in_diff and line.startswith(("+", "-", " ")) and line.strip():
            raise PatchError(text.where(i), "no hunk header before this line counts it", _AS_MADE)
        i += 2 if header else 1


def _refuse_false_end(text: _Text, end: int) -> None:
    """Refuse a hunk whose last lines, before index `end`, are what follows a diff that was cut off."""
    last = text.lines[end - 1]
    signed = last in _SIGNATURE and end < len(text.lines) and _VERSION.match(text.lines[end])
    # A blank line of context may have lost its space; not so when others of the diff have theirs.
    blank = not last and not any(text.lines[end:]) and " " in text.lines
    if signed or blank:
        raise PatchError(text.where(end - 1), "the diff ends inside a hunk", "give the whole patch")


def _convert(entry: unidiff.patch.PatchedFile, text: _Text, where: str) -> PatchedFile:
    """Turn a parsed file into ours; refuse paths that leave the tree, and hunks that make no sense together."""
    old, new = _strip_prefixes(_unquote(entry.source_file, where), _unquote(entry.target_file, where))
    for path in (old, new):
        if path is not None and not _lies_in_tree(path):
            raise PatchError(where, f"the path {path[:200]} does not lie in a tree", "make the diff inside the tree")
    if old is None and new is None:
        raise PatchError(where, "the diff names no file", _AS_MADE)
    if not entry and not entry.is_binary_file and not _has_no_content(entry):
        raise PatchError(where, f"the diff of {(new or old or '')[:200]} has no hunks", "give the whole patch")
    hunks: list[Hunk] = []
    old_end = new_end = 0
    for parsed in entry:
        first = next(line.diff_line_no for line in parsed if line.diff_line_no is not None)
        hunk = _convert_hunk(parsed)
        # A side without lines names the line before it, so it starts one further.
        old_first = hunk.old_start + (hunk.old_count == 0)
        new_first = hunk.new_start + (hunk.new_count == 0)
        at = text.where(first - 2)
        if len(hunk.before) != hunk.old_count or len(hunk.after) != hunk.new_count or not old_first or not new_first:
            raise PatchError(at, "the hunk header has wrong counts", _AS_MADE)
        if old_first <= old_end or new_first <= new_end:
            raise PatchError(at, "the hunk overlaps the one before, or is out of order", _AS_MADE)
        old_end, new_end = old_first + hunk.old_count - 1, new_first + hunk.new_count - 1
        hunks.append(hunk)
    return PatchedFile(old, new, tuple(hunks))


def _lies_in_tree(path: str) -> bool:
    return bool(path) and path.isprintable() and not path.startswith("/") and ".." not in path.split("/")


def _convert_hunk(parsed: unidiff.patch.Hunk) -> Hunk:
    kinds: dict[str, LineKind] = {"+": "added", "-": "removed", " ": "context"}
    lines = tuple(
        Line(line.value.removesuffix("\n"), kinds[line.line_type], line.source_line_no, line.target_line_no)
        for line in parsed
        # The library also lists the marker of a missing newline and blank lines after the hunk, without a number.
        if line.line_type in kinds and line.diff_line_no is not None
    )
    return Hunk(
        old_start=parsed.source_start,
        old_count=parsed.source_length,
        new_start=parsed.target_start,
        new_count=parsed.target_length,
        section=parsed.section_header.strip(),
        lines=lines,
    )


def _has_no_content(entry: unidiff.patch.PatchedFile) -> bool:
    """Say whether the headers of a file without hunks explain that: a rename, a mode, or a file that is empty."""
    info = list(entry.patch_info or ())
    index = next((line for line in info if line.startswith("index ")), None)
    return any(line.startswith(_NO_CONTENT) for line in info) and (index is None or _EMPTY_BLOB in index)


def _strip_prefixes(old: str | None, new: str | None) -> tuple[str | None, str | None]:
    """Strip the prefixes that git puts before the paths of the two sides, when both sides have them."""
    for a, b in _PREFIXES:
        if (old is None or old.startswith(f"{a}/")) and (new is None or new.startswith(f"{b}/")):
            return old and old[2:], new and new[2:]
    return old, new


def _unquote(path: str, where: str) -> str | None:
    """Return a path as git means it: None for /dev/null, escapes undone when it is quoted."""
    path = path.strip()
    if path == "/dev/null":
        return None
    if not (len(path) > 1 and path.startswith('"') and path.endswith('"')):
        return path
    raw = _ESCAPE.sub(_unescape, path[1:-1].encode())
    return _decode(raw, "utf-8", where)


def _unescape(match: re.Match[bytes]) -> bytes:
    code = match.group(1)
    if code.isdigit():
        return bytes([int(code, 8) & 0xFF])
    return _ESCAPED.get(code, code)

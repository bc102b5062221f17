"""From the hunks of a patch to pieces of C: which functions, declarations and macros it shows, whole or in part.

A hunk is no translation unit: it may begin inside a comment, a parameter list or a function, and end inside another.
Kernel code is laid out so that what stands at column 0 is at the top level; labels and the braces of a body are
the exceptions.  So each image of a hunk is first cut into top-level chunks by its lines, with comments, literals and
preprocessor directives recognised; each chunk is then read alone (by tree-sitter, for the names in it), so that what
the grammar does not know cannot harm its neighbours.  Whether a function is good C is for the C front end to say.

The chunks of the post-image are compared with those of the pre-image, found in the same way, to tell what the patch
does to each.  Left out: declarations and macros that the patch only removes.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import tree_sitter_c
from tree_sitter import Language, Node, Parser, Query, QueryCursor

from vgicheck.review.patch import Hunk, Line, Patch, PatchedFile

Kind = Literal["function", "partial", "declaration", "define", "include", "conditional"]
Change = Literal["added", "changed", "context", "removed"]


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of C that a patch shows.

    `kind`:
      function     a whole definition;
      partial      something of which the patch shows only a part, as a rule a function: `name` is then its name.
                   Otherwise `name` is no identifier: the line that opens the thing (shown, or given by diff for the
                   surroundings of the hunk), or `file:line`;
      declaration  a whole declaration: of a variable, function, struct (`struct tag`), type, or by a macro;
      define       a whole `#define` (or `#undef`) with its continuation lines;
      include      an `#include`, its name being the file's;
      conditional  an `#if` and its like, or any other directive, its name being its text.

    `change`:
      added        every line is added, or for a function the one that names it, and the file had none of that name;
      changed      it differs from what it was; `before` is the whole text that it had, if the patch shows that;
      context      it is as it was;
      removed      only from `removed_functions`.

    `text` is the lines from `first_line` to `last_line` (of the post-image, from 1; of the pre-image when removed),
    joined by line feeds.  A partial of which the patch leaves nothing to see has an empty text: its visible lines are
    removed, and perhaps all of it.
    `called_names` are the identifiers that a function or partial applies to arguments, macros included, in the order of
    their first use; where the grammar gives up they may include names that are merely followed by a parenthesis.
    """

    kind: Kind
    name: str
    text: str
    file: str
    first_line: int
    last_line: int
    change: Change
    called_names: tuple[str, ...] = ()
    before: str | None = None


def all_pieces(patch: Patch) -> tuple[Piece, ...]:
    """Return the pieces of every C file of the patch, in its order."""
    return tuple(piece for file in patch.files for piece in pieces(file))


def pieces(file: PatchedFile) -> tuple[Piece, ...]:
    """Return what the hunks of a file show of its post-image, in order of lines; nothing when the file is removed."""
    if file.new_path is None:
        return ()
    return _Comparison(file).pieces()


def removed_functions(file: PatchedFile) -> tuple[Piece, ...]:
    """Return the functions that the pre-image shows whole, the patch removes, and the post-image does not name."""
    return _Comparison(file).removed_functions()


# Text ------------------------------------------------------------------------------------------

_TOKEN = re.compile(r'/\*|//|"(?:[^"\\]|\\.)*"|"|\'(?:[^\'\\]|\\.){1,12}\'')
_COMMENT_MARK = re.compile(r'"(?:[^"\\]|\\.)*"|"|/\*|\*/')
_COMMENT_LINE = re.compile(r"\s*(?:\*(?:\s|$)|$)")


def _starts_in_comment(texts: list[str]) -> bool:
    """Say whether the first line stands inside a comment: one ends before any begins, or all lines look like that."""
    for text in texts:
        for mark in _COMMENT_MARK.finditer(text):
            token = mark.group()
            if token == '"':
                # An odd quote is prose: look for the marks without regard to literals.
                end, start = text.find("*/", mark.end()), text.find("/*", mark.end())
                if end >= 0 or start >= 0:
                    return end >= 0 and (start < 0 or end < start)
                break
            if token in ("/*", "*/"):
                return token == "*/"
    return any(text.strip() for text in texts) and all(_COMMENT_LINE.match(text) for text in texts)


def _blank_comments(texts: list[str], in_comment: bool) -> tuple[list[str], list[bool]]:
    """Blank comments and the insides of literals, keeping columns; say of each line whether it starts in a comment.

    `in_comment` says whether the first one does.
    """
    blanked: list[str] = []
    inside: list[bool] = []
    for text in texts:
        inside.append(in_comment)
        parts: list[str] = []
        at = 0
        while at < len(text):
            if in_comment:
                end = text.find("*/", at)
                in_comment = end < 0
                stop = len(text) if in_comment else end + 2
                parts.append(" " * (stop - at))
                at = stop
                continue
            token = _TOKEN.search(text, at)
            if token is None:
                parts.append(text[at:])
                break
            parts.append(text[at : token.start()])
            at = token.end()
            if token.group() == "/*":
                in_comment = True
                parts.append("  ")
            elif token.group() in ("//", '"'):
                parts.append(" " * (len(text) - token.start()))
                break
            else:
                quote = text[token.start()]
                parts.append(quote + " " * (at - token.start() - 2) + quote)
        blanked.append("".join(parts))
    return blanked, inside


_ANNOTATION = re.compile(
    r"\b(?:__init|__exit|__initdata|__exitdata|__initconst|__devinit|__devexit|__devinitdata|__cpuinit|__cpuexit"
    r"|__cpuinitdata|__net_init|__net_exit|__init_or_module|__ref|__refdata|__meminit|__sched|__kprobes|__hyp_text"
    r"|__iomem|__percpu|__user|__kernel|__force|__rcu|__nocast|__bitwise|asmlinkage|noinline|notrace|fastcall"
    r"|__must_check|__maybe_unused|__always_unused|__used|__unused|__always_inline|__noreturn|__packed|__pure|__weak"
    r"|__cold|__hot|__visible|__read_mostly|__ro_after_init|__cacheline_aligned|____cacheline_aligned"
    r"|____cacheline_aligned_in_smp|__deprecated|__malloc)\b"
    r"|\b(?:__attribute__|__acquires|__releases|__must_hold|__printf|__scanf|__aligned|__section|__alloc_size)"
    r"\s*\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)"
)


def _blank_annotations(code: str) -> str:
    """Blank the kernel's annotations, which the grammar does not know; lengths and line ends are kept."""
    return _ANNOTATION.sub(lambda found: re.sub(r"[^\n]", " ", found.group()), code)


# Names -----------------------------------------------------------------------------------------

_MAX_NAME = 80
_STORAGE = re.compile(r"(?:(?:static|extern|inline|__inline__|__inline|const|volatile|register)\b\s*)*")
_IDENTIFIER = re.compile(r"[A-Za-z_]\w*")
_APPLIED = re.compile(r"\b([A-Za-z_]\w*)\s*\(")
_POINTER_RESULT = re.compile(r"\(\s*\*\s*([A-Za-z_]\w*)\s*\(")
_CAPITALS = re.compile(r"[A-Z][A-Z0-9_]*")
_LABEL = re.compile(r"[A-Za-z_]\w*\s*:(?!:)")
_TYPE_WORDS = frozenset(
    {"void", "char", "short", "int", "long", "float", "double", "signed", "unsigned", "bool", "_Bool"}
)
_STATEMENT_WORDS = frozenset({"if", "while", "for", "switch", "return", "do", "else", "case", "goto"})
_OPERATOR_WORDS = frozenset({"sizeof", "typeof", "__typeof__", "__alignof__", "__attribute__", "defined"})
_OTHER_WORDS = frozenset({"asm", "__asm__", "volatile", "__volatile__", "static", "inline", "const"})
_NOT_CALLED = _TYPE_WORDS | _STATEMENT_WORDS | _OPERATOR_WORDS | _OTHER_WORDS | {"struct", "union", "enum"}
_TWO_NAMES = re.compile(r"([A-Za-z_]\w*)[\s*]+[A-Za-z_]")


def _shallow(code: str) -> str:
    """Return code without what stands between parentheses; one that is not closed reaches to the end."""
    parts: list[str] = []
    depth = 0
    for part in re.split(r"([()])", code):
        if part == ")":
            depth = max(depth - 1, 0)
        if depth == 0:
            parts.append(part)
        if part == "(":
            depth += 1
    return "".join(parts)


@dataclass(frozen=True, slots=True)
class _Application:
    """`name(argument, ...)` at the top level with no type before it; `rest` is what follows the parenthesis."""

    name: str
    arguments: tuple[str, ...]
    rest: str

    def subject(self) -> str:
        """Return the identifier that such a macro is about, or the macro's own name."""
        if "PER_CPU" in self.name and len(self.arguments) > 1:
            candidates = self.arguments[1:]
        else:
            candidates = self.arguments
        return next((a for a in candidates if _IDENTIFIER.fullmatch(a) and a not in _NOT_CALLED), self.name)


def _application(code: str) -> _Application | None:
    """Read code as the application of a macro, storage classes aside."""
    code = _STORAGE.sub("", code.strip(), count=1)
    name = _IDENTIFIER.match(code)
    if name is None or not code[name.end() :].lstrip().startswith("("):
        return None
    arguments: list[str] = []
    depth = 0
    start = code.index("(") + 1
    for mark in re.finditer(r"[(),]", code):
        token = mark.group()
        depth += {"(": 1, ")": -1, ",": 0}[token]
        if depth == 0 or (depth == 1 and token == ","):
            arguments.append(code[start : mark.start()].strip())
            start = mark.end()
        if depth == 0:
            return _Application(name.group(), tuple(arguments), code[start:].strip())
    return _Application(name.group(), (*arguments, code[start:].strip()), "")


def _function_name(head: str) -> tuple[str, bool] | None:
    """Return the name that the head of a function definition defines, and whether the head gives a type.

    The head may be cut off anywhere after its first parenthesis.  None when it is the head of something else.  A
    definition through a macro of capitals is called by macro and first argument: `SYSCALL_DEFINE1(close)`.
    """
    head = _blank_annotations(head).strip()
    shallow = _shallow(head)
    applied = _APPLIED.search(shallow)
    if applied is None or "=" in shallow or shallow.rstrip().endswith(";") or re.match(r"typedef\b|#|}", head):
        return None
    name = applied.group(1)
    if name in _TYPE_WORDS:
        pointer = _POINTER_RESULT.search(head)
        return (pointer.group(1), True) if pointer else None
    if name in _NOT_CALLED:
        return None
    before = shallow[: applied.start()].strip()
    if _STORAGE.sub("", before, count=1):
        return name, True
    if not _CAPITALS.fullmatch(name):
        return name, False
    macro = _application(head)
    if macro is None or "DEFINE" not in name or not _IDENTIFIER.fullmatch(macro.arguments[0]):
        return None
    return f"{name}({macro.arguments[0]})", True


_LANGUAGE = Language(tree_sitter_c.language())
_CALLS = Query(_LANGUAGE, "(call_expression function: (identifier) @callee)")
_MAX_PARSED = 2 * 1024 * 1024


def _parse(code: str) -> Node | None:
    """Parse code; None when it is too large or the grammar does not understand all of it."""
    data = code.encode()
    if len(data) > _MAX_PARSED:
        return None
    root = Parser(_LANGUAGE).parse(data).root_node
    return None if root.has_error else root


def _node_text(node: Node) -> str:
    return (node.text or b"").decode()


def _declared_name(code: str) -> str | None:
    """Return the identifier that a declaration declares, the first when there are several, or `struct tag`."""
    code = _blank_annotations(code)
    macro = _application(code)
    if macro is not None and macro.name not in _NOT_CALLED and macro.rest[:1] in ("", ";", "="):
        return macro.subject()
    root = _parse(code)
    node = root.named_child(0) if root is not None else None
    if node is None:
        shallow = re.split(r"[=\[;({]", _shallow(code))[0]
        words = _IDENTIFIER.findall(shallow)
        return words[-1] if len(words) > 1 else None
    if node.type in ("struct_specifier", "union_specifier", "enum_specifier"):
        tag = node.child_by_field_name("name")
        return f"{node.type.removesuffix('_specifier')} {_node_text(tag)}" if tag is not None else None
    while node is not None and node.type not in ("identifier", "type_identifier", "field_identifier"):
        inner = node.child_by_field_name("declarator")
        if inner is None and node.type == "parenthesized_declarator":
            inner = node.named_child(0)
        node = inner
    return _node_text(node) if node is not None else None


def _called_names(code: str, body: str) -> tuple[str, ...]:
    """Return the identifiers applied in the body of a function, of which `code` is the whole."""
    root = _parse(_blank_annotations(code))
    if root is None:
        return _applied_names(body)
    nodes = QueryCursor(_CALLS).captures(root).get("callee", [])
    return tuple(dict.fromkeys(_node_text(node) for node in sorted(nodes, key=lambda node: node.start_byte)))


def _applied_names(body: str) -> tuple[str, ...]:
    """Return the identifiers in the text of a body, or of a part of it, that a parenthesis follows."""
    names: list[str] = _APPLIED.findall(body)
    return tuple(dict.fromkeys(name for name in names if name not in _NOT_CALLED))


# One image of a run of hunks -------------------------------------------------------------------


class _Image:
    """The pre-image or post-image of hunks that touch each other, and what the layout of its lines says.

    `at` is each line's place among all lines of the run, so that a jump in it is a place where the other image has
    lines of its own; `total` is their number.  `section` is the text after the second `@@`, `enclosing` the function in
    which the run begins, if it begins inside one.
    """

    def __init__(self, path: str, section: str, enclosing: str | None, lines: list[Line], is_new: bool) -> None:
        own = "added" if is_new else "removed"
        chosen = [(i, line) for i, line in enumerate(lines) if line.kind in (own, "context")]
        self.path = path
        self.section = section
        self.enclosing = enclosing
        self.total = len(lines)
        self.at = [i for i, _ in chosen]
        self.texts = [line.text for _, line in chosen]
        self.numbers = [(line.new_line if is_new else line.old_line) or 0 for _, line in chosen]
        self.touched = [line.kind == own for _, line in chosen]
        self.starts_file = self.numbers[:1] == [1]
        in_comment = not self.starts_file and _starts_in_comment(self.texts)
        self.code, self._inside = _blank_comments(self.texts, in_comment)
        self.directive_end = self._find_directives()
        self.next_code = self._find_next_code()

    def __len__(self) -> int:
        return len(self.texts)

    def _find_directives(self) -> list[int]:
        """For each line the last line of the directive in which it stands, or -1 when it stands in none."""
        ends = [-1] * len(self)
        i = 0
        while i < len(self):
            if self._inside[i] or not self.code[i].lstrip().startswith("#"):
                i += 1
                continue
            end = i
            while end + 1 < len(self) and (self.texts[end].endswith("\\") or self._inside[end + 1]):
                end += 1
            ends[i : end + 1] = [end] * (end + 1 - i)
            i = end + 1
        return ends

    def _find_next_code(self) -> list[int]:
        """For each line, and one beyond, the first line from there on with code that is no directive, or the end."""
        found = [len(self)] * (len(self) + 1)
        for i in range(len(self) - 1, -1, -1):
            found[i] = i if self.directive_end[i] < 0 and self.code[i].strip() else found[i + 1]
        return found

    def is_outermost(self, i: int) -> bool:
        """Say whether line `i`, which has code, starts at column 0, and not with a label."""
        return not self.is_indented(i) and not _LABEL.match(self.code[i])

    def is_indented(self, i: int) -> bool:
        return self.texts[i][:1] in (" ", "\t") and not self._inside[i]

    def starts_with(self, i: int, marks: str) -> bool:
        """Say whether line `i` has one of the characters `marks` at column 0."""
        return self.code[i][:1] in marks and self.code[i] != ""

    def join(self, first: int, last: int) -> str:
        return "\n".join(self.texts[first : last + 1])

    def join_code(self, first: int, last: int) -> str:
        """Return lines with comments, insides of literals and directives blanked."""
        return "\n".join("" if self.directive_end[i] >= 0 else self.code[i] for i in range(first, last + 1))


@dataclass(frozen=True, slots=True)
class _Chunk:
    """A top-level thing in an image: lines `first` to `last` of it, by index.

    `head_last` is the last line of a function's head; `starts_open` and `ends_open` say that it goes on beyond what is
    shown; `is_named` that `name` is an identifier found for it.
    """

    image: _Image
    kind: Kind
    name: str
    first: int
    last: int
    head_last: int
    is_named: bool = True
    starts_open: bool = False
    ends_open: bool = False

    @property
    def text(self) -> str:
        return self.image.join(self.first, self.last)

    @property
    def sort(self) -> str:
        """What can be the same thing before and after: a function may be whole on one side and partial on the other."""
        return "function" if self.kind == "partial" else self.kind

    def is_new_here(self) -> bool:
        """Say whether all its lines stand in this image only, or for a function that which names it in its head.

        Where functions with like endings are added or removed, diff may give a brace or more to the wrong one.
        """
        touched = self.image.touched[self.first : self.last + 1]
        if self.kind != "function":
            return all(touched)
        word = re.compile(rf"\b{re.escape(self.name.partition('(')[0])}\b")
        named = next((i for i in range(self.first, self.head_last) if word.search(self.image.code[i])), self.first)
        return self.image.touched[named]

    def is_touched(self) -> bool:
        """Say whether a line of it stands in this image only, or the other image has lines inside it."""
        at = self.image.at[self.first : self.last + 1]
        start = 0 if self.starts_open and self.first == 0 else at[0]
        end = self.image.total - 1 if self.ends_open else at[-1]
        return any(self.image.touched[self.first : self.last + 1]) or end - start + 1 != len(at)

    def called_names(self) -> tuple[str, ...]:
        if self.sort != "function":
            return ()
        image = self.image
        if self.starts_open:
            body = image.join_code(self.first, self.last)
        else:
            body = image.join_code(self.head_last, self.last).partition("{")[2]
        if self.kind == "partial":
            return _applied_names(body)
        return _called_names(image.join_code(self.first, self.last), body)


def _chunks(image: _Image) -> Iterator[_Chunk]:
    """Cut an image into its top-level things; what is only comment or blank belongs to none."""
    i = 0 if image.starts_file else _macro_tail(image)
    if i:
        name = f"{image.path}:{image.numbers[0]}"
        yield _Chunk(image, "partial", name, 0, i - 1, i - 1, is_named=False, starts_open=True)
    brace = None if image.starts_file else _unmatched_brace(image, i)
    if brace is not None or _begins_inside(image, i):
        chunk = _tail(image, i, brace, of_section=i == 0)
        yield chunk
        i = chunk.last + 1
    while i < len(image):
        if image.directive_end[i] >= 0:
            yield _directive(image, i)
            i = image.directive_end[i] + 1
        elif not image.code[i].strip():
            i += 1
        else:
            # In a file that is shown from its first line, what is indented is only that.
            inner = image.starts_with(i, "{})") or not (image.is_outermost(i) or image.starts_file)
            chunk = _tail(image, i, None, of_section=False) if inner else _TopLevel(image, i).read()
            yield chunk
            i = chunk.last + 1


def _macro_tail(image: _Image) -> int:
    """Return how many lines at the start belong to a `#define` that begins above."""
    n = 0
    while n < len(image) and image.texts[n].endswith("\\") and image.directive_end[n] < 0:
        n += 1
    return min(n + 1, len(image)) if n else 0


def _unmatched_brace(image: _Image, i: int) -> int | None:
    """Return the line with a closing brace at column 0 that nothing opens from line `i` on."""
    depth = 0
    k = image.next_code[i]
    while k < len(image):
        code = image.code[k]
        if image.starts_with(k, "}"):
            return k if depth == 0 else None
        if image.is_outermost(k) and "{" in code:
            return None
        for brace in re.findall(r"[{}]", code):
            depth = depth + 1 if brace == "{" else max(depth - 1, 0)
        k = image.next_code[k + 1]
    return None


def _begins_inside(image: _Image, i: int) -> bool:
    """Say whether the first code from line `i` on looks like the inside of something whose head is not shown."""
    k = image.next_code[i]
    if k == len(image) or image.starts_file:
        return False
    if not image.is_outermost(k) or image.starts_with(k, "{})"):
        return True
    # A statement that was written at column 0, say to debug, has others below it that were not.
    following = image.next_code[k + 1]
    ends = image.code[k].rstrip().endswith(";")
    return ends and not _declares(image.code[k]) and following < len(image) and image.is_indented(following)


def _declares(code: str) -> bool:
    """Say whether code begins like a declaration, with two names in a row."""
    names = _TWO_NAMES.match(code)
    return names is not None and names.group(1) not in _STATEMENT_WORDS


def _tail(image: _Image, i: int, brace: int | None, *, of_section: bool) -> _Chunk:
    """Read from line `i` on the rest of something whose head is not shown.

    It ends with the closing brace at column 0: on line `brace`, if that is known; or before something new at column 0.
    When `of_section`, the section text of the hunk may tell what it is.
    """
    function = image.enclosing if of_section else None
    last = k = image.next_code[i]
    parens = statements = 0
    closed = False
    while k < len(image) and not closed:
        code = image.code[k].rstrip()
        if k > i and (brace is None or k > brace) and image.is_outermost(k) and not image.starts_with(k, "{})"):
            # The rest of a prototype is one `;` and one parenthesis too many.
            ended = statements == 1 and image.code[last].rstrip().endswith(";") and (parens < 0 or function is None)
            if ended or _declares(code):
                break
        parens += code.count("(") - code.count(")")
        statements += code.count(";")
        closed = image.starts_with(k, "}")
        last = k
        k = image.next_code[k + 1]
    ends_open = k == len(image) and not closed
    if ends_open:
        last = len(image) - 1
    if closed and image.code[last][1:].strip():
        function = None
    place = f"{image.path}:{image.numbers[i]}"
    name = function or (image.section[:_MAX_NAME] if of_section and _may_surround(image.section) else place)
    return _Chunk(image, "partial", name, i, last, i, function is not None, starts_open=True, ends_open=ends_open)


def _section_name(section: str) -> str | None:
    """Return the name of the function whose head the section text is."""
    code = _blank_comments([section], in_comment=False)[0][0]
    found = None if _LABEL.match(code) else _function_name(code)
    return found[0] if found else None


def _may_surround(section: str) -> bool:
    """Say whether the section text can be the head of what is no function: it opens something and does not end it."""
    code = _blank_comments([section], in_comment=False)[0][0].strip()
    return code != "" and not code.endswith((";", "}", ")")) and not _LABEL.match(code)


_DIRECTIVE = re.compile(r"\s*#\s*(\w*)\s*(.*)", re.DOTALL)
_INCLUDED = re.compile(r'[<"]([^>"\n]*)[>"]')


def _directive(image: _Image, i: int) -> _Chunk:
    """Read the preprocessor directive that starts on line `i`."""
    last = image.directive_end[i]
    text = image.join(i, last)
    match = _DIRECTIVE.match(text)
    word, rest = match.groups() if match else ("", "")
    kind: Kind = "conditional"
    name = " ".join(image.code[i].split()).removesuffix("\\").rstrip()[:_MAX_NAME]
    if word == "include" and (included := _INCLUDED.match(rest)):
        kind, name = "include", included.group(1)
    elif word in ("define", "undef") and (macro := _IDENTIFIER.match(rest)):
        kind, name = "define", macro.group()
    ends_open = last == len(image) - 1 and image.texts[last].endswith("\\")
    if ends_open:
        kind, name = "partial", f"{image.path}:{image.numbers[i]}"
    return _Chunk(image, kind, name, i, last, last, is_named=not ends_open, ends_open=ends_open)


class _TopLevel:
    """The reading of one thing that starts at column 0, up to its `;` or closing brace.

    Brackets are counted through `#else` branches from where the `#if` stood, so that alternatives count once.
    """

    def __init__(self, image: _Image, first: int) -> None:
        self.image = image
        self.first = first
        self.last = first
        self.parens = 0
        self.braces = 0
        self.head: list[str] = []
        self.body: int | None = None
        self.function: tuple[str, bool] | None = None
        self.on_one_line = False
        self.macro_end: int | None = None
        self.branches: list[tuple[int, int]] = []

    def read(self) -> _Chunk:
        image = self.image
        k = self.first
        while k < len(image):
            if image.directive_end[k] >= 0:
                if self.macro_end == self.last:
                    return self._declaration()
                self._branch(image.code[k])
                k = image.directive_end[k] + 1
                continue
            if not image.code[k].strip():
                k += 1
                continue
            if k > self.first and image.is_outermost(k) and self.body is None:
                if image.starts_with(k, "{"):
                    self.parens = 0
                elif self.macro_end == self.last:
                    return self._declaration()
                elif image.starts_with(k, "}") and self.parens == self.braces == 0:
                    return self._partial()
            self._count(k)
            self.last = k
            chunk = self._ended(k)
            if chunk is not None:
                return chunk
            k += 1
        if self.macro_end == self.last and _CAPITALS.match(self._application_name()):
            return self._declaration()
        self.last = len(image) - 1
        return self._partial(ends_open=True)

    def _branch(self, code: str) -> None:
        word = _DIRECTIVE.match(code)
        kind = word.group(1) if word else ""
        if kind in ("if", "ifdef", "ifndef"):
            self.branches.append((self.parens, self.braces))
        elif kind in ("else", "elif") and self.branches:
            self.parens, self.braces = self.branches[-1]
        elif kind == "endif" and self.branches:
            self.branches.pop()

    def _count(self, k: int) -> None:
        """Count the brackets of line `k`, and note where the head of the thing ends."""
        code = self.image.code[k]
        for mark in re.finditer(r"[(){}]", code):
            token = mark.group()
            if token == "{":
                if self.body is None and self.parens == 0:
                    self.body = k
                    self.head.append(code[: mark.start()])
                    self.function = _function_name("\n".join(self.head))
                    self.on_one_line = code[mark.end() :].strip() != ""
                self.braces += 1
            elif token == "}":
                self.braces -= 1
            else:
                self.parens += 1 if token == "(" else -1
        if self.body is None:
            self.head.append(code)
            if self.macro_end is None and self.parens == 0 and code.rstrip().endswith(")"):
                macro = _application(_blank_annotations("\n".join(self.head)))
                # What is no such application by its first closing parenthesis does not become one later.
                self.macro_end = k if macro is not None and not macro.rest else -1

    def _ended(self, k: int) -> _Chunk | None:
        """Return the chunk when line `k` is its last."""
        code = self.image.code[k].rstrip()
        balanced = self.parens == 0 and self.braces == 0
        if self.body is None or self.function is None:
            if balanced and code.endswith(";"):
                return self._declaration()
            if self.body is not None and code == "}" and self._starts_anew(k):
                return self._partial()
            return None
        if self.image.starts_with(k, "}") or self.on_one_line:
            if balanced:
                return self._definition()
            return self._partial() if self.image.starts_with(k, "}") and self._starts_anew(k) else None
        return self._definition() if balanced and self._starts_anew(k) else None

    def _starts_anew(self, k: int) -> bool:
        """Say whether the code after line `k` begins a new thing at column 0."""
        following = self.image.next_code[k + 1]
        return following == len(self.image) or (
            self.image.is_outermost(following) and not self.image.starts_with(following, "}")
        )

    def _application_name(self) -> str:
        macro = _application(_blank_annotations("\n".join(self.head)))
        return macro.name if macro is not None else ""

    def _place(self) -> str:
        return f"{self.image.path}:{self.image.numbers[self.first]}"

    def _definition(self) -> _Chunk:
        assert self.function is not None and self.body is not None
        name, has_type = self.function
        if not has_type:
            # The line with the type, and who knows what else, stands above what is shown.
            return self._partial()
        return _Chunk(self.image, "function", name, self.first, self.last, self.body)

    def _declaration(self) -> _Chunk:
        name = _declared_name(self.image.join_code(self.first, self.last))
        is_named = name is not None
        return _Chunk(self.image, "declaration", name or self._place(), self.first, self.last, self.last, is_named)

    def _partial(self, *, ends_open: bool = False) -> _Chunk:
        function = self.function or (None if self.body is not None else _function_name("\n".join(self.head)))
        opening = self.image.texts[self.first].strip()[:_MAX_NAME]
        name = function[0] if function else self._place() if _IDENTIFIER.fullmatch(opening) else opening
        head_last = self.last if self.body is None else self.body
        named = function is not None
        return _Chunk(self.image, "partial", name, self.first, self.last, head_last, named, ends_open=ends_open)


# Before and after ------------------------------------------------------------------------------


def _runs(file: PatchedFile) -> Iterator[list[Hunk]]:
    """Join the hunks of a file that touch each other."""
    run: list[Hunk] = []
    for hunk in file.hunks:
        if run and not (
            hunk.old_start == run[-1].old_start + run[-1].old_count
            and hunk.new_start == run[-1].new_start + run[-1].new_count
        ):
            yield run
            run = []
        run.append(hunk)
    if run:
        yield run


class _Comparison:
    """The chunks of both images of a file, and which of them are the same thing before and after.

    Two chunks are the same thing when they share an untouched line, or else when neither has such a partner and they
    have one name: a function that was moved, or replaced line by line.
    """

    def __init__(self, file: PatchedFile) -> None:
        self.file = file
        self.new: list[_Chunk] = []
        self.old: list[_Chunk] = []
        self.remains: dict[int, tuple[str, int]] = {}
        """By the index of an old chunk: its name after the patch, and a line of the post-image at or next to it."""
        self.shared: dict[int, int] = {}
        """The index of the old chunk that shares a line with a new one, by the new one's index."""
        self.moved: dict[int, int] = {}
        """The same for chunks that share only their name."""
        self.open_old: str | None = None
        """The function in which the pre-image of the last run ends."""
        self.open_new: str | None = None
        for run in _runs(file):
            self._add(run)
        self._pair_by_name()

    def _add(self, run: list[Hunk]) -> None:
        lines = [line for hunk in run for line in hunk.lines]
        path, section = self.file.path, run[0].section
        enclosing = _section_name(section)
        # The section is of the pre-image; the post-image may have another head above the lines that are not shown.
        replaced = enclosing is not None and enclosing == self.open_old and self.open_new is not None
        old = _Image(path, section, enclosing, lines, is_new=False)
        new = _Image(path, section, self.open_new if replaced else enclosing, lines, is_new=True)
        owner: dict[int, int] = {}
        for chunk in _chunks(old):
            for i in range(chunk.first, chunk.last + 1):
                owner[chunk.image.at[i]] = len(self.old)
            name = new.enclosing if new.enclosing is not None and chunk.name == old.enclosing else chunk.name
            self.remains[len(self.old)] = name, max(run[0].new_start, 1)
            self.old.append(chunk)
        for chunk in _chunks(new):
            for i in range(chunk.first, chunk.last + 1):
                candidate = owner.get(chunk.image.at[i])
                if candidate is not None and _is_same(self.old[candidate], chunk):
                    self.shared[len(self.new)] = candidate
                    break
            self.new.append(chunk)
        self.open_old, self.open_new = _open_function(old, self.old), _open_function(new, self.new)

    def _pair_by_name(self) -> None:
        taken = set(self.shared.values())
        free: dict[tuple[str, str], list[int]] = defaultdict(list)
        for i in reversed(range(len(self.old))):
            if i not in taken and self.old[i].is_named:
                free[self.old[i].sort, self.old[i].name].append(i)
        for i, chunk in enumerate(self.new):
            candidates = free.get((chunk.sort, chunk.name))
            if i not in self.shared and candidates:
                self.moved[i] = candidates.pop()

    def pieces(self) -> tuple[Piece, ...]:
        found = [self._piece(i) for i in range(len(self.new))]
        found += self._vanished_parts(found)
        return tuple(sorted(found, key=lambda piece: (piece.first_line, piece.last_line)))

    def _piece(self, i: int) -> Piece:
        chunk = self.new[i]
        index = self.shared.get(i, self.moved.get(i))
        old = self.old[index] if index is not None else None
        change = self._change(chunk, old, is_moved=i in self.moved)
        whole = old is not None and old.kind == chunk.kind != "partial"
        before = old.text if old is not None and whole and change == "changed" else None
        return self._make(chunk, change, before)

    def _change(self, chunk: _Chunk, old: _Chunk | None, *, is_moved: bool) -> Change:
        if old is not None:
            return "changed" if is_moved or old.text != chunk.text else "context"
        if chunk.kind != "partial" and chunk.is_new_here():
            return "added"
        return "changed" if chunk.is_touched() else "context"

    def _make(self, chunk: _Chunk, change: Change, before: str | None = None) -> Piece:
        return Piece(
            kind=chunk.kind,
            name=chunk.name,
            text=chunk.text,
            file=self.file.path,
            first_line=chunk.image.numbers[chunk.first],
            last_line=chunk.image.numbers[chunk.last],
            change=change,
            called_names=chunk.called_names(),
            before=before,
        )

    def _vanished_parts(self, found: list[Piece]) -> list[Piece]:
        """Return parts of functions of which no visible line is left, unless those found already tell of the change."""
        kept = {*self.shared.values(), *self.moved.values()}
        names = {piece.name for piece in found if piece.kind in ("function", "partial") and piece.change != "context"}
        parts: list[Piece] = []
        for i, chunk in enumerate(self.old):
            name, line = self.remains[i]
            if i not in kept and chunk.kind == "partial" and chunk.is_touched() and name not in names:
                parts.append(Piece("partial", name, "", self.file.path, line, line, "changed"))
        return parts

    def removed_functions(self) -> tuple[Piece, ...]:
        kept = {*self.shared.values(), *self.moved.values()}
        names = {chunk.name for chunk in self.new if chunk.sort == "function"}
        return tuple(
            self._make(chunk, "removed")
            for i, chunk in enumerate(self.old)
            if i not in kept and chunk.kind == "function" and chunk.is_new_here() and chunk.name not in names
        )


def _open_function(image: _Image, chunks: list[_Chunk]) -> str | None:
    """Return the function in which an image ends, given the chunks up to and with its own."""
    if image.next_code[0] == len(image):
        return image.enclosing
    last = chunks[-1] if chunks and chunks[-1].image is image else None
    return last.name if last is not None and last.ends_open and last.is_named else None


def _is_same(old: _Chunk, new: _Chunk) -> bool:
    """Say whether chunks that share a line are the same thing."""
    if old.sort != new.sort:
        return False
    return old.name == new.name or not (old.is_named or new.is_named)

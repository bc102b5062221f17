"""What a C file holds at file scope, found line by line without a compiler: functions, declarations, directives.

The compiler is asked to read everything; this is only used to take out what it refuses, and to know of functions that
it was never shown.  So a wrong guess here can lose a function, and make none up.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

_TOKEN = re.compile(r"""//(?:[^\n\\]|\\.)*|/\*.*?(?:\*/|\Z)|"(?:\\.|[^"\\\n])*"?|'(?:\\.|[^'\\\n])*'?""", re.DOTALL)
_MARK = re.compile(r"[(){};]")
_NAME = re.compile(r"[A-Za-z_]\w*")
_DIRECTIVE = re.compile(r"[ \t]*#[ \t]*(\w*)[ \t]*(.*)")
_LABEL = re.compile(r"[A-Za-z_]\w*[ \t]*:(?!:)")
_RESERVED = frozenset(("if", "for", "while", "switch", "return", "sizeof", "do", "else", "typeof", "__typeof__"))
_ATTRIBUTE = re.compile(r"\b__attribute__\s*\(\(.*?\)\)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Item:
    """A thing at file scope, from its first to its last line, counted from 1. A name that is not known is ''.

    `braced`: it has a body, or a list in braces.
    """

    kind: Literal["function", "declaration"]
    name: str
    first: int
    last: int
    braced: bool


@dataclass(frozen=True, slots=True)
class Include:
    """An `#include` directive: the line, the name between the quotes, and whether those are angle brackets."""

    line: int
    name: str
    angled: bool


def code_of(text: str) -> str:
    """Return a text with comments and literals blanked, each line in its place."""
    return _TOKEN.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), text)


def includes(text: str) -> Iterator[Include]:
    """Yield the `#include` directives of a text that stand outside of comments."""
    code = code_of(text).split("\n")
    for number, (line, blanked) in enumerate(zip(text.split("\n"), code, strict=True), 1):
        directive = _DIRECTIVE.match(blanked)
        if directive is None or directive[1] not in ("include", "include_next", "import"):
            continue
        found = re.search(r"""(["<])([^">\n]*)[">]""", line)
        yield Include(number, found[2] if found else "", bool(found) and found is not None and found[1] == "<")


def items(text: str) -> list[Item]:
    """List the things at file scope, in order."""
    return _Scanner(code_of(text)).run()


class _Scanner:
    """Counts brackets from one thing at file scope to the next.

    Brackets in the branches of a conditional count once: at `#else` they stand where they stood at `#if`.  A brace
    that was never closed ends where a line that looks like the kernel's next definition begins.
    """

    def __init__(self, code: str) -> None:
        self._lines = code.split("\n")
        self._starts = [0]
        for line in self._lines:
            self._starts.append(self._starts[-1] + len(line) + 1)
        self._found: list[Item] = []
        self._open: list[tuple[int, int]] = []
        self._reset()

    def _reset(self) -> None:
        self._first = 0
        self._text: list[str] = []
        self._parens = self._braces = 0
        self._head = ""
        self._body = False

    def run(self) -> list[Item]:
        number = 0
        while number < len(self._lines):
            line = self._lines[number]
            directive = _DIRECTIVE.match(line)
            if directive is not None:
                self._conditional(directive[1])
                while line.rstrip().endswith("\\") and number + 1 < len(self._lines):
                    number += 1
                    line = self._lines[number]
                number += 1
                continue
            if self._braces > 0 and self._begins_anew(number):
                self._end(number)
            self._line(line, number + 1)
            number += 1
        if self._first:
            self._end(len(self._lines))
        return self._found

    def _conditional(self, word: str) -> None:
        if word in ("if", "ifdef", "ifndef"):
            self._open.append((self._parens, self._braces))
        elif word in ("else", "elif") and self._open:
            self._parens, self._braces = self._open[-1]
        elif word == "endif" and self._open:
            self._open.pop()

    def _begins_anew(self, number: int) -> bool:
        """Say whether a line inside of braces can only be the head of the next function."""
        line = self._lines[number]
        if not re.match(r"[A-Za-z_]", line) or _LABEL.match(line) or not self._body:
            return False
        ahead = "\n".join(self._lines[number : number + 8])
        return re.match(r"[A-Za-z_][\w\s*]*\([^;{}]*\)\s*\{", ahead) is not None

    def _line(self, line: str, number: int) -> None:
        if not self._first:
            if not line.strip():
                return
            self._first = number
        position = 0
        for mark in _MARK.finditer(line):
            token = mark.group()
            if not self._body:
                self._text.append(line[position : mark.start()])
            position = mark.end()
            if token == "{":
                if self._braces == 0 and not self._body:
                    self._head, self._body = "".join(self._text), True
                self._braces += 1
            elif token == "}":
                self._braces = max(0, self._braces - 1)
                if self._braces == 0 and self._function() is not None:
                    self._end(number)
                    if line[position:].strip(" \t;"):
                        self._first = number
            elif token == ";":
                if self._braces == 0 and self._parens <= 0:
                    self._end(number)
                    if line[position:].strip(" \t;"):
                        self._first = number
            else:
                if not self._body:
                    self._text.append(token)
                self._parens += 1 if token == "(" else -1
        if self._first and not self._body:
            self._text.append(line[position:] + "\n")

    def _function(self) -> str | None:
        """Return the name of the function whose body was opened, or None where it is something else."""
        if not self._body:
            return None
        head = _ATTRIBUTE.sub(" ", self._head).rstrip()
        if not head.endswith(")") or re.match(r"\s*typedef\b", head) or "=" in head.split("(", 1)[0]:
            return None
        depth, at = 0, len(head)
        for at in range(len(head) - 1, -1, -1):
            depth += {")": 1, "(": -1}.get(head[at], 0)
            if depth == 0:
                break
        names = _NAME.findall(head[:at])
        return names[-1] if names and names[-1] not in _RESERVED else None

    def _end(self, last: int) -> None:
        function = self._function()
        if function is not None:
            self._found.append(Item("function", function, self._first, last, True))
        else:
            self._found.append(Item("declaration", _declared("".join(self._text)), self._first, last, self._body))
        self._reset()


def _declared(text: str) -> str:
    """Return what a declaration declares: a tag, a typedef's or a variable's name; '' where that is not plain."""
    record = re.match(r"\s*(?:static\s+|const\s+|typedef\s+)*(struct|union|enum)\s+(\w+)\s*$", text.split("{", 1)[0])
    if record is not None:
        return f"{record[1]} {record[2]}"
    names = _NAME.findall(re.split(r"[=(\[]", text, maxsplit=1)[0])
    return names[-1] if names else ""


def owner(found: list[Item], line: int) -> Item | None:
    """Return the item that a line belongs to."""
    at = bisect_right([i.first for i in found], line) - 1
    return found[at] if at >= 0 and found[at].last >= line else None

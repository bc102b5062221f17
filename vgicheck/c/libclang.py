"""The part of libclang's C interface that the reader of C needs, called directly through ctypes.

The Python binding that comes with the wheel has no operator kinds and no constant evaluation, and wraps every cursor
and type in three calls; the shared object beside it has all of it.  The layouts below are those of release 18.1.1,
which `load` insists upon.
"""

from __future__ import annotations

import ctypes
import importlib.util
import re
import sys
import threading
from collections.abc import Mapping, Sequence
from ctypes import POINTER, Structure, byref, c_char_p, c_int, c_longlong, c_uint, c_ulong, c_ulonglong, c_void_p
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

RELEASE: Final = "18.1.1"

_FILE_NAMES: Final = {"win32": "libclang.dll", "darwin": "libclang.dylib"}
_VISIT_CONTINUE: Final = 1
_EVALUATED_INTEGER: Final = 1
_UNEXPOSED_ATTRIBUTE: Final = 400
_FIELD_CONTINUE: Final = 1

# Clang prints a string literal with these escapes, and three octal digits for what is not printable.
_ESCAPE: Final = re.compile(rb"\\([0-7]{3}|.)")
_ESCAPED: Final = {b"a": b"\a", b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}


class LibclangError(Exception):
    """The library is absent, of another release, or could not parse the text: one line that says which."""


class Cursor(Structure):
    """`CXCursor`: a node of the syntax tree, by value. `data[0]` is the declaration, `data[1]` the statement."""

    _fields_ = (("kind", c_int), ("xdata", c_int), ("data", c_void_p * 3))
    kind: int
    data: Sequence[int | None]


class Type(Structure):
    """`CXType`: a type with its qualifiers, by value. `data[0]` identifies it, qualifiers included."""

    _fields_ = (("kind", c_int), ("data", c_void_p * 2))
    kind: int
    data: Sequence[int | None]


class _String(Structure):
    _fields_ = (("data", c_void_p), ("flags", c_uint))


class _Location(Structure):
    _fields_ = (("pointers", c_void_p * 2), ("number", c_uint))


class _Range(Structure):
    _fields_ = (("pointers", c_void_p * 2), ("begin", c_uint), ("end", c_uint))


class _UnsavedFile(Structure):
    _fields_ = (("name", c_char_p), ("text", c_char_p), ("length", c_ulong))


class Place(NamedTuple):
    """Where macro expansion put something: the file's name, line and column, from 1; line 0 when unknown."""

    file: str
    line: int
    column: int


class Diagnostic(NamedTuple):
    """A message of the compiler; severity 3 is an error, 4 a fatal one after which it stopped."""

    severity: int
    message: str
    place: Place


_VISITOR = ctypes.CFUNCTYPE(c_int, Cursor, Cursor, c_void_p)
_FIELD_VISITOR = ctypes.CFUNCTYPE(c_int, Cursor, c_void_p)

_SIGNATURES: Final[Mapping[str, tuple[type | None, tuple[type, ...]]]] = {
    "clang_getClangVersion": (_String, ()),
    "clang_getCString": (c_char_p, (_String,)),
    "clang_disposeString": (None, (_String,)),
    "clang_createIndex": (c_void_p, (c_int, c_int)),
    "clang_disposeIndex": (None, (c_void_p,)),
    "clang_parseTranslationUnit2": (
        c_int,
        (c_void_p, c_char_p, POINTER(c_char_p), c_int, POINTER(_UnsavedFile), c_uint, c_uint, POINTER(c_void_p)),
    ),
    "clang_disposeTranslationUnit": (None, (c_void_p,)),
    "clang_getTranslationUnitCursor": (Cursor, (c_void_p,)),
    "clang_getNumDiagnostics": (c_uint, (c_void_p,)),
    "clang_getDiagnostic": (c_void_p, (c_void_p, c_uint)),
    "clang_disposeDiagnostic": (None, (c_void_p,)),
    "clang_getDiagnosticSeverity": (c_int, (c_void_p,)),
    "clang_getDiagnosticSpelling": (_String, (c_void_p,)),
    "clang_getDiagnosticLocation": (_Location, (c_void_p,)),
    "clang_getExpansionLocation": (
        None,
        (_Location, POINTER(c_void_p), POINTER(c_uint), POINTER(c_uint), POINTER(c_uint)),
    ),
    "clang_getFileName": (_String, (c_void_p,)),
    "clang_getCursorLocation": (_Location, (Cursor,)),
    "clang_getCursorExtent": (_Range, (Cursor,)),
    "clang_getRangeStart": (_Location, (_Range,)),
    "clang_getRangeEnd": (_Location, (_Range,)),
    "clang_visitChildren": (c_uint, (Cursor, _VISITOR, c_void_p)),
    "clang_Type_visitFields": (c_uint, (Type, _FIELD_VISITOR, c_void_p)),
    "clang_getCursorSpelling": (_String, (Cursor,)),
    "clang_getCursorPrettyPrinted": (_String, (Cursor, c_void_p)),
    "clang_getCursorReferenced": (Cursor, (Cursor,)),
    "clang_getCanonicalCursor": (Cursor, (Cursor,)),
    "clang_isCursorDefinition": (c_uint, (Cursor,)),
    "clang_Cursor_isBitField": (c_uint, (Cursor,)),
    "clang_Cursor_getOffsetOfField": (c_longlong, (Cursor,)),
    "clang_Cursor_getVarDeclInitializer": (Cursor, (Cursor,)),
    "clang_Cursor_getStorageClass": (c_int, (Cursor,)),
    "clang_getCursorTLSKind": (c_int, (Cursor,)),
    "clang_getEnumConstantDeclValue": (c_longlong, (Cursor,)),
    "clang_getEnumDeclIntegerType": (Type, (Cursor,)),
    "clang_getCursorBinaryOperatorKind": (c_int, (Cursor,)),
    "clang_getCursorUnaryOperatorKind": (c_int, (Cursor,)),
    "clang_getCursorType": (Type, (Cursor,)),
    "clang_getCanonicalType": (Type, (Type,)),
    "clang_isConstQualifiedType": (c_uint, (Type,)),
    "clang_getTypeDeclaration": (Cursor, (Type,)),
    "clang_getPointeeType": (Type, (Type,)),
    "clang_getArrayElementType": (Type, (Type,)),
    "clang_getArraySize": (c_longlong, (Type,)),
    "clang_getResultType": (Type, (Type,)),
    "clang_getNumArgTypes": (c_int, (Type,)),
    "clang_getArgType": (Type, (Type, c_uint)),
    "clang_isFunctionTypeVariadic": (c_uint, (Type,)),
    "clang_Type_getSizeOf": (c_longlong, (Type,)),
    "clang_getTypeSpelling": (_String, (Type,)),
    "clang_Cursor_Evaluate": (c_void_p, (Cursor,)),
    "clang_EvalResult_getKind": (c_int, (c_void_p,)),
    "clang_EvalResult_isUnsignedInt": (c_uint, (c_void_p,)),
    "clang_EvalResult_getAsLongLong": (c_longlong, (c_void_p,)),
    "clang_EvalResult_getAsUnsigned": (c_ulonglong, (c_void_p,)),
    "clang_EvalResult_dispose": (None, (c_void_p,)),
}


def library_path() -> str:
    """Where the shared object of the installed `libclang` wheel is; LibclangError when there is none."""
    try:
        native = importlib.util.find_spec("clang.native")
    except ModuleNotFoundError:
        native = None
    if native is None or native.origin is None:
        raise LibclangError(f"libclang is not installed: pip install libclang=={RELEASE}")
    return str(Path(native.origin).parent / _FILE_NAMES.get(sys.platform, "libclang.so"))


class Library:
    """The shared object, each function with its signature, and the few compound questions put to it."""

    def __init__(self, path: str) -> None:
        try:
            self.calls = ctypes.CDLL(path)
            for name, (result, arguments) in _SIGNATURES.items():
                function = getattr(self.calls, name)
                function.restype, function.argtypes = result, arguments
        except (OSError, AttributeError) as error:
            raise LibclangError(f"libclang {RELEASE} is needed: {error}") from error
        version = self.text(self.calls.clang_getClangVersion())
        if RELEASE not in version.split():
            raise LibclangError(f"libclang {RELEASE} is needed, found {version!r}: pip install libclang=={RELEASE}")
        self._collecting = threading.Lock()
        self._collected: list[Cursor] = []
        self._file_names: dict[int, str] = {}
        self._visitor = _VISITOR(self._visit)
        self._field_visitor = _FIELD_VISITOR(self._visit_field)

    def _visit(self, cursor: Cursor, _parent: Cursor, _data: int | None) -> int:
        self._collected.append(cursor)
        return _VISIT_CONTINUE

    def _visit_field(self, cursor: Cursor, _data: int | None) -> int:
        self._collected.append(cursor)
        return _FIELD_CONTINUE

    def text(self, string: _String) -> str:
        """The characters of a CXString, which is released."""
        characters = self.calls.clang_getCString(string)
        self.calls.clang_disposeString(string)
        return characters.decode("utf-8", "replace") if characters is not None else ""

    def children(self, cursor: Cursor) -> list[Cursor]:
        """The nodes directly below a node, in the order of the source."""
        with self._collecting:
            self._collected = found = list[Cursor]()
            self.calls.clang_visitChildren(cursor, self._visitor, None)
        return found

    def fields(self, record: Type) -> list[Cursor]:
        """The declarations of all members of a struct or union, also of those without a name."""
        with self._collecting:
            self._collected = found = list[Cursor]()
            self.calls.clang_Type_visitFields(record, self._field_visitor, None)
        return found

    def spelling(self, cursor: Cursor) -> str:
        """The name of a declaration or of what is referred to; a literal as written."""
        return self.text(self.calls.clang_getCursorSpelling(cursor))

    def is_cleaned_up(self, variable: Cursor) -> bool:
        """Whether a variable's attributes name a function that runs at the end of its scope."""
        if not any(child.kind == _UNEXPOSED_ATTRIBUTE for child in self.children(variable)):
            return False
        return "cleanup(" in self.text(self.calls.clang_getCursorPrettyPrinted(variable, None))

    def integer(self, cursor: Cursor) -> int | None:
        """The value of an integer constant expression; None when it has none.

        libclang forgets whether side effects were passed over: ask only of literals, `sizeof`, `offsetof`, case labels.
        """
        result = self.calls.clang_Cursor_Evaluate(cursor)
        if not result:
            return None
        try:
            if self.calls.clang_EvalResult_getKind(result) != _EVALUATED_INTEGER:
                return None
            if self.calls.clang_EvalResult_isUnsignedInt(result):
                return int(self.calls.clang_EvalResult_getAsUnsigned(result))
            return int(self.calls.clang_EvalResult_getAsLongLong(result))
        finally:
            self.calls.clang_EvalResult_dispose(result)

    def string(self, cursor: Cursor) -> bytes | None:
        """The bytes of a string literal without the final NUL; None when it is of wide characters or no literal."""
        spelling = self.spelling(cursor)
        if len(spelling) < 2 or spelling[0] != '"' or spelling[-1] != '"' or not spelling.isascii():
            return None
        return _ESCAPE.sub(_unescaped, spelling[1:-1].encode())

    def place(self, cursor: Cursor) -> Place:
        """Where a node stands after macro expansion: the use of the macro, not its definition."""
        return self._expansion(self.calls.clang_getCursorLocation(cursor))

    def extent(self, cursor: Cursor) -> tuple[Place, Place]:
        """Where the first and last token of a node stand after macro expansion; the second is just past its end."""
        extent = self.calls.clang_getCursorExtent(cursor)
        start = self._expansion(self.calls.clang_getRangeStart(extent))
        return start, self._expansion(self.calls.clang_getRangeEnd(extent))

    def _expansion(self, location: _Location) -> Place:
        file, line, column = c_void_p(), c_uint(), c_uint()
        self.calls.clang_getExpansionLocation(location, byref(file), byref(line), byref(column), None)
        if file.value is None:
            return Place("", 0, 0)
        return Place(self._file_name(file.value), line.value, column.value)

    def _file_name(self, file: int) -> str:
        if file not in self._file_names:
            self._file_names[file] = self.text(self.calls.clang_getFileName(file))
        return self._file_names[file]

    def parse(self, name: str, text: str, arguments: Sequence[str]) -> TranslationUnit:
        """Parses a text held in memory under a name; LibclangError when libclang gives no tree at all."""
        self._file_names.clear()  # keyed by address, and what a tree that is gone leaves is used again
        return TranslationUnit(self, name, text, arguments)


class TranslationUnit:
    """A parsed text, alive as long as this object is; its cursors must not outlive it."""

    def __init__(self, library: Library, name: str, text: str, arguments: Sequence[str]) -> None:
        self.library = library
        calls = library.calls
        path, contents = _encoded(name), _encoded(text)
        unsaved = _UnsavedFile(path, contents, len(contents))
        argv = (c_char_p * len(arguments))(*(_encoded(argument) for argument in arguments))
        self._index: int | None = calls.clang_createIndex(0, 0)
        handle = c_void_p()
        error = calls.clang_parseTranslationUnit2(
            self._index, path, argv, len(arguments), byref(unsaved), 1, 0, byref(handle)
        )
        self._handle = handle.value
        if error or self._handle is None:
            raise LibclangError(f"libclang gave no tree (code {error})")
        self.cursor: Cursor = calls.clang_getTranslationUnitCursor(self._handle)

    def __del__(self) -> None:
        if self._handle is not None:
            self.library.calls.clang_disposeTranslationUnit(self._handle)
        if self._index is not None:
            self.library.calls.clang_disposeIndex(self._index)

    def diagnostics(self) -> list[Diagnostic]:
        """Every message of the compiler, in the order in which it gave them."""
        calls, found = self.library.calls, []
        for number in range(calls.clang_getNumDiagnostics(self._handle)):
            handle = calls.clang_getDiagnostic(self._handle, number)
            place = self.library._expansion(calls.clang_getDiagnosticLocation(handle))
            message = self.library.text(calls.clang_getDiagnosticSpelling(handle))
            found.append(Diagnostic(calls.clang_getDiagnosticSeverity(handle), message, place))
            calls.clang_disposeDiagnostic(handle)
        return found


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _unescaped(escape: re.Match[bytes]) -> bytes:
    code = escape[1]
    return bytes((int(code, 8),)) if len(code) == 3 else _ESCAPED.get(code, code)


@cache
def load() -> Library:
    """The library of the installed wheel; LibclangError when it is absent or of another release."""
    return Library(library_path())

"""The compiler's types as those of the IR, with the exact layout of structs and unions on the target."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from .clang import Kind, Unit
from .ir import (
    BOOL,
    Array,
    CType,
    Field,
    FunctionType,
    Int,
    Loc,
    Pointer,
    Struct,
    StructRef,
    Unsupported,
    Void,
)
from .libclang import Cursor, Type

MAX_TYPE_DEPTH: Final = 40
"""Levels of a type: pointers to functions of pointers to arrays ..."""

_VOID, _BOOL, _POINTER, _RECORD, _ENUM = 2, 3, 101, 105, 106
_FUNCTION_NO_PROTOTYPE, _FUNCTION = 110, 111
_CONSTANT_ARRAY, _INCOMPLETE_ARRAY, _VARIABLE_ARRAY = 112, 114, 115
_UNSIGNED: Final = frozenset({4, 5, 6, 7, 8, 9, 10, 11})
_SIGNED: Final = frozenset({13, 14, 16, 17, 18, 19})
_FLOATING: Final = frozenset({21, 22, 23, 30, 31, 40, 100})


class Layout:
    """The types of one unit, each worked out once.

    `structs` has every struct and union met so far by its tag.  One without a tag is known by the name that a typedef
    gives it, else as `struct@file:line:column`; what would be ambiguous gets `.1`, `.2`, ... appended.
    `refused` says of members that the IR cannot express (bit-fields, floating point) why not.
    """

    def __init__(self, unit: Unit) -> None:
        self.structs: dict[str, Struct] = {}
        self.refused: dict[tuple[str, str], str] = {}
        self._unit = unit
        self._calls = unit.library.calls
        self._known: dict[int | None, CType] = {}
        self._tags: dict[int | None, str] = {}
        self._members: dict[int | None, tuple[str, str]] = {}
        self._pending: list[tuple[str, Cursor, Type]] = []

    def type_of(self, cursor: Cursor) -> CType:
        """The type of an expression or declaration, without qualifiers; Unsupported when the IR has no such type."""
        return self.of(self._calls.clang_getCursorType(cursor), cursor)

    def of(self, written: Type, cursor: Cursor) -> CType:
        """The same for a type; `cursor` is where to blame."""
        known = self._known.get(written.data[0])
        if known is None:
            try:
                known = self._convert(written, cursor, 0)
            finally:
                while self._pending:
                    self._lay_out(*self._pending.pop())
            self._known[written.data[0]] = known
        return known

    def is_const(self, cursor: Cursor) -> bool:
        """Say whether a variable is declared `const`; an array, whether its elements are."""
        ctype: Type = self._calls.clang_getCanonicalType(self._calls.clang_getCursorType(cursor))
        while not self._calls.clang_isConstQualifiedType(ctype):
            if ctype.kind not in (_CONSTANT_ARRAY, _INCOMPLETE_ARRAY):
                return False
            ctype = self._calls.clang_getCanonicalType(self._calls.clang_getArrayElementType(ctype))
        return True

    def member(self, field: Cursor) -> tuple[str, str] | None:
        """The tag and the name under which the declaration of a member is known."""
        return self._members.get(field.data[0])

    def chain(self, tag: str, owner: str, name: str) -> list[tuple[str, str]] | None:
        """The steps (tag, member) from a struct to a member of itself or of an anonymous member of it, and so on."""
        pending = [(tag, list[tuple[str, str]]())]
        while pending:
            inner, steps = pending.pop()
            if inner == owner:
                return [*steps, (inner, name)]
            for field in self.structs[inner].fields:
                if is_anonymous(field) and isinstance(field.type, StructRef):
                    pending.append((field.type.tag, [*steps, (inner, field.name)]))
        return None

    def field(self, tag: str, name: str, loc: Loc | None) -> Field:
        """A member of a struct or union; Unsupported when the IR cannot express it."""
        if (tag, name) in self.refused:
            raise Unsupported(f"{self.refused[tag, name]} `{name}` of `{tag}`", loc)
        for field in self.structs[tag].fields:
            if field.name == name:
                return field
        raise Unsupported(f"an unknown member `{name}` of `{tag}`", loc)

    def offset(self, tag: str, name: str) -> int:
        """How many bytes after the start of a struct or union one of its members starts."""
        return self.field(tag, name, None).offset

    def size(self, ctype: CType) -> int:
        """The size of an object of a type, in bytes; 1 for void and functions, as GNU C has it."""
        count = 1
        while isinstance(ctype, Array):
            count, ctype = count * ctype.length, ctype.element
        if isinstance(ctype, Int):
            return count * ctype.bits // 8
        if isinstance(ctype, Pointer):
            return count * self._unit.pointer_bits // 8
        if isinstance(ctype, StructRef):
            return count * self.structs[ctype.tag].size
        return count

    def refused_inside(self, ctype: CType) -> str | None:
        """Why an object of a type cannot be expressed member by member; None when it can be."""
        pending, seen = [ctype], set[CType]()
        while pending:
            inner = pending.pop()
            while isinstance(inner, Array):
                inner = inner.element
            if isinstance(inner, StructRef) and inner not in seen:
                seen.add(inner)
                for (tag, name), reason in self.refused.items():
                    if tag == inner.tag:
                        return f"{reason} `{name}` of `{tag}`"
                pending += (field.type for field in self.structs[inner.tag].fields)
        return None

    def _convert(self, written: Type, cursor: Cursor, depth: int) -> CType:
        if depth > MAX_TYPE_DEPTH:
            raise Unsupported(f"a type of more than {MAX_TYPE_DEPTH} levels", self._unit.loc(cursor))
        calls = self._calls
        ctype: Type = calls.clang_getCanonicalType(written)
        kind = ctype.kind
        if kind == _BOOL:
            return BOOL
        if kind in _SIGNED or kind in _UNSIGNED:
            return Int(8 * calls.clang_Type_getSizeOf(ctype), kind in _SIGNED)
        if kind == _POINTER:
            return Pointer(self._convert(calls.clang_getPointeeType(ctype), cursor, depth + 1))
        if kind == _VOID:
            return Void()
        if kind == _RECORD:
            return StructRef(self._tag(ctype))
        if kind == _ENUM:
            declaration = calls.clang_getTypeDeclaration(ctype)
            return self._convert(calls.clang_getEnumDeclIntegerType(declaration), cursor, depth + 1)
        if kind in (_CONSTANT_ARRAY, _INCOMPLETE_ARRAY):
            element = self._convert(calls.clang_getArrayElementType(ctype), cursor, depth + 1)
            return Array(element, calls.clang_getArraySize(ctype) if kind == _CONSTANT_ARRAY else 0)
        if kind in (_FUNCTION, _FUNCTION_NO_PROTOTYPE):
            result = self._convert(calls.clang_getResultType(ctype), cursor, depth + 1)
            params = tuple(
                self._convert(calls.clang_getArgType(ctype, number), cursor, depth + 1)
                for number in range(max(calls.clang_getNumArgTypes(ctype), 0))
            )
            return FunctionType(result, params, kind == _FUNCTION and bool(calls.clang_isFunctionTypeVariadic(ctype)))
        if kind == _VARIABLE_ARRAY:
            raise Unsupported("an array whose length is not constant", self._unit.loc(cursor))
        if kind in _FLOATING:
            raise Unsupported("floating point", self._unit.loc(cursor))
        spelling = self._unit.library.text(calls.clang_getTypeSpelling(written))
        raise Unsupported(f"the type `{spelling}`", self._unit.loc(cursor))

    def _tag(self, record: Type) -> str:
        declaration = self._calls.clang_getTypeDeclaration(record)
        key = self._calls.clang_getCanonicalCursor(declaration).data[0]
        if key not in self._tags:
            tag = base = self._base_tag(declaration)
            number = 0
            while tag in self.structs:
                number += 1
                tag = f"{base}.{number}"
            self._tags[key] = tag
            self.structs[tag] = Struct(tag, declaration.kind == Kind.UNION_DECL, (), 0)
            self._pending.append((tag, declaration, record))
        return self._tags[key]

    def _base_tag(self, declaration: Cursor) -> str:
        name = self._unit.library.spelling(declaration)
        if not _is_made_up(name):
            return name
        loc = self._unit.loc(declaration)
        return f"{'union' if declaration.kind == Kind.UNION_DECL else 'struct'}@{loc.file}:{loc.line}:{loc.column}"

    def _lay_out(self, tag: str, declaration: Cursor, record: Type) -> None:
        size = self._calls.clang_Type_getSizeOf(record)
        if size < 0:
            return
        fields, unnamed = list[Field](), 0
        for cursor in self._unit.library.fields(record):
            name = self._unit.library.spelling(cursor)
            if self._calls.clang_Cursor_isBitField(cursor):
                if not _is_made_up(name):
                    self._members[cursor.data[0]] = (tag, name)
                    self.refused[tag, name] = "the bit-field"
                continue
            if _is_made_up(name):
                name = f".{unnamed}" if unnamed else ""
                unnamed += 1
            self._members[cursor.data[0]] = (tag, name)
            try:
                ctype = self._convert(self._calls.clang_getCursorType(cursor), cursor, 0)
            except Unsupported as reason:
                self.refused[tag, name] = f"{reason.construct} in the member"
                continue
            offset = self._calls.clang_Cursor_getOffsetOfField(cursor)
            if offset < 0 or offset % 8:
                self.refused[tag, name] = "the unknown offset of the member"
                continue
            fields.append(Field(name, ctype, offset // 8))
        self.structs[tag] = Struct(tag, declaration.kind == Kind.UNION_DECL, tuple(fields), size)


def _is_made_up(name: str) -> bool:
    """Whether the compiler made a name up, such as `union s::(anonymous at ...)`, for want of one."""
    return not name or "(" in name


def is_anonymous(field: Field) -> bool:
    """Whether a member has no name of its own; the second and later ones of a struct are told apart as `.1`, `.2`."""
    return field.name == "" or field.name.startswith(".")


def scalars(layout: Layout, ctype: CType, depth: int = 0) -> Iterator[tuple[tuple[str | int, ...], CType]]:
    """The paths to all scalars of an object and their types; of a union, those of its largest member."""
    if depth > MAX_TYPE_DEPTH:
        raise Unsupported(f"a type of more than {MAX_TYPE_DEPTH} levels")
    if isinstance(ctype, Array):
        for index in range(ctype.length):
            for path, inner in scalars(layout, ctype.element, depth + 1):
                yield (index, *path), inner
    elif isinstance(ctype, StructRef):
        for field in written_fields(layout, ctype.tag):
            for path, inner in scalars(layout, field.type, depth + 1):
                yield (field.name, *path), inner
    else:
        yield (), ctype


def written_fields(layout: Layout, tag: str) -> Sequence[Field]:
    """The members that together make up a struct; of a union, the first one of the largest size."""
    struct = layout.structs[tag]
    if not struct.is_union or not struct.fields:
        return struct.fields
    return (max(struct.fields, key=lambda field: layout.size(field.type)),)


def adjusted(ctype: CType) -> CType:
    """The type that an array or function takes on as a value: that of a pointer to its first element or to itself."""
    if isinstance(ctype, Array):
        return Pointer(ctype.element)
    return Pointer(ctype) if isinstance(ctype, FunctionType) else ctype

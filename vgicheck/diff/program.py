"""Functions as programs: whether two are written the same, whatever their lines and the names of their locals.

What a function is includes what it calls, and of structures and tables all that it can notice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

from ..c.ir import (
    Array,
    Binary,
    Call,
    CType,
    Declare,
    Expire,
    Function,
    FunctionRef,
    FunctionType,
    Global,
    Local,
    Member,
    Pointer,
    Program,
    StructRef,
    parts,
)

Form = tuple[Any, ...]
"""A text of which two are equal exactly if they mean the same, word by word."""


@dataclass(slots=True)
class Forms:
    """The functions of a program as they compare; `renamed` calls functions what they are called elsewhere."""

    program: Program
    renamed: Mapping[str, str] = field(default_factory=dict)
    _called: dict[str, str] = field(default_factory=dict)
    _own: dict[str, Form] = field(default_factory=dict)
    _mentioned: dict[str, tuple[frozenset[str], frozenset[str]]] = field(default_factory=dict)

    def own(self, name: str) -> Form:
        """Return a function's own text: its blocks, and what it can notice of types and of objects at file scope."""
        if name not in self._own:
            self._own[name] = self.text(self.program.functions[name])
        return self._own[name]

    def whole(self, name: str) -> Form:
        """Return a function's text with that of all that it gets to."""
        functions = self.reaches(name)
        texts = {self.renamed.get(f, f): self.own(f) for f in functions if f in self.program.functions}
        missing = [self.renamed.get(f, f) for f in functions if f not in self.program.functions]
        return self.renamed.get(name, name), tuple(sorted(texts.items())), tuple(sorted(missing))

    def reaches(self, name: str) -> frozenset[str]:
        """List the functions that a function gets to, itself included, by their names in this program."""
        functions, pending = {name}, [name]
        while pending:
            used = self._uses(pending.pop())[0]
            pending.extend(used - functions)
            functions |= used
        return frozenset(functions)

    def used(self, function: Function) -> frozenset[str]:
        """List the functions that a function calls or mentions, or that a table it names mentions."""
        called, tables = mentions(function)
        initial = (self.program.constants.get(table) for table in tables)
        return called | {r.name for i in initial if i for v in i.values.values() for r in _all(v, FunctionRef)}

    def calls(self, name: str) -> frozenset[str]:
        """List the functions that a function itself calls or mentions."""
        return self._uses(name)[1]

    def _uses(self, name: str) -> tuple[frozenset[str], frozenset[str]]:
        if name not in self._mentioned:
            function = self.program.functions.get(name)
            self._mentioned[name] = (
                (self.used(function), mentions(function)[0]) if function else (frozenset(), frozenset())
            )
        return self._mentioned[name]

    def text(self, function: Function) -> Form:
        """Return the text of a function, which need not be one of the program's."""
        names: dict[str, str] = {p: f"p{n}" for n, p in enumerate(function.params)}
        body = tuple(_plain(tuple(function.blocks), names, self))
        kinds = tuple((names[n], self.kind(function.locals[n])) for n in names)
        members = {(m.tag, m.name) for m in _all(tuple(function.blocks), Member)}
        seen = tuple(sorted({(self.called(tag), name, self._member(tag, name)) for tag, name in members}, key=repr))
        # Only arithmetic notices a size; to tell which is which is not worth a wrong answer.
        moved = {t.target.tag for t in _types(function) if isinstance(t, Pointer) and isinstance(t.target, StructRef)}
        sizes = tuple(
            (self.called(tag), s.size) for tag in sorted(moved) if (s := self.program.structs.get(tag)) is not None
        )
        objects = tuple((name, self._object(name)) for name in sorted(mentions(function)[1]))
        return (self.kind(function.result), kinds, body, seen, objects, sizes if _has_arithmetic(function) else ())

    def _object(self, name: str) -> Form:
        """Return an object at file scope: its type, and what it starts with where that is all that it ever holds."""
        readonly, initial = name in self.program.readonly, self.program.constants.get(name)
        values = sorted(initial.values.items(), key=str) if initial is not None and readonly else []
        return (self.kind(self.program.globals[name]), readonly, tuple(_plain(tuple(values), {}, self)))

    def _member(self, tag: str, name: str) -> Form:
        struct = self.program.structs[tag]
        if struct.is_union:
            return self.layout(tag)
        return tuple(self.kind(f.type, deep=False) for f in struct.fields if f.name == name)

    def called(self, tag: str) -> str:
        """Return what a structure is called, wherever it is declared: its tag, or what holds it."""
        if tag not in self._called:
            self._called[tag] = " ".join(sorted(holders(self.program, tag)))
        return self._called[tag]

    def layout(self, tag: str) -> Form:
        """Return all of a structure."""
        struct = self.program.structs.get(tag)
        if struct is None:
            return (self.called(tag),)
        members = tuple((f.name, f.offset, self.kind(f.type)) for f in struct.fields)
        return (self.called(tag), struct.is_union, struct.size, members)

    def kind(self, kind: CType, deep: bool = True) -> Form:
        """Return a type; where it is `deep`, of a structure held by value all of it, and else what it is called."""
        match kind:
            case Pointer(target):
                return ("*", self.kind(target, deep=False))
            case Array(element, length):
                return ("[]", self.kind(element, deep), length)
            case StructRef(tag):
                return self.layout(tag) if deep else (self.called(tag),)
            case FunctionType(result, params, variadic):
                return ("()", self.kind(result), tuple(self.kind(p) for p in params), variadic)
        return (kind,)


def holders(program: Program, tag: str) -> frozenset[str]:
    """List what a structure is called: its tag, or where it has none, the members and objects at file scope of it.

    One that neither is of is called by the place where it is declared.
    """
    if "@" not in tag:
        return frozenset({tag})
    found = {f"@{name}" for name, kind in program.globals.items() if _held(kind) == tag}
    for struct in program.structs.values():
        for f in struct.fields:
            if _held(f.type) == tag:
                found |= {f"{holder}.{f.name}" for holder in holders(program, struct.tag)}
    return frozenset(found or {tag})


def _held(kind: CType) -> str:
    """Return the tag of the structures of which something consists, one or an array of them."""
    while isinstance(kind, Array):
        kind = kind.element
    return kind.tag if isinstance(kind, StructRef) else ""


def mentions(function: Function) -> tuple[frozenset[str], frozenset[str]]:
    """List the functions that a function calls or takes the address of, and the objects at file scope that it names."""
    blocks = tuple(function.blocks)
    called = {c.callee for c in _all(blocks, Call) if isinstance(c.callee, str)}
    called |= {r.name for r in _all(blocks, FunctionRef)}
    return frozenset(called), frozenset(g.name for g in _all(blocks, Global))


def _all(node: Any, wanted: type) -> Iterator[Any]:
    return (part for part in parts(node) if isinstance(part, wanted))


def _types(function: Function) -> Iterator[CType]:
    yield from function.locals.values()
    yield from _all(tuple(function.blocks), Pointer)


def _has_arithmetic(function: Function) -> bool:
    return any(b.op in ("+", "-") and isinstance(b.left.type, Pointer) for b in _all(tuple(function.blocks), Binary))


def _plain(node: Any, names: dict[str, str], forms: Forms) -> Iterator[Any]:
    """Yield a program without its places; locals are numbered as they come."""
    match node:
        case tuple() | list():
            yield "("
            for part in node:
                yield from _plain(part, names, forms)
            yield ")"
        case Local(name):
            yield names.setdefault(name, f"l{len(names)}")
        case Declare(local) | Expire(local):
            yield type(node).__name__
            yield names.setdefault(local, f"l{len(names)}")
        case FunctionRef(name):
            yield f"&{forms.renamed.get(name, name)}"
        case Call(target, callee, args, kind):
            yield "call"
            yield forms.renamed.get(callee, callee) if isinstance(callee, str) else ""
            yield from _plain((target, () if isinstance(callee, str) else callee, args), names, forms)
            yield from forms.kind(kind)
        case StructRef(tag):
            yield from forms.layout(tag)
        case Member(base, tag, name):
            yield "Member"
            yield from _plain(base, names, forms)
            yield from (forms.called(tag), name)
        case Pointer() | Array() | FunctionType():
            yield from forms.kind(node)
        case _ if is_dataclass(node):
            yield type(node).__name__
            for f in fields(node):
                if f.name != "loc":
                    yield from _plain(getattr(node, f.name), names, forms)
        case _:
            yield node

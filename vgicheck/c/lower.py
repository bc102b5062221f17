"""Lowers a parsed text to the IR: its functions, types, globals and constants.

A function with a construct that is not understood is set aside under its name, with the construct and its place; the
rest of the text is lowered all the same.  What libclang does not show is never guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from . import arithmetic
from .clang import FIRST_ATTRIBUTE, FIRST_EXPRESSION, LAST_ATTRIBUTE, LAST_EXPRESSION, ForParts, Kind, Node, Unit
from .expressions import Context, Expressions
from .initialisers import Initialiser, Part, Path
from .ir import (
    S32,
    AddressOf,
    Array,
    Assign,
    Binary,
    Block,
    Branch,
    Const,
    Convert,
    CType,
    Declare,
    Element,
    Expire,
    Expr,
    Function,
    FunctionType,
    Goto,
    Initial,
    Int,
    Load,
    Loc,
    Local,
    LValue,
    Member,
    Pointer,
    Program,
    Return,
    StructRef,
    Terminator,
    Unary,
    Unreachable,
    Unsupported,
    Void,
)
from .layout import Layout, adjusted
from .libclang import Cursor

_EXTERN: Final = 2
_STATIC: Final = 3
_RECORDS: Final = frozenset({Kind.STRUCT_DECL, Kind.UNION_DECL})
_HARMLESS_DECLARATIONS: Final = frozenset({Kind.ENUM_DECL, Kind.TYPEDEF_DECL, Kind.STATIC_ASSERT})
_WHAT: Final[Mapping[int, str]] = {
    211: "a computed goto",
    215: "inline assembly",
    Kind.UNEXPOSED_STMT: "a statement that libclang does not show",
}


_Scopes = tuple[list[str], ...]
"""The locals of the blocks, from the outermost inwards, within which something stands."""


@dataclass(slots=True)
class _Switch:
    """The cases found so far of the `switch` that is being lowered."""

    type: Int
    cases: list[tuple[int, int, Loc]] = field(default_factory=list)
    default: int | None = None


class _Body(Expressions):
    """Lowers the statements of one function, or one initialiser outside of any."""

    def __init__(self, context: Context, name: str, result: CType) -> None:
        super().__init__(context)
        self._name = name
        self._result = result
        self._breaks: list[int] = []
        self._continues: list[int] = []
        self._switches: list[_Switch] = []
        self.readonly: set[str] = set()
        self._labels: dict[int | None, int] = {}
        self._scopes: _Scopes = ()
        self._scopes_at: dict[int, _Scopes] = {}
        self._jumps: list[tuple[int, _Scopes, int, Loc]] = []
        self._statements: Mapping[int, Callable[[Node], None]] = {
            Kind.COMPOUND_STMT: self._compound_statement,
            Kind.DECL_STMT: self._declarations,
            Kind.IF_STMT: self._if,
            Kind.FOR_STMT: self._for,
            Kind.WHILE_STMT: self._while,
            Kind.DO_STMT: self._do,
            Kind.SWITCH_STMT: self._switch,
            Kind.CASE_STMT: self._labelled,
            Kind.DEFAULT_STMT: self._labelled,
            Kind.LABEL_STMT: self._labelled,
            Kind.GOTO_STMT: self._goto,
            Kind.BREAK_STMT: self._break,
            Kind.CONTINUE_STMT: self._continue,
            Kind.RETURN_STMT: self._return,
            Kind.NULL_STMT: self._nothing,
            Kind.UNEXPOSED_STMT: self._attributed,
        }

    # Statements --------------------------------------------------------------------------------

    def statement(self, node: Node) -> None:
        """Lowers a statement."""
        lower = self._statements.get(node.kind)
        if lower is not None:
            lower(node)
        elif FIRST_EXPRESSION <= node.kind <= LAST_EXPRESSION:
            self.effect(node)
        else:
            raise self.refuse(_WHAT.get(node.kind, "a statement of an unknown kind"), node)

    def _compound_statement(self, node: Node) -> None:
        with self._scope(node):
            for child in node.children:
                self.statement(child)

    @contextmanager
    def _scope(self, node: Node) -> Iterator[None]:
        """Lets what is declared in a part of the function live to its end, which is the end of a node.

        What is declared in the function's own block lives as long as the activation.
        """
        outside, inside = self._scopes, list[str]()
        self._scopes = (*outside, inside)
        yield
        self._scopes = outside
        for name in inside if outside else ():
            self.graph.emit(Expire(name, self.context.unit.end(node.cursor)))

    def _jump(self, block: int, loc: Loc) -> None:
        """Leaves the block for one that may be outside of what has been declared since."""
        self._jumps.append((self.graph.mark()[0], self._scopes, block, loc))
        self.graph.end(Goto(block))

    def finish(self, terminator: Terminator) -> list[Block]:
        """Ends the function; what a jump leaves behind does not live on."""
        for source, scopes, target, loc in self._jumps:
            kept = {id(scope) for scope in self._scopes_at.get(target, ())}
            for name in (name for scope in scopes if id(scope) not in kept for name in scope):
                self.graph.append(source, Expire(name, loc))
        return self.graph.finish(terminator)

    def _nothing(self, node: Node) -> None:
        """Lowers `;`."""

    def _attributed(self, node: Node) -> None:
        statements = [child for child in node.children if not FIRST_ATTRIBUTE <= child.kind <= LAST_ATTRIBUTE]
        if [child.kind for child in statements] != [Kind.NULL_STMT]:
            raise self.refuse(_WHAT[Kind.UNEXPOSED_STMT], node)

    def statement_expression(self, node: Node, *, wanted: bool) -> Expr | None:
        """Lowers `({ ... })`; the value of its last expression when wanted and there is one."""
        statements = self.operands(node, 1)[0].children
        last = statements[-1] if wanted and statements else None
        with self._scope(node):
            for statement in statements[: len(statements) - (last is not None)]:
                self.statement(statement)
            if last is None or not FIRST_EXPRESSION <= last.kind <= LAST_EXPRESSION:
                return None
            value = self.value(last)
            return self.hold(value, self.loc(last)) if self._scopes[-1] else value

    def _if(self, node: Node) -> None:
        after = self.graph.new_block()
        while True:
            question, first, *rest = self.operands(node, 2, 3)
            then = self.graph.new_block()
            otherwise = self.graph.new_block() if rest else after
            self.condition(question, then, otherwise)
            self.graph.start(then)
            self.statement(first)
            self.graph.end(Goto(after))
            if not rest:
                break
            self.graph.start(otherwise)
            node = rest[0]
            if node.kind != Kind.IF_STMT:
                self.statement(node)
                break
        self.graph.start(after)

    def _loop(self, body: Node, after: int, following: int) -> None:
        self._scopes_at[after] = self._scopes_at[following] = self._scopes
        self._breaks.append(after)
        self._continues.append(following)
        self.statement(body)
        self._breaks.pop()
        self._continues.pop()

    def _loop_condition(self, node: Node, body: int, after: int) -> None:
        self._outside_any_loop(lambda: self.condition(node, body, after))

    def _outside_any_loop(self, lower: Callable[[], None]) -> None:
        """Lowers a part of a loop's head, where compilers disagree on what `break` and `continue` leave."""
        breaks, continues = self._breaks, self._continues
        self._breaks, self._continues = [], []
        lower()
        self._breaks, self._continues = breaks, continues

    def _for(self, node: Node) -> None:
        parts = self.context.unit.for_parts(node)
        with self._scope(node):
            self._for_parts(parts)

    def _for_parts(self, parts: ForParts) -> None:
        if parts.initial is not None:
            self.statement(parts.initial)
        head, body, following, after = (self.graph.new_block() for _ in range(4))
        self.graph.start(head)
        if parts.condition is not None:
            self._loop_condition(parts.condition, body, after)
        self.graph.start(body)
        self._loop(parts.body, after, following)
        self.graph.start(following)
        step = parts.step
        if step is not None:
            self._outside_any_loop(lambda: self.effect(step))
        self.graph.end(Goto(head))
        self.graph.start(after)

    def _while(self, node: Node) -> None:
        question, repeated = self.operands(node, 2)
        head, body, after = (self.graph.new_block() for _ in range(3))
        self.graph.start(head)
        self._loop_condition(question, body, after)
        self.graph.start(body)
        self._loop(repeated, after, head)
        self.graph.end(Goto(head))
        self.graph.start(after)

    def _do(self, node: Node) -> None:
        repeated, question = self.operands(node, 2)
        body, test, after = (self.graph.new_block() for _ in range(3))
        self.graph.start(body)
        self._loop(repeated, after, test)
        self.graph.start(test)
        self._loop_condition(question, body, after)
        self.graph.start(after)

    def _switch(self, node: Node) -> None:
        question, cases = self.operands(node, 2)
        subject = self.hold(self.value(question), self.loc(node))
        if not isinstance(subject.type, Int):
            raise self.refuse("a `switch` on something that is no number", node)
        dispatch, after = self.graph.new_block(), self.graph.new_block()
        self.graph.end(Goto(dispatch))
        found = _Switch(subject.type)
        self._scopes_at[after] = self._scopes
        self._switches.append(found)
        self._breaks.append(after)
        self.statement(cases)
        self._breaks.pop()
        self._switches.pop()
        self.graph.end(Goto(after))
        self.graph.start(dispatch)
        for value, block, loc in found.cases:
            following = self.graph.new_block()
            if isinstance(subject, Const):
                self.graph.end(Goto(block if subject.value == value else following))
            else:
                equal = Binary("==", subject, Const(value, found.type), S32, loc)
                self.graph.end(Branch(equal, block, following, loc))
            self.graph.start(following)
        self.graph.end(Goto(after if found.default is None else found.default))
        self.graph.start(after)

    def _labelled(self, node: Node) -> None:
        """Lowers a statement after any number of labels."""
        while node.kind in (Kind.CASE_STMT, Kind.DEFAULT_STMT, Kind.LABEL_STMT):
            if node.kind == Kind.LABEL_STMT:
                label = self._label(node.identity)
                self._scopes_at[label] = self._scopes
                self.graph.start(label)
            else:
                block = self.graph.new_block()
                self.graph.start(block)
                self._case(node, block)
            if not node.children:
                raise self.refuse("a label that libclang does not show in full", node)
            node = node.children[-1]
        self.statement(node)

    def _case(self, node: Node, block: int) -> None:
        if not self._switches:
            raise self.refuse("a `case` outside of any `switch`", node)
        switch = self._switches[-1]
        if node.kind == Kind.DEFAULT_STMT and len(node.children) == 1:
            switch.default = block
            return
        if node.kind == Kind.CASE_STMT and len(node.children) == 3:
            raise self.refuse("a range of cases", node)
        value = self.context.unit.library.integer(node.children[0].cursor)
        if node.kind != Kind.CASE_STMT or len(node.children) != 2 or value is None:
            raise self.refuse("a `case` whose value is not known", node)
        switch.cases.append((arithmetic.wrapped(value, switch.type), block, self.loc(node)))

    def _label(self, identity: int | None) -> int:
        if identity not in self._labels:
            self._labels[identity] = self.graph.new_block()
        return self._labels[identity]

    def _goto(self, node: Node) -> None:
        label: Cursor = self._calls.clang_getCursorReferenced(node.children[0].cursor) if node.children else node.cursor
        if label.kind != Kind.LABEL_STMT:
            raise self.refuse("a goto to something that is no label", node)
        self._jump(self._label(label.data[1]), self.loc(node))

    def _break(self, node: Node) -> None:
        self._leave(self._breaks, node)

    def _continue(self, node: Node) -> None:
        self._leave(self._continues, node)

    def _leave(self, targets: list[int], node: Node) -> None:
        if not targets:
            raise self.refuse("a `break` or `continue` in the head of a loop", node)
        self._jump(targets[-1], self.loc(node))

    def _return(self, node: Node) -> None:
        loc = self.loc(node)
        if isinstance(self._result, Void):
            if node.children:
                self.effect(node.children[0])
            self.graph.end(Return(None, loc))
        elif node.children:
            self.graph.end(Return(self.typed(node.children[0], self._result), loc))
        else:
            self.graph.end(Unreachable(loc))

    # Declarations ------------------------------------------------------------------------------

    def _declarations(self, node: Node) -> None:
        for child in node.children:
            if child.kind == Kind.VAR_DECL:
                self._declare_variable(child)
            elif child.kind == Kind.FUNCTION_DECL:
                _declare_function(self.context, child.cursor)
            elif child.kind not in _HARMLESS_DECLARATIONS and child.kind not in _RECORDS:
                raise self.refuse("a declaration of an unknown kind", child)

    def _declare_variable(self, node: Node) -> None:
        cursor, loc = node.cursor, self.loc(node)
        if self._calls.clang_getCursorTLSKind(cursor):
            raise self.refuse("a thread-local variable", node)
        if self.context.unit.library.is_cleaned_up(cursor):
            raise self.refuse("a variable with a cleanup function", node)
        storage = self._calls.clang_Cursor_getStorageClass(cursor)
        if storage == _EXTERN:
            _declare_global(self.context, self.context.unit.library.spelling(cursor), cursor)
            return
        if storage == _STATIC:
            self._declare_static(node)
            return
        ctype = self.type_of(node)
        if not isinstance(ctype, Int | Pointer | StructRef | Array):
            raise self.refuse("a variable of no object type", node)
        target = Local(self.declare(cursor, ctype))
        self._scopes[-1].append(target.name)
        if self.context.layout.is_const(cursor):
            self.readonly.add(target.name)
        self.graph.emit(Declare(target.name, loc))
        if node.children:
            self._initialise(target, ctype, node.children[0], loc)

    def _declare_static(self, node: Node) -> None:
        base = name = f"{self._name}.{self.context.unit.library.spelling(node.cursor)}"
        number = 0
        while name in self.context.program.globals or name in self.context.refused_globals:
            number += 1
            name = f"{base}.{number}"
        self.context.statics[node.cursor.data[0]] = name
        _declare_global(self.context, name, node.cursor)
        _define_global(self.context, name, node)

    def _initialise(self, target: LValue, ctype: CType, node: Node, loc: Loc) -> None:
        while node.kind == Kind.PAREN_EXPR:
            node = node.children[0]
        if not isinstance(ctype, Array) and node.kind != Kind.INIT_LIST_EXPR:
            self.store(target, ctype, node)
            return
        initialiser = Initialiser(self.context.unit, self.context.layout, ctype, loc)
        parts = initialiser.parts(node)
        for path, inner in initialiser.zeros():
            self.graph.emit(Assign(self._at(target, ctype, path, loc), Const(0, inner), inner, loc))
        for part in parts:
            place = self._at(target, ctype, part.path, loc)
            value = self._part_value(part)
            where = loc if isinstance(part.value, Const) else self.loc(part.value)
            self.graph.emit(Assign(place, value, part.type, where))

    def _part_value(self, part: Part) -> Expr:
        return part.value if isinstance(part.value, Const) else self.typed(part.value, part.type)

    def _at(self, lvalue: LValue, ctype: CType, path: Path, loc: Loc) -> LValue:
        for step in path:
            if isinstance(step, str) and isinstance(ctype, StructRef):
                lvalue, ctype = Member(lvalue, ctype.tag, step), self.context.layout.field(ctype.tag, step, loc).type
            elif isinstance(step, int) and isinstance(ctype, Array):
                lvalue, ctype = Element(lvalue, Const(step, S32), loc), ctype.element
        return lvalue

    def initial(self, ctype: CType, node: Node, loc: Loc) -> Initial:
        """What an initialiser of a global writes; Unsupported when a value is not constant."""
        while node.kind == Kind.PAREN_EXPR:
            node = node.children[0]
        if not isinstance(ctype, Array | StructRef) and node.kind != Kind.INIT_LIST_EXPR:
            values: dict[Path, Expr] = {(): self.typed(node, ctype)}
        else:
            values = {}
            for part in Initialiser(self.context.unit, self.context.layout, ctype, loc).parts(node):
                values[part.path] = self._part_value(part)
        if not self.graph.is_straight_and_empty() or any(not _is_constant(value) for value in values.values()):
            raise Unsupported("an initialiser that is not constant", loc)
        return Initial(values)


def _is_constant(value: Expr) -> bool:
    pending: list[Expr | LValue] = [value]
    while pending:
        inner = pending.pop()
        if isinstance(inner, Load):
            return False
        if isinstance(inner, Unary | Convert):
            pending.append(inner.operand)
        elif isinstance(inner, Binary):
            pending += (inner.left, inner.right)
        elif isinstance(inner, AddressOf):
            pending.append(inner.lvalue)
        elif isinstance(inner, Member):
            pending.append(inner.base)
        elif isinstance(inner, Element):
            pending += (inner.base, inner.index)
        elif isinstance(inner, Local):
            return False
    return True


def lower(unit: Unit) -> Program:
    """Everything in a parsed text, as the IR has it.

    A global that the text defines has an entry in `constants`, and its scalars without a value there are zero; what is
    only declared `extern` has none.  Near an error of the compiler nothing is believed: a function with one inside is
    unsupported, and one outside of any function makes all functions so.
    """
    context = Context(unit, Layout(unit), Program(pointer_bits=unit.pointer_bits))
    context.program.structs = context.layout.structs
    definitions, variables = list[Cursor](), list[Cursor]()
    for cursor in unit.declarations():
        if cursor.kind == Kind.FUNCTION_DECL and unit.library.calls.clang_isCursorDefinition(cursor):
            definitions.append(cursor)
        elif cursor.kind == Kind.FUNCTION_DECL:
            _declare_function(context, cursor)
        elif cursor.kind == Kind.VAR_DECL:
            variables.append(cursor)
            _declare_global(context, unit.library.spelling(cursor), cursor)
        elif cursor.kind in _RECORDS:
            context.layout.type_of(cursor)
    for cursor in variables:
        _define_variable(context, cursor)
    errors = _Errors(unit, definitions)
    for cursor in definitions:
        _lower_definition(context, cursor, errors)
    for name in (*context.program.functions, *context.program.unsupported):
        context.program.declared.pop(name, None)
    return context.program


class _Errors:
    """The errors of the compiler, sorted by what they make unbelievable."""

    def __init__(self, unit: Unit, definitions: list[Cursor]) -> None:
        self._unit = unit
        inside = [unit.lines(cursor) for cursor in definitions] if unit.errors else []
        self._outside = [error for error in unit.errors if not any(error[1] in lines for lines in inside)]

    def about(self, definition: Cursor) -> Unsupported | None:
        """Why a function may not be believed, if so."""
        if not self._unit.errors:
            return None
        lines = self._unit.lines(definition)
        causes = self._outside or [error for error in self._unit.errors if error[1] in lines]
        if not causes:
            return None
        message, line = causes[0]
        return Unsupported(f"what does not compile: {message}", self._unit.origin(line) if line else None)


def _declare_function(context: Context, cursor: Cursor) -> None:
    name = context.unit.library.spelling(cursor)
    try:
        ctype = context.layout.type_of(cursor)
    except Unsupported:
        return
    if isinstance(ctype, FunctionType):
        context.program.declared[name] = ctype


def _declare_global(context: Context, name: str, cursor: Cursor) -> None:
    try:
        if context.unit.library.calls.clang_getCursorTLSKind(cursor):
            raise Unsupported("a thread-local variable", context.unit.loc(cursor))
        context.program.globals[name] = context.layout.type_of(cursor)
        if context.layout.is_const(cursor):
            context.program.readonly.add(name)
    except Unsupported as reason:
        context.refused_globals[name] = reason


def _define_variable(context: Context, cursor: Cursor) -> None:
    name = context.unit.library.spelling(cursor)
    if name in context.refused_globals:
        return
    try:
        node = context.unit.nodes(cursor)
    except Unsupported as reason:
        context.refused_globals[name] = reason
        return
    if node.children or context.unit.library.calls.clang_Cursor_getStorageClass(cursor) != _EXTERN:
        _define_global(context, name, node)


def _define_global(context: Context, name: str, node: Node) -> None:
    """Records what a variable with static storage starts with, or why that is not known."""
    if name in context.refused_globals:
        return
    loc = context.unit.loc(node.cursor)
    try:
        if node.children:
            body = _Body(context, name, Void())
            context.program.constants[name] = body.initial(context.program.globals[name], node.children[0], loc)
        else:
            context.program.constants.setdefault(name, Initial({}))
    except Unsupported as reason:
        context.refused_globals[name] = reason
        context.program.constants.pop(name, None)


def _lower_definition(context: Context, cursor: Cursor, errors: _Errors) -> None:
    name = context.unit.library.spelling(cursor)
    program = context.program
    try:
        reason = errors.about(cursor)
        if reason is not None:
            raise reason
        if name in program.functions or name in program.unsupported:
            raise Unsupported(f"a second definition of `{name}`", context.unit.loc(cursor))
        program.functions[name] = _function(context, name, cursor)
    except Unsupported as reason:
        program.functions.pop(name, None)
        program.unsupported[name] = reason


def _function(context: Context, name: str, cursor: Cursor) -> Function:
    unit, loc = context.unit, context.unit.loc(cursor)
    ctype = context.layout.type_of(cursor)
    if not isinstance(ctype, FunctionType):
        raise Unsupported("a function whose type is not known", loc)
    if ctype.variadic:
        raise Unsupported("the definition of a function with a variable number of arguments", loc)
    below = unit.library.children(cursor)
    params = [child for child in below if child.kind == Kind.PARM_DECL]
    bodies = [child for child in below if child.kind == Kind.COMPOUND_STMT]
    if len(params) != len(ctype.params) or len(bodies) != 1:
        raise Unsupported("a function defined in the old style, before prototypes", loc)
    body = _Body(context, name, ctype.result)
    names = []
    for param, expected in zip(params, ctype.params, strict=True):
        if adjusted(context.layout.type_of(param)) != expected or not unit.library.spelling(param):
            raise Unsupported("a parameter without a name or of another type than callers see", unit.loc(param))
        names.append(body.declare(param, expected))
        if context.layout.is_const(param):
            body.readonly.add(names[-1])
    body.statement(unit.nodes(bodies[0]))
    end = unit.end(cursor)
    blocks = body.finish(Return(None, end) if isinstance(ctype.result, Void) else Unreachable(end))
    return Function(name, tuple(names), body.locals, ctype.result, blocks, loc, end, frozenset(body.readonly))

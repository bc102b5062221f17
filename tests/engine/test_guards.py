"""Decision diagrams: they mean what they are made of, are canonical, and are simplified only where nobody looks."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable

import pytest
import z3

from vgicheck.engine.guards import FALSE, TRUE, Guards, TooLarge

ATOMS = tuple(z3.Bool(f"p{i}") for i in range(5))
ROWS = tuple(itertools.product((False, True), repeat=len(ATOMS)))
Table = tuple[bool, ...]


def table_of(term: object) -> Table:
    """The truth table of a term."""
    found = []
    for row in ROWS:
        pairs = [(a, z3.BoolVal(v)) for a, v in zip(ATOMS, row, strict=True)]
        found.append(term if isinstance(term, bool) else z3.is_true(z3.simplify(z3.substitute(term, *pairs))))
    return tuple(found)


def column(index: int) -> Table:
    """The truth table of an atom."""
    return tuple(row[index] for row in ROWS)


def random_guard(guards: Guards, random_: random.Random, size: int = 12) -> tuple[int, Table]:
    """A diagram built by random operations, and its truth table built by the same."""
    made = [(guards.of(a), column(i)) for i, a in enumerate(ATOMS)]
    made += [(TRUE, (True,) * len(ROWS)), (FALSE, (False,) * len(ROWS))]
    two: list[tuple[Callable[[int, int], int], Callable[[bool, bool], bool]]] = [
        (guards.and_, lambda x, y: x and y),
        (guards.or_, lambda x, y: x or y),
    ]
    for _ in range(size):
        (f, tf), (g, tg), (h, th) = (random_.choice(made) for _ in range(3))
        kind = random_.randrange(4)
        if kind == 0:
            made.append((guards.not_(f), tuple(not x for x in tf)))
        elif kind == 1:
            made.append((guards.ite(f, g, h), tuple(y if x else z for x, y, z in zip(tf, tg, th, strict=True))))
        else:
            operation, meaning = random_.choice(two)
            made.append((operation(f, g), tuple(meaning(x, y) for x, y in zip(tf, tg, strict=True))))
    return made[-1]


def test_a_diagram_has_the_truth_table_of_its_operations() -> None:
    """The term of a diagram is true exactly where the operations that made it are."""
    random_, guards = random.Random(1), Guards()
    for _ in range(25):
        guard, table = random_guard(guards, random_)
        assert table_of(guards.term(guard)) == table


def test_equal_tables_are_one_diagram() -> None:
    """Two diagrams are the same number exactly if they have the same truth table."""
    random_, guards = random.Random(2), Guards()
    by_table: dict[Table, int] = {}
    for _ in range(400):
        guard, table = random_guard(guards, random_)
        assert by_table.setdefault(table, guard) == guard
    assert len(set(by_table.values())) == len(by_table)


def test_constrained_diagrams_agree_where_it_is_cared() -> None:
    """`constrain(f, care)` is `f` wherever `care` holds."""
    random_, guards = random.Random(3), Guards()
    shorter = 0
    for _ in range(40):
        (f, tf), (care, tc) = random_guard(guards, random_), random_guard(guards, random_)
        if care == FALSE:
            continue
        simple = guards.constrain(f, care)
        shorter += simple != f
        assert all(a == b for a, b, c in zip(table_of(guards.term(simple)), tf, tc, strict=True) if c)
    assert shorter


def test_a_term_is_read_through_its_connectives() -> None:
    """A formula of negations, conjunctions and disjunctions becomes the diagram of its atoms."""
    guards = Guards()
    p, q, r = ATOMS[:3]
    formula = z3.Or(z3.And(p, z3.Not(q)), z3.Not(z3.Or(r, z3.BoolVal(False))), z3.And(q, z3.BoolVal(True)))
    assert table_of(guards.term(guards.of(formula))) == table_of(formula)
    assert guards.of(z3.Or(p, z3.Not(p))) == TRUE


def test_joined_branches_cancel() -> None:
    """What both halves of a branch share is what was before the branch."""
    guards = Guards()
    before, condition = guards.of(ATOMS[0]), guards.of(z3.BitVec("x", 32) < 3)
    halves = guards.and_(before, condition), guards.and_(before, guards.not_(condition))
    assert guards.any(halves) == before


def test_too_many_nodes_are_refused() -> None:
    """Beyond the limit on nodes there is an exception, not an exhausted machine."""
    guards = Guards(limit=50)
    with pytest.raises(TooLarge):
        guards.any(guards.and_(guards.of(z3.Bool(f"x{i}")), guards.of(z3.Bool(f"y{i % 7}"))) for i in range(40))


def test_a_long_diagram_has_a_term() -> None:
    """A diagram deeper than Python's stack is read as a term all the same."""
    guards = Guards()
    atoms = [guards.of(z3.Bool(f"q{i}")) for i in range(3000)]
    long = TRUE
    for atom in reversed(atoms):
        long = guards.and_(atom, long)
    assert z3.is_and(guards.term(long))


# The order of atoms ----------------------------------------------------------------------------------


def test_a_new_atom_beside_another_changes_no_meaning() -> None:
    """Wherever new atoms are put in the order, diagrams mean what they are made of and are canonical."""
    random_ = random.Random(5)
    for _ in range(6):
        guards, by_table = Guards(), dict[Table, int]()
        for i, atom in enumerate(ATOMS):
            with guards.beside(guards.of(ATOMS[random_.randrange(i)]) if i else TRUE):
                guards.of(atom)
            for _ in range(3):
                with guards.beside(guards.of(ATOMS[random_.randrange(i + 1)])):
                    guard, table = random_guard(guards, random_)
                assert table_of(guards.term(guard)) == table
                assert by_table.setdefault(table, guard) == guard


@pytest.mark.parametrize("beside", [True, False])
def test_pairs_that_stand_beside_each_other_are_small(beside: bool) -> None:
    """What is said of pairs of atoms takes two nodes a pair where they are neighbours, and else doubles with each."""
    count, guards = 64, Guards(limit=20_000)
    first = [guards.of(z3.Bool(f"a{i}")) for i in range(count)]

    def all_pairs() -> int:
        found = FALSE
        for i, a in enumerate(first):
            with guards.beside(a if beside else TRUE):
                found = guards.or_(found, guards.and_(a, guards.of(z3.Bool(f"b{i}"))))
        return found

    if beside:
        assert all_pairs() == all_pairs() > TRUE
    else:
        with pytest.raises(TooLarge):
            all_pairs()


def test_there_is_room_for_any_number_beside_an_atom() -> None:
    """More atoms than there are places between two come between them all the same, each at a place of its own."""
    guards = Guards()
    here, last = guards.of(z3.Bool("here")), guards.of(z3.Bool("last"))
    with guards.beside(here):
        between = [guards.of(z3.Bool(f"between{i}")) for i in range(100)]
    both = [guards.all([here, b, last]) for b in between]
    assert len(set(both)) == 100
    assert both == [guards.all([last, b, here]) for b in between]
    # A diagram starts with the atom that comes first, and ends with the one that comes last.
    assert all(str(guards.term(g)).startswith("And(here") and str(guards.term(g)).endswith("last))") for g in both)

"""One wrong value: which of them a formula misses that another notices, and when a formula says no less than another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

import pytest

from model.generation import REFERENCE
from mutation.model_campaign import PROPERTIES, all_mutants, missed, no_weaker
from mutation.wrong_values import Formula, places, says_no_less, unnoticed
from proofs.model import Transition, taken
from properties.property import At, Part
from vgicheck.engine.maps import Map, MapOf
from vgicheck.engine.values import Width, and_, iff, le, lt, not_
from vgicheck.engine.verdict import Verdict

Byte = Annotated[int, Width(8)]


@dataclass(frozen=True, slots=True)
class Cell:
    full: bool
    load: Byte


@dataclass(frozen=True, slots=True)
class Shelf:
    cells: Annotated[Map[Cell], MapOf((6,), Cell)]
    cell: Cell
    flags: Annotated[Map[bool], MapOf((6,), bool)]
    error: Annotated[int, Width(32, signed=True)]


def emptied(s: Shelf, switches: object) -> Shelf:
    return replace(s, cell=replace(s.cell, full=False), error=0)


SHELF = Transition("emptied", "shelf", Shelf, emptied, lambda s: [(lt(s.cell.load, 100), None)], "")
STEP = taken(SHELF, REFERENCE)


def about(
    *said: Callable[[Shelf, Shelf, At], Any], premise: Callable[[Shelf, At], Any] = lambda s, at: True
) -> Formula:
    """Return a formula of sentences that are called by their numbers."""
    return lambda old, new, at: [Part(str(n), premise(old, at), says(old, new, at)) for n, says in enumerate(said)]


def flags_kept(old: Shelf, new: Shelf, at: At) -> Any:
    return iff(new.flags[at.lr], old.flags[at.lr])


def test_places() -> None:
    """Each scalar of a record is a place, and of a map each scalar of an arbitrary cell."""
    assert [(str(p), p.keys) for p in places(Shelf)] == [
        ("cells.full", (6,)), ("cells.load", (6,)), ("cell.full", ()), ("cell.load", ()), ("flags", (6,)), ("error", ()),
    ]  # fmt: skip


def test_wrong() -> None:
    """A value is put into its place and nowhere else."""
    s = Shelf(Map.constant(Cell(False, 1)), Cell(False, 2), Map.constant(False), 0)
    by_name = {str(p): p for p in places(Shelf)}
    other = by_name["cells.load"].wrong(s, (3,), 9)
    assert (other.cells[3], other.cells[4], other.cell) == (Cell(False, 9), Cell(False, 1), s.cell)
    assert by_name["cell.full"].wrong(s, (), True).cell == Cell(True, 2)


@pytest.mark.parametrize(
    ("says", "less", "place"),
    [
        (flags_kept, lambda old, new, at: True, "flags"),
        (lambda old, new, at: not_(new.cell.full), lambda old, new, at: True, "cell.full"),
        (lambda old, new, at: new.error == 0, lambda old, new, at: le(new.error, 0x7FFF_FFFF), "error"),
        (
            lambda old, new, at: and_(new.cell.load == old.cell.load, not_(new.cell.full)),
            lambda old, new, at: new.cell.load == old.cell.load,
            "cell.full",
        ),
    ],
)
def test_what_is_missed(says: Any, less: Any, place: str) -> None:
    """What a formula does not say any more is missed in its place, and of what it still says nothing is."""
    assert unnoticed(SHELF, STEP, about(says), about(less)) == f"{place}: 0"
    assert unnoticed(SHELF, STEP, about(less), about(says)) == unnoticed(SHELF, STEP, about(says), about(says)) == ""
    assert says_no_less(STEP, about(less), about(says)) and not says_no_less(STEP, about(says), about(less))


def test_only_where_a_premise_leaves_it_out() -> None:
    """A premise that leaves out one list register misses a value there; one that leaves out what never is, does not."""
    most = about(flags_kept, premise=lambda s, at: lt(at.lr, 63))
    assert unnoticed(SHELF, STEP, about(flags_kept), most) == "flags: 0"
    for never in (lambda s, at: lt(s.cell.load, 100), lambda s, at: lt(at.intid, 1020)):
        assert unnoticed(SHELF, STEP, about(flags_kept), about(flags_kept, premise=never)) == ""
        assert says_no_less(STEP, about(flags_kept), about(flags_kept, premise=never))


def test_a_sentence_at_other_indices_misses_nothing() -> None:
    """What a sentence says of each list register it says of each other one too: it need not notice at the same."""
    other = about(lambda old, new, at: iff(new.flags[at.lr ^ 1], old.flags[at.lr ^ 1]))
    assert unnoticed(SHELF, STEP, about(flags_kept), other) == ""
    assert not says_no_less(STEP, about(flags_kept), other)


def test_a_sentence_that_is_left_out() -> None:
    """A sentence that is not said misses what it said, and what says one sentence less says less."""
    two = about(flags_kept, lambda old, new, at: new.error == 0)
    assert unnoticed(SHELF, STEP, two, about(flags_kept)) == "error: 1"
    assert not says_no_less(STEP, two, about(flags_kept))


@pytest.mark.parametrize(
    ("module", "key", "place"),
    [
        ("vmcr", "_vmcr_codec: 20 -> 19", "written."),
        ("mmio_fields", "_sources: Part('a one in GICD_CPENDSGIR drops a sender', ... True)", "vm.sgi_sources"),
        ("set_addr", "_set_once: and_(known, inside, not_(whole)) -> and_(known, not_(whole))", ""),
    ],
)
def test_mutants_of_properties(module: str, key: str, place: str) -> None:
    """A mutant that says less misses a wrong value; one that says more does not, and is proved to say no less."""
    subject = next(s for s in PROPERTIES if s.module == f"properties.{module}")
    begins, _, ends = key.partition("...")
    mutant = next(m for m in all_mutants(subject) if m.key.startswith(begins) and m.key.endswith(ends))
    found: Sequence[tuple[str, Verdict]] = list(missed(subject, mutant))
    assert [(place in name, verdict) for name, verdict in found] == ([(True, Verdict.PROVED)] if place else [])
    assert no_weaker(subject, mutant) is not bool(place)

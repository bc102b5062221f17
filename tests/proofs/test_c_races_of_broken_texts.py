"""`race --source` of C, and of patches, that is mutated, cut off or made up: a reason or a verdict, no traceback."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from proofs import c_arguments, c_races
from proofs.arguments import ARGUMENTS
from proofs.bindings import kvm_2012
from proofs.meetings import IDS, Source
from proofs.scenes import ENTRY, around
from tests.check import fuzz
from tests.mutated import mutated
from tests.review.test_broken_patches import PIECES, SEEDS
from vgicheck.c.ir import Unsupported
from vgicheck.check.check import reading_of
from vgicheck.engine.verdict import Verdict
from vgicheck.review.patch import PatchError, read_patch
from vgicheck.review.shown import source_of

STATES = 30
"""A run in every order is not what is asked here: each machine is only begun."""


def judged(text: str, one: str, two: str, argument: str) -> str:
    """Judge two functions of a text, and an argument; return what became of them."""
    try:
        reading = fuzz.reading_of(text, around())
    except Unsupported:
        return "refused"
    source = Source(reading, "vgic.c", "", STATES)
    found = list(c_arguments.judged(ARGUMENTS[argument], source))
    assert len(found) == 3
    why = c_races.missing(reading, one, two)
    if not why:
        found += c_races.between_task(source, one, two, IDS).run()
        assert [o.property for o in found[3:]] == list(IDS)
    assert all(o.reason for o in found if o.verdict in (Verdict.UNSUPPORTED, Verdict.UNKNOWN))
    if why:
        assert "\n" not in why
        return "missing"
    return "judged"


def survived(cases: range) -> Counter[str]:
    """Judge cases, by their numbers."""
    found: Counter[str] = Counter()
    for n in cases:
        draw = random.Random(f"race {n}")
        text = mutated("\n".join(fuzz.LINES), draw, fuzz.PIECES)
        found[judged(text, *draw.choices(tuple(ENTRY), k=2), draw.choice(tuple(ARGUMENTS)))] += 1
    return found


def of_patch(n: int) -> str:
    """Judge the patch of a number; return what became of it."""
    draw = random.Random(f"race of patch {n}")
    text = mutated(draw.choice(SEEDS), draw, PIECES).encode("utf-8", "surrogateescape")
    try:
        shown = source_of(read_patch(text, "a.patch"), "a.patch", kvm_2012.rest(), kvm_2012.stubs())
    except PatchError as error:
        assert "\n" not in str(error)
        return "refused"
    source = Source(reading_of(shown, shown.paths[0], around()), shown.paths[0], "", STATES)
    found = list(c_arguments.judged(ARGUMENTS[draw.choice(tuple(ARGUMENTS))], source))
    assert len(found) == 3
    assert all(o.reason for o in found if o.verdict in (Verdict.UNSUPPORTED, Verdict.UNKNOWN))
    return "judged"


def test_a_sample_of_broken_patches_is_survived() -> None:
    """Some are judged."""
    assert Counter(map(of_patch, range(30)))["judged"]


def test_a_sample_of_broken_texts_is_survived() -> None:
    """Some are judged."""
    assert survived(range(4))["judged"]


def test_a_text_that_cannot_be_told_apart_is_unsupported() -> None:
    """Where nothing of a file is read there are no objects either to make a machine of."""
    text = "#if 1\n" + "\n".join(fuzz.LINES)
    reading = fuzz.reading_of(text, around())
    assert not reading.program.globals and c_races.missing(reading, "kvm_vgic_inject_irq", "vgic_handle_mmio") == ""
    assert judged(text, "kvm_vgic_inject_irq", "vgic_handle_mmio", "comment-same-vcpu") == "judged"


@pytest.mark.slow
@pytest.mark.long
def test_broken_texts_are_survived() -> None:
    """The same of 200."""
    assert survived(range(200)).total() == 200


@pytest.mark.slow
@pytest.mark.long
def test_broken_patches_are_survived() -> None:
    """The same of 1,000 patches."""
    assert Counter(map(of_patch, range(1_000))).total() == 1_000
